"""The row path: a compiled template applied to one row after the other. The reference for every other path."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from typing import Any, TypeVar

import pyarrow as pa

from flanmix.order import Words
from flanmix.render.environment import NullPrinted, OutsideList, Program

T = TypeVar("T")


class RowError(Exception):
    """A template failed on the row at `index` (from 0) of the table it was given; the cause is what it raised."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}" if not str(cause) else str(cause))
        self.index = index

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.index, Exception(str(self)))


def rows_of(table: pa.Table, names: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The rows of a table as dicts of some of its columns."""
    chosen = [name for name in table.column_names if name in names]
    columns = [table.column(name).to_pylist() for name in chosen]
    for values in zip(*columns, strict=True) if chosen else repeat((), table.num_rows):
        yield dict(zip(chosen, values, strict=True))


def each_row(rows: Iterator[dict[str, Any]], make: Callable[[int, dict[str, Any]], T]) -> list[T]:
    """What is made of every row; raises `RowError`."""
    made: list[T] = []
    try:
        for row in rows:
            made.append(make(len(made), row))
    except Exception as error:
        raise RowError(len(made), error) from error
    return made


def arrow_of(made: list[Any], kind: pa.DataType) -> pa.Array:
    """What was made of every row, as an array; raises `RowError` where it holds half a character (a lone surrogate)."""
    try:
        return pa.array(made, kind)
    except UnicodeEncodeError:
        each_row(({"made": each} for each in made), lambda _, row: pa.array([row["made"]], kind))
        raise


def render_rows(program: Program, table: pa.Table) -> pa.Array:
    """Render every row of `table` natively: `large_string`, as long as the table; raises `RowError`.

    A row for which the template would print a null, or look outside a list, gives null: there is no text for it.
    """
    return render_dicts(program, rows_of(table, program.variables))


def render_dicts(program: Program, rows: Iterator[dict[str, Any]]) -> pa.Array:
    """As `render_rows`, for rows as dicts."""
    return arrow_of(each_row(rows, lambda _, row: _text(program, row)), pa.large_string())


def _text(program: Program, row: Mapping[str, Any]) -> str | None:
    try:
        return program.render(row)
    except (NullPrinted, OutsideList):
        return None


def drawing(draw: Callable[[int, int], Words]) -> Callable[[int], Callable[[int], int]]:
    """For a row its random numbers: the n-th at a place of the template is the row's word of `draw(place, n)`."""
    known: dict[tuple[int, int], Words] = {}

    def of_row(index: int) -> Callable[[int], int]:
        seen: Counter[int] = Counter()

        def number(place: int) -> int:
            key = (place, seen[place])
            seen[place] += 1
            if key not in known:
                known[key] = draw(*key)
            return int(known[key][index])

        return number

    return of_row
