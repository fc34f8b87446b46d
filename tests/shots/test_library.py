"""What a mixture asks of exemplars, and the formats that ship."""

from itertools import combinations
from pathlib import Path

import pytest

from flanmix.errors import SpecError, UsageError
from flanmix.shots.library import shooting_of, shot_format, shot_formats
from flanmix.spec import Mixture, ShotFormat, Shots
from tests.toy_tokens import tokenizer


def asked(**keys: object) -> Mixture:
    return Mixture("m", sizes={"a": 1}, **keys)


def test_formats_that_ship_have_names_of_their_own_and_differ() -> None:
    formats = shot_formats()
    assert next(iter(formats)) == "plain"
    assert len(formats) >= 8
    for one, other in combinations(formats.values(), 2):
        told = ("input_prefix", "cue", "between", "separator")
        assert [getattr(one, key) for key in told] != [getattr(other, key) for key in told]


def test_a_format_is_found_by_name_or_is_one_itself() -> None:
    own = ShotFormat("mine", cue="?")
    assert shot_format(own) is own
    assert shot_format("qa").cue == "\nA:"
    with pytest.raises(UsageError, match=r"no format of exemplars is called 'qaa' - did you mean 'qa'"):
        shot_format("qaa")
    with pytest.raises(UsageError, match=r"there are plain, rule, .*, or write a format of your own"):
        shot_format("xylophone")


def test_a_mixture_that_says_nothing_has_no_exemplars() -> None:
    assert not shooting_of(asked())
    assert not shooting_of(asked(styles={"few_shot": 0.0}, shots=3))
    assert not shooting_of(asked(styles={"options": 0.5}))


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ({"shots": 3}, ((3, 1.0),)),
        ({"styles": {"few_shot": 0.5}}, ((1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (5, 1.0))),
        ({"styles": "flan", "shots": {"count": {"min": 2, "max": 3}}}, ((2, 1.0), (3, 1.0))),
        ({"shots": Shots({3: 2, 1: 1})}, ((1, 1.0), (3, 2.0))),
    ],
)
def test_numbers_of_exemplars_are_as_asked(keys: dict[str, object], numbers: tuple[tuple[int, float], ...]) -> None:
    assert shooting_of(asked(**keys)).numbers == numbers


@pytest.mark.parametrize(("separator", "between"), [("\n", "\n"), ("", "\n"), ("\n\n", "\n\n"), (" ", " ")])
def test_exemplars_look_as_prompt_and_completion_do(separator: str, between: str) -> None:
    (plain,) = shooting_of(asked(shots=1, separator=separator)).formats
    assert plain.between == between


def test_a_format_that_says_what_stands_between_keeps_it() -> None:
    (mine,) = shooting_of(asked(shots=Shots(2, formats=[ShotFormat("mine", between="")]), separator=" ")).formats
    assert mine.between == ""


def test_a_budget_in_tokens_needs_a_tokenizer_and_remembers_which(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"shots.max_tokens: exemplars in tokens need a tokenizer - .* as 'tokenizer'"):
        shooting_of(asked(shots=Shots(2, max_tokens=100)))
    file = tmp_path / "tokenizer.json"
    tokenizer("bpe").library.save(str(file))
    made = shooting_of(asked(shots=Shots(2, max_tokens=100), tokenizer=str(file)))
    assert (made.max_tokens, made.tokenizer) == (100, str(file))
    assert made.tokenizer_digest in str(made.facts())


def test_what_decides_no_byte_is_no_fact() -> None:
    one, other = (shooting_of(asked(shots=Shots(2, place="turns", formats=[name]))).facts() for name in ("qa", "plain"))
    assert one == other
    as_text = shooting_of(asked(shots=Shots(2, formats=["qa"]))).facts()
    assert as_text != shooting_of(asked(shots=Shots(2))).facts() != one


def test_numbers_are_from_1_to_64() -> None:
    for count in (0, 65, {"min": 3, "max": 2}, {}):
        with pytest.raises(SpecError):
            Shots(count)
