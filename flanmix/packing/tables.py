"""The columns of packed rows."""

import numpy as np
import pyarrow as pa

from flanmix.keyed import Ints
from flanmix.packing.columns import NO_LOSS, Column, Lists, same_lengths
from flanmix.packing.loss import untrained
from flanmix.packing.packs import Packs

PACKED = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32())),
        pa.field("attention_mask", pa.list_(pa.int8())),
        pa.field("labels", pa.list_(pa.int64())),
        pa.field("position_ids", pa.list_(pa.int32())),
        pa.field("seq_lengths", pa.list_(pa.int32())),
    ]
)
"""One row for each pack; `position_ids` begin at 0 with each piece, whose lengths are in `seq_lengths`."""

_MOST = (1 << 31) - 1


def apply(packs: Packs, input_ids: Lists, labels: Lists | None = None) -> pa.Table:
    """The packed rows, in the schema `PACKED`; without labels every token is its own label.

    `input_ids` and `labels` have one list for each sequence that was packed. The first label of a piece is always -100:
    nothing before it in the piece could tell it, and a trainer that shifts labels by one would train it on the end of
    the piece before. Raises `ValueError` where a pack has no token to train: `drop_untrained` takes such packs out and
    counts them.

    >>> from flanmix.packing import pack
    >>> ids = pa.array([[1, 2, 3, 4], [6, 7], [8, 9, 10], [11]], pa.list_(pa.int32()))
    >>> table = apply(pack([4, 2, 3, 1], 4), ids)
    >>> table["input_ids"].to_pylist(), table["seq_lengths"].to_pylist()
    ([[1, 2, 3, 4], [8, 9, 10, 11], [6, 7]], [[4], [3, 1], [2]])
    """
    ids = Column.of("input_ids", input_ids)
    begins, lengths = ids.begins(packs), packs.lengths
    marked = None if labels is None else Column.of("labels", labels)
    if marked is not None:
        same_lengths(ids, marked)
    if idle := int(untrained(packs, labels).sum()):
        raise ValueError(f"{idle:,} packs have no token to train: call drop_untrained, which counts them")
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    if total > _MOST:
        raise ValueError(f"{total:,} tokens are more than one table holds - pack fewer rows at a time")
    rows = np.concatenate(([0], ends))[packs.bounds]
    tokens = _pieces(ids.values, begins, lengths)
    columns = [
        (tokens, rows),
        (pa.array(np.ones(total, np.int8)), rows),
        (_masked(tokens if marked is None else _pieces(marked.values, begins, lengths), ends - lengths), rows),
        (_pieces(pa.array(np.arange(lengths.max(initial=0), dtype=np.int32)), np.zeros_like(begins), lengths), rows),
        (pa.array(lengths), packs.bounds),
    ]
    return pa.Table.from_arrays(
        [_lists(values, offsets, field.type) for (values, offsets), field in zip(columns, PACKED, strict=True)],
        schema=PACKED,
    )


def _pieces(values: pa.Array, begins: Ints, lengths: Ints) -> pa.Array:
    """Pieces of the values, one after the other: each is copied as a whole, and no index of each token is made."""
    return pa.LargeListViewArray.from_arrays(pa.array(begins), pa.array(lengths), values).flatten()


def _masked(labels: pa.Array, starts: Ints) -> pa.Array:
    """The labels without those at the starts of pieces."""
    made = labels.to_numpy().astype(np.int64)
    made[starts] = NO_LOSS
    return pa.array(made)


def _lists(values: pa.Array, offsets: Ints, kind: pa.ListType) -> pa.Array:
    """Lists of the given type. Raises `ArrowInvalid` for a number that it cannot hold."""
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values.cast(kind.value_type), type=kind)
