"""Water-filling in a tree: a budget of rows poured into groups and tasks, each held between its floor and its ceiling.

Each child of a group gets rows in proportion to its weight, and what a ceiling turns away goes to its siblings first.
All of it is exact rational arithmetic. Leaves are known by their place in depth-first order.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from flanmix.rates.remainders import largest_remainder


@dataclass(frozen=True)
class Leaf:
    """One task on one path: `weight` among its siblings, rows between `low` and `high` (None: no ceiling).

    Weight 0 is for what is fixed: it gets its `low`, which is its `high` too. The labels are the words for its two
    limits in `bound`.
    """

    name: str
    weight: Fraction
    low: Fraction = Fraction(0)
    high: Fraction | None = None
    kind: str = "task"
    low_label: str = "min_share"
    high_label: str = "max_epochs"


@dataclass(frozen=True)
class Group:
    """A part or a mixture: its children share what it gets. Weight, floor, ceiling and labels as of a `Leaf`."""

    name: str
    weight: Fraction
    children: tuple["Group | Leaf", ...]
    low: Fraction = Fraction(0)
    high: Fraction | None = None
    kind: str = "part"
    low_label: str = "min_share"
    high_label: str = "max_share"


Node: TypeAlias = Group | Leaf


@dataclass(frozen=True)
class Poured:
    """What a leaf got: `rows` exact, `count` the integer, `asked` without floors and ceilings, `bound` what held it.

    `pressure` is what it would get at the water level around it without limits of its own or of its groups: the
    share of it that a quota scales.
    """

    leaf: Leaf
    rows: Fraction
    count: int
    asked: Fraction
    bound: str = ""
    pressure: Fraction = Fraction(0)


def leaves_of(node: Node) -> Iterator[Leaf]:
    """The leaves below a node, depth first: the order in which a quota counts them."""
    if isinstance(node, Leaf):
        yield node
    else:
        for child in node.children:
            yield from leaves_of(child)


def children_of(node: Node) -> tuple[Node, ...]:
    """The children of a group; none of a leaf."""
    return node.children if isinstance(node, Group) else ()


def floor_of(node: Node) -> Fraction:
    """The rows that a node takes at least: its own floor or its children's, whichever is more."""
    return max(node.low, total(floor_of(child) for child in children_of(node)))


def ceiling_of(node: Node) -> Fraction | None:
    """The rows that a node takes at most, or None where nothing stops it."""
    highs = [node.high]
    if isinstance(node, Group):
        inner = [ceiling_of(child) for child in node.children]
        highs.append(None if None in inner else total(high for high in inner if high is not None))
    if not node.weight:
        highs.append(floor_of(node))
    known = [high for high in highs if high is not None]
    return min(known) if known else None


def total(numbers: Iterable[Fraction]) -> Fraction:
    """The sum, with one reduction per denominator instead of one per number."""
    sums: defaultdict[int, int] = defaultdict(int)
    for number in numbers:
        sums[number.denominator] += number.numerator
    return sum((Fraction(part, denominator) for denominator, part in sums.items()), Fraction(0))


def poured(root: Node, rows: int) -> list[Poured]:
    """Pour `rows` into a tree that can hold them: what each leaf gets, in the order of the leaves."""
    whole = Fraction(rows)
    return list(_pour(root, whole, rows, whole, "", Fraction(1)))


_FULL, _BARE = "\0full", "\0bare"
"""A group at the sum of its children's ceilings or floors: each child is at its own, and names it."""


def _pour(node: Node, rows: Fraction, count: int, asked: Fraction, bound: str, scale: Fraction) -> Iterator[Poured]:
    if isinstance(node, Leaf):
        word = {_FULL: node.high_label, _BARE: node.low_label}.get(bound, bound)
        yield Poured(node, rows, count, asked, word, scale)
        return
    lows, highs = [floor_of(child) for child in node.children], [ceiling_of(child) for child in node.children]
    amounts, held, level = fill(node.children, rows, lows, highs)
    counts = largest_remainder(amounts, [child.name for child in node.children], count)
    fixed = total(child.low for child in node.children if not child.weight)
    weight = total(child.weight for child in node.children)
    for index, child in enumerate(node.children):
        share = max(asked - fixed, Fraction(0)) * child.weight / weight if child.weight else child.low
        reason = _reason(child, held[index]) or bound
        pressure = _pressure(child, amounts[index], level, scale)
        yield from _pour(child, amounts[index], counts[index], share, reason, pressure)


def _reason(child: Node, held: int) -> str:
    if not held:
        return ""
    if held < 0:
        return child.low_label if isinstance(child, Leaf) or child.low == floor_of(child) else _BARE
    return child.high_label if isinstance(child, Leaf) or child.high == ceiling_of(child) else _FULL


def _pressure(child: Node, amount: Fraction, level: Fraction, scale: Fraction) -> Fraction:
    """Of a leaf, its rows at this level; of a group, by how much its own limits lower or raise what is below it."""
    free = level * child.weight if child.weight else amount
    if isinstance(child, Leaf):
        return free * scale
    own = amount and (child.high == amount < free or child.low == amount > free)
    return scale * free / amount if own and free else scale


def fill(
    children: Sequence[Node], rows: Fraction, lows: Sequence[Fraction], highs: Sequence[Fraction | None]
) -> tuple[list[Fraction], list[int], Fraction]:
    """Water-filling: amounts in proportion to the weights, each within its floor and ceiling, that add up to `rows`.

    Also on which side each is held (-1 floor, 1 ceiling, 0 not), and the level: rows per unit of weight.
    The amount of a child is clamp(level * weight); it grows with the level, so the children that the current level
    would push past a limit on the side that is in excess can be fixed there for good, and the rest filled again.
    """
    amounts = {index: lows[index] for index, child in enumerate(children) if not child.weight}
    held, level = [0] * len(children), Fraction(0)
    unit = math.lcm(*(child.weight.denominator for child in children))
    weights = [child.weight.numerator * (unit // child.weight.denominator) for child in children]
    free = [index for index in range(len(children)) if index not in amounts]
    left = rows - total(amounts.values())
    while free:
        weight = sum(weights[index] for index in free)
        part, whole = left.numerator, left.denominator * weight
        level = Fraction(part * unit, whole)
        under = [i for i in free if part * weights[i] * lows[i].denominator < lows[i].numerator * whole]
        over = [
            i for i in free if (h := highs[i]) is not None and part * weights[i] * h.denominator > h.numerator * whole
        ]
        lacking = total(lows[i] for i in under) - Fraction(part * sum(weights[i] for i in under), whole)
        excess = Fraction(part * sum(weights[i] for i in over), whole) - total(highs[i] or Fraction(0) for i in over)
        if under and lacking >= excess:
            fixed = {index: lows[index] for index in under}
        elif over:
            fixed = {index: highs[index] or Fraction(0) for index in over}
        else:
            amounts |= {index: Fraction(part * weights[index], whole) for index in free}
            break
        for index in fixed:
            held[index] = -1 if under and lacking >= excess else 1
        amounts |= fixed
        left -= total(fixed.values())
        free = [index for index in free if index not in fixed]
    return [amounts[index] for index in range(len(children))], held, level
