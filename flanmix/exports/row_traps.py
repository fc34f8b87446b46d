"""What in the rows of a folder a trainer drops, cuts or trains by accident: a flag for each row, by columns."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.exports.batches import ASSISTANT, SYSTEM, USER, Batch, Flags, one, rows_of
from flanmix.exports.trap import RowTrap

_WHITE = r"[\s\p{Z}\x{1c}-\x{1f}\x{85}]"
_MARKED = r"[>\]]"
"""What the mark of a chat template ends in, after which an answer begins at once."""


def nulls(batch: Batch) -> Flags:
    """Nulls in the layout's own columns, or in the turns in them."""
    found = np.zeros(len(batch), bool)
    for name in batch.own:
        column = one(batch.table.column(name))
        found |= np.asarray(pc.is_null(column))
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            rows, flat = rows_of(column), column.flatten()
            parts = [flat, *(flat.flatten() if pa.types.is_struct(flat.type) else [])]
            for part in parts:
                if part.null_count:
                    found |= batch.rows_with(rows[np.asarray(pc.is_null(part))])
    return found


def no_answer(batch: Batch) -> Flags | None:
    """An answer without a sign but white space."""
    if batch.said is not None:
        return np.asarray(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(batch.said[1])), 0))
    turns = batch.turns
    return None if turns is None else batch.rows_with(turns.rows[(turns.roles == ASSISTANT) & turns.empty])


def no_separator(batch: Batch) -> Flags | None:
    """No white space between prompt and completion. A prompt that ends in a mark of a chat template needs none."""
    if batch.layout != "prompt_completion" or batch.said is None:
        return None
    asked, answered = batch.said
    begins = pc.match_substring_regex(answered, f"^{_WHITE}")
    ends = pc.match_substring_regex(asked, f"(?:{_WHITE}|{_MARKED})\\z")
    both = pc.and_(pc.greater(pc.binary_length(asked), 0), pc.greater(pc.binary_length(answered), 0))
    return np.asarray(pc.and_(both, pc.invert(pc.or_(begins, ends))))


def unknown_roles(batch: Batch) -> Flags | None:
    """Turns of somebody else than the system, the user and the assistant, by the names of the layout."""
    turns = batch.turns
    return None if turns is None else batch.rows_with(turns.rows[turns.roles < 0])


def not_in_turns(batch: Batch) -> Flags | None:
    """A system turn that is not the first, or two of the user or the assistant in a row, or none of the user first."""
    turns = batch.turns
    if turns is None:
        return None
    before = np.where(turns.first, SYSTEM, np.concatenate([[SYSTEM], turns.roles[:-1]])[: len(turns.roles)])
    wanted = np.where(before == USER, ASSISTANT, USER)
    late = (turns.roles == SYSTEM) & ~turns.first
    wrong = late | ((turns.roles != wanted) & (turns.roles > SYSTEM))
    return batch.rows_with(turns.rows[wrong])


def no_last_answer(batch: Batch) -> Flags | None:
    """Rows that do not end on the assistant."""
    turns = batch.turns
    return None if turns is None else ~batch.rows_with(turns.rows[turns.last & (turns.roles == ASSISTANT)])


def several_answers(batch: Batch) -> Flags | None:
    """Rows with several turns of the assistant."""
    turns = batch.turns
    if turns is None:
        return None
    return np.bincount(turns.rows[turns.roles == ASSISTANT], minlength=len(batch)) > 1


def alpaca_context(batch: Batch) -> Flags | None:
    """Rows with a system text or earlier turns, in the layout alpaca."""
    if batch.layout != "alpaca":
        return None
    found = np.zeros(len(batch), bool)
    if batch.has("system"):
        found |= np.asarray(pc.fill_null(pc.not_equal(one(batch.table.column("system")), ""), False))
    if batch.has("history"):
        found |= np.asarray(
            pc.fill_null(pc.greater(pc.list_value_length(one(batch.table.column("history"))), 0), False)
        )
    return found


def untrained(batch: Batch) -> Flags | None:
    """No label but -100 at any token that another one stands before."""
    labels = batch.lists("labels")
    if labels is None:
        return None
    first = np.diff(labels.rows, prepend=-1) > 0
    positions = batch.lists("position_ids")
    if positions is not None and np.array_equal(positions.lengths, labels.lengths):
        first |= positions.values == 0
    return ~batch.rows_with(labels.rows[(labels.values != -100) & ~first])


def unequal_lengths(batch: Batch) -> Flags | None:
    """Masks, labels or positions that are not as long as the tokens, and pieces that do not add up to them."""
    ids = batch.lists("input_ids")
    if ids is None:
        return None
    others = [batch.lists(name) for name in ("attention_mask", "labels", "position_ids")]
    found = np.zeros(len(batch), bool)
    for other in filter(None, others):
        found |= other.lengths != ids.lengths
    pieces = batch.lists("seq_lengths")
    if pieces is not None:
        found |= np.bincount(pieces.rows, pieces.values, minlength=len(batch)).astype(np.int64) != ids.lengths
    return found


def off_by_one(batch: Batch) -> Flags | None:
    """Labels that are neither -100 nor the token of their place: trainers do the shifting."""
    ids, labels = batch.lists("input_ids"), batch.lists("labels")
    if ids is None or labels is None or not np.array_equal(ids.lengths, labels.lengths):
        return None
    return batch.rows_with(labels.rows[(labels.values != -100) & (labels.values != ids.values)])


SEPARATOR = RowTrap(
    "have no white space between prompt and completion, and no trainer puts any there",
    "end every prompt in a separator: flanmix build does",
    no_separator,
)
ALPACA_CONTEXT = RowTrap(
    "have a system text or earlier turns, which the trainer leaves out of this layout",
    "export them as messages",
    alpaca_context,
)
COMMON_ROWS: tuple[RowTrap, ...] = (
    RowTrap("have a null in the layout's own columns", "drop such rows, or write empty texts", nulls),
    RowTrap("have an empty answer", "drop them: there is nothing to learn but the end", no_answer),
    RowTrap("have turns of an unknown role", "call the roles as the layout does, or drop such rows", unknown_roles),
    RowTrap(
        "are no conversation in turns: the system first, then user and assistant",
        "drop them: trainers do, or train on what was not meant",
        not_in_turns,
    ),
    RowTrap("do not end on the assistant", "cut the last turns off, or drop such rows", no_last_answer),
    RowTrap("have no token to train", "drop them: they give a loss of 0 without a word", untrained),
    RowTrap(
        "have masks, labels or positions of another length than their tokens", "encode them again", unequal_lengths
    ),
    RowTrap(
        "have labels that are neither -100 nor the token of their place",
        "give each token its own label: trainers shift them",
        off_by_one,
    ),
)
"""What holds for every trainer."""
