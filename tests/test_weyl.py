"""Shares of draws by Weyl sequences: how even they are at any number of draws, and how independent of each other."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.keyed import key64
from flanmix.weyl import GOLDEN, ROOT_2, ROOT_3, Arcs, places

STEPS = {"golden": (GOLDEN, (math.sqrt(5) - 1) / 2), "2": (ROOT_2, math.sqrt(2) - 1), "3": (ROOT_3, math.sqrt(3) - 1)}
SHARES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.29, 0.3, 1 / 3, 0.5, 0.7, 0.9, 0.999)


@pytest.mark.parametrize(("step", "root"), STEPS.values(), ids=STEPS)
def test_steps_are_odd_and_roots(step: int, root: float) -> None:
    assert step % 2
    assert step / 2**64 == pytest.approx(root, abs=1e-15)


@pytest.mark.parametrize("step", [step for step, _ in STEPS.values()], ids=STEPS)
def test_no_arc_holds_more_or_fewer_than_it_should(step: int) -> None:
    """Over all arcs there are, wherever they start: the sequence is the same but for a turn of the circle."""
    stood = places(np.arange(1 << 17), step, 0)
    for count in np.unique(np.geomspace(1, 1 << 17, 500).astype(int)).tolist():
        ordered = np.sort(stood[:count]).astype(np.float64) / 2**64
        behind = np.arange(count) - count * ordered
        furthest = 1 + behind.max() - behind.min()
        assert furthest <= 2 + math.log10(count)


@pytest.mark.parametrize("step", [step for step, _ in STEPS.values()], ids=STEPS)
@pytest.mark.parametrize("share", SHARES)
def test_every_number_of_draws_holds_its_share(step: int, share: float) -> None:
    count, apart = np.arange(1, 50_001), []
    for seed in range(20):
        stood = places(count - 1, step, key64(seed, "toy", "test"))
        apart.append(np.abs(np.cumsum(Arcs.of(Fraction(share)).at(stood) == 0) - share * count))
    assert (np.array(apart) <= 2 + np.log10(count)).all()
    assert (np.array(apart) <= 2).mean() > 0.9
    assert np.sqrt(np.square(apart).mean()) < 1.25


def test_independent_sequences_meet_as_often_as_chance_would_have_it() -> None:
    count = 100_000
    half = Arcs.of(Fraction(1, 2))
    chosen = [half.at(places(np.arange(count), step, key64(3, step))) == 0 for step, _ in STEPS.values()]
    for first in range(3):
        for second in range(first):
            assert abs((chosen[first] & chosen[second]).mean() - 1 / 4) < 0.0005
    assert abs((chosen[0] & chosen[1] & chosen[2]).mean() - 1 / 8) < 0.0005
    turns = np.arange(count) % 2 == 0
    assert all(abs((turns & each).mean() - 1 / 4) < 0.0005 for each in chosen)


def test_a_share_of_all_is_every_place_and_its_ends_are_exact() -> None:
    ends = np.array([0, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert Arcs.of(Fraction(1)).at(ends).tolist() == [0] * 6
    assert Arcs.of(Fraction(1, 2), [Fraction(1), Fraction(1)]).at(ends).tolist() == [0, 0, 1, 1, 2, 2]
    assert Arcs.of(Fraction(1), [Fraction(1, 4), Fraction(3, 4)]).at(ends).tolist() == [0, 0, 1, 1, 1, 1]


@given(
    st.fractions(min_value=Fraction(1, 1000), max_value=1),
    st.lists(st.fractions(min_value=Fraction(1, 100), max_value=100), min_size=1, max_size=8),
    st.integers(0, 2**64 - 1),
)
def test_each_text_of_a_pool_gets_its_part_of_the_share(share: Fraction, weights: list[Fraction], offset: int) -> None:
    count = 3_000
    found = Arcs.of(share, weights).at(places(np.arange(count), GOLDEN, offset))
    for number, weight in enumerate(weights):
        assert abs((found == number).sum() - count * share * weight / sum(weights)) <= 2 + math.log10(count)
    assert abs((found == len(weights)).sum() - count * (1 - share)) <= 2 + math.log10(count)


@given(st.integers(0, 10**12), st.integers(1, 500), st.integers(0, 2**64 - 1))
def test_where_a_draw_stands_does_not_hang_on_the_others(first: int, count: int, offset: int) -> None:
    draws = np.arange(first, first + count)
    together = places(draws, ROOT_2, offset).tolist()
    assert together == [(draw * ROOT_2 + offset) % 2**64 for draw in draws.tolist()]
