"""Shares of numbered things by rational lines: exact at any number of them.

A line gives a share a/b of things: thing j is its own where floor(((j + 1)a + o) / b) is more than floor((ja + o) / b).
So it has its share of any first n within one, and of any b that follow each other just a. Of several lines each has so
much of the things that those before it leave: line k (from 0) has its share of the whole within k + 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from flanmix.keyed import Ints

_EXACT = 1 << 31
"""Shares with denominators up to this are kept as they are: those of rows are."""
_SMALL = 1 << 20
"""Numerators up to this are multiplied by any number of a thing and stay in 64 bits."""


@dataclass(frozen=True)
class Lines:
    """Shares of numbered things, which together are the whole: each takes its own of what those before it leave."""

    shares: tuple[Fraction, ...]
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, wholes: Sequence[Fraction], key: Callable[[int], int]) -> "Lines":
        """Lines with these shares of the whole, or in proportion to them; `key` gives each a start of its own.

        >>> Lines.of([Fraction(1), Fraction(3)], lambda number: 0).counts(8)
        [2, 6]
        """
        total, left = sum(wholes, Fraction(0)), Fraction(1)
        shares, offsets = [], []
        for number, whole in enumerate(wholes[:-1]):
            share = whole / total if total else Fraction(1, len(wholes))
            part = min(share / left if left else Fraction(0), Fraction(1)).limit_denominator(_EXACT)
            shares.append(part)
            offsets.append(key(number) % part.denominator)
            left -= share
        return cls(tuple(shares), tuple(offsets))

    def __len__(self) -> int:
        return len(self.shares) + 1

    def _before(self, line: int, numbers: Ints) -> Ints:
        """How many of the numbers below these are on a line, of those that the lines before it leave."""
        share, offset = self.shares[line], self.offsets[line]
        if share.denominator <= _SMALL:
            return (numbers * share.numerator + offset) // share.denominator
        whole, rest = np.divmod(numbers, share.denominator)
        found: Ints = whole * share.numerator + (rest * share.numerator + offset) // share.denominator
        return found

    def at(self, numbers: Ints) -> tuple[Ints, Ints]:
        """The number of the line that each thing is on, and its rank among those on it."""
        chosen, ranks = np.full(len(numbers), len(self) - 1, np.int64), numbers.copy()
        left, number = np.arange(len(numbers)), numbers
        for line in range(len(self) - 1):
            before = self._before(line, number)
            mine = self._before(line, number + 1) > before
            chosen[left[mine]], ranks[left[mine]] = line, before[mine]
            left, number = left[~mine], (number - before)[~mine]
        ranks[left] = number
        return chosen, ranks

    def counts(self, total: int) -> list[int]:
        """How many of the first `total` things are on each line."""
        left, found = total, []
        for line in range(len(self) - 1):
            found.append(int(self._before(line, np.array([left]))[0]))
            left -= found[-1]
        return [*found, left]

    @property
    def parts(self) -> list[Fraction]:
        """The share of the whole that each line has."""
        left, found = Fraction(1), []
        for share in self.shares:
            found.append(left * share)
            left -= found[-1]
        return [*found, left]
