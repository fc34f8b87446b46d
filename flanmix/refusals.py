"""What cannot be had, in words: which limit is in the way, and the nearest number that can be had."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flanmix.errors import Problem
from flanmix.origin import Where
from flanmix.rates import Conflict, Group, InfeasibleError, Quota, ceiling_of, floor_of, named, solve

_STEPS = 8
_MOST = 1 << 60


@dataclass(frozen=True)
class Asked:
    """What was to be solved: `total` rows (or tokens: `unit`) in a tree under quotas, for a mixture or a stage.

    `where` is where the limits of a part, a type … (by kind and name) are written; `replayed` of the total come from
    earlier stages; `of` gives the same with another budget of its own, whose limits may be others, as those in shares
    go along with it.
    """

    root: Group
    total: int
    quotas: Sequence[Quota]
    where: Callable[[str, str], Where]
    kind: str
    unit: str
    replayed: int
    of: Callable[[int], "Asked"]


def refusals(asked: Asked, conflicts: Sequence[Conflict]) -> list[Problem]:
    """What cannot be had, in words: of limits that are in each other's way, the first, which names the others."""
    order = {asked.kind: 0, "part": 2, "task": 2}
    kept: list[Conflict] = []
    for conflict in sorted(conflicts, key=lambda conflict: order.get(conflict.node.kind, 1)):
        if not any(named(conflict.node) in other.among or named(other.node) in conflict.among for other in kept):
            kept.append(conflict)
    return [_refusal(asked, conflict) for conflict in kept]


def _refusal(asked: Asked, conflict: Conflict) -> Problem:
    """A conflict in words, with the nearest number that can be had."""
    whole, most = conflict.node.kind == asked.kind, conflict.asked > conflict.nearest
    brought = asked.replayed if whole else 0
    name, nearest = f"the {conflict.node.kind} '{conflict.node.name}'", number(conflict.nearest - brought)
    together = f" because of {', '.join(conflict.among)}" if conflict.among else ""
    together += " in whole rows" if conflict.whole else ""
    amount = f"{number(conflict.asked - brought)} {asked.unit}"
    if most:
        what = f"{name} is to give {amount}, and can give {nearest} at most{together}"
        verb, more = "ask for", "raise what holds it (max_epochs, max_share, fixed rows)"
    elif whole:
        what = f"{name} is to give {amount}, and what its tasks must give takes {nearest}{together}"
        verb, more = "raise it to", "lower what takes it (fixed rows, min_share, min_rows)"
    else:
        what = f"{name} may give {amount} at most, and {', '.join(conflict.among) or 'its tasks'} must give {nearest}"
        verb, more = "raise it to", "lower what takes it (fixed rows, min_share, min_rows)"
    step = f"{verb} {nearest},"
    if whole:
        budget = (_largest if most else _smallest)(asked, int(conflict.nearest) - brought)
        step = f"no number of {asked.unit} will do:" if budget is None else f"{verb} {budget:,},"
    return asked.where(conflict.node.kind, conflict.node.name).problem(what, f"{step} {more}, or give --relax")


def _smallest(asked: Asked, least: int) -> int | None:
    """The smallest budget from `least` on (but for rounding) that holds its floors, which may grow with it."""

    def holds(budget: int) -> bool:
        other = asked.of(budget)
        return floor_of(other.root) <= other.total

    most = least = max(least, 1)
    while not holds(most):
        most *= 2
        if most > _MOST:
            return None
    return _solvable(asked, least + bisect_left(range(least, most), True, key=holds))


def _largest(asked: Asked, most: int) -> int | None:
    """The largest budget up to `most` (but for rounding) that its ceilings reach, which may shrink with it."""

    def lacks(budget: int) -> bool:
        other = asked.of(budget)
        high = ceiling_of(other.root)
        return high is not None and high < other.total

    return _solvable(asked, bisect_left(range(1, most + 1), True, key=lacks))


def _solvable(asked: Asked, budget: int) -> int | None:
    """The budget, or one that its quotas make of it in a few steps; None where none is found."""
    for _ in range(_STEPS):
        if budget < 1:
            return None
        other = asked.of(budget)
        try:
            solve(other.root, other.total, other.quotas)
        except InfeasibleError as error:
            nearest = [int(each.nearest) - other.replayed for each in error.conflicts if each.node.kind == asked.kind]
            if not nearest or nearest[0] == budget:
                return None
            budget = nearest[0]
        else:
            return budget
    return None


def number(rows: Fraction) -> str:
    """A number for people.

    >>> number(Fraction(1200)), number(Fraction(5, 2))
    ('1,200', '2.5')
    """
    return f"{int(rows):,}" if rows.denominator == 1 else f"{float(rows):,.1f}"
