"""From texts to conversations: system prompts, earlier turns and type tags beside `input` and `target`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import HISTORY
from flanmix.errors import PlanError, Problem
from flanmix.keyed import Ints
from flanmix.plan import Plan
from flanmix.prompting import chosen_texts, system_offset, tag_of, tag_offset
from flanmix.render.picking import Rows
from flanmix.render.viewing import Joined, Piece, join
from flanmix.spec.prompts import texts_of_pool

TEXT = pa.large_string()
TRAINED = pa.list_(pa.bool_())
CHAT_COLUMNS: Mapping[str, pa.DataType] = {"system": TEXT, "history": HISTORY, "trained": TRAINED}
"""The columns that examples may have beside `input` and `target`, and their types."""
_APART = "\n\n"

Texts = Callable[[str, Rows], list[Piece]]
"""Renders a text of a template, by its key, for some rows."""


@dataclass(frozen=True)
class Brought:
    """Values of one column that the rows at `places`, which ascend, bring along."""

    places: Ints
    values: pa.Array

    def between(self, start: int, stop: int) -> "Brought":
        """Those at places `start` … `stop` - 1, counted from `start`."""
        first, last = np.searchsorted(self.places, [start, stop]).tolist()
        return Brought(self.places[first:last] - start, self.values[first:last])


@dataclass(frozen=True)
class Drawn:
    """The draws whose rows are put together: the task, the draw and the template (or -1) of each."""

    tasks: Ints
    draws: Ints
    templates: Ints


class Assembly:
    """Makes conversations of a plan's rows: first what each row brings along, then what the mixture adds.

    Raises `PlanError` for rows that are conversations already and have a template with turns.
    """

    def __init__(self, plan: Plan) -> None:
        self.columns, self._plan, self._prompting = plan.chat_columns, plan, plan.prompting
        for task in plan.tasks:
            for planned in task.templates if task.conversation else ():
                if planned.template.earlier:
                    what = f"{planned.id}: has 'turns', and the rows of {task.name} are conversations already"
                    raise PlanError(Problem(what, file=planned.where, hint="write 'input' and 'target'"))
        most = max((len(task.templates) for task in plan.tasks), default=0)
        self._own_system, self._own_turns = (np.zeros((len(plan.tasks), most + 1), bool) for _ in range(2))
        for number, task in enumerate(plan.tasks):
            for index, planned in enumerate(task.templates):
                self._own_system[number, index] = planned.template.system is not None
                self._own_turns[number, index] = bool(planned.template.earlier)
        types = sorted({task.type for task in plan.tasks})
        self._tags = [tag_of(type_) for type_ in types]
        self._tag_codes = np.array([types.index(task.type) for task in plan.tasks], np.int64)
        offsets = [[of(plan.seed, task.name) for task in plan.tasks] for of in (system_offset, tag_offset)]
        self._system_offsets, self._tag_offsets = np.array(offsets, np.uint64)

    def brought(self, task: int, template: int, rows: Rows, draws: Ints, texts: Texts) -> dict[str, pa.Array]:
        """What rows of one template bring along: their own columns, and its system prompt and earlier turns."""
        planned = self._plan.tasks[task]
        wording = planned.templates[template].template
        found: dict[str, pa.Array] = {}
        if planned.conversation:
            found = {name: rows.column(name).cast(CHAT_COLUMNS[name]) for name in ("system", "history")}
            if planned.flagged:
                found["trained"] = rows.column("trained").cast(TRAINED)
        if wording.system is not None:
            seed, name = self._plan.seed, planned.templates[template].id
            chosen = chosen_texts(wording, draws, seed=seed, task=planned.name, name=name)
            own = _of_pool(list(texts_of_pool(wording.system)), chosen, rows, texts)
            found["system"] = pc.if_else(has_text(found["system"]), found["system"], own) if found else own
        if wording.earlier:
            pairs = [[_joined(texts(key, rows), len(rows)) for key in pair] for pair in wording.earlier]
            found["history"] = _history(pairs, len(rows))
        return found

    def finished(
        self, drawn: Drawn, brought: Mapping[str, Sequence[Brought]], inputs: pa.Array
    ) -> tuple[dict[str, pa.Array], dict[str, npt.NDArray[np.bool_]]]:
        """The columns of conversations, `input` with its tag among them, and which rows are lost for which reason.

        A lost row may hold anything.
        """
        own = {name: gathered(brought.get(name, ()), len(inputs), CHAT_COLUMNS[name]) for name in self.columns}
        columns, lost = {"input": inputs}, dict[str, npt.NDArray[np.bool_]]()
        if "history" in own:
            columns["history"], lost = self._whole_history(drawn, own["history"])
        if "system" in own:
            missing = np.asarray(own["system"].is_null()) & self._bringing(drawn)
            lost = {"system needs a value that is missing": missing, **lost}
            columns["system"] = self._system(drawn, own["system"])
        if "trained" in own:
            columns["trained"] = _trained(own["trained"], _lengths(columns["history"]))
        return columns | self._tagged(drawn, columns), lost

    def whole(
        self, task: int, template: int, rows: Rows, draws: Ints, inputs: pa.Array, texts: Texts
    ) -> tuple[dict[str, pa.Array], dict[str, npt.NDArray[np.bool_]]]:
        """As `finished`, for rows of one template and their rendered inputs."""
        tasks, templates = (np.full(len(draws), number, np.int64) for number in (task, template))
        brought = self.brought(task, template, rows, draws, texts)
        parts = {name: [Brought(np.arange(len(draws)), values)] for name, values in brought.items()}
        return self.finished(Drawn(tasks, draws, templates), parts, inputs)

    def _bringing(self, drawn: Drawn) -> npt.NDArray[np.bool_]:
        """Which draws bring a system text of their own, be it empty."""
        found: npt.NDArray[np.bool_] = self._own_system[drawn.tasks, drawn.templates]
        return found

    def _whole_history(self, drawn: Drawn, history: pa.Array) -> tuple[pa.Array, dict[str, npt.NDArray[np.bool_]]]:
        """Earlier turns, none where rows bring none, and which rows lack one of those that their template has."""
        pairs, lengths = history.flatten(), _lengths(history)
        sides = [pc.struct_field(pairs, side) for side in ("user", "assistant")]
        of_pairs = {
            "an earlier turn needs a value that is missing": pc.or_(*(side.is_null() for side in sides)),
            "an earlier turn is blank": pc.or_(*(is_blank(side) for side in sides)),
        }
        owners, speaking = np.repeat(np.arange(len(lengths)), lengths), self._own_turns[drawn.tasks, drawn.templates]
        lost = {
            reason: speaking & (np.bincount(owners[np.asarray(bad)], minlength=len(lengths)) > 0)
            for reason, bad in of_pairs.items()
        }
        return _lists(lengths, pairs, HISTORY), lost

    def _system(self, drawn: Drawn, own: pa.Array) -> pa.Array:
        """The rows' own system texts, and the mixture's where they have none; a blank text is none."""
        own = pc.if_else(is_blank(own), _same(""), own).fill_null("")
        if not self._prompting.prompts:
            return own
        texts = pa.array([*(prompt.text for prompt in self._prompting.prompts), ""], TEXT)
        chosen = self._prompting.chosen_prompts(drawn.draws, self._system_offsets[drawn.tasks])
        chosen[self._bringing(drawn)] = len(texts) - 1
        return pc.if_else(has_text(own), own, texts.take(pa.array(chosen)))

    def _tagged(self, drawn: Drawn, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """The column that tells the type, anew."""
        if self._prompting.tag == "none":
            return {}
        told = self._prompting.tagged(drawn.draws, self._tag_offsets[drawn.tasks])
        codes = np.where(told, self._tag_codes[drawn.tasks], len(self._tags))
        if self._prompting.tag == "system":
            alone = pa.array([*self._tags, ""], TEXT).take(pa.array(codes))
            before = _before([*(tag + _APART for tag in self._tags), ""], codes, columns["system"])
            return {"system": pc.if_else(has_text(columns["system"]), before, alone)}
        tags = [*(tag + _APART for tag in self._tags), ""]
        if "history" not in columns:
            return {"input": _before(tags, codes, columns["input"])}
        history, lengths = columns["history"], _lengths(columns["history"])
        pairs, of_pairs = history.flatten(), np.full(int(lengths.sum()), len(self._tags))
        of_pairs[(np.cumsum(lengths) - lengths)[lengths > 0]] = codes[lengths > 0]
        users = _before(tags, of_pairs, pc.struct_field(pairs, "user"))
        sides = [users, pc.struct_field(pairs, "assistant")]
        told_later = pa.StructArray.from_arrays(sides, fields=list(HISTORY.value_type))
        of_inputs = np.where(lengths > 0, len(self._tags), codes)
        return {"input": _before(tags, of_inputs, columns["input"]), "history": _lists(lengths, told_later, HISTORY)}


def is_blank(texts: pa.Array) -> pa.Array:
    """Whether a text has no character but white space; false for a null."""
    return pc.fill_null(pc.or_(pc.utf8_is_space(texts), pc.equal(pc.binary_length(texts), 0)), False)


def has_text(texts: pa.Array) -> pa.Array:
    """Whether a text is there and not blank."""
    return pc.and_(texts.is_valid(), pc.invert(is_blank(texts)))


def _same(text: str) -> pa.Scalar:
    return pa.scalar(text, TEXT)


def _before(tags: Sequence[str], codes: Ints, texts: pa.Array) -> pa.Array:
    """Texts with one of `tags` before each."""
    return pc.binary_join_element_wise(pa.array(tags, TEXT).take(pa.array(codes)), texts, _same(""))


def _joined(pieces: list[Piece], rows: int) -> pa.Array:
    return join([Joined(np.arange(rows), pieces)], rows)


def _of_pool(keys: Sequence[str], chosen: Ints, rows: Rows, texts: Texts) -> pa.Array:
    """For each row the text that is chosen for it; the others are not rendered."""
    parts = []
    for number in np.unique(chosen).tolist():
        members = np.flatnonzero(chosen == number)
        parts.append(Joined(members, texts(keys[number], rows.at(members))))
    return join(parts, len(rows))


def gathered(parts: Sequence[Brought], rows: int, kind: pa.DataType) -> pa.Array:
    """The values of all rows; null where none is brought."""
    at, first = np.full(rows, -1, np.int64), 0
    for part in parts:
        at[part.places] = np.arange(first, first + len(part.values))
        first += len(part.values)
    whole = pa.concat_arrays([pa.array([], kind), *(part.values for part in parts)])
    return whole.take(pa.array(at, mask=at < 0))


def _lengths(lists: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)


def _lists(lengths: Ints, values: pa.Array, kind: pa.DataType) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, kind)


def _history(pairs: Sequence[Sequence[pa.Array]], rows: int) -> pa.Array:
    """Lists of pairs of turns, of which each is given for all rows."""
    by_row = (np.arange(rows)[:, None] + rows * np.arange(len(pairs))).ravel()
    sides = [pa.concat_arrays(side).take(pa.array(by_row)) for side in zip(*pairs, strict=True)]
    values = pa.StructArray.from_arrays(sides, fields=list(HISTORY.value_type))
    return _lists(np.full(rows, len(pairs)), values, HISTORY)


def _trained(own: pa.Array, before: Ints) -> pa.Array:
    """The flags of all rows; rows that bring none train every answer, of which they have one more than `before`."""
    flags = np.ones(int(before.sum()) + len(before), bool)
    told = np.repeat(np.asarray(own.is_valid()), before + 1)
    flags[told] = np.asarray(pc.fill_null(own.flatten(), False))
    return _lists(before + 1, pa.array(flags), TRAINED)
