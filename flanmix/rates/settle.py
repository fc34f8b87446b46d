"""What cannot be had at once: every set of limits that contradict each other, and the nearest numbers that do not."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from flanmix.rates.problem import Problem
from flanmix.rates.quotas import Conflict, Owner, named, shortened
from flanmix.rates.simplex import Bound, Simplex
from flanmix.rates.tree import total


@dataclass
class Settled:
    """Floors and ceilings that can be had together: per leaf, per limit, and the budget; and what was in the way."""

    leaf_lows: list[Fraction]
    lows: list[Fraction]
    highs: list[Fraction | None]
    rows: int
    conflicts: list[Conflict] = field(default_factory=list)


def settle(problem: Problem) -> Settled:
    """Lower floors, and the budget where the ceilings do not reach it, until real numbers satisfy all of them.

    First a limit whose own ceiling is below its floor, then the budget, then each floor that cannot be had alone,
    then floors that cannot be had together, in proportion. Ceilings stay: what there is of a task is a fact.
    """
    return _Settling(problem).run()


class _Settling:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.found = Settled(
            [low for low, _ in problem.bounds],
            [limit.low for limit in problem.limits],
            [limit.high for limit in problem.limits],
            problem.rows,
        )
        self.classes = len(problem.classes)
        self.budget = self.classes + len(problem.limits)
        members = [[problem.bounds[leaf][1] for leaf in leaves] for leaves in problem.classes]
        self.class_highs = [None if None in highs else total(h for h in highs if h is not None) for highs in members]
        zeros = [0] * (self.budget + 1)
        self.simplex = Simplex(problem.class_sets, zeros[: self.classes], zeros, [*self.class_highs, *self._highs()])

    def _highs(self) -> list[Fraction | int | None]:
        return [*self.found.highs, self.found.rows]

    def run(self) -> Settled:
        self._own_ceilings()
        self._lower_budget()
        floors = [variable for variable in range(self.budget) if self._low(variable)]
        for variable in floors:
            self._floor(variable, self._low(variable))
            while proof := self.simplex.solve():
                self._give_way(proof)
            self._floor(variable, Fraction(0))
        for variable in floors:
            self._floor(variable, self._low(variable))
        while proof := self.simplex.solve():
            self._give_way(proof)
        return self.found

    def _own_ceilings(self) -> None:
        for number, (low, high) in enumerate(zip(self.found.lows, self.found.highs, strict=True)):
            if high is not None and low > high:
                self.found.conflicts.append(Conflict(self.problem.limits[number].owner, low, high))
                self.found.lows[number] = high

    def _lower_budget(self) -> None:
        """With no floors, only the ceilings can stand against the budget."""
        rows = self.found.rows
        self.simplex.bound(self.budget, rows, rows)
        while proof := self.simplex.solve():
            gap, times = self._gap(proof), next(b.times for b in proof if b.variable == self.budget)
            self._note(proof, gap)
            rows = int((rows - gap / times) // 1)
            self.simplex.bound(self.budget, rows, rows)
        if rows != self.found.rows:
            for number, conflict in enumerate(self.found.conflicts):
                if conflict.node is self.problem.root:
                    self.found.conflicts[number] = replace(conflict, nearest=Fraction(rows))
            self.found.rows = rows

    def _low(self, variable: int) -> Fraction:
        if variable < self.classes:
            return total(self.found.leaf_lows[leaf] for leaf in self.problem.classes[variable])
        return self.found.lows[variable - self.classes]

    def _floor(self, variable: int, low: Fraction) -> None:
        if low != self.simplex.lows[variable]:
            self.simplex.bound(variable, low, self.simplex.highs[variable])

    def _gap(self, proof: list[Bound]) -> Fraction:
        """By how much the floors of a contradiction, each as often as it counts, exceed its ceilings."""
        gap = Fraction(0)
        for bound in proof:
            if bound.side == "low":
                gap += bound.times * self.simplex.lows[bound.variable]
            else:
                high = self.simplex.highs[bound.variable]
                assert high is not None
                gap -= bound.times * high
        return gap

    def _give_way(self, proof: list[Bound]) -> None:
        """Note a contradiction, and scale its floors down, in whole rows, until it is none."""
        gap = self._gap(proof)
        floors = [b for b in proof if b.side == "low" and b.variable != self.budget and self.simplex.lows[b.variable]]
        self._note(proof, gap)
        asked = total(bound.times * self.simplex.lows[bound.variable] for bound in floors)
        keep = 1 - gap / asked
        for bound in floors:
            if bound.variable < self.classes:
                for leaf in self.problem.classes[bound.variable]:
                    self.found.leaf_lows[leaf] = Fraction(self.found.leaf_lows[leaf] * keep // 1)
            else:
                number = bound.variable - self.classes
                self.found.lows[number] = Fraction(self.found.lows[number] * keep // 1)
            self._floor(bound.variable, self._low(bound.variable))

    def _note(self, proof: list[Bound], gap: Fraction) -> None:
        """A conflict for every limit of a contradiction; for its tasks, where no other limit takes part."""
        words = self._words(proof)
        found: list[tuple[Owner, Fraction, Fraction]] = []
        for bound in proof:
            asked = self.simplex.lows[bound.variable] if bound.side == "low" else self.simplex.highs[bound.variable]
            change = gap / bound.times if bound.side == "low" else -gap / bound.times
            if bound.variable >= self.classes and asked is not None and (asked or bound.side == "high"):
                owner = self._owner(bound.variable)
                found.append((owner, Fraction(asked), max(Fraction(0), asked - change)))
        if not found:
            for bound in proof:
                if bound.side == "low":
                    for leaf in self.problem.classes[bound.variable]:
                        low = self.found.leaf_lows[leaf]
                        if low:
                            found.append((self.problem.leaves[leaf], low, max(Fraction(0), low - gap / bound.times)))
        known = {id(conflict.node) for conflict in self.found.conflicts}
        for owner, asked, nearest in found:
            if id(owner) not in known:
                others = tuple(word for word in words if word != named(owner))
                self.found.conflicts.append(Conflict(owner, asked, nearest, others))

    def _owner(self, variable: int) -> Owner:
        return self.problem.root if variable == self.budget else self.problem.limits[variable - self.classes].owner

    def _words(self, proof: list[Bound]) -> list[str]:
        """Kind and name of the limits in a contradiction, and of the tasks whose floors take part."""
        limits = [
            self._owner(bound.variable)
            for bound in proof
            if bound.variable >= self.classes and (bound.side == "high" or self.simplex.lows[bound.variable])
        ]
        return [named(owner) for owner in limits] + shortened(list(self._tasks(proof)))

    def _tasks(self, proof: list[Bound]) -> Iterator[Owner]:
        for bound in proof:
            if bound.variable < self.classes and bound.side == "low":
                for leaf in self.problem.classes[bound.variable]:
                    if self.found.leaf_lows[leaf]:
                        yield self.problem.leaves[leaf]
