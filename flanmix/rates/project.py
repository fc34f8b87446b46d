"""Quotas over a poured tree: each binding limit scales its leaves by one factor, until all hold.

This is the projection in relative entropy (Csiszár 1975) of the leaves' pressures onto the limits: minimise
sum(x log(x / pressure) - x) between floors and ceilings. Its solution has the form clamp(pressure * product of
factors), a factor above 1 only for a floor that binds, below 1 only for a ceiling that binds. Found by one exact step
per limit in turn (iterative proportional fitting with clipping) and Newton steps over the limits that bind.
Only + - * / of floats and `fsum`, which IEEE 754 defines to the bit: the same on every machine.
"""

import math
from collections.abc import Iterable, Sequence

from flanmix.rates.problem import Problem
from flanmix.rates.tree import Poured

ROUNDS = 60
_NEWTON = 8
_STEPS = (1.0, 0.5, 0.25, 0.05)
_TINY = 1e-9
_LEAST = 1e-12


class Projection:
    """Rows and factors as they converge; the last limit is the budget."""

    def __init__(self, problem: Problem, base: Sequence[Poured]) -> None:
        self.problem = problem
        self.lows = [float(low) for low, _ in problem.bounds]
        self.highs = [math.inf if high is None else float(high) for _, high in problem.bounds]
        self.scaled = [float(leaf.pressure or leaf.asked) or _TINY for leaf in base]
        self.sets = [*(limit.leaves for limit in problem.limits), tuple(range(len(base)))]
        self.targets = [
            *((float(limit.low), math.inf if limit.high is None else float(limit.high)) for limit in problem.limits),
            (float(problem.rows), float(problem.rows)),
        ]
        self.factors = [1.0] * len(self.sets)

    def rows(self) -> list[float]:
        """The rows of every leaf at the present factors."""
        return [
            low if y < low else high if y > high else y
            for y, low, high in zip(self.scaled, self.lows, self.highs, strict=True)
        ]

    def converge(self) -> bool:
        """Turn until every limit holds and every factor is on its side of 1; False if that takes too long."""
        tolerance = 1e-7 + self.problem.rows * 1e-14
        for _ in range(ROUNDS):
            for number in range(len(self.sets)):
                self._fit(number)
            residuals = self._residuals()
            if max(map(abs, residuals)) <= tolerance:
                return True
            for _ in range(_NEWTON):
                nearer = self._newton(residuals)
                if nearer is None or max(map(abs, nearer)) <= tolerance:
                    break
                residuals = nearer
        return False

    def _fit(self, number: int) -> None:
        """The exact factor for one limit, all others as they are."""
        members, (low, high), factor = self.sets[number], self.targets[number], self.factors[number]
        bare = [self.scaled[leaf] / factor for leaf in members]
        lows, highs = [self.lows[leaf] for leaf in members], [self.highs[leaf] for leaf in members]
        have = math.fsum(max(a, min(y, b)) for y, a, b in zip(bare, lows, highs, strict=True))
        new = 1.0
        if have < low or have > high:
            new = _kept(_level(bare, lows, highs, low if have < low else high))
        self.factors[number] = new
        if new != factor:
            for leaf, y in zip(members, bare, strict=True):
                self.scaled[leaf] = y * new

    def _residuals(self) -> list[float]:
        """How far each limit is from where it has to be: at its side where its factor says so, else inside."""
        rows, found = self.rows(), []
        for members, (low, high), factor in zip(self.sets, self.targets, self.factors, strict=True):
            have = math.fsum(rows[leaf] for leaf in members)
            if low == high or (factor > 1) or (factor == 1 and have < low):
                found.append(low - have)
            elif factor < 1 or have > high:
                found.append(high - have)
            else:
                found.append(0.0)
        return found

    def _newton(self, residuals: Sequence[float]) -> list[float] | None:
        """One Newton step for the factors that are not 1, shorter where that helps more; None if no step helps."""
        active = [n for n, factor in enumerate(self.factors) if factor != 1 or residuals[n] or n == len(self.sets) - 1]
        place = {number: index for index, number in enumerate(active)}
        matrix = [[0.0] * len(active) for _ in active]
        for members in self.problem.classes:
            free = math.fsum(y for leaf in members if self.lows[leaf] < (y := self.scaled[leaf]) < self.highs[leaf])
            numbers = [place[n] for n in (*self.problem.memberships[members[0]], len(self.sets) - 1) if n in place]
            for first in numbers:
                for second in numbers:
                    matrix[first][second] += free
        steps = _solved(matrix, [residuals[number] for number in active])
        before, kept = _size(residuals), (self.scaled[:], self.factors[:])
        for part in _STEPS:
            for number, step in zip(active, steps, strict=True):
                factor = self.factors[number]
                times = _kept(factor * (1 + part * max(-0.75, min(3.0, step)))) / factor
                self.factors[number] *= times
                for leaf in self.sets[number]:
                    self.scaled[leaf] *= times
            after = self._residuals()
            if _size(after) < before:
                return after
            self.scaled, self.factors = kept[0][:], kept[1][:]
        return None


def _size(residuals: Sequence[float]) -> float:
    return math.fsum(value * value for value in residuals)


def _kept(factor: float) -> float:
    """A factor that runs off to 0 or without end, kept where its products are numbers."""
    return max(_LEAST, min(1 / _LEAST, factor))


def _level(values: Sequence[float], lows: Sequence[float], highs: Sequence[float], target: float) -> float:
    """The factor at which the values, each held between its low and high, add up to `target`: water-filling."""
    free, left, level = list(range(len(values))), target, 1.0
    while free:
        weight = math.fsum(values[i] for i in free)
        level = left / weight
        if level <= 0:
            return _LEAST
        under = [i for i in free if values[i] * level < lows[i]]
        over = [i for i in free if values[i] * level > highs[i]]
        lacking = math.fsum(lows[i] - values[i] * level for i in under)
        excess = math.fsum(values[i] * level - highs[i] for i in over)
        if not under and not over:
            return level
        if under and lacking >= excess:
            fixed, bounds = under, lows
        else:
            fixed, bounds = over, highs
        left -= math.fsum(bounds[i] for i in fixed)
        gone = set(fixed)
        free = [i for i in free if i not in gone]
    return level


def _solved(matrix: list[list[float]], right: Iterable[float]) -> list[float]:
    """Gaussian elimination of a symmetric positive semidefinite matrix; what has no pivot stays as it is."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    least = 1e-12 * max((rows[i][i] for i in range(size)), default=0.0)
    used = []
    for i in range(size):
        pivot = rows[i][i]
        if pivot <= least:
            continue
        used.append(i)
        top = rows[i] = [value / pivot for value in rows[i]]
        for j in range(i + 1, size):
            if times := rows[j][i]:
                rows[j] = [a - times * b for a, b in zip(rows[j], top, strict=True)]
    found = [0.0] * size
    for i in reversed(used):
        found[i] = rows[i][size] - math.fsum(rows[i][j] * found[j] for j in used if j > i)
    return found
