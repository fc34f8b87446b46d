"""Datasets that `datasets.load_dataset` reads: from the Hub, or from a folder."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from flanmix.errors import Problem, SourceError, did_you_mean
from flanmix.sources.rows import Rows, bounded, digest_of_files, fit, normal_schema
from flanmix.spec import HubSource


def open_hub(source: HubSource, split: str, folder: Path | None) -> Rows:
    """Open one split through `load_dataset`; raises `SourceError` with the first line of what it says."""
    import datasets  # heavy: only where a task needs it

    if split not in source.split:
        hint = did_you_mean(split, source.split) or f"there are {', '.join(source.split)}"
        raise SourceError(Problem(f"no split '{split}' in 'split'", file=source.path, hint=hint))
    wanted = source.split[split]
    path = source.path
    if folder is not None and path.startswith((".", "~")):
        path = str(folder / Path(path).expanduser())
    try:
        dataset = datasets.load_dataset(
            path,
            source.name,
            data_dir=source.data_dir,
            data_files=_plain(source.data_files),
            revision=source.revision,
            split=wanted,
        )
    except Exception as error:  # whatever a client of the network raises, said in one line
        raise _unreachable(source, wanted, error) from error
    table = dataset.data.table
    schema = normal_schema(table.schema)

    def batches() -> Iterator[pa.RecordBatch]:
        return bounded(fit(batch, schema) for batch in table.to_batches())

    files = [Path(item["filename"]) for item in dataset.cache_files]
    return Rows(source.path, digest_of_files(files, wanted, str(len(dataset))), schema, batches)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _unreachable(source: HubSource, wanted: str, error: Exception) -> SourceError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    what = f"load_dataset cannot read the split '{wanted}': {type(error).__name__}: {lines[0] if lines else ''}"
    hint = "look at path, name, revision, split, and whether the Hub can be reached"
    return SourceError(Problem(what, file=source.path, hint=hint))
