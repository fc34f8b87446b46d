"""`packed`: several examples in a row of tokens; `seq_lengths` and `position_ids` tell them apart."""

import pyarrow as pa

from flanmix.layouts import tokens

SCHEMA = pa.schema(
    [
        *tokens.SCHEMA,
        pa.field("position_ids", pa.list_(pa.field("element", pa.int32()))),
        pa.field("seq_lengths", pa.list_(pa.field("element", pa.int32()))),
    ]
)
REPETITIVE: tuple[str, ...] = (*tokens.REPETITIVE, "position_ids.list.element", "seq_lengths.list.element")


def columns(examples: pa.Table, separator: str) -> pa.Table:
    """The columns that packing gave the packs."""
    return examples.select(SCHEMA.names)
