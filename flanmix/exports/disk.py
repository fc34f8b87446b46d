"""Rows as a folder of `datasets`' `save_to_disk`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from flanmix.exports.rows import Rows, write_parquet
from flanmix.sources.disk import save_streams


def write_disk(rows: Rows, folder: Path) -> None:
    """Write the rows as the library that reads them writes them; the same rows give the same fingerprint."""
    with TemporaryDirectory(dir=folder.parent, prefix=".") as place:
        streams = []
        for number, file in enumerate(rows.files):
            streams.append(Path(place) / f"{number}.arrow")
            with pa.ipc.new_stream(str(streams[-1]), rows.schema) as writer:
                for table in rows.groups(file):
                    writer.write_table(table)
        save_streams(streams, folder, fingerprint=rows.plan[:16])


def store_tokens_on_disk(rows: Rows, folder: Path) -> None:
    """Tokens as such a folder, other rows as Parquet: for trainers that read the two in different ways."""
    if rows.layout == "tokens":
        write_disk(rows, folder)
    else:
        write_parquet(rows, folder)
