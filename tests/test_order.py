"""The order of a mixture: position to (task, draw), and keyed permutations. Index arithmetic only."""

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix.order import Order, key64, keyed_words, permute, unit

WORD = (1 << 64) - 1


def naive_word(key: int, counter: int) -> int:
    """SplitMix64 as Vigna's C code has it (https://prng.di.unimi.it/splitmix64.c), `counter` steps on from its key."""
    word = (key + (counter + 1) * 0x9E3779B97F4A7C15) & WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & WORD
    return word ^ (word >> 31)


def naive_order(counts: list[int], keys: list[int]) -> list[tuple[int, int]]:
    """All draws sorted by time."""
    timed = [
        ((draw + (naive_word(keys[task], draw) >> 11) / 2**53) / count, task, draw)
        for task, count in enumerate(counts)
        for draw in range(count)
    ]
    return [(task, draw) for _, task, draw in sorted(timed)]


def positions(order: Order, start: int, stop: int) -> list[tuple[int, int]]:
    tasks, draws = order.slice(start, stop)
    return list(zip(tasks.tolist(), draws.tolist(), strict=True))


def keyed(counts: list[int], seed: int = 0) -> Order:
    return Order(tuple(counts), tuple(key64(seed, task) for task in range(len(counts))))


mixtures = st.lists(st.integers(0, 40), min_size=1, max_size=8)
seeds = st.integers(0, 2**63 - 1)


# Keys and words


def test_words_are_those_of_splitmix64() -> None:
    # the first outputs of the reference code for the seeds 0 and 1234567
    assert keyed_words(0, [0, 1, 2]).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert keyed_words(1234567, [0, 1]).tolist() == [6457827717110365317, 3203168211198807973]


@given(st.integers(0, WORD), st.integers(0, 2**62))
def test_a_word_is_a_function_of_key_and_counter_alone(key: int, counter: int) -> None:
    assert keyed_words(key, [counter]).tolist() == [naive_word(key, counter)]
    assert keyed_words(np.array([key], np.uint64), np.array([counter])).tolist() == [naive_word(key, counter)]


def test_units_lie_in_0_to_1_and_never_reach_1() -> None:
    assert unit(np.array([0, WORD], np.uint64)).tolist() == [0.0, 1 - 2**-53]


def test_keys_tell_numbers_from_texts_and_parts_from_their_join() -> None:
    keys = [key64(1, 2), key64("1", 2), key64(12), key64("1", "2"), key64("12"), key64(2, 1), key64("1\x002")]
    assert len(set(keys)) == len(keys)


# Permutations


@pytest.mark.parametrize("key", [0, 1, WORD])
def test_every_size_to_300_is_permuted_one_to_one(key: int) -> None:
    for size in range(1, 301):
        assert sorted(permute(np.arange(size), size, key).tolist()) == list(range(size)), size


@pytest.mark.parametrize("size", [1 << 12, (1 << 12) + 1, (1 << 14) - 1, 65_537, 100_003, 262_144])
def test_large_sizes_are_permuted_one_to_one(size: int) -> None:
    assert np.array_equal(np.sort(permute(np.arange(size), size, key=5)), np.arange(size))


@settings(max_examples=50)
@given(st.integers(301, 2**62), seeds)
def test_huge_sizes_keep_indices_apart_and_in_range(size: int, seed: int) -> None:
    indices = np.unique(np.random.default_rng(seed).integers(0, size, 3_000))
    found = permute(indices, size, seed)
    assert len(np.unique(found)) == len(indices)
    assert found.min() >= 0
    assert found.max() < size


@given(st.integers(1, 2_000), seeds, st.data())
def test_an_index_goes_to_one_place_whatever_it_is_asked_with(size: int, key: int, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.integers(0, size - 1), max_size=20))
    whole = permute(np.arange(size), size, key)
    assert permute(np.array(some, np.int64), size, key).tolist() == [whole[index] for index in some]


@pytest.mark.parametrize("size", [2, 3, 5, 6, 7, 10, 256, 257, 1_000])
def test_over_many_keys_an_index_goes_to_every_place_equally_often(size: int) -> None:
    """Chi-square over 3,000 keys, with all places in at most ten bins: chance passes 33.7 once in 10^4."""
    bins = min(size, 10)
    expected = 3_000 * np.bincount(np.arange(size) * bins // size) / size
    for index in (0, size // 2, size - 1):
        places = np.array([permute(np.array([index]), size, key64(key, "test"))[0] for key in range(3_000)])
        found = np.bincount(places * bins // size, minlength=bins)
        assert ((found - expected) ** 2 / expected).sum() < 33.7, index


def test_each_order_of_four_rows_is_equally_likely() -> None:
    """Chi-square with 23 degrees of freedom: chance passes 57 once in 10^4."""
    found: dict[tuple[int, ...], int] = {}
    for key in range(4_800):
        order = tuple(permute(np.arange(4), 4, key64(key, "test")).tolist())
        found[order] = found.get(order, 0) + 1
    assert len(found) == 24
    assert sum((count - 200) ** 2 / 200 for count in found.values()) < 57


# Slices


@given(mixtures, seeds)
def test_the_order_is_all_draws_sorted_by_time(counts: list[int], seed: int) -> None:
    order = keyed(counts, seed)
    assert positions(order, 0, order.rows) == naive_order(counts, list(order.keys))


@given(mixtures, seeds, st.data())
def test_slices_at_any_cuts_join_to_the_whole(counts: list[int], seed: int, data: st.DataObject) -> None:
    order = keyed(counts, seed)
    cuts = sorted(data.draw(st.lists(st.integers(0, order.rows), max_size=12)))
    pieces = [positions(order, start, stop) for start, stop in zip([0, *cuts], [*cuts, order.rows], strict=True)]
    assert [place for piece in pieces for place in piece] == positions(order, 0, order.rows)


def test_one_position_alone_is_what_it_is_in_the_whole() -> None:
    order = keyed([5, 0, 130, 1, 64, 3])
    whole = positions(order, 0, order.rows)
    assert [positions(order, place, place + 1)[0] for place in range(order.rows)] == whole


@given(mixtures, seeds)
def test_every_draw_stands_at_one_position_and_a_tasks_draws_stand_in_order(counts: list[int], seed: int) -> None:
    tasks, draws = keyed(counts, seed).slice(0, sum(counts))
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


def test_an_empty_slice_is_empty_everywhere() -> None:
    order = keyed([3, 4])
    assert [positions(order, place, place) for place in range(8)] == [[]] * 8


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (0, 8), (5, 4), (8, 8)])
def test_positions_that_are_not_there_are_refused(start: int, stop: int) -> None:
    with pytest.raises(IndexError, match="of a mixture of 7 rows"):
        keyed([3, 4]).slice(start, stop)


def test_a_tasks_own_order_does_not_hang_on_the_other_tasks() -> None:
    alone, among = Order((50,), (7,)), Order((30, 50, 20), (5, 7, 6))
    _, draws = alone.slice(0, 50)
    tasks, others = among.slice(0, 100)
    assert draws.tolist() == others[tasks == 1].tolist()


def test_adding_a_task_keeps_the_others_in_their_order_to_each_other() -> None:
    before = positions(Order((30, 20), (5, 6)), 0, 50)
    after = positions(Order((30, 20, 40), (5, 6, 7)), 0, 90)
    assert [place for place in after if place[0] < 2] == before


def test_another_seed_is_another_order() -> None:
    assert positions(keyed([30, 30], 1), 0, 60) != positions(keyed([30, 30], 2), 0, 60)


# Prefixes


def test_every_prefix_holds_each_task_near_its_share() -> None:
    """Within 2(1 + p√T) rows for a task with the share p of T tasks.

    Before any time t, a task has its n·t draws to within one. The position of t is off by the sum of all these, which
    is that of a random walk of T steps, and a task feels p of it. The worst of 1,500 random mixtures of up to 120 tasks
    was 1.62(1 + p√T), and 2.06 rows for tasks of a tenth of the mixture or less.
    """
    for seed in range(150):
        choice = random.Random(seed)
        number = choice.randint(2, 120)
        counts = [int(10 ** choice.uniform(0, 2.3)) for _ in range(number)]
        counts[0] = sum(counts) if seed % 3 == 0 else counts[0]
        order = keyed(counts, seed)
        tasks, _ = order.slice(0, order.rows)
        lengths = np.arange(1, order.rows + 1)
        for task, count in enumerate(counts):
            share = count / order.rows
            worst = np.abs(np.cumsum(tasks == task) - share * lengths).max()
            assert worst < 2 * (1 + share * number**0.5), (seed, task)
            assert share > 0.1 or worst < 3, (seed, task)


def test_the_order_is_random_and_not_a_cycle() -> None:
    """Two tasks of one size take turns in pairs; which goes first is a fair coin."""
    tasks, _ = keyed([5_000, 5_000]).slice(0, 10_000)
    first = tasks[0::2]
    assert 2_300 < int(first.sum()) < 2_700
    assert len({tuple(first[start : start + 8].tolist()) for start in range(0, 5_000, 8)}) > 200


# Size


@pytest.fixture(scope="module")
def huge() -> Order:
    """10^9 rows of 2,000 tasks, between 250,000 and 750,000 rows each."""
    counts = [int(250_000 + 250 * (index * 7_919 % 2_000)) for index in range(1_999)]
    return keyed([*counts, 10**9 - sum(counts)])


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


def test_a_position_has_as_many_draws_before_it_as_it_says() -> None:
    order = keyed([3 * 10**9, 10**9, 17])
    tasks, draws = order.slice(2 * 10**9, 2 * 10**9 + 50)
    before = [int(draws[tasks == task].min()) for task in (0, 1)]
    assert abs(sum(before) - 2 * 10**9) < 17
    assert abs(before[0] - 1.5 * 10**9) < 20
