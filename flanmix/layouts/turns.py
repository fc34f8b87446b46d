"""Turns of a conversation as Arrow columns: lists of structs of who speaks and what is said."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import ASSISTANT, ROLES, USER, Conversations


def turns_type(role: str, content: str) -> pa.DataType:
    """A list of turns with these two keys; the list's item has the name that Parquet gives it."""
    return pa.list_(pa.field("element", pa.struct([pa.field(role, pa.string()), pa.field(content, pa.string())])))


def is_plain(examples: pa.Table) -> bool:
    """Whether rows have nothing but an input and a target: no columns for system texts and earlier turns."""
    return not {"system", "history"}.intersection(examples.column_names)


def all_turns(examples: pa.Table, names: tuple[str, ...], kind: pa.DataType) -> pa.Array:
    """For each row all its turns; `names` are what the layout calls the `ROLES`.

    >>> table = pa.table({"input": ["1 + 1?"], "target": ["2"], "system": ["Be brief."]})
    >>> [turn["role"] for turn in all_turns(table, ROLES, turns_type("role", "content"))[0].as_py()]
    ['system', 'user', 'assistant']
    """
    if is_plain(examples):
        return turns({names[USER]: examples["input"], names[ASSISTANT]: examples["target"]}, kind)
    return turns_of(Conversations.of_examples(examples), names, kind)


def turns_of(conversations: Conversations, names: tuple[str, ...], kind: pa.DataType) -> pa.Array:
    """The turns of conversations; `names` are what the layout calls the `ROLES`."""
    speakers = pa.array(names, pa.string()).take(pa.array(conversations.roles))
    return _lists(pa.array(conversations.offsets), speakers, conversations.contents.cast(pa.string()), kind)


def turns(said: dict[str, Any], kind: pa.DataType) -> pa.Array:
    """For each row one turn of each role, in the order given: `said` has the texts of every role (of equal length).

    >>> said = {"user": pa.array(["1 + 1?"]), "assistant": pa.array(["2"])}
    >>> turns(said, turns_type("role", "content")).to_pylist()[0][1]
    {'role': 'assistant', 'content': '2'}
    """
    roles, number = list(said), len(said)
    count = len(next(iter(said.values())))
    texts = pa.chunked_array([chunk for text in said.values() for chunk in _chunks(text)], type=pa.large_string())
    alternating = np.arange(number * count).reshape(number, count).T.ravel()
    contents = texts.combine_chunks().take(pa.array(alternating)).cast(pa.string())
    speakers = pa.array(roles, pa.string()).take(pa.array(np.tile(np.arange(number), count)))
    return _lists(pa.array(np.arange(0, number * count + 1, number)), speakers, contents, kind)


def conversations_in(turns: pa.Array | pa.ChunkedArray, names: tuple[str, ...]) -> Conversations:
    """The other way: conversations from lists of turns. Roles that are not among `names` stay as they are.

    >>> turns = pa.array([[{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": "2"}]])
    >>> conversations_in(turns, ("system", "human", "gpt")).names.to_pylist()
    ['user', 'assistant']
    """
    if isinstance(turns, pa.ChunkedArray):
        turns = turns.combine_chunks()
    flat = turns.flatten()
    role, content = (pc.struct_field(flat, [place]) for place in (0, 1))
    known = pa.array(ROLES, role.type).take(pc.index_in(role, pa.array(names, role.type)))
    lengths = pc.fill_null(pc.list_value_length(turns), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]))
    said = pa.StructArray.from_arrays([pc.coalesce(known, role), content], names=["role", "content"])
    return Conversations.of(pa.ListArray.from_arrays(offsets.cast(pa.int32()), said))


def _lists(offsets: pa.Array, speakers: pa.Array, contents: pa.Array, kind: pa.DataType) -> pa.Array:
    structs = pa.StructArray.from_arrays([speakers, contents], names=[field.name for field in kind.value_type])
    return pa.ListArray.from_arrays(offsets.cast(pa.int32()), structs, kind)


def _chunks(texts: pa.Array) -> list[pa.Array]:
    texts = texts.cast(pa.large_string())
    return list(texts.chunks) if isinstance(texts, pa.ChunkedArray) else [texts]
