"""The tokens of packs that are trained, and whose they are.

A token is predicted from those before it in its own sequence. So the first label of a piece is never trained: trainers
shift labels by one, and the shift would bring it to the end of the sequence before. `apply` writes -100 there.
Sequences begin with a prompt, so only where a cut falls into an answer is a loss token lost.
"""

from dataclasses import dataclass

import numpy as np

from flanmix.keyed import Ints
from flanmix.packing.columns import NO_LOSS, Column, Lists
from flanmix.packing.packs import Flags, Packs


@dataclass(frozen=True, eq=False)
class TaskTokens:
    """By the code of a task: how many of its tokens are in packs, and how many of them are trained."""

    tokens: Ints
    loss: Ints


def loss_tokens(packs: Packs, labels: Lists | None) -> Ints:
    """The trained tokens of each piece: labels behind the first that are not -100; without labels, all behind it.

    `labels` has one list for each sequence that was packed, in or out of a pack.
    """
    if labels is None:
        return packs.lengths - 1
    column = Column.of("labels", labels)
    begins = column.begins(packs)
    before = np.zeros(len(column.values) + 1, np.int32 if len(column.values) < 1 << 31 else np.int64)
    np.cumsum(column.values.to_numpy() != NO_LOSS, out=before[1:])
    counts: Ints = (before[begins + packs.lengths] - before[begins + 1]).astype(np.int64)
    return counts


def untrained(packs: Packs, labels: Lists | None) -> Flags:
    """For each pack, whether none of its tokens would be trained."""
    before = np.concatenate(([0], np.cumsum(loss_tokens(packs, labels))))
    none: Flags = np.diff(before[packs.bounds]) == 0
    return none


def drop_untrained(packs: Packs, labels: Lists | None) -> Packs:
    """The packs with a loss token; those without are counted in `untrained`. `apply` refuses packs that have none."""
    return packs.keeping(~untrained(packs, labels))


def tokens_by_task(packs: Packs, tasks: Ints, labels: Lists | None, number: int) -> TaskTokens:
    """What packing left of each task; `tasks` has the code of each sequence, from 0 to `number` - 1.

    >>> from flanmix.packing import pack
    >>> tokens_by_task(pack([3, 2, 4], 6), np.array([0, 1, 0]), None, 2)
    TaskTokens(tokens=array([7, 2]), loss=array([5, 1]))
    """
    mine = tasks[packs.sequence]
    found = (np.zeros(number, np.int64), np.zeros(number, np.int64))
    for sums, counts in zip(found, (packs.lengths, loss_tokens(packs, labels)), strict=True):
        np.add.at(sums, mine, counts)
    return TaskTokens(*found)
