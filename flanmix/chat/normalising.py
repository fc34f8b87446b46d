"""Conversations as trainers need them: a system turn or none, then the user and the assistant in turns, to an answer.

A trainer that meets another order drops the row, mostly with no more than a warning. What can be repaired is, and each
repair is counted by name; what cannot is left out and counted by reason. All of it goes by columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import ASSISTANT, ROLES, SYSTEM, USER, Conversations
from flanmix.chat.turns import NEITHER, NO_ROLE, UNKNOWN, Mask, Turns, blank
from flanmix.order import Ints

BETWEEN = "\n\n"
"""What stands between the texts of two turns that are joined: a blank line."""


@dataclass(frozen=True, eq=False)
class Normal:
    """Conversations in normal form: those of `rows` of what was given.

    `trained` (`list<bool>`) has a flag for each turn of the assistant, where there were flags. `dropped` counts the
    other rows by reason, `repaired` those rows that are here and were changed, by what was done to them.
    """

    conversations: Conversations
    rows: Ints
    trained: pa.Array | None
    dropped: Mapping[str, int]
    repaired: Mapping[str, int]


def normalise(turns: Turns) -> Normal:
    """Bring turns into normal form.

    A greeting of the assistant answers nobody, so turns of it before the first user are taken off, as are those of the
    user that nobody answers. Turns that are joined are trained if all of them are.

    >>> turns = Turns(np.array([0, 3]), np.array([USER, ASSISTANT, USER]), pa.array(["1 + 1?", "2", "Thanks"]))
    >>> found = normalise(turns)
    >>> found.conversations.roles.tolist(), found.repaired
    ([1, 2], {'last turns of the user taken off': 1})
    """
    order = _Order(turns)
    good = np.ones(len(turns), bool)
    dropped: dict[str, int] = {}
    for reason, wrong in order.reasons():
        if count := int((good & wrong).sum()):
            dropped[reason] = count
        good &= ~wrong
    off = np.zeros(len(turns.roles), bool)
    repaired: dict[str, int] = {}
    for repair, taken in order.taken():
        if count := int(order.any(taken & good[order.rows]).sum()):
            repaired[repair] = count
        off |= taken
    stay = np.flatnonzero(good[order.rows] & ~off)
    groups = _Groups.of(order.rows[stay], turns.roles[stay])
    for repair, role in (("several system turns joined", True), ("neighbouring turns of one speaker joined", False)):
        several = (groups.sizes > 1) & ((groups.roles == SYSTEM) == role)
        if count := len(np.unique(groups.rows[several])):
            repaired[repair] = count
    rows = np.flatnonzero(good)
    offsets = _offsets(groups.rows, rows)
    names = pa.array(ROLES, pa.large_string()).take(pa.array(groups.roles))
    contents = turns.contents if len(stay) == len(turns.roles) else turns.contents.take(pa.array(stay))
    conversations = Conversations(offsets, names, groups.joined(contents.cast(pa.large_string())))
    return Normal(conversations, rows, _trained(turns, stay, groups, rows), dropped, repaired)


def _trained(turns: Turns, stay: Ints, groups: "_Groups", rows: Ints) -> pa.Array | None:
    if turns.flags is None:
        return None
    flags = np.logical_and.reduceat(turns.flags[stay] == 1, groups.starts) if len(stay) else np.zeros(0, bool)
    answers = groups.roles == ASSISTANT
    offsets = _offsets(groups.rows[answers], rows).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flags[answers]))


def _offsets(of_row: Ints, rows: Ints) -> Ints:
    """Where the things of each of `rows` start, of which `of_row` gives the row, ascending."""
    return np.append(np.searchsorted(of_row, rows), len(of_row)).astype(np.int64)


class _Order:
    """What can be said of the order of turns."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.rows = np.repeat(np.arange(len(turns)), np.diff(turns.offsets))
        self.system, self.user, self.assistant = (turns.roles == role for role in (SYSTEM, USER, ASSISTANT))
        self.blank = blank(turns.contents)

    def any(self, mask: Mask) -> Mask:
        """The rows with such a turn."""
        found: Mask = np.bincount(self.rows[mask], minlength=len(self.turns)) > 0
        return found

    def after(self, mask: Mask) -> Mask:
        """The turns after such a one in their row."""
        seen: Ints = np.cumsum(mask) - mask
        found: Mask = seen > seen[self.turns.offsets[:-1][self.rows]]
        return found

    def before(self, mask: Mask) -> Mask:
        """The turns before such a one in their row."""
        seen: Ints = np.cumsum(mask)
        found: Mask = seen < seen[(self.turns.offsets[1:] - 1)[self.rows]]
        return found

    def reasons(self) -> Iterator[tuple[str, Mask]]:
        """Which rows cannot be repaired, and why; the first reason counts."""
        turns = self.turns
        yield from turns.refused.items()
        yield "no turns", np.diff(turns.offsets) == 0
        yield "a turn without a role", self.any(turns.roles == NO_ROLE)
        yield "a turn of an unknown role", self.any(turns.roles == UNKNOWN)
        yield "a turn without text", self.any(self.blank & ~self.system)
        yield "a system turn in the middle", self.any(self.system & ~self.blank & self.after(~self.system))
        if turns.flags is not None:
            yield "a weight that is neither 0 nor 1", self.any(self.assistant & (turns.flags == NEITHER))
        yield "no turn of the user", ~self.any(self.user)
        yield "no turn of the assistant", ~self.any(self.assistant)
        yield "no turn of the user is answered", ~self.any(self.assistant & self.after(self.user))

    def taken(self) -> Iterator[tuple[str, Mask]]:
        """Which turns are taken off, and why."""
        yield "empty system turns taken out", self.system & self.blank
        yield "a system turn that says the same again taken out", self._again()
        yield "first turns of the assistant taken off", self.assistant & ~self.after(self.user)
        yield "last turns of the user taken off", self.user & ~self.before(self.assistant)

    def _again(self) -> Mask:
        """System turns that say what the one before them says."""
        again = np.zeros(len(self.rows), bool)
        places = np.flatnonzero(self.system & ~self.blank)
        later = np.flatnonzero(np.diff(self.rows[places]) == 0) + 1
        if len(later):
            texts = [self.turns.contents.take(pa.array(places[each])) for each in (later, later - 1)]
            again[places[later]] = np.asarray(pc.equal(*texts))
        return again


@dataclass(frozen=True, eq=False)
class _Groups:
    """Neighbouring turns of one speaker: group i has `sizes[i]` turns from `starts[i]`."""

    starts: Ints
    sizes: Ints
    rows: Ints
    roles: Ints

    @classmethod
    def of(cls, rows: Ints, roles: Ints) -> "_Groups":
        other = np.ones(len(rows), bool)
        other[1:] = (np.diff(rows) != 0) | (np.diff(roles) != 0)
        starts = np.flatnonzero(other)
        return cls(starts, np.diff(np.append(starts, len(rows))), rows[starts], roles[starts])

    def joined(self, texts: pa.Array) -> pa.Array:
        """The texts of the groups."""
        if len(self.starts) == len(texts):
            return texts
        offsets = pa.array(np.append(self.starts, len(texts)).astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, texts)
        return pc.binary_join(lists, pa.scalar(BETWEEN, pa.large_string()))
