"""Lists to be put in order; no two items of a list are equal in the order asked for."""

from fractions import Fraction

from flanmix.generators.checks import check_span, decimal_text
from flanmix.generators.dates import STYLES, date_text, draw_date
from flanmix.generators.draw import Draw, Row
from flanmix.generators.words import WORDS

_UP = ("from smallest to largest", "in ascending order", "in increasing order", "from lowest to highest")
_DOWN = ("from largest to smallest", "in descending order", "in decreasing order", "from highest to lowest")
_ALPHABETICAL = ("in alphabetical order", "from A to Z", "alphabetically")
_REVERSED = ("in reverse alphabetical order", "from Z to A")
_LONGER = ("from shortest to longest", "by length, shortest first")
_SHORTER = ("from longest to shortest", "by length, longest first")
_LATER = ("from earliest to latest", "in chronological order", "with the earliest first")
_EARLIER = ("from latest to earliest", "in reverse chronological order", "with the latest first")
# The lowest and the highest numerator with the denominator.
_RANGES = ((1, 99, 1), (1, 999, 1), (-99, 99, 1), (100, 9999, 1), (1, 999, 10), (1, 9999, 100))
_LENGTHS = tuple(sorted({len(word) for word in WORDS}))
_BY_LETTER = {word[0]: tuple(other for other in WORDS if other[0] == word[0]) for word in WORDS}
_BY_LENGTH = {length: tuple(word for word in WORDS if len(word) == length) for length in _LENGTHS}


def _row(items: list[str], order: str, answer: list[str]) -> Row:
    return {"items": ", ".join(items), "order": order, "answer": ", ".join(answer)}


def numbers(draw: Draw, *, fewest: int = 4, most: int = 10) -> Row:
    """Between `fewest` and `most` whole numbers, some below zero, or decimals.

    >>> numbers(Draw(1, "sorting/numbers", 0))["answer"]
    '6704, 5712, 4864, 4078, 2533, 1961, 804'
    """
    check_span("fewest", fewest, "most", most, 2, 50)
    count = draw.integer(fewest, most)
    low, high, unit = draw.choice(_RANGES)
    values = [Fraction(value, unit) for value in draw.sample(range(low, high + 1), count)]
    up = draw.chance(1, 2)
    answer = sorted(values, reverse=not up)
    order = draw.choice(_UP if up else _DOWN)
    return _row([decimal_text(value) for value in values], order, [decimal_text(value) for value in answer])


def words(draw: Draw, *, fewest: int = 4, most: int = 10) -> Row:
    """Between `fewest` and `most` words, by the alphabet, or (up to five words) by length.

    >>> words(Draw(1, "sorting/words", 0))["answer"]
    'tea, whale, orange, lantern, elephant'
    """
    check_span("fewest", fewest, "most", most, 2, 50)
    count, forward = draw.integer(fewest, most), draw.chance(2, 3)
    if count <= 5 and draw.chance(1, 3):
        items = [draw.choice(_BY_LENGTH[length]) for length in draw.sample(_LENGTHS, count)]
        answer = sorted(items, key=len, reverse=not forward)
        return _row(items, draw.choice(_LONGER if forward else _SHORTER), answer)
    items = draw.sample(WORDS, count)
    if draw.chance(1, 3):  # words that share their first letter are harder to order
        same = _BY_LETTER[items[0][0]]
        items = draw.sample(same, count) if len(same) >= count else items
    return _row(items, draw.choice(_ALPHABETICAL if forward else _REVERSED), sorted(items, reverse=not forward))


def dates(draw: Draw, *, fewest: int = 3, most: int = 6, first_year: int = 1900, last_year: int = 2100) -> Row:
    """Between `fewest` and `most` dates, all written in the same style, often close together.

    >>> dates(Draw(1, "sorting/dates", 0))["order"]
    'with the earliest first'
    """
    check_span("fewest", fewest, "most", most, 2, 50)
    check_span("first_year", first_year, "last_year", last_year, 1600, 9000)
    count, style = draw.integer(fewest, most), draw.choice(STYLES)
    year = draw.integer(first_year, last_year)
    reach = draw.choice((0, 2, 60))
    days = {draw_date(draw, year, min(last_year, year + reach)) for _ in range(count)}
    while len(days) < count:
        days.add(draw_date(draw, year, min(last_year, year + reach)))
    up = draw.chance(1, 2)
    answer = sorted(days, reverse=not up)
    items = draw.shuffled(answer)
    order = draw.choice(_LATER if up else _EARLIER)
    return _row([date_text(day, style) for day in items], order, [date_text(day, style) for day in answer])
