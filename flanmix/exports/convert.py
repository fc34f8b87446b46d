"""From the columns of one layout to those of another, by columns."""

import pyarrow as pa

from flanmix.layouts import LAYOUTS, METADATA, TOKENS, Writing, from_layout, lay_out

ROOM = frozenset(name for name, layout in LAYOUTS.items() if layout.ROOM and name not in TOKENS)
"""Layouts of texts with places for system texts and earlier turns."""
CONVERTIBLE = frozenset(LAYOUTS) - {"text", *TOKENS}
"""Layouts that can be made of each other: in tokens and in `text`, prompt and answer are no longer apart."""


def converted(table: pa.Table, source: str, target: str, writing: Writing) -> pa.Table:
    """Rows of one layout in another; the metadata columns go along.

    Raises `FlanmixError` where the rows hold turns that the other layout has no place for.

    >>> table = pa.table({"prompt": ["1 + 1?\\n"], "completion": ["2"]})
    >>> converted(table, "prompt_completion", "messages", Writing("\\n"))["messages"].to_pylist()[0][0]
    {'role': 'user', 'content': '1 + 1?'}
    """
    laid_out = lay_out(from_layout(table, source, writing), target, writing, metadata=False)
    for field in METADATA:
        if field.name in table.column_names:
            laid_out = laid_out.append_column(field, table.column(field.name).cast(field.type))
    return laid_out
