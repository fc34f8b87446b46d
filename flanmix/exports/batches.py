"""Some rows of a shard, taken apart once for all the checks that look at them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.exports.seen import OWN, Seen, layouts_in
from flanmix.order import Ints

Flags = npt.NDArray[np.bool_]
SYSTEM, USER, ASSISTANT = range(3)
SAID = {
    "prompt_completion": ("prompt", "completion"),
    "alpaca": ("instruction", "output"),
    "inputs_targets": ("inputs", "targets"),
    "text": ("text", "text"),
}
"""The columns of layouts of two texts: what is asked, and what is answered."""
_TURNS = {"conversational": ("prompt", "completion"), "messages": ("messages",), "sharegpt": ("conversations",)}
_ROLES = {"sharegpt": ("system", "human", "gpt")}


@dataclass(frozen=True)
class Turns:
    """Turn i belongs to row `rows[i]`; `roles` are -1 where unknown; `empty` tells of texts; `lengths` are by row."""

    rows: Ints
    roles: Ints
    empty: Flags
    lengths: Ints

    @property
    def first(self) -> Flags:
        """Which turns are the first of their row."""
        return np.diff(self.rows, prepend=-1) > 0

    @property
    def last(self) -> Flags:
        """Which turns are the last of their row."""
        return np.diff(self.rows, append=len(self.lengths)) > 0


@dataclass(frozen=True)
class Lists:
    """A column of lists of numbers: `values[i]` belongs to row `rows[i]`; a null is an empty list."""

    values: Ints
    rows: Ints
    lengths: Ints


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of a folder that is checked."""

    seen: Seen
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.column_names

    @property
    def layout(self) -> str | None:
        """The layout of the folder, if these rows have its columns."""
        layout = self.seen.layout
        return layout if layout in layouts_in([self.table.schema]) else None

    @property
    def own(self) -> list[str]:
        """The columns of the layout that are there."""
        return [name for name in OWN.get(self.layout or "", ()) if self.has(name)]

    def rows_with(self, rows: Ints) -> Flags:
        """A flag for each row: whether it is among `rows`."""
        return np.bincount(rows, minlength=len(self)).astype(bool)

    @cached_property
    def said(self) -> tuple[pa.Array, pa.Array] | None:
        """What is asked and what is answered, "" for null; None where the layout has no two such columns of text."""
        names = SAID.get(self.layout or "")
        if names is None or not all(says(self.table.schema.field(name).type) for name in names):
            return None
        asked, answered = (pc.fill_null(one(self.table.column(name)).cast(pa.large_string()), "") for name in names)
        return asked, answered

    @cached_property
    def turns(self) -> Turns | None:
        """The turns of every row; None where the layout has none."""
        names = _TURNS.get(self.layout or "", ())
        if not names or not all(is_turns(self.table.schema.field(name).type) for name in names):
            return None
        parts = [self._turns_of(name) for name in names]
        rows, roles, empty = (np.concatenate([part[place] for part in parts]) for place in range(3))
        order = np.argsort(rows, kind="stable")
        return Turns(rows[order], roles[order], empty[order], np.bincount(rows, minlength=len(self)))

    def _turns_of(self, name: str) -> tuple[Ints, Ints, Flags]:
        column = one(self.table.column(name))
        flat = column.flatten()
        role, content = ("from", "value") if self.layout == "sharegpt" else ("role", "content")
        names = pc.struct_field(flat, role).cast(pa.large_string())
        roles = pc.index_in(names, pa.array(_ROLES.get(self.layout or "", ("system", "user", "assistant")), names.type))
        texts = pc.fill_null(pc.struct_field(flat, content).cast(pa.large_string()), "")
        empty = np.asarray(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0))
        return rows_of(column), np.asarray(pc.fill_null(roles, -1)).astype(np.int64), empty

    def lists(self, name: str) -> Lists | None:
        """A column of lists of integers; None where there is none."""
        if not self.has(name) or not is_integers(self.table.schema.field(name).type):
            return None
        column = one(self.table.column(name))
        values = np.asarray(pc.fill_null(column.flatten(), 0)).astype(np.int64)
        return Lists(values, rows_of(column), lengths_of(column))


def one(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def lengths_of(column: pa.Array) -> Ints:
    """The length of each list, 0 for null."""
    return np.asarray(pc.fill_null(pc.list_value_length(column), 0)).astype(np.int64)


def rows_of(column: pa.Array) -> Ints:
    """The row of each value of a column of lists."""
    lengths = lengths_of(column)
    return np.repeat(np.arange(len(lengths)), lengths)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether a column holds lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def is_turns(kind: pa.DataType) -> bool:
    """Whether a column holds lists of turns, with the keys of either kind."""
    if not is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    keys = {field.name for field in kind.value_type if says(field.type)}
    return {"role", "content"} <= keys or {"from", "value"} <= keys


def says(kind: pa.DataType) -> bool:
    """Whether something is text, be it kept once and pointed to, or nothing at all."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return is_text(kind) or bool(pa.types.is_null(kind))


def is_integers(kind: pa.DataType) -> bool:
    """Whether a column holds lists of integers."""
    return is_list(kind) and bool(pa.types.is_integer(kind.value_type))
