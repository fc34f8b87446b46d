"""The plan: exact counts for every task, and what stands at every position, before anything is rendered."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from flanmix.canonical import canonical_json
from flanmix.held import HeldOut
from flanmix.order import Ints, Order, Words, key64, keyed_words, mix64, permute
from flanmix.prompting import Prompting
from flanmix.rates import exact
from flanmix.spec import Template
from flanmix.spec.prompts import prompts_of

FORMAT = 2
"""Goes into every plan's digest: raised whenever an equal plan would give other rows."""

Wordings = Literal["drawn", "even", "cycle"]
Arrangement = Literal["shuffle", "even", "sequential"]
NO_TEMPLATE = -1
_CHUNK = 1 << 13  # keeps the intermediate arrays in the cache
OTHER = "any other"


@dataclass(frozen=True)
class PlannedTemplate:
    """One wording as the plan fixes it; `where` says where it was written, `places` where some of its texts were."""

    id: str
    template: Template
    style: str
    where: str = ""
    places: Mapping[str, str] = field(default_factory=dict)


def _of_dialect(template: Template) -> list[object]:
    """What decides a template's texts beside its own; nothing for plain native ones."""
    if template.dialect != "native":
        return [template.dialect, template.truncate]
    keys = [key for key in template.texts if key not in template.pair]
    return [keys, [str(exact(prompt.weight)) for prompt in prompts_of(template.system)]] if keys else []


@dataclass(frozen=True)
class PlannedStyle:
    """What one style of a task gives, where its size was told: as of a `PlannedTask`."""

    name: str
    rows: int
    offered: int
    share_asked: float
    share: float
    bound: str


@dataclass(frozen=True)
class RowLength:
    """Tokens of a task's row on average, and those of them that carry loss."""

    tokens: float
    loss: float


@dataclass(frozen=True)
class PlannedTask:
    """What one task gives: `rows` planned, drawn from `offered` of its `usable` rows.

    `data` is the digest of its prepared rows, `guards[g]` the templates that serve rows of guard g. A task of which
    only sizes are known has neither, and perhaps `styles` with sizes of their own. The rows of a `conversation` task
    have columns `system` and `history`, and `trained` if it is `flagged`. The rest explains the number; it decides
    nothing.
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
    share: float = 0.0
    bound: str = ""
    styles: tuple[PlannedStyle, ...] = ()
    length: RowLength | None = None
    conversation: bool = False
    flagged: bool = False
    repaired: Mapping[str, int] | None = None

    @property
    def sized(self) -> bool:
        """Whether its size is all that is known of it: then it can be planned and not built."""
        return not self.templates

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


def _worded(task: PlannedTask) -> list[list[object]]:
    """What decides the words of a task's rows: its templates."""
    return [[p.id, *p.template.texts.values(), p.style, *_of_dialect(p.template)] for p in task.templates]


@dataclass(frozen=True)
class Plan:
    """A resolved mixture. Position k → (task, epoch, source row, template) is a pure function of this value.

    `styles` are the shares asked of template styles; with `wordings` "even" each wording of a style is given as many
    draws as the others. `prompting` goes before the rows' own texts. `digest` names the plan: equal digests, equal
    rows. `relaxed` says what gave way, `tokens` how many a budget in tokens comes to, and `held_out` which tasks are
    held out: what is left decides the rows.
    """

    name: str
    seed: int
    split: str
    tasks: tuple[PlannedTask, ...]
    styles: Mapping[str, float]
    wordings: Wordings = "drawn"
    arrangement: Arrangement = "shuffle"
    relaxed: tuple[str, ...] = ()
    tokens: float | None = None
    prompting: Prompting = field(default_factory=Prompting)
    held_out: tuple[HeldOut, ...] = ()

    @cached_property
    def rows(self) -> int:
        """The number of positions."""
        return sum(task.rows for task in self.tasks)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that decides the rows: not over names of files, nor over explanations."""
        tasks = [
            [t.name, t.type, t.rows, t.offered, t.usable, t.data, t.guards]
            + _worded(t)
            + [[style.name, style.rows] for style in t.styles]
            + ([["conversation", t.conversation, t.flagged]] if t.conversation or t.flagged else [])
            for t in self.tasks
        ]
        styles = self._exact_styles
        whole = {"format": FORMAT, "seed": self.seed, "split": self.split, "tasks": tasks, "styles": styles}
        whole |= {"wordings": self.wordings, "order": self.arrangement}
        if self.prompting:
            whole["prompting"] = self.prompting.facts(sorted({task.type for task in self.tasks}))
        return hashlib.sha256(canonical_json(whole).encode()).hexdigest()

    @property
    def _exact_styles(self) -> dict[str, str]:
        return {name: str(exact(share)) for name, share in self.styles.items()}

    def wordings_digest(self, task: int) -> str:
        """SHA-256 over all that decides which words a task's rows are put into."""
        planned = self.tasks[task]
        whole = [planned.name, _worded(planned), planned.guards, self._exact_styles, self.wordings, self.seed]
        whole += [self.prompting.facts([planned.type])] if self.prompting else []
        return hashlib.sha256(canonical_json(whole).encode()).hexdigest()

    @cached_property
    def chat_columns(self) -> tuple[str, ...]:
        """The columns that its examples have beside `input` and `target`: some of `system`, `history`, `trained`."""
        templates = [planned.template for task in self.tasks for planned in task.templates]
        talk = any(task.conversation for task in self.tasks)
        told = bool(self.prompting.prompts) or self.prompting.tag == "system" or any(t.system for t in templates)
        there = {
            "system": talk or told,
            "history": talk or any(template.earlier for template in templates),
            "trained": any(task.flagged for task in self.tasks),
        }
        return tuple(name for name, needed in there.items() if needed)

    @property
    def talks(self) -> bool:
        """Whether any of its rows are more than an input and a target, or have a type tag."""
        return bool(self.chat_columns or self.prompting)

    @cached_property
    def order(self) -> Order:
        """The order of the mixture."""
        keys = tuple(key64(self.seed, task.name, "time") for task in self.tasks)
        return Order(tuple(task.rows for task in self.tasks), keys, self.arrangement)

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
            whole = share / total if total else Fraction(1, len(asked))
            part = min(whole / left if left else Fraction(0), Fraction(1)).limit_denominator(1_000_000)
            offset = key64(self.seed, planned.name, "style", name) % part.denominator
            groups.append(_Style(name, tuple(by_style[name]), part, offset))
            left -= whole
        return tuple(groups)

    def style_counts(self, task: int) -> dict[str, int]:
        """How many of a task's planned rows each style is given.

        Guards may move some, where no template of the style serves the row.
        """
        groups = self.style_groups(task)
        left, counts = self.tasks[task].rows, {}
        for group in groups[:-1]:
            counts[group.name] = int(group.before(np.array([left]))[0])
            left -= counts[group.name]
        return {**counts, groups[-1].name: left}

    def templates(self, task: int, draws: Ints, epochs: Ints, rows: Ints, guards: npt.NDArray[np.int32]) -> Ints:
        """The template of each draw, or `NO_TEMPLATE`.

        A draw belongs to a style by its number; among the templates of the style that serve the row, the one with the
        highest hash of (seed, task, template, row, epoch) is taken (rendezvous hashing), so that a new wording takes
        rows from the others and moves none between them. Even wordings take turns in the draws of their style. Where
        the wording does not serve the row, one of its style does, and where none does, any other may.
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
        styles, ranks = self._style_of(groups, draws)
        own, near, other = _Best(len(draws)), _Best(len(draws)), _Best(len(draws))
        for index, template in enumerate(planned.templates):
            group = next(number for number, found in enumerate(groups) if index in found.templates)
            scores = keyed_words(key64(self.seed, planned.name, "template", template.id), counters) | np.uint64(1)
            serving = [guard for guard, templates in enumerate(planned.guards) if index in templates]
            if len(serving) < len(planned.guards):
                scores[~np.isin(guards, serving)] = 0
            if groups[group].share > 0:
                other.meet(index, scores)
            if len(groups) > 1 or self.wordings == "even":
                near.meet(index, np.where(styles == group, scores, np.uint64(0)))
            if self.wordings == "even":
                mine = (styles == group) & self._turns(task, groups[group], index, ranks)
                own.meet(index, np.where(mine, scores, np.uint64(0)))
        return np.where(own.scores > 0, own.found, np.where(near.scores > 0, near.found, other.found))

    def _turns(self, task: int, group: _Style, template: int, ranks: Ints) -> npt.NDArray[np.bool_]:
        """Which draws of a style, by their ranks in it, are a wording's turn; they go round by name."""
        templates = self.tasks[task].templates
        ids = sorted(templates[index].id for index in group.templates)
        first = key64(self.seed, self.tasks[task].name, "turn", group.name) % len(ids)
        return np.equal((ranks + first) % len(ids), ids.index(templates[template].id))

    def _style_of(self, groups: Sequence[_Style], draws: Ints) -> tuple[Ints, Ints]:
        """The number of each draw's style, and the draw's rank among those of its style."""
        chosen, ranks = np.full(len(draws), len(groups) - 1, np.int64), draws.copy()
        left, number = np.arange(len(draws)), draws.copy()
        for index, group in enumerate(groups[:-1]):
            before = group.before(number)
            mine = group.before(number + 1) > before
            chosen[left[mine]], ranks[left[mine]] = index, before[mine]
            left, number = left[~mine], (number - before)[~mine]
        ranks[left] = number
        return chosen, ranks
