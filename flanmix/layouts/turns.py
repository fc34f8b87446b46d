"""Turns of a conversation as Arrow columns: lists of structs of who speaks and what is said."""

import numpy as np
import pyarrow as pa


def turns_type(role: str, content: str) -> pa.DataType:
    """A list of turns with these two keys; the list's item has the name that Parquet gives it."""
    return pa.list_(pa.field("element", pa.struct([pa.field(role, pa.string()), pa.field(content, pa.string())])))


def turns(said: dict[str, pa.Array], kind: pa.DataType) -> pa.Array:
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
    fields = [field.name for field in kind.value_type]
    structs = pa.StructArray.from_arrays([speakers, contents], names=fields)
    offsets = pa.array(np.arange(0, number * count + 1, number, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, structs, kind)


def _chunks(texts: pa.Array) -> list[pa.Array]:
    texts = texts.cast(pa.large_string())
    return list(texts.chunks) if isinstance(texts, pa.ChunkedArray) else [texts]
