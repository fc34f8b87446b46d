"""A folder of shards as a trainer finds it: the files, their schemas, the layout that the columns make."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from flanmix import manifest
from flanmix.errors import BuildError, Problem
from flanmix.shards import DATA

Kind = Literal["parquet", "arrow", "disk", "mds"]
EXPORT = "export.json"
INDEX = "index.json"
OWN: Mapping[str, tuple[str, ...]] = {
    "prompt_completion": ("prompt", "completion"),
    "conversational": ("prompt", "completion"),
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "input", "output", "system", "history"),
    "inputs_targets": ("inputs", "targets"),
    "packed": ("input_ids", "attention_mask", "labels", "position_ids", "seq_lengths"),
    "tokens": ("input_ids", "attention_mask", "labels"),
    "text": ("text",),
}
"""The columns of each layout; where a folder has those of several, the first of them is taken for its layout.

`tagged` is not told from `prompt_completion`: it has its columns, and trainers read it as that.
"""
_KNOWN_BY: Mapping[str, tuple[str, ...]] = {
    **OWN,
    "alpaca": ("instruction", "output"),
    "packed": ("input_ids", "seq_lengths"),
    "tokens": ("input_ids",),
}
_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Seen:
    """Shards in one folder. `root` is the export, the build or the folder itself, which has what stands beside them."""

    root: Path
    folder: Path
    kind: Kind
    shards: tuple[Path, ...]
    schemas: tuple[pa.Schema, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exported(self) -> bool:
        """Whether `flanmix export` wrote it."""
        return "trainer" in self.facts

    @property
    def names(self) -> list[str]:
        """The columns of all shards, each once."""
        return list(dict.fromkeys(name for schema in self.schemas for name in schema.names))

    @cached_property
    def layouts(self) -> list[str]:
        """The layouts that the columns can be read as."""
        return layouts_in(self.schemas)

    @property
    def layout(self) -> str | None:
        """The layout they are taken for."""
        return self.layouts[0] if self.layouts else None


def layouts_in(schemas: Sequence[pa.Schema]) -> list[str]:
    """The layouts that columns can be read as.

    >>> layouts_in([pa.schema([("prompt", pa.string()), ("completion", pa.string()), ("text", pa.string())])])
    ['prompt_completion', 'text']
    """
    types = {field.name: field.type for schema in schemas for field in schema}
    found = [layout for layout, names in _KNOWN_BY.items() if set(names) <= set(types)]
    pair = "conversational" if "prompt" in types and pa.types.is_nested(types["prompt"]) else "prompt_completion"
    wrong = {"conversational", "prompt_completion"} - {pair} | ({"tokens"} if "packed" in found else set())
    return [layout for layout in found if layout not in wrong]


def look(folder: Path) -> tuple[Seen, ...]:
    """Every folder of shards in a folder: a build, its stages, an export, or shards that anybody wrote.

    Raises `BuildError` where there are none, and where a shard cannot be read.
    """
    if not folder.is_dir():
        raise BuildError(
            Problem("is no folder", file=str(folder), hint="name a build, an export or a folder of shards")
        )
    problems: list[Problem] = []
    places = [place for place in _places(folder) if place.is_dir() and _shards(place)[1]]
    found = [seen for place in places if (seen := _seen(folder, place, problems))]
    if problems:
        raise BuildError(problems)
    if not found:
        hint = "name a build, an export or a folder of shards"
        raise BuildError(Problem("holds no shards", file=str(folder), hint=hint))
    return tuple(found)


def _places(folder: Path) -> list[Path]:
    """Where an export or a build has its shards; else the folder, if shards lie in it, or those below that hold some.

    What trainers write beside an export, prepared rows and caches, is not looked at.
    """
    if (folder / EXPORT).is_file():
        return [folder / str(_facts(folder / EXPORT).get("folder", "."))]
    if _shards(folder)[1]:
        return [folder]
    if (folder / manifest.FILE).is_file():
        stages = manifest.read(folder).get("stages")
        return [folder / stage / DATA for stage in stages] if stages else [folder / DATA]
    below = [place for place in sorted(folder.iterdir()) if place.is_dir() and not place.is_symlink()]
    return [found for place in below if not hidden(place.name) for found in _places(place)]


def hidden(name: str) -> bool:
    """Whether trainers pass over a file of this name."""
    return name.startswith((".", "_"))


def _shards(folder: Path) -> tuple[Kind, list[Path]]:
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and not hidden(file.name)]
    of: dict[str, list[Path]] = {}
    for file in files:
        of.setdefault(file.suffix, []).append(file)
    if ".mds" in of:
        return "mds", of[".mds"]
    if ".parquet" in of or ".arrow" not in of:
        return "parquet", of.get(".parquet", [])
    return ("disk" if (folder / "state.json").is_file() else "arrow"), of[".arrow"]


def _seen(top: Path, folder: Path, problems: list[Problem]) -> Seen | None:
    kind, shards = _shards(folder)
    schemas = []
    for shard in shards if kind != "mds" else ():
        try:
            schemas.append(schema_in(shard))
        except (pa.ArrowException, OSError) as error:
            what = f"cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            problems.append(Problem(what, file=str(shard), hint="write it again"))
    if problems:
        return None
    above = [folder, *folder.parents]
    above = above[: above.index(top) + 1]
    for name in (EXPORT, manifest.FILE):
        for root in above:
            if (root / name).is_file():
                return Seen(root, folder, kind, tuple(shards), tuple(schemas), _facts(root / name))
    return Seen(top, folder, kind, tuple(shards), tuple(schemas))


def _facts(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BuildError(Problem("is garbled", file=str(file), hint="write the folder again")) from error
    return found if isinstance(found, dict) else {}


def schema_in(file: Path) -> pa.Schema:
    """The schema of a shard, without what tools wrote beside it."""
    if file.suffix == ".parquet":
        return pq.read_schema(file).remove_metadata()
    with pa.memory_map(str(file)) as source:
        return _reader(source).schema.remove_metadata()


def batches(file: Path) -> Iterator[pa.Table]:
    """The rows of a shard, some thousands at a time."""
    if file.suffix == ".parquet":
        with pq.ParquetFile(file, memory_map=True) as reader:
            for batch in reader.iter_batches(_ROWS):
                yield pa.Table.from_batches([batch])
        return
    for table in groups(file):
        for begin in range(0, table.num_rows, _ROWS):
            yield table.slice(begin, _ROWS).combine_chunks()


def groups(file: Path) -> Iterator[pa.Table]:
    """The rows of a shard as they lie there: a row group of Parquet, a batch of Arrow at a time."""
    if file.suffix == ".parquet":
        with pq.ParquetFile(file, memory_map=True) as reader:
            for number in range(reader.num_row_groups):
                yield reader.read_row_group(number)
        return
    with pa.memory_map(str(file)) as source:
        reader = _reader(source)
        if isinstance(reader, pa.RecordBatchFileReader):
            for number in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(number)])
        else:
            for batch in reader:
                yield pa.Table.from_batches([batch])


def _reader(source: pa.NativeFile) -> Any:
    """Arrow files have a mark at their beginning; streams, which `save_to_disk` writes, have none."""
    begins = source.read(6)
    source.seek(0)
    return pa.ipc.open_file(source) if begins == b"ARROW1" else pa.ipc.open_stream(source)
