"""Rows in memory: dicts, a pandas data frame, an Arrow table, a Dataset."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from flanmix.errors import SourceError
from flanmix.sources.rows import Rows, bounded, fit, normal_schema
from flanmix.spec import TableSource

_SHOWN = "rows in memory"


def open_table(source: TableSource, split: str) -> Rows:
    """Open rows in memory; raises `SourceError`."""
    if split != "train":
        raise SourceError(f"rows in memory have no split '{split}'", hint="they are 'train'")
    table = as_table(source.table)
    schema = normal_schema(table.schema)

    def batches() -> Iterator[pa.RecordBatch]:
        return bounded(fit(batch, schema, _SHOWN) for batch in table.to_batches())

    return Rows(_SHOWN, _digest(schema, batches()), schema, batches)


def as_table(value: Any) -> pa.Table:
    """Any rows in memory as an Arrow table; raises `SourceError`."""
    try:
        if isinstance(value, pa.Table):
            return value
        if isinstance(value, pa.RecordBatch):
            return pa.Table.from_batches([value])
        if hasattr(value, "with_format") and hasattr(value, "num_rows") and not isinstance(value, Mapping):
            return value.with_format("arrow")[:]
        if hasattr(value, "iloc"):
            return pa.Table.from_pandas(value, preserve_index=False)
        if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Iterator):
            return table_of_rows(list(value))
    except (pa.ArrowException, ValueError) as error:
        raise SourceError(f"{_SHOWN}: {error}", hint="give each column one type, and a name of its own") from error
    once = isinstance(value, Iterator)
    hint = "it can be read only once; give a list" if once else "give dicts, a data frame, an Arrow table or a Dataset"
    raise SourceError(f"{type(value).__name__} is no source of rows", hint=hint)


def table_of_rows(rows: list[Any]) -> pa.Table:
    """Dicts as a table with the columns of all of them, not only of the first; raises `SourceError`."""
    names: dict[str, None] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
            raise SourceError(f"row {index} is {type(row).__name__}, not a dict with text keys")
        names.update(dict.fromkeys(row))
    columns = []
    for name in names:
        try:
            name.encode()  # refuses half a surrogate pair
            columns.append(pa.array([row.get(name) for row in rows]))
        except (pa.ArrowException, UnicodeError, OverflowError) as error:
            raise SourceError(f"column {name!r}: {error}", hint="give the column one type") from error
    return pa.table(dict(zip(names, columns, strict=True)))


def _digest(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    whole = hashlib.sha256()
    with pa.ipc.new_stream(_Sink(whole), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return whole.hexdigest()


class _Sink:
    """A file that only feeds a hash."""

    closed = False

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def write(self, data: Any) -> int:
        self.whole.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...
