"""Questions about the Gregorian calendar and the clock."""

from datetime import date, timedelta

from flanmix.generators.checks import check_integer, check_span, ordinal
from flanmix.generators.draw import Draw, Row

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
STYLES = ("plain", "ordinal", "short", "iso")

# Forms in the past or the future tense are used only for years safely on that side.
_LAST_PAST_YEAR = 2020
_FIRST_FUTURE_YEAR = 2045
_WEEKDAY = (
    "What day of the week is {date}?",
    "On which day of the week does {date} fall?",
    "Which day of the week does a calendar show for {date}?",
    "If a diary has a page for {date}, which day of the week is printed on it?",
)
_WEEKDAY_PAST = (
    *_WEEKDAY,
    "What day of the week was {date}?",
    "Someone was born on {date}. Which day of the week was that?",
    "A letter is dated {date}. On which day of the week was it written?",
)
_WEEKDAY_FUTURE = (
    *_WEEKDAY,
    "What day of the week will {date} be?",
    "A concert is planned for {date}. On which day of the week will it take place?",
)
_AFTER = (
    "What date is {span} after {date}?",
    "Which date comes {span} after {date}?",
    "If today is {date}, what will the date be in {span}?",
    "Work starts on {date} and must be finished {span} later. On what date must it be finished?",
    "If you count {span} forward from {date}, which date do you reach?",
)
_BEFORE = (
    "What date is {span} before {date}?",
    "Which date comes {span} before {date}?",
    "If today is {date}, what was the date {span} ago?",
    "A bridge opens on {date}, {span} after work on it begins. On what date does work begin?",
    "If you count {span} back from {date}, which date do you reach?",
)
_BETWEEN = (
    "How many days after {first} is {second}?",
    "How many days before {second} is {first}?",
    "How many days is it from {first} to {second}?",
    "If today is {first}, in how many days is it {second}?",
    "If today is {second}, how many days ago was {first}?",
    "A fence is put up on {first} and painted on {second}. How many days later is it painted?",
    "Counting forward from {first}, after how many days do you reach {second}?",
)
_CLOCK_FORWARD = (
    "What time is it {span} after {time}?",
    "It is {time} now. What time will it be in {span}?",
    "A shift starts at {time} and lasts {span}. At what time does it end?",
    "A train leaves at {time} and the journey takes {span}. At what time does it arrive?",
    "A timer is set at {time} to ring after {span}. At what time does it ring?",
)
_CLOCK_BACK = (
    "What time is it {span} before {time}?",
    "It is {time} now. What time was it {span} ago?",
    "A shift ends at {time} after lasting {span}. At what time did it start?",
    "A coach arrives at {time} after a journey of {span}. At what time did it leave?",
)


def date_text(day: date, style: str) -> str:
    """A date written in one of the STYLES.

    >>> [date_text(date(1987, 3, 2), style) for style in STYLES]
    ['2 March 1987', '2nd March 1987', '2 Mar 1987', '1987-03-02']
    """
    month = MONTHS[day.month - 1]
    if style == "plain":
        return f"{day.day} {month} {day.year}"
    if style == "ordinal":
        return f"{ordinal(day.day)} {month} {day.year}"
    if style == "short":
        return f"{day.day} {month[:3]} {day.year}"
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


def draw_date(draw: Draw, first_year: int, last_year: int) -> date:
    """A day from the first of January of first_year to the end of last_year.

    >>> draw_date(Draw(1, "any", 0), 1900, 1900).year
    1900
    """
    first = date(first_year, 1, 1).toordinal()
    return date.fromordinal(draw.integer(first, date(last_year, 12, 31).toordinal()))


def _draw_style(draw: Draw) -> str:
    return draw.choice(("plain", "plain", *STYLES))


def _check_years(first_year: int, last_year: int) -> None:
    check_span("first_year", first_year, "last_year", last_year, 1600, 9000)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def weekday(draw: Draw, *, first_year: int = 1900, last_year: int = 2100) -> Row:
    """The day of the week of a date.

    >>> weekday(Draw(1, "dates/weekday", 0))["answer"]
    'Sunday'
    """
    _check_years(first_year, last_year)
    day = draw_date(draw, first_year, last_year)
    forms: tuple[str, ...] = _WEEKDAY
    if day.year <= _LAST_PAST_YEAR:
        forms = _WEEKDAY_PAST
    elif day.year >= _FIRST_FUTURE_YEAR:
        forms = _WEEKDAY_FUTURE
    question = draw.choice(forms).format(date=date_text(day, _draw_style(draw)))
    return {"question": question, "answer": WEEKDAYS[day.weekday()]}


def add_days(draw: Draw, *, first_year: int = 1900, last_year: int = 2100, largest: int = 1000) -> Row:
    """The date some days or weeks (`largest` days at most) before or after a date.

    >>> add_days(Draw(1, "dates/add_days", 0))["answer"]
    '31 August 2098'
    """
    _check_years(first_year, last_year)
    check_integer("largest", largest, 1, 5000)
    day, style = draw_date(draw, first_year, last_year), _draw_style(draw)
    days = draw.integer(1, largest if draw.chance(2, 3) else min(largest, 100))
    span = _count(days, "day")
    if days >= 7 and draw.chance(1, 4):
        span = _count(days // 7, "week")
        days -= days % 7
    forward = draw.chance(3, 5)
    question = draw.choice(_AFTER if forward else _BEFORE).format(date=date_text(day, style), span=span)
    answer = day + timedelta(days if forward else -days)
    return {"question": question, "answer": date_text(answer, style)}


def days_between(draw: Draw, *, first_year: int = 1900, last_year: int = 2100, largest: int = 1000) -> Row:
    """The number of days (`largest` at most) from one date to a later one.

    >>> days_between(Draw(1, "dates/days_between", 0))["answer"]
    '842 days'
    """
    _check_years(first_year, last_year)
    check_integer("largest", largest, 1, 5000)
    first, style = draw_date(draw, first_year, last_year), _draw_style(draw)
    days = draw.integer(1, largest if draw.chance(2, 3) else min(largest, 100))
    second = date_text(first + timedelta(days), style)
    question = draw.choice(_BETWEEN).format(first=date_text(first, style), second=second)
    return {"question": question, "answer": _count(days, "day")}


def _clock_text(minutes: int, twelve: bool) -> str:
    hour, minute = divmod(minutes % 1440, 60)
    if twelve:
        return f"{(hour + 11) % 12 + 1}:{minute:02} {'am' if hour < 12 else 'pm'}"
    return f"{hour:02}:{minute:02}"


def clock_time(draw: Draw, *, largest: int = 600) -> Row:
    """The time of day some minutes (`largest` at most) before or after another.

    >>> clock_time(Draw(1, "dates/clock_time", 0))["answer"]
    '9:42 pm'
    """
    check_integer("largest", largest, 1, 1439)
    start, twelve = draw.integer(0, 1439), draw.chance(1, 2)
    length = draw.integer(1, largest if draw.chance(1, 3) else largest // 3 + 1)
    hours, minutes = divmod(length, 60)
    span = _count(length, "minute")
    if hours and (length > 180 or draw.chance(1, 2)):
        parts = [_count(hours, "hour")] + ([_count(minutes, "minute")] if minutes else [])
        span = " and ".join(parts)
    forward = draw.chance(3, 5)
    form = draw.choice(_CLOCK_FORWARD if forward else _CLOCK_BACK)
    answer = _clock_text(start + length if forward else start - length, twelve)
    return {"question": form.format(time=_clock_text(start, twelve), span=span), "answer": answer}
