"""`messages`: a list of turns with exactly the keys `role` and `content`."""

import numpy as np
import pyarrow as pa

_TURN = pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])
SCHEMA = pa.schema([pa.field("messages", pa.list_(pa.field("element", _TURN)))])  # the name that Parquet gives it
REPETITIVE: tuple[str, ...] = ("messages.list.element.role",)


def columns(inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
    """A user turn and an assistant turn; the separator is a chat template's business and left out.

    >>> columns(pa.array(["1 + 1?"]), pa.array(["2"]), "").column("messages")[0].as_py()
    [{'role': 'user', 'content': '1 + 1?'}, {'role': 'assistant', 'content': '2'}]
    """
    count = len(inputs)
    turns = pa.chunked_array([*_chunks(inputs), *_chunks(targets)], type=pa.large_string()).combine_chunks()
    alternating = np.arange(2 * count).reshape(2, count).T.ravel()
    contents = turns.take(pa.array(alternating)).cast(pa.string())
    roles = pa.array(["user", "assistant"], pa.string()).take(pa.array(np.tile([0, 1], count)))
    structs = pa.StructArray.from_arrays([roles, contents], names=["role", "content"])
    offsets = pa.array(np.arange(0, 2 * count + 1, 2, dtype=np.int32))
    return pa.table({"messages": pa.ListArray.from_arrays(offsets, structs)})


def _chunks(texts: pa.Array) -> list[pa.Array]:
    texts = texts.cast(pa.large_string())
    return list(texts.chunks) if isinstance(texts, pa.ChunkedArray) else [texts]
