"""Which rows of tokens are written, and how much of each: truncation where it is asked for, and what is dropped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from flanmix.errors import UsageError
from flanmix.order import Ints

Side = Literal["left", "right"]
NO_LOSS, FULL, LONG = "no loss token", "prompt fills the length", "longer than max_length"


@dataclass(frozen=True)
class Cut:
    """How long rows may be, and at which side longer ones lose tokens; None: they are dropped."""

    max_length: int | None = None
    side: Side | None = None

    def __post_init__(self) -> None:
        if self.side not in (None, "left", "right"):
            raise UsageError(f"truncate is 'left', 'right' or None, not '{self.side}'")
        if self.max_length is None and self.side is not None:
            raise UsageError(f"truncate='{self.side}' needs max_length")
        if self.max_length is not None and self.max_length < 2:
            raise UsageError(f"max_length is {self.max_length}", hint="a row needs a token and another that follows it")


@dataclass(frozen=True, eq=False)
class Done:
    """`tokens` are the places of those that are written, in order; the other arrays are about their rows."""

    rows: Ints
    lengths: Ints
    tokens: npt.NDArray[np.bool_]
    loss_tokens: Ints
    cut_rows: int
    cut_tokens: int
    cut_ends: int
    lost: Mapping[str, Ints]
    """The rows that are dropped, by reason."""


def cut(lengths: Ints, trained: npt.NDArray[np.bool_], ends: Ints, bad: Mapping[int, str], how: Cut) -> Done:
    """Decide for rows of `lengths` tokens that lie one after the other; `bad` are rows to drop, with their reasons.

    >>> done = cut(np.array([3, 3]), np.array([0, 0, 1, 0, 1, 1], bool), np.array([2, 5]), {}, Cut(2, "right"))
    >>> done.rows.tolist(), done.lengths.tolist(), done.lost["prompt fills the length"].tolist(), done.cut_ends
    ([1], [2], [0], 1)
    """
    starts = np.cumsum(lengths) - lengths
    low, high = starts.copy(), starts + lengths
    limit = how.max_length if how.max_length is not None else int(lengths.max(initial=0))
    if how.side == "right":
        high = np.minimum(high, low + limit)
    elif how.side == "left":
        low = np.maximum(low, high - limit)
    sums = np.concatenate([[0], np.cumsum(trained)]).astype(np.int64)
    whole = sums[starts + lengths] - sums[np.minimum(starts + 1, starts + lengths)]
    reached = sums[high] - sums[np.minimum(low + 1, high)]
    reasons = np.full(len(lengths), "", object)
    reasons[reached == 0] = FULL
    reasons[whole == 0] = NO_LOSS
    reasons[high - low > limit] = LONG
    for row, why in bad.items():
        reasons[row] = why
    rows = np.flatnonzero(reasons == "")
    edges = np.zeros(len(trained) + 1, np.int8)
    np.add.at(edges, low[rows], 1)
    np.add.at(edges, high[rows], -1)
    lost = lengths[rows] - (high - low)[rows]
    at = np.searchsorted(starts + lengths, ends, side="right")
    cut_off = (reasons[at] == "") & ((ends < low[at]) | (ends >= high[at])) if len(ends) else np.zeros(0, bool)
    return Done(
        rows=rows,
        lengths=(high - low)[rows],
        tokens=np.cumsum(edges[:-1], dtype=np.int8) > 0,
        loss_tokens=reached[rows],
        cut_rows=int((lost > 0).sum()),
        cut_tokens=int(lost.sum()),
        cut_ends=int(cut_off.sum()),
        lost={why: np.flatnonzero(reasons == why) for why in sorted(set(reasons.tolist()) - {""})},
    )
