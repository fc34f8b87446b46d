"""Whether tasks lie mixed inside each shard, for trainers that do not read shards in their order."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import Problem
from flanmix.exports.batches import Batch, is_list, one

_ENOUGH_ROWS, _ENOUGH_CHANGES = 20, 8
_HINT = "build with order shuffle or even, which mix the tasks in every shard"


class Interleaving:
    """Counts, shard by shard, the tasks and how often they change from row to row."""

    def __init__(self) -> None:
        self._tasks: defaultdict[Path, Counter[str]] = defaultdict(Counter)
        self._changes: Counter[Path] = Counter()
        self._last: dict[Path, str] = {}

    def add(self, shard: Path, batch: Batch) -> None:
        """Count the rows of a batch; of packed rows, the pieces."""
        if not batch.has("fm_task"):
            return
        column = one(batch.table.column("fm_task"))
        column = column.flatten() if is_list(column.type) else column
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        encoded = pc.fill_null(column, "").dictionary_encode()
        codes, names = np.asarray(encoded.indices), encoded.dictionary.to_pylist()
        if not len(codes):
            return
        self._tasks[shard].update(dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True)))
        self._changes[shard] += int(np.count_nonzero(np.diff(codes)))
        self._changes[shard] += self._last.get(shard, names[codes[0]]) != names[codes[0]]
        self._last[shard] = names[codes[-1]]

    def problems(self) -> Iterator[Problem]:
        """What is not mixed: tasks that follow each other, and shards with another share of a task than the whole."""
        whole: Counter[str] = sum(self._tasks.values(), Counter())
        total = whole.total()
        for shard, tasks in self._tasks.items():
            rows = tasks.total()
            if rows < _ENOUGH_ROWS:
                continue
            changes = self._changes[shard]
            expected = rows * (1 - sum((count / rows) ** 2 for count in tasks.values()))
            if expected >= _ENOUGH_CHANGES and changes < expected / 2:
                what = f"the tasks change {changes:,} times from row to row, where {expected:,.0f} are to be expected"
                yield Problem(what, file=str(shard), hint=_HINT)
            far = {task: rows * count / total for task, count in whole.items()}
            task, share = max(far.items(), key=lambda item: abs(tasks[item[0]] - item[1]))
            if abs(tasks[task] - share) > max(share / 2, 5 * share**0.5):
                what = f"holds {tasks[task]:,} rows of {task}, where its share of all shards makes {share:,.0f}"
                yield Problem(what, file=str(shard), hint=_HINT)
