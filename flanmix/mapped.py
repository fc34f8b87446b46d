"""Memory-mapped Arrow files whose pages can be given back."""

import mmap
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flanmix.order import Ints


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

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return len(self._map)

    @cached_property
    def table(self) -> pa.Table:
        """All rows, in the map: nothing is read until it is used."""
        return self.reader().read_all()

    @cached_property
    def _pieces(self) -> tuple[list[pa.RecordBatch], Ints]:
        """The record batches, and the row at which each starts, with the number of rows at the end."""
        batches = self.table.to_batches()
        return batches, np.cumsum([0, *map(len, batches)])

    def take(self, indices: Ints, columns: list[str] | None = None) -> pa.Table:
        """The rows at `indices`, in their order. Of several batches, one after the other is read and given back."""
        batches, starts = self._pieces
        by_row = np.argsort(indices, kind="stable")
        rows = indices[by_row]
        cuts = np.searchsorted(rows, starts)
        taken = []
        for number, batch in enumerate(batches):
            wanted = rows[cuts[number] : cuts[number + 1]] - starts[number]
            if len(wanted):
                taken.append((batch.select(columns) if columns else batch).take(pa.array(wanted)))
                if len(batches) > 1:
                    self.release()
        schema = self.table.select(columns).schema if columns else self.table.schema
        back = np.empty(len(indices), np.int64)
        back[by_row] = np.arange(len(indices))
        return pa.Table.from_batches(taken, schema).combine_chunks().take(pa.array(back))

    def release(self) -> None:
        """Drop the pages read so far: they are clean, and the system reads them again where they are used again."""
        self._map.madvise(mmap.MADV_DONTNEED)
