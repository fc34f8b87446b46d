"""Turns as a source has them, read from its columns: who speaks, what is said, and whether it is to be trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import ASSISTANT, ROLES, SYSTEM, USER
from flanmix.order import Ints
from flanmix.spec import ConversationColumns, InstructionColumns, MessageColumn, PromptColumns

Mask = npt.NDArray[np.bool_]

SPEAKERS: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("system", "developer"), SYSTEM),
        **dict.fromkeys(("user", "human", "prompter"), USER),
        **dict.fromkeys(
            ("assistant", "gpt", "chatgpt", "bot", "chatbot", "model", "ai", "bing", "bard"),
            ASSISTANT,
        ),
    }
)
"""What datasets call the three roles, in small letters."""
UNKNOWN, NO_ROLE = -1, -2
"""The roles of turns whose speaker is none of those, or is not named."""
NEITHER = -1
"""A flag that is neither 0 nor 1."""


@dataclass(frozen=True, eq=False)
class Turns:
    """Turns `offsets[i]` to `offsets[i + 1]` are those of row i.

    `roles` are numbers in `ROLES`, or `UNKNOWN` or `NO_ROLE`; `contents` (`large_string`) may be null; `flags` are 1
    for a turn that is trained, 0 or `NEITHER`. `refused` are rows that cannot be read as turns, by reason.
    """

    offsets: Ints
    roles: Ints
    contents: pa.Array
    flags: Ints | None = None
    refused: Mapping[str, Mask] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, table: pa.Table, at: ConversationColumns) -> "Turns":
        """Read the turns of a table from the columns that `at` names, which are there and of the right types.

        >>> table = pa.table({"q": ["1 + 1?"], "a": ["2"]})
        >>> Turns.of(table, PromptColumns(prompt="q", completion="a")).roles.tolist()
        [1, 2]
        """
        refused: dict[str, Mask] = {}
        system = [_system(_texts(table, at.system))] if at.system else []
        if isinstance(at, MessageColumn):
            return cls._of_parts([*system, _messages(_column(table, at.messages), at)], refused)
        if isinstance(at, PromptColumns):
            sides = [_column(table, name) for name in (at.prompt, at.completion)]
            if not is_text(sides[0].type):
                return cls._of_parts([*system, *(_messages(side, at) for side in sides)], refused)
            asked, answered = (side.cast(pa.large_string()) for side in sides)
        else:
            asked, answered = _instruction(table, at), _texts(table, at.output)
        earlier = []
        if at.history:
            pairs, wrong = _pairs(_column(table, at.history))
            earlier, refused["a history that is no list of pairs"] = [pairs], wrong
        return cls._of_parts([*system, *earlier, _said(asked, USER), _said(answered, ASSISTANT)], refused)

    @classmethod
    def _of_parts(cls, parts: Sequence["_Part"], refused: Mapping[str, Mask]) -> "Turns":
        """The turns of each row, part after part."""
        counts = np.stack([part.counts for part in parts])
        offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=0))]).astype(np.int64)
        if len(parts) == 1:
            return cls(offsets, parts[0].roles, parts[0].contents, parts[0].flags, refused)
        which = np.empty(offsets[-1], np.int64)
        starts = offsets[:-1] + np.cumsum(counts, axis=0) - counts
        first = 0
        for count, start in zip(counts, starts, strict=True):
            of_row = np.repeat(np.arange(len(count)), count)
            turns = np.arange(len(of_row))
            which[turns + (start - np.cumsum(count) + count)[of_row]] = first + turns
            first += len(turns)
        roles = np.concatenate([part.roles for part in parts])[which]
        contents = pa.chunked_array([part.contents for part in parts], pa.large_string()).combine_chunks()
        flags = None
        if any(part.flags is not None for part in parts):
            known = [np.ones(len(part.roles), np.int64) if part.flags is None else part.flags for part in parts]
            flags = np.concatenate(known)[which]
        return cls(offsets, roles, contents.take(pa.array(which)), flags, refused)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, or nothing at all."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def is_flag(kind: pa.DataType) -> bool:
    """Whether a key of turns may say which are trained: with true and false, or 1 and 0."""
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def blank(texts: pa.Array) -> Mask:
    """Which texts are null, empty or white space."""
    empty = pc.or_(pc.utf8_is_space(texts), pc.equal(pc.binary_length(texts), 0))
    return np.asarray(pc.fill_null(empty, True)).astype(bool)


@dataclass(frozen=True, eq=False)
class _Part:
    """Some neighbouring turns of each row: `counts` of them."""

    counts: Ints
    roles: Ints
    contents: pa.Array
    flags: Ints | None = None


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _texts(table: pa.Table, name: str) -> pa.Array:
    return _column(table, name).cast(pa.large_string())


def _system(texts: pa.Array) -> _Part:
    """A column of system texts, in which an empty one is none."""
    told = ~blank(texts)
    contents = texts.filter(pa.array(told))
    return _Part(told.astype(np.int64), np.full(len(contents), SYSTEM), contents)


def _said(texts: pa.Array, role: int) -> _Part:
    return _Part(np.ones(len(texts), np.int64), np.full(len(texts), role), texts)


def _instruction(table: pa.Table, at: InstructionColumns) -> pa.Array:
    """Alpaca's two columns of what the user says, with a blank line between them where both say something."""
    asked = _texts(table, at.instruction)
    if at.input is None:
        return asked
    given = _texts(table, at.input)
    no_question, nothing = pa.array(blank(asked)), pa.array(blank(given))
    both = pc.binary_join_element_wise(asked, given, pa.scalar("\n\n", pa.large_string()))
    return pc.if_else(nothing, asked, pc.if_else(no_question, given, both))


def _pairs(history: pa.Array) -> tuple[_Part, Mask]:
    """The turns of a list of pairs, and the rows in which something is no pair, whose turns are left out."""
    texts = pa.list_(pa.list_(pa.large_string()))
    history = history.cast(pa.large_list(texts.value_type) if pa.types.is_large_list(history.type) else texts)
    counts = _lengths(history)
    pairs = history.flatten()
    of_row = np.repeat(np.arange(len(counts)), counts)
    wrong = np.bincount(of_row[_lengths(pairs) != 2], minlength=len(counts)) > 0
    said = pairs.filter(pa.array(~wrong[of_row])).flatten()
    roles = np.tile(np.array([USER, ASSISTANT]), len(said) // 2)
    return _Part(np.where(wrong, 0, 2 * counts), roles, said), wrong


def _messages(column: pa.Array, at: MessageColumn | PromptColumns) -> _Part:
    """A list of turns for each row."""
    turns = column.flatten()
    names, contents = (pc.struct_field(turns, name).cast(pa.large_string()) for name in (at.role, at.content))
    flags = _flags(pc.struct_field(turns, at.train)) if at.train else None
    return _Part(_lengths(column), _roles(names, at.roles), contents, flags)


def _roles(names: pa.Array, more: Mapping[str, str]) -> Ints:
    """The number of each speaker's role."""
    known = {**SPEAKERS, **{name.strip().lower(): ROLES.index(role) for name, role in more.items()}}
    encoded = names.dictionary_encode()
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(encoded.dictionary))
    found = pc.index_in(plain, pa.array(list(known), pa.large_string()))
    places = np.asarray(pc.fill_null(found, len(known))).astype(np.int64)
    numbers = np.array([*known.values(), UNKNOWN], np.int64)[places]
    codes = np.asarray(pc.fill_null(encoded.indices, len(numbers))).astype(np.int64)
    return np.append(numbers, NO_ROLE)[codes]


def _flags(values: pa.Array) -> Ints:
    """Which turns are trained: those that do not say so are."""
    numbers = np.asarray(pc.fill_null(values.cast(pa.float64()), 1.0))
    return np.where(numbers == 1, 1, np.where(numbers == 0, 0, NEITHER)).astype(np.int64)


def _lengths(lists: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
