"""The library of option styles, and what a mixture's `options` make of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flanmix.errors import SpecError
from flanmix.options.drawing import BULLETS, Listing
from flanmix.options.library import OptionStyles, listing, option_styles, styles_of
from flanmix.options.listing import Listed, listed
from flanmix.options.lists import TEXT
from flanmix.origin import Where
from flanmix.spec import Mixture, Options, OptionStyle
from flanmix.spec.axes import OptionTarget
from flanmix.yamlio import parse, read_text

OWN = OptionStyle("mine", labels="numbers", label="#{} ")


def problems_of(text: str) -> list[str]:
    """What is wrong with the `options` of a mixture file."""
    document = read_text(f"mixture: m\nsizes: {{a: 1}}\n{text}", "m.yaml")
    with pytest.raises(SpecError) as caught:
        listing(parse(document, Mixture).options, Where(document.origin).at("options"))
    return str(caught.value).splitlines()


def file_problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        styles_of(read_text(text, "s.yaml"))
    return str(caught.value).splitlines()


# The library


def test_there_are_bullets_letters_numbers_and_roman_numbers_starts_and_ends() -> None:
    styles = option_styles()
    assert len(styles) >= 20
    assert {style.labels for style in styles.values()} == set(OptionStyle.model_fields["labels"].annotation.__args__)
    assert any(style.start for style in styles.values())
    assert any(style.end for style in styles.values())
    assert any("\n" not in style.separator for style in styles.values())


def test_bullets_are_what_a_mixture_without_options_has() -> None:
    assert option_styles()["bullets"] == BULLETS
    assert listing(Options()) == Listing()
    assert listing(Options()).as_in_data


def test_no_two_styles_look_the_same() -> None:
    looks = [style.model_dump(exclude={"name"}) for style in option_styles().values()]
    assert all(look not in looks[:number] for number, look in enumerate(looks))


def test_a_line_of_its_own_starts_after_what_is_above_it() -> None:
    for style in option_styles().values():
        assert style.start.endswith("\n") or len(style.start) <= 1, style.name


def test_the_docs_show_every_style_as_it_is() -> None:
    def answered(style: OptionStyle, target: OptionTarget) -> Listed:
        choices, how = pa.array([["yes", "no"]], pa.list_(TEXT)), Listing((style,), ((target, 1.0),))
        return listed(choices, pa.array(["no"]), np.array([0]), np.array([0]), how, seed=0, task="toy")

    lines = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| style | lists | `label` | `both` |") + 2
    for line, (name, style) in zip(lines[start:], option_styles().items(), strict=False):
        looks = "<br>".join(f"`{part}`" for part in answered(style, "label").options[0].as_py().split("\n"))
        both = [f"`{answered(style, target).answer[0]}`" for target in ("label", "both")]
        assert line == f"| `{name}` | {looks} | {' | '.join(both if style.labels != 'none' else ['', ''])} |"
    assert not lines[start + len(option_styles())]


def test_problems_of_a_file_are_told_with_their_lines() -> None:
    text = "option_styles:\n  - {name: a, label: '{}) '}\n  - {name: b, lable: x}\n  - {name: c, weight: 0}\n"
    found = file_problems(text)
    assert [line.split(":")[1] for line in found] == ["2", "3", "4"]
    assert "'labels' and a '{}' in 'label' go together" in found[0]
    assert "unknown key 'lable' - did you mean 'label'?" in found[1]


def test_a_name_stands_once_in_a_file() -> None:
    found = file_problems("option_styles:\n  - name: a\n  - name: a\n    label: x\n")
    assert found == ["s.yaml:3: option_styles[1].name: the style 'a' is there already - leave one out"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"labels": "numbers"}, "'labels' and a '{}' in 'label' go together"),
        ({"label": "{}) "}, "'labels' and a '{}' in 'label' go together"),
        ({"labels": "numbers", "label": "{}{} "}, "more than one '{}'"),
        ({"labels": "numbers", "label": "{}"}, "nothing parts the mark from the option"),
        ({"labels": "numbers", "label": "\n{}) "}, "'label' breaks the line"),
        ({"separator": "; "}, "options on one line need labels"),
        ({"separator": ""}, "is empty"),
    ],
)
def test_a_style_that_cannot_be_read_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said.replace("{", r"\{").replace("}", r"\}")):
        OptionStyle("mine", **keys)


# A mixture's options


def test_names_are_looked_up_and_own_styles_taken_as_they_are() -> None:
    found = listing(Options(["letters", OWN], order="shuffled", target={"text": 3, "both": 1}))
    assert found.styles == (option_styles()["letters"], OWN)
    assert found.targets == (("text", 3.0), ("both", 1.0))
    assert found.shuffled
    assert not found.as_in_data


def test_styles_have_weights() -> None:
    assert [style.weight for style in listing(Options({"letters": 2, "bullets": 1.5})).styles] == [2, 1.5]
    assert [style.weight for style in listing(Options(["letters", {"name": "mine", "weight": 2}])).styles] == [1, 2]


@pytest.mark.parametrize("short", ["letters", ["letters"], {"styles": "letters"}, {"styles": {"letters": 1}}])
def test_short_forms_are_the_long_one(short: Any) -> None:
    made = Mixture("m", sizes={"a": 1}, options=short)
    assert listing(made.options) == listing(Options(["letters"]))


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("options: leters", 3, "options"),
        ("options: [numbers, leters]", 3, "options[1]"),
        ("options:\n  styles: leters", 4, "options.styles"),
        ("options:\n  styles:\n  - numbers\n  - leters", 6, "options.styles[1]"),
        ("options:\n  styles:\n    leters: 2", 5, "options.styles.leters"),
    ],
)
def test_a_name_that_is_not_there_is_told_where_it_stands(text: str, line: int, key: str) -> None:
    said = "no option style is called 'leters' - did you mean 'letters'?"
    assert problems_of(text) == [f"m.yaml:{line}: {key}: {said}"]


def test_all_problems_come_at_once() -> None:
    found = problems_of("options:\n  styles: [nothing-like-it, letters, letters, {name: bullets, label: '+ '}]")
    assert len(found) == 3
    assert "there are bullets, stars, dots" in found[0]
    assert "'bullets' is a style that ships - call yours something else" in found[1]
    assert "options.styles[2]: the style 'letters' is there already" in found[2]


def test_labels_are_no_answers_where_no_style_has_any() -> None:
    found = problems_of("options:\n  styles: [bullets, dots]\n  target: {text: 1, label: 1}")
    said = "'label' needs labels, and 'bullets', 'dots' have none - take a style with labels, like 'letters'"
    assert found == [f"m.yaml:5: options.target: {said}"]
    listing(Options(["bullets", "letters"], target="label"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("options: 3", "options: should be 'key: value' lines"),
        ("options: []", "options: is empty"),
        ("options: {order: random}", "options.order: 'random' is not one of 'kept' or 'shuffled'"),
        ("options: {target: {text: 0}}", "options.target.text: should be more than 0"),
        ("options: {styles: {letters: 0}}", "options.styles.letters: should be more than 0"),
        ("options: {target: lable}", "did you mean 'label'?"),
        ("options: {style: letters}", "unknown key 'style' - did you mean 'styles'?"),
        ("options:\n  styles:\n  - {name: mine, label: '{}. '}", "m.yaml:5"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, said: str) -> None:
    assert any(said in line for line in problems_of(text)), problems_of(text)


def test_facts_tell_listings_apart_and_names_do_not_count() -> None:
    made = [Options("letters"), Options("letters", target="both"), Options("letters", order="shuffled"), Options(OWN)]
    facts = [listing(options).facts() for options in made]
    assert all(each not in facts[:number] for number, each in enumerate(facts))
    renamed = OWN.model_copy(update={"name": "other"})
    assert listing(Options([renamed])).facts() == listing(Options([OWN])).facts()


def test_a_file_of_styles_needs_some() -> None:
    with pytest.raises(SpecError, match="is empty"):
        OptionStyles([])
