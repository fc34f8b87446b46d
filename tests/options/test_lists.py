"""Lists side by side: the order of each by its key, and where a text stands in it."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from flanmix.keyed import keyed_words
from flanmix.options.drawing import BULLETS
from flanmix.options.lists import TEXT, Lists, is_blank
from flanmix.options.writing import written

WHITE = [chr(number) for number in range(sys.maxunicode + 1) if chr(number).isspace()]


def lists_of(*lists: list[str | None] | None) -> Lists:
    return Lists.of(pa.array(lists, pa.list_(TEXT)))


def test_an_order_is_a_sort_by_hashes_and_of_equal_ones_the_first_stays_first() -> None:
    """Of 300,000 texts some ten pairs have equal hashes."""
    texts, key = [str(number) for number in range(300_000)], 5
    chance = keyed_words(key, np.arange(len(texts))) >> np.uint64(32)
    assert len(np.unique(chance)) < len(texts)
    expected = sorted(range(len(texts)), key=lambda place: (int(chance[place]), place))
    for before in (0, 3):
        keys = np.full(before + 1, key, np.uint64)
        found = lists_of(*[["a", "b"]] * before, texts).shuffled(keys).array[before].as_py()
        assert found == [texts[place] for place in expected]


@pytest.mark.parametrize("white", WHITE, ids=ascii)
def test_all_that_python_strips_may_stand_around_an_answer(white: str) -> None:
    assert lists_of(["no", f"yes{white}"], [f"{white}yes"]).find(pa.array(["yes", f"yes{white}"], TEXT)).tolist() == [
        1,
        0,
    ]
    assert is_blank(pa.array([white, "", None, "x"], TEXT)).tolist() == [True, True, False, False]


def test_a_null_is_never_found() -> None:
    assert lists_of([None, "yes"], None, []).find(pa.array([None, "yes", ""], TEXT)).tolist() == [-1, -1, -1]


def test_a_list_with_a_null_is_no_text() -> None:
    styles = np.zeros(3, np.int64)
    assert written(lists_of(["a", None], ["b"], [None, None]), [BULLETS], styles).to_pylist() == [None, "- b", None]


def test_lists_make_the_column_they_came_from() -> None:
    lists = [["a", None], None, [], ["b"]]
    assert lists_of(*lists).array.to_pylist() == lists
