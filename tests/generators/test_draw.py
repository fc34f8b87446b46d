import time
from collections import Counter

import pytest

from flanmix.generators.draw import Draw


def _stream(draw: Draw, count: int) -> list[int]:
    return [draw.bits() for _ in range(count)]


def test_the_stream_is_splitmix64() -> None:
    draw = Draw(1, "any", 0)
    draw._state = 1234567
    assert _stream(draw, 5) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_the_key_is_pinned() -> None:
    draw = Draw(1, "dates/weekday", 17)
    assert _stream(draw, 3) == [15405595794476888637, 475631752158156383, 4818289469160205621]
    assert draw.row == 17


def test_each_part_of_the_key_matters() -> None:
    keys = [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (-1, "a", 0), (11, "a", 0), (1, "a", 10)]
    assert len({tuple(_stream(Draw(*key), 2)) for key in keys}) == len(keys)


@pytest.mark.parametrize(("low", "high"), [(0, 0), (1, 6), (-3, 3), (5, 14), (0, 2**64 - 1), (-(2**63), 0)])
def test_integers_stay_in_their_range(low: int, high: int) -> None:
    values = [Draw(3, "range", row).integer(low, high) for row in range(500)]
    assert all(low <= value <= high for value in values)
    if high - low < 20:
        assert set(values) == set(range(low, high + 1))


def test_integers_are_spread_evenly() -> None:
    counts = Counter(Draw(3, "even", row).integer(0, 9) for row in range(20_000))
    assert sum((count - 2000) ** 2 / 2000 for count in counts.values()) < 27.9  # chi-squared, p = 0.001


def test_rejection_keeps_a_wide_range_unbiased() -> None:
    span = 3 * 2**62  # a plain remainder would hit the lowest third twice as often
    low = sum(Draw(3, "wide", row).integer(0, span - 1) < 2**62 for row in range(6000))
    assert 1850 < low < 2150


def test_samples_are_without_replacement_and_evenly_ordered() -> None:
    orders = Counter(tuple(Draw(3, "sample", row).sample("abcd", 2)) for row in range(6000))
    assert len(orders) == 12
    assert all(400 < count < 600 for count in orders.values())
    assert sorted(Draw(3, "shuffle", 0).shuffled(range(50))) == list(range(50))
    assert len(set(Draw(3, "big", 0).sample(range(10**15), 1000))) == 1000


def test_chance() -> None:
    hits = sum(Draw(3, "chance", row).chance(1, 4) for row in range(8000))
    assert 1850 < hits < 2150
    assert not any(Draw(3, "never", row).chance(0, 4) for row in range(100))
    assert all(Draw(3, "always", row).chance(4, 4) for row in range(100))


def test_choice_reaches_everything() -> None:
    assert {Draw(3, "choice", row).choice("xyz") for row in range(100)} == set("xyz")


def test_impossible_draws_are_refused() -> None:
    draw = Draw(1, "any", 0)
    with pytest.raises(ValueError, match="no range"):
        draw.integer(2, 1)
    with pytest.raises(ValueError, match="no range"):
        draw.integer(0, 2**64)
    with pytest.raises(ValueError, match="no range"):
        draw.choice([])
    with pytest.raises(ValueError, match="without replacement"):
        draw.sample("ab", 3)
    with pytest.raises(ValueError, match="not a probability"):
        draw.chance(3, 2)


def test_drawing_is_fast() -> None:
    best = min(_seconds_for(2000) for _ in range(5))
    assert best / 2000 < 60e-6  # ten times the goal, so that a busy machine does not matter


def _seconds_for(count: int) -> float:
    start = time.perf_counter()
    for row in range(count):
        draw = Draw(1, "speed", row)
        for _ in range(5):
            draw.integer(1, 1000)
    return time.perf_counter() - start
