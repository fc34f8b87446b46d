import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from flanmix.generators import GENERATORS, Draw, Row, generate

GOLDEN = Path(__file__).parents[1] / "golden" / "generators.json"
NAMES = sorted(GENERATORS)
FIELDS = {
    "arithmetic": ["question", "answer"],
    "dates": ["question", "answer"],
    "units": ["question", "answer"],
    "math": ["question", "rationale", "answer"],
    "logic": ["premises", "question", "choices", "answer"],
    "sorting": ["items", "order", "answer"],
    "strings": ["instruction", "text", "answer"],
}
OUT_OF_RANGE = [
    ("arithmetic/add_subtract", {"largest": 9}, "largest must be an integer from 10 to 1000000000000, not 9"),
    ("arithmetic/add_subtract", {"decimals": 7}, "decimals must be an integer from 0 to 6"),
    ("arithmetic/add_subtract", {"decimals": True}, "not True"),
    ("arithmetic/multiply_divide", {"second": 1}, "second must be"),
    (
        "arithmetic/multiply_divide",
        {"largest": "99"},
        "largest must be an integer from 2 to 1000000000, not '99'",
    ),
    ("arithmetic/order_of_operations", {"largest": 2}, "largest must be"),
    ("arithmetic/fractions", {"largest": 2}, "largest must be"),
    ("arithmetic/percentages", {"largest": 0}, "largest must be"),
    ("dates/weekday", {"first_year": 1599}, "first_year must be an integer from 1600 to 9000, not 1599"),
    ("dates/weekday", {"first_year": 2101}, "first_year must not be above last_year, but 2101 is above 2100"),
    ("dates/add_days", {"largest": 5001}, "largest must be"),
    ("dates/add_days", {"last_year": 9001}, "last_year must be"),
    ("dates/days_between", {"largest": 0}, "largest must be"),
    ("dates/clock_time", {"largest": 1440}, "largest must be"),
    ("logic/comparisons", {"fewest": 2}, "fewest must be"),
    ("logic/syllogisms", {"most_terms": 5}, "most_terms must be"),
    ("logic/syllogisms", {"nouns": "odd"}, "nouns must be one of any, invented, real, not 'odd'"),
    ("math/word_problems", {"most_steps": 4}, "most_steps must be"),
    ("sorting/dates", {"first_year": 2200}, "first_year must not be above last_year"),
    ("sorting/numbers", {"fewest": 11}, "fewest must not be above most, but 11 is above 10"),
    ("sorting/words", {"most": 51}, "most must be"),
    ("strings/transform", {"fewest": 1}, "fewest must be"),
    ("units/convert", {"kind": "colour"}, "kind must be one of any, length"),
    ("units/convert", {"largest": 1.5}, "largest must be an integer"),
]
NARROW = [
    ("arithmetic/add_subtract", {"largest": 10}),
    ("arithmetic/multiply_divide", {"largest": 2, "second": 2}),
    ("arithmetic/order_of_operations", {"largest": 3}),
    ("arithmetic/fractions", {"largest": 3}),
    ("arithmetic/percentages", {"largest": 10}),
    ("dates/add_days", {"first_year": 1600, "last_year": 1600, "largest": 1}),
    ("dates/add_days", {"first_year": 9000, "last_year": 9000, "largest": 5000}),
    ("dates/clock_time", {"largest": 1}),
    ("dates/days_between", {"largest": 1}),
    ("dates/weekday", {"first_year": 2000, "last_year": 2000}),
    ("logic/comparisons", {"fewest": 6, "most": 6}),
    ("logic/syllogisms", {"fewest_terms": 4}),
    ("math/word_problems", {"fewest_steps": 3}),
    ("sorting/dates", {"fewest": 50, "most": 50, "first_year": 2000, "last_year": 2000}),
    ("sorting/numbers", {"fewest": 50, "most": 50}),
    ("sorting/numbers", {"fewest": 2, "most": 2}),
    ("sorting/words", {"fewest": 50, "most": 50}),
    ("strings/transform", {"fewest": 20, "most": 20}),
    ("strings/transform", {"fewest": 2, "most": 2}),
    ("units/convert", {"largest": 2}),
]


def _rows(name: str, rows: range, seed: int = 1, **options: object) -> list[Row]:
    return generate(GENERATORS[name], name, seed, rows, options)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_depends_only_on_its_number(name: str) -> None:
    run = _rows(name, range(30))
    assert _rows(name, range(17, 18)) == [run[17]]
    assert [_rows(name, range(row, row + 1))[0] for row in reversed(range(30))] == run[::-1]


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_names_differ(name: str) -> None:
    run = _rows(name, range(20))
    assert run != _rows(name, range(20), seed=2)
    assert run != generate(GENERATORS[name], "another/name", 1, range(20), {})


@pytest.mark.parametrize("name", NAMES)
def test_rows_hold_the_fields_of_their_type(name: str) -> None:
    for row in _rows(name, range(500)):
        assert list(row) == FIELDS[name.split("/")[0]]
        assert row.get("choices", ["yes", "no"]) == ["yes", "no"]
        for field, value in row.items():
            assert isinstance(value, list if field == "choices" else str)


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_tidy(name: str) -> None:
    for row in _rows(name, range(2000)):
        for field, value in row.items():
            if isinstance(value, str):
                assert value
                assert value == " ".join(value.split())
                assert not re.search(r"[{}]|\b(an?) \1\b| [,.?]|\.\.", value)
                assert not re.search(r"(?<![\d.,/:-])1 (?!plus |minus |times |US )[a-z]+s\b(?<!ss)", value), value
                if field == "question":
                    assert value[0].isupper() or value[0].isdigit()
                    assert value.endswith("?")
                if field in ("premises", "rationale", "instruction"):
                    assert value[0].isupper()
                    assert value.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_nearly_all_different(name: str) -> None:
    run = _rows(name, range(20_000))
    distinct = {json.dumps(row) for row in run}
    assert len(distinct) / len(run) > 0.97, len(distinct) / len(run)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("logic/")])
def test_yes_and_no_are_balanced(name: str) -> None:
    answers = [row["answer"] for row in _rows(name, range(4000))]
    assert 1850 < answers.count("yes") < 2150


@pytest.mark.parametrize(("name", "options", "message"), OUT_OF_RANGE)
def test_options_out_of_range_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        _rows(name, range(1), **options)


@pytest.mark.parametrize(("name", "options"), NARROW)
def test_the_narrowest_options_work(name: str, options: dict[str, Any]) -> None:
    assert len(_rows(name, range(1000), **options)) == 1000


@pytest.mark.parametrize("name", NAMES)
def test_unknown_options_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"there is no option 'colour'; the options are: [a-z]"):
        _rows(name, range(1), colour=1)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_keywords_with_defaults(name: str) -> None:
    draw, *options = inspect.signature(GENERATORS[name]).parameters.values()
    assert draw.name == "draw"
    assert options
    assert all(option.kind is option.KEYWORD_ONLY and option.default is not option.empty for option in options)


def test_a_function_from_elsewhere_may_take_any_options() -> None:
    def free(draw: Draw, **options: int) -> Row:
        return {"row": draw.row, "size": options["size"]}

    assert generate(free, "free", 1, [4, 2], {"size": 3}) == [{"row": 4, "size": 3}, {"row": 2, "size": 3}]


def test_the_mapping_is_frozen_and_ordered() -> None:
    assert list(GENERATORS) == NAMES
    with pytest.raises(TypeError):
        GENERATORS["new"] = GENERATORS["dates/weekday"]  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_the_first_rows_never_change(name: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert set(golden) == set(NAMES)
    assert _rows(name, range(3)) == golden[name], "rows that were published once must stay as they are"
