"""Rows of a plan's tasks in the words of its templates, their options listed as the plan has it."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.check import OPTIONS, variables_of_template
from flanmix.errors import Problem, TemplateError
from flanmix.keyed import Ints
from flanmix.mapped import ANSWER, ROW
from flanmix.options.drawing import Chosen
from flanmix.options.listing import listed
from flanmix.options.lists import Lists
from flanmix.plan import Plan
from flanmix.render import RowError, render_pieces, text_pieces
from flanmix.render.picking import Rows
from flanmix.render.viewing import Joined, Piece, join

Lost = Mapping[str, npt.NDArray[np.bool_]]
"""Which rows are lost, by reason."""

_read = cache(variables_of_template)


class Rendering:
    """Renders rows of a plan's tasks. All raise `TemplateError` with the template's place and the row."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def lists(self, task: int, template: int, rows: Rows) -> bool:
        """Whether a template lists the options of these rows in another way than they are prepared."""
        return not self._plan.options.as_in_data and self.reads_options(task, template, rows)

    def reads_options(self, task: int, template: int, rows: Rows) -> bool:
        """Whether a template lists the options of these rows, and what they are is known."""
        known = "choices" in rows.of.table.column_names
        return known and OPTIONS in _read(self._plan.tasks[task].templates[template].template)

    def unanswered(self, task: int, template: int, rows: Rows) -> npt.NDArray[np.bool_] | None:
        """Which rows would list options without the right one among them; None where a template lists none."""
        known = ANSWER in rows.of.table.column_names
        if not known or OPTIONS not in _read(self._plan.tasks[task].templates[template].template):
            return None
        return rows.numbers(ANSWER) < 0

    def forms(self, task: int, numbers: Ints, epochs: Ints) -> Chosen:
        """In which style each row of a task lists its options, and what its target prints of the right one."""
        return self._plan.options.chosen(numbers, epochs, seed=self._plan.seed, task=self._plan.tasks[task].name)

    def listed(self, task: int, rows: Rows, epochs: Ints, forms: Chosen) -> tuple[Rows, Lost]:
        """The rows with their options in the form of each, and which of them have none to list."""
        answer = rows.column("answer") if "answer" in rows.of.table.column_names else None
        seed, name, numbers = self._plan.seed, self._plan.tasks[task].name, rows.numbers(ROW)
        how = self._plan.options
        found = listed(rows.column("choices"), answer, numbers, epochs, how, seed=seed, task=name, chosen=forms)
        return rows.with_columns(
            found.columns({OPTIONS, "choices", *(["answer"] if answer is not None else [])})
        ), found.lost

    def sides(self, task: int, template: int, rows: Rows) -> Mapping[str, list[Piece]]:
        """The pieces of the rows' `input` and `target`."""
        owner = self._plan.tasks[task]
        planned = owner.templates[template]
        if planned.template.turns:
            question, answer = planned.template.pair
            return {
                "input": self.text(task, template, question, rows),
                "target": self.text(task, template, answer, rows),
            }
        try:
            return render_pieces(planned.template, rows, seed=self._plan.seed, task=owner.name, name=planned.id)
        except RowError as error:
            raise failed_on(error, rows.table, owner.name, planned.where) from error

    def text(self, task: int, template: int, key: str, rows: Rows) -> list[Piece]:
        """One of the texts of a native template."""
        owner = self._plan.tasks[task]
        planned = owner.templates[template]
        try:
            return text_pieces(planned.template.texts[key], rows)
        except RowError as error:
            raise failed_on(error, rows.table, owner.name, planned.places.get(key, planned.where)) from error

    def alike(self, task: int, template: int, rows: Rows) -> tuple[pa.Array, pa.Array]:
        """The inputs and targets of rows, the same for those that differ in the order of their options alone.

        Null for rows that cannot list their options as the mixture has it.
        """
        if not self.reads_options(task, template, rows):
            return self.pair(task, template, rows)
        lists = Lists.of(rows.column("choices"))
        options = pc.binary_join(lists.sorted.array, pa.scalar("\n", pa.large_string()))
        if self.lists(task, template, rows):
            none = np.zeros(len(rows), np.int64)
            _, lost = self.listed(task, rows, none, Chosen(none, none))
            options = pc.if_else(pa.array(np.logical_or.reduce(list(lost.values()))), None, options)
        return self.pair(task, template, rows.with_columns({OPTIONS: options}))

    def pair(self, task: int, template: int, rows: Rows) -> tuple[pa.Array, pa.Array]:
        """The inputs and targets of rows, whole."""
        sides = self.sides(task, template, rows)
        return whole(sides["input"], len(rows)), whole(sides["target"], len(rows))


def whole(pieces: list[Piece], rows: int) -> pa.Array:
    """The texts that are made of pieces."""
    return join([Joined(np.arange(rows), pieces)], rows)


def failed_on(error: RowError, table: pa.Table, task: str, place: str) -> TemplateError:
    """The problem of a template that fails on a row of a table, told with the place of the text that fails."""
    what = f"row {table.column(ROW)[error.index].as_py()} of the task {task}: {error}"
    return TemplateError(Problem(what, file=place, hint="guard the template with 'when'"))
