"""Memory-mapped Arrow files whose pages can be given back."""

import hashlib
import mmap
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flanmix.errors import Problem, SourceError
from flanmix.order import Ints
from flanmix.render.picking import Rows, ViewedTable
from flanmix.words import ROW as ROW

GUARD = "fm_guard"
ANSWER = "fm_answer"
"""Where a row's answer stands among its choices, -1 where it does not; for tasks with both."""
_STRETCH = 16 << 20
_HELD_BYTES = 16 << 20
"""Bytes of a file that may be read before its pages are given back."""


@dataclass(frozen=True)
class Seal:
    """What a file held when it was read: a digest, and its state then, which tells at once that nothing changed.

    The digest is the file's SHA-256, or where it has more than 16 MiB the SHA-256 of those of its stretches of 16 MiB,
    which the cores share.
    """

    path: Path
    state: tuple[int, ...]
    digest: str

    @classmethod
    def of(cls, path: Path) -> "Seal":
        """Read a file and seal it; raises `OSError`."""
        with path.open("rb") as stream:
            state = _state(os.fstat(stream.fileno()))
            size = os.fstat(stream.fileno()).st_size
            if size <= _STRETCH:
                return cls(path, state, hashlib.file_digest(stream, "sha256").hexdigest())
            with ThreadPoolExecutor(cores()) as pool:
                digests = pool.map(partial(_digest, stream.fileno()), range(0, size, _STRETCH))
                return cls(path, state, hashlib.sha256(b"".join(digests)).hexdigest())

    def check(self) -> None:
        """Raises `SourceError` where the file holds something else by now."""
        hint = "leave it as it is until the build is done, and plan again"
        try:
            same = _state(self.path.stat()) == self.state or Seal.of(self.path).digest == self.digest
        except OSError as error:
            what = f"cannot be read any more: {error.strerror or error}"
            raise SourceError(Problem(what, file=str(self.path), hint=hint)) from error
        if not same:
            raise SourceError(Problem("was changed after it was read", file=str(self.path), hint=hint))


def _digest(file: int, start: int) -> bytes:
    return hashlib.sha256(os.pread(file, _STRETCH, start)).digest()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _state(found: os.stat_result) -> tuple[int, ...]:
    """Differs whenever a file was written to: its time of change cannot be set."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@dataclass(frozen=True)
class Original:
    """A user's own Arrow file whose rows, all of them and as they are, are a task's usable rows: read where it lies."""

    seal: Seal
    columns: Mapping[str, str]
    """The column of each field."""

    def __str__(self) -> str:
        return str(self.seal.path)


RowFile = Path | Original
"""Where a task's usable rows lie: in a prepared file, or in a file of the user's."""


class Mapped:
    """An Arrow IPC file (or stream), memory-mapped; `whole` says that its pages may all be held at a time.

    Raises `OSError` or `pa.ArrowInvalid` where it is none, `SourceError` where it is no longer what was planned with.
    """

    def __init__(self, file: RowFile, *, whole: bool = False) -> None:
        self._whole = whole
        self._original = file if isinstance(file, Original) else None
        self.held = 0
        self.check()
        with (file.seal.path if isinstance(file, Original) else file).open("rb") as stream:
            try:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise pa.ArrowInvalid("the file is empty") from error

    def check(self) -> None:
        """Raises `SourceError` where a user's own file is no longer what was planned with."""
        if self._original:
            self._original.seal.check()

    def reader(self) -> Any:
        """A reader of the file's record batches, whose columns lie in the map."""
        buffer = pa.py_buffer(self._map)
        try:
            return pa.ipc.open_file(buffer)
        except pa.ArrowInvalid:
            return pa.ipc.open_stream(buffer)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The record batches one after the other; a batch's pages are given back when the next one is asked for."""
        reader = self.reader()
        numbered = isinstance(reader, pa.ipc.RecordBatchFileReader)
        for batch in map(reader.get_batch, range(reader.num_record_batches)) if numbered else reader:
            yield batch
            self.release()

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return len(self._map)

    def holds(self, batch: pa.RecordBatch) -> bool:
        """Whether a batch lies in the map: one of a compressed file does not."""
        first = pa.py_buffer(self._map).address
        buffers = [buffer for column in batch.columns for buffer in column.buffers() if buffer is not None]
        return all(first <= buffer.address < first + len(self._map) for buffer in buffers if buffer.size)

    @cached_property
    def table(self) -> pa.Table:
        """All rows, in the map: nothing is read until it is used."""
        table = self.reader().read_all()
        return table if self._original is None else self._fields(table, np.arange(len(table)))

    def _fields(self, rows: pa.Table, numbers: Ints) -> pa.Table:
        """Rows of a user's own file as they would have been prepared."""
        assert self._original is not None
        columns = {name: _normal(rows.column(column)) for name, column in self._original.columns.items()}
        guards = pa.array(np.zeros(len(numbers), np.int32))
        return pa.table({**columns, ROW: pa.array(numbers), GUARD: guards})

    @cached_property
    def _pieces(self) -> tuple[list[pa.RecordBatch], Ints, list[int]]:
        """The record batches, cut where they are large; the row at which each starts, and the bytes of each."""
        pieces = []
        for batch in self.reader().read_all().to_batches():
            rows = max(1, len(batch) * _HELD_BYTES // max(batch.nbytes, 1))
            pieces += [batch.slice(start, rows) for start in range(0, len(batch), rows)]
        if self._original:
            pieces = [piece.select(list(dict.fromkeys(self._original.columns.values()))) for piece in pieces]
        return pieces, np.cumsum([0, *map(len, pieces)]), [piece.nbytes for piece in pieces]

    @property
    def guards(self) -> npt.NDArray[Any]:
        """The guard of every row."""
        return np.zeros(len(self.table), np.int32) if self._original else np.asarray(self.table.column(GUARD))

    @cached_property
    def _viewed(self) -> ViewedTable:
        return ViewedTable(self.table)

    def pick(self, rows: Ints) -> Rows:
        """Rows in any order: pointed at in a file that may be held whole, else copied."""
        if self._whole:
            return Rows(self._viewed, rows)
        ascending = np.argsort(rows)  # a file's pages are read in order
        places = np.empty_like(ascending)
        places[ascending] = np.arange(len(rows))
        return Rows(ViewedTable(self.take(rows[ascending])), places)

    def take(self, rows: Ints) -> pa.Table:
        """The rows of these numbers, which ascend. Pages are given back on the way, so that few are held at a time."""
        pieces, starts, sizes = self._pieces
        cuts = np.searchsorted(rows, starts).tolist()
        taken = []
        for piece, start, size, first, last in zip(pieces, starts.tolist(), sizes, cuts[:-1], cuts[1:], strict=False):
            if last > first:
                taken.append(piece.take(pa.array(rows[first:last] - start)))
                self.held += size
                if self.held > _HELD_BYTES:
                    self.release()
        table = pa.Table.from_batches(taken, pieces[0].schema)
        return table if self._original is None else self._fields(table, rows)

    def release(self) -> None:
        """Drop the pages read so far: they are clean, and the system reads them again where they are used again."""
        self._map.madvise(mmap.MADV_DONTNEED)
        self.held = 0


def _normal(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.large_string()) if pa.types.is_string(column.type) else column
