"""The row path: a compiled template applied to one row after the other. The reference for every other path."""

from itertools import repeat
from typing import Any, cast

import pyarrow as pa

from flanmix.render.environment import NullPrinted, Program


class RowError(Exception):
    """A template failed on the row at `index` (from 0) of the table it was given."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}" if not str(cause) else str(cause))
        self.index = index

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.index, Exception(str(self)))


def render_rows(program: Program, table: pa.Table) -> pa.Array:
    """Render every row of `table`: `large_string`, as long as the table; raises `RowError`.

    A row for which the template would print a null gives null: there is no text for it.
    """
    names = [name for name in table.column_names if name in program.variables]
    columns = [table.column(name).to_pylist() for name in names]
    rows = zip(*columns, strict=True) if names else repeat((), table.num_rows)
    texts: list[str | None] = []
    try:
        for values in rows:
            texts.append(_text(program, dict(zip(names, values, strict=True))))
    except Exception as error:
        raise RowError(len(texts), error) from error
    return cast(pa.Array, pa.array(texts, pa.large_string()))


def _text(program: Program, row: dict[str, Any]) -> str | None:
    try:
        return program.render(row)
    except NullPrinted:
        return None
