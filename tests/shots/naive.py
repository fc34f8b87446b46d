"""Exemplars a row at a time, in plain Python: what the columns must equal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flanmix.keyed import key64, keyed_words, mix64
from flanmix.options.drawing import Listing
from flanmix.shots import Shooting
from tests.options.naive import listed_row

Row = Mapping[str, Any]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Wording:
    """A template as a function of a row: its input and target."""

    name: str
    pair: Callable[[Row], Pair]


def _mixed(row: int, epoch: int) -> int:
    return row ^ int(mix64(np.array([epoch], np.uint64))[0])


def _mix(word: int) -> int:
    return int(mix64(np.array([word], np.uint64))[0])


def others(task: str, seed: int, row: int, epoch: int, size: int, count: int) -> list[int]:
    """The other rows of a task with all rows usable, in the order in which they are asked to go before a row."""
    key = _mix(_mix(_mixed(row, epoch)) ^ key64(seed, task, "exemplars"))
    if size <= 512:
        words = keyed_words(key, np.arange(size)).tolist()
        return [other for other in sorted(range(size), key=lambda each: words[each]) if other != row]
    drawn = [word % (size - 1) for word in keyed_words(key, np.arange(count)).tolist()]
    return [other + (other >= row) for other in drawn]


def listed(row: Row, number: int, epoch: int, how: Listing, seed: int, task: str, asked: int) -> Row | None:
    """A row with its options as the row of number `asked` lists its own; None where it has none."""
    if how.as_in_data or "choices" not in row:
        return row
    style = _of(how, asked, epoch, seed, task)
    own = listed_row(row["choices"], row["answer"], number, 0 if asked != number else epoch, style, seed, task)
    return None if own["options"] is None else {**row, "options": own["options"], "answer": own["answer"]}


def _of(how: Listing, row: int, epoch: int, seed: int, task: str) -> Listing:
    chosen = how.chosen(np.array([row]), np.array([epoch]), seed=seed, task=task)
    return Listing((how.styles[chosen.styles[0]],), (how.targets[chosen.targets[0]],), how.shuffled)


def may_go_before(own: Pair, before: Sequence[Pair], pair: Pair) -> bool:
    """Whether it does not read as the row does, has no long target of the row's, and is not there already."""
    label = len(own[1]) <= 32
    return pair[0] != own[0] and (label or pair[1] != own[1]) and pair not in before


def template_of(wordings: Sequence[Wording], task: str, seed: int, row: int) -> Wording:
    """The wording of an exemplar that has one of its own."""
    counter = _mix(_mixed(row, 0))
    return max(wordings, key=lambda each: int(keyed_words(key64(seed, task, "template", each.name), [counter])[0]) | 1)


def prompt(
    rows: Sequence[Row], row: int, epoch: int, wanted: int, own: Wording, all_of: Sequence[Wording], how: Listing,
    shooting: Shooting, seed: int, task: str,
) -> tuple[str, list[Pair], list[int]] | None:  # fmt: skip
    """A row's input (with exemplars, if they go there), its earlier turns and its exemplars; None for a lost row."""
    shown = listed(rows[row], row, epoch, how, seed, task, row)
    if shown is None:
        return None

    def alike(each: Row) -> Pair:
        return own.pair({**each, "options": "\n".join(sorted(each["choices"]))} if "choices" in each else each)

    taken, before = list[int](), list[Pair]()
    for other in others(task, seed, row, epoch, len(rows), 1024):
        usable = listed(rows[other], other, epoch, how, seed, task, row) is not None
        if len(taken) < wanted and usable and may_go_before(alike(rows[row]), before, alike(rows[other])):
            taken.append(other)
            before.append(alike(rows[other]))
    pairs = []
    for other in taken:
        wording = own if shooting.templates == "same" else template_of(all_of, task, seed, other)
        dressed = listed(rows[other], other, epoch, how, seed, task, row)
        pairs.append(wording.pair(dressed or {}))
    if shooting.place == "turns" or not taken:
        return own.pair(shown)[0], pairs if shooting.place == "turns" else [], taken
    words = keyed_words(key64(seed, task, "format of exemplars"), [_mix(_mixed(row, epoch))])
    form = shooting.formats[int(words[0]) % len(shooting.formats)]
    texts = [form.input_prefix + ask + form.cue + (form.between or "") + said + form.separator for ask, said in pairs]
    return "".join(texts) + form.input_prefix + own.pair(shown)[0] + form.cue, [], taken
