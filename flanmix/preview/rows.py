"""From the number of a row in a built folder, or of a position in a plan, to what is known of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flanmix import manifest
from flanmix.errors import FlanmixError, UsageError
from flanmix.examples import Example, Examples
from flanmix.layouts import METADATA, TOKENS, Writing, from_layout
from flanmix.mapped import ROW, Mapped
from flanmix.planner import Planned
from flanmix.preview.explain import Explanation
from flanmix.preview.explained import Explained
from flanmix.preview.explaining import Known, Said, Standing, explained
from flanmix.preview.mask import mask
from flanmix.preview.masked import MaskedExample, row_at
from flanmix.registry import Registry
from flanmix.spec import TurnTags


def explain_position(planned: Planned, position: int) -> Explanation:
    """How a position of a plan comes to be."""
    example = Examples(planned.plan, planned.files).example(position)
    known, standing = Known.in_plan(planned, example.task), Standing.in_plan(planned.plan, example.task)
    said = None if example.dropped else _said(example)
    told = explained(_metadata_of(example), known, standing, said, dropped=example.dropped)
    return Explanation(f"Position {position:,} of {planned.plan.name}", (told,))


def stage_of(folder: Path, number: int) -> tuple[str, int]:
    """The stage that a row of a built folder is of, and its number there; "" where there are no stages.

    `number` counts from 0 through all stages and shards, of packs the packs. Raises `UsageError`, `BuildError`.
    """
    facts = manifest.read(folder)
    stages = {stage: manifest.read(folder / stage) for stage in facts["stages"]} if "stages" in facts else {"": facts}
    total, place = 0, number
    for stage, found in stages.items():
        lines = sum(map(_lines, found["shards"]))
        if 0 <= place < lines:
            return stage, place
        total, place = total + lines, place - lines
    raise UsageError(f"{folder} has no row {number}", hint=f"there are {total:,}, from 0 to {total - 1}")


def explain_row(
    folder: Path,
    number: int,
    tasks: Registry | None,
    planned: Planned | None = None,
    tokenizer: str | Path | None = None,
) -> Explanation:
    """How a row of a build came to be: by its plan, if there is one, or by what a catalogue has now.

    Raises `UsageError`, `BuildError`.
    """
    facts = manifest.read(folder)
    if not facts["metadata"]:
        what = "was built without metadata, so nothing tells where its rows are from"
        raise UsageError(f"{folder} {what}", hint="build it without --no-metadata, or explain positions of the plan")
    row = _Row(folder, facts, number, tasks, planned, tokenizer)
    return Explanation(f"Row {number:,} of {folder}", tuple(row.examples()))


@dataclass(frozen=True)
class _Row:
    """A row of a built folder."""

    folder: Path
    facts: Mapping[str, Any]
    number: int
    tasks: Registry | None
    planned: Planned | None
    tokenizer: str | Path | None

    def examples(self) -> Iterator[Explained]:
        """What it holds: one example, or those of a pack."""
        shards = self.facts["shards"]
        ends = list(accumulate(map(_lines, shards)))
        at = int(np.searchsorted(ends, self.number, side="right"))
        offset = self.number - ends[at] + _lines(shards[at])
        row = row_at(self.folder / shards[at]["file"], offset)
        if absent := [name for name in METADATA.names if name not in row.column_names]:
            what = f"lacks the columns {', '.join(absent)}"
            raise UsageError(f"{self.folder} {what}", hint="another flanmix wrote it: build it again")
        first = sum(shard["planned"] for shard in shards[:at])
        positions = range(first, first + shards[at]["planned"])
        (found,) = row.select(METADATA.names).to_pylist()
        if self.facts["layout"] == "packed":
            pieces = (dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True))
            yield from (self._example(row, place, piece, positions) for place, piece in enumerate(pieces))
        else:
            all_there = shards[at]["planned"] == shards[at]["rows"]
            yield self._example(row, 0, found, positions[offset : offset + 1] if all_there else positions)

    def _example(self, row: pa.Table, place: int, metadata: dict[str, Any], positions: range) -> Explained:
        """One example, which came from one of these positions."""
        name, said, notes = metadata["fm_task"], texts_of(row, self.facts), []
        (task,) = (task for task in self.facts["tasks"] if task["task"] == name)
        known = Known()
        if self.planned is None and self.tasks is not None:
            known = Known.in_registry(self.tasks, metadata, self.facts["split"], task["source"]["prepared"])
        elif self.planned is not None:
            known = Known.in_plan(self.planned, name)
            if len(positions) > 1 and known.rows is not None:
                positions = position_of(self.planned, positions, metadata)
            if said is None and len(positions) == 1 and known.rows is not None:
                said = _said(Examples(self.planned.plan, self.planned.files).example(positions[0]))
        if said is None:
            notes.append("The build holds tokens: the texts are what the wording alone makes of the row.")
        where = f"{positions[0]:,}"
        if len(positions) > 1:
            where = f"one of {where} to {positions[-1]:,}, those of its shard, of which some were dropped or packed"
        standing, tokens = Standing.in_manifest(self.facts, name), self._tokens(row, place)
        return explained(metadata, known, standing, said, position=where, tokens=tokens, notes=notes)

    def _tokens(self, row: pa.Table, place: int) -> MaskedExample | str:
        """What is trained; in words where there is nothing to show."""
        if self.facts["layout"] not in TOKENS:
            return ""
        try:
            return mask(self.folder, [self.number], tokenizer=self.tokenizer).rows[0].examples[place]
        except FlanmixError as error:
            lengths = row.column("seq_lengths")[0].as_py() if "seq_lengths" in row.column_names else None
            count = len(row.column("input_ids")[0]) if lengths is None else lengths[place]
            return f"{count:,}, which cannot be shown: {error}"


def position_of(planned: Planned, positions: range, metadata: Mapping[str, Any]) -> range:
    """The one of these positions of a plan that has this provenance, as a range; all of them where none has.

    >>> import flanmix as fm
    >>> ask = fm.Template("ask", input="{{ q }}", target="{{ a }}")
    >>> task = fm.Task("toy/sums", type="arithmetic", source=[{"q": "1 + 1?", "a": "2"}] * 9, templates=[ask])
    >>> plan = fm.Mixture("toy", parts=[fm.Part("toy/*")]).plan(fm.load_registry(specs=[task]), rows=9)
    >>> (told,) = plan.explain(4)
    >>> position_of(plan._planned, range(9), told.metadata)
    range(4, 5)
    """
    plan = planned.plan
    task = [item.name for item in plan.tasks].index(metadata["fm_task"])
    tasks, draws = plan.order.slice(positions.start, positions.stop)
    places = np.flatnonzero(tasks == task)
    epochs, indices = plan.indices(task, draws[places])
    numbers = Mapped(planned.files[task]).pick(indices).numbers(ROW)
    found = places[(epochs == metadata["fm_epoch"]) & (numbers == metadata[ROW])] + positions.start
    examples = Examples(plan, planned.files)
    same = (int(at) for at in found if examples.example(int(at)).template == metadata["fm_template"])
    return next((range(at, at + 1) for at in same), positions)


def texts_of(row: pa.Table, facts: Mapping[str, Any]) -> Said | None:
    """The texts of a row of a build, each with its role; None of tokens."""
    layout = facts["layout"]
    if layout in TOKENS:
        return None
    if layout == "text":
        return [("Text", row.column("text")[0].as_py())]
    writing = Writing(facts["separator"], TurnTags(**facts.get("turn_tags", {})))
    (found,) = from_layout(row, layout, writing).to_pylist()
    pairs = [(pair["user"], pair["assistant"]) for pair in found.get("history", ())]
    return list(_turns(found.get("system", ""), pairs, found["input"], found["target"]))


def _said(example: Example) -> Said:
    return list(_turns(example.system, example.history, example.input, example.target))


def _turns(system: str, history: Any, asked: str, answered: str) -> Iterator[tuple[str, str]]:
    if system:
        yield "System", system
    for user, assistant in history:
        yield "User", user
        yield "Assistant", assistant
    yield "Input", asked
    yield "Target", answered


def _metadata_of(example: Example) -> dict[str, Any]:
    values = {f"fm_{name}": value for name, value in vars(example).items()}
    return {name: [*values[name]] if name == "fm_shots" else values[name] for name in METADATA.names}


def _lines(shard: Mapping[str, Any]) -> int:
    return int(shard.get("lines", shard["rows"]))
