"""`packed`: several examples in a row of tokens; `seq_lengths` and `position_ids` tell them apart."""

import pyarrow as pa

from flanmix.errors import UsageError
from flanmix.layouts import tokens
from flanmix.layouts.writing import Writing

SCHEMA = pa.schema(
    [
        *tokens.SCHEMA,
        pa.field("position_ids", pa.list_(pa.field("element", pa.int32()))),
        pa.field("seq_lengths", pa.list_(pa.field("element", pa.int32()))),
    ]
)
REPETITIVE: tuple[str, ...] = (*tokens.REPETITIVE, "position_ids.list.element", "seq_lengths.list.element")
ROOM = True


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """The columns that packing gave the packs."""
    return examples.select(SCHEMA.names)


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """Raises `UsageError`: tokens are not made texts again."""
    raise UsageError("rows of tokens are not made texts again", hint="build with a layout of texts beside this one")
