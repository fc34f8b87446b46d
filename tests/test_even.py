"""Tasks interleaved without randomness: the tree, and how far off a prefix may be."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.even import BOUND, Even

FIBONACCI = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144]

mixtures = st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(any)


def walked(counts: list[int]) -> list[tuple[int, int]]:
    """(task, draw) of every row, one after the other: at each node, the first child is next if it is behind by half."""
    groups = [[task for task, each in enumerate(counts) if each == count] for count in dict.fromkeys(counts) if count]
    rows, children = {node: sum(counts[task] for task in tasks) for node, tasks in enumerate(groups)}, {}
    loose = list(rows)
    while len(loose) > 1:
        first, second, *loose = sorted(loose, key=lambda node: (rows[node], node))
        children[len(rows)] = first, second
        loose.append(len(rows))
        rows[len(rows)] = rows[first] + rows[second]
    had, order = dict.fromkeys(rows, 0), []
    for _ in range(sum(counts)):
        node = loose[0]
        while node in children:
            had[node] += 1
            first, second = children[node]
            wanted = math.floor(Fraction(had[node] * rows[first], rows[node]) + Fraction(1, 2))
            node = first if wanted > had[first] else second
        draw, turn = divmod(had[node], len(groups[node]))
        order.append((groups[node][turn], draw))
        had[node] += 1
    return order


def positions(counts: list[int], start: int, stop: int) -> list[tuple[int, int]]:
    tasks, draws = Even.of(counts).slice(start, stop)
    return list(zip(tasks.tolist(), draws.tolist(), strict=True))


def furthest(counts: list[int]) -> float:
    """The most rows by which any prefix is off any task's share."""
    whole = sum(counts)
    tasks, _ = Even.of(counts).slice(0, whole)
    lengths = np.arange(1, whole + 1)
    held = (np.cumsum(tasks == task) * whole - lengths * count for task, count in enumerate(counts))
    return float(max(np.abs(each).max() for each in held)) / whole


@given(mixtures)
def test_the_order_is_the_one_that_is_found_row_by_row(counts: list[int]) -> None:
    assert positions(counts, 0, sum(counts)) == walked(counts)


@given(mixtures, st.data())
def test_a_slice_is_what_stands_there_in_the_whole(counts: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, sum(counts)))
    stop = data.draw(st.integers(start, sum(counts)))
    assert positions(counts, start, stop) == walked(counts)[start:stop]


@pytest.mark.parametrize("counts", [[200_000, 3, 0, 40_000], [1] * 3_000 + [70_000]])
def test_long_slices_are_worked_out_in_parts_that_join(counts: list[int]) -> None:
    tree, whole = Even.of(counts), sum(counts)
    tasks, draws = tree.slice(0, whole)
    assert whole > 1 << 16
    for start in (0, 1, (1 << 16) - 3, 1 << 16, whole - 9):
        part = tree.slice(start, start + 9)
        assert np.array_equal(part, (tasks[start : start + 9], draws[start : start + 9]))
    for task, count in enumerate(counts[:4]):
        assert np.array_equal(draws[tasks == task], np.arange(count))


@pytest.mark.parametrize("number", [1, 2, 3, 7, 100])
def test_tasks_of_one_size_take_turns(number: int) -> None:
    assert positions([4] * number, 0, 4 * number) == [(task, draw) for draw in range(4) for task in range(number)]


@given(st.lists(st.integers(0, 200), min_size=1, max_size=15).filter(any))
def test_every_prefix_holds_each_task_within_the_bound(counts: list[int]) -> None:
    assert furthest(counts) < BOUND


@pytest.mark.parametrize(
    "counts",
    [FIBONACCI, [1_000] + [10] * 100, [100] * 100, [*range(1, 90)], [1, 1_001, 1_002, 2_005, 3_010, 5_020, 8_040]],
)
def test_mixtures_in_which_many_tasks_are_due_at_once_are_within_the_bound(counts: list[int]) -> None:
    """The second, sorted by (j + 1/2) / n, would start with fifty rows of the first task: 25 rows off."""
    assert furthest(counts) < BOUND


@given(st.integers(1, 500), st.integers(1, 500))
def test_two_tasks_are_within_half_a_row(first: int, second: int) -> None:
    assert furthest([first, second]) <= 0.5


@given(st.lists(st.one_of(st.integers(1, 10), st.integers(1, 10**12)), min_size=1, max_size=60))
def test_the_sum_that_bounds_a_task_is_less_than_that_of_fibonacci_numbers(counts: list[int]) -> None:
    tree = Even.of(counts)
    above = {child: len(tree.groups) + number for number, pair in enumerate(tree.joined) for child in pair}
    for group, tasks in enumerate(tree.groups):
        node, total = group, Fraction(0)
        while node in above:  # the root adds nothing
            total += Fraction(tree.rows[group], tree.rows[node])
            node = above[node]
        assert 1 - Fraction(1, len(tasks)) + total / 2 / len(tasks) < BOUND


def test_tasks_of_10_to_the_12_rows_are_counted_exactly() -> None:
    """Each position has as many draws before it as it says, and each task is within the bound."""
    counts = [10**12, 10**12 - 1, 7 * 10**11 + 3, 17, 999_999_999_989]
    whole = sum(counts)
    tree = Even.of(counts)
    for start in (0, 1, 123_456_789_012, whole // 2, whole - 1_001):
        tasks, draws = tree.slice(start, start + 1_000)
        middle = tree.slice(start + 500, start + 510)
        assert np.array_equal(middle, (tasks[500:510], draws[500:510]))
        before = 0
        for task in np.unique(tasks).tolist():
            own = draws[tasks == task]
            assert np.array_equal(own, np.arange(own[0], own[0] + len(own)))
            assert abs(Fraction(start * counts[task], whole) - int(own[0])) < BOUND
            before += int(own[0])
        assert start - before in range(18)  # those of the task with 17 rows, where none of them is here


def test_so_many_rows_that_products_would_overflow_are_worked_out_in_short_parts() -> None:
    counts = [(1 << 39) + task for task in range(3_000)]
    whole, start, tree = sum(counts), 10**14, Even.of(counts)
    tasks, draws = tree.slice(start, start + 20_000)
    for low in range(0, 20_000, 1_000):
        part = tree.slice(start + low, start + low + 1_000)
        assert np.array_equal(part, (tasks[low : low + 1_000], draws[low : low + 1_000]))
    for task, draw in zip(tasks[:3_000].tolist(), draws[:3_000].tolist(), strict=True):
        assert abs(Fraction(start * counts[task], whole) - draw) < BOUND + 1
    assert len(set(tasks.tolist())) > 2_000
