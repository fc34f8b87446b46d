"""Few-shot prompts: exemplars drawn by key, never the query or a duplicate of it, joined in columns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.keyed import Ints, Words, key64, keyed_words

TEXT = pa.large_string()
SHOTS = pa.list_(pa.field("element", pa.int64()))
_SPARE = 3
_MOST_DRAWS = 1 << 12
_SMALL = 256


class Written(NamedTuple):
    """Rows of the split that exemplars come from, in the query's wording. `usable` are those that have both texts."""

    inputs: pa.Array
    targets: pa.Array
    rows: Ints
    usable: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Exemplars:
    """Where exemplars come from: `size` rows, of which `write` gives some (their numbers ascend) in one wording.

    `by_pair`: a duplicate is a row with the same input and target, not only the same input: for wordings whose inputs
    say little, as inverted ones do.
    """

    size: int
    write: Callable[[Ints], Written]
    by_pair: bool = False


class Prompts(NamedTuple):
    """Prompts with their exemplars before them, the exemplars' rows (farthest first), and how many were found."""

    inputs: pa.Array
    shots: pa.ListArray
    found: Ints


def row_keys(seed: int, task: str, rows: Ints) -> Words:
    """The key of each query's draws: a function of the seed, the task and the query's row alone."""
    return keyed_words(key64(seed, task, "eval exemplars"), rows)


def prompts_with_shots(
    inputs: pa.Array,
    targets: pa.Array,
    keys: Words,
    exemplars: Exemplars,
    *,
    shots: int,
    between: str,
    separator: str,
) -> Prompts:
    """Put `shots` exemplars before each query: `input`, `between`, `target`, `separator`, … and the query's input.

    Draw j of a query is a function of its key and j; the first that are neither the query, nor a duplicate of it or of
    one another, are taken. A query for which there are fewer than `shots` keeps its own input.
    """
    prompts, found = inputs, np.zeros(len(inputs), np.int64)
    rows = np.full((len(inputs), shots), -1, np.int64)
    open_, draws, room = np.arange(len(inputs)), min(shots + _SPARE, exemplars.size), len(inputs) * (shots + _SPARE)
    most = exemplars.size if exemplars.size <= _SMALL else max(_MOST_DRAWS, shots + _SPARE)
    while shots and len(open_):
        step = max(1, room // draws)  # what is held at a time does not grow with the draws
        for piece in (open_[first : first + step] for first in range(0, len(open_), step)):
            few = _Few(exemplars, inputs.take(pa.array(piece)), targets.take(pa.array(piece)))
            chosen, found[piece] = few.first(_drawn(keys[piece], exemplars.size, draws), shots)
            full = found[piece] == shots
            texts, rows[piece[full]] = few.joined(chosen, full, between, separator)
            prompts = _replaced(prompts, piece[full], texts)
        open_ = open_[found[open_] < shots]
        if draws >= most:
            break
        draws = min(4 * draws, most)
    lengths = np.where(found == shots, shots, 0)
    return Prompts(prompts, _shot_lists(lengths, rows[found == shots].ravel()), found)


def _replaced(texts: pa.Array, places: Ints, by: pa.Array) -> pa.Array:
    """The texts with others at these places."""
    back = np.arange(len(texts))
    back[places] = len(texts) + np.arange(len(places))
    return pa.concat_arrays([texts, by]).take(pa.array(back)) if len(places) else texts


def _drawn(keys: Words, size: int, draws: int) -> Ints:
    """The first draws of each key: of a small pool without repetition, of a large one perhaps with some."""
    if size <= _SMALL:
        words = keyed_words(keys[:, None], np.arange(size)[None, :])
        return np.argsort(words, axis=1, kind="stable")[:, :draws].astype(np.int64)
    words = keyed_words(keys[:, None], np.arange(draws)[None, :])
    return (words % np.uint64(size)).astype(np.int64)


class _Few:
    """Some queries and the exemplars that were drawn for them."""

    def __init__(self, exemplars: Exemplars, inputs: pa.Array, targets: pa.Array) -> None:
        self._exemplars, self._inputs, self._targets = exemplars, inputs, targets

    def _told(self, inputs: pa.Array, targets: pa.Array) -> pa.Array:
        """What tells rows apart."""
        if not self._exemplars.by_pair:
            return inputs
        return pc.binary_join_element_wise(inputs, targets, pa.scalar("\0", TEXT))

    def first(self, drawn: Ints, shots: int) -> tuple[Ints, Ints]:
        """The places (as `joined` takes them) of each query's first admissible exemplars, and how many there are."""
        numbers, places = np.unique(drawn, return_inverse=True)
        self._written = self._exemplars.write(numbers)
        places = places.reshape(drawn.shape)
        told = [self._told(self._inputs, self._targets), self._told(*self._written[:2])]
        codes = np.asarray(pa.concat_arrays(told).dictionary_encode("encode").indices)
        code = codes[len(drawn) :][places]
        good = self._written.usable[places] & (code != codes[: len(drawn), None])
        good &= ~_again(np.where(good, code, -1))
        rank = np.cumsum(good, axis=1)
        good &= rank <= shots
        taken = np.full((len(drawn), shots), -1, np.int64)
        lines, columns = np.nonzero(good)
        taken[lines, rank[lines, columns] - 1] = places[lines, columns]
        return taken, np.minimum(rank[:, -1], shots)

    def joined(self, chosen: Ints, full: npt.NDArray[np.bool_], between: str, separator: str) -> tuple[pa.Array, Ints]:
        """The prompts of the queries that have all their exemplars, and the exemplars' rows."""
        made, places = self._written, chosen[full]
        pairs = pc.binary_join_element_wise(made.inputs, made.targets, pa.scalar(between, TEXT))
        columns = [pairs.take(pa.array(column)) for column in places.T]
        own = self._inputs.filter(pa.array(full))
        return pc.binary_join_element_wise(*columns, own, pa.scalar(separator, TEXT)), made.rows[places]


def _again(codes: Ints) -> npt.NDArray[np.bool_]:
    """For each line, where a code stands that stood in it before."""
    order = np.argsort(codes, axis=1, kind="stable")
    lined = np.take_along_axis(codes, order, axis=1)
    again = np.zeros(codes.shape, bool)
    np.put_along_axis(again, order[:, 1:], lined[:, 1:] == lined[:, :-1], axis=1)
    return again


def _shot_lists(lengths: Ints, rows: Ints) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows, pa.int64()), SHOTS)
