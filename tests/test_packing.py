"""Packing: each token in one place, no pack above the capacity, the very packs of best fit decreasing."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, get_args

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix.packing import PACKED, Packs, Strategy, apply, drop_untrained, loss_tokens, pack, tokens_by_task

IDS, LABELS = pa.list_(pa.int32()), pa.list_(pa.int64())
VECTOR = [[1, 2, 3, 4, 5], [6, 7], [8, 9, 10], [11]]
STRATEGIES = get_args(Strategy)

capacities = st.integers(1, 40)
many_lengths = st.lists(st.integers(0, 90), max_size=60)
equal_lengths = st.lists(st.sampled_from([0, 1, 2, 3, 5, 12, 13, 20]), max_size=80)
all_lengths = many_lengths | equal_lengths


def numbered(lengths: Sequence[int]) -> list[list[int]]:
    """Sequences of these lengths in which each token is another number."""
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return [list(range(end - length, end)) for length, end in zip(lengths, ends, strict=True)]


def rows_of(packs: Packs, sequences: Sequence[Sequence[int]]) -> list[list[int]]:
    """The tokens of each pack."""
    rows: list[list[int]] = [[] for _ in range(len(packs))]
    for place, sequence, start, stop in zip(packs.pack, packs.sequence, packs.start, packs.stop, strict=True):
        rows[place].extend(sequences[sequence][start:stop])
    return rows


def packed(sequences: Sequence[Sequence[int]], capacity: int, strategy: Strategy, **options: bool) -> list[list[int]]:
    return rows_of(pack([len(each) for each in sequences], capacity, strategy, **options), sequences)


def members(packs: Packs) -> list[list[int]]:
    """The sequences in each pack."""
    return [packs.sequence[packs.pack == number].tolist() for number in range(len(packs))]


def same(one: Packs, other: Packs) -> bool:
    return all(np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(Packs))


def naive_best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Best fit decreasing, one sequence after the other, with a look at every pack; all lengths in 1 … capacity."""
    packs: list[list[int]] = []
    spaces: list[tuple[int, int]] = []  # the space left, and when the pack came to it
    for now, sequence in enumerate(sorted(range(len(lengths)), key=lambda each: -lengths[each])):
        fitting = [(space, number) for number, space in enumerate(spaces) if space[0] >= lengths[sequence]]
        if not fitting:
            packs.append([])
            spaces.append((capacity, now))
        (space, _), number = min(fitting) if fitting else (spaces[-1], len(packs) - 1)
        packs[number].append(sequence)
        spaces[number] = (space - lengths[sequence], now)
    return packs


def fewest_packs(lengths: Sequence[int], capacity: int) -> int:
    """The least number of packs there can be, by trying all (packs, tokens in the last) of all subsets."""
    best = [(1, 0)] + [(len(lengths) + 1, 0)] * ((1 << len(lengths)) - 1)
    for subset, (number, tokens) in enumerate(best):
        for each, length in enumerate(lengths):
            fuller = (number, tokens + length) if tokens + length <= capacity else (number + 1, length)
            if not subset >> each & 1:
                best[subset | 1 << each] = min(best[subset | 1 << each], fuller)
    return best[-1][0]


# The packs


def test_the_vector_of_trl() -> None:
    assert packed(VECTOR, 4, "best_fit", truncate=True) == [[1, 2, 3, 4], [8, 9, 10, 11], [6, 7]]
    assert packed(VECTOR, 4, "best_fit_split") == [[1, 2, 3, 4], [8, 9, 10, 5], [6, 7, 11]]
    assert packed(VECTOR, 4, "concatenate") == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]


def test_best_fit_leaves_out_what_is_too_long_and_says_so() -> None:
    packs = pack([5, 2, 3, 1, 0, 9], 4)
    assert members(packs) == [[2, 3], [1]]
    assert packs.too_long.tolist() == [0, 5]
    assert (packs.empty, packs.cut, packs.truncated) == (1, 0, 0)


def test_what_is_truncated_is_counted() -> None:
    packs = pack([5, 2, 3, 1, 9], 4, truncate=True)
    assert (packs.truncated, packs.cut) == (2, 1 + 5)
    assert not len(packs.too_long)


def test_of_packs_with_the_same_space_the_one_that_came_to_it_first_is_taken() -> None:
    """Not the one that was opened first: TRL's queues are the same."""
    assert members(pack([70, 45, 45, 20, 10], 100)) == [[0, 3], [1, 2, 4]]


def test_a_run_that_ends_within_a_group_leaves_the_others_of_it_next_in_turn() -> None:
    """Three packs come to the space 10 before a fourth: the sequence of 5 goes to the second of them."""
    assert members(pack([90, 90, 90, 45, 45, 6, 5], 100)) == [[0, 5], [1, 6], [2], [3, 4]]


@given(all_lengths, capacities)
@settings(max_examples=300)
def test_best_fit_is_best_fit_decreasing(lengths: list[int], capacity: int) -> None:
    fitting = [length for length in lengths if 0 < length <= capacity]
    assert members(pack(fitting, capacity)) == naive_best_fit(fitting, capacity)


@pytest.mark.parametrize("spread", [0.3, 1, 2])
def test_best_fit_is_best_fit_decreasing_of_many_lengths_too(spread: float) -> None:
    lengths = np.random.default_rng(7).lognormal(4, spread, 2_000).clip(1, 512).astype(int).tolist()
    assert members(pack(lengths, 512)) == naive_best_fit(lengths, 512)


@given(all_lengths, capacities, st.sampled_from(STRATEGIES), st.booleans())
def test_every_token_is_in_one_place_or_counted(
    lengths: list[int], capacity: int, strategy: Strategy, cut: bool
) -> None:
    truncate = cut and strategy == "best_fit"
    packs, sequences = pack(lengths, capacity, strategy, truncate=truncate), numbered(lengths)
    rows = rows_of(packs, sequences)
    tokens = [token for row in rows for token in row]
    assert len(set(tokens)) == len(tokens)
    left_out = packs.cut + sum(lengths[each] for each in packs.too_long)
    assert len(tokens) + left_out == sum(lengths)
    assert left_out == 0 or strategy == "best_fit"
    assert all(0 < len(row) <= capacity for row in rows)
    assert packs.empty == lengths.count(0)
    assert (np.diff(packs.pack) >= 0).all()


@given(all_lengths, capacities, st.sampled_from(STRATEGIES))
def test_the_same_lengths_give_the_same_packs(lengths: list[int], capacity: int, strategy: Strategy) -> None:
    as_numbers = np.array(lengths, np.int32)
    assert same(pack(lengths, capacity, strategy), pack(as_numbers, capacity, strategy))
    assert as_numbers.tolist() == lengths


@given(all_lengths, capacities, st.sampled_from(["best_fit", "best_fit_split"]))
def test_at_most_one_pack_is_half_empty(lengths: list[int], capacity: int, strategy: Strategy) -> None:
    """The longest sequence of a second one would have fitted into the first: packs < 2 * tokens / capacity + 1."""
    tokens = pack(lengths, capacity, strategy).tokens()
    assert (2 * tokens <= capacity).sum() <= 1


@given(st.lists(st.integers(1, 30), max_size=8), st.integers(30, 60))
def test_best_fit_is_near_the_fewest_packs(lengths: list[int], capacity: int) -> None:
    """At most 11/9 of them and one more (Johnson 1973)."""
    packs = len(pack(lengths, capacity))
    assert fewest_packs(lengths, capacity) <= max(packs, 1) or not lengths
    assert packs <= 11 / 9 * fewest_packs(lengths, capacity) + 1


@given(all_lengths, capacities)
def test_concatenated_packs_are_full_but_for_the_last(lengths: list[int], capacity: int) -> None:
    rows = packed(numbered(lengths), capacity, "concatenate")
    assert [token for row in rows for token in row] == list(range(sum(lengths)))
    assert all(len(row) == capacity for row in rows[:-1])


def test_where_the_lengths_allow_it_packs_are_full() -> None:
    lengths = np.random.default_rng(7).lognormal(5.5, 1, 20_000).clip(1, 2048).astype(int)
    assert pack(lengths, 2048).report().fill_rate > 0.99


@pytest.mark.trainers
@pytest.mark.parametrize(("strategy", "theirs"), [("best_fit", "bfd"), ("best_fit_split", "bfd_split")])
@given(lengths=all_lengths.filter(any), capacity=capacities)
@settings(max_examples=40, deadline=None)
def test_best_fit_is_that_of_trl(lengths: list[int], capacity: int, strategy: Strategy, theirs: str) -> None:
    sequences = numbered(lengths)
    ours = packed(sequences, capacity, strategy, truncate=strategy == "best_fit")
    assert sorted(ours) == sorted(of_trl(sequences, capacity, theirs))


@pytest.mark.trainers
@given(lengths=all_lengths.filter(any), capacity=capacities)
@settings(max_examples=40, deadline=None)
def test_concatenating_is_that_of_trl(lengths: list[int], capacity: int) -> None:
    sequences = numbered(lengths)
    assert packed(sequences, capacity, "concatenate") == of_trl(sequences, capacity, "wrapped")


def of_trl(sequences: list[list[int]], capacity: int, strategy: str) -> list[list[int]]:
    data_utils = pytest.importorskip("trl.data_utils", reason="needs the extra 'trainers'")
    table = pa.table({"input_ids": pa.array(sequences, IDS)})
    rows: list[list[int]] = data_utils.pack_dataset(datasets.Dataset(table), capacity, strategy)["input_ids"][:]
    return rows


@pytest.mark.parametrize(
    ("lengths", "capacity", "options", "said"),
    [
        ([1, -1], 4, {}, "none below 0"),
        ([[1, 2]], 4, {}, "one number for each sequence"),
        ([1], 0, {}, "at least one token, and not 0"),
        ([1], 4, {"strategy": "bfd"}, "take one of best_fit, best_fit_split, concatenate"),
        ([1], 4, {"strategy": "concatenate", "truncate": True}, "only best_fit truncates"),
    ],
)
def test_what_cannot_be_packed_is_refused(lengths: Any, capacity: int, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pack(lengths, capacity, **options)


# Their order and their numbers


@given(all_lengths, capacities, st.sampled_from(STRATEGIES))
def test_packs_in_order_of_arrival_are_the_same_packs(lengths: list[int], capacity: int, strategy: Strategy) -> None:
    packs, sequences = pack(lengths, capacity, strategy), numbered(lengths)
    rows, sorted_rows = rows_of(packs, sequences), rows_of(packs.by_arrival(), sequences)
    assert sorted_rows == sorted(rows)  # each token is another number, and they rise
    assert packs.by_arrival().report() == packs.report()


def test_the_report_says_what_became_of_each_token() -> None:
    assert pack([5, 2, 3, 1, 0, 9], 4, "best_fit_split").report().split == 2
    report = pack([5, 2, 3, 1, 0, 9], 4).report()
    assert (report.packs, report.sequences, report.tokens, report.too_long, report.empty) == (2, 3, 6, 2, 1)
    assert report.fill_rate == 6 / 8
    assert pack([5, 2], 4, truncate=True).report().cut == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_without_tokens_there_are_no_packs(strategy: Strategy) -> None:
    for lengths in ([], [0, 0]):
        packs = pack(lengths, 4, strategy)
        assert (len(packs), packs.report().fill_rate, packs.tokens().tolist()) == (0, 0, [])
        assert apply(packs, pa.array([[] for _ in lengths], IDS)).equals(PACKED.empty_table())


# The rows


def answers(rows: Sequence[Sequence[int | None]]) -> pa.Array:
    """Labels, with None where there is no loss."""
    return pa.array([[-100 if label is None else label for label in row] for row in rows], LABELS)


def test_a_row_has_the_pieces_one_after_the_other() -> None:
    packs = pack([5, 2, 3, 1], 4, "best_fit_split")
    labels = answers([[None, None, 3, 4, 5], [None, 7], [None, 9, 10], [None]])
    table = apply(packs, pa.array(VECTOR, IDS), labels)
    assert table.schema == PACKED
    assert table.to_pydict() == {
        "input_ids": [[1, 2, 3, 4], [8, 9, 10, 5], [6, 7, 11]],
        "attention_mask": [[1] * 4, [1] * 4, [1] * 3],
        "labels": [[-100, -100, 3, 4], [-100, 9, 10, -100], [-100, 7, -100]],  # 5 has nothing before it
        "position_ids": [[0, 1, 2, 3], [0, 1, 2, 0], [0, 1, 0]],
        "seq_lengths": [[4], [3, 1], [2, 1]],
    }


@given(all_lengths, capacities, st.sampled_from(STRATEGIES))
def test_rows_are_those_that_the_packs_say(lengths: list[int], capacity: int, strategy: Strategy) -> None:
    sequences = numbered(lengths)
    packs = drop_untrained(pack(lengths, capacity, strategy), None)
    table = apply(packs, pa.array(sequences, IDS), pa.array(sequences, LABELS))
    assert table.equals(apply(packs, pa.array(sequences, IDS)))  # without labels each token is its own
    table.validate(full=True)
    rows = table.to_pydict()
    assert rows["input_ids"] == rows_of(packs, sequences)
    for ids, mask, labels, positions, pieces in zip(*(rows[name] for name in PACKED.names), strict=True):
        assert labels == [token if place else -100 for token, place in zip(ids, positions, strict=True)]
        assert mask == [1] * len(ids)
        assert positions == [place for piece in pieces for place in range(piece)]
        assert len(positions) == len(ids)


@pytest.mark.parametrize("kind", [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.uint16())])
def test_columns_may_be_slices_and_in_chunks(kind: pa.DataType) -> None:
    ids, labels = pa.array(VECTOR, IDS), answers(VECTOR)
    whole = pa.array([[77, 78], *VECTOR, [79]], kind)
    packs = pack([5, 2, 3, 1], 6)
    expected = apply(packs, ids, labels)
    assert apply(packs, whole.slice(1, 4), labels).equals(expected)
    assert apply(packs, pa.chunked_array([whole.slice(1, 1), whole.slice(2, 3)]), labels).equals(expected)
    assert loss_tokens(packs, pa.chunked_array([labels[:3], labels[3:]])).tolist() == [4, 0, 2, 1]


def test_columns_that_are_something_else_are_refused() -> None:
    packs, ids = pack([2, 1], 4), pa.array([[1, 2], [3]], IDS)
    with pytest.raises(ValueError, match=r"packs are of other sequences"):
        apply(packs, ids[:1])
    with pytest.raises(ValueError, match=r"packs are of other sequences"):
        apply(packs, pa.array([[1], [2, 3]], IDS))
    for wrong in ({"start": np.array([-1, 0])}, {"start": np.array([2, 0])}, {"sequence": np.array([0, -1])}):
        with pytest.raises(ValueError, match=r"packs are of other sequences"):
            apply(replace(packs, **wrong), ids)
    with pytest.raises(ValueError, match=r"input_ids and labels differ in their lengths"):
        apply(packs, ids, answers([[1, 2], [3, 4]]))
    with pytest.raises(ValueError, match=r"'labels' has rows that are missing"):
        apply(packs, ids, pa.array([[1, 2], None], LABELS))
    with pytest.raises(ValueError, match=r"'input_ids' has numbers that are missing"):
        apply(packs, pa.array([[1, None], [3]], IDS))
    with pytest.raises(TypeError, match=r"'input_ids' is string"):
        apply(packs, pa.array(["a", "b"]))
    with pytest.raises(TypeError, match=r"lists of string"):
        apply(packs, pa.array([["a", "b"], ["c"]]))
    with pytest.raises(pa.ArrowInvalid, match=r"not in range"):
        apply(packs, pa.array([[1, 1 << 40], [3]], LABELS))


# The loss


def test_a_pack_without_a_loss_token_does_not_leave() -> None:
    ids, labels = pa.array(VECTOR, IDS), answers([[None, 2, 3, 4, 5], [None, None], [None, None, 10], [None]])
    packs = pack([5, 2, 3, 1], 4, truncate=True)  # [1 2 3 4] [8 9 10 11] [6 7]
    with pytest.raises(ValueError, match=r"1 packs have no token to train: call drop_untrained"):
        apply(packs, ids, labels)
    kept = drop_untrained(packs, labels)
    assert (kept.untrained, kept.untrained_tokens, kept.cut) == (1, 2, 1)
    assert apply(kept, ids, labels)["input_ids"].to_pylist() == [[1, 2, 3, 4], [8, 9, 10, 11]]
    assert same(drop_untrained(kept, labels), kept)


def test_a_first_label_alone_trains_nothing() -> None:
    """It would be predicted from another sequence, or from nothing: collators mask it, or shift it away."""
    packs = pack([5], 4, "best_fit_split")
    labels = answers([[None, 2, 3, 4, 5]])
    assert loss_tokens(packs, labels).tolist() == [3, 0]
    assert drop_untrained(packs, labels).untrained == 1


@given(all_lengths, capacities, st.sampled_from(STRATEGIES), st.integers(1, 4), st.data())
def test_shares_survive_but_for_what_is_counted(
    lengths: list[int], capacity: int, strategy: Strategy, number: int, data: st.DataObject
) -> None:
    """Task by task as a loop over the rows counts them, and in sum what there was less what was left out."""
    tasks = np.array([data.draw(st.integers(0, number - 1)) for _ in lengths], np.int64)
    labels = [[-100 if data.draw(st.booleans()) else token for token in each] for each in numbered(lengths)]
    packs = pack(lengths, capacity, strategy)
    found = tokens_by_task(packs, tasks, pa.array(labels, LABELS), number)
    tokens, loss = [0] * number, [0] * number
    for sequence, start, stop in zip(packs.sequence, packs.start, packs.stop, strict=True):
        tokens[tasks[sequence]] += int(stop - start)
        loss[tasks[sequence]] += sum(label != -100 for label in labels[sequence][start + 1 : stop])
    assert (found.tokens.tolist(), found.loss.tolist()) == (tokens, loss)
    assert sum(tokens) == sum(lengths) - sum(lengths[each] for each in packs.too_long)


def test_whole_sequences_keep_every_loss_token() -> None:
    lengths = np.random.default_rng(7).integers(2, 100, 500)
    rows = [[-100] + [1] * (length - 1) for length in lengths.tolist()]
    tasks = np.arange(500) % 3
    found = tokens_by_task(pack(lengths, 128), tasks, pa.array(rows, LABELS), 3)
    assert found.tokens.tolist() == [lengths[tasks == task].sum() for task in range(3)]
    assert found.loss.tolist() == [(lengths - 1)[tasks == task].sum() for task in range(3)]
