"""From positions of a plan to rendered examples, any slice of them alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.assembling import CHAT_COLUMNS, Assembly, Brought, Drawn, gathered, is_blank
from flanmix.exemplars import Exemplars, Own, Pool
from flanmix.layouts import METADATA
from flanmix.mapped import GUARD, ROW, Mapped, RowFile
from flanmix.options.listing import NO_ANSWER
from flanmix.order import Ints
from flanmix.plan import NO_TEMPLATE, Plan
from flanmix.provenance import Provenance, no_shots, of_templates
from flanmix.render.picking import Rows
from flanmix.render.viewing import Joined, join
from flanmix.rendering import Rendering, whole
from flanmix.shots import SHOTS, Queries, written

_HELD_BYTES = 1 << 30
"""Bytes of files that are held whole while they are built from; larger ones are read in stretches."""
_READ_BYTES = 32 << 20
"""Bytes of larger files whose pages may be held at a time."""


@dataclass(frozen=True)
class Example:
    """One position of a mixture, rendered: its texts and where they come from.

    `input` and `target` are the last two turns, `history` the pairs of turns before them. `dropped` says why the
    position is left out of a build, or is None. `shots` are the rows of its exemplars.
    """

    position: int
    task: str
    type: str
    template: str
    row: int
    epoch: int
    input: str
    target: str
    dropped: str | None = None
    system: str = ""
    history: tuple[tuple[str, str], ...] = ()
    source: str = ""
    split: str = ""
    style: str = ""
    shots: tuple[int, ...] = ()
    stage: str = ""


@dataclass(frozen=True)
class Slice:
    """Rendered positions `start` … `stop` - 1.

    `table` holds the examples that are kept, in order (`input`, `target`, the plan's `chat_columns`, the metadata
    columns, `position`); `dropped` counts the others by (task, reason).
    """

    table: pa.Table
    dropped: Mapping[tuple[str, str], int]


class Examples:
    """Renders slices of a plan from the files with its tasks' usable rows (in the plan's order).

    Positions are drawn and rendered up to `ahead` at a time where they are asked for one after the other: every file is
    read in order once for all of them.
    """

    def __init__(self, plan: Plan, files: tuple[RowFile, ...], ahead: int = 1) -> None:
        self.plan, self._files, self._ahead = plan, files, ahead
        self._mapped: dict[int, Mapped] = {}
        self._stretch: _Stretch | None = None
        self._assembly = Assembly(plan) if plan.talks else None
        self._exemplars = Exemplars(plan) if plan.shots else None
        self._rendering = Rendering(plan)
        self._in_strata: dict[int, Ints] = {}
        self.names = tuple(task.name for task in plan.tasks)
        self._provenance = Provenance(plan)

    def release(self) -> None:
        """Give the pages of the files back to the system."""
        for mapped in self._mapped.values():
            mapped.release()

    def check(self) -> None:
        """Raises `SourceError` where a file that was read is no longer what was planned with."""
        for mapped in self._mapped.values():
            mapped.check()

    @cached_property
    def _small(self) -> bool:
        """Whether all files may be held at a time."""
        return sum(Path(str(file)).stat().st_size for file in self._files) <= _HELD_BYTES

    @property
    def _reach(self) -> int:
        """How many positions to draw at a time: more than are asked for only where files are too large to be held."""
        return 1 if self._small else self._ahead

    def slice(self, start: int, stop: int, until: int = 0) -> Slice:
        """Render positions `start` … `stop` - 1; raises `TemplateError` with the template's place and the row.

        `until` says that those up to there will be asked for next.
        """
        stretch = self._stretch
        if stretch is None or not stretch.start <= start <= stop <= stretch.stop:
            stretch = self._stretch = None  # the next one takes as much memory
            stretch = self._draw(start, max(stop, min(until, start + self._reach)))
        self._stretch = stretch if stretch.stop > stop else None
        return self._assemble(stretch.between(start, stop))

    def example(self, position: int) -> Example:
        """Render one position."""
        stretch = self._draw(position, position + 1)
        found = self._assemble(stretch)
        planned, template = self.plan.tasks[int(stretch.tasks[0])], int(stretch.templates[0])
        wording = None if template == NO_TEMPLATE else planned.templates[template]
        name, style = ("", "") if wording is None else (wording.id, wording.style)
        row, epoch = int(stretch.rows[0]), int(stretch.epochs[0])
        nothing = {"input": "", "target": "", "fm_style": style, "fm_shots": []}
        told = ["input", "target", *(n for n in self.plan.chat_columns if n != "trained"), "fm_style", "fm_shots"]
        (kept,) = found.table.select(told).to_pylist() or [nothing]
        kept["history"] = tuple((pair["user"], pair["assistant"]) for pair in kept.get("history", ()))
        kept |= {"style": kept.pop("fm_style"), "shots": tuple(kept.pop("fm_shots"))}
        kept |= {"source": planned.source, "split": planned.split, "stage": self.plan.stage}
        reason = next((reason for _, reason in found.dropped), None)
        return Example(position, planned.name, planned.type, name, row, epoch, **kept, dropped=reason)

    def _draw(self, start: int, stop: int) -> "_Stretch":
        tasks, draws = self.plan.order.slice(start, stop)
        stretch = _Stretch.empty(start, tasks, draws, self.plan.chat_columns)
        held = sum(mapped.held for mapped in self._mapped.values())
        for task, places in _places_of_each(tasks):
            held -= self._mapped[task].held if task in self._mapped else 0
            self._draw_of_task(task, draws[places], places, stretch)
            held += self._mapped[task].held
            if held > _READ_BYTES:
                self.release()
                held = 0
        return stretch

    def _draw_of_task(self, task: int, draws: Ints, places: Ints, stretch: "_Stretch") -> None:
        """Render the draws of one task that stand at `places` of a stretch."""
        if task not in self._mapped:
            self._mapped[task] = Mapped(self._files[task], whole=self._ahead > 1 and self._small)
        epochs, indices = self.plan.indices(task, draws)
        indices = self._usable(task, indices)
        rows = self._mapped[task].pick(indices)
        numbers = rows.numbers(ROW)
        chosen = self.plan.templates(task, draws, epochs, numbers, rows.numbers(GUARD))
        stretch.rows[places], stretch.epochs[places], stretch.templates[places] = numbers, epochs, chosen
        stretch.shots[places] = wanted = self.plan.number_of_shots(task, draws)
        for template, members in _places_of_each(chosen):
            if template != NO_TEMPLATE:
                queries = Queries(indices[members], numbers[members], epochs[members], wanted[members])
                self._put(task, template, rows.at(members), draws[members], queries, places[members], stretch)

    def _put(
        self, task: int, template: int, rows: Rows, draws: Ints, queries: Queries, places: Ints, stretch: "_Stretch"
    ) -> None:
        """Give a stretch the texts of rows of one template, and what they bring along."""
        shown, forms = rows, None
        unanswered = self._rendering.unanswered(task, template, rows)
        if unanswered is not None and unanswered.any():
            stretch.lost.setdefault(NO_ANSWER, np.zeros(len(stretch.tasks), bool))[places] = unanswered
        if self._rendering.lists(task, template, rows):
            forms = self._rendering.forms(task, queries.rows, queries.epochs)
            shown, lost = self._rendering.listed(task, rows, queries.epochs, forms)
            stretch.options[places] = forms.styles
            for reason, which in lost.items():
                stretch.lost.setdefault(reason, np.zeros(len(stretch.tasks), bool))[places] = which
        sides = self._rendering.sides(task, template, shown)
        stretch.texts["target"].append(Joined(places, sides["target"]))
        if self._exemplars is None or not queries.wanted.any():
            stretch.texts["input"].append(Joined(places, sides["input"]))
        else:
            both = whole(sides["input"], len(rows)), whole(sides["target"], len(rows))
            compared = self._rendering.reads_options(task, template, rows)
            alike = self._rendering.alike(task, template, rows) if compared else both
            own = Own(template, *alike, both[0], forms, compared)
            self._put_with_exemplars(task, own, queries, places, stretch)
        if self._assembly is not None:
            texts = partial(self._rendering.text, task, template)
            brought = self._assembly.brought(task, template, shown, draws, texts)
            for name, values in brought.items():
                stretch.brought[name].append(Brought(places, values))

    def _put_with_exemplars(self, task: int, own: Own, queries: Queries, places: Ints, stretch: "_Stretch") -> None:
        """Give a stretch the inputs of rows of one template, each with its exemplars."""
        assert self._exemplars is not None
        pool = Pool(task, self.plan.tasks[task].usable, self._mapped[task].pick, self._rendering)
        blank = np.asarray(pc.fill_null(is_blank(own.shown), True))
        asking = replace(queries, wanted=np.where(blank, 0, queries.wanted))
        chosen = self._exemplars.chosen(asking, own, pool)
        stretch.exemplars.append(Brought(places, chosen.numbers))
        if self.plan.shots.place == "turns":
            stretch.texts["input"].append(Joined(places, [own.shown]))
            stretch.brought["history"].append(Brought(places, chosen.turns))
        else:
            formats = self._exemplars.formats(queries, task)
            stretch.texts["input"] += written(chosen, own.shown, places, self.plan.shots.formats, formats)

    def _usable(self, task: int, indices: Ints) -> Ints:
        """The numbers of rows among the usable ones, where the plan counts them stratum by stratum."""
        strata = self.plan.stylings[task].strata
        if len(strata) == 1:
            return indices
        if task not in self._in_strata:
            stratum_of = np.zeros(len(self.plan.tasks[task].guards), np.int64)
            for number, stratum in enumerate(strata):
                stratum_of[list(stratum.guards)] = number
            self._in_strata[task] = np.argsort(stratum_of[self._mapped[task].guards], kind="stable")
        found: Ints = self._in_strata[task][indices]
        return found

    def _assemble(self, stretch: "_Stretch") -> Slice:
        """The kept examples of a stretch in their order, and why the others are dropped."""
        tasks, templates = stretch.tasks, stretch.templates
        columns = {name: join(texts, len(tasks)) for name, texts in stretch.texts.items()}
        reasons = {
            "no template of a wanted style applies": templates == NO_TEMPLATE,
            **stretch.lost,
            "does not have two parts": self._in_dialect[tasks, templates] & np.asarray(columns["input"].is_null()),
        }
        for name, array in columns.items():
            reasons[f"{name} needs a value that is missing"] = np.asarray(array.is_null())
            reasons[f"{name} is blank"] = np.asarray(is_blank(array))
        if self._assembly is not None:
            drawn = Drawn(tasks, stretch.draws, templates)
            made, lost = self._assembly.finished(drawn, stretch.brought, columns["input"])
            columns |= {name: made[name] for name in ("input", *self.plan.chat_columns)}
            reasons |= lost
        dropped: Counter[tuple[str, str]] = Counter()
        keep = np.ones(len(tasks), bool)
        for reason, lost in reasons.items():
            _tally(dropped, self._names_of(tasks[keep & lost]), reason)
            keep &= ~lost
        places = np.flatnonzero(keep)
        kept = list(columns.values()) if keep.all() else [array.filter(pa.array(keep)) for array in columns.values()]
        metadata = self._metadata(stretch, places)
        return Slice(pa.table([*kept, *metadata, pa.array(places + stretch.start)], schema=self._schema), dropped)

    def _names_of(self, tasks: Ints) -> list[str]:
        return [self.names[task] for task in tasks]

    def _metadata(self, stretch: "_Stretch", places: Ints) -> list[pa.Array]:
        tasks, templates = stretch.tasks[places], stretch.templates[places]
        columns = self._provenance.columns(tasks, templates)
        shots, options = stretch.shots[places] > 0, stretch.options[places]
        columns["fm_style"] = self._provenance.styles(tasks, templates, shots, options)
        columns["fm_row"] = pa.array(stretch.rows[places])
        columns["fm_shots"] = _exemplars(stretch.exemplars, len(stretch.tasks)).take(pa.array(places))
        columns["fm_epoch"] = pa.array(stretch.epochs[places].astype(np.int32))
        return [columns[name] for name in METADATA.names]

    @cached_property
    def _in_dialect(self) -> npt.NDArray[np.bool_]:
        """For each task and template, whether its texts come as parts of one."""
        return of_templates(self.plan, lambda template: template.template.dialect == "promptsource") > 0

    @cached_property
    def _schema(self) -> pa.Schema:
        texts = [pa.field("input", pa.large_string()), pa.field("target", pa.large_string())]
        chat = [pa.field(name, CHAT_COLUMNS[name]) for name in self.plan.chat_columns]
        return pa.schema([*texts, *chat, *METADATA, pa.field("position", pa.int64())])


@dataclass(frozen=True)
class _Stretch:
    """What was drawn at positions from `start`, the texts of both sides, which are yet to be joined, and what the rows
    bring along beside them.
    """

    start: int
    texts: Mapping[str, list[Joined]]
    brought: Mapping[str, list[Brought]]
    exemplars: list[Brought]
    lost: dict[str, npt.NDArray[np.bool_]]
    tasks: Ints
    draws: Ints
    rows: Ints
    epochs: Ints
    templates: Ints
    shots: Ints
    options: Ints

    @classmethod
    def empty(cls, start: int, tasks: Ints, draws: Ints, chat_columns: Sequence[str]) -> "_Stretch":
        return cls(
            start,
            {"input": [], "target": []},
            {name: [] for name in chat_columns},
            [],
            {},
            tasks,
            draws,
            *(np.full(len(tasks), NO_TEMPLATE, np.int64) for _ in range(5)),
        )

    @property
    def stop(self) -> int:
        return self.start + len(self.tasks)

    def between(self, start: int, stop: int) -> "_Stretch":
        """The part at positions `start` … `stop` - 1."""
        if (start, stop) == (self.start, self.stop):
            return self
        first, last = start - self.start, stop - self.start
        arrays = (self.tasks, self.draws, self.rows, self.epochs, self.templates, self.shots, self.options)
        drawn = (array[first:last] for array in arrays)
        texts = {name: [joined.between(first, last) for joined in side] for name, side in self.texts.items()}
        brought = {name: [part.between(first, last) for part in parts] for name, parts in self.brought.items()}
        exemplars = [part.between(first, last) for part in self.exemplars]
        lost = {reason: which[first:last] for reason, which in self.lost.items()}
        return _Stretch(start, texts, brought, exemplars, lost, *drawn)


def _places_of_each(codes: Ints) -> Iterator[tuple[int, Ints]]:
    """Each code that there is, and the places where it stands."""
    small = codes.max(initial=0) < 1 << 15
    by_code = np.argsort(codes.astype(np.int16) if small else codes, kind="stable")  # 16 bits are sorted in linear time
    cuts = np.flatnonzero(np.diff(codes[by_code])) + 1
    for places in np.split(by_code, cuts) if len(codes) else []:
        yield int(codes[places[0]]), places


def _exemplars(parts: Sequence[Brought], rows: int) -> pa.Array:
    """The exemplars of all rows; none where none are brought."""
    if not parts:
        return no_shots(rows)
    found = gathered(parts, rows, SHOTS)
    return pc.if_else(found.is_valid(), found, pa.scalar([], SHOTS))


def _tally(dropped: Counter[tuple[str, str]], names: list[str], reason: str) -> None:
    for name, count in Counter(names).items():
        dropped[name, reason] += count
