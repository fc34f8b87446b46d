"""Which style and how many exemplars each draw of a task takes, and rows of which kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from flanmix.keyed import Ints, key64
from flanmix.lines import Lines
from flanmix.rates import exact, largest_remainder
from flanmix.words import FEW_SHOT

OTHER = "any other"
"""The style of templates where a mixture says nothing of styles."""
NO_STYLE = -1
_ROUNDS = 200
_FINE = 1_000
"""Into how many parts a row is thought to be cut, beside those that the shares need."""


@dataclass(frozen=True)
class Style:
    """The templates of one style, or of all that no share is asked for, and how many exemplars go before its draws.

    Of the `numbers` of exemplars 0 comes first.
    """

    name: str
    templates: tuple[int, ...]
    few: Lines
    numbers: tuple[int, ...] = (0,)

    def shots(self, ranks: Ints) -> Ints:
        """The number of exemplars of its draws."""
        return np.array(self.numbers)[self.few.at(ranks)[0]]


@dataclass(frozen=True)
class Stratum:
    """Rows of a task that may take the same styles: all of them, where guards take no style from any.

    `first` is its first row among those of all strata, `offered` the draws of it in an epoch of the task.
    """

    name: str
    guards: frozenset[int]
    first: int
    usable: int
    offered: int
    styles: tuple[Style, ...]
    lines: Lines

    @property
    def templates(self) -> frozenset[int]:
        """Those that its draws may take."""
        pairs = zip(self.styles, self.lines.parts, strict=False)
        return frozenset(index for style, part in pairs if part for index in style.templates)


@dataclass(frozen=True)
class Styling:
    """The strata of a task, and which of its draws each takes."""

    strata: tuple[Stratum, ...]
    lines: Lines

    @property
    def cells(self) -> tuple[Style, ...]:
        """The styles of all strata."""
        return tuple(style for stratum in self.strata for style in stratum.styles)

    def at(self, draws: Ints) -> "Placed":
        """What each draw takes."""
        strata, ranks = self.lines.at(draws)
        if len(self.strata) == 1:
            cells, within = self._cells(0, ranks)
            return Placed(strata, ranks, cells, within)
        cells, within = (np.full(len(draws), NO_STYLE, np.int64) for _ in range(2))
        for number in range(len(self.strata)):
            mine = strata == number
            cells[mine], within[mine] = self._cells(number, ranks[mine])
        return Placed(strata, ranks, cells, within)

    def _cells(self, number: int, ranks: Ints) -> tuple[Ints, Ints]:
        stratum = self.strata[number]
        if not stratum.styles:
            return np.full(len(ranks), NO_STYLE, np.int64), ranks
        chosen, within = stratum.lines.at(ranks)
        return chosen + sum(len(before.styles) for before in self.strata[:number]), within

    def shots(self, placed: "Placed") -> Ints:
        """The number of exemplars of each draw."""
        found = np.zeros(len(placed.cells), np.int64)
        for number, style in enumerate(self.cells):
            if len(style.few) > 1:
                mine = placed.cells == number
                found[mine] = style.shots(placed.within[mine])
        return found

    def counts(self, draws: int) -> dict[tuple[str, int], int]:
        """How many of the first draws have each style and each number of exemplars; draws without a style count not."""
        found: dict[tuple[str, int], int] = {}
        for stratum, own in zip(self.strata, self.lines.counts(draws), strict=True):
            for style, rows in zip(stratum.styles, stratum.lines.counts(own), strict=bool(stratum.styles)):
                for number, count, part in zip(style.numbers, style.few.counts(rows), style.few.parts, strict=True):
                    if part:
                        found[style.name, number] = found.get((style.name, number), 0) + count
        return found


@dataclass(frozen=True)
class Placed:
    """Of each draw: its stratum and its rank in that; its style, a number of `cells`, and its rank in that."""

    strata: Ints
    ranks: Ints
    cells: Ints
    within: Ints


@dataclass(frozen=True)
class Wanted:
    """What a mixture asks: the shares of styles, of draws with exemplars, and of each number of those."""

    styles: Mapping[str, float]
    few: Fraction = Fraction(0)
    numbers: tuple[tuple[int, Fraction], ...] = ()


@dataclass(frozen=True)
class Supply:
    """What a task has: the style of each template, whether exemplars may go before it, its rows by guard.

    `guards[g]` are the templates that serve the `rows[g]` rows of guard g; where rows are not known, guards bind no
    style and a draw whose style has no template for its row takes one of another.
    """

    name: str
    styles: tuple[str, ...]
    takes_shots: tuple[bool, ...]
    guards: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]
    usable: int
    offered: int


def styling_of(wanted: Wanted, task: Supply, seed: int) -> Styling:
    """How the draws of a task are shared out.

    Each stratum takes its part of the draws. The styles' shares are met over all of them together as far as the strata
    allow: what rows of one cannot take, rows of another take more of.
    """
    by_style: dict[str, list[int]] = {}
    for index, style in enumerate(task.styles):
        by_style.setdefault(style if style in wanted.styles else OTHER, []).append(index)
    shares = _asked(wanted.styles, by_style)
    used = [name for name, share in shares.items() if share] or list(shares)
    able = [frozenset(name for name in used if set(by_style[name]) & set(serving)) for serving in task.guards]
    kinds = list(dict.fromkeys(able)) if len(task.rows) == len(task.guards) else []
    if len(kinds) < 2:
        kinds = kinds or [frozenset(shares)]
        able = kinds * len(task.guards)
        usable, offered = [task.usable], [task.offered]
    else:
        usable = [sum(rows for kind, rows in zip(able, task.rows, strict=True) if kind == each) for each in kinds]
        offered = largest_remainder(
            [Fraction(task.offered * rows, task.usable) for rows in usable],
            list(map(str, range(len(kinds)))),
            task.offered,
        )
    given = _meeting(shares, offered, kinds) if len(kinds) > 1 else [shares]
    strata = []
    for number, kind in enumerate(kinds):
        title = "+".join(sorted(kind)) if len(kinds) > 1 else ""
        guards = frozenset(guard for guard, each in enumerate(able) if each == kind)
        own = {name: share for name, share in given[number].items() if name in kind}
        styles = tuple(_style(name, tuple(by_style[name]), wanted, task, (seed, title)) for name in own)
        lines = Lines.of(
            list(own.values()), _keys([(seed, task.name, "style", name, *filter(None, [title])) for name in own])
        )
        strata.append(Stratum(title, guards, sum(usable[:number]), usable[number], offered[number], styles, lines))
    order = Lines.of([Fraction(n) for n in offered], _keys([(seed, task.name, "stratum", s.name) for s in strata]))
    return Styling(tuple(strata), order)


def _keys(parts: Sequence[tuple[str | int, ...]]) -> Callable[[int], int]:
    return lambda number: key64(*parts[number])


def _style(name: str, templates: tuple[int, ...], wanted: Wanted, task: Supply, key: tuple[int, str]) -> Style:
    """A style with its exemplars; none where a template of it takes none, or there is no other row."""
    able = task.usable > 1 and all(task.takes_shots[index] for index in templates)
    if not (wanted.few and able):
        return Style(name, templates, Lines((), ()))
    total = sum((weight for _, weight in wanted.numbers), Fraction(0))
    shares = [1 - wanted.few, *(wanted.few * weight / total for _, weight in wanted.numbers)]
    numbers = (0, *(number for number, _ in wanted.numbers))
    seed, title = key
    keys = _keys([(seed, task.name, FEW_SHOT, title, name, number) for number in numbers])
    return Style(name, templates, Lines.of(shares, keys), numbers)


def _asked(styles: Mapping[str, float], by_style: Mapping[str, Sequence[int]]) -> dict[str, Fraction]:
    """The share of each style that there are templates of; what is left goes to all others together."""
    found = {name: exact(styles[name]) for name in sorted(styles) if name in by_style}
    return found | ({OTHER: 1 - sum(found.values(), Fraction(0))} if OTHER in by_style else {})


def _meeting(
    shares: Mapping[str, Fraction], sizes: Sequence[int], kinds: Sequence[frozenset[str]]
) -> list[dict[str, Fraction]]:
    """For each stratum, of this size and able to take these styles, the shares with which all together meet `shares`.

    Iterative proportional fitting (Deming and Stephan 1940): each style's parts are scaled to its share, then each
    stratum's to its size, by turns. It nears shares that can only just be met slowly, and so what is left is moved.
    Where the shares cannot be met, as little as can be is amiss.
    """
    names, total = list(shares), sum(sizes)
    whole = sum(shares.values(), Fraction(0))
    asked = [share / whole if whole else Fraction(1, len(names)) for share in shares.values()]
    unit = lcm(*(share.denominator for share in asked)) * _FINE
    serves = [[name in kind for name in names] for kind in kinds]
    parts = []
    for row, size, serving in zip(_fitted(asked, sizes, serves), sizes, serves, strict=True):
        weights = [Fraction(part) for part in row] if any(row) else [Fraction(each) for each in serving]
        scale = size * unit / sum(weights, Fraction(0)) if any(weights) else Fraction(0)
        parts.append(largest_remainder([weight * scale for weight in weights], names, size * unit if scale else 0))
    _move(parts, [int(share * total * unit) for share in asked], serves)
    return [
        {name: Fraction(part, max(size, 1)) for name, part in zip(names, row, strict=True)}
        for row, size in zip(parts, sizes, strict=True)
    ]


def _fitted(asked: Sequence[Fraction], sizes: Sequence[int], serves: Sequence[Sequence[bool]]) -> list[list[float]]:
    """The parts of each stratum and style, those of a stratum in proportion, after as many rounds as there are."""
    parts = [
        [size * float(share) * able for share, able in zip(asked, serving, strict=True)]
        for size, serving in zip(sizes, serves, strict=True)
    ]
    for _ in range(_ROUNDS):
        columns = [sum(row[at] for row in parts) for at in range(len(asked))]
        scales = [float(share) / column if column else 0.0 for share, column in zip(asked, columns, strict=True)]
        parts = [[part * scale for part, scale in zip(row, scales, strict=True)] for row in parts]
        parts = [
            [part * size / sum(row) if sum(row) else 0.0 for part in row]
            for row, size in zip(parts, sizes, strict=True)
        ]
    return parts


def _move(parts: list[list[int]], wanted: Sequence[int], serves: Sequence[Sequence[bool]]) -> None:
    """Move what styles have too much of to those with too little, as far as strata allow (Edmonds and Karp 1972).

    Within a stratum one style gives to another that it can take; the shortest way over several is gone first.
    """
    styles = range(len(wanted))
    while True:
        spare = [sum(row[style] for row in parts) - wanted[style] for style in styles]
        came: dict[int, tuple[int, int]] = {}
        seen = [style for style in styles if spare[style] > 0]
        for one in seen:  # grows on the way
            for other in styles:
                through = [n for n, row in enumerate(parts) if row[one] and serves[n][other]]
                if other not in seen and through:
                    came[other] = (one, max(through, key=lambda n: parts[n][one]))
                    seen.append(other)
        end = next((style for style in seen if spare[style] < 0), None)
        if end is None:
            return
        way, at = list[tuple[int, int, int]](), end
        while at in came:
            way.append((*came[at], at))
            at = came[at][0]
        amount = min(spare[at], -spare[end], *(parts[stratum][one] for one, stratum, _ in way))
        for one, stratum, other in way:
            parts[stratum][one] -= amount
            parts[stratum][other] += amount
