"""Exemplars as texts before rows, or as earlier turns, in no more room than there is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from flanmix.chat.conversations import HISTORY
from flanmix.keyed import Ints
from flanmix.render.viewing import Joined, Picked, Piece, Viewed
from flanmix.shots.drawing import NONE
from flanmix.spec import ShotFormat

SHOTS = pa.list_(pa.int64())


@dataclass(frozen=True, eq=False)
class Chosen:
    """The exemplars of each row: `at` (rows × exemplars) are places in the texts, or -1; the farthest come first.

    `rows` are the numbers in the source of the texts' rows.
    """

    at: Ints
    inputs: pa.Array
    targets: pa.Array
    rows: Ints

    @cached_property
    def counts(self) -> Ints:
        """How many exemplars each row has."""
        found: Ints = np.count_nonzero(self.at != NONE, axis=1)
        return found

    @property
    def numbers(self) -> pa.Array:
        """The numbers in the source of each row's exemplars: `list<int64>`."""
        return pa.ListArray.from_arrays(self._offsets, pa.array(self.rows[self._flat]), SHOTS)

    @property
    def turns(self) -> pa.Array:
        """The exemplars as earlier turns."""
        sides = [texts.take(pa.array(self._flat)) for texts in (self.inputs, self.targets)]
        pairs = pa.StructArray.from_arrays(sides, fields=list(HISTORY.value_type))
        return pa.ListArray.from_arrays(self._offsets, pairs, HISTORY)

    @property
    def _flat(self) -> Ints:
        flat: Ints = self.at[self.at != NONE]
        return flat

    @property
    def _offsets(self) -> pa.Array:
        return pa.array(np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int32))


@dataclass(frozen=True)
class Room:
    """How long exemplars and input may be together, and what measures texts."""

    most: int
    lengths: Callable[[pa.Array], Ints]

    def fitted(self, chosen: Chosen, own: pa.Array, around: Ints, around_own: Ints) -> Chosen:
        """Without the farthest exemplars of rows that would be too long.

        `around` each exemplar of a row stands so much, and `around_own` around its own text, where it has any.
        """
        each = self.lengths(chosen.inputs) + self.lengths(chosen.targets)
        taken = np.where(chosen.at == NONE, 0, each[chosen.at] + around[:, None]) if len(each) else chosen.at * 0
        needed = np.cumsum(taken[:, ::-1], axis=1)[:, ::-1] + (self.lengths(own) + around_own)[:, None]
        return replace(chosen, at=np.where(needed <= self.most, chosen.at, NONE))


def around(form: ShotFormat, lengths: Callable[[pa.Array], Ints]) -> tuple[int, int]:
    """The length of all that a format puts around one exemplar, and around the row's own input."""
    texts = [form.input_prefix, form.cue + (form.between or ""), form.separator, form.input_prefix, form.cue]
    of_each = lengths(pa.array(texts, pa.large_string()))
    return int(of_each[:3].sum()), int(of_each[3:].sum())


def written(
    chosen: Chosen, own: pa.Array, places: Ints, formats: Sequence[ShotFormat], number: Ints
) -> Iterator[Joined]:
    """The texts `own` of rows at `places`, each with its exemplars before it, in the format of its `number`.

    A row without exemplars is written as it is.
    """
    view, inputs, targets = Viewed(own), Viewed(chosen.inputs), Viewed(chosen.targets)
    for count, kind in np.unique(np.stack([chosen.counts, number]), axis=1).T.tolist():
        members = np.flatnonzero((chosen.counts == count) & (number == kind))
        form, pieces = formats[kind], list[Piece]()
        for places_of in chosen.at[members].T[chosen.at.shape[1] - count :]:
            pieces += [form.input_prefix, Picked(inputs, places_of), form.cue + (form.between or "")]
            pieces += [Picked(targets, places_of), form.separator]
        mine = Picked(view, members)
        yield Joined(places[members], [*pieces, form.input_prefix, mine, form.cue] if count else [mine])
