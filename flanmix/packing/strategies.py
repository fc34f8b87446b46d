"""How sequences find their packs: best fit decreasing, the same with long sequences split, or one after the other."""

from bisect import bisect_left
from collections import deque
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from flanmix.keyed import Ints
from flanmix.packing.packs import Packs

Strategy = Literal["best_fit", "best_fit_split", "concatenate"]


def pack(lengths: npt.ArrayLike, capacity: int, strategy: Strategy = "best_fit", *, truncate: bool = False) -> Packs:
    """Put sequences with so many tokens into packs of at most `capacity` tokens. The same lengths give the same packs.

    - `best_fit`: the longest first (of equal ones the earlier), each into the pack that it leaves the least space in
      (of equal ones the pack that came to this space first), else into a new one. No sequence is cut: those above the
      capacity are in no pack, but in `too_long`; with `truncate` they lose their ends instead, which is counted.
    - `best_fit_split`: first cuts longer sequences into pieces of the capacity and a rest.
    - `concatenate`: all sequences in their order, cut wherever a pack is full.

    Without sequences that are too long these are the packs of TRL's `bfd`, `bfd_split` and `wrapped`; `bfd` truncates.

    >>> [packs.lengths.tolist() for packs in (pack([5, 2, 3, 1], 4), pack([5, 2, 3, 1], 4, "best_fit_split"))]
    [[3, 1, 2], [4, 3, 1, 2, 1]]
    """
    counts = np.asarray(lengths, np.int64)
    if counts.ndim != 1 or (len(counts) and counts.min() < 0):
        raise ValueError("lengths are one number for each sequence, none below 0")
    if capacity < 1:
        raise ValueError(f"a pack holds at least one token, and not {capacity}")
    if strategy not in get_args(Strategy):
        raise ValueError(f"'{strategy}' is no packing strategy - take one of {', '.join(get_args(Strategy))}")
    if truncate and strategy != "best_fit":
        raise ValueError(f"'{strategy}' leaves no token out: only best_fit truncates")
    empty = int((counts == 0).sum())
    if strategy == "concatenate":
        return replace(_concatenate(counts, capacity), empty=empty)
    if strategy == "best_fit_split":
        sequence, start = _pieces(counts, capacity)
        stop = np.minimum(start + capacity, counts[sequence])
        return replace(_best_fit(sequence, start, stop, capacity), empty=empty)
    long = np.flatnonzero(counts > capacity)
    sequence = np.flatnonzero(counts) if truncate else np.flatnonzero((counts > 0) & (counts <= capacity))
    stop = np.minimum(counts[sequence], capacity)
    packs = replace(_best_fit(sequence, np.zeros_like(stop), stop, capacity), empty=empty)
    if truncate:
        return replace(packs, truncated=len(long), cut=int((counts[long] - capacity).sum()))
    return replace(packs, too_long=long)


def _pieces(counts: Ints, capacity: int) -> tuple[Ints, Ints]:
    """The sequence and the start of each piece, where sequences are cut at multiples of the capacity."""
    pieces = -(-counts // capacity)
    sequence = np.repeat(np.arange(len(counts)), pieces)
    turn = np.arange(len(sequence)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return sequence, turn * capacity


def _concatenate(counts: Ints, capacity: int) -> Packs:
    sequences = np.flatnonzero(counts)
    ends = np.cumsum(counts[sequences])
    begins = ends - counts[sequences]
    total = int(ends[-1]) if len(ends) else 0
    edges = np.concatenate((begins, np.arange(0, total, capacity)))
    edges.sort(kind="stable")  # merges what is in order already
    edges = edges[np.diff(edges, prepend=-1) > 0]
    which = np.searchsorted(begins, edges, side="right") - 1
    start = edges - begins[which]
    stop = np.append(edges[1:], total)[: len(edges)] - begins[which]
    return Packs(capacity, edges // capacity, sequences[which], start, stop)


def _best_fit(sequence: Ints, start: Ints, stop: Ints, capacity: int) -> Packs:
    """Best fit decreasing of pieces that are each of 1 … capacity tokens."""
    lengths = stop - start
    falling = np.argsort((capacity - lengths).astype(np.min_scalar_type(capacity)), kind="stable")
    counts = np.bincount(lengths)
    found = np.flatnonzero(counts)[::-1]
    open_packs = _OpenPacks(capacity)
    for length, count in zip(found.tolist(), counts[found].tolist(), strict=True):
        open_packs.place(length, count)
    packs = open_packs.placed()
    order = np.argsort(packs, kind="stable")
    pieces = falling[order]
    return Packs(capacity, packs[order], sequence[pieces], start[pieces], stop[pieces])


class _OpenPacks:
    """Packs by the space they have left, those with the same space in the order in which they came to it.

    A run of equal lengths is placed at once. Where the smallest space that a length fits into is s, a pack with this
    space takes s // length sequences one after the other: after each it is again the one with the least space. So whole
    groups of packs go from space s to s % length, which is below s / 2. A run makes a few groups at most, and a group
    moves at most log2(capacity) times: the steps are O(runs * log(capacity)), however many sequences there are.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._spaces: list[int] = []  # in their order, each with a group at least
        self._groups: dict[int, deque[Ints]] = {}
        self._opened = 0
        self._placed: list[Ints] = []
        self._times: list[int] = []

    def placed(self) -> Ints:
        """The pack of each sequence, in the order of placing."""
        if not self._placed:
            return np.zeros(0, np.int64)
        times = np.repeat(self._times, [len(packs) for packs in self._placed])
        return np.repeat(np.concatenate(self._placed), times)

    def place(self, length: int, count: int) -> None:
        """Place `count` sequences of this length; none that was placed before is shorter."""
        while count:
            space, packs = self._best(length, count)
            each = space // length
            full = min(len(packs), count // each)
            if full:
                self._fill(packs[:full], each, space - each * length)
                count -= full * each
            if full < len(packs):  # the run ends here
                rest = packs[full:]
                if count:
                    self._fill(rest[:1], count, space - count * length)
                    count, rest = 0, rest[1:]
                if len(rest):
                    self._queue(space).appendleft(rest)

    def _best(self, length: int, count: int) -> tuple[int, Ints]:
        """Packs with the least space that is enough, the earliest of them; or as many new ones as are needed."""
        at = bisect_left(self._spaces, length)
        if at == len(self._spaces):
            first, self._opened = self._opened, self._opened - (-count // (self._capacity // length))
            return self._capacity, np.arange(first, self._opened)
        space = self._spaces[at]
        queue = self._groups[space]
        packs = queue.popleft()
        if not queue:
            del self._groups[space], self._spaces[at]
        return space, packs

    def _fill(self, packs: Ints, each: int, space: int) -> None:
        """Each of these packs gets so many sequences, which leave it this space."""
        self._placed.append(packs)
        self._times.append(each)
        if space:
            self._queue(space).append(packs)

    def _queue(self, space: int) -> deque[Ints]:
        queue = self._groups.get(space)
        if queue is None:
            queue = self._groups[space] = deque()
            self._spaces.insert(bisect_left(self._spaces, space), space)
        return queue
