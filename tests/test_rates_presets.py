"""The mixing rules of the literature by name."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.rates import InfeasibleError
from flanmix.rates.presets import (
    PRESETS,
    Preset,
    alpha_rate,
    effective_epochs,
    per_template_rate,
    replay,
    unimax,
)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("equal", 392_702, 1),
        ("proportional", 392_702, 392_702),
        ("t5", 392_702, 392_702),
        ("t5", 10_000_000, 524_288),
        ("mt5", 10**10, 1_000),
        ("unimax", 392_702, 1),
        ("flan2021", 2_490, 2_490),
        ("flan2021", 392_702, 3_000),
    ],
)
def test_a_preset_has_the_numbers_of_its_paper(name: str, size: int, expected: int) -> None:
    assert PRESETS[name].rate(size) == expected


def test_flan_2021_uses_at_most_30_000_rows_of_a_task() -> None:
    assert PRESETS["flan2021"].max_rows == 30_000
    assert Preset(max_rows=30_000).rate(392_702) == 30_000


def test_alpha_is_one_over_the_temperature() -> None:
    assert alpha_rate(1_000_000, 0.5) == Preset(temperature=2).rate(1_000_000) == 1_000
    assert alpha_rate(81, 1) == 81


@pytest.mark.parametrize(
    ("size", "templates", "each"),
    [(2_490, 10, 2_490), (500_000, 10, 500_000), (500_001, 10, 50_000), (3_000_000, 7, Fraction(500_000, 7))],
)
def test_t0_counts_a_dataset_once_for_each_template_and_a_large_one_for_500_000_in_all(
    size: int, templates: int, each: Fraction
) -> None:
    assert per_template_rate(size, templates) == each
    assert PRESETS["t0"].rate(size, templates) == each * templates


def algorithm_1(sizes: dict[str, int], budget: int, epochs: int) -> dict[str, Fraction]:
    """UniMax as it is printed (Chung et al. 2023, Algorithm 1): the smallest first, each its share of what is left."""
    found, left = {}, Fraction(budget)
    names = sorted(sizes, key=lambda name: sizes[name])
    for place, name in enumerate(names):
        found[name] = min(left / (len(names) - place), Fraction(sizes[name] * epochs))
        left -= found[name]
    return found


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20), st.integers(1, 10), st.data())
def test_unimax_is_water_filling(numbers: list[int], epochs: int, data: st.DataObject) -> None:
    sizes = {str(index): size for index, size in enumerate(numbers)}
    budget = data.draw(st.integers(1, sum(numbers) * epochs))
    assert unimax(sizes, budget, epochs) == algorithm_1(sizes, budget, epochs)


def test_unimax_refuses_a_budget_that_it_would_leave_unspent() -> None:
    with pytest.raises(InfeasibleError) as caught:
        unimax({"a": 10, "b": 20}, 61, 2)
    assert caught.value.conflicts[0].nearest == 60


@given(st.fractions(0, 100, max_denominator=1000))
def test_epochs_are_worth_less_and_less(epochs: Fraction) -> None:
    worth = effective_epochs(epochs)
    constant = 15.387756
    if epochs <= 1:
        assert worth == float(epochs)
    else:
        assert worth == pytest.approx(1 + constant * (1 - math.exp(-float(epochs - 1) / constant)), rel=1e-12)
        assert 1 < worth < min(float(epochs), 1 + constant) + 1e-12


def test_replay_rounds_down() -> None:
    assert [replay(256 * 3 - 1, Fraction(1, 256)), replay(256 * 3, Fraction(1, 256))] == [2, 3]
