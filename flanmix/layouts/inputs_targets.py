"""`inputs_targets`: `inputs` and `targets`, two texts for encoder-decoder models."""

import pyarrow as pa

from flanmix.layouts.writing import Writing

SCHEMA = pa.schema([pa.field("inputs", pa.string()), pa.field("targets", pa.string())])
REPETITIVE: tuple[str, ...] = ()
ROOM = False


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """The texts as they are: the two are encoded apart, so nothing stands between them.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing("\\n")).to_pylist()
    [{'inputs': '1 + 1?', 'targets': '2'}]
    """
    return pa.table({"inputs": examples["input"], "targets": examples["target"]})


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """The other way."""
    texts = (table[name].cast(pa.large_string()) for name in SCHEMA.names)
    return pa.table(dict(zip(("input", "target"), texts, strict=True)))
