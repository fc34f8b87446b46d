"""Columns of conversations, taken apart: one text and one role for each message."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import Problem, SourceError
from flanmix.order import Ints

ROLES = ("system", "user", "assistant")
SYSTEM, USER, ASSISTANT = range(3)
HISTORY = pa.list_(
    pa.field("element", pa.struct([pa.field("user", pa.large_string()), pa.field("assistant", pa.large_string())]))
)
"""The turns before the last two: what the user said and what the assistant answered, the oldest first."""
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
        column = _one(column)
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

    @classmethod
    def of_examples(cls, examples: pa.Table) -> "Conversations":
        """From rendered rows: `input` and `target`, before them `history` (of the type `HISTORY`), first `system`.

        The last two columns may be missing; an empty `system` text is no turn.

        >>> table = pa.table({"input": ["1 + 1?"], "target": ["2"], "system": ["Be brief."]})
        >>> Conversations.of_examples(table).roles.tolist()
        [0, 1, 2]
        """
        rows = examples.num_rows
        inputs, targets = (_large(examples.column(name)) for name in ("input", "target"))
        systems = _large(examples.column("system")) if "system" in examples.column_names else pa.repeat("", rows)
        history = _one(examples.column("history")) if "history" in examples.column_names else _no_history(rows)
        pairs = history.flatten()
        texts = [inputs, targets, systems, pc.struct_field(pairs, "user"), pc.struct_field(pairs, "assistant")]
        told = np.asarray(pc.binary_length(systems)) > 0
        before = np.asarray(pc.list_value_length(history)).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(2 * before + told + 2)]).astype(np.int64)
        of_row = np.repeat(np.arange(rows), before)
        earlier = offsets[of_row] + told[of_row] + 2 * (np.arange(len(pairs)) - (np.cumsum(before) - before)[of_row])
        places = (offsets[1:] - 2, offsets[1:] - 1, offsets[:-1][told], earlier, earlier + 1)
        firsts = np.cumsum([0, *map(len, texts[:-1])])
        picks = (np.arange(rows), np.arange(rows), np.flatnonzero(told), np.arange(len(pairs)), np.arange(len(pairs)))
        which, roles = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.int64)
        for at, first, pick, role in zip(
            places, firsts, picks, (USER, ASSISTANT, SYSTEM, USER, ASSISTANT), strict=True
        ):
            which[at], roles[at] = first + pick, role
        contents = pa.chunked_array([_large(text) for text in texts], pa.large_string()).combine_chunks()
        names = pa.array(ROLES, pa.large_string()).take(pa.array(roles))
        return cls(offsets, names, contents.take(pa.array(which)))

    def examples(self) -> pa.Table:
        """The other way: `input`, `target`, `system` and `history` of conversations in normal form.

        That is: perhaps a system turn, then the user and the assistant in turns, and the assistant last. Raises
        `SourceError` for others.

        >>> turns = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]
        >>> Conversations.of(pa.array([turns])).examples().to_pylist()
        [{'input': '1 + 1?', 'target': '2', 'system': '', 'history': []}]
        """
        hint = "a system turn first, then user and assistant in turns, the assistant last"
        _refuse_rows(np.flatnonzero(~self.normal), "is no conversation in turns", hint)
        told = self.roles[self.offsets[:-1]] == SYSTEM if len(self) else np.zeros(0, bool)
        systems = np.where(told, self.offsets[:-1], len(self.contents))
        with_none = pa.chunked_array([self.contents, pa.array([""], pa.large_string())]).combine_chunks()
        before = (np.diff(self.offsets) - told) // 2 - 1
        ends = np.cumsum(before)
        of_row = np.repeat(np.arange(len(self)), before)
        users = (self.offsets[:-1] + told)[of_row] + 2 * (np.arange(len(of_row)) - (ends - before)[of_row])
        sides = [self.contents.take(pa.array(places)) for places in (users, users + 1)]
        pairs = pa.StructArray.from_arrays(sides, fields=list(HISTORY.value_type))
        starts = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        return pa.table(
            {
                "input": self.contents.take(pa.array(self.offsets[1:] - 2)),
                "target": self.contents.take(pa.array(self.offsets[1:] - 1)),
                "system": with_none.take(pa.array(systems)),
                "history": pa.ListArray.from_arrays(starts, pairs, HISTORY),
            }
        )

    def prompts(self) -> "Conversations":
        """All turns but the last of each conversation."""
        kept = np.ones(len(self.contents), bool)
        kept[self.offsets[1:] - 1] = False
        offsets = self.offsets - np.arange(len(self.offsets))
        return Conversations(offsets, self.names.filter(pa.array(kept)), self.contents.filter(pa.array(kept)))

    def followed_by(self, turns: "Conversations") -> "Conversations":
        """The other way: each conversation and one turn more; raises `SourceError` where there is not one."""
        _refuse_rows(
            np.flatnonzero(np.diff(turns.offsets) != 1), "is not one turn", "it is what the assistant says last"
        )
        count = len(self.contents)
        which = pa.array(np.insert(np.arange(count), self.offsets[1:], count + np.arange(len(turns))))
        names, contents = (
            pa.concat_arrays([getattr(self, name), getattr(turns, name)]).take(which) for name in ("names", "contents")
        )
        return Conversations(self.offsets + np.arange(len(self.offsets)), names, contents)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def normal(self) -> npt.NDArray[np.bool_]:
        """Of each conversation, whether its turns come in the order of `examples`."""
        rows = self.rows
        told = self.roles[self.offsets[:-1]] == SYSTEM if len(self) else np.zeros(0, bool)
        place = np.arange(len(rows)) - self.offsets[rows] - told[rows]
        wanted = np.where(place < 0, SYSTEM, np.where(place % 2 == 0, USER, ASSISTANT))
        bad = np.bincount(rows[self.roles != wanted], minlength=len(self)) > 0
        spoken = np.diff(self.offsets) - told
        whole: npt.NDArray[np.bool_] = ~bad & (spoken >= 2) & (spoken % 2 == 0)
        return whole

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


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column


def _large(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    return _one(texts.cast(pa.large_string()))


def _no_history(rows: int) -> pa.Array:
    offsets = pa.array(np.zeros(rows + 1, np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array([], HISTORY.value_type), HISTORY)


def _is_turn(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and {"role", "content"} <= {kind.field(i).name for i in range(kind.num_fields)}


def _refuse_rows(rows: Ints, what: str, hint: str) -> None:
    if len(rows):
        numbers = np.unique(rows)
        shown = ", ".join(map(str, numbers[:_SHOWN])) + (" …" if len(numbers) > _SHOWN else "")
        raise SourceError(Problem(f"{what} ({len(numbers)} conversations: {shown})", hint=hint))
