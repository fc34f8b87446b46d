"""From converged factors to exact rows: rational where the limits that bind do not cross."""

from collections.abc import Sequence
from fractions import Fraction

from flanmix.rates.problem import Problem
from flanmix.rates.project import Projection
from flanmix.rates.simplex import Simplex
from flanmix.rates.tree import Leaf, Poured, fill, total

_GRAIN = 1 << 24
_BINDS = 1e-9


def rows_of(problem: Problem, base: Sequence[Poured], found: Projection, converged: bool) -> list[Fraction]:
    """The exact rows of every leaf. Where binding limits cross, in units of 2^-24 rows; else rational numbers.

    Where the factors run off to 0 or without end, because some leaves can have nothing at all, they do not converge:
    then the rows are moved from where they came to into the limits.
    """
    held = _held(problem, found)
    nested = _nested(problem, base, found, held)
    if nested is not None and sum(nested) == problem.rows and _within(problem, nested):
        return nested
    rows = [
        Fraction(round(value * _GRAIN), _GRAIN) if fixed is None else fixed
        for value, fixed in zip(found.rows(), held, strict=True)
    ]
    free = [leaf for leaf, fixed in enumerate(held) if fixed is None]
    if not converged:
        return _moved(problem, rows)
    if free:
        rows[max(free, key=lambda leaf: (rows[leaf], -leaf))] += problem.rows - total(rows)
    return rows


def _moved(problem: Problem, rows: Sequence[Fraction]) -> list[Fraction]:
    """The rows with those of some classes scaled so that every limit holds; as they are if none can be found."""
    lows: list[Fraction | int] = []
    highs: list[Fraction | int | None] = []
    for members in problem.classes:
        known = [high for leaf in members if (high := problem.bounds[leaf][1]) is not None]
        lows.append(total(problem.bounds[leaf][0] for leaf in members))
        highs.append(total(known) if len(known) == len(members) else None)
    simplex = Simplex(
        problem.class_sets,
        [total(rows[leaf] for leaf in members) for members in problem.classes],
        [*lows, *(limit.low for limit in problem.limits), problem.rows],
        [*highs, *(limit.high for limit in problem.limits), problem.rows],
    )
    if simplex.solve() is not None:
        return list(rows)
    moved = list(rows)
    for members, amount in zip(problem.classes, simplex.values, strict=False):
        leaves = [Leaf("", rows[leaf] + Fraction(1, _GRAIN)) for leaf in members]
        spans = [problem.bounds[leaf] for leaf in members]
        parts, _, _ = fill(leaves, Fraction(amount), [low for low, _ in spans], [high for _, high in spans])
        for leaf, part in zip(members, parts, strict=True):
            moved[leaf] = part
    return moved


def binding(found: Projection) -> list[str]:
    """For each limit, the side on which it binds, or an empty word."""
    return [("low" if f > 1 else "high") if abs(f - 1) > _BINDS else "" for f in found.factors[:-1]]


def _held(problem: Problem, found: Projection) -> list[Fraction | None]:
    """The leaves at their floors and ceilings."""
    held: list[Fraction | None] = []
    for scaled, (low, high) in zip(found.scaled, problem.bounds, strict=True):
        held.append(low if scaled <= low else high if high is not None and scaled >= high else None)
    return held


def _within(problem: Problem, rows: Sequence[Fraction]) -> bool:
    inside = (low <= x and (high is None or x <= high) for x, (low, high) in zip(rows, problem.bounds, strict=True))
    return all(inside) and not any(True for _ in problem.off(rows))


def _nested(
    problem: Problem, base: Sequence[Poured], found: Projection, held: Sequence[Fraction | None]
) -> list[Fraction] | None:
    """Exact rows where the binding limits lie inside or beside each other; None where they cross.

    Each free leaf belongs to the innermost limit that binds it, and shares by pressure what that limit leaves.
    """
    sides = binding(found)
    active = [(limit.leaves, limit.low if side == "low" else limit.high or Fraction(0))
              for limit, side in zip(problem.limits, sides, strict=True) if side]  # fmt: skip
    active.append((tuple(range(len(held))), Fraction(problem.rows)))
    free_of = [[leaf for leaf in leaves if held[leaf] is None] for leaves, _ in active]
    around = [-1] * len(held)
    amounts: dict[int, Fraction] = {}
    rows = [Fraction(0) if fixed is None else fixed for fixed in held]
    for number in sorted(range(len(active)), key=lambda n: (len(free_of[n]), n)):
        leaves, target = active[number]
        free = free_of[number]
        inner = {around[leaf] for leaf in free} - {-1}
        if sum(len(free_of[n]) for n in inner) != sum(around[leaf] != -1 for leaf in free):
            return None
        amounts[number] = target - total(held[leaf] or Fraction(0) for leaf in leaves)
        direct = [leaf for leaf in free if around[leaf] == -1]
        left = amounts[number] - total(amounts[n] for n in inner)
        weight = total(base[leaf].pressure for leaf in direct)
        if direct and not weight:
            return None
        for leaf in direct:
            rows[leaf] = left * base[leaf].pressure / weight
        for leaf in free:
            around[leaf] = number
    return rows
