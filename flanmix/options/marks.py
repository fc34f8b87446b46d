"""Marks that options are labelled with: letters, numbers, roman numbers."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flanmix.spec.axes import OptionLabels

_ROMAN: Mapping[str, int] = MappingProxyType(
    {"m": 1000, "cm": 900, "d": 500, "cd": 400, "c": 100, "xc": 90, "l": 50, "xl": 40, "x": 10}
    | {"ix": 9, "v": 5, "iv": 4, "i": 1}
)


def marks(labels: OptionLabels, count: int) -> list[str]:
    """The first marks of a kind. After Z comes AA, as in the columns of a spreadsheet.

    >>> marks("capitals", 28)[25:]
    ['Z', 'AA', 'AB']
    >>> marks("roman", 4)
    ['i', 'ii', 'iii', 'iv']
    """
    mark = _MARKS[labels]
    return [mark(number) for number in range(1, count + 1)]


def _letters(number: int) -> str:
    text = ""
    while number:
        number, last = divmod(number - 1, 26)
        text = chr(ord("a") + last) + text
    return text


def _roman(number: int) -> str:
    text = ""
    for sign, value in _ROMAN.items():
        count, number = divmod(number, value)
        text += sign * count
    return text


_MARKS: Mapping[OptionLabels, Callable[[int], str]] = MappingProxyType(
    {
        "none": lambda number: "",
        "capitals": lambda number: _letters(number).upper(),
        "letters": _letters,
        "numbers": str,
        "roman": _roman,
        "roman_capitals": lambda number: _roman(number).upper(),
    }
)
