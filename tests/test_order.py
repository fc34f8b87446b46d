"""The order of a mixture: position to (task, draw), by index arithmetic only."""

import hashlib
import math
import random
import tracemalloc
from bisect import bisect_left
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flanmix.even import BOUND
from flanmix.order import Kind, Order, key64
from flanmix.shuffled import LIMIT

WORD = (1 << 64) - 1
KINDS: tuple[Kind, ...] = get_args(Kind)


def naive_word(key: int, counter: int) -> int:
    """SplitMix64 as Vigna's C code has it (https://prng.di.unimi.it/splitmix64.c), `counter` steps on from its key."""
    word = (key + (counter + 1) * 0x9E3779B97F4A7C15) & WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & WORD
    return word ^ (word >> 31)


def naive_time(key: int, draw: int, count: int) -> int:
    """(draw + u) / count in units of 2^-63, where u has 32 bits, and 1 / count is cut off after 87."""
    width = (1 << 87) // count
    return (draw * width >> 24) + ((naive_word(key, draw) >> 32) * (width >> 24) >> 32)


def naive_order(counts: list[int], keys: list[int]) -> list[tuple[int, int]]:
    """All draws sorted by time."""
    timed = [
        (naive_time(keys[task], draw, count), task, draw) for task, count in enumerate(counts) for draw in range(count)
    ]
    return [(task, draw) for _, task, draw in sorted(timed)]


def positions(order: Order, start: int, stop: int) -> list[tuple[int, int]]:
    tasks, draws = order.slice(start, stop)
    return list(zip(tasks.tolist(), draws.tolist(), strict=True))


def keyed(counts: list[int], seed: int = 0, kind: Kind = "shuffle") -> Order:
    return Order(tuple(counts), tuple(key64(seed, task) for task in range(len(counts))), kind)


def furthest(order: Order) -> list[float]:
    """For each task, the most rows by which any prefix is off its share."""
    tasks, _ = order.slice(0, order.rows)
    lengths = np.arange(1, order.rows + 1)
    held = (np.cumsum(tasks == task) * order.rows - lengths * count for task, count in enumerate(order.counts))
    return [float(np.abs(each).max()) / order.rows for each in held]


def uneven(seed: int) -> list[int]:
    """2 to 120 tasks of 1 to 200 rows; in every third mixture one task has half of all rows."""
    choice = random.Random(seed)
    counts = [int(10 ** choice.uniform(0, 2.3)) for _ in range(choice.randint(2, 120))]
    counts[0] = sum(counts) if seed % 3 == 0 else counts[0]
    return counts


mixtures = st.lists(st.integers(0, 40), min_size=1, max_size=8)
seeds = st.integers(0, 2**63 - 1)
kinds = pytest.mark.parametrize("kind", KINDS)


# Slices


@given(mixtures, seeds)
def test_a_shuffle_is_all_draws_sorted_by_time(counts: list[int], seed: int) -> None:
    order = keyed(counts, seed)
    assert positions(order, 0, order.rows) == naive_order(counts, list(order.keys))


@given(mixtures, seeds)
def test_a_sequence_is_one_task_after_the_other(counts: list[int], seed: int) -> None:
    whole = [(task, draw) for task, count in enumerate(counts) for draw in range(count)]
    assert positions(keyed(counts, seed, "sequential"), 0, sum(counts)) == whole


@kinds
@given(mixtures, seeds, st.data())
def test_slices_at_any_cuts_join_to_the_whole(kind: Kind, counts: list[int], seed: int, data: st.DataObject) -> None:
    order = keyed(counts, seed, kind)
    cuts = sorted(data.draw(st.lists(st.integers(0, order.rows), max_size=12)))
    pieces = [positions(order, start, stop) for start, stop in zip([0, *cuts], [*cuts, order.rows], strict=True)]
    assert [place for piece in pieces for place in piece] == positions(order, 0, order.rows)


@kinds
def test_slices_that_are_worked_out_in_parts_join_to_the_whole(kind: Kind) -> None:
    order = keyed([200_000, 3, 0, 40_000, 40_000, 1], 1, kind)
    tasks, draws = order.slice(0, order.rows)
    for task, count in enumerate(order.counts):
        assert np.array_equal(draws[tasks == task], np.arange(count))
    for start in range(0, order.rows, 31_237):
        stop = min(start + 31_237, order.rows)
        assert np.array_equal(order.slice(start, stop), (tasks[start:stop], draws[start:stop]))


@kinds
def test_one_position_alone_is_what_it_is_in_the_whole(kind: Kind) -> None:
    order = keyed([5, 0, 130, 1, 64, 3], kind=kind)
    whole = positions(order, 0, order.rows)
    assert [positions(order, place, place + 1)[0] for place in range(order.rows)] == whole


@kinds
@given(mixtures, seeds)
def test_every_draw_stands_at_one_position_and_a_tasks_draws_stand_in_order(
    kind: Kind, counts: list[int], seed: int
) -> None:
    tasks, draws = keyed(counts, seed, kind).slice(0, sum(counts))
    assert tasks.dtype == draws.dtype == np.int64
    for task, count in enumerate(counts):
        assert draws[tasks == task].tolist() == list(range(count))


@pytest.mark.parametrize("counts", [[5, 5, 5], [4, 4, 8, 16], [1, 1, 1, 1, 1]])
def test_draws_at_one_time_stand_in_the_order_of_their_tasks_wherever_a_slice_is_cut(counts: list[int]) -> None:
    """Tasks with one key and one number of rows have the same times throughout."""
    order = Order(tuple(counts), (99,) * len(counts))
    whole = naive_order(counts, [99] * len(counts))
    for start in range(order.rows + 1):
        for stop in range(start, order.rows + 1):
            assert positions(order, start, stop) == whole[start:stop]


@kinds
def test_thousands_of_draws_at_one_time_are_cut_anywhere(kind: Kind) -> None:
    order = Order((3,) * 5_000, (99,) * 5_000, kind)
    whole = positions(order, 0, order.rows)
    for start in (0, 1, 4_999, 5_000, 7_123, 14_999):
        assert positions(order, start, min(start + 300, order.rows)) == whole[start : start + 300]
    assert kind == "sequential" or whole == [(task, draw) for draw in range(3) for task in range(5_000)]


@kinds
def test_an_empty_slice_is_empty_everywhere(kind: Kind) -> None:
    order = keyed([3, 4], kind=kind)
    assert [positions(order, place, place) for place in range(8)] == [[]] * 8
    assert positions(keyed([], kind=kind), 0, 0) == positions(keyed([0, 0], kind=kind), 0, 0) == []


@kinds
@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (0, 8), (5, 4), (8, 8)])
def test_positions_that_are_not_there_are_refused(kind: Kind, start: int, stop: int) -> None:
    with pytest.raises(IndexError, match="of a mixture of 7 rows"):
        keyed([3, 4], kind=kind).slice(start, stop)


def test_a_task_of_more_rows_than_times_tell_apart_is_refused() -> None:
    assert keyed([LIMIT - 1, 5]).rows == LIMIT + 4
    with pytest.raises(ValueError, match=f"a task of {LIMIT} rows: an order takes at most {LIMIT - 1}"):
        keyed([5, LIMIT])


def test_a_tasks_own_order_does_not_hang_on_the_other_tasks() -> None:
    alone, among = Order((50,), (7,)), Order((30, 50, 20), (5, 7, 6))
    _, draws = alone.slice(0, 50)
    tasks, others = among.slice(0, 100)
    assert draws.tolist() == others[tasks == 1].tolist()


@pytest.mark.parametrize("kind", ["shuffle", "sequential"])
@given(mixtures, st.integers(1, 40), seeds)
def test_adding_a_task_keeps_the_others_in_their_order_to_each_other(
    kind: Kind, counts: list[int], further: int, seed: int
) -> None:
    before = positions(keyed(counts, seed, kind), 0, sum(counts))
    after = positions(keyed([*counts, further], seed, kind), 0, sum(counts) + further)
    assert [place for place in after if place[0] < len(counts)] == before


def test_another_seed_is_another_shuffle_and_the_same_order_otherwise() -> None:
    same = {
        kind: positions(keyed([30, 30], 1, kind), 0, 60) == positions(keyed([30, 30], 2, kind), 0, 60) for kind in KINDS
    }
    assert same == {"shuffle": False, "even": True, "sequential": True}


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        ("shuffle", "f242cad5c894079e335c853c2b700ebefb7cd225ff58e8355a8f5706dfeedc3e"),
        ("even", "b95dd7a8ed312e14367d2bd429a2165fb70640a6d5794d35f863469ea4138165"),
        ("sequential", "5f83c4cf9707e95b5bfbd4b994256f844be5fb4612fcd4a629587d5222a89c7c"),
    ],
)
def test_an_order_is_the_same_on_every_machine(kind: Kind, digest: str) -> None:
    """The digest of what it was when this was written."""
    found = hashlib.sha256()
    for counts in ([7, 1, 40], [1_000] * 50, [*range(300)], [10**12, 10**11, 3], [10**9 + task for task in range(90)]):
        order = keyed(counts, 5, kind)
        for start in (0, order.rows // 3, max(0, order.rows - 70_000)):
            for array in order.slice(start, min(start + 70_000, order.rows)):
                found.update(array.astype("<i8").tobytes())
    assert found.hexdigest() == digest


# Prefixes


def test_every_prefix_of_a_shuffle_holds_each_task_within_the_stated_bounds() -> None:
    """Within 1 + pT rows, for a task with the share p of T tasks, for certain; and within 1 + p(1 + √(T ln(2N/c) / 2))
    but for a chance of c, here one in a million.
    """
    for seed in range(150):
        order = keyed(uneven(seed), seed)
        number = len(order.counts)
        likely = 1 + math.sqrt(number * math.log(2 * order.rows * 10**6) / 2)
        for task, worst in enumerate(furthest(order)):
            share = order.counts[task] / order.rows
            assert worst < 1 + share * min(number, likely), (seed, task)


def test_most_prefixes_of_a_shuffle_are_nearer_than_that() -> None:
    """Within 2(1 + p√T) rows; the worst of these was 1.6(1 + p√T), and 2.1 rows for tasks of at most a tenth."""
    for seed in range(150):
        order = keyed(uneven(seed), seed)
        for task, worst in enumerate(furthest(order)):
            share = order.counts[task] / order.rows
            assert worst < 2 * (1 + share * len(order.counts) ** 0.5), (seed, task)
            assert share > 0.1 or worst < 3, (seed, task)


def test_the_bound_of_a_shuffle_holds_for_the_least_lucky_keys() -> None:
    """Tasks with one key are all early or all late together; half of all rows are those of a task with another one."""
    for other in range(20):
        order = Order((1_000, *[50] * 20), (other, *[99] * 20))
        assert max(furthest(order)) < 1 + 21 / 2


@given(st.lists(st.integers(0, 200), min_size=1, max_size=15).filter(any), seeds)
def test_every_prefix_of_an_even_order_holds_each_task_within_less_than_two_rows(counts: list[int], seed: int) -> None:
    assert BOUND < 2
    assert max(furthest(keyed(counts, seed, "even"))) < BOUND


@given(mixtures.filter(any), seeds)
def test_a_task_of_a_sequence_is_off_by_its_share_of_what_stands_before_or_after_it(
    counts: list[int], seed: int
) -> None:
    whole, found = sum(counts), furthest(keyed(counts, seed, "sequential"))
    for task, count in enumerate(counts):
        before, after = sum(counts[:task]), sum(counts[task + 1 :])
        assert found[task] == pytest.approx(max(before, after) * count / whole)


def test_a_shuffle_is_random_and_not_a_cycle() -> None:
    """Two tasks of one size take turns in pairs; which goes first is a fair coin."""
    tasks, _ = keyed([5_000, 5_000]).slice(0, 10_000)
    first = tasks[0::2]
    assert 2_300 < int(first.sum()) < 2_700
    assert len({tuple(first[start : start + 8].tolist()) for start in range(0, 5_000, 8)}) > 200


def test_in_a_shuffle_each_order_of_three_tasks_is_as_likely() -> None:
    """Chi-square with 5 degrees of freedom over the 4,000 times that each is drawn once: chance passes 26 in 10^4."""
    tasks, _ = keyed([4_000] * 3).slice(0, 12_000)
    turns = tasks.reshape(-1, 3)
    _, counts = np.unique(turns @ np.array([9, 3, 1]), return_counts=True)
    assert len(counts) == 6
    assert ((counts - 4_000 / 6) ** 2 / (4_000 / 6)).sum() < 26


# Size


@pytest.fixture(scope="module", params=KINDS)
def huge(request: pytest.FixtureRequest) -> Order:
    """10^9 rows of 2,000 tasks, between 250,000 and 750,000 rows each."""
    counts = [int(250_000 + 250 * (index * 7_919 % 2_000)) for index in range(1_999)]
    return keyed([*counts, 10**9 - sum(counts)], kind=request.param)


@pytest.mark.parametrize("start", [0, 123_456_789, 999_999_000])
def test_a_slice_of_a_thousand_million_rows_takes_memory_for_its_tasks_alone(huge: Order, start: int) -> None:
    huge.slice(start, start + 1)
    tracemalloc.start()
    huge.slice(start, start + 1_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 * 8 * (len(huge.counts) + 1_000)


def test_slices_of_a_thousand_million_rows_join(huge: Order) -> None:
    assert huge.rows == 10**9
    choice = random.Random(0)
    for start in [0, 10**9 - 300, *(choice.randrange(10**9 - 300) for _ in range(10))]:
        middle = start + choice.randrange(300)
        whole = positions(huge, start, start + 300)
        assert positions(huge, start, middle) + positions(huge, middle, start + 300) == whole


@given(st.lists(st.integers(1, LIMIT - 1), min_size=1, max_size=5), seeds, st.floats(0, 1), st.integers(0, 40))
def test_draws_of_tasks_of_10_to_the_12_rows_stand_where_their_times_say(
    counts: list[int], seed: int, where: float, length: int
) -> None:
    """As many draws as the position says come before the slice, found by bisection over exact times."""
    order = keyed(counts, seed)
    length = min(length, order.rows)
    start = int(where * (order.rows - length))
    found = positions(order, start, start + length)
    timed = [(naive_time(order.keys[task], draw, counts[task]), task, draw) for task, draw in found]
    assert timed == sorted(timed)
    for place, (time, task, draw) in enumerate(timed[:2]):
        before = [
            bisect_left(range(count), (time, task, draw), key=lambda j: (naive_time(order.keys[t], j, count), t, j))
            for t, count in enumerate(counts)
        ]
        assert sum(before) == start + place


@given(st.integers(1, LIMIT - 1), st.integers(0, WORD), st.floats(0, 1))
@example(LIMIT - 1, 7, 1.0)
@example(LIMIT - 92_000, 7, 1.0)  # the time that is cut off is nearly the most there can be
@example(LIMIT * 10 // 11, 7, 1.0)
def test_times_grow_with_the_draw_and_are_right_to_a_hundredth_of_a_row(count: int, key: int, where: float) -> None:
    draw = min(int(where * count), count - 1)
    time = naive_time(key, draw, count)
    assert abs(Fraction(time, 1 << 63) * count - draw - Fraction(naive_word(key, draw) >> 32, 1 << 32)) < Fraction(
        1, 100
    )
    assert draw + 1 == count or naive_time(key, draw + 1, count) > time


@pytest.mark.parametrize("kind", ["shuffle", "even"])
def test_a_position_has_as_many_draws_before_it_as_it_says(kind: Kind) -> None:
    order = keyed([3 * 10**9, 10**9, 17], kind=kind)
    tasks, draws = order.slice(2 * 10**9, 2 * 10**9 + 50)
    before = [int(draws[tasks == task].min()) for task in (0, 1)]
    assert abs(sum(before) - 2 * 10**9) < 17
    assert abs(before[0] - 1.5 * 10**9) < 20
