"""A task's expressions over many rows at once: their values, their truth, and why a row has none."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa

from flanmix.order import Ints
from flanmix.render.columns import evaluate_columns, no_draws, render_columns
from flanmix.render.environment import Expression, NullPrinted, OutsideList, Program
from flanmix.render.printing import in_rows
from flanmix.render.values import Coded, Column, Const, Mask, NotColumnar, Value, in_every_row, take, truth, used

Fail = Callable[[int, Exception], NoReturn]
"""Raises what a program's failure on a row (from 0) means to people."""


@dataclass(frozen=True)
class Computed:
    """A program's value in every row, and why some rows have none."""

    value: Value
    missing: Mapping[int, str]

    def array(self) -> pa.Array:
        """The values as Arrow infers their type; raises `pa.ArrowException`, `UnicodeError` or `OverflowError`."""
        if isinstance(self.value, Column):
            return self.value.array
        if isinstance(self.value, Const):
            raise TypeError("a constant has no rows")
        found = used(self.value)
        array = pa.array(found.values)
        return array if found.codes is None else array.take(pa.array(found.codes))


def compute(program: Expression | Program, names: Mapping[str, Value], rows: int, fail: Fail) -> Computed:
    """Compute a program in every row, by columns where they will do."""
    try:
        if isinstance(program, Expression):
            value = evaluate_columns(program, names, rows)
        else:
            value = Column(in_rows(render_columns(program, names, rows, no_draws), rows))
    except NotColumnar:
        return _by_rows(program, names, rows, fail)
    if isinstance(value, Const):
        value = Coded(np.zeros(rows, np.int64), [value.value])
    places = _nulls(value)
    empty = _rows({name: take(each, places) for name, each in names.items()}, len(places))
    return Computed(
        value, {at: _of_row(program, row, at, fail)[1] for at, row in zip(places.tolist(), empty, strict=True)}
    )


def holds(program: Expression, names: Mapping[str, Value], rows: int, fail: Fail) -> tuple[Mask, Mapping[int, str]]:
    """In which rows an expression is true, and why some rows have no answer (they count as false)."""
    try:
        where = truth(evaluate_columns(program, names, rows))
        return (np.full(rows, where) if isinstance(where, bool) else where), {}
    except NotColumnar:
        found = _by_rows(program, names, rows, fail)
        answers = [bool(value) and place not in found.missing for place, value in enumerate(in_every_row(found.value))]
        return np.array(answers, bool), {place: why for place, why in found.missing.items() if why != NO_VALUE}


def reasons(program: Expression, names: Mapping[str, Value], places: Ints, fail: Fail) -> list[str]:
    """What an expression says in rows for which it holds: its texts, where they are few, of one line and short.

    Others are empty: they are data, and no reasons.
    """
    if not len(places):
        return []
    found = compute(program, {name: take(value, places) for name, value in names.items()}, len(places), fail)
    texts = [each if isinstance(each, str) else "" for each in in_every_row(found.value)]
    told = set(texts)
    few = len(told) <= _MOST_REASONS and all(len(text) <= _LONGEST_REASON and text.isprintable() for text in told)
    return texts if few else [""] * len(texts)


_MOST_REASONS, _LONGEST_REASON = 20, 60
NO_VALUE = "has no value"


def _by_rows(program: Expression | Program, names: Mapping[str, Value], rows: int, fail: Fail) -> Computed:
    values: list[Any] = []
    reasons = {}
    for place, row in enumerate(_rows(names, rows)):
        value, reason = _of_row(program, row, place, fail)
        values.append(value)
        if value is None:
            reasons[place] = reason
    return Computed(Coded(None, values), reasons)


def _nulls(value: Column | Coded) -> Any:
    if isinstance(value, Column):
        return np.flatnonzero(value.array.is_null())
    empty = np.fromiter((each is None for each in value.values), bool, len(value.values))
    return np.flatnonzero(empty if value.codes is None else empty[value.codes])


def _rows(names: Mapping[str, Value], rows: int) -> Iterator[dict[str, Any]]:
    columns = [iter(in_every_row(value)) for value in names.values()]
    for _ in range(rows):
        yield dict(zip(names, map(next, columns), strict=True))


def _of_row(program: Expression | Program, row: Mapping[str, Any], place: int, fail: Fail) -> tuple[Any, str]:
    """A program's value for one row, and where that is None the reason."""
    try:
        return (program.evaluate(row) if isinstance(program, Expression) else program.render(row)), NO_VALUE
    except NullPrinted:
        return None, "holds a null"
    except OutsideList:
        return None, "looks outside its list"
    except Exception as error:
        fail(place, error)
