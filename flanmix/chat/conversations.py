"""Columns of conversations, taken apart: one text and one role for each message."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import Problem, SourceError
from flanmix.order import Ints

ROLES = ("system", "user", "assistant")
SYSTEM, USER, ASSISTANT = range(3)
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Conversations:
    """`contents[offsets[i]:offsets[i + 1]]` are the texts of conversation i; `names` are the roles.

    >>> turns = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]
    >>> Conversations.of(pa.array([turns])).roles.tolist()
    [1, 2]
    """

    offsets: Ints
    names: pa.Array
    contents: pa.Array

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> "Conversations":
        """From `list<struct<role, content>>`; raises `SourceError` for another type, nulls and empty conversations."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        kind = column.type
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not _is_turn(kind.value_type):
            what = f"conversations are list<struct<role, content>>, not {kind}"
            raise SourceError(what, hint="map the column to messages with 'role' and 'content'")
        lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64())
        turns = column.flatten()
        offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths))]).astype(np.int64)
        names, contents = (pc.struct_field(turns, name).cast(pa.large_string()) for name in ("role", "content"))
        made = cls(offsets, names, contents)
        _refuse_rows(np.flatnonzero(np.asarray(lengths) == 0), "a conversation without messages", "drop it before")
        for values, what in ((names, "a role is null"), (contents, "a text is null")):
            if values.null_count:
                missing = np.flatnonzero(np.asarray(pc.is_null(values)))
                _refuse_rows(made.rows[missing], what, "drop such conversations before")
        return made

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def rows(self) -> Ints:
        """The conversation of each message."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def roles(self) -> Ints:
        """The number of each message's role in `ROLES`, -1 for another."""
        found = pc.index_in(self.names, pa.array(ROLES, self.names.type))
        return np.asarray(pc.fill_null(found, -1)).astype(np.int64)

    def refuse_unknown(self, template: str, *, folds: bool) -> None:
        """Raise `SourceError` for roles, or an order of them, that our own templates do not write."""
        first = np.zeros(len(self.roles), bool)
        first[self.offsets[:-1]] = True
        known = ", ".join(ROLES)
        _refuse_rows(self.rows[self.roles < 0], f"a role that '{template}' does not know", f"the roles are {known}")
        late = (self.roles == SYSTEM) & ~first
        _refuse_rows(self.rows[late], "a system turn that is not the first", "put it first, or drop the conversation")
        if folds:
            following = np.append(self.roles[1:], -1)
            following[self.offsets[1:] - 1] = -1
            alone = (self.roles == SYSTEM) & (following != USER)
            what = f"a system turn without a user turn after it, into which '{template}' would write it"
            _refuse_rows(self.rows[alone], what, "drop such conversations before")


def _is_turn(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and {"role", "content"} <= {kind.field(i).name for i in range(kind.num_fields)}


def _refuse_rows(rows: Ints, what: str, hint: str) -> None:
    if len(rows):
        numbers = np.unique(rows)
        shown = ", ".join(map(str, numbers[:_SHOWN])) + (" …" if len(numbers) > _SHOWN else "")
        raise SourceError(Problem(f"{what} ({len(numbers)} conversations: {shown})", hint=hint))
