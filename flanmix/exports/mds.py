"""MDS, which mosaicml-streaming reads: samples with text or arrays, and the task of each, by its own writer."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flanmix.errors import Problem, UsageError
from flanmix.exports import traps
from flanmix.exports.row_traps import COMMON_ROWS, SEPARATOR
from flanmix.exports.rows import Rows
from flanmix.exports.seen import INDEX, Seen
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap

_NUMPY = {pa.int8(): "int8", pa.int32(): "int32", pa.int64(): "int64"}
_ROWS = 1024


def _write(data: Exported) -> Mapping[str, str]:
    lines = [
        '"""The rows as mosaicml-streaming reads them; run it in this folder, or give the whole path."""',
        "",
        "from streaming import StreamingDataset",
        "",
        f'dataset = StreamingDataset(local="{data.folder}", shuffle=False, batch_size=1)',
    ]
    return {"mds_stream.py": "\n".join([*lines, ""])}


def encodings(schema: pa.Schema) -> dict[str, str]:
    """The columns of an MDS folder and how it encodes them; `fm_task` becomes `task`, other fm_ columns are left out.

    >>> encodings(pa.schema([("prompt", pa.string()), ("fm_task", pa.string()), ("fm_row", pa.int64())]))
    {'prompt': 'str', 'task': 'str'}
    """
    found = {}
    for field in schema:
        if field.name == "fm_task":
            found["task"] = "str" if not pa.types.is_list(field.type) else "json"
        elif not field.name.startswith("fm_"):
            found[field.name] = _encoding(field.type)
    return found


def _encoding(kind: pa.DataType) -> str:
    if pa.types.is_list(kind) and kind.value_type in _NUMPY:
        return f"ndarray:{_NUMPY[kind.value_type]}"
    return "json" if pa.types.is_nested(kind) else "str"


def _store(rows: Rows, folder: Path) -> None:
    try:
        from streaming import MDSWriter
    except ImportError as error:
        hint = "pip install 'flanmix[mds]'"
        raise UsageError("mosaicml-streaming, which writes MDS, is not installed", hint=hint) from error
    columns = encodings(rows.schema)
    folder.rmdir()  # the writer wants to make it
    with MDSWriter(out=str(folder), columns=columns, hashes=["xxh64"], progress_bar=False) as writer:
        for file in rows.files:
            for table in rows.groups(file):
                for sample in _samples(table, columns):
                    writer.write(sample)


def _samples(table: pa.Table, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The rows one by one, as the writer takes them."""
    for begin in range(0, table.num_rows, _ROWS):
        part = table.slice(begin, _ROWS).combine_chunks()
        values = [_values(part.column("fm_task" if name == "task" else name), columns[name]) for name in columns]
        for row in zip(*values, strict=True):
            yield dict(zip(columns, row, strict=True))


def _values(column: pa.ChunkedArray, encoding: str) -> list[Any]:
    if not encoding.startswith("ndarray"):
        found: list[Any] = column.to_pylist()
        return found
    lists = column.combine_chunks()
    offsets = np.asarray(lists.offsets) - lists.offsets[0].as_py()
    return np.split(np.asarray(lists.flatten()), offsets[1:-1]) if len(lists) else []


def samples_there(seen: Seen) -> Iterator[Problem]:
    """An index that names files that are not there, or have another size, or rows that were not exported."""
    if seen.kind != "mds":
        return
    file = seen.folder / INDEX
    try:
        shards = json.loads(file.read_text(encoding="utf-8"))["shards"]
        sizes = {shard["raw_data"]["basename"]: shard["raw_data"]["bytes"] for shard in shards}
        samples = sum(shard["samples"] for shard in shards)
    except (OSError, ValueError, KeyError, TypeError):
        yield Problem("is no index of MDS", file=str(file), hint="export it again")
        return
    for name, size in sizes.items():
        shard = seen.folder / name
        if not shard.is_file() or shard.stat().st_size != size:
            yield Problem("is missing or damaged", file=str(shard), hint="export it again")
    if "rows" in seen.facts and samples != seen.facts["rows"]:
        what = f"tells of {samples:,} samples, where {seen.facts['rows']:,} rows were exported"
        yield Problem(what, file=str(file), hint="export it again")


TRAINER = Trainer(
    "mds",
    ("prompt_completion", "messages", "conversational", "inputs_targets", "text", "tokens", "packed"),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        SEPARATOR,
        FolderTrap(traps.foreign_files, warns=True),
        FolderTrap(samples_there),
    ),
    store=_store,
)
