"""The columns of eval sets: the pinned schemas, where rows are from, and one row for each choice of a prompt."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.evalsets.answers import TEXT, TEXTS
from flanmix.layouts import METADATA

_HELD_BYTES = 32 << 20

PROMPTS = pa.schema(
    [
        pa.field("input", TEXT),
        pa.field("target", TEXT),
        pa.field("answer", TEXT),
        pa.field("answer_choices", TEXTS),
        pa.field("answer_index", pa.int32()),
        *METADATA,
    ]
)
"""One row for each prompt. `answer` is what a model's answer has to be equal to: the target, or what the template's
`extract` finds in it. `answer_choices` is empty and `answer_index` -1 where the answer is free text.
"""

RANKING = pa.schema(
    [
        pa.field("input", TEXT),
        pa.field("continuation", TEXT),
        pa.field("choice", pa.int32()),
        pa.field("label", pa.bool_()),
        pa.field("group", pa.int64()),
        *METADATA,
    ]
)
"""One row for each prompt and choice: what is to be likely after `input`, which choice it is, and whether it is right.
Rows of one prompt stand together and have its number in the set of prompts as `group`.
"""


def one_word(word: str, rows: int) -> pa.DictionaryArray:
    """The same word in all rows."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([word], pa.string()))


def ranking_of(prompts: pa.Table, separator: str, first: int) -> Iterator[pa.Table]:
    """One row for each choice of prompts, of which the first has the number `first` in its set.

    What `separator` parts from the input belongs to the continuation, so that the same tokens are likely or not that a
    build would train on. Every choice takes the whole input once more: what comes at a time is bounded.
    """
    lengths = np.asarray(pc.list_value_length(prompts.column("answer_choices"))).astype(np.int64)
    bytes_ = np.cumsum(lengths * np.asarray(pc.binary_length(prompts.column("input"))))
    start = 0
    while start < len(prompts):
        before = bytes_[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(bytes_, before + _HELD_BYTES, "right")))
        yield _ranking_of(prompts.slice(start, stop - start), separator, first + start)
        start = stop


def _ranking_of(prompts: pa.Table, separator: str, first: int) -> pa.Table:
    lists = prompts.column("answer_choices").combine_chunks()
    owners = np.asarray(pc.list_parent_indices(lists)).astype(np.int64)
    lengths = np.asarray(pc.list_value_length(lists)).astype(np.int64)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    right = np.asarray(prompts.column("answer_index"))[owners] == places
    empty = pa.scalar("", TEXT)
    own: Mapping[str, pa.Array] = {
        "continuation": pc.binary_join_element_wise(pa.scalar(separator, TEXT), lists.flatten(), empty),
        "choice": pa.array(places.astype(np.int32)),
        "label": pa.array(right),
        "group": pa.array(owners + first),
    }
    taken = prompts.select(["input", *METADATA.names]).take(pa.array(owners))
    return pa.table([own[name] if name in own else taken.column(name) for name in RANKING.names], schema=RANKING)
