"""What is asked of a mixture besides its tree, what comes back, and what is said where it cannot be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from flanmix.rates.tree import Group, Leaf


@dataclass(frozen=True)
class Quota:
    """A floor, a ceiling or both on the rows of a set of leaves, wherever in the tree they are.

    `leaves` are places in depth-first order (0 is the first leaf of the tree). A task type, a tag, a style or one
    task that several parts take is a quota; those of one kind may overlap.

    >>> Quota("translation", "type", frozenset({0, 3}), high=Fraction(2_000)).label("high")
    'type:translation max_share'
    """

    name: str
    kind: str
    leaves: frozenset[int]
    low: Fraction = Fraction(0)
    high: Fraction | None = None
    low_label: str = "min_share"
    high_label: str = "max_share"

    def label(self, side: str) -> str:
        """The name of its floor (`low`) or its ceiling (`high`) in `bound`; of a task, the word alone."""
        word = self.low_label if side == "low" else self.high_label
        return word if self.kind == "task" else f"{self.kind}:{self.name} {word}"


Owner: TypeAlias = Group | Leaf | Quota


@dataclass(frozen=True)
class Conflict:
    """What cannot be had: `node` is to give `asked` rows, and `nearest` is what it can give (more or less).

    `among` holds the other limits that take part, by kind and name, where it is only together that they cannot hold:
    then `nearest` is the number that would do if this limit alone gave way. `whole` says that fractions of rows would
    satisfy every limit, and whole rows do not: then `nearest` is what the nearest whole numbers found give.
    """

    node: Owner
    asked: Fraction
    nearest: Fraction
    among: tuple[str, ...] = ()
    whole: bool = False


_NAMED = 8


def named(owner: Owner) -> str:
    """Kind and name of what has a limit.

    >>> named(Quota("translation", "type", frozenset({0})))
    'type:translation'
    """
    return f"{owner.kind}:{owner.name}"


def shortened(owners: Sequence[Owner]) -> list[str]:
    """The first eight by kind and name, and how many more there are."""
    more = [f"{len(owners) - _NAMED} more"] if len(owners) > _NAMED else []
    return [named(owner) for owner in owners[:_NAMED]] + more


class InfeasibleError(Exception):
    """No rows satisfy all limits: every conflict among them."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(conflicts)
        self.conflicts = tuple(conflicts)


@dataclass(frozen=True)
class Relaxed:
    """A limit that gave way: the floor or the ceiling (`side`) of `node`, or the budget, which is the root's floor."""

    node: Owner
    side: str
    asked: Fraction
    given: Fraction


@dataclass(frozen=True)
class Portion:
    """What one leaf gets: `rows` exact, `count` the integer, `asked` without limits, `bound` what held it off that."""

    leaf: Leaf
    rows: Fraction
    count: int
    asked: Fraction
    bound: tuple[str, ...] = ()


@dataclass(frozen=True)
class Solution:
    """The rows of every leaf, in depth-first order, the budget they add up to, and what was relaxed."""

    portions: tuple[Portion, ...]
    budget: int
    relaxed: tuple[Relaxed, ...] = ()
