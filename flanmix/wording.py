"""Which wording each draw of a task is given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flanmix.keyed import Ints, Words, key64, keyed_words, mix64
from flanmix.styles import Style

NO_TEMPLATE = -1
_CHUNK = 1 << 13  # keeps the intermediate arrays in the cache


@dataclass(frozen=True)
class Draws:
    """Draws of a task: the guard and number of each one's row, what its hash goes by beside that (its epoch), its turn
    among the row's wordings, and its style with its rank in that.
    """

    guards: npt.NDArray[np.int32]
    rows: Ints
    salts: Ints
    turns: Ints
    cells: Ints
    within: Ints

    def part(self, start: int) -> "Draws":
        """The next draws from one on."""
        here = slice(start, start + _CHUNK)
        places = (array[here] for array in (self.rows, self.salts, self.turns, self.cells, self.within))
        return Draws(self.guards[here], *places)

    def __len__(self) -> int:
        return len(self.rows)


class _Best:
    """The template with the highest score at each place, the first of equals; none where no score is above 0."""

    def __init__(self, length: int) -> None:
        self.scores = np.zeros(length, np.uint64)
        self.found = np.full(length, NO_TEMPLATE, np.int64)

    def meet(self, template: int, scores: Words) -> None:
        """Let a template have its place wherever it is the best so far."""
        np.putmask(self.found, scores > self.scores, template)
        np.maximum(self.scores, scores, out=self.scores)


@dataclass(frozen=True)
class Wording:
    """How a task's draws are given its templates.

    Among the templates of a draw's style that serve its row, the one with the highest hash of (seed, task, template,
    row, epoch) is taken (rendezvous hashing), so that a new wording takes rows from the others and moves none between
    them. With `even`, those of a style take turns. With `turns`, a row's wordings come one after the other, in the
    order of their hashes. Where no template of the style serves the row, any of the others may.
    """

    seed: int
    task: str
    templates: Sequence[str]
    guards: Sequence[Sequence[int]]
    cells: Sequence[Style]
    used: frozenset[int]
    even: bool = False
    turns: bool = False

    def chosen(self, draws: Draws) -> Ints:
        """The template of each draw, or `NO_TEMPLATE`."""
        found = np.empty(len(draws), np.int64)
        for start in range(0, len(draws), _CHUNK):
            found[start : start + _CHUNK] = self._choose(draws.part(start))
        return found

    def _choose(self, draws: Draws) -> Ints:
        own, near, other = _Best(len(draws)), _Best(len(draws)), _Best(len(draws))
        every: list[Words] = []
        for index, scores in enumerate(self._scores(draws)):
            if index in self.used:
                other.meet(index, scores)
            if len(self.cells) > 1 or self.even or self.turns:
                mine = np.isin(draws.cells, [n for n, style in enumerate(self.cells) if index in style.templates])
                every.append(np.where(mine, scores, np.uint64(0)))
                near.meet(index, every[-1])
            if self.even:
                own.meet(index, np.where(self._turn(index, draws), every[-1], np.uint64(0)))
        first = np.where(near.scores > 0, near.found, other.found)
        if self.turns:
            return _taking_turns(np.stack(every), draws.turns, first)
        return np.where(own.scores > 0, own.found, first)

    def _scores(self, draws: Draws) -> list[Words]:
        counters = mix64(draws.rows.astype(np.uint64) ^ mix64(draws.salts.astype(np.uint64)))
        found = []
        for index, template in enumerate(self.templates):
            scores = keyed_words(key64(self.seed, self.task, "template", template), counters) | np.uint64(1)
            serving = [guard for guard, templates in enumerate(self.guards) if index in templates]
            if len(serving) < len(self.guards):
                scores[~np.isin(draws.guards, serving)] = 0
            found.append(scores)
        return found

    def _turn(self, template: int, draws: Draws) -> npt.NDArray[np.bool_]:
        """Which draws are a wording's turn, by their ranks in their style; they go round by name."""
        mine = np.zeros(len(draws), bool)
        for number, style in enumerate(self.cells):
            if template in style.templates:
                ids = sorted(self.templates[index] for index in style.templates)
                first = key64(self.seed, self.task, "turn", style.name) % len(ids)
                place = ids.index(self.templates[template])
                mine |= (draws.cells == number) & np.equal((draws.within + first) % len(ids), place)
        return mine


def _taking_turns(scores: npt.NDArray[np.uint64], turns: Ints, other: Ints) -> Ints:
    """For each draw the template whose turn it is among those with scores, by height; `other` where there is none."""
    serving = (scores > 0).sum(axis=0)
    by_height = np.argsort(scores, axis=0, kind="stable")[::-1]
    found = by_height[turns % np.maximum(serving, 1), np.arange(len(turns))]
    return np.where(serving > 0, found, other)
