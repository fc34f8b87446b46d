"""Memory-mapped Arrow files whose pages can be given back."""

import mmap
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa


class Mapped:
    """An Arrow IPC file (or stream), memory-mapped. Raises `OSError` or `pa.ArrowInvalid` where it is none."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as stream:
            try:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise pa.ArrowInvalid("the file is empty") from error

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

    @cached_property
    def table(self) -> pa.Table:
        """All rows, in the map: nothing is read until it is used."""
        return self.reader().read_all()

    def release(self) -> None:
        """Drop the pages read so far: they are clean, and the system reads them again where they are used again."""
        self._map.madvise(mmap.MADV_DONTNEED)
