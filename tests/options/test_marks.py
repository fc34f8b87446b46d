"""Marks of options: as in a spreadsheet, as in books, and no two alike."""

from typing import get_args

import pytest

from flanmix.options.library import option_styles
from flanmix.options.marks import marks
from flanmix.options.writing import labels
from flanmix.spec.axes import OptionLabels

KINDS = [kind for kind in get_args(OptionLabels) if kind != "none"]


def test_letters_go_on_as_columns_of_a_spreadsheet_do() -> None:
    found = marks("capitals", 800)
    assert [found[place] for place in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]
    assert marks("letters", 30) == [mark.lower() for mark in found[:30]]


def test_roman_numbers_are_those_of_books() -> None:
    found = marks("roman", 3999)
    known = {1: "i", 4: "iv", 9: "ix", 14: "xiv", 40: "xl", 90: "xc", 400: "cd", 1994: "mcmxciv", 3999: "mmmcmxcix"}
    assert {number: found[number - 1] for number in known} == known
    assert marks("roman_capitals", 50) == [mark.upper() for mark in found[:50]]


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_marks_are_alike_and_none_is_empty_or_has_punctuation(kind: OptionLabels) -> None:
    found = marks(kind, 5_000)
    assert len(set(found)) == 5_000
    assert all(mark.isalnum() for mark in found)


def test_more_marks_begin_with_fewer() -> None:
    for kind in KINDS:
        assert marks(kind, 900)[:31] == marks(kind, 31)


def test_labels_of_every_style_that_has_any_are_distinct() -> None:
    for style in option_styles().values():
        found = labels(style, 2_000)
        assert len(set(found)) == (1 if style.labels == "none" else 2_000), style.name
