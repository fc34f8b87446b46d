"""A tree and its quotas as one list of limits over sets of leaves; leaves that no limit tells apart are one class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from flanmix.rates.quotas import Quota
from flanmix.rates.tree import Group, Leaf, Node, floor_of, leaves_of


@dataclass(frozen=True)
class Limit:
    """The rows of some leaves together: of a group with limits of its own, or of a quota."""

    owner: Group | Quota
    leaves: tuple[int, ...]
    low: Fraction
    high: Fraction | None

    def label(self, side: str) -> str:
        """The word for one of its sides in `bound`."""
        if isinstance(self.owner, Quota):
            return self.owner.label(side)
        return self.owner.low_label if side == "low" else self.owner.high_label


@dataclass(frozen=True)
class Problem:
    """What is to be solved: `rows` in the tree of `root`, under its own limits and the quotas."""

    root: Group
    rows: int
    quotas: tuple[Quota, ...]

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The leaves in depth-first order."""
        return tuple(leaves_of(self.root))

    @cached_property
    def bounds(self) -> tuple[tuple[Fraction, Fraction | None], ...]:
        """Floor and ceiling of each leaf; what has no weight is fixed at its floor."""
        return tuple((leaf.low, leaf.high if leaf.weight else leaf.low) for leaf in self.leaves)

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """The groups that have limits, parents first, then the quotas: these in whole rows, rounded inwards."""
        found = list(_groups(self.root, 0))
        for quota in self.quotas:
            high = None if quota.high is None else Fraction(quota.high // 1)
            found.append(Limit(quota, tuple(sorted(quota.leaves)), Fraction(-(-quota.low // 1)), high))
        return tuple(found)

    @cached_property
    def memberships(self) -> tuple[tuple[int, ...], ...]:
        """For each leaf, the numbers of the limits that count it."""
        found: list[list[int]] = [[] for _ in self.leaves]
        for number, limit in enumerate(self.limits):
            for leaf in limit.leaves:
                found[leaf].append(number)
        return tuple(tuple(numbers) for numbers in found)

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """The leaves that the same limits count."""
        found: dict[tuple[int, ...], list[int]] = {}
        for leaf, numbers in enumerate(self.memberships):
            found.setdefault(numbers, []).append(leaf)
        return tuple(tuple(members) for members in found.values())

    @cached_property
    def class_sets(self) -> list[list[int]]:
        """For each limit, and last for the budget, the numbers of the classes that it counts."""
        found: list[list[int]] = [[] for _ in self.limits]
        for number, members in enumerate(self.classes):
            for limit in self.memberships[members[0]]:
                found[limit].append(number)
        return [*found, list(range(len(self.classes)))]

    def off(self, values: Sequence[Fraction | int]) -> Iterator[tuple[Limit, Fraction | int]]:
        """The limits that the leaves' rows do not keep, with the rows that they have together."""
        for limit in self.limits:
            have = sum(values[leaf] for leaf in limit.leaves)
            if have < limit.low or (limit.high is not None and have > limit.high):
                yield limit, have


def _groups(node: Node, start: int) -> Iterator[Limit]:
    if isinstance(node, Leaf):
        return
    low, high = node.low, node.high
    if not node.weight:
        low = floor_of(node)
        high = low if high is None else min(low, high)
    if low or high is not None:
        yield Limit(node, tuple(range(start, start + sum(1 for _ in leaves_of(node)))), low, high)
    for child in node.children:
        yield from _groups(child, start)
        start += sum(1 for _ in leaves_of(child))
