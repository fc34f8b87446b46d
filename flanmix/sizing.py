"""How many bytes the rows of a build take, and so how many of them fill a shard of a given size."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.examples import Examples
from flanmix.shards import Job, encoded_bytes

_SLICES, _SLICE_ROWS = 8, 256
_MOST_SLICES = 256
_SAMPLE_BYTES = 2 << 20
_TOLERANCE = 0.025
_TOKEN_BYTES = 5
"""Bytes of tokens and labels for a byte of text, about: 13 for a token, which seldom has less than three."""
_FIXED = 64
"""Bytes of a row beside its texts, about: offsets, roles, metadata."""


@dataclass(frozen=True)
class RowSize:
    """Bytes of a row: its mean in memory; on disk its mean, that mean's standard error and the standard deviation."""

    memory: float
    disk: float
    error: float = 0.0
    deviation: float = 0.0

    def rows_in(self, size: int) -> int:
        """The most rows with which a file hardly ever exceeds `size` bytes.

        n rows take n·d bytes with a deviation of s·√n, so n is the largest with n·d + 3·s·√n ≤ size; d is taken two
        standard errors above its estimate. Three digits are kept, so that a plan's number is stable.

        >>> RowSize(memory=100, disk=50).rows_in(1_234_567)
        24600
        >>> RowSize(memory=100, disk=50, deviation=100).rows_in(1_234_567)
        23700
        """
        mean, spread = self.disk + 2 * self.error, 3 * self.deviation
        root = (np.sqrt(spread**2 + 4 * mean * size) - spread) / (2 * mean)
        rows = max(1, int(root**2))
        unit = 10 ** max(0, len(str(rows)) - 3)
        return int(rows // unit * unit)


def measure(job: Job, size: int | None) -> RowSize:
    """The bytes of a job's rows, from slices spread evenly over its plan; raises `TemplateError`.

    Where files of `size` bytes are to be cut, slices are added until the mean is known well, or there are many; where
    not, bytes on disk are not measured.
    """
    examples = Examples(job.plan, job.files)
    sample: list[pa.Table] = []
    lengths, sampled = np.zeros(0), 0.0
    for number, start in enumerate(_starts(job.plan.rows), 1):
        table = examples.slice(start, min(start + _SLICE_ROWS, job.plan.rows)).table
        lengths = np.append(lengths, _text_bytes(table))
        if sampled < _SAMPLE_BYTES:
            sample.append(table)
            sampled = float(lengths.sum())
        if number >= _SLICES and (size is None or _known_well(lengths, job.plan.rows, size)):
            break
    texts = float(lengths.mean()) if len(lengths) else 0.0
    memory = texts * (1 if job.output.encoding is None else 1 + _TOKEN_BYTES) + _FIXED
    if size is None or not texts:
        return RowSize(memory, memory)
    spread = float(lengths.std())
    ratio = _ratio(job, pa.concat_tables(sample), size)
    error = spread * (max(0.0, 1 / len(lengths) - 1 / job.plan.rows)) ** 0.5  # none where all rows were read
    return RowSize(memory, texts * ratio, error * ratio, spread * ratio)


def _starts(rows: int) -> Iterator[int]:
    """Where slices start that cover a plan evenly, ever more finely, and do not overlap."""
    blocks = -(-rows // _SLICE_ROWS)
    golden = np.arange(4 * _MOST_SLICES) * (5**0.5 - 1) / 2 % 1
    for block in list(dict.fromkeys((golden * blocks).astype(int).tolist()))[:_MOST_SLICES]:
        yield block * _SLICE_ROWS


def _known_well(lengths: npt.NDArray[np.float64], rows: int, size: int) -> bool:
    """Whether all rows fit one file anyway, or more of them would hardly change the estimate."""
    mean = lengths.mean() if len(lengths) else 0.0
    if (mean + _FIXED) * rows <= size:
        return True
    return bool(lengths.sum() >= _SAMPLE_BYTES and lengths.std() <= _TOLERANCE * mean * len(lengths) ** 0.5)


def _text_bytes(table: pa.Table) -> npt.NDArray[np.float64]:
    """The bytes of each row's texts, earlier turns and system texts among them."""
    names = [name for name in ("input", "target", "system") if name in table.column_names]
    total = np.zeros(table.num_rows)
    for name in names:
        total += np.asarray(pc.binary_length(table.column(name)))
    if "history" in table.column_names:
        history = table.column("history").combine_chunks()
        pairs, owners = history.flatten(), np.asarray(pc.list_parent_indices(history))
        for side in ("user", "assistant"):
            lengths = np.asarray(pc.binary_length(pc.struct_field(pairs, side)))
            total += np.bincount(owners, lengths, minlength=len(history))
    return total


def _ratio(job: Job, sample: pa.Table, size: int) -> float:
    """Bytes on disk for a byte of text, in a file about as large as those to be cut."""
    encoded = encoded_bytes(job, sample)
    if encoded > size:
        sample = sample.slice(0, max(1, sample.num_rows * size // encoded))
        encoded = encoded_bytes(job, sample)
    return encoded / float(_text_bytes(sample).sum())
