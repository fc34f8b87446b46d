"""Sizes to shares to integers: how many rows each task gives.

A tree of groups (mixture, parts, nested mixtures) has tasks at its leaves. A budget of rows is poured into it from
the top: each child gets rows in proportion to its weight, held between its floor and its ceiling, and what a
ceiling turns away goes to its siblings (water-filling). All of it is exact rational arithmetic; the last step to
integers is by largest remainder, ties by name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True)
class Leaf:
    """One task on one path: `weight` among its siblings, rows between `low` and `high` (None: no ceiling)."""

    name: str
    weight: Fraction
    low: Fraction = Fraction(0)
    high: Fraction | None = None


@dataclass(frozen=True)
class Group:
    """A part or a mixture: its children share what it gets."""

    name: str
    weight: Fraction
    children: tuple["Group | Leaf", ...]
    low: Fraction = Fraction(0)
    high: Fraction | None = None


Node: TypeAlias = Group | Leaf


@dataclass(frozen=True)
class Poured:
    """What a leaf got: `rows` exact, `asked` as its share without floors and ceilings, `bound` what held it."""

    leaf: Leaf
    rows: Fraction
    asked: Fraction
    bound: str = ""


class Infeasible(Exception):
    """No rows satisfy all limits: `node` cannot take `asked` rows; `nearest` is what it can."""

    def __init__(self, node: str, asked: Fraction, nearest: Fraction, limit: str) -> None:
        super().__init__(f"{node}: {limit}")
        self.node, self.asked, self.nearest, self.limit = node, asked, nearest, limit


def exact(number: float) -> Fraction:
    """The decimal that a float was written as, so that 0.29 of 50,000 is 14,500.

    >>> exact(0.29) * 50_000
    Fraction(14500, 1)
    """
    return Fraction(repr(number))


def rate(size: int, rate_cap: int | None = None, temperature: float | None = None) -> Fraction:
    """min(size, rate_cap)^(1/T), the examples-proportional rate of T5 (Raffel et al. 2020, section 3.5.2).

    The power is rounded to 12 digits, so that every machine's mathematics library gives the same rate.

    >>> rate(10_000, rate_cap=2_500, temperature=2)
    Fraction(50, 1)
    """
    counted = size if rate_cap is None else min(size, rate_cap)
    if temperature is None or temperature == 1:
        return Fraction(counted)
    return Fraction(f"{counted ** (1 / temperature):.12g}")


def floor_of(node: Node) -> Fraction:
    """The rows that a node takes at least: its own floor or its children's, whichever is more."""
    inner = sum((floor_of(child) for child in node.children), Fraction(0)) if isinstance(node, Group) else Fraction(0)
    return max(node.low, inner)


def ceiling_of(node: Node) -> Fraction | None:
    """The rows that a node takes at most, or None where nothing stops it."""
    highs = [node.high]
    if isinstance(node, Group):
        inner = [ceiling_of(child) for child in node.children]
        highs.append(None if None in inner else sum((high for high in inner if high is not None), Fraction(0)))
    known = [high for high in highs if high is not None]
    return min(known) if known else None


def pour(node: Node, rows: Fraction) -> Iterator[Poured]:
    """Pour `rows` into a tree: what each leaf gets, in the order of the leaves. Raises `Infeasible`."""
    for inner in _walk(node):
        low, high = floor_of(inner), ceiling_of(inner)
        if high is not None and low > high:
            raise Infeasible(inner.name, low, high, "its floor lies above its ceiling")
    low, high = floor_of(node), ceiling_of(node)
    if rows < low:
        raise Infeasible(node.name, rows, low, "the floors ask for more")
    if high is not None and rows > high:
        raise Infeasible(node.name, rows, high, "the ceilings allow less")
    yield from _pour(node, rows, rows, "")


def _walk(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Group):
        for child in node.children:
            yield from _walk(child)


def _pour(node: Node, rows: Fraction, asked: Fraction, bound: str) -> Iterator[Poured]:
    if isinstance(node, Leaf):
        yield Poured(node, rows, asked, bound)
        return
    fixed = sum((child.low for child in node.children if child.low == child.high), Fraction(0))
    total = sum((child.weight for child in node.children if child.low != child.high), Fraction(0))
    for child, amount, reason in zip(node.children, *_fill(node.children, rows), strict=True):
        share = child.low if child.low == child.high else (asked - fixed) * child.weight / total
        yield from _pour(child, amount, share, reason or bound)


def _fill(children: Sequence[Node], rows: Fraction) -> tuple[list[Fraction], list[str]]:
    """Water-filling: amounts in proportion to the weights, each within its floor and ceiling, that add up to `rows`.

    The amount of a child is clamp(level * weight); it grows with the level, so the children that the current level
    would push past a limit on the side that is in excess can be fixed there for good, and the rest filled again.
    """
    lows = [floor_of(child) for child in children]
    highs = [ceiling_of(child) for child in children]
    amounts: dict[int, Fraction] = {}
    reasons = [""] * len(children)
    while len(amounts) < len(children):
        free = [index for index in range(len(children)) if index not in amounts]
        left = rows - sum(amounts.values(), Fraction(0))
        weight = sum((children[index].weight for index in free), Fraction(0))
        ideal = {index: left * children[index].weight / weight if weight else lows[index] for index in free}
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
