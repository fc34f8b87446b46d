"""From positions of a plan to rendered examples, any slice of them alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import Problem, TemplateError
from flanmix.fields import GUARD, ROW
from flanmix.layouts import METADATA
from flanmix.mapped import Mapped
from flanmix.order import Ints
from flanmix.plan import NO_TEMPLATE, Plan
from flanmix.render import RowError, render_pair

_HELD_BYTES = 64 << 20
"""Bytes of prepared files whose pages may be held at a time while a slice is rendered."""


@dataclass(frozen=True)
class Example:
    """One position of a mixture, rendered: its texts and where they come from.

    `dropped` says why the position is left out of a build, or is None.
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


@dataclass(frozen=True)
class Slice:
    """Rendered positions `start` … `stop` - 1.

    `table` holds the examples that are kept, in order (`input`, `target`, the metadata columns, `position`);
    `dropped` counts the others by (task, reason).
    """

    table: pa.Table
    dropped: Mapping[tuple[str, str], int]


class Examples:
    """Renders slices of a plan from the prepared files of its tasks (in the plan's order)."""

    def __init__(self, plan: Plan, files: tuple[Path, ...]) -> None:
        self.plan, self._files = plan, files
        self._mapped: dict[int, Mapped] = {}
        self.names = tuple(task.name for task in plan.tasks)
        self.types = tuple(sorted({task.type for task in plan.tasks}))
        self.templates = tuple(sorted({template.id for task in plan.tasks for template in task.templates}))

    def _rows(self, task: int, indices: Ints, columns: list[str] | None = None) -> pa.Table:
        if task not in self._mapped:
            self._mapped[task] = Mapped(self._files[task])
        return self._mapped[task].take(indices, columns)

    def release(self) -> None:
        """Give the pages of the prepared files back to the system."""
        for mapped in self._mapped.values():
            mapped.release()

    def slice(self, start: int, stop: int) -> Slice:
        """Render positions `start` … `stop` - 1; raises `TemplateError` with the template's place and the row."""
        return self._assemble(*self._draw(start, stop), start)

    def example(self, position: int) -> Example:
        """Render one position."""
        (task,), drawn, texts = self._draw(position, position + 1)
        found = self._assemble(np.array([task]), drawn, texts, position)
        planned, template = self.plan.tasks[task], int(drawn.templates[0])
        name = "" if template == NO_TEMPLATE else planned.templates[template].id
        row, epoch = int(drawn.rows[0]), int(drawn.epochs[0])
        (kept,) = found.table.select(["input", "target"]).to_pylist() or [{"input": "", "target": ""}]
        reason = next((reason for _, reason in found.dropped), None)
        return Example(position, planned.name, planned.type, name, row, epoch, **kept, dropped=reason)

    def _draw(self, start: int, stop: int) -> tuple[Ints, "_Drawn", list[tuple[Ints, pa.Array, pa.Array]]]:
        """The tasks at some positions, what was drawn there, and the rendered texts with their places in the slice."""
        tasks, draws = self.plan.order.slice(start, stop)
        drawn = _Drawn.empty(len(tasks))
        texts: list[tuple[Ints, pa.Array, pa.Array]] = []
        held = 0
        for task in np.unique(tasks):
            places = np.flatnonzero(tasks == task)
            texts += self._of_task(int(task), draws[places], places, drawn)
            held += self._mapped[int(task)].size
            if held > _HELD_BYTES:
                self.release()
                held = 0
        return tasks, drawn, texts

    def _of_task(self, task: int, draws: Ints, places: Ints, drawn: "_Drawn") -> list[tuple[Ints, pa.Array, pa.Array]]:
        """Render the draws of one task that stand at `places` of the slice; notes in `drawn` what was drawn."""
        epochs, indices = self.plan.indices(task, draws)
        origin = self._rows(task, indices, [ROW, GUARD])
        numbers = origin.column(ROW).to_numpy()
        chosen = self.plan.templates(task, draws, epochs, numbers, origin.column(GUARD).to_numpy())
        drawn.rows[places], drawn.epochs[places], drawn.templates[places] = numbers, epochs, chosen
        by_template = np.argsort(chosen, kind="stable")
        names, starts = np.unique(chosen[by_template], return_index=True)
        rows = self._rows(task, indices[by_template])
        texts = []
        for template, begin, end in zip(names, starts, [*starts[1:], len(chosen)], strict=True):
            if template != NO_TEMPLATE:
                rendered = self._render(task, int(template), rows.slice(begin, end - begin))
                texts.append((places[by_template[begin:end]], *rendered))
        return texts

    def _assemble(
        self, tasks: Ints, drawn: "_Drawn", texts: list[tuple[Ints, pa.Array, pa.Array]], start: int
    ) -> Slice:
        """The kept examples of a slice in their order, and why the others are dropped."""
        places = np.concatenate([piece[0] for piece in texts]) if texts else np.zeros(0, np.int64)
        back = pa.array(np.argsort(places))
        columns = {
            name: pa.chunked_array([piece[side] for piece in texts], pa.large_string()).take(back).combine_chunks()
            for side, name in ((1, "input"), (2, "target"))
        }
        places = np.sort(places)
        reasons: dict[str, npt.NDArray[np.bool_]] = {}
        for name, array in columns.items():
            reasons[f"{name} holds a null"] = np.asarray(array.is_null())
            reasons[f"{name} is blank"] = np.asarray(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(array), ""), False))
        dropped: Counter[tuple[str, str]] = Counter()
        unserved = np.flatnonzero(drawn.templates == NO_TEMPLATE)
        _tally(dropped, self._names_of(tasks[unserved]), "no template of a wanted style applies")
        keep = np.ones(len(places), bool)
        for reason, lost in reasons.items():
            _tally(dropped, self._names_of(tasks[places[keep & lost]]), reason)
            keep &= ~lost
        places = places[keep]
        metadata = self._metadata(tasks[places], drawn, places)
        kept = [column.filter(pa.array(keep)) for column in columns.values()]
        table = pa.table([*kept, *metadata, pa.array(places + start)], schema=self._schema)
        return Slice(table, dropped)

    def _names_of(self, tasks: Ints) -> list[str]:
        return [self.names[task] for task in tasks]

    def _render(self, task: int, template: int, rows: pa.Table) -> tuple[pa.Array, pa.Array]:
        planned = self.plan.tasks[task].templates[template]
        try:
            return render_pair(planned.template, rows, seed=self.plan.seed, task=self.names[task], name=planned.id)
        except RowError as error:
            number = rows.column(ROW)[error.index].as_py()
            what = f"row {number} of the task {self.names[task]}: {error}"
            raise TemplateError(Problem(what, file=planned.where, hint="guard the template with 'when'")) from error

    def _metadata(self, tasks: Ints, drawn: "_Drawn", places: Ints) -> list[pa.Array]:
        codes = (tasks, self._type_codes[tasks], self._template_codes[tasks, drawn.templates[places]])
        named = [
            pa.DictionaryArray.from_arrays(pa.array(code.astype(np.int32)), pa.array(words, pa.string()))
            for code, words in zip(codes, (self.names, self.types, self.templates), strict=True)
        ]
        return [*named, pa.array(drawn.rows[places]), pa.array(drawn.epochs[places].astype(np.int32))]

    @cached_property
    def _type_codes(self) -> Ints:
        return np.array([self.types.index(task.type) for task in self.plan.tasks], np.int64)

    @cached_property
    def _template_codes(self) -> Ints:
        """For each task and template, the template's place in `templates`."""
        place = {name: index for index, name in enumerate(self.templates)}
        most = max((len(task.templates) for task in self.plan.tasks), default=0)
        codes = np.zeros((len(self.plan.tasks), most), np.int64)
        for number, task in enumerate(self.plan.tasks):
            codes[number, : len(task.templates)] = [place[template.id] for template in task.templates]
        return codes

    @cached_property
    def _schema(self) -> pa.Schema:
        texts = [pa.field("input", pa.large_string()), pa.field("target", pa.large_string())]
        return pa.schema([*texts, *METADATA, pa.field("position", pa.int64())])


@dataclass(frozen=True)
class _Drawn:
    """What was drawn at each place of a slice."""

    rows: Ints
    epochs: Ints
    templates: Ints

    @classmethod
    def empty(cls, length: int) -> "_Drawn":
        return cls(*(np.full(length, NO_TEMPLATE, np.int64) for _ in range(3)))


def _tally(dropped: Counter[tuple[str, str]], names: list[str], reason: str) -> None:
    for name, count in Counter(names).items():
        dropped[name, reason] += count
