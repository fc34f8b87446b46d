"""Texts pointed at where they lie, so that texts made of them are copied once, into their final order.

Arrow's `string_view` keeps a text as 16 bytes that say where it lies. Views are put in any order at no more cost than
numbers, and a cast copies what they point to, one after the other: pieces that stand side by side are joined thereby.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flanmix.order import Ints

_VIEW = np.dtype("V16")  # moved as a whole, which is far faster than field by field
_LENGTH, _BUFFER = 0, 2
"""Of the four 32-bit numbers of a view, its text's length and the buffer where a long text lies."""
_INLINE = 12
"""The longest text that a view holds itself."""
_VIEW_BYTES = 1 << 30
"""Bytes of one array that views are made of at a time: they point with 32 bits."""
_NOTHING = pa.py_buffer(b"")


class Viewed:
    """An array of any type of text, each of its texts as a view: nothing is copied."""

    def __init__(self, texts: pa.Array | pa.ChunkedArray) -> None:
        chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
        self._array = pa.concat_arrays([pa.array([], pa.string_view()), *(v for c in chunks for v in _views(c))])

    def __len__(self) -> int:
        return len(self._array)

    @cached_property
    def views(self) -> npt.NDArray[Any]:
        """Where each text lies."""
        views = np.frombuffer(self._array.buffers()[1], _VIEW, len(self), self._array.offset * _VIEW.itemsize)
        return views if self.null is None else np.where(self.null, np.zeros((), _VIEW), views)

    @property
    def data(self) -> list[pa.Buffer]:
        """The buffers that the views point into."""
        return list(self._array.buffers()[2:])

    @cached_property
    def null(self) -> npt.NDArray[np.bool_] | None:
        """Which texts are null, if any."""
        return np.asarray(self._array.is_null()) if self._array.null_count else None

    @cached_property
    def longest(self) -> int:
        """The bytes of the longest text."""
        return int(_numbers(self.views)[:, _LENGTH].max(initial=0))

    def texts(self, rows: Ints) -> pa.Array:
        """The texts of some rows, as `large_string`."""
        return join([Joined(np.arange(len(rows)), [Picked(self, rows)])], len(rows))


@dataclass(frozen=True)
class Picked:
    """Some rows of an array of texts, in any order."""

    of: Viewed
    rows: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> "Picked":
        return Picked(self.of, self.rows[rows])

    @cached_property
    def array(self) -> pa.Array:
        """The texts, copied: `large_string`."""
        return self.of.texts(self.rows)


Piece: TypeAlias = str | pa.Array | Picked
"""Part of a text: the same for all rows, or one for each."""


@dataclass(frozen=True)
class Joined:
    """Texts of the rows at `places`, which ascend, each made of pieces."""

    places: Ints
    pieces: Sequence[Piece]

    def between(self, start: int, stop: int) -> "Joined":
        """Those at places `start` … `stop` - 1, counted from `start`."""
        first, last = np.searchsorted(self.places, [start, stop]).tolist()
        pieces = [piece if isinstance(piece, str) else piece[first:last] for piece in self.pieces]
        return Joined(self.places[first:last] - start, pieces)


def join(parts: Sequence[Joined], rows: int) -> pa.Array:
    """The texts of `rows` rows, as `large_string`; null where a piece is null, or no part has the row.

    >>> names = Viewed(pa.array(["Ann", "Bo"]))
    >>> join([Joined(np.array([0, 1]), ["Who is ", Picked(names, np.array([1, 0])), "?"])], 2).to_pylist()
    ['Who is Bo?', 'Who is Ann?']
    """
    lengths, valid = np.zeros(rows + 1, np.int64), np.zeros(rows, bool)
    for part in parts:
        lengths[part.places + 1] = len(part.pieces)
        valid[part.places] = True
    starts = np.cumsum(lengths)
    constants = list(dict.fromkeys(piece for part in parts for piece in part.pieces if isinstance(piece, str)))
    own = Viewed(pa.array(constants, pa.large_string()))
    picked = {text: Picked(own, np.array([row])) for row, text in enumerate(constants)}
    views, data = np.empty(starts[-1], _VIEW), _Data()
    for part in parts:
        at = starts[part.places]
        for number, piece in enumerate(part.pieces):
            if isinstance(piece, str):
                piece = picked[piece]
            elif not isinstance(piece, Picked):
                piece = Picked(Viewed(piece), np.arange(len(piece)))
            views[at + number] = data.of(piece)
            if piece.of.null is not None:
                valid[part.places[piece.of.null[piece.rows]]] = False
    joined = pa.Array.from_buffers(
        pa.string_view(), len(views), [None, pa.py_buffer(views.view(np.uint8)), *data.buffers]
    )
    _, offsets, copied = joined.cast(pa.large_string()).buffers()
    ends = np.frombuffer(offsets, np.int64)[starts] if len(views) else starts
    bits = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.large_string(), rows, [bits, pa.py_buffer(ends), copied or _NOTHING])


class _Data:
    """Buffers of several arrays under one numbering."""

    def __init__(self) -> None:
        self.buffers: list[pa.Buffer] = []
        self._firsts: dict[Viewed, int] = {}

    def of(self, picked: Picked) -> npt.NDArray[Any]:
        """The views of some texts, with their buffers numbered anew."""
        if picked.of not in self._firsts:
            self._firsts[picked.of] = len(self.buffers)
            self.buffers += picked.of.data
        views = picked.of.views.take(picked.rows)
        numbers = _numbers(views)
        numbers[:, _BUFFER] += self._firsts[picked.of] * (numbers[:, _LENGTH] > _INLINE)
        return views


def _numbers(views: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    return views.view("<i4").reshape(-1, 4)


def _views(texts: pa.Array) -> list[pa.Array]:
    if texts.nbytes > _VIEW_BYTES and len(texts) > 1:
        half = len(texts) // 2
        halves = (np.arange(half), np.arange(half, len(texts)))
        return [view for rows in halves for view in _views(texts.take(pa.array(rows)))]
    return [texts.cast(pa.string_view())]
