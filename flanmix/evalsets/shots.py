"""Few-shot prompts: exemplars drawn by key for every query, never the query or a duplicate of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flanmix.exemplars import admissible
from flanmix.keyed import Ints
from flanmix.render.viewing import join
from flanmix.shots import NONE, Chosen, Queries, candidates, first_valid, written
from flanmix.spec import ShotFormat

SHOTS = pa.list_(pa.field("element", pa.int64()))
_SPARE = 3
_MOST = 1 << 12
"""Candidates of a query that are looked at before it is given up."""


class Written(NamedTuple):
    """Rows of the split that exemplars come from, in the query's wording. `usable` are those that have both texts."""

    inputs: pa.Array
    targets: pa.Array
    rows: Ints
    usable: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Exemplars:
    """Where exemplars come from: `size` rows, of which `write` gives some (their numbers ascend) in one wording.

    `own`: they are the rows that are asked, too. `inverted`: inputs are made of answers, so many read alike.
    """

    size: int
    write: Callable[[Ints], Written]
    own: bool = False
    inverted: bool = False


@dataclass(frozen=True)
class Asking:
    """Rows that want exemplars: their numbers among the usable rows of their split, in the source, and their texts."""

    usable: Ints
    rows: Ints
    inputs: pa.Array
    targets: pa.Array

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: Ints) -> "Asking":
        """Some of them."""
        taken = pa.array(places)
        return Asking(self.usable[places], self.rows[places], self.inputs.take(taken), self.targets.take(taken))


class Prompts(NamedTuple):
    """Prompts with their exemplars before them, the exemplars' rows (farthest first), and how many were found."""

    inputs: pa.Array
    shots: pa.ListArray
    found: Ints


def prompts_with_shots(
    asking: Asking, exemplars: Exemplars, *, shots: int, form: ShotFormat, seed: int, task: str
) -> Prompts:
    """Put `shots` exemplars before each query, in a format.

    They are a function of (seed, task, row): of the row's candidates the first that may go before it. A query for which
    there are fewer than `shots` keeps its own input.
    """
    prompts, found = asking.inputs, np.zeros(len(asking), np.int64)
    rows = np.full((len(asking), shots), NONE, np.int64)
    left = np.arange(len(asking) if shots else 0)
    count, room = shots + _SPARE, len(asking) * (shots + _SPARE)
    while len(left):
        step = max(1, room // count)  # what is held at a time does not grow with the candidates
        for piece in (left[first : first + step] for first in range(0, len(left), step)):
            few = asking.at(piece)
            chosen, found[piece] = _chosen(few, exemplars, shots, count, seed, task)
            full = np.flatnonzero(found[piece] == shots)
            rows[piece[full]] = chosen.rows[chosen.at[full]]
            texts = join(
                list(written(_of(chosen, full), few.at(full).inputs, np.arange(len(full)), [form], full * 0)), len(full)
            )
            prompts = _replaced(prompts, piece[full], texts)
        more = count < exemplars.size and count < _MOST
        left, count = left[found[left] < shots] if more else left[:0], min(4 * count, _MOST)
    return Prompts(prompts, _lists(np.where(found == shots, shots, 0), rows[found == shots].ravel()), found)


def _chosen(few: Asking, exemplars: Exemplars, shots: int, count: int, seed: int, task: str) -> tuple[Chosen, Ints]:
    """The first admissible candidates of each query, and how many there are."""
    same, wanted = np.zeros(len(few), np.int64), np.full(len(few), shots)
    if exemplars.own:
        drawn = candidates(Queries(few.usable, few.rows, same, wanted), exemplars.size, count, seed=seed, task=task)
    else:  # as if the query were one row more, behind all others
        last = np.full(len(few), exemplars.size)
        drawn = candidates(Queries(last, few.rows, same, wanted), exemplars.size + 1, count, seed=seed, task=task)
    numbers, places = np.unique(drawn, return_inverse=True)
    made = exemplars.write(numbers)
    places = places.reshape(drawn.shape)
    shown = np.where(made.usable[places], places, NONE)
    own = (few.inputs, few.targets)
    valid, _ = admissible(shown, (made.inputs, made.targets), own, inverted=exemplars.inverted)
    at, found = first_valid(shown, valid, wanted, width=shots)
    return Chosen(at, made.inputs, made.targets, made.rows), found


def _of(chosen: Chosen, which: Ints) -> Chosen:
    """The exemplars of some of the queries."""
    return Chosen(chosen.at[which], chosen.inputs, chosen.targets, chosen.rows)


def _replaced(texts: pa.Array, places: Ints, by: pa.Array) -> pa.Array:
    """The texts with others at these places."""
    back = np.arange(len(texts))
    back[places] = len(texts) + np.arange(len(places))
    return pa.concat_arrays([texts, by]).take(pa.array(back)) if len(places) else texts


def _lists(lengths: Ints, rows: Ints) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows, pa.int64()), SHOTS)
