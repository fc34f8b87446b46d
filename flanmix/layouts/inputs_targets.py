"""`inputs_targets`: `inputs` and `targets`, two texts for encoder-decoder models."""

import pyarrow as pa

SCHEMA = pa.schema([pa.field("inputs", pa.string()), pa.field("targets", pa.string())])
REPETITIVE: tuple[str, ...] = ()


def columns(inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
    """The texts as they are: the two are encoded apart, so nothing stands between them.

    >>> columns(pa.array(["1 + 1?"]), pa.array(["2"]), "\\n").to_pylist()
    [{'inputs': '1 + 1?', 'targets': '2'}]
    """
    return pa.table({"inputs": inputs, "targets": targets})
