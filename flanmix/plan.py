"""The plan: exact counts for every task, and what stands at every position, before anything is rendered."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from flanmix.canonical import canonical_json
from flanmix.order import Ints, Order, Words, key64, keyed_words, mix64, permute
from flanmix.rates import exact
from flanmix.spec import Template

FORMAT = 1
"""Goes into every plan's digest: raised whenever an equal plan would give other rows."""

NO_TEMPLATE = -1
_CHUNK = 1 << 13  # keeps the intermediate arrays in the cache
OTHER = "any other"


@dataclass(frozen=True)
class PlannedTemplate:
    """One wording as the plan fixes it; `where` says where it was written."""

    id: str
    template: Template
    style: str
    where: str = ""


def _of_dialect(template: Template) -> list[object]:
    """What decides a template's texts beside its own; nothing for native ones."""
    return [] if template.dialect == "native" else [template.dialect, template.truncate]


@dataclass(frozen=True)
class PlannedTask:
    """What one task gives: `rows` planned, drawn from `offered` of its `usable` rows.

    `data` is the digest of its prepared rows, `guards[g]` the templates that serve rows of guard g. `share_asked` and
    `bound` explain the number; they decide nothing.
    """

    name: str
    type: str
    rows: int
    offered: int
    usable: int
    data: str
    templates: tuple[PlannedTemplate, ...]
    guards: tuple[tuple[int, ...], ...]
    source_rows: int = 0
    dropped: Mapping[str, int] | None = None
    share_asked: float = 0.0
    bound: str = ""

    @property
    def epochs(self) -> float:
        """How often its offered rows are passed over."""
        return self.rows / self.offered


@dataclass(frozen=True)
class _Style:
    """A share a/b of a task's draws that goes to some of its templates.

    Draw j is a member where floor(((j + 1)a + o) / b) is more than floor((ja + o) / b).
    """

    name: str
    templates: tuple[int, ...]
    share: Fraction
    offset: int

    def before(self, draws: Ints) -> Ints:
        """How many of the first `draws` draws are its own; within one of their share, for any number of them."""
        return (draws * self.share.numerator + self.offset) // self.share.denominator


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
class Plan:
    """A resolved mixture. Position k → (task, epoch, source row, template) is a pure function of this value.

    `styles` are the shares asked of template styles; `digest` names the plan: equal digests, equal rows.
    """

    name: str
    seed: int
    split: str
    tasks: tuple[PlannedTask, ...]
    styles: Mapping[str, float]

    @cached_property
    def rows(self) -> int:
        """The number of positions."""
        return sum(task.rows for task in self.tasks)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that decides the rows: not over names of files, nor over explanations."""
        tasks = [
            [t.name, t.type, t.rows, t.offered, t.usable, t.data, t.guards]
            + [[p.id, *p.template.texts.values(), p.style, *_of_dialect(p.template)] for p in t.templates]
            for t in self.tasks
        ]
        styles = {name: str(exact(share)) for name, share in self.styles.items()}
        whole = {"format": FORMAT, "seed": self.seed, "split": self.split, "tasks": tasks, "styles": styles}
        return hashlib.sha256(canonical_json(whole).encode()).hexdigest()

    @cached_property
    def order(self) -> Order:
        """The order of the mixture."""
        keys = tuple(key64(self.seed, task.name, "time") for task in self.tasks)
        return Order(tuple(task.rows for task in self.tasks), keys)

    def indices(self, task: int, draws: Ints) -> tuple[Ints, Ints]:
        """The epochs and the usable rows (indices from 0) that these draws of a task take.

        Within an epoch every offered row comes once; the offered rows are a keyed sample of the usable ones.
        """
        planned = self.tasks[task]
        epochs, within = np.divmod(draws, planned.offered)
        for epoch in np.unique(epochs[epochs > 0]):
            here = epochs == epoch
            key = key64(self.seed, planned.name, "epoch", int(epoch))
            within[here] = permute(within[here], planned.offered, key)
        return epochs, permute(within, planned.usable, key64(self.seed, planned.name, "rows"))

    def style_groups(self, task: int) -> tuple[_Style, ...]:
        """The styles of a task in the order in which they choose their draws; the last takes what is left.

        A style that the task has no template of passes its share on to the others.
        """
        planned = self.tasks[task]
        by_style: dict[str, list[int]] = {}
        for index, template in enumerate(planned.templates):
            by_style.setdefault(template.style if template.style in self.styles else OTHER, []).append(index)
        asked = {name: exact(self.styles[name]) for name in sorted(self.styles) if name in by_style}
        rest = Fraction(1) - sum(asked.values(), Fraction(0))
        if OTHER in by_style:
            asked[OTHER] = rest
        total = sum(asked.values(), Fraction(0))
        left = Fraction(1)
        groups = []
        for name, share in asked.items():
            part = (share / total if total else Fraction(1, len(asked))) / left if left else Fraction(0)
            part = min(part, Fraction(1)).limit_denominator(1_000_000)
            offset = key64(self.seed, planned.name, "style", name) % part.denominator
            groups.append(_Style(name, tuple(by_style[name]), part, offset))
            left -= share / total if total else Fraction(1, len(asked))
        return tuple(groups)

    def style_counts(self, task: int) -> dict[str, int]:
        """How many of a task's planned rows each style is given.

        Guards may move some, where no template of the style serves the row.
        """
        left, counts = self.tasks[task].rows, {}
        for group in self.style_groups(task)[:-1]:
            counts[group.name] = int(group.before(np.array([left]))[0])
            left -= counts[group.name]
        last = self.style_groups(task)[-1]
        return {**counts, last.name: left}

    def templates(self, task: int, draws: Ints, epochs: Ints, rows: Ints, guards: npt.NDArray[np.int32]) -> Ints:
        """The template of each draw, or `NO_TEMPLATE`.

        A draw belongs to a style by its number; among the templates of the style that serve the row, the one with the
        highest hash of (seed, task, template, row, epoch) is taken (rendezvous hashing), so that a new wording takes
        rows from the others and moves none between them. Where none of the style serves the row, any other may.
        """
        groups, chosen = self.style_groups(task), np.empty(len(draws), np.int64)
        for start in range(0, len(draws), _CHUNK):
            part = slice(start, start + _CHUNK)
            chosen[part] = self._choose(task, groups, draws[part], epochs[part], rows[part], guards[part])
        return chosen

    def _choose(
        self,
        task: int,
        groups: Sequence[_Style],
        draws: Ints,
        epochs: Ints,
        rows: Ints,
        guards: npt.NDArray[np.int32],
    ) -> Ints:
        planned = self.tasks[task]
        counters = mix64(rows.astype(np.uint64) ^ mix64(epochs.astype(np.uint64)))
        styles = self._style_of(groups, draws)
        own, other = _Best(len(draws)), _Best(len(draws))
        for index, template in enumerate(planned.templates):
            group = next(number for number, found in enumerate(groups) if index in found.templates)
            scores = keyed_words(key64(self.seed, planned.name, "template", template.id), counters) | np.uint64(1)
            serving = [guard for guard, templates in enumerate(planned.guards) if index in templates]
            if len(serving) < len(planned.guards):
                scores[~np.isin(guards, serving)] = 0
            if groups[group].share > 0:
                other.meet(index, scores)
            if len(groups) > 1:
                own.meet(index, np.where(styles == group, scores, np.uint64(0)))
        return np.where(own.scores > 0, own.found, other.found)

    def _style_of(self, groups: Sequence[_Style], draws: Ints) -> Ints:
        chosen = np.full(len(draws), len(groups) - 1, np.int64)
        left, number = np.arange(len(draws)), draws.copy()
        for index, group in enumerate(groups[:-1]):
            before = group.before(number)
            mine = group.before(number + 1) > before
            chosen[left[mine]] = index
            left, number = left[~mine], (number - before)[~mine]
        return chosen
