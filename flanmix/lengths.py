"""How many tokens the rows of each task and template have: measured on a seeded sample, kept in the cache.

The sample of a template is the first n of its rows in an order that is a function of (seed, task, template) alone, so a
larger sample holds the smaller one, and nothing else in the mixture changes it. It is measured in blocks (rows 0 to 31,
32 to 63, 64 to 127 …), each with a file of its own in the cache.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.assembling import Assembly, has_text
from flanmix.canonical import canonical_json
from flanmix.durable import written_whole
from flanmix.errors import BuildError, Problem
from flanmix.mapped import GUARD, Mapped, RowFile
from flanmix.order import Ints, key64, permute
from flanmix.plan import Plan, PlannedTask
from flanmix.prepare import cache_folder
from flanmix.prompting import Prompting
from flanmix.rates import exact
from flanmix.render import RowError, render_pair, text_pieces
from flanmix.render.picking import Rows, ViewedTable
from flanmix.render.viewing import Piece
from flanmix.rendering import failed_on
from flanmix.spec.prompts import prompts_of
from flanmix.tokenizing import Counting, Tokenizer
from flanmix.undo import added, make_folder, used

FORMAT = 1
"""Goes into every name in the cache: raised whenever a measurement would differ."""

SAMPLE = 256
_FIRST_BLOCK = 32
_PIECE_BYTES, _PIECE_ROWS = 4 << 20, 1 << 13
"""Bytes of a file, about, and rows that are rendered at a time."""


@dataclass(frozen=True)
class Moments:
    """Sums over rows of one guard: all rows, those with both texts, and of those tokens and loss tokens.

    `tokens` is without the `extra` of a row. They are integers, so that they add up the same in any order.
    """

    rows: int = 0
    kept: int = 0
    tokens: int = 0
    squares: int = 0
    loss: int = 0
    loss_squares: int = 0

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(*(a + b for a, b in zip(self.values, other.values, strict=True)))

    @property
    def values(self) -> tuple[int, ...]:
        """The sums in their order."""
        return self.rows, self.kept, self.tokens, self.squares, self.loss, self.loss_squares

    def plus(self, extra: int) -> "Moments":
        """As if every row had so many tokens more."""
        squares = self.squares + 2 * extra * self.tokens + extra**2 * self.kept
        tokens = self.tokens + extra * self.kept
        return Moments(self.rows, self.kept, tokens, squares, self.loss, self.loss_squares)


@dataclass(frozen=True)
class Length:
    """The tokens of one template's rows of one task: means over the measured rows with both texts.

    `served` rows are served by the template's guard, of which some were measured: `by_guard` says how many of each
    guard, and what they came to.
    """

    task: str
    template: str
    served: int
    by_guard: Mapping[int, Moments]

    @cached_property
    def whole(self) -> Moments:
        """The sums over all guards."""
        return reduce(Moments.__add__, self.by_guard.values(), Moments())

    @property
    def rows(self) -> int:
        """How many rows were measured."""
        return self.whole.rows

    @property
    def kept(self) -> int:
        """How many of them have both texts; a build drops the others."""
        return self.whole.kept

    @property
    def tokens(self) -> float:
        """The mean of the tokens of a row, input, target and `extra`."""
        return self.whole.tokens / max(self.kept, 1)

    @property
    def target(self) -> float:
        """The mean of its loss tokens: those that start in the target."""
        return self.whole.loss / max(self.kept, 1)

    @property
    def input(self) -> float:
        """The mean of its other tokens, `extra` included."""
        return self.tokens - self.target

    @property
    def error(self) -> float:
        """The standard error of `tokens`; 0 where every row was measured."""
        if self.rows >= self.served or not self.kept:
            return 0.0
        spread = max(0.0, self.whole.squares / self.kept - self.tokens**2) * self.kept / max(self.kept - 1, 1)
        return float((spread / self.kept * (1 - self.rows / self.served)) ** 0.5)


class TaskRows:
    """The usable rows of a planned task, by what serves them."""

    def __init__(self, planned: PlannedTask, file: RowFile) -> None:
        self.planned = planned
        self.mapped = Mapped(file)
        self._file = Path(str(file))

    @cached_property
    def _guards(self) -> npt.NDArray[np.int64]:
        """How many rows of each guard each chunk of the file has."""
        if len(self.planned.guards) == 1:
            return np.array([[self.planned.usable]])
        chunks = self.mapped.table.column(GUARD).chunks
        counts = [np.bincount(np.asarray(chunk), minlength=len(self.planned.guards)) for chunk in chunks]
        return np.array(counts, np.int64).reshape(len(counts), len(self.planned.guards))

    @property
    def of_guards(self) -> Ints:
        """How many rows there are of each guard."""
        found: Ints = self._guards.sum(axis=0)
        return found

    def serving(self, template: int) -> list[int]:
        """The guards whose rows a template serves."""
        return [guard for guard, templates in enumerate(self.planned.guards) if template in templates]

    def served(self, template: int) -> int:
        """How many rows a template serves."""
        return int(self.of_guards[self.serving(template)].sum())

    def numbers(self, template: int, ranks: Ints) -> Ints:
        """The rows in the file of those that a template serves, by their rank (ascending)."""
        serving = self.serving(template)
        if len(serving) == len(self.planned.guards):
            return ranks
        ends = np.cumsum(self._guards[:, serving].sum(axis=1))
        cuts = [0, *np.searchsorted(ranks, ends).tolist()]
        found, first = np.empty_like(ranks), 0
        for index, chunk in enumerate(self.mapped.table.column(GUARD).chunks):
            here = slice(cuts[index], cuts[index + 1])
            if here.start < here.stop:
                before = int(ends[index - 1]) if index else 0
                found[here] = np.flatnonzero(np.isin(np.asarray(chunk), serving))[ranks[here] - before] + first
            first += len(chunk)
        return found

    @cached_property
    def at_a_time(self) -> int:
        """How many rows to render at a time."""
        each = self._file.stat().st_size / max(self.planned.usable, 1)
        return max(16, min(_PIECE_ROWS, int(_PIECE_BYTES / max(each, 1))))


class Lengths:
    """Measures the lengths of one tokenizer; what was measured before is found in the cache.

    Where `prompting` or a template's own prompts give rows different texts, row r of a sample is given what draw r of
    the task would be.

    `Lengths(load_tokenizer("gpt2"), seed=7).of(TaskRows(plan.tasks[0], files[0]), 0).tokens` is the mean of the first
    template of the first task.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        counting: Counting | None = None,
        *,
        seed: int = 0,
        prompting: Prompting | None = None,
    ) -> None:
        self.tokenizer, self.counting, self.seed = tokenizer, counting or Counting(), seed
        self.prompting = prompting or Prompting()

    def of(self, rows: TaskRows, template: int, sample: int | None = SAMPLE) -> Length:
        """The lengths of a template on a sample of so many rows, or of all where there are fewer; None: of all.

        Raises `TemplateError` where the template fails on a row, and `BuildError` where the cache cannot be written.
        """
        served = rows.served(template)
        stop = served if sample is None else min(sample, served)
        found: dict[int, Moments] = {}
        start, end = 0, _FIRST_BLOCK
        while start < stop:
            for guard, moments in self._block(rows, template, start, min(end, stop)).items():
                found[guard] = found.get(guard, Moments()) + moments
            start, end = end, 2 * end
        by_guard = {guard: found[guard].plus(self.counting.extra) for guard in sorted(found)}
        return Length(rows.planned.name, rows.planned.templates[template].id, served, by_guard)

    def _block(self, rows: TaskRows, template: int, start: int, stop: int) -> dict[int, Moments]:
        key = self._key(rows, template, start, stop)
        folder = cache_folder() / "lengths"
        file = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
        found = _load(file, key)
        if found is None:
            found = self._measure(rows, template, start, stop)
            _keep(file, key, found)
        return found

    def _key(self, rows: TaskRows, template: int, start: int, stop: int) -> str:
        """All that decides what a block of a sample comes to."""
        planned, item = rows.planned, rows.planned.templates[template]
        wording = [item.id, item.template.texts, item.template.dialect, item.template.truncate]
        served = [planned.name, planned.data, planned.usable, rows.serving(template)]
        encoding = [self.tokenizer.digest, self.tokenizer.version, self.counting.separator]
        weights = [str(exact(prompt.weight)) for prompt in prompts_of(item.template.system)]
        told = [self.prompting.facts([planned.type]), weights, planned.conversation]
        before = [self.counting.of_system, self.counting.of_pair]
        told += [before] if any(before) else []
        more = told if self.prompting or weights or planned.conversation or item.template.earlier else []
        return canonical_json([FORMAT, encoding, served, wording, self.seed, start, stop, *more])

    def _plan(self, planned: PlannedTask) -> Plan:
        """All that decides the words of one task's rows."""
        return Plan("", self.seed, "", (planned,), {}, prompting=self.prompting)

    def _measure(self, rows: TaskRows, template: int, start: int, stop: int) -> dict[int, Moments]:
        planned, item = rows.planned, rows.planned.templates[template]
        key = key64(self.seed, planned.name, item.id, "lengths")
        drawn = permute(np.arange(start, stop), rows.served(template), key)
        draws = np.argsort(drawn) + start
        numbers = rows.numbers(template, np.sort(drawn))
        found: dict[int, Moments] = {}
        for begin in range(0, len(numbers), rows.at_a_time):
            part = slice(begin, begin + rows.at_a_time)
            table = rows.mapped.take(numbers[part])
            rows.mapped.release()
            for guard, moments in self._of_table(planned, template, table, draws[part]).items():
                found[guard] = found.get(guard, Moments()) + moments
        return found

    def _of_table(self, planned: PlannedTask, template: int, table: pa.Table, draws: Ints) -> dict[int, Moments]:
        examples, keep = self._examples(planned, template, table, draws)
        counts = self.tokenizer.count_examples(examples.filter(keep), self.counting)
        tokens, loss = counts.tokens - self.counting.extra, counts.loss
        guards = np.asarray(table.column(GUARD))
        kept = guards[np.asarray(keep)]
        return {
            int(guard): Moments(int((guards == guard).sum()), *_sums(tokens[kept == guard], loss[kept == guard]))
            for guard in np.unique(guards)
        }

    def _examples(self, planned: PlannedTask, template: int, table: pa.Table, draws: Ints) -> tuple[pa.Table, pa.Array]:
        """The rows as examples, and which of them a build keeps."""
        inputs, targets = _render(planned, template, table, self.seed)
        keep = pc.and_(has_text(inputs), has_text(targets))
        plan = self._plan(planned)
        if not plan.talks:
            return pa.table({"input": inputs, "target": targets}), keep
        texts = partial(_text, planned, template)
        whole = Rows(ViewedTable(table), np.arange(table.num_rows))
        columns, lost = Assembly(plan).whole(0, template, whole, draws, inputs, texts)
        for reason in lost.values():
            keep = pc.and_(keep, pa.array(~reason))
        return pa.table({**columns, "target": targets}), keep


def _sums(tokens: Ints, loss: Ints) -> tuple[int, ...]:
    return len(tokens), int(tokens.sum()), int(tokens @ tokens), int(loss.sum()), int(loss @ loss)


def _render(planned: PlannedTask, template: int, table: pa.Table, seed: int) -> tuple[pa.Array, pa.Array]:
    item = planned.templates[template]
    try:
        return render_pair(item.template, table, seed=seed, task=planned.name, name=item.id)
    except RowError as error:
        raise failed_on(error, table, planned.name, item.where) from error


def _text(planned: PlannedTask, template: int, key: str, rows: Rows) -> list[Piece]:
    item = planned.templates[template]
    try:
        return text_pieces(item.template.texts[key], rows)
    except RowError as error:
        raise failed_on(error, rows.table, planned.name, item.places.get(key, item.where)) from error


def _facts(key: str, found: Mapping[int, Moments]) -> dict[str, Any]:
    return {"key": key, "guards": [[guard, *moments.values] for guard, moments in sorted(found.items())]}


def _digest(facts: Any) -> str:
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def _load(file: Path, key: str) -> dict[int, Moments] | None:
    """What was measured before; None where nothing was, or the file is not as it was written."""
    if not (file.is_file() and used(file)):
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        facts = found["facts"]
        good = found["sha256"] == _digest(facts) and facts["key"] == key
        return {guard: Moments(*values) for guard, *values in facts["guards"]} if good else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(file: Path, key: str, found: Mapping[int, Moments]) -> None:
    facts = _facts(key, found)
    try:
        make_folder(file.parent)
        with written_whole(file) as temporary:
            temporary.write_text(canonical_json({"facts": facts, "sha256": _digest(facts)}), encoding="utf-8")
        added(file)
    except OSError as error:
        what = f"the cache cannot be written: {error.strerror or error}"
        hint = "make room, or set FLANMIX_CACHE to another folder"
        raise BuildError(Problem(what, file=str(cache_folder()), hint=hint)) from error
