"""Draws sorted by random times: every task is spread over the whole mixture, in an order that is chance, but fixed.

Draw j of a task with n rows gets the time (j + u) / n, where u is a number in [0, 1) that belongs to (key of the task,
j). The mixture is all draws sorted by (time, task, j). About time * n draws of a task come before a time, and a look at
the next one says how many exactly, so any slice is found without the rest.

Times are whole numbers of 2^-63 of the mixture: they grow with the draw, and are the same on every machine.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flanmix.keyed import Ints, Words, keyed_words

LIMIT = 1 << 40
"""Every task has fewer rows than this, so that rounding moves no draw by 1/100 of the way to the next."""

_END = 1 << 63
_FINE = 24
_CHUNK = 1 << 15  # keeps the intermediate arrays in the cache


@dataclass(frozen=True)
class Shuffled:
    """Tasks with so many rows, and the key of each."""

    counts: tuple[int, ...]
    keys: tuple[int, ...]

    def slice(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """The tasks and draws at positions start … stop - 1, which there must be.

        All draws between two times around them are sorted, some thousands at once; what lies outside is cut off.

        >>> tasks, draws = Shuffled((2, 4), (1, 2)).slice(0, 6)
        >>> np.bincount(tasks).tolist(), draws[tasks == 1].tolist()
        ([2, 4], [0, 1, 2, 3])
        """
        margin = 2 * math.isqrt(len(self.counts)) + 2
        (low, first), (high, last) = self._around(start, -margin), self._around(stop, margin)
        offset, end = int(first.sum()), int(last.sum())
        tasks, draws = np.empty(end - offset, np.int64), np.empty(end - offset, np.int64)
        pieces, done = -(-len(tasks) // max(_CHUNK, 16 * len(self.counts))), 0
        for piece in range(1, pieces + 1):
            until = last if piece == pieces else self._before(low + (high - low) * piece // pieces)
            here = slice(done, done + int((until - first).sum()))
            self._sort(first, until, tasks[here], draws[here])
            first, done = until, here.stop
        return tasks[start - offset : stop - offset], draws[start - offset : stop - offset]

    def _around(self, position: int, margin: int) -> tuple[int, Ints]:
        """A time, and how many draws of each task come before it: at most `position` in all if `margin` is negative, at
        least `position` if it is positive.
        """
        time = min(max((position + margin) * _END // sum(self.counts), 0), _END)
        before = self._before(time)
        beyond = int(before.sum()) - position
        return (time, before) if beyond * margin >= 0 else self._around(position, 2 * margin)

    def _before(self, time: int) -> Ints:
        """For each task, how many of its draws come before `time`: those that surely do, and maybe the next one."""
        sure = [min((time << _FINE) // width, n) for width, n in zip(self._widths, self.counts, strict=True)]
        found = np.array(sure, np.int64)
        tasks = np.flatnonzero(found < np.array(self.counts, np.int64))
        found[tasks] += self._times(tasks, found[tasks]) < np.uint64(time)
        return found

    def _sort(self, first: Ints, until: Ints, tasks: Ints, draws: Ints) -> None:
        """Fill in the draws first[t] … until[t] - 1 of every task t by time; of those at one time, the first task's."""
        lengths = until - first
        task = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
        draw = np.arange(len(task), dtype=np.int64)
        draw += np.repeat(first - np.cumsum(lengths) + lengths, lengths)
        times = self._times(task, draw)
        least = times.min()
        digit = max(0, int(times.max() - least).bit_length() - 16)
        coarse = ((times - least) >> np.uint64(digit)).astype(np.uint16)
        nearly = np.argsort(coarse, kind="stable")  # 16 bits are sorted in linear time; what is left is nearly sorted
        by_time = nearly[np.argsort(times[nearly], kind="stable")]
        np.take(task, by_time, out=tasks, mode="clip")
        np.take(draw, by_time, out=draws, mode="clip")

    @cached_property
    def _widths(self) -> tuple[int, ...]:
        """The time from a draw to the next, in units of 2^-87; rounded down, so that the last draw ends in time."""
        return tuple((_END << _FINE) // max(n, 1) for n in self.counts)

    @cached_property
    def _tables(self) -> tuple[Words, ...]:
        """Of each task: its key, and its width in units of 2^-63, what is left of it, and its two halves of 32 bits."""
        whole, fine = zip(*(divmod(width, 1 << _FINE) for width in self._widths), strict=True)
        halves = zip(*(divmod(width, 1 << 32) for width in whole), strict=True)
        return tuple(np.array(numbers, np.uint64) for numbers in (self.keys, whole, fine, *halves))

    def _times(self, tasks: Ints, draws: Ints) -> Words:
        """(draw * width >> 24) + (u * whole width >> 32), where u has 32 bits; no product needs more than 64."""
        keys, times, fine, high, low = (table[tasks] for table in self._tables)
        chance, numbers = keyed_words(keys, draws) >> np.uint64(32), draws.astype(np.uint64)
        times *= numbers
        fine *= numbers
        fine >>= np.uint64(_FINE)
        times += fine
        high *= chance
        times += high
        low *= chance
        low >>= np.uint64(32)
        times += low
        return times
