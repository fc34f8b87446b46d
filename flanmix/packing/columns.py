"""List columns as values and offsets, as packing reads them."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from flanmix.keyed import Ints
from flanmix.packing.packs import Packs

Lists: TypeAlias = pa.Array | pa.ChunkedArray
NO_LOSS = -100
"""The label of a token that is not trained, as PyTorch's cross entropy and all trainers have it."""


@dataclass(frozen=True, eq=False)
class Column:
    """Row i is values[offsets[i] : offsets[i + 1]]; the first begins at 0, the last ends where the values do."""

    values: pa.Array
    offsets: Ints

    @classmethod
    def of(cls, name: str, lists: Lists) -> "Column":
        """The numbers of a column of lists, without a copy where it is one array; nothing in it may be missing."""
        rows = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
        if not (pa.types.is_list(rows.type) or pa.types.is_large_list(rows.type)):
            raise TypeError(f"the column '{name}' is {rows.type}, and not a list of integers for each row")
        if not pa.types.is_integer(rows.type.value_type):
            raise TypeError(f"the column '{name}' has lists of {rows.type.value_type}, and not of integers")
        if rows.null_count:
            raise ValueError(f"the column '{name}' has rows that are missing")
        offsets = rows.offsets.to_numpy().astype(np.int64)
        first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
        values = rows.values.slice(first, last - first)
        if values.null_count:
            raise ValueError(f"the column '{name}' has numbers that are missing")
        return cls(values, offsets - first if len(rows) else np.zeros(1, np.int64))

    @property
    def lengths(self) -> Ints:
        """The number of values in each row."""
        return np.diff(self.offsets)

    def begins(self, packs: Packs) -> Ints:
        """Where each piece begins in the values. Raises `ValueError` where a piece is of no row, or beyond its end."""
        lengths = self.lengths
        if len(packs) and (
            packs.sequence.max() >= len(lengths)
            or packs.sequence.min() < 0
            or (packs.start < 0).any()
            or (packs.start >= packs.stop).any()
            or (packs.stop > lengths[packs.sequence]).any()
        ):
            raise ValueError("these packs are of other sequences: pack the lengths of this column")
        return self.offsets[packs.sequence] + packs.start


def same_lengths(ids: Column, labels: Column) -> None:
    """Raise `ValueError` unless each token has one label."""
    if not np.array_equal(ids.lengths, labels.lengths):
        raise ValueError("each token has one label: input_ids and labels differ in their lengths")
