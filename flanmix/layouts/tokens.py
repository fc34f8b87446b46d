"""`tokens`: `input_ids`, `attention_mask` and `labels` (-100 where there is no loss), one row an example."""

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.field("element", pa.int32()))),
        pa.field("attention_mask", pa.list_(pa.field("element", pa.int8()))),
        pa.field("labels", pa.list_(pa.field("element", pa.int64()))),
    ]
)
REPETITIVE: tuple[str, ...] = ("attention_mask.list.element",)


def columns(examples: pa.Table, separator: str) -> pa.Table:
    """The columns that encoding gave the rows."""
    return examples.select(SCHEMA.names)
