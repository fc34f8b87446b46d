"""The rows of a build on their way into an export: as they lie there, or in another layout."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flanmix.errors import BuildError, Problem
from flanmix.exports.convert import converted
from flanmix.exports.seen import groups, schema_in
from flanmix.layouts import LAYOUTS, METADATA, REPETITIVE, schema_of


@dataclass(frozen=True)
class Rows:
    """The rows of a build's `files`, which are in the layout `source`, in `layout`; `metadata` keeps fm_ columns."""

    files: tuple[Path, ...]
    source: str
    layout: str
    separator: str
    metadata: bool
    plan: str

    @property
    def schema(self) -> pa.Schema:
        """The schema of every shard."""
        there = schema_in(self.files[0])
        kept = [field for field in there if self.metadata and field.name.startswith("fm_")]
        if self.source == self.layout:
            return pa.schema([field for field in there if field in kept or not field.name.startswith("fm_")])
        return pa.schema([*schema_of(self.layout, metadata=False), *kept])

    @property
    def as_they_are(self) -> bool:
        """Whether the files can be copied."""
        return all(file.suffix == ".parquet" for file in self.files) and self.schema == schema_in(self.files[0])

    def groups(self, file: Path) -> Iterator[pa.Table]:
        """The rows of one of the files, a row group at a time."""
        schema = self.schema
        for table in groups(file):
            if self.source != self.layout:
                try:
                    table = converted(table, self.source, self.layout, self.separator)
                except BuildError as error:
                    raise BuildError(
                        [Problem(one.what, file=str(file), hint=one.hint) for one in error.problems]
                    ) from error
            yield table.select(schema.names).cast(schema).combine_chunks()


def write_parquet(rows: Rows, folder: Path) -> None:
    """Write the shards, with the names that `datasets` takes for the split `train`.

    Files that need no change are copied, not linked: trainers write beside and into what they are given.
    """
    for number, file in enumerate(rows.files):
        target = folder / f"train-{number:05d}-of-{len(rows.files):05d}.parquet"
        if rows.as_they_are:
            shutil.copyfile(file, target)
            continue
        with parquet_writer(target, rows) as writer:
            for table in rows.groups(file):
                writer.write_table(table, max(table.num_rows, 1))


def parquet_writer(target: Path, rows: Rows) -> pq.ParquetWriter:
    """A writer of the same files as a build's."""
    schema = rows.schema
    metadata = [name for name in METADATA.names if name in schema.names]
    of_layout = LAYOUTS[rows.layout].REPETITIVE if rows.layout in LAYOUTS else ()
    return pq.ParquetWriter(
        str(target),
        schema,
        compression="zstd",
        use_dictionary=[*of_layout, *(name for name in REPETITIVE if name in metadata)] or False,
        write_page_checksum=True,
        write_statistics=metadata or False,
    )
