"""A wording over the rows that it serves: its inputs and targets, and what each of its fields prints."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.lint.finding import Finding
from flanmix.lint.paths import Slot
from flanmix.lint.wording import Wording
from flanmix.render import RowError, render_pair, render_text
from flanmix.render.environment import BUILT_IN, compile_template
from flanmix.words import ROW, count_of

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rendered:
    """The rows of a task that a wording serves, and what it makes of them; both texts are null where it makes none."""

    wording: Wording
    task: str
    table: pa.Table
    inputs: pa.Array
    targets: pa.Array

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def of(self, side: str) -> pa.Array:
        """The texts of a side."""
        return self.inputs if side == "input" else self.targets

    def printed(self, slot: Slot) -> pa.Array | None:
        """What a slot prints in each row, null for none; None where it stands in a condition or reads no row."""
        return self._texts(slot.source) if slot.always else None

    @cached_property
    def _texts(self) -> Callable[[str], pa.Array | None]:
        known: dict[str, pa.Array | None] = {}

        def texts(source: str) -> pa.Array | None:
            if source not in known:
                text = "{{ " + source + " }}"
                names = compile_template(text).variables - BUILT_IN["native"]
                there = names <= set(self.table.column_names)
                known[source] = render_text(text, self.table) if there else None
            return known[source]

        return texts

    def share(self, mask: Mask) -> str:
        """How many rows a mask takes, and the first of them, in words.

        >>> table = pa.table({"fm_row": [4, 7]})
        >>> Rendered(None, "toy", table, None, None).share(np.array([False, True]))
        '1 of 2 rows of toy, first in row 7'
        """
        first = self.table.column(ROW)[int(np.flatnonzero(mask)[0])]
        return f"{int(mask.sum()):,} of {count_of(len(self), 'row')} of {self.task}, first in row {first}"


def rendered(wording: Wording, task: str, table: pa.Table) -> Rendered | Finding:
    """A wording over rows that it serves, or why it cannot be rendered."""
    template, item = wording.template, wording.item
    try:
        inputs, targets = render_pair(template, table, task=task, name=item.id)
    except RowError as error:
        row = table.column(ROW)[error.index]
        what = f"fails on row {row} of {task}: {error}"
        return wording.finding("fails-on-row", "", what, "guard what fails, or keep such rows away with 'when'")
    return Rendered(wording, task, table, inputs, targets)


def blank(texts: pa.Array) -> Mask:
    """Which texts are empty, white space alone, or null.

    >>> blank(pa.array(["a", " ", None], pa.large_string())).tolist()
    [False, True, True]
    """
    lengths = pc.binary_length(pc.utf8_trim_whitespace(texts))
    found: Mask = np.asarray(pc.equal(pc.fill_null(lengths, 0), 0)).astype(bool)
    return found


def matching(texts: pa.Array, pattern: str) -> Mask:
    """Which texts a regular expression is found in; a null has none."""
    found: Mask = np.asarray(pc.fill_null(pc.match_substring_regex(texts, pattern), False)).astype(bool)
    return found
