"""`alpaca`: `instruction`, `input`, `output`, `system` and `history`, the columns of the Alpaca format."""

import numpy as np
import pyarrow as pa

_PAIRS = pa.list_(pa.field("element", pa.list_(pa.field("element", pa.string()))))
_TEXTS = ("instruction", "input", "output", "system")
SCHEMA = pa.schema([*(pa.field(name, pa.string()) for name in _TEXTS), pa.field("history", _PAIRS)])
REPETITIVE: tuple[str, ...] = ("input", "system")


def columns(inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
    """The whole prompt is the instruction; `input` and `system` are empty texts and `history` an empty list, not null.

    The separator is a chat template's business and left out.

    >>> columns(pa.array(["1 + 1?"]), pa.array(["2"]), "").to_pylist()
    [{'instruction': '1 + 1?', 'input': '', 'output': '2', 'system': '', 'history': []}]
    """
    empty = pa.repeat(pa.scalar("", pa.string()), len(inputs))
    no_turns = pa.array([], _PAIRS.value_type)
    history = pa.ListArray.from_arrays(pa.array(np.zeros(len(inputs) + 1, np.int32)), no_turns, _PAIRS)
    return pa.table([inputs, empty, targets, empty, history], names=SCHEMA.names)
