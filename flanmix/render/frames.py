"""Some rows of a table and what names stand for in them: all rows, those of a branch, or the rounds of a loop."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from flanmix.order import Ints, Words
from flanmix.render.environment import outside_row
from flanmix.render.limits import MAX_STEPS
from flanmix.render.values import Coded, Column, Const, NotColumnar, Value, refuse_iterators, take
from flanmix.spec import Dialect

MOST_BYTES = 256 << 20
"""The most that one column may grow to in the rounds of a loop."""


class TooLarge(NotColumnar):
    """The rounds of a loop over so many rows at once would take too much memory: fewer rows will do."""


@dataclass(frozen=True)
class Table:
    """What a template is rendered over: its names in all rows, numbers to draw with, rounds of loops so far."""

    rows: int
    names: dict[str, Value]
    dialect: Dialect
    draw: Callable[[int], Words]
    steps: Ints = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", np.zeros(self.rows, np.int64))


class Frame:
    """Rows of a table, given by their places in an outer frame, and the names set for them."""

    def __init__(self, table: Table, outer: "Frame | None" = None, places: Ints | None = None) -> None:
        self.table, self.outer, self.places = table, outer, places
        self.rows: int = len(places) if places is not None else outer.rows if outer else table.rows
        self.names: dict[str, Value] = {} if outer else table.names
        self._taken: dict[str, Value] = {}

    @property
    def dialect(self) -> Dialect:
        """The dialect of the template."""
        return self.table.dialect

    def of(self, name: str) -> Value:
        """What a name stands for."""
        found = self._find(name)
        return Const(outside_row(name, self.dialect)) if found is None else found

    def _find(self, name: str) -> Value | None:
        if name in self.names:
            return self.names[name]
        if self.outer is None:
            return None
        if self.places is None:
            return self.outer._find(name)
        if name not in self._taken:
            found = self.outer._find(name)
            if found is None:
                return None
            self._refuse_growth(found)
            self._taken[name] = take(found, self.places)
        return self._taken[name]

    def _refuse_growth(self, value: Value) -> None:
        if not isinstance(value, Column) or len(value.array) >= self.rows:
            return
        if value.array.nbytes * self.rows / len(value.array) > MOST_BYTES:
            raise TooLarge("a loop repeats so much text that it takes too much memory")

    def set(self, name: str, value: Value) -> None:
        """Let a name stand for something from here on."""
        refuse_iterators(value)
        self.names[name] = value

    def at(self, places: Ints) -> "Frame":
        """The rows at some places of this frame."""
        return Frame(self.table, self, places)

    @property
    def roots(self) -> Ints:
        """For each row, the row of the table that it belongs to."""
        if self.outer is None:
            return np.arange(self.rows)
        return self.outer.roots if self.places is None else self.outer.roots[self.places]

    def count_steps(self, rounds: Ints) -> None:
        """Count rounds of a loop in each row; raises `NotColumnar` where a text has too many."""
        np.add.at(self.table.steps, self.roots, rounds)
        if self.table.steps.max(initial=0) > MAX_STEPS:
            raise NotColumnar(f"more than {MAX_STEPS:,} rounds of loops")

    def draw(self, place: int) -> Words:
        """A random word for each row, for one place of the template."""
        return self.table.draw(place)[self.roots]


__all__ = ["Coded", "Frame", "Table", "TooLarge"]
