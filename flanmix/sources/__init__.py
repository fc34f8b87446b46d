"""Where rows come from: one module for each kind of source, one function that opens any of them."""

from pathlib import Path

from flanmix.sources.files import open_files
from flanmix.sources.generated import open_generator
from flanmix.sources.hub import open_hub
from flanmix.sources.memory import open_table
from flanmix.sources.rows import Rows
from flanmix.spec import FileSource, GeneratorSource, HubSource, Source, TableSource

__all__ = ["Rows", "open_source"]


def open_source(source: Source, split: str = "train", folder: Path | None = None) -> Rows:
    """Open one split of a source; paths are relative to `folder`. Raises `SourceError`.

    >>> from flanmix.spec import TableSource
    >>> rows = open_source(TableSource(table=[{"a": "x"}, {"b": 2}]))
    >>> rows.schema.names, [batch.num_rows for batch in rows.batches()]
    (['a', 'b'], [2])
    """
    match source:
        case HubSource():
            return open_hub(source, split, folder)
        case FileSource():
            return open_files(source, split, folder)
        case TableSource():
            return open_table(source, split)
        case GeneratorSource():
            return open_generator(source, split)
