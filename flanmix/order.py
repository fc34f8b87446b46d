"""Position to (task, draw): index arithmetic, with no array as long as the mixture.

What a prefix holds of a task may be off the task's share of it, where that is the share p of a mixture of N rows and T
tasks, by:

- `shuffle`: less than 1 + p * T rows. At any time a task is less than one row off its share of the time, by chance and
  with mean 0; the sum of it over all tasks moves the position, and p times that the task's share. So (Hoeffding) with a
  chance of less than c any prefix is off by more than 1 + p * (1 + sqrt(T * ln(2N / c) / 2)) rows: for 10^9 rows and
  one in a million, 1 + p * (1 + 4.2 * sqrt(T)). Rounding adds a hundredth of it at 10^12 rows of a task, else nothing.
- `even`: less than 1.68 rows, whatever the mixture; `flanmix.even` has the proof.
- `sequential`: p times the rows before the task or after it, whichever are more.

A further task leaves the others in their order to each other under `shuffle` and `sequential`; under `even` it may not.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from flanmix.even import Even
from flanmix.keyed import Ints, Words, key64, keyed_words, mix64, permute
from flanmix.shuffled import LIMIT, Shuffled

__all__ = ["Ints", "Kind", "Order", "Words", "key64", "keyed_words", "mix64", "permute"]

Kind = Literal["shuffle", "even", "sequential"]


@dataclass(frozen=True)
class Order:
    """The order of a mixture: `counts[t]` planned draws of task t, fewer than 2^40, and `keys[t]`, the task's key.

    `shuffle` spreads every task over the mixture at random; `even` as evenly as whole rows allow, whatever the keys;
    `sequential` gives all draws of task 0, then all of task 1, and so on. The draws of a task always stand in order.
    """

    counts: tuple[int, ...]
    keys: tuple[int, ...]
    kind: Kind = "shuffle"

    def __post_init__(self) -> None:
        if (most := max(self.counts, default=0)) >= LIMIT:
            raise ValueError(f"a task of {most} rows: an order takes at most {LIMIT - 1} of each")

    @cached_property
    def rows(self) -> int:
        """The number of positions."""
        return sum(self.counts)

    def slice(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """The tasks and draws at positions start … stop - 1, each an array of that length.

        >>> tasks, draws = Order((2, 4), (1, 2)).slice(0, 6)
        >>> np.bincount(tasks).tolist(), draws[tasks == 1].tolist()
        ([2, 4], [0, 1, 2, 3])
        >>> Order((2, 4), (1, 2), "even").slice(0, 6)[0].tolist()
        [1, 0, 1, 1, 0, 1]
        >>> Order((2, 4), (1, 2), "sequential").slice(1, 4)[0].tolist()
        [0, 1, 1]
        """
        if not 0 <= start <= stop <= self.rows:
            raise IndexError(f"positions {start} to {stop} of a mixture of {self.rows} rows")
        if start == stop:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if self.kind == "sequential":
            return self._sequential(start, stop)
        return (self._even if self.kind == "even" else self._shuffled).slice(start, stop)

    @cached_property
    def _shuffled(self) -> Shuffled:
        return Shuffled(self.counts, self.keys)

    @cached_property
    def _even(self) -> Even:
        return Even.of(self.counts)

    def _sequential(self, start: int, stop: int) -> tuple[Ints, Ints]:
        counts = np.array(self.counts, np.int64)
        begins = np.cumsum(counts) - counts
        lengths = np.clip(stop - begins, 0, counts) - np.clip(start - begins, 0, counts)
        tasks = np.repeat(np.arange(len(counts), dtype=np.int64), lengths)
        return tasks, np.arange(start, stop, dtype=np.int64) - begins[tasks]
