"""Gathers what is known of one example: its provenance, its task, the row of the source, and the texts."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.errors import FlanmixError, UsageError
from flanmix.mapped import GUARD, ROW, Mapped
from flanmix.plan import Plan
from flanmix.planner import Planned
from flanmix.prepare import prepare
from flanmix.preview.cards import Turn, card
from flanmix.preview.explained import Explained
from flanmix.preview.masked import MaskedExample
from flanmix.registry import Registry
from flanmix.render.tracing import Run
from flanmix.sources.naming import name_of
from flanmix.words import TURN_FIELDS, count_of

Said = Sequence[tuple[str, str]]
"""The texts of an example, each with its role."""


@dataclass(frozen=True)
class Known:
    """A task and its usable rows, as far as they can be had, and what cannot."""

    bound: BoundTask | None = None
    rows: pa.Table | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def in_plan(cls, planned: Planned, task: str) -> "Known":
        """As they were planned with."""
        names = [item.name for item in planned.plan.tasks]
        bound, file = planned.tasks[names.index(task)], planned.files[names.index(task)]
        try:
            return cls(bound, Mapped(file).table)
        except (OSError, FlanmixError) as error:
            return cls(bound, None, (f"Its source cannot be read any more: {error}",))

    @classmethod
    def in_registry(cls, tasks: Registry, metadata: Mapping[str, Any], split: str, digest: str) -> "Known":
        """As a catalogue has them now, where a build had rows of this digest."""
        try:
            bound = tasks[metadata["fm_task"]]
        except UsageError:
            note = "The catalogue does not have its task, so neither the source's row nor the wording can be shown: "
            return cls(notes=(f"{note}name the folder of its YAML file as registry.",))
        try:
            prepared = prepare(bound, split)
            rows = Mapped(prepared.rows).table
        except (OSError, FlanmixError) as error:
            return cls(bound, None, (f"Its source cannot be read: {error}",))
        same = prepared.digest == digest and name_of(bound.task.source, split)[0] == metadata["fm_source"]
        note = "The task's source or fields are not those of the build any more; they are shown as they are now."
        return cls(bound, rows, () if same else (note,))

    def fields(self, number: int) -> dict[str, Any] | None:
        """The fields of a row of the source; None where they cannot be told."""
        place = -1 if self.rows is None else int(pc.index(self.rows.column(ROW), number).as_py())
        if self.rows is None or place < 0:
            return None
        (row,) = self.rows.slice(place, 1).to_pylist()
        return {name: value for name, value in row.items() if name not in (ROW, GUARD)}

    def template(self, name: str) -> BoundTemplate | None:
        """The wording of this id; None where there is none by now."""
        return next((item for item in self.bound.templates if item.id == name), None) if self.bound else None


@dataclass(frozen=True)
class Standing:
    """What a task has of a mixture, and what the mixture asks for."""

    planned: int
    total: int
    asked: float
    offered: int
    bound: str
    styles: Mapping[str, float]

    @classmethod
    def in_plan(cls, plan: Plan, name: str) -> "Standing":
        """By a plan."""
        task = next(task for task in plan.tasks if task.name == name)
        return cls(task.rows, plan.rows, task.share_asked, task.offered, task.bound, plan.styles)

    @classmethod
    def in_manifest(cls, facts: Mapping[str, Any], name: str) -> "Standing":
        """By a build's manifest."""
        task = next(task for task in facts["tasks"] if task["task"] == name)
        offered = task["source"]["offered"]
        return cls(task["planned"], facts["planned"], task["share_asked"], offered, task["bound"], facts["styles"])

    @property
    def share(self) -> str:
        """Why the task has as many rows as it has."""
        rows = f"{self.planned:,} of {count_of(self.total, 'planned row')}, {self.planned / self.total:.2%}"
        bound = f"; bound by {self.bound}" if self.bound else ""
        return f"{rows}, where its rate and weights ask for {self.asked:.2%}{bound}"

    def style(self, style: str) -> str:
        """Why a row has its style."""
        asked = ", ".join(f"{name} {share:.0%}" for name, share in self.styles.items())
        own = [name for name in re.split(r"[+:]", style) if name in self.styles]
        why = f"among those of {' and '.join(own)}" if own else "among the rest"
        return f"{style}: {why}; the mixture asks for {asked}" if asked else f"{style}: the mixture asks for no styles"


def explained(
    metadata: Mapping[str, Any],
    known: Known,
    standing: Standing,
    said: Said | None,
    *,
    position: str = "",
    tokens: MaskedExample | str = "",
    dropped: str | None = None,
    notes: Sequence[str] = (),
) -> Explained:
    """What is known of an example with these fm_ columns.

    Where `said` is None, its texts are not known, and what its wording makes of the row is shown.
    """
    template, fields = known.template(metadata["fm_template"]), known.fields(metadata["fm_row"])
    notes = [*notes, *known.notes]
    if known.rows is not None and fields is None:
        notes.append(f"The source has no usable row {metadata['fm_row']:,} any more.")
    if known.bound is not None and template is None and metadata["fm_template"]:
        notes.append(f"The task has no template '{metadata['fm_template']}' any more.")
    turns: list[Turn] = [] if fields is None else [_told("Fields", fields)]
    turns += [] if template is None else _wording(template)
    for number in metadata["fm_shots"]:
        exemplar = known.fields(number)
        turns += [] if exemplar is None else [_told(f"Exemplar, row {number:,}", exemplar)]
    rendered = _rendered(known, template, fields, metadata["fm_row"])
    turns += rendered if said is None else [_as_traced(role, text, rendered) for role, text in said]
    counted = tokens if isinstance(tokens, str) else f"{count_of(tokens.tokens, 'token')}, {tokens.trained:,} trained"
    found = {"position": position, "tokens": counted, "dropped": dropped or ""}
    facts = [*_facts(metadata, standing, template), *found.items()]
    shown = tokens if isinstance(tokens, MaskedExample) else None
    return Explained(metadata, [fact for fact in facts if fact[1]], turns, shown, dropped, notes)


def _facts(
    metadata: Mapping[str, Any], standing: Standing, template: BoundTemplate | None
) -> Iterator[tuple[str, str]]:
    yield "task", f"{metadata['fm_task']}, of type {metadata['fm_type']}"
    yield "stage", metadata["fm_stage"]
    yield "share", standing.share
    yield "source", f"{metadata['fm_source']}, split {metadata['fm_split']}, row {metadata['fm_row']:,}"
    passes = f"over {count_of(standing.offered, 'row')}, {standing.planned / max(standing.offered, 1):.2f} in all"
    yield "epoch", f"{metadata['fm_epoch']} (from 0): a pass {passes}"
    if metadata["fm_template"]:
        yield "style", standing.style(metadata["fm_style"])
        yield "template", ", at ".join([metadata["fm_template"], *([template.where.place] if template else [])])
    shots = [f"{number:,}" for number in metadata["fm_shots"]]
    yield "exemplars", f"{'row' if len(shots) == 1 else 'rows'} {', '.join(shots)}" if shots else "none"


def _told(role: str, fields: Mapping[str, Any]) -> Turn:
    """The fields of a row, a line or more for each."""
    runs: list[Run] = []
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        runs += [Run(f"\n{name}: " if runs else f"{name}: ", ()), Run(text, (name,))]
    return Turn(role, tuple(runs))


def _wording(template: BoundTemplate) -> Iterator[Turn]:
    for key, text in template.template.texts.items():
        yield Turn(f"Template: {key}", (Run(text, ()),))


def _rendered(
    known: Known, template: BoundTemplate | None, fields: Mapping[str, Any] | None, number: int
) -> list[Turn]:
    """The wording on the row, with the field that each stretch came from."""
    if known.bound is None or template is None or fields is None:
        return []
    conversation = set(TURN_FIELDS) <= set(fields)
    return list(card(known.bound, template, fields, number, conversation=conversation).turns)


def _as_traced(role: str, text: str, rendered: Sequence[Turn]) -> Turn:
    """A text, with the fields that it came from where the wording alone made it."""
    same = (turn for turn in rendered if (turn.role, turn.text) == (role, text))
    return next(same, Turn(role, (Run(text, ()),)))
