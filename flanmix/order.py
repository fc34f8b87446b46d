"""Position to (task, draw), and draw to row: index arithmetic, with no array as long as the mixture.

Draw j of a task with n planned rows gets the time (j + u) / n, where u is a fixed number in [0, 1) that belongs to
(seed, task, j); the mixture is all draws sorted by (time, task, j). The number of draws before a time is a sum over
tasks of about time * n, so any slice is found by bisection. Inside a task, draw j takes row P(j) of a keyed
permutation P.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key64(*parts: str | int) -> int:
    """A 64-bit key that is a function of its parts alone.

    >>> key64(7, "glue/rte") == key64(7, "glue/rte") != key64(8, "glue/rte")
    True
    """
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def mix64(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection of 64-bit words."""
    words = words ^ (words >> np.uint64(30))  # an array of its own from here on
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def keyed_words(keys: Words | int, counters: npt.ArrayLike) -> Words:
    """One 64-bit word for each counter, as from a SplitMix64 stream that starts at its key."""
    steps = np.asarray(counters).astype(np.uint64) + np.uint64(1)
    return mix64(np.asarray(keys, np.uint64) + steps * _GOLDEN)


def unit(words: Words) -> npt.NDArray[np.float64]:
    """Words as numbers in [0, 1) with 53 random bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permute(indices: Ints, size: int, key: int) -> Ints:
    """Where a keyed permutation of range(size) sends each index: a 4-round Feistel network, walked until in range.

    `indices` must lie in [0, size). The same (size, key) is a bijection of range(size). Few indices are sorted by keyed
    words instead: a network of so few bits is far from uniform.

    >>> sorted(permute(np.arange(5), 5, key=1).tolist())
    [0, 1, 2, 3, 4]
    """
    if size <= _FEW:
        return np.argsort(keyed_words(key, np.arange(size)), kind="stable")[indices]
    out = np.empty(len(indices), np.int64)
    rounds = [(key64(key, number), key64(key, number, "odd") | 1) for number in range(4)]
    for start in range(0, len(indices), _CHUNK):
        words = indices[start : start + _CHUNK].astype(np.uint64)
        walking = np.arange(len(words))
        while len(walking):
            words[walking] = _feistel(words[walking], (size - 1).bit_length(), rounds)
            walking = walking[words[walking] >= np.uint64(size)]
        out[start : start + _CHUNK] = words
    return out


_FEW = 1 << 8
_CHUNK = 1 << 14  # keeps the intermediate arrays in the cache


def _feistel(words: Words, bits: int, rounds: list[tuple[int, int]]) -> Words:
    """A bijection of the words of 2 * ceil(bits / 2) bits: each round mixes one half into the other."""
    half = np.uint64((bits + 1) // 2)
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = words >> half, words & mask
    for add, odd in rounds:
        mixed = right * np.uint64(odd) + np.uint64(add)
        mixed ^= mixed >> np.uint64(29)
        mixed *= _GOLDEN
        mixed >>= np.uint64(64) - half
        left, right = right, left ^ mixed
    return (left << half) | right


@dataclass(frozen=True)
class Order:
    """The order of a mixture: `counts[t]` planned draws of task t, whose key is `keys[t]`."""

    counts: tuple[int, ...]
    keys: tuple[int, ...]

    @cached_property
    def _counts(self) -> Ints:
        return np.array(self.counts, np.int64)

    @cached_property
    def _keys(self) -> Words:
        return np.array(self.keys, np.uint64)

    @property
    def rows(self) -> int:
        """The number of positions."""
        return sum(self.counts)

    def _times(self, tasks: Ints, draws: Ints) -> npt.NDArray[np.float64]:
        jitter = unit(keyed_words(self._keys[tasks], draws))
        return (draws + jitter) / self._counts[tasks]

    def _before(self, time: float) -> Ints:
        """For each task, how many of its draws come before `time`.

        Times grow with the draw, so a guess and its neighbours will do.
        """
        tasks = np.flatnonzero(self._counts)
        guess = np.clip(np.floor(time * self._counts[tasks]).astype(np.int64) - 1, 0, self._counts[tasks])
        for _ in range(3):
            inside = guess < self._counts[tasks]
            probe = np.where(inside, guess, 0)
            guess = guess + (inside & (self._times(tasks, probe) < time))
        found = np.zeros_like(self._counts)
        found[tasks] = guess
        return found

    def _around(self, position: int) -> tuple[Ints, Ints]:
        """The draws of each task before two times: at most `position` in all before the first, at least as many before
        the second, and no more between the two than stand at one time.
        """
        low, high = 0.0, 1.0
        below, above = np.zeros_like(self._counts), self._counts
        while int(below.sum()) < position and low < (middle := (low + high) / 2) < high:
            before = self._before(middle)
            if int(before.sum()) <= position:
                low, below = middle, before
            else:
                high, above = middle, before
        return below, below if int(below.sum()) == position else above

    def slice(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """The tasks and draws at positions start … stop - 1, each an array of that length.

        >>> tasks, draws = Order((2, 4), (1, 2)).slice(0, 6)
        >>> np.bincount(tasks).tolist(), draws[tasks == 1].tolist()
        ([2, 4], [0, 1, 2, 3])
        """
        if not 0 <= start <= stop <= self.rows:
            raise IndexError(f"positions {start} to {stop} of a mixture of {self.rows} rows")
        first, _ = self._around(start)
        _, last = self._around(stop)
        lengths = last - first
        tasks = np.repeat(np.arange(len(self.counts), dtype=np.int64), lengths)
        offsets = np.repeat(np.cumsum(lengths) - lengths, lengths)
        draws = np.arange(len(tasks), dtype=np.int64) - offsets + first[tasks]
        ranked = np.argsort(self._times(tasks, draws), kind="stable")  # those at one time stand by (task, draw) already
        chosen = ranked[start - int(first.sum()) : stop - int(first.sum())]
        return tasks[chosen], draws[chosen]
