"""`tokens`: `input_ids`, `attention_mask` and `labels` (-100 where there is no loss), one row an example."""

import pyarrow as pa

from flanmix.errors import UsageError
from flanmix.layouts.writing import Writing

SCHEMA = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.field("element", pa.int32()))),
        pa.field("attention_mask", pa.list_(pa.field("element", pa.int8()))),
        pa.field("labels", pa.list_(pa.field("element", pa.int64()))),
    ]
)
REPETITIVE: tuple[str, ...] = ("attention_mask.list.element",)
ROOM = True


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """The columns that encoding gave the rows."""
    return examples.select(SCHEMA.names)


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """Raises `UsageError`: tokens are not made texts again."""
    raise UsageError("rows of tokens are not made texts again", hint="build with a layout of texts beside this one")
