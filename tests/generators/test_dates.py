import re
from collections.abc import Callable

import pytest

Rows = Callable[..., list[dict[str, str]]]

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
FULL = ["January", "February", "March", "April", "May", "June", "July", "August"]
FULL += ["September", "October", "November", "December"]
DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(\d{1,2})(st|nd|rd|th)? ([A-Z][a-z]+) (\d{4})")
TIME = re.compile(r"(\d{1,2}):(\d\d)( am| pm)?")
BACK = re.compile(r" before |after work on it begins| ago\?| ago | earlier|back from|At what time did it (start|leave)")
YEARS = {"first_year": 1600, "last_year": 9000}


def _length(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _dates(text: str) -> list[tuple[str, int, int, int]]:
    """All the dates of a text as (style, year, month, day), each checked to exist and to be well written."""
    found = []
    for match in DATE.finditer(text):
        if match[1]:
            style, year, month, day = "iso", int(match[1]), int(match[2]), int(match[3])
        else:
            day, year, name = int(match[4]), int(match[7]), match[6]
            month = FULL.index(name) + 1 if name in FULL else MONTHS.index(name) + 1
            style = "ordinal" if match[5] else "plain" if len(name) > 3 else "may" if name == "May" else "short"
            if match[5]:
                ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
                assert match[5] == ending
        assert 1 <= month <= 12
        assert 1 <= day <= _length(year, month)
        found.append((style, year, month, day))
    return found


def _number(date: tuple[str, int, int, int]) -> int:
    """The Julian day number, by the formula for the Gregorian calendar."""
    _, year, month, day = date
    a = (14 - month) // 12
    y, m = year + 4800 - a, month + 12 * a - 3
    return day + (153 * m + 2) // 5 + 365 * y + y // 4 - y // 100 + y // 400 - 32045


def _zeller(date: tuple[str, int, int, int]) -> str:
    _, year, month, day = date
    if month < 3:
        month, year = month + 12, year - 1
    return DAYS[(day + 13 * (month + 1) // 5 + year % 100 + year % 100 // 4 + year // 400 - 2 * (year // 100) - 1) % 7]


@pytest.mark.parametrize("options", [{}, YEARS])
def test_weekday(rows: Rows, options: dict[str, int]) -> None:
    years = set()
    for row in rows("dates/weekday", **options):
        (date,) = _dates(row["question"])
        assert row["answer"] == _zeller(date) == DAYS[(_number(date) + 1) % 7]
        assert " was " not in row["question"] or date[1] <= 2020
        assert " will " not in row["question"] or date[1] >= 2045
        years.add(date[1])
    assert min(years) < options.get("first_year", 1900) + 60
    assert max(years) > options.get("last_year", 2100) - 60


@pytest.mark.parametrize("options", [{}, YEARS, {"largest": 5000}])
def test_add_days(rows: Rows, options: dict[str, int]) -> None:
    for row in rows("dates/add_days", **options):
        (date,), (answer,) = _dates(row["question"]), _dates(row["answer"])
        assert {date[0], answer[0]} in ({date[0]}, {"may", "plain"}, {"may", "short"})
        found = re.search(r"\b(\d+) (day|week)(s?)\b", row["question"])
        assert found
        count = int(found[1])
        assert (count == 1) == (not found[3])
        days = count * (7 if found[2] == "week" else 1)
        back = BACK.search(row["question"]) is not None
        assert _number(answer) - _number(date) == (-days if back else days), row


@pytest.mark.parametrize("options", [{}, YEARS])
def test_days_between(rows: Rows, options: dict[str, int]) -> None:
    for row in rows("dates/days_between", **options):
        first, second = _dates(row["question"])
        days = abs(_number(first) - _number(second))
        assert row["answer"] == ("1 day" if days == 1 else f"{days} days")
        in_order = _number(first) < _number(second)
        starts_late = re.search(r"^How many days before|how many days ago", row["question"])
        if row["question"].startswith("How many days after"):
            assert in_order
        elif starts_late:
            assert not in_order
        else:
            assert in_order


def _minutes(text: str) -> int:
    found = TIME.search(text)
    assert found
    hour, minute = int(found[1]), int(found[2])
    if found[3]:
        assert 1 <= hour <= 12
        return (hour % 12 + (12 if found[3] == " pm" else 0)) * 60 + minute
    assert len(found[1]) == 2
    return hour * 60 + minute


def test_clock_time(rows: Rows) -> None:
    for row in rows("dates/clock_time"):
        question, answer = row["question"], row["answer"]
        hours, minutes = re.search(r"(\d+) hours?\b", question), re.search(r"(\d+) minutes?\b", question)
        span = (int(hours[1]) * 60 if hours else 0) + (int(minutes[1]) if minutes else 0)
        assert span
        back = BACK.search(question) is not None
        assert _minutes(answer) == (_minutes(question) + (-span if back else span)) % 1440, row
        assert TIME.fullmatch(answer)
        assert ("m" in answer) == bool(re.search(r"\d [ap]m", question))


def test_sorted_dates(rows: Rows) -> None:
    for row in rows("sorting/dates", **YEARS):
        items, answer = row["items"].split(", "), row["answer"].split(", ")
        assert 3 <= len(items) <= 6
        assert sorted(items) == sorted(answer)
        numbers = [_number(_dates(text)[0]) for text in answer]
        assert len(set(numbers)) == len(items)
        late = "latest to" in row["order"] or "reverse" in row["order"] or "the latest first" in row["order"]
        assert numbers == sorted(numbers, reverse=late), row
