"""Keys, words and permutations: each is a function of its key alone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix.keyed import Ints, key64, keyed_words, mix64, permute

WORD = (1 << 64) - 1

seeds = st.integers(0, WORD)


def naive_word(key: int, counter: int) -> int:
    """SplitMix64 as Vigna's C code has it (https://prng.di.unimi.it/splitmix64.c), `counter` steps on from its key."""
    word = (key + (counter + 1) * 0x9E3779B97F4A7C15) & WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & WORD
    return word ^ (word >> 31)


def assert_even(found: Ints, size: int, bins: int = 64) -> None:
    """Chi-square of values that lie anywhere in range(size) with equal chance: chance passes this once in a million."""
    edges = [-(-size * number // bins) for number in range(bins + 1)]
    counts = np.bincount(np.searchsorted(edges, found, side="right") - 1, minlength=bins)
    expected = np.diff(edges) / size * len(found)
    free = bins - 1
    assert len(counts) == bins
    assert ((counts - expected) ** 2 / expected).sum() < free + 4.8 * (2 * free) ** 0.5 + 16


def distances(found: Ints, apart: int, size: int) -> Ints:
    """How far, round the circle, the images of indices `apart` from each other lie from each other: 1 … size - 1."""
    return (found[apart:] - found[:-apart]) % size


# Keys and words


def test_words_are_those_of_splitmix64() -> None:
    # the first outputs of the reference code for the seeds 0 and 1234567
    assert keyed_words(0, [0, 1, 2]).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert keyed_words(1234567, [0, 1]).tolist() == [6457827717110365317, 3203168211198807973]


@given(seeds, st.integers(0, 2**62))
def test_a_word_is_a_function_of_key_and_counter_alone(key: int, counter: int) -> None:
    assert keyed_words(key, [counter]).tolist() == [naive_word(key, counter)]
    assert keyed_words(np.array([key], np.uint64), np.array([counter])).tolist() == [naive_word(key, counter)]


def test_what_is_mixed_stays_as_it_was() -> None:
    words, counters = np.arange(5, dtype=np.uint64), np.arange(5, dtype=np.uint64)
    mix64(words)
    keyed_words(words, counters)
    assert words.tolist() == counters.tolist() == [0, 1, 2, 3, 4]


def test_keys_tell_numbers_from_texts_and_parts_from_their_join() -> None:
    keys = [key64(1, 2), key64("1", 2), key64(12), key64("1", "2"), key64("12"), key64(2, 1), key64("1\x002")]
    assert len(set(keys)) == len(keys)


# Permutations are one to one


@pytest.mark.parametrize("key", [0, 1, WORD])
def test_every_size_to_1100_is_permuted_one_to_one(key: int) -> None:
    for size in range(1, 1_101):
        assert np.array_equal(np.sort(permute(np.arange(size), size, key)), np.arange(size)), size


@pytest.mark.parametrize("size", [1 << 12, (1 << 12) + 1, (1 << 14) - 1, 65_537, 100_003, 262_144, 1_048_577])
def test_large_sizes_are_permuted_one_to_one(size: int) -> None:
    assert np.array_equal(np.sort(permute(np.arange(size), size, key=5)), np.arange(size))


@given(st.integers(1, 40_000), seeds)
def test_any_size_is_permuted_one_to_one_under_any_key(size: int, key: int) -> None:
    assert np.array_equal(np.sort(permute(np.arange(size), size, key)), np.arange(size))


@settings(max_examples=50)
@given(st.integers(301, 2**62), seeds)
@pytest.mark.parametrize("spread", [True, False])
def test_huge_sizes_keep_indices_apart_and_in_range(spread: bool, size: int, seed: int) -> None:
    few = np.random.default_rng(seed).integers(0, size, 3_000) if spread else np.arange(max(0, size - 3_000), size)
    indices = np.unique(few)
    found = permute(indices, size, seed)
    assert len(np.unique(found)) == len(indices)
    assert found.min() >= 0
    assert found.max() < size


@given(st.integers(1, 3_000), seeds, st.data())
def test_an_index_goes_to_one_place_whatever_it_is_asked_with(size: int, key: int, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.integers(0, size - 1), max_size=20))
    whole = permute(np.arange(size), size, key)
    assert permute(np.array(some, np.int64), size, key).tolist() == [whole[index] for index in some]


def test_indices_stay_as_they_were() -> None:
    indices = np.arange(5_000)
    permute(indices, 5_000, key=1)
    assert np.array_equal(indices, np.arange(5_000))


def test_permutations_are_the_same_on_every_machine() -> None:
    """The digest of what they were when this was written."""
    sizes = [1, 2, 255, 1_024, 1_025, 4_096, 4_097, 65_537, 10**6, 2**31 + 1, 10**12, 2**62]
    found = [permute(np.arange(min(size, 500)) * (size // 500 or 1), size, key64(size)) for size in sizes]
    digest = hashlib.sha256(b"".join(places.astype("<i8").tobytes() for places in found)).hexdigest()
    assert digest == "39b5caa6d72cb03993a52f2e3ea27e7f4b5fab860d3710239cd3af2e8cdc8964"


# Permutations are even


@pytest.mark.parametrize("size", [2, 3, 5, 6, 7, 10, 256, 257, 1_000, 1_025, 4_097])
def test_over_many_keys_an_index_goes_to_every_place_equally_often(size: int) -> None:
    indices = np.array([0, size // 2, size - 1])
    places = np.array([permute(indices, size, key64(key, "test")) for key in range(3_000)])
    for column in places.T:
        assert_even(column, size, bins=min(size, 10))


def test_each_order_of_four_rows_is_equally_likely() -> None:
    """Chi-square with 23 degrees of freedom: chance passes 57 once in 10^4."""
    found: dict[tuple[int, ...], int] = {}
    for key in range(4_800):
        order = tuple(permute(np.arange(4), 4, key64(key, "test")).tolist())
        found[order] = found.get(order, 0) + 1
    assert len(found) == 24
    assert sum((count - 200) ** 2 / 200 for count in found.values()) < 57


@pytest.mark.parametrize("size", [2**20 + 1, 10**9, 2**32 + 1, 10**12, 2**62])
@pytest.mark.parametrize("apart", [1, 10, 1 << 4])
def test_a_sample_of_a_large_permutation_lies_everywhere(size: int, apart: int) -> None:
    found = permute(np.arange(50_000) * apart, size, key64(size))
    assert_even(found, size)
    assert_even(found & 63, 64)


@pytest.mark.parametrize("size", [65_537, 10**6, 10**9, 10**12, 2**62])
def test_neighbours_are_sent_any_distance_apart(size: int) -> None:
    found = permute(np.arange(65_537), size, key64(size, "near"))
    for apart in (1, 2, 3, 7, 256, 257, 1_000):
        assert_even(distances(found, apart, size) - 1, size - 1)
        assert_even(distances(found, apart, size) & 63, 64)


@pytest.mark.parametrize("size", [1_000, 1_025, 2_000, 4_097, 9_999])
def test_indices_do_not_keep_their_distance(size: int) -> None:
    """One of size - 1 pairs does by chance; with four rounds, five times as many where the lower digits are equal."""
    digit = 1 << ((size - 1).bit_length() // 2)
    images = [permute(np.arange(size), size, key64(key)) for key in range(200)]
    for apart in (1, 2, digit - 1, digit, digit + 1, 2 * digit):
        kept = sum(int(np.count_nonzero(distances(found, apart, size) == apart)) for found in images)
        expected = 200 * (size - apart) / (size - 1)
        assert abs(kept - expected) < 5 * expected**0.5, apart


@pytest.mark.parametrize("size", [257, 1_025, 4_097, 65_537, 10**6, 10**12])
def test_keys_next_to_each_other_have_nothing_in_common(size: int) -> None:
    """The two images of an index lie any distance apart, and are one as often as by chance."""
    indices = np.arange(min(size, 65_537))
    keys = range(65_537 // len(indices))
    apart = np.concatenate([permute(indices, size, key) - permute(indices, size, key + 1) for key in keys]) % size
    assert_even(apart, size)
    expected = len(apart) / size
    assert abs(np.count_nonzero(apart == 0) - expected) < 5 * (expected + 1) ** 0.5
