"""Which rows go before a row: never itself, by chance of its own, and as many as may."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.keyed import Ints
from flanmix.shots import NONE, Queries, candidates, first_of_each, first_valid

SMALL, LARGE = 40, 5_000
"""Tasks whose rows are all put into an order, and of which some are drawn."""


def queries(usable: list[int], rows: list[int] | None = None, epochs: list[int] | None = None) -> Queries:
    numbers = [usable, rows or usable, epochs or [0] * len(usable), [3] * len(usable)]
    return Queries(*(np.array(each, np.int64) for each in numbers))


def chi_square(counts: Ints) -> float:
    """How far counts are from equal ones, in standard deviations of what chance gives."""
    expected = counts.sum() / len(counts)
    freedom = len(counts) - 1
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


# Candidates


@given(st.integers(1, 600), st.integers(1, 700), st.integers(0, 9), st.data())
def test_a_row_is_never_a_candidate_for_itself(size: int, count: int, seed: int, data: st.DataObject) -> None:
    usable = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=8))
    found = candidates(queries(usable), size, count, seed=seed, task="toy")
    assert not (found == np.array(usable)[:, None]).any()
    assert set(found.ravel().tolist()) <= set(range(size))


@given(st.integers(1, 512), st.integers(0, 9))
def test_of_few_rows_every_other_one_is_a_candidate_once(size: int, row: int) -> None:
    found = candidates(queries([row % size]), size, size, seed=7, task="toy")
    assert sorted(found[0].tolist()) == [each for each in range(size) if each != row % size]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_candidates_hang_on_the_row_alone_and_not_on_those_beside_it(size: int) -> None:
    usable, rows, epochs = [5, 3, 9, 3], [50, 31, 90, 31], [0, 0, 2, 1]
    together = candidates(queries(usable, rows, epochs), size, 10, seed=7, task="toy")
    for place in range(4):
        alone = queries(usable[place : place + 1], rows[place : place + 1], epochs[place : place + 1])
        assert candidates(alone, size, 10, seed=7, task="toy").tolist() == [together[place].tolist()]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_more_candidates_begin_with_the_same(size: int) -> None:
    few, many = (candidates(queries([1, 2]), size, count, seed=7, task="toy") for count in (5, 30))
    assert few.tolist() == many[:, :5].tolist()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_another_seed_task_row_or_epoch_has_other_candidates(size: int) -> None:
    keys = [(1, 0, 7, "toy"), (2, 0, 7, "toy"), (1, 1, 7, "toy"), (1, 0, 8, "toy"), (1, 0, 7, "t")]
    asked = [
        candidates(queries([1], [rows], [epoch]), size, 12, seed=seed, task=task).tolist()
        for rows, epoch, seed, task in keys
    ]
    assert len({str(each) for each in asked}) == 5


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_every_other_row_is_as_likely_in_every_place(size: int) -> None:
    asked = queries([0] * 200_000, list(range(200_000)))
    found = candidates(asked, size, 2, seed=7, task="toy")
    for place in range(2):
        counts = np.bincount(found[:, place], minlength=size)[1:]
        assert abs(chi_square(counts)) < 5


@pytest.mark.parametrize("size", [401, 801])
def test_the_second_candidate_does_not_hang_on_the_first(size: int) -> None:
    found = candidates(queries([0] * 200_000, list(range(200_000))), size, 2, seed=7, task="toy")
    first, second = ((found[:, place] - 1) * 20 // (size - 1) for place in range(2))
    assert abs(chi_square(np.bincount(first * 20 + second, minlength=400))) < 5


# Those that may


@given(st.data(), st.integers(1, 6), st.integers(1, 9), st.integers(1, 5))
def test_the_first_valid_ones_are_taken_in_order(data: st.DataObject, rows: int, columns: int, width: int) -> None:
    found = np.arange(rows * columns).reshape(rows, columns)
    of_row = st.lists(st.booleans(), min_size=columns, max_size=columns)
    valid = np.array(data.draw(st.lists(of_row, min_size=rows, max_size=rows)))
    wanted = np.array(data.draw(st.lists(st.integers(0, width), min_size=rows, max_size=rows)))
    taken, counts = first_valid(found, valid, wanted, width=width)
    for row in range(rows):
        may = [number for number, good in zip(found[row].tolist(), valid[row].tolist(), strict=True) if good]
        expected = may[: wanted[row]]
        assert counts[row] == len(expected)
        assert taken[row].tolist() == expected + [NONE] * (width - len(expected))


def by_turns(numbers: list[int], answers: list[int], wanted: int) -> list[int]:
    """A first one of each answer, then a second one of each, and so on: always in their order."""
    rounds: dict[int, list[int]] = {}
    met: dict[int, int] = {}
    for number, answer in zip(numbers, answers, strict=True):
        rounds.setdefault(met.get(answer, 0), []).append(number)
        met[answer] = met.get(answer, 0) + 1
    return [number for each in sorted(rounds) for number in rounds[each]][:wanted]


@given(st.data(), st.integers(1, 5), st.integers(1, 14))
def test_balanced_answers_take_turns(data: st.DataObject, rows: int, columns: int) -> None:
    lists = st.lists(st.integers(0, 3), min_size=columns, max_size=columns)
    answers = np.array(data.draw(st.lists(lists, min_size=rows, max_size=rows)))
    valid = np.array(data.draw(st.lists(lists, min_size=rows, max_size=rows))) > 0
    found, wanted = np.arange(rows * columns).reshape(rows, columns), np.full(rows, 4)
    taken, _ = first_valid(found, valid, wanted, answers, width=4)
    for row in range(rows):
        may = np.flatnonzero(valid[row])
        expected = by_turns(found[row, may].tolist(), answers[row, may].tolist(), 4)
        assert [number for number in taken[row].tolist() if number != NONE] == expected


@given(st.data(), st.integers(2, 4), st.integers(1, 8))
def test_balanced_answers_are_as_many_within_one_where_there_are_enough(
    data: st.DataObject, labels: int, wanted: int
) -> None:
    answers = np.array([data.draw(st.permutations(list(range(labels)) * wanted))])
    found = np.arange(answers.size)[None, :]
    taken, counts = first_valid(found, np.ones_like(found, bool), np.array([wanted]), answers, width=wanted)
    of_each = np.bincount(answers[0, taken[0]], minlength=labels)
    assert counts.tolist() == [wanted]
    assert of_each.max() - of_each.min() <= 1


@given(st.lists(st.lists(st.integers(-2, 4), min_size=5, max_size=5), min_size=1, max_size=6))
def test_of_equal_ones_the_first_is_told(codes: list[list[int]]) -> None:
    expected = [[row.index(code) == place for place, code in enumerate(row)] for row in codes]
    assert first_of_each(np.array(codes)).tolist() == expected
