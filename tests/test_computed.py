"""Expressions over many rows: the same values, truth and reasons by columns as row by row."""

from collections.abc import Mapping
from typing import Any, NoReturn

import pyarrow as pa
import pytest

from flanmix.computed import NO_VALUE, compute, holds
from flanmix.render.environment import compile_expression, compile_template
from flanmix.render.values import Coded, Const, Value, column_of

ROWS: list[dict[str, Any]] = [
    {"label": 0, "text": "a b", "items": ["x", "y"], "inner": {"n": 1}, "maybe": None, "score": 0.5},
    {"label": 1, "text": "", "items": [], "inner": {"n": 2}, "maybe": "z", "score": 1.0},
    {"label": -1, "text": "ß", "items": ["z"], "inner": {"n": None}, "maybe": "", "score": -0.0},
    {"label": 0, "text": "a b", "items": ["x", "y"], "inner": {"n": 1}, "maybe": None, "score": 0.5},
]
CHOICES = {"choices": Const(["no", "yes"])}
BY_COLUMNS = {name: column_of(pa.array([row[name] for row in ROWS])) for name in ROWS[0]} | CHOICES
BY_ROWS = {name: Coded(None, [row[name] for row in ROWS]) for name in ROWS[0]} | CHOICES


class RowFailedError(Exception):
    pass


def fail(place: int, error: Exception) -> NoReturn:
    raise RowFailedError(f"{place}: {type(error).__name__}") from error


def used(names: Mapping[str, Value], program: Any) -> dict[str, Value]:
    return {name: value for name, value in names.items() if name in program.variables}


def one_by_one(program: Any, names: Mapping[str, Value]) -> list[tuple[Any, str | None]]:
    """What each row gives when it is the only one, as Python values."""
    found = []
    for place in range(len(ROWS)):
        own = {n: v if isinstance(v, Const) else Coded(None, [v.values[place]]) for n, v in names.items()}  # type: ignore[union-attr]
        computed = compute(program, used(own, program), 1, lambda _, error, place=place: fail(place, error))
        found.append((computed.array().to_pylist()[0], computed.missing.get(0)))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "{{ choices[label] }}",
        "{{ items | length }}",
        "{{ items | join(', ') }}",
        "{{ items[0] }}",
        "{{ inner.n }}",
        "{{ inner['n'] }}",
        "{{ maybe }}",
        "{{ maybe or 'none' }}",
        "{{ text | upper }}",
        "{{ text.split(' ') }}",
        "{{ maybe | upper }}",
        "{{ [text, maybe] }}",
        "{{ 'x' if label else text }}",
        "{{ label + 1 }}",
        "{{ score }}",
        "{{ none }}",
        "{{ 3 }}",
        "{{ choices }}",
        "{{ {'n': label} }}",
    ],
)
def test_values_and_reasons_are_those_of_the_rows(text: str) -> None:
    program = compile_expression(text)
    found = compute(program, used(BY_COLUMNS, program), len(ROWS), fail)
    values = found.array().to_pylist()
    assert [(value, found.missing.get(place)) for place, value in enumerate(values)] == one_by_one(program, BY_ROWS)


def test_a_row_has_no_value_for_a_reason() -> None:
    reasons = {}
    for text in ("{{ choices[label] }}", "{{ maybe | upper }}", "{{ maybe }}"):
        program = compile_expression(text)
        reasons[text] = dict(compute(program, used(BY_COLUMNS, program), len(ROWS), fail).missing)
    assert reasons == {
        "{{ choices[label] }}": {2: "looks outside its list"},
        "{{ maybe | upper }}": {0: "holds a null", 3: "holds a null"},
        "{{ maybe }}": {0: NO_VALUE, 3: NO_VALUE},
    }


def test_a_text_around_an_expression_is_a_text() -> None:
    program = compile_template("label {{ choices[label] }}")
    found = compute(program, used(BY_COLUMNS, program), len(ROWS), fail)
    assert found.array().to_pylist() == ["label no", "label yes", None, "label no"]
    assert found.missing == {2: "looks outside its list"}


@pytest.mark.parametrize("text", ["{{ text + 1 }}", "{{ maybe + 'x' }}", "{{ 1 // label }}"])
def test_a_row_that_fails_is_named(text: str) -> None:
    program = compile_expression(text)
    with pytest.raises(RowFailedError) as caught:
        compute(program, used(BY_COLUMNS, program), len(ROWS), fail)
    assert str(caught.value) == "0: " + type(caught.value.__cause__).__name__


@pytest.mark.parametrize(
    ("text", "true", "missing"),
    [
        ("{{ label == -1 }}", [False, False, True, False], {}),
        ("{{ maybe is none }}", [True, False, False, True], {}),
        ("{{ maybe }}", [False, True, False, False], {}),
        ("{{ text and label == 0 }}", [True, False, False, True], {}),
        ("{{ 'x' in items }}", [True, False, False, True], {}),
        ("{{ true }}", [True, True, True, True], {}),
        ("{{ choices[label] == 'no' }}", [True, False, False, True], {2: "looks outside its list"}),
        ("{{ maybe | upper == 'Z' }}", [False, True, False, False], {0: "holds a null", 3: "holds a null"}),
    ],
)
def test_truth_is_pythons_and_a_row_without_an_answer_is_told(
    text: str, true: list[bool], missing: dict[int, str]
) -> None:
    program = compile_expression(text)
    found, reasons = holds(program, used(BY_COLUMNS, program), len(ROWS), fail)
    assert (found.tolist(), reasons) == (true, missing)


def test_of_no_rows_there_is_nothing_to_say() -> None:
    program = compile_expression("{{ label + 1 }}")
    names = {"label": column_of(pa.array([], pa.int64()))}
    assert compute(program, names, 0, fail).array().to_pylist() == []
    assert holds(program, names, 0, fail)[0].tolist() == []
