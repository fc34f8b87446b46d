"""Exact shares: what each number is given, counted and looked up, is the same, and never far from its share."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flanmix.lines import Lines

wholes = st.lists(st.fractions(0, 1, max_denominator=200), min_size=1, max_size=6)
keys = st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6)


@st.composite
def lines(draw: st.DrawFn) -> Lines:
    starts = draw(keys)
    return Lines.of(draw(wholes), lambda number: starts[number])


@given(lines(), st.integers(0, 2_000))
def test_counts_are_what_at_gives_for_any_number_of_draws(found: Lines, total: int) -> None:
    chosen, _ = found.at(np.arange(total))
    assert found.counts(total) == np.bincount(chosen, minlength=len(found)).tolist()
    assert sum(found.counts(total)) == total


@given(lines(), st.integers(1, 2_000))
def test_the_things_of_a_line_are_ranked_from_0_without_a_gap(found: Lines, total: int) -> None:
    chosen, ranks = found.at(np.arange(total))
    for line in range(len(found)):
        mine = ranks[chosen == line]
        assert mine.tolist() == list(range(len(mine)))


@given(lines(), st.lists(st.integers(0, 10**12), max_size=50))
def test_what_a_number_is_given_hangs_on_no_other_number(found: Lines, numbers: list[int]) -> None:
    chosen, ranks = found.at(np.array(numbers, np.int64))
    for number, line, rank in zip(numbers, chosen.tolist(), ranks.tolist(), strict=True):
        alone = found.at(np.array([number]))
        assert (alone[0].tolist(), alone[1].tolist()) == ([line], [rank])
        assert found.counts(number)[line] == rank


@given(lines(), st.integers(0, 5_000))
def test_each_line_has_its_share_of_what_those_before_it_leave_within_one(found: Lines, total: int) -> None:
    left = total
    for count, share in zip(found.counts(total), [*found.shares, Fraction(1)], strict=True):
        assert abs(count - left * share) < 1
        left -= count


@given(
    st.lists(st.fractions(0, 1, max_denominator=20), min_size=1, max_size=6).filter(any), keys, st.integers(0, 5_000)
)
def test_a_line_has_its_share_of_the_whole_within_its_number_and_one(
    asked: list[Fraction], starts: list[int], total: int
) -> None:
    found = Lines.of(asked, lambda number: starts[number])
    assert found.parts == [each / sum(asked) for each in asked]
    for number, (count, share) in enumerate(zip(found.counts(total), found.parts, strict=True)):
        assert abs(count - total * share) < number + 1


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5).filter(any), keys, st.integers(1, 4))
def test_whole_rounds_give_each_line_just_its_share(sizes: list[int], starts: list[int], rounds: int) -> None:
    found = Lines.of([Fraction(size) for size in sizes], lambda number: starts[number])
    assert found.counts(rounds * sum(sizes)) == [rounds * size for size in sizes]


def test_rounds_of_millions_are_as_exact_and_the_last_number_there_is_is_no_trouble() -> None:
    sizes = [1_234_577, 999_983, 5_000_011]
    found = Lines.of([Fraction(size) for size in sizes], lambda number: 2**63 + 12345 * number)
    for rounds in (1, 2, 3, 1000, 10**9):
        assert found.counts(rounds * sum(sizes)) == [rounds * size for size in sizes]
    prime = Lines.of([Fraction(2**31 - 3, 2**31 - 1), Fraction(2, 2**31 - 1)], lambda number: 2**64 - 1)
    assert prime.counts((2**31 - 1) * 2**31) == [(2**31 - 3) * 2**31, 2 * 2**31]


@given(wholes.filter(any), keys)
def test_a_share_of_nothing_gets_nothing(asked: list[Fraction], starts: list[int]) -> None:
    counts = Lines.of(asked, lambda number: starts[number]).counts(1_000)
    assert all(count == 0 for count, share in zip(counts, asked, strict=True) if not share)


def test_shares_of_nothing_at_all_are_equal() -> None:
    assert Lines.of([Fraction(0)] * 4, lambda number: 0).counts(100) == [25] * 4


def test_another_key_starts_elsewhere_and_gives_as_much() -> None:
    asked = [Fraction(1, 10), Fraction(9, 10)]
    first, second = (Lines.of(asked, lambda number, key=key: key).at(np.arange(100))[0] for key in (0, 5))
    assert first.tolist() != second.tolist()
    assert np.bincount(first).tolist() == np.bincount(second).tolist() == [10, 90]
