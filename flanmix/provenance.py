"""The metadata columns of rows: words that tasks and templates decide, each kept once and pointed to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flanmix.order import Ints
from flanmix.plan import Plan, PlannedTemplate
from flanmix.spec import OptionStyle
from flanmix.words import style_name


@dataclass(frozen=True, eq=False)
class Words:
    """A column of few words. `codes` are their places by task, or by task and template."""

    words: pa.Array
    codes: npt.NDArray[np.int32]

    @classmethod
    def of_tasks(cls, words: Sequence[str]) -> "Words":
        """The word of each task."""
        place = _places(words)
        return cls(pa.array(place, pa.string()), np.array([place[word] for word in words], np.int32))

    @classmethod
    def of_templates(cls, plan: Plan, word_of: Callable[[PlannedTemplate], str]) -> "Words":
        """The word of each template of each task."""
        place = _places([word_of(template) for task in plan.tasks for template in task.templates])
        codes = of_templates(plan, lambda template: place[word_of(template)])
        return cls(pa.array(place, pa.string()), codes.astype(np.int32))

    def at(self, *numbers: Ints) -> pa.DictionaryArray:
        """The words of rows, by the numbers of their tasks, or of their tasks and templates."""
        return pa.DictionaryArray.from_arrays(pa.array(self.codes[numbers]), self.words)


@dataclass(frozen=True, eq=False)
class Provenance:
    """Where the rows of a plan are from, as columns."""

    plan: Plan

    def columns(self, tasks: Ints, templates: Ints) -> dict[str, pa.Array]:
        """The columns that a row's task and its template decide."""
        columns = {name: words.at(tasks) for name, words in self._of_tasks.items()}
        return columns | {"fm_template": self._templates.at(tasks, templates)}

    def styles(self, tasks: Ints, templates: Ints, shots: npt.NDArray[np.bool_], options: Ints) -> pa.DictionaryArray:
        """The styles of rows: of their templates, whether they are to have exemplars, and how they list options.

        `options` are numbers of the plan's option styles, -1 where nothing is listed.
        """
        words, codes, places = self._all_styles
        code = (codes[tasks, templates] * len(self._shots) + shots) * (len(self._listed) + 1) + options + 1
        return pa.DictionaryArray.from_arrays(pa.array(places[code]), words)

    @cached_property
    def _all_styles(self) -> tuple[pa.Array, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """All styles of rows; the number of each template's; the place of each combination among the former."""
        of_templates = self._styles
        listed = ["", *(f":{style.name}" for style in self._listed)]
        names = [
            style_name(word, shots=few) + how
            for word in of_templates.words.to_pylist()
            for few in self._shots
            for how in listed
        ]
        place = _places(names)
        return pa.array(place, pa.string()), of_templates.codes, np.array([place[name] for name in names], np.int32)

    @property
    def _listed(self) -> tuple[OptionStyle, ...]:
        """The styles in which options are listed, where that is in another way than they are prepared."""
        return () if self.plan.options.as_in_data else self.plan.options.styles

    @property
    def _shots(self) -> tuple[bool, ...]:
        """Whether rows have exemplars: none has, or some have."""
        return (False, True) if self.plan.shots else (False,)

    @cached_property
    def _styles(self) -> Words:
        return Words.of_templates(self.plan, lambda template: template.style)

    @cached_property
    def _templates(self) -> Words:
        return Words.of_templates(self.plan, lambda template: template.id)

    @cached_property
    def _of_tasks(self) -> Mapping[str, Words]:
        tasks = self.plan.tasks
        return {
            "fm_task": Words.of_tasks([task.name for task in tasks]),
            "fm_type": Words.of_tasks([task.type for task in tasks]),
            "fm_source": Words.of_tasks([task.source for task in tasks]),
            "fm_split": Words.of_tasks([task.split for task in tasks]),
            "fm_stage": Words.of_tasks([self.plan.stage] * len(tasks)),
        }


def of_templates(plan: Plan, number_of: Callable[[PlannedTemplate], int]) -> Ints:
    """A number for each task and template of a plan, 0 where there is no such template."""
    most = max((len(task.templates) for task in plan.tasks), default=0)
    numbers = np.zeros((len(plan.tasks), most), np.int64)
    for number, task in enumerate(plan.tasks):
        numbers[number, : len(task.templates)] = [number_of(template) for template in task.templates]
    return numbers


def no_shots(count: int) -> pa.ListArray:
    """The exemplars of rows that have none."""
    return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.int64()))


def _places(words: Sequence[str]) -> dict[str, int]:
    return {word: index for index, word in enumerate(sorted(set(words)))}
