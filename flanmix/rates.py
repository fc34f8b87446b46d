"""Sizes to shares to integers: how many rows each task gives.

A tree of groups (mixture, parts, nested mixtures) has tasks at its leaves. A budget of rows is poured into it from
the top: each child gets rows in proportion to its weight, held between its floor and its ceiling, and what a
ceiling turns away goes to its siblings (water-filling). All of it is exact rational arithmetic; the integers of a
group's children are the largest remainders of their exact numbers, ties by name, and add up to the group's integer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

_POWER = Context(prec=28, Emax=300)
_RATE = Context(prec=12, Emax=300)


@dataclass(frozen=True)
class Leaf:
    """One task on one path: `weight` among its siblings, rows between `low` and `high` (None: no ceiling).

    Weight 0 is for what is fixed: it gets its `low`, which is its `high` too.
    """

    name: str
    weight: Fraction
    low: Fraction = Fraction(0)
    high: Fraction | None = None
    kind: str = "task"


@dataclass(frozen=True)
class Group:
    """A part or a mixture: its children share what it gets. Weight, floor and ceiling as of a `Leaf`."""

    name: str
    weight: Fraction
    children: tuple["Group | Leaf", ...]
    low: Fraction = Fraction(0)
    high: Fraction | None = None
    kind: str = "part"


Node: TypeAlias = Group | Leaf


@dataclass(frozen=True)
class Poured:
    """What a leaf got: `rows` exact, `count` the integer, `asked` without floors and ceilings, `bound` what held it."""

    leaf: Leaf
    rows: Fraction
    count: int
    asked: Fraction
    bound: str = ""


@dataclass(frozen=True)
class Conflict:
    """What cannot be had: `node` is to give `asked` rows, and `nearest` is what it can give (more or less)."""

    node: Node
    asked: Fraction
    nearest: Fraction


class InfeasibleError(Exception):
    """No rows satisfy all limits: every conflict in the tree."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(conflicts)
        self.conflicts = tuple(conflicts)


def exact(number: float) -> Fraction:
    """The decimal that a float was written as, so that 0.29 of 50,000 is 14,500.

    >>> exact(0.29) * 50_000
    Fraction(14500, 1)
    """
    return Fraction(repr(number))


@lru_cache(maxsize=1 << 16)
def rate(size: int, rate_cap: int | None = None, temperature: float | None = None) -> Fraction:
    """min(size, rate_cap)^(1/T), the examples-proportional rate of T5 (Raffel et al. 2020, section 3.5.2).

    The power is taken in decimals and rounded to 12 digits, so that every machine has the same rate; it raises
    `ArithmeticError` beyond 1e300.

    >>> rate(10_000, rate_cap=2_500, temperature=2)
    Fraction(50, 1)
    """
    counted = size if rate_cap is None else min(size, rate_cap)
    if temperature is None or temperature == 1:
        return Fraction(counted)
    exponent = _POWER.divide(Decimal(1), Decimal(repr(temperature)))
    return Fraction(_RATE.plus(_POWER.power(Decimal(counted), exponent)))


def _children(node: Node) -> tuple[Node, ...]:
    return node.children if isinstance(node, Group) else ()


def floor_of(node: Node) -> Fraction:
    """The rows that a node takes at least: its own floor or its children's, whichever is more."""
    return max(node.low, sum((floor_of(child) for child in _children(node)), Fraction(0)))


def ceiling_of(node: Node) -> Fraction | None:
    """The rows that a node takes at most, or None where nothing stops it."""
    highs = [node.high]
    if isinstance(node, Group):
        inner = [ceiling_of(child) for child in node.children]
        highs.append(None if None in inner else sum((high for high in inner if high is not None), Fraction(0)))
    known = [high for high in highs if high is not None]
    return min(known) if known else None


def pour(node: Node, rows: int) -> list[Poured]:
    """Pour `rows` into a tree: what each leaf gets, in the order of the leaves. Raises `InfeasibleError`."""
    conflicts = [conflict for child in _children(node) for conflict in _conflicts(child)]
    low, high = floor_of(node), ceiling_of(node)
    if high is not None and rows > high:
        conflicts.append(Conflict(node, Fraction(rows), high))
    elif rows < low and not conflicts:
        conflicts.append(Conflict(node, Fraction(rows), low))
    if conflicts:
        raise InfeasibleError(conflicts)
    return list(_pour(node, Fraction(rows), rows, Fraction(rows), ""))


def _conflicts(node: Node) -> Iterator[Conflict]:
    """The innermost nodes whose floor lies above their ceiling: what is around them follows from them."""
    inner = [conflict for child in _children(node) for conflict in _conflicts(child)]
    low, high = floor_of(node), ceiling_of(node)
    if not inner and high is not None and low > high:
        inner = [Conflict(node, low, high)]
    yield from inner


def _pour(node: Node, rows: Fraction, count: int, asked: Fraction, bound: str) -> Iterator[Poured]:
    if isinstance(node, Leaf):
        yield Poured(node, rows, count, asked, bound)
        return
    amounts, reasons = _fill(node.children, rows)
    counts = largest_remainder(amounts, [child.name for child in node.children], count)
    fixed = sum((child.low for child in node.children if not child.weight), Fraction(0))
    total = sum((child.weight for child in node.children), Fraction(0))
    for index, child in enumerate(node.children):
        share = max(asked - fixed, Fraction(0)) * child.weight / total if child.weight else child.low
        yield from _pour(child, amounts[index], counts[index], share, reasons[index] or bound)


def _fill(children: Sequence[Node], rows: Fraction) -> tuple[list[Fraction], list[str]]:
    """Water-filling: amounts in proportion to the weights, each within its floor and ceiling, that add up to `rows`.

    The amount of a child is clamp(level * weight); it grows with the level, so the children that the current level
    would push past a limit on the side that is in excess can be fixed there for good, and the rest filled again.
    """
    lows = [floor_of(child) for child in children]
    highs = [ceiling_of(child) for child in children]
    amounts = {index: lows[index] for index, child in enumerate(children) if not child.weight}
    reasons = [""] * len(children)
    while len(amounts) < len(children):
        free = [index for index in range(len(children)) if index not in amounts]
        left = rows - sum(amounts.values(), Fraction(0))
        weight = sum((children[index].weight for index in free), Fraction(0))
        ideal = {index: left * children[index].weight / weight for index in free}
        under = {index: lows[index] for index in free if ideal[index] < lows[index]}
        over = {index: high for index in free if (high := highs[index]) is not None and ideal[index] > high}
        lacking = sum((low - ideal[index] for index, low in under.items()), Fraction(0))
        excess = sum((ideal[index] - high for index, high in over.items()), Fraction(0))
        fixed, reason = (under, "min_share") if lacking >= excess and under else (over, "max_epochs")
        if not fixed:
            fixed, reason = ideal, ""
        for index, amount in fixed.items():
            amounts[index], reasons[index] = amount, reason
    return [amounts[index] for index in range(len(children))], reasons


def largest_remainder(rows: Sequence[Fraction], names: Sequence[str], total: int) -> list[int]:
    """Integers that add up to `total`, each the floor or the ceiling of its exact number (Hamilton's method).

    The rows left over after rounding down go to the largest remainders; equal remainders go by name.

    >>> largest_remainder([Fraction(10, 3)] * 3, ["b", "a", "c"], 10)
    [3, 4, 3]
    """
    counts = [int(number) for number in rows]
    by_remainder = sorted(range(len(rows)), key=lambda index: (counts[index] - rows[index], names[index], index))
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts
