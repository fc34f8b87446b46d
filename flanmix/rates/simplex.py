"""Exact linear feasibility: sums of variables between bounds, or a proof that there are none.

The general simplex of Dutertre and de Moura (2006, "A fast linear-arithmetic solver for DPLL(T)", section 3), in
integers and fractions, with Bland's rule: it always ends, with values inside all bounds or with a contradictory row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

Number: TypeAlias = int | Fraction

_SPARSE = 2_000
"""Pivots by the emptiest column, which is faster; after that by Bland's rule, which is sure to end."""


@dataclass(frozen=True)
class Bound:
    """One side of a variable's bounds in a contradiction, and how often it counts there."""

    variable: int
    side: str
    times: Fraction


class Simplex:
    """Variables 0..n-1, then one sum per set; all of them have bounds, and `values` is the current point.

    >>> simplex = Simplex([[0, 1]], values=[0, 0], lows=[0, 0, 5], highs=[3, 4, None])
    >>> simplex.solve() is None, simplex.values
    (True, [3, 2, 5])
    """

    def __init__(
        self,
        sets: Sequence[Sequence[int]],
        values: Sequence[Number],
        lows: Sequence[Number],
        highs: Sequence[Number | None],
    ) -> None:
        self.lows, self.highs = list(lows), list(highs)
        self.values: list[Number] = [_into(value, lows[i], highs[i]) for i, value in enumerate(values)]
        self._rows: dict[int, dict[int, Number]] = {}
        self._columns: dict[int, set[int]] = {index: set() for index in range(len(values))}
        for index, members in enumerate(sets, start=len(values)):
            self._rows[index] = dict.fromkeys(members, 1)
            for member in members:
                self._columns[member].add(index)
            self.values.append(_number(sum((self.values[member] for member in members), Fraction(0))))

    def bound(self, variable: int, low: Number, high: Number | None) -> None:
        """Set a variable's bounds; one that is no sum of others now is moved inside them."""
        self.lows[variable], self.highs[variable] = low, high
        if variable in self._columns:
            self._move(variable, _into(self.values[variable], low, high))

    def solve(self) -> list[Bound] | None:
        """Move to a point inside all bounds and return None; or the bounds that contradict each other."""
        turn = 0
        while True:
            turn += 1
            wrong = min((i for i in self._rows if self._off(i)), default=None)
            if wrong is None:
                return None
            low, high, up = self.lows[wrong], self.highs[wrong], self._off(wrong) < 0
            target: Number = low if up or high is None else high
            row = self._rows[wrong]
            candidates = [i for i, times in row.items() if self._can(i, (times > 0) == up)]
            entering = min(candidates, key=self._cost if turn < _SPARSE else None, default=None)
            if entering is None:
                proof = [Bound(wrong, "low" if up else "high", Fraction(1))]
                for index, times in row.items():
                    proof.append(
                        Bound(index, "high" if (times > 0) == up else "low", Fraction(times if times > 0 else -times))
                    )
                return proof
            step = Fraction(target - self.values[wrong]) / row[entering]
            self._move(entering, _number(self.values[entering] + step))
            self._pivot(wrong, entering)

    def _cost(self, variable: int) -> tuple[int, int]:
        return len(self._columns[variable]), variable

    def _off(self, variable: int) -> int:
        value, high = self.values[variable], self.highs[variable]
        if value < self.lows[variable]:
            return -1
        return int(high is not None and value > high)

    def _can(self, variable: int, up: bool) -> bool:
        if not up:
            return self.values[variable] > self.lows[variable]
        high = self.highs[variable]
        return high is None or self.values[variable] < high

    def _move(self, variable: int, value: Number) -> None:
        step = value - self.values[variable]
        if step:
            self.values[variable] = value
            for row in self._columns[variable]:
                self.values[row] = _number(self.values[row] + self._rows[row][variable] * step)

    def _pivot(self, leaving: int, entering: int) -> None:
        """Solve the row of `leaving` for `entering`, and put that into all other rows."""
        row = self._rows.pop(leaving)
        times = row.pop(entering)
        solved = {index: _number(-Fraction(n) / times) for index, n in row.items()}
        solved[leaving] = _number(1 / Fraction(times))
        for index in row:
            self._columns[index].discard(leaving)
        others = self._columns.pop(entering)
        others.discard(leaving)
        self._columns[leaving] = set()
        for other in others:
            target = self._rows[other]
            factor = target.pop(entering)
            for index, n in solved.items():
                found = _number(target.get(index, 0) + factor * n)
                if found:
                    target[index] = found
                    self._columns[index].add(other)
                else:
                    target.pop(index, None)
                    self._columns[index].discard(other)
        self._rows[entering] = solved
        for index in solved:
            self._columns[index].add(entering)


def _into(value: Number, low: Number, high: Number | None) -> Number:
    value = max(value, low)
    return value if high is None else min(value, high)


def _number(number: Number) -> Number:
    return int(number) if number.denominator == 1 else number
