"""The options of rows: what their prompts list, and what their targets answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.keyed import Ints
from flanmix.options.drawing import Chosen, Listing, order_words
from flanmix.options.lists import TEXT, Lists, Mask, is_blank, one_text
from flanmix.options.writing import answers, written

NO_OPTIONS, NO_ANSWER, BLANK = (
    "no value for 'options'",
    "the answer is not one of the options",
    "the answer is blank",
)
"""Why a row cannot list its options."""


@dataclass(frozen=True)
class Listed:
    """The options of rows as they are shown: each a column, made when it is asked for.

    `lists` are the choices in the order shown; `index` is where the right one stands there, -1 where none does; `lost`
    says by reason which rows have no options, or not the right one among them.
    """

    how: Listing
    chosen: Chosen
    lists: Lists
    index: Ints
    lost: Mapping[str, Mask]

    @property
    def styles(self) -> Ints:
        """The number of each row's style in `how.styles`."""
        return self.chosen.styles

    @cached_property
    def options(self) -> pa.Array:
        """What prompts print: `large_string`, null for lost rows."""
        return self._where_kept(written(self.lists, self.how.styles, self.styles))

    @property
    def choices(self) -> pa.Array:
        """The choices in the order shown: `list<large_string>`."""
        return self.lists.array

    @cached_property
    def answer(self) -> pa.Array:
        """What targets print: the right option's text, its label or both; `large_string`, null for lost rows."""
        there = self.index >= 0
        printed = self._printed(np.flatnonzero(there), (self.lists.starts[:-1] + self.index)[there])
        places = np.cumsum(there) - 1
        return self._where_kept(printed.take(pa.array(places, mask=~there)))

    @property
    def answer_index(self) -> pa.Array:
        """Where the right option stands in `choices`, from 0; -1 where none does: `int32`."""
        return pa.array(self.index.astype(np.int32))

    @cached_property
    def answer_choices(self) -> pa.Array:
        """What a target would print for each of the choices: `list<large_string>`."""
        printed = self._printed(self.lists.owners, np.arange(len(self.lists.texts)))
        return Lists(printed, self.lists.lengths, self.lists.null).array

    def columns(self, wanted: Collection[str]) -> dict[str, pa.Array]:
        """Those of the columns that are wanted; others have to do with no options."""
        known = ("options", "choices", "answer", "answer_index", "answer_choices")
        return {name: getattr(self, name) for name in known if name in wanted}

    def _printed(self, rows: Ints, texts: Ints) -> pa.Array:
        """What the targets of rows print for some texts of theirs."""
        targets = [target for target, _ in self.how.targets]
        chosen, kinds = self.chosen.styles[rows], self.chosen.targets[rows]
        return answers(self.lists, texts, self.how.styles, chosen, targets, kinds)

    def _where_kept(self, texts: pa.Array) -> pa.Array:
        lost = np.logical_or.reduce(list(self.lost.values()))
        return pc.if_else(pa.array(lost), pa.scalar(None, TEXT), texts) if lost.any() else texts


def answer_places(choices: pa.Array | pa.ChunkedArray, answer: pa.Array | pa.ChunkedArray) -> Ints:
    """Where each row's answer stands among its choices, -1 where it does not.

    >>> answer_places(pa.array([["yes", "no"]] * 2, pa.list_(TEXT)), pa.array(["no", "maybe"])).tolist()
    [1, -1]
    """
    return Lists.of(choices).find(one_text(answer))


def listed(
    choices: pa.Array | pa.ChunkedArray,
    answer: pa.Array | pa.ChunkedArray | None,
    rows: Ints,
    epochs: Ints,
    how: Listing,
    *,
    seed: int,
    task: str,
    chosen: Chosen | None = None,
) -> Listed:
    """The options of rows of a task in their epochs, by their choices and right answers.

    What a row gets hangs on (seed, task, row, epoch) alone, and not on the rows beside it. `chosen` gives rows the
    styles and targets of others, as exemplars take those of the row they stand before. Without an `answer` no
    row is lost for the want of it.

    >>> from flanmix.spec import OptionStyle
    >>> how = Listing((OptionStyle("letters", labels="capitals", label="({}) "),), (("label", 1.0),), shuffled=True)
    >>> choices, answer = pa.array([["red", "green", "blue"]], pa.list_(TEXT)), pa.array(["green"])
    >>> found = listed(choices, answer, np.array([5]), np.array([0]), how, seed=7, task="toy")
    >>> print(found.options[0])
    (A) green
    (B) blue
    (C) red
    >>> found.answer.to_pylist(), found.answer_index.to_pylist()
    (['A'], [0])
    """
    lists = Lists.of(choices)
    if how.shuffled:
        lists = lists.shuffled(order_words(rows, epochs, seed=seed, task=task))
    none = lists.lengths == 0
    if lists.texts.null_count:
        none |= lists.any_of(np.asarray(lists.texts.is_null()))
    lost = {NO_OPTIONS: none}
    index = np.full(len(lists), -1, np.int64)
    if answer is not None:
        texts = one_text(answer)
        index = lists.find(texts)
        lost |= {BLANK: is_blank(texts), NO_ANSWER: index < 0}
    return Listed(how, chosen or how.chosen(rows, epochs, seed=seed, task=task), lists, index, lost)
