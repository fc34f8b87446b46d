"""Rows of a table chosen for a template, their texts left where they lie until something else is made of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flanmix.order import Ints
from flanmix.render.values import TEXT, Coded, Value, column_of, value_of
from flanmix.render.viewing import Picked, Viewed


class ViewedTable:
    """A table, and its columns of text as views once they are asked for."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._texts: dict[str, Viewed] = {}
        self._coded: dict[str, Coded] = {}
        self._numbers: dict[str, npt.NDArray[Any]] = {}

    def texts(self, name: str) -> Viewed | None:
        """A column of text, or of one with a dictionary the texts of that; None where it holds something else."""
        column, coded = self.table.column(name), self.coded(name)
        kind = column.type if coded is None else column.type.value_type
        if name not in self._texts and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            self._texts[name] = Viewed(column if coded is None else pa.array(coded.values, TEXT))
        return self._texts.get(name)

    def coded(self, name: str) -> Coded | None:
        """A column with a dictionary; None where it has none."""
        column = self.table.column(name)
        if name not in self._coded and pa.types.is_dictionary(column.type):
            value = value_of(column)
            assert isinstance(value, Coded)
            self._coded[name] = value
        return self._coded.get(name)

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """A column of numbers without nulls."""
        if name not in self._numbers:
            self._numbers[name] = np.asarray(self.table.column(name))
        return self._numbers[name]


@dataclass(frozen=True)
class Rows:
    """Rows of a table, by their places in it.

    `over` are rows of another table, as many, whose columns stand in place of those of the same name and beside the
    others.
    """

    of: ViewedTable
    places: Ints
    over: "Rows | None" = None

    def __len__(self) -> int:
        return len(self.places)

    def at(self, places: Ints) -> "Rows":
        """Some of these rows."""
        return Rows(self.of, self.places[places], None if self.over is None else self.over.at(places))

    def with_columns(self, columns: Mapping[str, pa.Array]) -> "Rows":
        """The same rows with columns of their own, in their order: in place of those of the same name, or beside them.

        >>> rows = Rows(ViewedTable(pa.table({"a": ["x", "y", "z"], "b": [1, 2, 3]})), np.array([2, 0]))
        >>> rows.with_columns({"a": pa.array(["new", "old"])}).table.to_pylist()
        [{'a': 'new', 'b': 3}, {'a': 'old', 'b': 1}]
        """
        if wrong := [name for name, array in columns.items() if len(array) != len(self)]:
            raise ValueError(f"the column '{wrong[0]}' has {len(columns[wrong[0]])} rows, not {len(self)}")
        if not columns:
            return self
        if self.over is not None:
            return Rows(self.of, self.places, self.over.with_columns(columns))
        return Rows(self.of, self.places, Rows(ViewedTable(pa.table(dict(columns))), np.arange(len(self))))

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """What a column of numbers holds in these rows."""
        holder = self._holder(name)
        return holder.of.numbers(name)[holder.places]

    @cached_property
    def table(self) -> pa.Table:
        """The rows, copied."""
        return pa.table({name: self.column(name) for name in self._names})

    def column(self, name: str) -> pa.Array:
        """One of the columns, copied."""
        holder = self._holder(name)
        return _taken(holder.of.table.column(name), holder.places)

    def names(self, wanted: frozenset[str]) -> dict[str, Value | Picked]:
        """Some of the columns, by their names."""
        return {name: self._holder(name)._column(name) for name in self._names if name in wanted}

    @property
    def _names(self) -> list[str]:
        """The names of all columns."""
        over = [] if self.over is None else self.over._names
        return list(dict.fromkeys([*self.of.table.column_names, *over]))

    def _holder(self, name: str) -> "Rows":
        """The rows whose table has the column that stands under a name."""
        return self.over._holder(name) if self.over is not None and name in self.over._names else self

    def dicts(self, wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
        """The rows as dicts of some of the columns; where a column has a dictionary, rows share its values."""
        names = [name for name in self._names if name in wanted]
        columns = [self._holder(name)._values(name) for name in names]
        for values in zip(*columns, strict=True) if names else repeat((), len(self)):
            yield dict(zip(names, values, strict=True))

    def _values(self, name: str) -> list[Any]:
        coded = self.of.coded(name)
        if coded is None:
            column = self.of.table.column(name)
            return [column[place].as_py() for place in self.places.tolist()]
        assert coded.codes is not None
        return [coded.values[code] for code in coded.codes[self.places].tolist()]

    def _column(self, name: str) -> Value | Picked:
        texts, coded = self.of.texts(name), self.of.coded(name)
        if coded is None:
            return (
                column_of(_taken(self.of.table.column(name), self.places))
                if texts is None
                else Picked(texts, self.places)
            )
        assert coded.codes is not None
        codes = coded.codes[self.places]
        return Coded(codes, coded.values) if texts is None else Picked(texts, codes)


def _taken(column: pa.ChunkedArray, rows: Ints) -> pa.Array:
    """`take`, chunk by chunk: Arrow's own is much slower on many chunks."""
    if pa.types.is_dictionary(column.type):
        return column.combine_chunks().take(pa.array(rows))
    ascending = np.argsort(rows, kind="stable")
    starts = np.cumsum([0, *map(len, column.chunks)])
    cuts = np.searchsorted(rows[ascending], starts).tolist()
    pieces = [
        chunk.take(pa.array(rows[ascending[first:last]] - start))
        for chunk, start, first, last in zip(column.chunks, starts.tolist(), cuts[:-1], cuts[1:], strict=False)
        if last > first
    ]
    back = np.empty_like(ascending)
    back[ascending] = np.arange(len(rows))
    return pa.concat_arrays([pa.array([], column.type), *pieces]).take(pa.array(back))
