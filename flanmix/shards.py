"""One shard: a slice of positions, rendered, laid out and written whole, and the receipt for it."""

import hashlib
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from flanmix.assembling import CHAT_COLUMNS
from flanmix.canonical import canonical_json
from flanmix.durable import write_text, written_whole
from flanmix.examples import Examples, Slice
from flanmix.finishing import TOKEN_COUNTS, Finished, Finishing, Output, finish
from flanmix.layouts import METADATA, schema_of
from flanmix.mapped import RowFile
from flanmix.parquet import parquet_writer
from flanmix.plan import Plan

T = TypeVar("T")
R = TypeVar("R")
Format = Literal["parquet", "arrow"]
DATA, STATE = "data", ".flanmix"
_AHEAD = 5
"""How many row groups may be rendered at a time: more memory, and fewer passes over large sources."""
_ENCODING = 2
"""How many row groups may be encoded at a time: the library works at one while labels are made for another."""
_WAITING = 4
"""How many row groups may wait to be written, so that writing goes on while the next ones are rendered."""


@dataclass(frozen=True)
class Job:
    """All that decides the bytes of a build: the plan and how it is written.

    `group_rows` positions are rendered and written at a time: one row group of Parquet, one batch of Arrow.
    """

    plan: Plan
    files: tuple[RowFile, ...]
    output: Output
    format: Format
    shard_rows: int
    group_rows: int

    @property
    def digest(self) -> str:
        """SHA-256 over the plan's digest and the options."""
        options = [*self.output.parts, self.format, self.shard_rows, self.group_rows]
        return hashlib.sha256(canonical_json([self.plan.digest, *options]).encode()).hexdigest()

    @property
    def ahead(self) -> int:
        """How many positions may be rendered at a time, which decides no byte."""
        return _AHEAD * self.group_rows

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-self.plan.rows // self.shard_rows)

    def positions(self, shard: int) -> range:
        """The positions of a shard."""
        return range(shard * self.shard_rows, min((shard + 1) * self.shard_rows, self.plan.rows))

    def file(self, shard: int) -> str:
        """A shard's path in the built folder, in the naming that `datasets` expects."""
        return f"{DATA}/{self.plan.split}-{shard:05d}-of-{self.shards:05d}.{self.format}"

    def receipt(self, shard: int) -> str:
        """The path of a shard's receipt, while the build is unfinished."""
        return f"{STATE}/{shard:05d}.json"


def write_shards(
    job: Job,
    examples: Examples,
    shards: range,
    folder: Path,
    progress: Callable[[int], None],
    *,
    overlap: bool = True,
) -> None:
    """Build neighbouring shards, each with its receipt; `progress` is told of positions done.

    With `overlap`, the next row group is rendered while one is written, and while a shard is made durable: on a core of
    its own, or it is slower. Raises `TemplateError`, `OSError`, or `SourceError` where a user's file was changed on the
    way.
    """
    until = job.positions(shards[-1]).stop
    with _Beside(overlap=overlap) as beside:
        for shard in shards:
            _write_shard(job, examples, shard, folder, progress, until, beside)


def _write_shard(
    job: Job,
    examples: Examples,
    shard: int,
    folder: Path,
    progress: Callable[[int], None],
    until: int,
    beside: "_Beside",
) -> None:
    tally, finishing = _Tally(), Finishing(job.output)
    positions = job.positions(shard)
    target = folder / job.file(shard)
    with ExitStack() as stack:
        writer = stack.enter_context(_Writer(stack.enter_context(written_whole(target)), job))
        with beside.at_rest_after_failure():
            groups = list(pairwise([*positions[:: job.group_rows], positions.stop]))
            for (begin, end), part in zip(groups, _finished(job, examples, groups, until, beside), strict=True):
                for done in chain(finishing.add(part), finishing.rest() if end == positions.stop else ()):
                    tally.add(done)
                    beside.do(partial(writer.write_groups, done.tables))
                progress(end - begin)
            examples.check()
        whole = stack.pop_all()

    def close() -> None:
        with whole:
            beside.refuse_after_failure()
        facts = {
            "file": job.file(shard),
            "build": job.digest,
            "planned": len(positions),
            **file_facts(target),
            **tally.facts(),
        }
        write_text(folder / job.receipt(shard), canonical_json({"facts": facts, "sha256": _digest(facts)}))

    beside.do_always(close)


def _finished(
    job: Job, examples: Examples, groups: list[tuple[int, int]], until: int, beside: "_Beside"
) -> Iterator[Finished]:
    """Each row group, rendered and finished; where tokens are made, the next ones are made meanwhile."""

    def rendered(group: tuple[int, int]) -> Slice:
        return examples.slice(*group, until)

    if job.output.encoding is None:
        return (finish(rendered(group), job.output) for group in groups)
    return beside.ahead(lambda found: finish(found, job.output), beside.ahead(rendered, groups), _ENCODING)


class _Beside:
    """Does one thing after the other, with `overlap` in a thread of its own, until one fails; few wait."""

    def __init__(self, *, overlap: bool) -> None:
        self._pool = ThreadPoolExecutor(1) if overlap else None
        self._waiting: deque[Future[None]] = deque()
        self._failure: BaseException | None = None

    def ahead(self, work: Callable[[T], R], items: Iterable[T], threads: int = 1) -> Iterator[R]:
        """`work` of each, in order; with `overlap` that of the next ones is done while one is used."""
        if self._pool is None:
            yield from map(work, items)
            return
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque[Future[R]] = deque()
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            for last in waiting:
                yield last.result()

    def do(self, work: Callable[[], None]) -> None:
        """Have something done; raises what has failed."""
        while len(self._waiting) >= _WAITING:
            self._waiting.popleft().result()
        self.refuse_after_failure()
        self.do_always(lambda: None if self._failure else work())

    def do_always(self, work: Callable[[], None]) -> None:
        """Have something done, even where what is done before it fails."""
        if self._pool is None:
            self._run(work)
        else:
            self._waiting.append(self._pool.submit(self._run, work))

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = self._failure or error

    def refuse_after_failure(self) -> None:
        """Raise what has failed."""
        if self._failure:
            raise self._failure

    @contextmanager
    def at_rest_after_failure(self) -> Iterator[None]:
        """Where the block fails, nothing is being done any more when that is told."""
        try:
            yield
        except BaseException:
            wait(self._waiting)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        if kind is None:
            self.refuse_after_failure()


def read_receipt(job: Job, shard: int, folder: Path) -> dict[str, Any] | None:
    """The facts of a shard's receipt; None where there is none of this job, or it was damaged."""
    try:
        found = json.loads((folder / job.receipt(shard)).read_text(encoding="utf-8"))
        facts: dict[str, Any] = found["facts"]
        good = found["sha256"] == _digest(facts)
        return facts if good and (facts["build"], facts["file"]) == (job.digest, job.file(shard)) else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def encoded_bytes(job: Job, examples: pa.Table) -> int:
    """The size of a file with these rendered rows."""
    sink, finishing = pa.BufferOutputStream(), Finishing(job.output)
    with _Writer(sink, job) as writer:
        for done in chain(finishing.add(finish(Slice(examples, {}), job.output)), finishing.rest()):
            writer.write_groups(done.tables)
    return int(sink.tell())


def file_facts(file: Path) -> dict[str, Any]:
    """The size and SHA-256 of a file."""
    with file.open("rb") as stream:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


class _Writer:
    """Writes rendered rows, laid out in a job's schema, to a Parquet or Arrow file."""

    def __init__(self, place: Path | pa.NativeFile, job: Job) -> None:
        schema = schema_of(job.output.layout, metadata=job.output.metadata)
        self._writer: Any
        if job.format == "parquet":
            self._writer = parquet_writer(place, schema, job.output.layout)
        else:
            self._writer = pa.ipc.new_file(str(place) if isinstance(place, Path) else place, schema)

    def write_groups(self, tables: list[pa.Table]) -> None:
        """Write each table as one row group, or one batch."""
        for table in tables:
            self._writer.write_table(table, table.num_rows)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


class _Tally:
    """Counts and digests what goes into a shard, whatever its layout and format."""

    def __init__(self) -> None:
        self.rows = self.lines = 0
        self.written: Counter[tuple[str, Any]] = Counter()
        self.dropped: Counter[tuple[str, Any]] = Counter()
        self.styles: Counter[tuple[str, Any]] = Counter()
        self.shots: Counter[tuple[str, Any]] = Counter()
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self.digests: defaultdict[str, Any] = defaultdict(xxh3_128)

    def add(self, done: Finished) -> None:
        table = done.rows.table.combine_chunks()
        self.rows += table.num_rows
        self.lines += sum(made.num_rows for made in done.tables)
        self.dropped.update(done.rows.dropped)
        self.counts.update(done.counts)
        shots = table.column("fm_shots")
        numbered = table.append_column("shots", pc.list_value_length(shots))
        for counts, name in ((self.written, "fm_template"), (self.styles, "fm_style"), (self.shots, "shots")):
            groups = numbered.group_by(["fm_task", name], use_threads=False).aggregate([([], "count_all")])
            counts.update({(row["fm_task"], row[name]): row["count_all"] for row in groups.to_pylist()})
        for name in TOKEN_COUNTS:
            if name in table.column_names:
                sums = table.group_by("fm_task", use_threads=False).aggregate([(name, "sum")])
                self.tokens.update({(row["fm_task"], name): row[f"{name}_sum"] for row in sums.to_pylist()})
        for name in ("input", "target", *METADATA.names, *(set(CHAT_COLUMNS) & set(table.column_names))):
            for part, piece in _bytes_of(table.column(name)):
                self.digests[f"{name} {part}"].update(piece)

    def facts(self) -> dict[str, Any]:
        digests = {name: digest.hexdigest() for name, digest in self.digests.items()}
        whole = xxh3_128(canonical_json(digests).encode()).hexdigest()
        kinds: dict[str, Counter[tuple[str, Any]]]
        kinds = {"templates": self.written, "styles": self.styles, "shots": self.shots, "dropped": self.dropped}
        tasks: defaultdict[str, dict[str, Any]] = defaultdict(lambda: {kind: {} for kind in kinds})
        for kind, counts in kinds.items():
            for (task, name), count in sorted(counts.items()):
                tasks[task][kind][str(name)] = count
        for (task, name), count in sorted(self.tokens.items()):
            tasks[task][name] = count
        facts = {"rows": self.rows, "rows_xxh3": whole, "tasks": dict(tasks)}
        return facts | ({"lines": self.lines, "counts": dict(self.counts)} if self.counts else {})


def _numbers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as they are, and truth values as such."""
    return values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values


def _digests_of(words: pa.Array) -> npt.NDArray[np.void]:
    """What stands for each of the words that are pointed to: rows tell it faster than they tell the words."""
    return np.frombuffer(b"".join(xxh3_128(word.encode()).digest() for word in words.to_pylist()), "V16")


def _bytes_of(column: pa.ChunkedArray) -> Iterator[tuple[str, Any]]:
    """The values of a column as streams of bytes that do not depend on how it is cut into chunks."""
    if pa.types.is_list(column.type):
        yield "lists", np.asarray(pc.list_value_length(column)).astype("<i8").tobytes()
        inside = pc.list_flatten(column)
        sides = inside.flatten() if pa.types.is_struct(inside.type) else [_numbers(inside)]
        for number, side in enumerate(sides):
            yield from ((f"{number} {part}", piece) for part, piece in _bytes_of(side))
        return
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            yield "words", _digests_of(chunk.dictionary).take(np.asarray(chunk.indices)).tobytes()
        elif pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
            yield "lengths", np.asarray(pc.binary_length(chunk)).astype("<i8").tobytes()
            offsets = np.frombuffer(chunk.buffers()[1], np.int64 if pa.types.is_large_string(chunk.type) else np.int32)
            first, last = int(offsets[chunk.offset]), int(offsets[chunk.offset + len(chunk)])
            yield "bytes", memoryview(chunk.buffers()[2])[first:last] if last > first else b""
        else:
            yield "values", chunk.to_numpy().astype("<i8").tobytes()
