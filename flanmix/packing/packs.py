"""Which piece of which sequence lies where: a value, without any token in it."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from flanmix.keyed import Ints

Flags = npt.NDArray[np.bool_]


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Packs:
    """Pieces in order of output: piece i is tokens start[i] … stop[i] - 1 of sequence[i], in pack[i].

    The pieces of a pack stand together, packs are numbered from 0 without a gap, and no piece is empty. What is in no
    pack is told too: `too_long` are the sequences that were left out since they exceed the capacity, `empty` counts
    those without tokens. Of `truncated` sequences, `cut` tokens were left out. `untrained` packs, with
    `untrained_tokens`, were taken out since none of their tokens would be trained.
    """

    capacity: int
    pack: Ints
    sequence: Ints
    start: Ints
    stop: Ints
    too_long: Ints = field(default_factory=_none)
    empty: int = 0
    truncated: int = 0
    cut: int = 0
    untrained: int = 0
    untrained_tokens: int = 0

    def __len__(self) -> int:
        """The number of packs."""
        return int(self.pack[-1]) + 1 if len(self.pack) else 0

    @cached_property
    def lengths(self) -> Ints:
        """The tokens of each piece."""
        return self.stop - self.start

    @cached_property
    def bounds(self) -> Ints:
        """The pieces of pack k are bounds[k] … bounds[k + 1] - 1."""
        return np.searchsorted(self.pack, np.arange(len(self) + 1)).astype(np.int64, copy=False)

    def tokens(self) -> Ints:
        """The tokens of each pack."""
        places = np.concatenate(([0], np.cumsum(self.lengths)))
        return np.diff(places[self.bounds])

    def by_arrival(self) -> "Packs":
        """The same packs, in the order in which the first sequences in them arrived.

        Best-fit packs come with the longest sequences first, which is no order to train in. The first sequence in a
        pack is the one that opened it, so this order has nothing to do with lengths where that of the rows has not. Of
        packs that begin with pieces of one sequence, the one with the earlier piece comes first.
        """
        first = self.bounds[:-1]
        order = np.lexsort((self.start[first], self.sequence[first]))
        return self._chosen(order)

    def keeping(self, kept: Flags) -> "Packs":
        """The packs for which `kept` is true; the others count as untrained."""
        tokens = self.tokens()
        return replace(
            self._chosen(np.flatnonzero(kept)),
            untrained=self.untrained + int((~kept).sum()),
            untrained_tokens=self.untrained_tokens + int(tokens[~kept].sum()),
        )

    def _chosen(self, order: Ints) -> "Packs":
        sizes = np.diff(self.bounds)[order]
        ends = np.cumsum(sizes)
        pieces = np.arange(sizes.sum()) + np.repeat(self.bounds[:-1][order] - ends + sizes, sizes)
        pack = np.repeat(np.arange(len(order)), sizes)
        return replace(
            self, pack=pack, sequence=self.sequence[pieces], start=self.start[pieces], stop=self.stop[pieces]
        )

    def report(self) -> "PackReport":
        """The numbers of these packs."""
        tokens = int(self.lengths.sum())
        pieces = np.bincount(self.sequence)
        return PackReport(
            packs=len(self),
            capacity=self.capacity,
            sequences=int((pieces > 0).sum()),
            split=int((pieces > 1).sum()),
            tokens=tokens,
            fill_rate=tokens / (len(self) * self.capacity) if len(self) else 0.0,
            truncated=self.truncated,
            cut=self.cut,
            too_long=len(self.too_long),
            empty=self.empty,
            untrained=self.untrained,
            untrained_tokens=self.untrained_tokens,
        )


@dataclass(frozen=True)
class PackReport:
    """What packing did: `split` sequences lie in more than one piece, `fill_rate` is tokens / (packs * capacity).

    The other words are those of `Packs`. `tokens`, `cut`, `untrained_tokens` and the tokens of what is too long add up
    to the tokens there were.
    """

    packs: int
    capacity: int
    sequences: int
    split: int
    tokens: int
    fill_rate: float
    truncated: int
    cut: int
    too_long: int
    empty: int
    untrained: int
    untrained_tokens: int
