"""Exact rows to integers: largest remainders in the tree, then the exchanges that the limits need."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from flanmix.rates.problem import Limit, Problem
from flanmix.rates.remainders import largest_remainder
from flanmix.rates.simplex import Number, Simplex
from flanmix.rates.tree import Leaf, Node, total

BRANCHES = 300


def counts_of(problem: Problem, rows: Sequence[Fraction]) -> list[int]:
    """Integers that add up to the budget and keep every limit, or as near as was found (see `missed`).

    The largest remainders of the tree stand where they can. Where a limit needs rows exchanged between leaves, each
    leaf stays within one row of its exact number if that can be had, and within its own limits in any case.
    """
    counts: list[int] = []
    _round(problem.root, rows, problem.rows, counts)
    for near in (True, False):
        if not missed(problem, counts):
            break
        counts = _exchanged(problem, rows, counts, near) or counts
    return counts


def missed(problem: Problem, counts: Sequence[int]) -> list[tuple[Limit, int]]:
    """The limits that the integers do not keep, with what they have."""
    found = []
    for limit in problem.limits:
        low, high = _whole(limit.low, limit.high)
        have = sum(counts[leaf] for leaf in limit.leaves)
        if have < low or (high is not None and have > high):
            found.append((limit, have))
    return found


def _whole(low: Fraction, high: Fraction | None) -> tuple[int, int | None]:
    """Limits in whole rows: inwards, but outwards where something is fixed between two of them."""
    least, most = -(-low // 1), None if high is None else high // 1
    return (most, least) if most is not None and least > most else (least, most)


def _round(node: Node, rows: Sequence[Fraction], count: int, counts: list[int]) -> None:
    """Append the integers of a node's leaves, which add up to `count`."""
    if isinstance(node, Leaf):
        counts.append(count)
        return
    amounts, place = [], len(counts)
    for child in node.children:
        size = _size(child)
        amounts.append(total(rows[place : place + size]))
        place += size
    shares = largest_remainder(amounts, [child.name for child in node.children], count)
    for child, share in zip(node.children, shares, strict=True):
        _round(child, rows, share, counts)


def _size(node: Node) -> int:
    return 1 if isinstance(node, Leaf) else sum(map(_size, node.children))


def _exchanged(problem: Problem, rows: Sequence[Fraction], counts: Sequence[int], near: bool) -> list[int] | None:
    """The integers after an exchange of rows between classes that makes every limit hold; None if none was found."""
    spans = [_whole(low, high) for low, high in problem.bounds]
    if near:
        spans = [_near(span, x) for span, x in zip(spans, rows, strict=True)]
    lows: list[Number] = [sum(spans[leaf][0] for leaf in members) for members in problem.classes]
    highs = [_sum_or_none([spans[leaf][1] for leaf in members]) for members in problem.classes]
    values = [sum(counts[leaf] for leaf in members) for members in problem.classes]
    for limit in problem.limits:
        low, high = _whole(limit.low, limit.high)
        lows.append(low)
        highs.append(high)
    simplex = Simplex(problem.class_sets, values, [*lows, problem.rows], [*highs, problem.rows])
    found = _integral(simplex, len(values))
    if found is None:
        return None
    new = list(counts)
    for members, amount in zip(problem.classes, found, strict=True):
        _spread(members, amount, rows, spans, new, lambda leaf: problem.leaves[leaf].name)
    return new


def _near(span: tuple[int, int | None], x: Fraction) -> tuple[int, int | None]:
    low, high = x // 1, -(-x // 1)
    return max(span[0], low), high if span[1] is None else min(span[1], high)


def _sum_or_none(numbers: Sequence[int | None]) -> Number | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _integral(simplex: Simplex, classes: int) -> list[int] | None:
    """Whole numbers inside all bounds, by branching on the first that is not; None after too many branches."""
    stack: list[list[tuple[int, Number, Number | None]]] = [[]]
    bounds = [(simplex.lows[index], simplex.highs[index]) for index in range(classes)]
    for _ in range(BRANCHES):
        if not stack:
            return None
        cuts = stack.pop()
        for index, (low, high) in enumerate(bounds):
            simplex.bound(index, low, high)
        for index, low, high in cuts:
            simplex.bound(index, max(low, simplex.lows[index]), _least(high, simplex.highs[index]))
        if any((high := simplex.highs[index]) is not None and simplex.lows[index] > high for index, _, _ in cuts):
            continue
        if simplex.solve() is not None:
            continue
        values = simplex.values[:classes]
        split = next((index for index, value in enumerate(values) if value.denominator != 1), None)
        if split is None:
            return [int(value) for value in values]
        floor = values[split] // 1
        stack.append([*cuts, (split, floor + 1, None)])
        stack.append([*cuts, (split, bounds[split][0], floor)])
    return None


def _least(one: Number | None, other: Number | None) -> Number | None:
    known = [number for number in (one, other) if number is not None]
    return min(known) if known else None


def _spread(
    members: Sequence[int],
    amount: int,
    rows: Sequence[Fraction],
    spans: Sequence[tuple[int, int | None]],
    counts: list[int],
    name: Callable[[int], str],
) -> None:
    """Change the integers of a class to add up to `amount`, a row at a time where it is furthest from exact."""
    step = 1 if amount > sum(counts[leaf] for leaf in members) else -1
    while sum(counts[leaf] for leaf in members) != amount:
        open_ = [leaf for leaf in members if _open(counts[leaf] + step, spans[leaf])]
        leaf = min(open_, key=lambda leaf: (step * (counts[leaf] - rows[leaf]), name(leaf), leaf))
        counts[leaf] += step


def _open(count: int, span: tuple[int, int | None]) -> bool:
    return span[0] <= count and (span[1] is None or count <= span[1])
