"""The columnar path: constants and plain columns joined by one Arrow kernel."""

from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from flanmix.render.environment import Program
from flanmix.render.limits import MAX_OUTPUT


class NotColumnar(Exception):
    """Why a template cannot be rendered by columns."""


def reason_for_rows(program: Program, schema: pa.Schema) -> str | None:
    """The construct that forces the row path, or None where columns will do."""
    if program.parts is None:
        return "it holds more than text and plain {{ names }}"
    for is_name, name in program.parts:
        if not is_name:
            continue
        if name not in schema.names:
            return f"'{name}' is no column"
        kind = schema.field(name).type
        if not (pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_signed_integer(kind)):
            return f"'{name}' is {kind}, which prints otherwise in Python than in Arrow"
    return None


def render_columns(program: Program, table: pa.Table) -> pa.Array:
    """Render every row of `table` at once: `large_string`, as long as the table; raises `NotColumnar`."""
    reason = reason_for_rows(program, table.schema)
    if reason is not None or program.parts is None:
        raise NotColumnar(reason)
    if any(table.column(name).null_count for is_name, name in program.parts if is_name):
        raise NotColumnar("a column holds nulls, which print as None in Python")
    pieces = [
        table.column(text).cast(pa.large_string()) if is_name else pa.scalar(text, pa.large_string())
        for is_name, text in program.parts
    ]
    if not any(is_name for is_name, _ in program.parts):
        return pa.repeat(pa.scalar("".join(text for _, text in program.parts), pa.large_string()), table.num_rows)
    joined = pc.binary_join_element_wise(*pieces, pa.scalar("", pa.large_string()))
    if (pc.max(pc.binary_length(joined)).as_py() or 0) > MAX_OUTPUT:
        raise NotColumnar("a text is so long that its characters must be counted")
    return cast(pa.Array, joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined)
