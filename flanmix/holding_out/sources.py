"""Which tasks have their rows from the same place: by what their sources say, and by the bytes of files and tables."""

import glob
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanmix.bound import BoundTask
from flanmix.errors import Problem, SourceError
from flanmix.mapped import Seal
from flanmix.sources.memory import as_table
from flanmix.sources.rows import fit, normal_schema
from flanmix.spec import FileSource, GeneratorSource, HubSource, TableSource

Key = tuple[Any, ...]
_READERS = ("arrow", "csv", "json", "parquet", "text")
_LOCAL = (".", "~", "/")
_ALL, _DEFAULT = "all", "default"


@dataclass(frozen=True)
class Content:
    """Rows that may be there twice under two names: they are compared in full only where `size` is equal."""

    size: Key
    shown: str
    read: Callable[[], str]

    @cached_property
    def digest(self) -> str:
        """Of all of it; raises `SourceError`."""
        return self.read()


@dataclass(frozen=True)
class Identity:
    """What a source's rows are known by, each with its name for people.

    Two sources are the same where they have one of their `own` in common, or one's own is what the other is `also`
    called.
    """

    own: Mapping[Key, str] = field(default_factory=dict)
    also: Mapping[Key, str] = field(default_factory=dict)
    contents: tuple[Content, ...] = ()


def identity_of(task: BoundTask) -> Identity:
    """What the rows of a task, of all its splits, are known by. Nothing is read.

    >>> from flanmix.registry import load_registry
    >>> list(identity_of(load_registry()["logic/comparisons"]).own.values())
    ['the generator logic/comparisons with equal arguments']
    """
    source, folder = task.task.source, task.folder or Path()
    match source:
        case HubSource():
            return _of_hub(source, folder)
        case FileSource(files=files):
            values = files.values() if isinstance(files, dict) else (files,)
            return _of_files([each for value in values for each in _listed(value)], folder)
        case TableSource(table=table):
            content = _of_table(table)
            return Identity({("table", id(table)): "the same rows in memory"}, {}, (content,) if content else ())
        case GeneratorSource(generator=generator, args=args):
            name = generator if isinstance(generator, str) else getattr(generator, "__qualname__", "of Python")
            key = ("generator", generator if isinstance(generator, str) else id(generator), repr(sorted(args.items())))
            return Identity({key: f"the generator {name} with equal arguments"})


def _listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _of_hub(source: HubSource, folder: Path) -> Identity:
    """A dataset is its path, its config and its split; any revision is the same.

    Files of it that are named are other ones than other files, and some of those that it has without a config. The old
    short names of datasets stand for those with an owner: `glue` is `nyu-mll/glue`.
    """
    given = source.data_files or ()
    files = [each for value in given.values() for each in _listed(value)] if isinstance(given, dict) else _listed(given)
    if source.path in _READERS:
        return _of_files([str(Path(source.data_dir or "", each)) for each in files or ["**"]], folder)
    local = source.path.startswith(_LOCAL)
    path = str((folder / Path(source.path).expanduser()).resolve()) if local else source.path.casefold()
    below = source.data_dir or ""
    named = [f"{below}/{each}" for each in files] or [f"{below}/"] * bool(below)
    parts = named or [source.name or _DEFAULT]
    splits = {each.partition("[")[0].strip() for text in source.split.values() for each in text.split("+")}
    shown = f"{source.path}{f':{source.name}' if source.name else ''}"
    tail = path.rpartition("/")[2]
    own = {("hub", path, part, split): f"{shown}, split {split}" for part in parts for split in sorted(splits)}
    also: dict[Key, str] = {("hub", path, part, _ALL): f"{shown}, all splits" for part in parts}
    also |= {("hub", path, _DEFAULT, split): f"{shown}, split {split}" for split in sorted(splits) if named}
    if local:
        also |= {("file", str(file)): f"the file {file.name}" for file in _expanded("**", Path(path))}
    elif tail != path:
        also |= {("hub", tail, *key[2:]): words for key, words in (own | also).items()}
    return Identity(own, also)


def _of_files(patterns: Iterable[str], folder: Path) -> Identity:
    """Files are what they are wherever they are named from; a name that leads nowhere stands for itself."""
    own: dict[Key, str] = {}
    contents = []
    for pattern in patterns:
        found = [] if "://" in pattern else list(_expanded(pattern, folder))
        own |= {} if found else {("file", pattern): pattern}
        for file in found:
            own["file", str(file)] = f"the file {file.name}"
            if size := file.stat().st_size:
                contents.append(Content(("bytes", size), f"the bytes of {file.name}", _digest_of(file)))
    return Identity(own, {}, tuple(contents))


def _expanded(pattern: str, folder: Path) -> Iterator[Path]:
    wanted = folder / Path(pattern).expanduser()
    names = [str(wanted)] if wanted.is_file() else sorted(glob.glob(str(wanted), recursive=True))
    yield from dict.fromkeys(Path(name).resolve() for name in names if Path(name).is_file())


def _digest_of(file: Path) -> Callable[[], str]:
    def digest() -> str:
        try:
            return Seal.of(file).digest
        except OSError as error:
            hint = "a task that is held out is compared with it: make it readable"
            raise SourceError(Problem(f"cannot be read: {error.strerror}", file=str(file), hint=hint)) from error

    return digest


def _of_table(value: Any) -> Content | None:
    """Rows in memory; None where there are none, or where it is no table: then the task cannot be planned either."""
    rows = len(value) if hasattr(value, "__len__") else 0
    return Content(("rows", rows), "equal rows in memory", lambda: _digest_of_rows(value)) if rows else None


def _digest_of_rows(value: Any) -> str:
    """Of columns and values, however they lie in memory."""
    table = as_table(value)
    schema = normal_schema(table.schema)
    rows = pa.Table.from_batches([fit(batch, schema) for batch in table.to_batches()], schema).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(rows)
    return hashlib.sha256(sink.getvalue()).hexdigest()


class HeldSources:
    """The sources of tasks that are held out: finds those that other tasks share."""

    def __init__(self, tasks: Iterable[BoundTask]) -> None:
        self._own: dict[Key, str] = {}
        self._also: dict[Key, str] = {}
        self._contents: dict[Key, list[tuple[str, Content]]] = {}
        self._digests: dict[Key, dict[str, tuple[str, str]]] = {}
        for task in tasks:
            identity, name = identity_of(task), task.task.name
            for known, keys in ((self._own, identity.own), (self._also, identity.also)):
                for key in keys:
                    known.setdefault(key, name)
            for content in identity.contents:
                self._contents.setdefault(content.size, []).append((name, content))

    def shared_with(self, task: BoundTask) -> tuple[str, str] | None:
        """A held-out task that this one shares a source with, and what they share; raises `SourceError`."""
        identity = identity_of(task)
        for known, keys in ((self._own, identity.own), (self._also, identity.own), (self._own, identity.also)):
            for key, words in keys.items():
                if key in known:
                    return known[key], words
        for content in identity.contents:
            if content.size in self._contents and (found := self._by_digest(content.size).get(content.digest)):
                name, other = found
                return name, content.shown if other == content.shown else f"{content.shown}, equal to {other}"
        return None

    def _by_digest(self, size: Key) -> dict[str, tuple[str, str]]:
        """The held-out tasks with contents of a size, and what those are called; they are read when first asked for."""
        if size not in self._digests:
            found: dict[str, tuple[str, str]] = {}
            for name, content in self._contents.get(size, ()):
                found.setdefault(content.digest, (name, content.shown))
            self._digests[size] = found
        return self._digests[size]
