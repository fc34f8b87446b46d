"""The usable rows of one split of a task: which wordings serve them, and some of them as a table."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from flanmix.bound import BoundTask
from flanmix.mapped import GUARD, Mapped
from flanmix.order import Ints
from flanmix.prepare import Prepared, prepare
from flanmix.render.picking import Rows


@dataclass(frozen=True)
class Pool:
    """A split's rows, numbered from 0 as they lie in the prepared file."""

    prepared: Prepared
    wordings: int

    @classmethod
    def of(cls, bound: BoundTask, split: str) -> "Pool":
        """Prepare a split; raises as `prepare`."""
        return cls(prepare(bound, split), len(bound.templates))

    def __len__(self) -> int:
        return self.prepared.usable

    @cached_property
    def _mapped(self) -> Mapped:
        return Mapped(self.prepared.rows)

    @cached_property
    def _serves(self) -> npt.NDArray[np.bool_]:
        """For each guard and wording, whether rows with the one are served by the other."""
        table = np.zeros((len(self.prepared.guards), self.wordings), bool)
        for number, served in enumerate(self.prepared.guards):
            table[number, list(served)] = True
        return table

    @property
    def row_bytes(self) -> float:
        """About how many bytes a row takes."""
        return self._mapped.size / max(1, len(self))

    def rows(self, numbers: Ints) -> Rows:
        """Rows in any order. Pages are given back on the way."""
        found = self._mapped.pick(numbers)
        self._mapped.release()
        return found

    def served(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """For each of these rows and each wording, whether it serves the row."""
        served: npt.NDArray[np.bool_] = self._serves[rows.numbers(GUARD)]
        return served

    def check(self) -> None:
        """Raises `SourceError` where the rows are no longer what was prepared."""
        self._mapped.check()
