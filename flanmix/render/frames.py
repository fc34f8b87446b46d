"""Some rows of a table and what names stand for in them: all rows, those of a branch, or the rounds of a loop."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from flanmix.order import Ints, Words
from flanmix.render.environment import outside_row
from flanmix.render.limits import MAX_STEPS
from flanmix.render.values import (
    NO_TEXT,
    Column,
    Const,
    Mask,
    NotColumnar,
    Value,
    refuse_iterators,
    refuse_large,
    settled,
    take,
)
from flanmix.render.viewing import Picked
from flanmix.spec import Dialect


@dataclass(frozen=True)
class Table:
    """What a template is rendered over: its names in all rows and numbers to draw with.

    On the way it notes the rounds of loops so far, and which rows get no text whatever is printed.
    """

    rows: int
    names: dict[str, Value | Picked]
    dialect: Dialect
    draw: Callable[[int], Words]
    steps: Ints = field(init=False)
    without_text: Mask = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", np.zeros(self.rows, np.int64))
        object.__setattr__(self, "without_text", np.zeros(self.rows, bool))


class Frame:
    """Rows of a table, given by their places in an outer frame, and the names set for them."""

    def __init__(self, table: Table, outer: "Frame | None" = None, places: Ints | None = None) -> None:
        self.table, self.outer, self.places = table, outer, places
        self.rows: int = len(places) if places is not None else outer.rows if outer else table.rows
        self.names: dict[str, Value | Picked] = {} if outer else table.names
        self._taken: dict[str, Value] = {}

    @property
    def dialect(self) -> Dialect:
        """The dialect of the template."""
        return self.table.dialect

    def of(self, name: str) -> Value:
        """What a name stands for."""
        found = self._find(name)
        return Const(outside_row(name, self.dialect)) if found is None else found

    def picked(self, name: str) -> Picked | None:
        """What a name stands for, where it is texts that were not copied so far and need not be to be printed."""
        found = None if self.outer else self.names.get(name)
        return found if isinstance(found, Picked) else None

    def _find(self, name: str) -> Value | None:
        if name in self.names:
            return settled(self.names[name])
        if self.outer is None:
            return None
        if self.places is None:
            return self.outer._find(name)
        if name not in self._taken:
            found = self.outer._find(name)
            if found is None:
                return None
            if isinstance(found, Column) and 0 < len(found.array) < self.rows:
                refuse_large(found.array.nbytes * self.rows / len(found.array))
            self._taken[name] = take(found, self.places)
        return self._taken[name]

    def set(self, name: str, value: Value) -> None:
        """Let a name stand for something from here on."""
        refuse_iterators(value)
        if isinstance(value, Column) and value.null is NO_TEXT and value.array.null_count:
            self.table.without_text[self.roots[np.asarray(value.array.is_null())]] = True
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
