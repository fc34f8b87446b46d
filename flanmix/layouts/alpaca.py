"""`alpaca`: `instruction`, `input`, `output`, `system` and `history`, the columns of the Alpaca format."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import HISTORY
from flanmix.errors import SourceError
from flanmix.layouts.writing import Writing

_PAIRS = pa.list_(pa.field("element", pa.list_(pa.field("element", pa.string()))))
_TEXTS = ("instruction", "input", "output", "system")
SCHEMA = pa.schema([*(pa.field(name, pa.string()) for name in _TEXTS), pa.field("history", _PAIRS)])
REPETITIVE: tuple[str, ...] = ("input", "system")
ROOM = True


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """The last text of the user is the instruction, `input` is empty, and `history` has the pairs of turns before it.

    What is not there is an empty text or list, not null. The separator is a chat template's business and left out.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing()).to_pylist()
    [{'instruction': '1 + 1?', 'input': '', 'output': '2', 'system': '', 'history': []}]
    """
    rows, told = examples.num_rows, examples.column_names
    empty = pa.repeat(pa.scalar("", pa.string()), rows)
    system = examples["system"] if "system" in told else empty
    history = _lists(examples["history"]) if "history" in told else _no_history(rows)
    return pa.table([examples["input"], empty, examples["target"], system, history], names=SCHEMA.names)


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """The other way; raises `SourceError` where `input` has a text or a pair is none, as in rows that others wrote."""
    history = table["history"].combine_chunks()
    pairs = history.flatten()
    if pc.any(pc.not_equal(table["input"], "")).as_py() or pc.any(pc.not_equal(pc.list_value_length(pairs), 2)).as_py():
        what = "a row has an 'input', or a 'history' of others than pairs"
        raise SourceError(what, hint="give rows that were built with the layout 'alpaca'")
    texts = pairs.flatten().cast(pa.large_string())
    users = np.arange(0, len(texts), 2)
    sides = [texts.take(pa.array(users + side)) for side in (0, 1)]
    turns = pa.StructArray.from_arrays(sides, fields=list(HISTORY.value_type))
    return pa.table(
        {
            "input": table["instruction"].cast(pa.large_string()),
            "target": table["output"].cast(pa.large_string()),
            "system": table["system"].cast(pa.large_string()),
            "history": pa.ListArray.from_arrays(_offsets(history), turns, HISTORY),
        }
    )


def _lists(history: pa.ChunkedArray) -> pa.Array:
    """Pairs as lists of two texts."""
    whole = history.combine_chunks()
    pairs = whole.flatten()
    both = pa.chunked_array([pc.struct_field(pairs, side) for side in ("user", "assistant")], pa.large_string())
    alternating = np.arange(2 * len(pairs)).reshape(2, -1).T.ravel()
    texts = both.combine_chunks().take(pa.array(alternating)).cast(pa.string())
    starts = pa.array(np.arange(0, len(texts) + 1, 2).astype(np.int32))
    return pa.ListArray.from_arrays(_offsets(whole), pa.ListArray.from_arrays(starts, texts, _PAIRS.value_type), _PAIRS)


def _no_history(rows: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.array([], _PAIRS.value_type), _PAIRS)


def _offsets(lists: pa.Array) -> pa.Array:
    """Where the lists of an array start in what `flatten` makes of it."""
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
