"""Which rows go before a row as exemplars."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flanmix.keyed import Ints, key64, keyed_words, mix64

NONE = -1
"""In the place of a row: none."""
_AT_A_TIME = 1 << 20
_FEW_ROWS = 1 << 9
"""Of a task of no more rows all are put into an order for each query; of more, some are drawn."""


@dataclass(frozen=True)
class Queries:
    """Rows that want exemplars: their numbers among the usable rows and in the source, their epochs, how many each."""

    usable: Ints
    rows: Ints
    epochs: Ints
    wanted: Ints

    def at(self, places: Ints) -> "Queries":
        """Some of them."""
        return Queries(self.usable[places], self.rows[places], self.epochs[places], self.wanted[places])

    def __len__(self) -> int:
        return len(self.usable)


def candidates(queries: Queries, size: int, count: int, *, seed: int, task: str) -> Ints:
    """For each query `count` rows of `size` usable ones, in an order of its own, never itself: queries × candidates.

    A function of (seed, task, row, epoch). Among more than a few rows one may come twice.

    >>> queries = Queries(*(np.array([number]) for number in (1, 1, 0, 3)))
    >>> sorted(candidates(queries, 4, 3, seed=7, task="toy").tolist()[0])
    [0, 2, 3]
    """
    base = queries.rows.astype(np.uint64) ^ mix64(queries.epochs.astype(np.uint64))
    keys = mix64(mix64(base) ^ np.uint64(key64(seed, task, "exemplars")))[:, None]
    if size <= _FEW_ROWS:
        found, step = np.empty((len(queries), min(count, size - 1)), np.int64), max(1, _AT_A_TIME // size)
        for start in range(0, len(queries), step):
            piece = slice(start, start + step)
            order = np.argsort(keyed_words(keys[piece], np.arange(size)[None, :]), axis=1, kind="stable")
            others = order[order != queries.usable[piece, None]].reshape(len(order), size - 1)
            found[piece] = others[:, :count]
        return found
    drawn = (keyed_words(keys, np.arange(count)[None, :]) % np.uint64(size - 1)).astype(np.int64)
    return np.asarray(np.where(drawn >= queries.usable[:, None], drawn + 1, drawn), np.int64)


def first_valid(
    found: Ints, valid: npt.NDArray[np.bool_], wanted: Ints, answers: Ints | None = None, *, width: int
) -> tuple[Ints, Ints]:
    """Of each query's candidates the first `wanted` valid ones, `width` at most, and how many there are; -1 for none.

    With `answers` (a number for each candidate's), those that come with the fewest of their answer before them are
    first: answers take turns.

    >>> first_valid(np.array([[5, 6, 7]]), np.array([[True, False, True]]), np.array([2]), width=3)[0].tolist()
    [[5, 7, -1]]
    """
    order = np.argsort(~valid, axis=1, kind="stable")
    if answers is not None:
        order = np.lexsort((np.where(valid, _before(answers, valid), np.iinfo(np.int64).max),), axis=1)
    counts = np.minimum(valid.sum(axis=1), wanted)
    taken = np.full((len(found), width), NONE, np.int64)
    taken[:, : found.shape[1]] = np.take_along_axis(found, order, axis=1)[:, :width]
    return np.where(np.arange(width)[None, :] < counts[:, None], taken, NONE), counts


def _before(answers: Ints, valid: npt.NDArray[np.bool_]) -> Ints:
    """For each candidate, how many valid ones of its query come before it with the same answer."""
    number = np.zeros(answers.shape, np.int64)
    for later in range(1, answers.shape[1]):
        same = (answers[:, :later] == answers[:, later : later + 1]) & valid[:, :later]
        number[:, later] = same.sum(axis=1)
    return number


def first_of_each(codes: Ints) -> npt.NDArray[np.bool_]:
    """Which entries of each row come first among its equal ones.

    >>> first_of_each(np.array([[3, 1, 3]])).tolist()
    [[True, True, False]]
    """
    order = np.argsort(codes, axis=1, kind="stable")
    ordered = np.take_along_axis(codes, order, axis=1)
    first = np.ones(codes.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    found = np.empty_like(first)
    np.put_along_axis(found, order, first, axis=1)
    return found
