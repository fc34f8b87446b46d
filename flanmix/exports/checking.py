"""The check of a folder against the traps that a trainer sets: all of them in one pass over the rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from flanmix.errors import BuildError, Problem
from flanmix.exports.batches import Batch
from flanmix.exports.interleaving import Interleaving
from flanmix.exports.seen import Seen, batches, look
from flanmix.exports.trainer import Trainer
from flanmix.exports.trap import FolderTrap, RowTrap
from flanmix.exports.traps import beside_own, unread
from flanmix.words import count_of


@dataclass
class Report:
    """What a check found: `problems` change what is trained or stop the trainer, `warnings` may do so."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    rows: int = 0
    shards: int = 0

    def add(self, found: Iterable[Problem], *, warns: bool) -> None:
        """Add what a trap found."""
        (self.warnings if warns else self.problems).extend(found)


def check(folder: Path, trainer: Trainer) -> Report:
    """Check a build, an export, or any folder of shards; raises `BuildError` where there are none to read."""
    report = Report()
    for seen in look(folder):
        report.add(unread(seen, trainer.name, trainer.layouts) if seen.kind != "mds" else (), warns=False)
        if seen.layout in trainer.bare:
            report.add(beside_own(seen, trainer.name), warns=False)
        for trap in trainer.traps:
            if isinstance(trap, FolderTrap):
                report.add(trap.found(seen), warns=trap.warns)
        check_rows(seen, trainer, report)
    report.problems = list(dict.fromkeys(report.problems))
    report.warnings = list(dict.fromkeys(report.warnings))
    return report


def check_rows(seen: Seen, trainer: Trainer, report: Report) -> None:
    """Check every row of the shards; of MDS, which Arrow does not read, none."""
    row_traps = [trap for trap in trainer.traps if isinstance(trap, RowTrap)]
    mixing = Interleaving()
    for shard in seen.shards if seen.kind != "mds" else ():
        counted = _Counted(row_traps)
        try:
            for table in batches(shard):
                batch = Batch(seen, table)
                counted.add(batch)
                if trainer.out_of_order:
                    mixing.add(shard, batch)
        except (pa.ArrowException, OSError) as error:
            raise BuildError(Problem("cannot be read", file=str(shard), hint="write it again")) from error
        counted.tell(shard, report)
        report.rows += counted.rows
        report.shards += 1
    report.add(mixing.problems(), warns=True)


class _Counted:
    """How many rows of a shard each trap has, and the first of them."""

    def __init__(self, row_traps: Sequence[RowTrap]) -> None:
        self.rows = 0
        self._traps = row_traps
        self._counts = [0] * len(row_traps)
        self._firsts = [0] * len(row_traps)

    def add(self, batch: Batch) -> None:
        for place, trap in enumerate(self._traps):
            flags = trap.found(batch)
            number = 0 if flags is None else int(np.count_nonzero(flags))
            if number and flags is not None:
                if not self._counts[place]:
                    self._firsts[place] = self.rows + int(np.argmax(flags))
                self._counts[place] += number
        self.rows += len(batch)

    def tell(self, shard: Path, report: Report) -> None:
        for trap, count, first in zip(self._traps, self._counts, self._firsts, strict=True):
            if count:
                what = f"{count_of(count, 'row')} of {self.rows:,} {trap.what} (the first: row {first})"
                report.add([Problem(what, file=str(shard), hint=trap.hint)], warns=trap.warns)
