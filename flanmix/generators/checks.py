"""What every generator needs: checks of its options and the exact writing of numbers."""

from collections.abc import Collection
from fractions import Fraction


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Raise ValueError unless the option is an integer from low to high.

    >>> check_integer("largest", 0, 1, 99)
    Traceback (most recent call last):
    ...
    ValueError: largest must be an integer from 1 to 99, not 0
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")


def check_span(low_name: str, low: object, high_name: str, high: object, least: int, most: int) -> None:
    """Raise ValueError unless both options are integers from least to most, and low is at most high.

    >>> check_span("first_year", 2000, "last_year", 1999, 1900, 2100)
    Traceback (most recent call last):
    ...
    ValueError: first_year must not be above last_year, but 2000 is above 1999
    """
    check_integer(low_name, low, least, most)
    check_integer(high_name, high, least, most)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        raise ValueError(f"{low_name} must not be above {high_name}, but {low} is above {high}")


def check_word(name: str, value: object, allowed: Collection[str]) -> None:
    """Raise ValueError unless the option is one of the allowed words.

    >>> check_word("kind", "colour", ("length", "mass"))
    Traceback (most recent call last):
    ...
    ValueError: kind must be one of length, mass, not 'colour'
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def decimal_text(value: Fraction | int) -> str:
    """A number written as an exact decimal, without needless zeros.

    >>> decimal_text(Fraction(-7, 4)), decimal_text(Fraction(300, 10))
    ('-1.75', '30')
    """
    top, bottom = value.numerator, value.denominator
    if bottom == 1:
        return str(top)
    places = 0
    power = 1
    while power % bottom:
        if places == 40:
            raise ValueError(f"{value} has no exact decimal of 40 places or fewer")
        places += 1
        power *= 10
    digits = str(abs(top) * (power // bottom)).rjust(places + 1, "0")
    return f"{'-' if top < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def ordinal(number: int) -> str:
    """The number as an ordinal in figures.

    >>> [ordinal(number) for number in (1, 2, 3, 11, 22)]
    ['1st', '2nd', '3rd', '11th', '22nd']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
