"""The plan: exact counts for every task, and what stands at every position, before anything is rendered."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from flanmix.canonical import canonical_json
from flanmix.held import HeldOut
from flanmix.options.drawing import Listing
from flanmix.order import Ints, Order, key64, permute
from flanmix.prompting import Prompting
from flanmix.rates import exact
from flanmix.shots import Shooting
from flanmix.spec import Template
from flanmix.spec.prompts import prompts_of
from flanmix.styles import OTHER, Stratum, Styling, Supply, Wanted, styling_of
from flanmix.wording import NO_TEMPLATE as NO_TEMPLATE
from flanmix.wording import Draws, Wording
from flanmix.words import FEW_SHOT, style_name

FORMAT = 3
"""Goes into every plan's digest: raised whenever an equal plan would give other rows."""

Wordings = Literal["drawn", "even", "cycle"]
Arrangement = Literal["shuffle", "even", "sequential"]


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

    `data` is the digest of its prepared rows, `guards[g]` the templates that serve rows of guard g, of which there
    are `guard_rows[g]`. A task of which only sizes are known has neither, and perhaps `styles` with sizes of their own.
    The rows of a `conversation` task have columns `system` and `history`, and `trained` if it is `flagged`. `source`
    and `split` name where its rows are from, in the source's own words. The rest explains the number; it decides
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
    guard_rows: tuple[int, ...] = ()
    source: str = ""
    split: str = ""

    @property
    def sized(self) -> bool:
        """Whether its size is all that is known of it: then it can be planned and not built."""
        return not self.templates

    @property
    def epochs(self) -> float:
        """How often its offered rows are passed over."""
        return self.rows / self.offered


def _worded(task: PlannedTask) -> list[list[object]]:
    """What decides the words of a task's rows: its templates."""
    return [[p.id, *p.template.texts.values(), p.style, *_of_dialect(p.template)] for p in task.templates]


@dataclass(frozen=True)
class Plan:
    """A resolved mixture. Position k → (task, epoch, source row, template) is a pure function of this value.

    `styles` are the shares asked of template styles; with `wordings` "even" each wording of a style is given as many
    draws as the others. `prompting` goes before the rows' own texts. `digest` names the plan: equal digests, equal
    rows. `relaxed` says what gave way, `tokens` how many a budget in tokens comes to, and `held_out` which tasks are
    held out: what is left decides the rows. `stage` is the stage of the mixture that it is the plan of.
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
    shots: Shooting = field(default_factory=Shooting)
    templates_per_row: int = 1
    options: Listing = field(default_factory=Listing)
    stage: str = ""
    held_out: tuple[HeldOut, ...] = ()

    @cached_property
    def rows(self) -> int:
        """The number of positions."""
        return sum(task.rows for task in self.tasks)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that decides the rows, with what they tell of where they are from; not over explanations."""
        tasks = [
            [t.name, t.type, t.source, t.split, t.rows, t.offered, t.usable, t.data, t.guards, t.guard_rows]
            + _worded(t)
            + [[style.name, style.rows] for style in t.styles]
            + ([["conversation", t.conversation, t.flagged]] if t.conversation or t.flagged else [])
            for t in self.tasks
        ]
        styles = self._exact_styles
        whole = {"format": FORMAT, "seed": self.seed, "split": self.split, "tasks": tasks, "styles": styles}
        whole |= {"wordings": self.wordings, "order": self.arrangement, "stage": self.stage}
        if self.prompting:
            whole["prompting"] = self.prompting.facts(sorted({task.type for task in self.tasks}))
        if self.shots:
            whole["shots"] = self.shots.facts()
        if not self.options.as_in_data:
            whole["options"] = self.options.facts()
        if self.templates_per_row > 1:
            whole["templates_per_row"] = self.templates_per_row
        return hashlib.sha256(canonical_json(whole).encode()).hexdigest()

    @property
    def _exact_styles(self) -> dict[str, str]:
        return {name: str(exact(share)) for name, share in self.styles.items()}

    def wordings_digest(self, task: int) -> str:
        """SHA-256 over all that decides which words a task's rows are put into."""
        planned = self.tasks[task]
        whole = [planned.name, _worded(planned), planned.guards, self._exact_styles, self.wordings, self.seed]
        whole += [self.prompting.facts([planned.type])] if self.prompting else []
        whole += [self.shots.facts()] if self.shots else []
        whole += [] if self.options.as_in_data else [self.options.facts()]
        whole += [self.templates_per_row] if self.templates_per_row > 1 else []
        return hashlib.sha256(canonical_json(whole).encode()).hexdigest()

    @cached_property
    def chat_columns(self) -> tuple[str, ...]:
        """The columns that its examples have beside `input` and `target`: some of `system`, `history`, `trained`."""
        templates = [planned.template for task in self.tasks for planned in task.templates]
        talk = any(task.conversation for task in self.tasks)
        told = bool(self.prompting.prompts) or self.prompting.tag == "system" or any(t.system for t in templates)
        there = {
            "system": talk or told,
            "history": talk or any(t.earlier for t in templates) or (bool(self.shots) and self.shots.place == "turns"),
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

    @cached_property
    def stylings(self) -> tuple[Styling, ...]:
        """How the draws of each task are shared out to kinds of rows, styles and numbers of exemplars."""
        return tuple(self._styling(task) for task in self.tasks)

    def _styling(self, task: PlannedTask) -> Styling:
        takes = tuple(not (task.conversation or planned.template.earlier) for planned in task.templates)
        styles = tuple(planned.style for planned in task.templates)
        supply = Supply(task.name, styles, takes, task.guards, task.guard_rows, task.usable, task.offered)
        few = exact(self.styles.get(FEW_SHOT, 1.0)) if self.shots else Fraction(0)
        shares = {name: share for name, share in self.styles.items() if name != FEW_SHOT}
        numbers = tuple((number, exact(weight)) for number, weight in self.shots.numbers)
        return styling_of(Wanted(shares, few, numbers), supply, self.seed)

    def indices(self, task: int, draws: Ints) -> tuple[Ints, Ints]:
        """The epochs and the usable rows that these draws of a task take; rows count from 0, stratum by stratum.

        Within an epoch every offered row comes once, or `templates_per_row` times; the offered rows are a keyed sample
        of the usable ones.
        """
        planned, styling = self.tasks[task], self.stylings[task]
        if len(styling.strata) == 1:
            return self._indices(planned, styling.strata[0], draws)
        placed = styling.at(draws)
        epochs, rows = (np.zeros(len(draws), np.int64) for _ in range(2))
        for number, stratum in enumerate(styling.strata):
            mine = np.flatnonzero(placed.strata == number)
            epochs[mine], rows[mine] = self._indices(planned, stratum, placed.ranks[mine])
        return epochs, rows

    def _indices(self, planned: PlannedTask, stratum: Stratum, ranks: Ints) -> tuple[Ints, Ints]:
        copies = self.copies(planned)
        each = -(-stratum.offered // copies)
        epochs, within = np.divmod(ranks, stratum.offered)
        passes = epochs * copies + within // each if copies > 1 else epochs
        within %= each
        title = tuple(filter(None, [stratum.name]))
        for number in np.unique(passes[passes > 0]):
            here = passes == number
            within[here] = permute(within[here], each, key64(self.seed, planned.name, "epoch", int(number), *title))
        rows = permute(within, stratum.usable, key64(self.seed, planned.name, "rows", *title))
        return epochs, rows + stratum.first

    def copies(self, planned: PlannedTask) -> int:
        """How many wordings each row of a task is offered in: no more than there are."""
        return min(self.templates_per_row, max(1, len(planned.templates)))

    def style_counts(self, task: int) -> dict[str, int]:
        """How many of a task's planned rows each style is given, with exemplars (`few_shot+…`) and without.

        Where no share is asked for several of its styles, they count together as `any other`.
        """
        found: dict[str, int] = {}
        others = {planned.style for planned in self.tasks[task].templates} - set(self.styles)
        alone = {OTHER: others.pop()} if len(others) == 1 else {}
        for (style, number), count in self.stylings[task].counts(self.tasks[task].rows).items():
            name = style_name(alone.get(style, style), shots=number > 0)
            found[name] = found.get(name, 0) + count
        return found

    def shot_counts(self, task: int) -> dict[int, int]:
        """How many of a task's planned rows are asked to have each number of exemplars."""
        found: dict[int, int] = {}
        for (_, number), count in self.stylings[task].counts(self.tasks[task].rows).items():
            found[number] = found.get(number, 0) + count
        return dict(sorted(found.items()))

    def number_of_shots(self, task: int, draws: Ints) -> Ints:
        """How many exemplars each draw of a task is asked to have."""
        styling = self.stylings[task]
        return styling.shots(styling.at(draws)) if self.shots else np.zeros(len(draws), np.int64)

    def templates(self, task: int, draws: Ints, epochs: Ints, rows: Ints, guards: npt.NDArray[np.int32]) -> Ints:
        """The template of each draw, or `NO_TEMPLATE` (`flanmix.wording`).

        `rows` are the rows' numbers in the source, `guards` the guards that they have.
        """
        planned, styling, cycle = self.tasks[task], self.stylings[task], self.wordings == "cycle"
        placed, copies = styling.at(draws), self.copies(planned)
        turns = epochs * copies if cycle else np.zeros(len(draws), np.int64)
        if copies > 1:
            offered = np.array([stratum.offered for stratum in styling.strata])[placed.strata]
            turns += placed.ranks % offered // -(-offered // copies)
        salts = np.zeros(len(draws), np.int64) if cycle else epochs
        return self._wording(task).chosen(Draws(guards, rows, salts, turns, placed.cells, placed.within))

    def _wording(self, task: int) -> Wording:
        planned, cells = self.tasks[task], self.stylings[task].cells
        ids = [template.id for template in planned.templates]
        used = frozenset(index for stratum in self.stylings[task].strata for index in stratum.templates)
        turns = self.wordings == "cycle" or self.copies(planned) > 1
        even = self.wordings == "even"
        return Wording(self.seed, planned.name, ids, planned.guards, cells, used, even, turns)
