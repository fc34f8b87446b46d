"""From a task's rows to the prompts of a set, some rows at a time."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.assembling import is_blank
from flanmix.bound import BoundTemplate
from flanmix.errors import TemplateError
from flanmix.evalsets.answers import TEXT, Asked, Mask, ask
from flanmix.evalsets.choosing import EvalTask
from flanmix.evalsets.columns import PROMPTS, one_word
from flanmix.evalsets.options import EvalOptions
from flanmix.evalsets.pool import Pool
from flanmix.evalsets.shots import Exemplars, Prompts, Written, prompts_with_shots, row_keys
from flanmix.keyed import Ints, key64, keyed_words, permute
from flanmix.mapped import ROW
from flanmix.render import RowError, render_pair
from flanmix.render.picking import Rows

_HELD_BYTES = 32 << 20
_MOST_ROWS = 1 << 12
NOT_SERVED = "the template does not serve the row"


@dataclass(frozen=True)
class Piece:
    """Some prompts of a set in its order, and those that are lost, counted by reason."""

    table: pa.Table
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class EvalSet:
    """The prompts of a task with so many exemplars: a pure function of the rows, the options and the seed."""

    task: EvalTask
    options: EvalOptions
    pool: Pool
    exemplars: Pool
    shots: int

    @cached_property
    def rows(self) -> Ints:
        """The rows that are asked, in the order of the set: drawn by the seed, so that any prefix is a fair sample."""
        size = len(self.pool)
        order = permute(np.arange(size), size, key64(self.options.seed, self.task.name, "eval rows"))
        return order[: self.options.rows]

    @property
    def planned(self) -> int:
        """How many prompts there would be if none were lost."""
        return len(self.rows) * (1 if self.options.templates == "one" else len(self.task.templates))

    def pieces(self) -> Iterator[Piece]:
        """The prompts, row after row and each in its wordings; raises `TemplateError`."""
        wordings = 1 if self.options.templates == "one" else len(self.task.templates)
        bytes_ = max(1.0, wordings * (self.pool.row_bytes + self.shots * self.exemplars.row_bytes))
        step = int(np.clip(_HELD_BYTES / bytes_, 1, _MOST_ROWS))
        for start in range(0, len(self.rows), step):
            yield self._piece(self.rows[start : start + step])
        self.pool.check()
        self.exemplars.check()

    def _piece(self, numbers: Ints) -> Piece:
        rows = self.pool.rows(numbers)
        dropped: Counter[str] = Counter()
        made: list[tuple[Ints, int, pa.Table]] = []
        served = self.pool.served(rows)[:, : len(self.task.templates)]
        for number, mask in enumerate(self._wanted(rows, served, dropped).T):
            places = np.flatnonzero(mask)
            if len(places):
                item = self.task.templates[number]
                kept, table = self._in_wording(item, rows.at(places), dropped)
                made.append((places[kept], number, table))
        table = pa.concat_tables([PROMPTS.empty_table(), *(table for *_, table in made)], promote_options="none")
        if made:
            places = np.concatenate([places for places, *_ in made])
            wordings = np.concatenate([np.full(len(places), number) for places, number, _ in made])
            table = table.take(pa.array(np.lexsort((wordings, places))))
        return Piece(table.unify_dictionaries().combine_chunks(), dropped)

    def _wanted(self, rows: Rows, served: Mask, dropped: Counter[str]) -> Mask:
        """For each row and wording, whether it is asked so."""
        if self.options.templates != "one":
            dropped[NOT_SERVED] += int((~served).sum())
            return served
        count = served.sum(axis=1)
        key = key64(self.options.seed, self.task.name, "eval wording")
        drawn = keyed_words(key, rows.numbers(ROW)) % np.maximum(count, 1).astype(np.uint64)
        chosen: Mask = served & (np.cumsum(served, axis=1) == drawn.astype(np.int64)[:, None] + 1)
        dropped["no template applies"] += int((count == 0).sum())
        return chosen

    def _in_wording(self, item: BoundTemplate, rows: Rows, dropped: Counter[str]) -> tuple[Ints, pa.Table]:
        """Rows in one wording: the places of those that are kept, and their prompts."""
        asked = self._ask(item, rows.table)
        answers = _answers(item, asked.targets)
        kept = np.arange(len(rows))
        reasons = {**_missing(item, asked.inputs, asked.targets), **asked.lost}
        if item.template.extract is not None:
            reasons["'extract' finds no answer in the target"] = np.asarray(answers.is_null())
        kept = kept[_left(np.ones(len(rows), bool), reasons, dropped)]
        taken = pa.array(kept)
        prompts = self._with_shots(item, asked.inputs.take(taken), asked.targets.take(taken), rows.at(kept))
        short = {f"fewer than {self.shots} exemplars": prompts.found < self.shots}
        full = _left(np.ones(len(kept), bool), short, dropped)
        kept, taken = kept[full], pa.array(kept[full])
        own = {
            "input": prompts.inputs.filter(pa.array(full)),
            "target": asked.targets.take(taken),
            "answer": answers.take(taken),
            "answer_choices": asked.choices.take(taken),
            "answer_index": pa.array(asked.index[kept]),
            **self._provenance(item, rows.numbers(ROW)[kept], prompts.shots.filter(pa.array(full))),
        }
        return kept, pa.table([own[name] for name in PROMPTS.names], schema=PROMPTS)

    def _ask(self, item: BoundTemplate, table: pa.Table) -> Asked:
        try:
            return ask(item, table, seed=self.options.seed, task=self.task.name)
        except RowError as error:
            raise self._failed(item, error, table) from error

    def _failed(self, item: BoundTemplate, error: RowError, table: pa.Table) -> TemplateError:
        row = table.column(ROW)[error.index].as_py()
        return TemplateError(
            item.where.problem(f"row {row} of the task {self.task.name}: {error}", "guard the template with 'when'")
        )

    def _with_shots(self, item: BoundTemplate, inputs: pa.Array, targets: pa.Array, rows: Rows) -> Prompts:
        number = self.task.templates.index(item)

        def write(numbers: Ints) -> Written:
            found = self.exemplars.rows(numbers)
            try:
                pair = render_pair(
                    item.template, found.table, seed=self.options.seed, task=self.task.name, name=item.id
                )
            except RowError as error:
                raise self._failed(item, error, found.table) from error
            lost = np.logical_or.reduce(list(_missing(item, *pair).values()))
            return Written(*pair, found.numbers(ROW), self.exemplars.served(found)[:, number] & ~lost)

        return prompts_with_shots(
            inputs,
            targets,
            row_keys(self.options.seed, self.task.name, rows.numbers(ROW)),
            Exemplars(len(self.exemplars), write, by_pair=item.style == "inverted"),
            shots=self.shots,
            between=self.options.separator,
            separator=self.options.between_shots,
        )

    def _provenance(self, item: BoundTemplate, rows: Ints, shots: pa.Array) -> dict[str, pa.Array]:
        task, count = self.task.bound.task, len(rows)
        styles = [*(["few_shot"] if self.shots else []), *([item.style] if item.style != "plain" else [])]
        source, split = self.task.source
        told = {
            "fm_task": task.name,
            "fm_type": task.type,
            "fm_source": source,
            "fm_split": split,
            "fm_template": item.id,
            "fm_style": "+".join(styles) or "plain",
            "fm_stage": "",
        }
        columns = {name: one_word(word, count) for name, word in told.items()}
        return {
            **columns,
            "fm_row": pa.array(rows),
            "fm_shots": shots,
            "fm_epoch": pa.array(np.zeros(count, np.int32)),
        }


def _missing(item: BoundTemplate, inputs: pa.Array, targets: pa.Array) -> dict[str, Mask]:
    """Which rows have no texts, by reason."""
    found: dict[str, Mask] = {}
    if item.template.dialect == "promptsource":
        found["does not have two parts"] = np.asarray(inputs.is_null())
    for name, texts in (("input", inputs), ("target", targets)):
        found[f"{name} needs a value that is missing"] = np.asarray(texts.is_null())
        found[f"{name} is blank"] = np.asarray(is_blank(texts))
    return found


def _left(kept: Mask, reasons: Mapping[str, npt.NDArray[np.bool_]], dropped: Counter[str]) -> Mask:
    """Which rows none of the reasons takes out; every row is counted under the first that does."""
    for reason, lost in reasons.items():
        dropped[reason] += int((kept & lost).sum())
        kept = kept & ~lost
    return kept


def _answers(item: BoundTemplate, targets: pa.Array) -> pa.Array:
    """What a model's answer has to be equal to; null where `extract` finds nothing."""
    if item.template.extract is None:
        return pc.utf8_trim_whitespace(targets)
    pattern = re.compile(item.template.extract)
    distinct = targets.dictionary_encode()
    found = pa.array([_last(pattern, text) for text in distinct.dictionary.to_pylist()], TEXT)
    return found.take(distinct.indices)


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    answer = None
    for match in pattern.finditer(text):
        answer = match["answer"] if match["answer"] is not None else answer
    return answer.strip() if answer is not None and answer.strip() else None
