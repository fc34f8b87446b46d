"""Cards: rows of a task, each rendered by one template, with the field that every stretch of text came from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.errors import UsageError, did_you_mean
from flanmix.fields import GUARD, ROW
from flanmix.mapped import Mapped
from flanmix.origin import Where
from flanmix.prepare import Prepared, prepare
from flanmix.render.environment import NullPrinted, OutsideList
from flanmix.render.promptsource import compile_dialect
from flanmix.render.tracing import Run, trace, trace_parts
from flanmix.spec import Template
from flanmix.spec.prompts import prompts_of, texts_of_pool


@dataclass(frozen=True)
class Turn:
    """One text of a card: `role` is Input or Target, or before them System, User or Assistant.

    `problem` says why a build cannot use the text, or is None.
    """

    role: str
    runs: tuple[Run, ...]
    problem: str | None = None

    @property
    def text(self) -> str:
        """The whole text, as it was rendered."""
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True)
class Card:
    """One row of a task, rendered by one template."""

    task: str
    type: str
    template: str
    tags: tuple[str, ...]
    fm_row: int
    turns: tuple[Turn, ...]


def card(
    bound: BoundTask, template: BoundTemplate, row: Mapping[str, Any], fm_row: int, *, conversation: bool = False
) -> Card:
    """The card of a row of fields, whose number in the source is `fm_row`; what fails is said on it, not raised.

    A row of a `conversation` task has the fields `system` and `history`, which are shown before its texts. Of a pool of
    system prompts all are shown; a mixture's are not known here.

    >>> from flanmix.registry import Registry
    >>> from flanmix.spec import Task, Template
    >>> ask = Template("ask", input="Q: {{ q }}", target="{{ a }}")
    >>> task = Registry().with_specs(Task("toy/sums", type="arithmetic", source=[{}], templates=[ask]))["toy/sums"]
    >>> card(task, task.templates[0], {"q": "1 + 1?", "a": "2"}, fm_row=7).turns[0].runs[1]
    Run(text='1 + 1?', fields=('q',))
    """
    if template.template.dialect == "promptsource":
        turns = _turns_of_parts(bound, template, row, fm_row)
    else:
        texts, roles = template.template.texts, _roles(template.template)
        turns = tuple(
            _turn(role, template.where.at_text(key), partial(trace, texts[key], row), may_be_blank="System" in role)
            for key, role in roles.items()
        )
    if conversation:
        turns = (*_turns_of_row(row), *turns)
    return Card(bound.task.name, bound.task.type, template.id, template.template.tags, fm_row, turns)


def _roles(template: Template) -> dict[str, str]:
    """The role of each text of a native template, in the order in which they are shown."""
    pool = prompts_of(template.system)
    total = sum(prompt.weight for prompt in pool)
    shares = [f"System, in {prompt.weight / total:.0%} of rows" if len(pool) > 1 else "System" for prompt in pool]
    roles = dict(zip(texts_of_pool(template.system), shares, strict=True))
    for user, assistant in template.earlier:
        roles |= {user: "User", assistant: "Assistant"}
    return roles | dict(zip(template.pair, ("Input", "Target"), strict=True))


def _turns_of_row(row: Mapping[str, Any]) -> Iterator[Turn]:
    """What a row of a conversation task brings along: its system text, if any, and its earlier turns."""
    if row["system"]:
        yield Turn("System", (Run(row["system"], ("system",)),))
    for pair in row["history"]:
        yield Turn("User", (Run(pair["user"], ("history",)),))
        yield Turn("Assistant", (Run(pair["assistant"], ("history",)),))


def _turns_of_parts(bound: BoundTask, template: BoundTemplate, row: Mapping[str, Any], fm_row: int) -> tuple[Turn, ...]:
    """The parts of a template of the dialect `promptsource`, which should be two."""
    programs = compile_dialect(template.template, (0, bound.task.name, template.id))
    parts: list[tuple[Run, ...]] = []

    def runs() -> tuple[Run, ...]:
        parts.extend(trace_parts(programs, row, fm_row))
        return parts[0]

    first = _turn("Input", template.where.at("jinja"), runs)
    if len(parts) == 2:
        return first, _turn("Target", template.where.at("jinja"), lambda: parts[1])
    if not parts:
        return (first,)
    problem = f"{len(parts)} parts where a build needs two: it leaves this row out."
    return tuple(Turn(f"Part {number}", part, problem) for number, part in enumerate(parts, 1))


def _turn(role: str, where: Where, runs: Callable[[], tuple[Run, ...]], *, may_be_blank: bool = False) -> Turn:
    """One text of a card; what a build would stumble over is its problem."""
    try:
        turn = Turn(role, runs())
    except NullPrinted:
        return Turn(role, (), "No text: the template prints a null here, so a build leaves this row out.")
    except OutsideList:
        return Turn(role, (), "No text: the template looks outside a list here, so a build leaves this row out.")
    except Exception as error:
        problem = where.problem(str(error) or type(error).__name__)
        return Turn(role, (), f"The template fails on this row, where a build would stop. {problem}")
    if may_be_blank or turn.text.strip():
        return turn
    return Turn(role, turn.runs, f"{'Blank' if turn.text else 'Empty'}: a build leaves this row out.")


def make_cards(
    bound: BoundTask, rows: int | Sequence[int], templates: Sequence[str] | None, split: str
) -> tuple[list[Card], list[str]]:
    """Cards for the rows and templates asked for, and notes on what they leave out; raises as `preview` does."""
    chosen = _chosen_templates(bound, templates)
    prepared = prepare(bound, split)
    table = Mapped(prepared.rows).table
    cards: list[Card] = []
    for place in _chosen_places(bound, table, rows):
        row = table.slice(place, 1).to_pylist()[0]
        fm_row = row.pop(ROW)
        serving = prepared.guards[row.pop(GUARD)]
        talks = bool(prepared.carried)
        cards += [
            card(bound, bound.templates[index], row, fm_row, conversation=talks) for index in chosen if index in serving
        ]
    with_card = {made.template for made in cards}
    without_card = [index for index in chosen if bound.templates[index].id not in with_card]
    return cards, [*_notes_on_rows(prepared), *_notes_on_templates(bound, prepared, table, without_card)]


def _chosen_templates(bound: BoundTask, templates: Sequence[str] | None) -> list[int]:
    """Which of the task's templates are asked for, once each; raises `UsageError`."""
    ids = [template.id for template in bound.templates]
    if templates is None:
        return list(range(len(ids)))
    wanted = [templates] if isinstance(templates, str) else list(templates)
    for name in sorted(set(wanted) - set(ids)):
        hint = did_you_mean(name, ids) or f"there are {', '.join(ids)}"
        raise UsageError(f"{bound.task.name} has no template '{name}'", hint=hint)
    return [ids.index(name) for name in dict.fromkeys(wanted)]


def _chosen_places(bound: BoundTask, table: pa.Table, rows: int | Sequence[int]) -> list[int]:
    """The places in the table of the rows asked for, once each; raises `UsageError`."""
    if isinstance(rows, int):
        places = spread(rows, table.num_rows)
    else:
        places = [_place_of(bound, table, row) for row in dict.fromkeys(rows)]
    if not places:
        raise UsageError("a preview of no rows shows nothing", hint="ask for one or more")
    return places


def spread(count: int, usable: int) -> list[int]:
    """The middles of `count` equal parts of a table, or every place of a table that is smaller.

    >>> spread(3, 10)
    [1, 5, 8]
    """
    count = min(count, usable)
    return [(2 * part + 1) * usable // (2 * count) for part in range(count)]


def _place_of(bound: BoundTask, table: pa.Table, row: int) -> int:
    numbers = table.column(ROW)
    place = int(pc.index(numbers, row).as_py())
    if place < 0:
        hint = f"there are {len(numbers):,}, from {numbers[0]} to {numbers[-1]}"
        raise UsageError(f"{bound.task.name} has no usable row {row}", hint=hint)
    return place


def _notes_on_rows(prepared: Prepared) -> Iterator[str]:
    """How many rows of the source can be on no card, and why."""
    for reason, count in prepared.dropped.items():
        yield f"{count:,} of {prepared.source_rows:,} rows dropped: {reason}"
    for repair, count in prepared.repaired.items():
        yield f"{count:,} of {prepared.source_rows:,} rows repaired: {repair}"


def _notes_on_templates(bound: BoundTask, prepared: Prepared, table: pa.Table, indices: Iterable[int]) -> Iterator[str]:
    """Where templates that have no card could be seen."""
    for index in indices:
        guards = [guard for guard, serving in enumerate(prepared.guards) if index in serving]
        served = pc.is_in(table.column(GUARD), pa.array(guards, pa.int32()))
        place = pc.index(served, True).as_py()
        elsewhere = f"none of these rows, but row {table.column(ROW)[place]} for one" if place >= 0 else "no usable row"
        yield f"No card for {bound.templates[index].id}: it serves {elsewhere}"
