"""Sizes to shares to integers: the rate of a task, water-filling in a tree, largest remainders."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix.rates import Conflict, Group, InfeasibleError, Leaf, exact, largest_remainder, pour, rate


def leaf(name: str, weight: int = 1, low: int = 0, high: int | None = None) -> Leaf:
    return Leaf(name, Fraction(weight), Fraction(low), None if high is None else Fraction(high))


def group(name: str, *children: Leaf | Group, weight: int = 1, low: int = 0, high: int | None = None) -> Group:
    return Group(name, Fraction(weight), children, Fraction(low), None if high is None else Fraction(high))


def counts(node: Group, rows: int) -> dict[str, int]:
    return {found.leaf.name: found.count for found in pour(node, rows)}


# Numbers as they were written


@pytest.mark.parametrize(
    ("share", "rows", "expected"), [(0.29, 50_000, 14_500), (0.1, 30, 3), (0.7, 10, 7), (1e-06, 10**6, 1), (2, 5, 10)]
)
def test_a_float_is_taken_for_the_decimal_it_was_written_as(share: float, rows: int, expected: int) -> None:
    assert exact(share) * rows == expected


# Rates


@pytest.mark.parametrize(
    ("size", "cap", "temperature", "expected"),
    [
        # seqio/utils_test.py:1176-1195, r = min(e * scale, max) ^ (1/T), with the scale multiplied out
        (3, None, None, 3),
        (81, None, None, 81),
        (81, None, 2, 9),
        (81, 50, 0.5, 2500),
        # T5 (Raffel et al. 2020, section 3.5.2), K = 2**16
        (392_702, 65_536, None, 65_536),
        (8_551, 65_536, None, 8_551),
        (392_702, 65_536, 2, 256),
        (1_000, None, 3, 10),
        (1, None, 7, 1),
        (12_345, 1, 0.1, 1),
    ],
)
def test_the_rate_is_the_capped_size_to_the_power_of_one_over_the_temperature(
    size: int, cap: int | None, temperature: float | None, expected: int
) -> None:
    assert rate(size, cap, temperature) == expected


def test_a_rate_that_is_no_whole_number_has_twelve_digits() -> None:
    # seqio/utils_test.py:1215-1220: 10 ^ (1/0.7) = 26.8269579528
    assert rate(10, temperature=0.7) == Fraction("26.8269579528")


@given(st.integers(1, 10**12), st.floats(1.01, 100))
def test_a_high_temperature_draws_sizes_together_and_keeps_their_order(size: int, temperature: float) -> None:
    smaller, larger = rate(size, temperature=temperature), rate(size * 10, temperature=temperature)
    assert 1 <= smaller <= larger
    assert larger / smaller < 10


def test_a_temperature_near_zero_is_refused_before_the_numbers_grow_without_end() -> None:
    with pytest.raises(ArithmeticError):
        rate(10_000, temperature=0.001)


# Largest remainders


def test_a_blend_of_eight_rows_has_eight_rows() -> None:
    # NeMo-Curator tests/test_blend_datasets.py:71-85: ceil(w * N) gives 1, 2, 3, 4, which are ten
    exactly = [Fraction(8 * weight, 10) for weight in (1, 2, 3, 4)]
    assert largest_remainder(exactly, ["a", "b", "c", "d"], 8) == [1, 2, 2, 3]


def test_equal_remainders_go_by_name() -> None:
    assert largest_remainder([Fraction(7, 2)] * 4, ["d", "b", "c", "a"], 14) == [3, 4, 3, 4]


@given(st.lists(st.fractions(0, 1000, max_denominator=50), min_size=1, max_size=12), st.data())
def test_each_integer_is_the_floor_or_the_ceiling_of_its_number(numbers: list[Fraction], data: st.DataObject) -> None:
    whole = sum(numbers)
    total = data.draw(st.sampled_from(sorted({int(whole), -int(-whole // 1)})))
    found = largest_remainder(numbers, [str(index) for index in range(len(numbers))], total)
    assert sum(found) == total
    assert all(abs(count - number) < 1 for count, number in zip(found, numbers, strict=True))


@given(st.lists(st.fractions(0, 10, max_denominator=20), min_size=2, max_size=8))
def test_the_order_in_which_tasks_are_written_does_not_matter(numbers: list[Fraction]) -> None:
    names = [chr(ord("a") + index) for index in range(len(numbers))]
    there = dict(zip(names, largest_remainder(numbers, names, int(sum(numbers))), strict=True))
    back = dict(zip(names[::-1], largest_remainder(numbers[::-1], names[::-1], int(sum(numbers))), strict=True))
    assert there == back


# Water-filling


def test_rows_go_in_proportion_to_the_weights() -> None:
    assert counts(group("all", leaf("a", 1), leaf("b", 2), leaf("c", 3)), 60) == {"a": 10, "b": 20, "c": 30}


def test_what_a_ceiling_turns_away_goes_to_the_siblings_in_proportion() -> None:
    assert counts(group("all", leaf("a", 3, high=10), leaf("b", 1), leaf("c", 2)), 60) == {"a": 10, "b": 17, "c": 33}


def test_a_ceiling_that_is_met_because_another_was_is_met_too() -> None:
    full = group("all", leaf("a", 5, high=10), leaf("b", 4, high=32), leaf("c", 1))
    assert counts(full, 60) == {"a": 10, "b": 32, "c": 18}


def test_a_floor_takes_from_the_siblings_in_proportion() -> None:
    assert counts(group("all", leaf("a", 1, low=30), leaf("b", 10), leaf("c", 20)), 60) == {"a": 30, "b": 10, "c": 20}


def test_floors_and_ceilings_hold_at_once() -> None:
    both = group("all", leaf("a", 1, low=25), leaf("b", 100, high=20), leaf("c", 10), leaf("d", 5))
    assert counts(both, 60) == {"a": 25, "b": 20, "c": 10, "d": 5}


def test_a_full_group_spills_over_only_when_all_of_it_is_full() -> None:
    half_full = group("left", leaf("a", 9, high=10), leaf("b", 1))
    assert counts(group("all", half_full, group("right", leaf("c"))), 100) == {"a": 10, "b": 40, "c": 50}
    full = group("left", leaf("a", 9, high=10), leaf("b", 1, high=20))
    assert counts(group("all", full, group("right", leaf("c"))), 100) == {"a": 10, "b": 20, "c": 70}


def test_what_is_fixed_has_exactly_its_rows_however_the_others_round() -> None:
    """With one rounding over all leaves, the halves of `b` and `c` would take a row from the sevenths of `fixed`."""
    sevenths = group("fixed", *(leaf(f"a{index}") for index in range(7)), weight=0, low=100, high=100)
    found = counts(group("all", sevenths, group("rest", leaf("b"), leaf("c"))), 201)
    assert sum(found[f"a{index}"] for index in range(7)) == 100
    assert (found["b"], found["c"]) == (51, 50)


def test_each_leaf_says_what_was_asked_and_what_held_it() -> None:
    fixed = group("d", leaf("e"), weight=0, low=6, high=6)
    tree = group("all", leaf("a", 3, high=10), leaf("b", 1, low=30), leaf("c", 2), fixed)
    found = {item.leaf.name: (item.asked, item.rows, item.bound) for item in pour(tree, 66)}
    assert found == {
        "a": (30, 10, "max_epochs"),
        "b": (10, 30, "min_share"),
        "c": (20, 20, ""),
        "e": (6, 6, ""),
    }


@st.composite
def trees(draw: st.DrawFn, depth: int = 2) -> Group:
    """Groups of random leaves and groups, each of which can be satisfied alone."""
    children: list[Leaf | Group] = []
    for index in range(draw(st.integers(1, 4))):
        if depth and draw(st.booleans()):
            children.append(draw(trees(depth=depth - 1)))
        else:
            low = draw(st.integers(0, 20))
            high = draw(st.none() | st.integers(low, 60))
            children.append(leaf(f"t{depth}{index}", draw(st.integers(1, 100)), low, high))
    return group(f"g{depth}", *children, weight=draw(st.integers(1, 20)))


@settings(max_examples=200)
@given(trees(), st.integers(0, 2000))
def test_every_leaf_is_within_its_limits_and_within_one_row_of_its_exact_number(tree: Group, rows: int) -> None:
    try:
        found = pour(tree, rows)
    except InfeasibleError as error:
        (conflict,) = error.conflicts
        assert conflict.asked == rows != conflict.nearest
        assert sum(item.count for item in pour(tree, int(conflict.nearest))) == conflict.nearest
        return
    assert sum(item.count for item in found) == sum(item.rows for item in found) == rows
    for item in found:
        assert item.leaf.low <= item.rows
        assert item.leaf.high is None or item.rows <= item.leaf.high
        assert abs(item.count - item.rows) < 1


@settings(max_examples=200)
@given(trees(depth=0), st.integers(0, 500))
def test_siblings_that_nothing_holds_stand_at_one_level(tree: Group, rows: int) -> None:
    """The definition of water-filling: free leaves share by weight, and a held one is on its side of their level."""
    try:
        found = pour(tree, rows)
    except InfeasibleError:
        return
    levels = {item.rows / item.leaf.weight for item in found if not item.bound}
    assert len(levels) <= 1
    for level in levels:
        for item in found:
            assert item.bound != "min_share" or item.rows >= level * item.leaf.weight
            assert item.bound != "max_epochs" or item.rows <= level * item.leaf.weight


# What cannot be had


def test_more_than_the_ceilings_is_refused_with_what_they_allow() -> None:
    tree = group("all", leaf("a", high=10), leaf("b", high=20))
    with pytest.raises(InfeasibleError) as caught:
        pour(tree, 31)
    assert caught.value.conflicts == (Conflict(tree, Fraction(31), Fraction(30)),)


def test_less_than_the_floors_is_refused_with_what_they_take() -> None:
    tree = group("all", leaf("a", low=10), leaf("b", low=20))
    with pytest.raises(InfeasibleError) as caught:
        pour(tree, 29)
    assert caught.value.conflicts == (Conflict(tree, Fraction(29), Fraction(30)),)


def test_every_conflict_is_told_at_the_innermost_place() -> None:
    broken = group("left", leaf("a", low=5, high=4), leaf("b", low=9, high=7))
    fixed = group("right", leaf("c", high=3), weight=0, low=8, high=8)
    with pytest.raises(InfeasibleError) as caught:
        pour(group("all", broken, fixed), 50)
    found = {(conflict.node.name, conflict.asked, conflict.nearest) for conflict in caught.value.conflicts}
    assert found == {("a", 5, 4), ("b", 9, 7), ("right", 8, 3), ("all", 50, 14)}
