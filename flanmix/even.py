"""Tasks interleaved without randomness: each stands as evenly among the others as whole rows allow.

Tasks with equally many rows take turns in a group. The groups are the leaves of a Huffman tree over their rows: of the
first k rows of a node with m rows, k * a / m to the nearest are those of its first child, which has a; the rest are
those of the other child. So one division for each node on the way leads from a draw to its position, and one from a
position to its draw.

The bound. What a prefix holds of a node is at most 1/2 from the node's share of what it holds of the node's parent. So
a group of n rows is off by at most half the sum of n / n(node) over the group and the nodes above it but the root.
Huffman joins the two smallest nodes, so what joins a node is no smaller than what the node was made of, and n(node) / n
is at least 1, 1, 2, 3, 5, 8 …: the reciprocals of the Fibonacci numbers sum to 3.36, half of it is 1.68. One of g tasks
that take turns is less than 1 - 1/g from its share of the group, and 1 - 1/g + 1.68/g is never more than 1.68.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from flanmix.keyed import Ints

BOUND = 1.68
"""Rows by which a task of a prefix may miss its share."""

_CHUNK = 1 << 16


class _Span(NamedTuple):
    """The rows `low` … `high` - 1 of a node; `left` rows of the same slice belong to tasks left of it in the tree."""

    low: int
    high: int
    left: int


@dataclass(frozen=True)
class Even:
    """The tree: nodes 0 … groups - 1 are groups of tasks, node groups + i joins the two nodes of `joined[i]`."""

    groups: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]
    joined: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, counts: Sequence[int]) -> "Even":
        """The tree of tasks with so many rows; of equal nodes, the earlier are joined first."""
        groups: dict[int, list[int]] = {}
        for task, count in enumerate(counts):
            if count:
                groups.setdefault(count, []).append(task)
        rows, joined = [count * len(tasks) for count, tasks in groups.items()], []
        heap = [(total, node) for node, total in enumerate(rows)]
        heapq.heapify(heap)
        while len(heap) > 1:
            (first, left), (second, right) = heapq.heappop(heap), heapq.heappop(heap)
            heapq.heappush(heap, (first + second, len(rows)))
            rows.append(first + second)
            joined.append((left, right))
        return cls(tuple(map(tuple, groups.values())), tuple(rows), tuple(joined))

    def slice(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """The tasks and draws at positions start … stop - 1, which there must be.

        >>> tasks, draws = Even.of((2, 4)).slice(0, 6)
        >>> tasks.tolist(), draws.tolist()
        ([1, 0, 1, 1, 0, 1], [0, 0, 1, 2, 1, 3])
        """
        tasks, draws = np.empty(stop - start, np.int64), np.empty(stop - start, np.int64)
        length = min(max(_CHUNK, 64 * len(self.groups)), (1 << 61) // self.rows[-1])  # no product reaches 2^63
        for low in range(start, stop, length):
            part = slice(low - start, low - start + length)
            self._fill(tasks[part], draws[part], low)
        return tasks, draws

    def _fill(self, tasks: Ints, draws: Ints, start: int) -> None:
        """Fill in what stands at the positions from `start`."""
        spans = self._spans(start, start + len(tasks))
        leaves = sorted(
            (span.left, span.low, span.high, node) for node, span in spans.items() if node < len(self.groups)
        )
        left, low, high, group = np.array(leaves, np.int64).T
        places = np.arange(len(tasks), dtype=np.int64) - np.repeat(left, high - low)
        drawn = places + np.repeat(low, high - low)
        for parent, children in enumerate(self.joined, len(self.groups)):
            for child, rounded in zip(children, (1, 0), strict=True):
                if child in spans:
                    # row j of the child is row ((2j + 1) * rows of the parent - rounded) // (2 * rows of the child)
                    span, above = spans[child], spans[parent].low
                    there = places[span.left : span.left + span.high - span.low]
                    there *= 2 * self.rows[parent]
                    there += (2 * span.low + 1) * self.rows[parent] - rounded - 2 * self.rows[child] * above
                    there //= 2 * self.rows[child]
        members, begins, sizes = self._members
        draw, turn = np.divmod(drawn, np.repeat(sizes[group], high - low))
        turn += np.repeat(begins[group], high - low)
        tasks[places], draws[places] = members[turn], draw

    @cached_property
    def _members(self) -> tuple[Ints, Ints, Ints]:
        """The tasks of all groups one after the other, where each group begins, and its size."""
        sizes = np.array([len(tasks) for tasks in self.groups], np.int64)
        return np.array([task for tasks in self.groups for task in tasks], np.int64), np.cumsum(sizes) - sizes, sizes

    def _spans(self, start: int, stop: int) -> dict[int, _Span]:
        """What a slice holds of each node it holds rows of."""
        spans = {len(self.rows) - 1: _Span(start, stop, 0)}
        for parent in reversed(range(len(self.groups), len(self.rows))):
            if parent in spans:
                low, high, left = spans[parent]
                first, second = self.joined[parent - len(self.groups)]
                before, until = self._of_first(parent, low), self._of_first(parent, high)
                if before < until:
                    spans[first] = _Span(before, until, left)
                if until - before < high - low:
                    spans[second] = _Span(low - before, high - until, left + until - before)
        return spans

    def _of_first(self, parent: int, places: int) -> int:
        """How many of a node's first `places` rows are those of its first child."""
        rows, first = self.rows[parent], self.rows[self.joined[parent - len(self.groups)][0]]
        return (2 * places * first + rows) // (2 * rows)
