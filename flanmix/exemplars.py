"""Exemplars of rows: drawn from the rows of their task and put into words, until each row has what it may have."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.assembling import has_text
from flanmix.keyed import Ints, key64, keyed_words, mix64
from flanmix.lines import Lines
from flanmix.mapped import GUARD, ROW
from flanmix.options.drawing import Chosen as Forms
from flanmix.plan import Plan
from flanmix.render.picking import Rows
from flanmix.render.viewing import Joined, join
from flanmix.rendering import Rendering
from flanmix.shots import NONE, Chosen, Queries, Room, around, candidates, first_of_each, first_valid
from flanmix.spec import ShotFormat
from flanmix.styles import Style
from flanmix.tokenizing import load_tokenizer
from flanmix.wording import Draws, Wording

_SPARE = 2
"""Candidates beyond the wanted exemplars that are looked at first: most rows have no duplicates."""
_TO_BALANCE = 1 << 7
"""Candidates that are looked at at least, where answers are to take turns: as many as a rare answer is among."""
_MOST = 1 << 10
"""Candidates of a row that are looked at before it is left with fewer exemplars than it wants."""
_AT_A_TIME = 1 << 20
"""Candidates of all rows together that are looked at together: what is held does not grow with those of a row."""
_LABEL = 32
"""Characters of the longest target that may be a label, which other rows have: a longer one is a text of its own."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The rows of a task that exemplars are taken from, and what puts them into words.

    `pick` takes numbers among its `size` usable rows.
    """

    task: int
    size: int
    pick: Callable[[Ints], Rows]
    rendering: Rendering


@dataclass(frozen=True, eq=False)
class Own:
    """The texts of the rows that want exemplars, in their template.

    `shown` are their inputs with options listed in their `forms`; `inputs` and `targets` are `alike` where rows are
    (`Rendering.alike`), and may only be `compared`.
    """

    template: int
    inputs: pa.Array
    targets: pa.Array
    shown: pa.Array
    forms: Forms | None = None
    compared: bool = False

    def at(self, places: Ints) -> tuple[pa.Array, pa.Array]:
        """The inputs and targets of some of the rows."""
        return self.inputs.take(pa.array(places)), self.targets.take(pa.array(places))


class Exemplars:
    """Chooses the exemplars of a plan's rows; raises as `load_tokenizer` where their room is in tokens."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._shots, self._rooms = plan, plan.shots, list[Room]()
        if self._shots.max_characters is not None:
            self._rooms.append(Room(self._shots.max_characters, _characters))
        if self._shots.max_tokens is not None and self._shots.tokenizer is not None:
            tokenizer = load_tokenizer(self._shots.tokenizer)
            self._rooms.append(Room(self._shots.max_tokens, lambda texts: tokenizer.lengths(pc.fill_null(texts, ""))))
        forms: tuple[ShotFormat, ...] = self._shots.formats if self._shots.place == "text" else ()
        self._around = [np.array([around(form, room.lengths) for form in forms] or [(0, 0)]).T for room in self._rooms]

    def chosen(self, queries: Queries, own: Own, pool: Pool) -> Chosen:
        """The exemplars that go before rows of one template; raises as `Rendering`."""
        found, known = self._drawn(queries, own, pool)
        if self._shots.templates == "own" or own.compared:
            found = self._dressed(found, known, own, pool)
        formats = self.formats(queries, pool.task) if self._shots.place == "text" else np.zeros(len(queries), np.int64)
        for room, (of_each, of_own) in zip(self._rooms, self._around, strict=True):
            found = room.fitted(found, own.shown, of_each[formats], of_own[formats])
        return found

    def formats(self, queries: Queries, task: int) -> Ints:
        """The format of each row."""
        salts = queries.rows.astype(np.uint64) ^ mix64(queries.epochs.astype(np.uint64))
        words = keyed_words(key64(self._plan.seed, self._plan.tasks[task].name, "format of exemplars"), mix64(salts))
        return (words % np.uint64(max(len(self._shots.formats), 1))).astype(np.int64)

    def _drawn(self, queries: Queries, own: Own, pool: Pool) -> "tuple[Chosen, _Known]":
        """The first candidates of each row that may go before it, and the rows that were looked at.

        More candidates are looked at for rows that have too few; no more than so many at a time.
        """
        most = int(queries.wanted.max(initial=0))
        at, known = np.full((len(queries), most), NONE, np.int64), _Known()
        balanced = self._shots.balance == "answers"
        active, count = np.arange(len(queries)), max(most + _SPARE, _TO_BALANCE * balanced)
        while len(active):
            counts = np.zeros(len(active), np.int64)
            step = max(1, _AT_A_TIME // count)
            for start in range(0, len(active), step):
                piece = slice(start, start + step)
                asking, texts = queries.at(active[piece]), own.at(active[piece])
                shown = self._candidates(asking, own.template, pool, known, count)
                valid, answers = admissible(shown, known.texts, texts, inverted=self._inverted(pool.task, own.template))
                found = first_valid(shown, valid, asking.wanted, answers if balanced else None, width=most)
                at[active[piece]], counts[piece] = found
            more = count < pool.size - 1 and count < _MOST
            active, count = active[counts < queries.wanted[active]] if more else active[:0], 4 * count
        return Chosen(_to_the_right(at), *known.texts, known.rows), known

    def _candidates(self, asking: Queries, template: int, pool: Pool, known: "_Known", count: int) -> Ints:
        """Where the texts of each row's candidates are among the known ones; -1 for those that the template lacks."""
        planned = self._plan.tasks[pool.task]
        serving = [guard for guard, templates in enumerate(planned.guards) if template in templates]
        found = candidates(asking, pool.size, count, seed=self._plan.seed, task=planned.name)
        different, inverse = np.unique(found, return_inverse=True)
        new = known.unknown(different)
        rows = pool.pick(new)
        unanswered = pool.rendering.unanswered(pool.task, template, rows)
        good = np.isin(rows.numbers(GUARD), serving)
        served = np.flatnonzero(good if unanswered is None else good & ~unanswered)
        known.add(new, served, rows.at(served), *pool.rendering.alike(pool.task, template, rows.at(served)))
        return known.places(different)[inverse.reshape(found.shape)]

    def _inverted(self, task: int, template: int) -> bool:
        return self._plan.tasks[task].templates[template].style == "inverted"

    def _dressed(self, found: Chosen, known: "_Known", own: Own, pool: Pool) -> Chosen:
        """The same exemplars as they are shown: in templates of their own, with options in the form of their query."""
        queries, columns = np.nonzero(found.at != NONE)
        forms = np.zeros(len(found.at), np.int64)
        if own.forms is not None:
            forms = own.forms.styles * len(self._plan.options.targets) + own.forms.targets
        kinds = int(forms.max(initial=0)) + 1
        shown, inverse = np.unique(found.at[queries, columns] * kinds + forms[queries], return_inverse=True)
        which, form = np.divmod(shown, kinds)
        templates = self._templates(pool.task, own.template, known.rows[which], known.guards[which])
        sides: tuple[list[Joined], list[Joined]] = [], []
        for template in np.unique(templates).tolist():
            members = np.flatnonzero(templates == template)
            rows = pool.pick(known.usable[which[members]])
            if own.forms is not None and pool.rendering.lists(pool.task, template, rows):
                asked = Forms(*np.divmod(form[members], len(self._plan.options.targets)))
                rows, _ = pool.rendering.listed(pool.task, rows, np.zeros(len(rows), np.int64), asked)
            for side, texts in zip(sides, pool.rendering.pair(pool.task, template, rows), strict=True):
                side.append(Joined(members, [texts]))
        inputs, targets = (join(side, len(shown)) for side in sides)
        there = np.asarray(pc.and_(has_text(inputs), has_text(targets)))
        at = np.full_like(found.at, NONE)
        at[queries, columns] = np.where(there, np.arange(len(shown)), NONE)[inverse.reshape(-1)]
        return Chosen(_to_the_right(at), inputs, targets, known.rows[which])

    def _templates(self, task: int, template: int, rows: Ints, guards: Ints) -> Ints:
        """The templates of exemplars: that of the query, or one of its style for each row."""
        if self._shots.templates == "same":
            return np.full(len(rows), template, np.int64)
        planned = self._plan.tasks[task]
        style = planned.templates[template].style
        mates = tuple(index for index, each in enumerate(planned.templates) if each.style == style)
        ids, cells = [each.id for each in planned.templates], (Style(style, mates, Lines((), ())),)
        wording = Wording(self._plan.seed, planned.name, ids, planned.guards, cells, frozenset(mates))
        same = np.zeros(len(rows), np.int64)
        return wording.chosen(Draws(guards.astype(np.int32), rows, same, same, same, same))


class _Known:
    """The rows that were looked at so far, by their numbers among the usable ones, and the texts of those with both."""

    def __init__(self) -> None:
        nothing = np.zeros(0, np.int64)
        self._seen, self._places = nothing, nothing
        self._texts = [(pa.array([], pa.large_string()),) * 2]
        self._numbers: list[tuple[Ints, Ints, Ints]] = [(nothing, nothing, nothing)]
        self._length = 0

    def unknown(self, usable: Ints) -> Ints:
        """Those of some rows that were not looked at yet."""
        return usable[~np.isin(usable, self._seen)]

    def add(self, usable: Ints, served: Ints, rows: Rows, inputs: pa.Array, targets: pa.Array) -> None:
        """Note some rows, and the texts of those that are `served`."""
        good = np.asarray(pc.and_(has_text(inputs), has_text(targets)))
        places = np.full(len(usable), NONE, np.int64)
        places[served] = np.where(good, np.arange(self._length, self._length + len(rows)), NONE)
        self._length += len(rows)
        self._texts.append((inputs, targets))
        numbers, guards = (rows.numbers(name).astype(np.int64) for name in (ROW, GUARD))
        self._numbers.append((usable[served], numbers, guards))
        seen = np.concatenate([self._seen, usable])
        order = np.argsort(seen)
        self._seen, self._places = seen[order], np.concatenate([self._places, places])[order]

    def places(self, usable: Ints) -> Ints:
        """Where the texts of rows are that were looked at, -1 for those that lack one."""
        found: Ints = self._places[np.searchsorted(self._seen, usable)]
        return found

    @property
    def texts(self) -> tuple[pa.Array, pa.Array]:
        """Inputs and targets."""
        inputs, targets = zip(*self._texts, strict=True)
        return pa.concat_arrays(inputs), pa.concat_arrays(targets)

    @property
    def usable(self) -> Ints:
        """Their rows' numbers among the usable ones."""
        return np.concatenate([numbers[0] for numbers in self._numbers])

    @property
    def rows(self) -> Ints:
        """Their rows' numbers in the source."""
        return np.concatenate([numbers[1] for numbers in self._numbers])

    @property
    def guards(self) -> Ints:
        """Their rows' guards."""
        return np.concatenate([numbers[2] for numbers in self._numbers])


def admissible(
    shown: Ints, texts: tuple[pa.Array, pa.Array], own: tuple[pa.Array, pa.Array], *, inverted: bool
) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which candidates may go before their rows, and a number for the target of each.

    One that reads as the row does gives its answer away, and so does one with the same target, if that is no label.
    Where the input is made of the answer (inverted), many rows read alike, and only the target tells. No exemplar comes
    twice.
    """
    inputs, ours = _codes(texts[0], own[0], shown)
    targets, answer = _codes(texts[1], own[1], shown)
    label = (_characters(own[1]) <= _LABEL)[:, None]
    same_input, same_target = inputs == ours[:, None], targets == answer[:, None]
    telling = (same_target & ~label) | (same_input & (label | (not inverted)))
    pairs = inputs * (len(texts[1]) + len(own[1]) + 1) + targets
    return (shown != NONE) & ~telling & first_of_each(pairs), targets


def _to_the_right(at: Ints) -> Ints:
    """The same exemplars of each row, those that are none first: farther than the farthest there is nothing."""
    return np.take_along_axis(at, np.argsort(at != NONE, axis=1, kind="stable"), axis=1)


def _codes(texts: pa.Array, own: pa.Array, shown: Ints) -> tuple[Ints, Ints]:
    """Numbers for the texts shown (-1 for none) and for the rows' own, equal where texts are."""
    both = pa.concat_arrays([texts, own]).dictionary_encode().indices
    codes = np.asarray(pc.fill_null(both, NONE)).astype(np.int64)
    mine = codes[len(texts) :]
    return np.where(shown == NONE, NONE, codes[: len(texts)][shown] if len(texts) else NONE), mine


def _characters(texts: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(pc.utf8_length(texts), 0)).astype(np.int64)
