"""The rows of a build on their way into an export: as they lie there, or in another layout."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from flanmix.errors import FlanmixError
from flanmix.exports.convert import converted
from flanmix.exports.seen import groups, schema_in
from flanmix.layouts import Writing, schema_of
from flanmix.parquet import parquet_writer


@dataclass(frozen=True)
class Rows:
    """The rows of a build's `files`, which are in the layout `source`, in `layout`.

    `metadata` keeps the fm_ columns but those `left_out`.
    """

    files: tuple[Path, ...]
    source: str
    layout: str
    writing: Writing
    metadata: bool
    plan: str
    left_out: frozenset[str] = frozenset()

    @property
    def schema(self) -> pa.Schema:
        """The schema of every shard."""
        there = schema_in(self.files[0])
        metadata = [field for field in there if field.name.startswith("fm_") and field.name not in self.left_out]
        kept = metadata if self.metadata else []
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
                    table = converted(table, self.source, self.layout, self.writing)
                except FlanmixError as error:
                    raise type(error)([replace(one, file=str(file)) for one in error.problems]) from error
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
        with parquet_writer(target, rows.schema, rows.layout) as writer:
            for table in rows.groups(file):
                writer.write_table(table, max(table.num_rows, 1))
