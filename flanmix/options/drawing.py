"""How a mixture lists options, and what of it each row is given: a function of (seed, task, row, epoch) alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from flanmix.keyed import Ints, Words, key64, keyed_words
from flanmix.rates import exact
from flanmix.spec.axes import OptionStyle, OptionTarget
from flanmix.weyl import Arcs

BULLETS = OptionStyle("bullets")
"""How options are listed where a mixture says nothing."""


@dataclass(frozen=True)
class Chosen:
    """What each row is given: the numbers of a style and of a target of a `Listing`."""

    styles: Ints
    targets: Ints


@dataclass(frozen=True)
class Listing:
    """How a mixture lists options: styles and targets, which are drawn by weight, and whether the order is shuffled.

    >>> letters = OptionStyle("letters", labels="capitals", label="({}) ")
    >>> how = Listing((BULLETS, letters), (("text", 1.0), ("label", 3.0)))
    >>> chosen = how.chosen(np.arange(6), np.zeros(6, np.int64), seed=7, task="toy")
    >>> chosen.styles.tolist(), chosen.targets.tolist()
    ([0, 1, 1, 1, 1, 1], [1, 1, 1, 0, 1, 1])
    """

    styles: tuple[OptionStyle, ...] = (BULLETS,)
    targets: tuple[tuple[OptionTarget, float], ...] = (("text", 1.0),)
    shuffled: bool = False

    @property
    def as_in_data(self) -> bool:
        """Whether rows show their options as prepared rows have them, and are answered with their text."""
        return self == Listing()

    def misread_by(self, read: Collection[str]) -> bool:
        """Whether a template that reads these fields would answer wrongly: it looks up answers in another order.

        >>> Listing(shuffled=True).misread_by({"options", "choices", "label"})
        True
        """
        return self.shuffled and {"options", "choices"} <= set(read) and "answer" not in read

    def facts(self) -> dict[str, object]:
        """All that decides bytes, as plain values."""
        keys = ("labels", "label", "separator", "start", "end")
        styles = [[*(getattr(style, key) for key in keys), str(exact(style.weight))] for style in self.styles]
        targets = [[target, str(exact(weight))] for target, weight in self.targets]
        return {"styles": styles, "targets": targets, "shuffled": self.shuffled}

    def chosen(self, rows: Ints, epochs: Ints, *, seed: int, task: str) -> Chosen:
        """What each row of a task is given in an epoch, by weight; style, target and order do not hang together."""
        styles = _drawn([style.weight for style in self.styles], rows, epochs, key64(seed, task, "option style"))
        targets = _drawn([weight for _, weight in self.targets], rows, epochs, key64(seed, task, "option target"))
        return Chosen(styles, targets)


def order_words(rows: Ints, epochs: Ints, *, seed: int, task: str) -> Words:
    """For each row of a task in an epoch the key of the order of its options."""
    return _words(rows, epochs, key64(seed, task, "option order"))


def _words(rows: Ints, epochs: Ints, key: int) -> Words:
    return keyed_words(keyed_words(key, rows), epochs)


def _drawn(weights: Sequence[float], rows: Ints, epochs: Ints, key: int) -> Ints:
    """One of several for each row, by weight."""
    if len(weights) == 1:
        return np.zeros(len(rows), np.int64)
    return Arcs.of(Fraction(1), [exact(weight) for weight in weights]).at(_words(rows, epochs, key))
