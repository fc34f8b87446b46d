import re
from collections.abc import Callable
from fractions import Fraction

import pytest

Rows = Callable[..., list[dict[str, str]]]

# Each unit by every way to write it, as an amount of the base unit of its kind.
SIZES = {
    "length": {
        "km kilometre kilometres": "1000",
        "m metre metres": "1",
        "cm centimetre centimetres": "0.01",
        "mm millimetre millimetres": "0.001",
        "mile miles": "1609.344",
        "yd yard yards": "0.9144",
        "ft foot feet": "0.3048",
        "inch inches": "0.0254",
    },
    "mass": {
        "t tonne tonnes": "1000000",
        "kg kilogram kilograms": "1000",
        "g gram grams": "1",
        "mg milligram milligrams": "0.001",
        "stone": "6350.29318",
        "lb pound pounds": "453.59237",
        "oz ounce ounces": "28.349523125",
    },
    "volume": {
        "m\N{SUPERSCRIPT THREE} cubic_metre cubic_metres": "1000",
        "litre litres": "1",
        "cl centilitre centilitres": "0.01",
        "ml millilitre millilitres": "0.001",
        "imperial_gallon imperial_gallons": "4.54609",
        "imperial_pint imperial_pints": "0.56826125",
        "US_gallon US_gallons": "3.785411784",
    },
    "time": {
        "week weeks": "604800",
        "day days": "86400",
        "h hour hours": "3600",
        "min minute minutes": "60",
        "s second seconds": "1",
        "ms millisecond milliseconds": "0.001",
    },
}
UNITS = {
    name.replace("_", " "): (kind, Fraction(size))
    for kind, sizes in SIZES.items()
    for names, size in sizes.items()
    for name in names.split()
}
DEGREES = {
    "degrees Celsius": "C",
    "degree Celsius": "C",
    "\N{DEGREE SIGN}C": "C",
    "degrees Fahrenheit": "F",
    "degree Fahrenheit": "F",
    "\N{DEGREE SIGN}F": "F",
    "kelvins": "K",
    "kelvin": "K",
    "K": "K",
}
NAME = "(" + "|".join(sorted(map(re.escape, [*UNITS, *DEGREES]), key=len, reverse=True)) + ")"
AMOUNT = re.compile(rf"(-?\d+(?:\.\d+)?) {NAME}(?![\w])")
STATED = re.compile(rf"1 {NAME} (?:=|is exactly) (\d+\.\d+) {NAME}\. (?=[A-Z])")
ASKED = re.compile(rf"(?:How many|in|into) {NAME}(?: is| are there|\?|,)")


def _kelvin(value: Fraction, scale: str) -> Fraction:
    if scale == "C":
        return value + Fraction("273.15")
    return (value + Fraction("459.67")) * 5 / 9 if scale == "F" else value


@pytest.mark.parametrize("kind", ["any", "length", "mass", "volume", "time", "temperature"])
def test_convert(rows: Rows, kind: str) -> None:
    pairs = set()
    for row in rows("units/convert", kind=kind):
        question = row["question"]
        stated = STATED.match(question)
        if stated:
            question = question[stated.end() :]
            assert UNITS[stated[1]][1] == Fraction(stated[2]) * UNITS[stated[3]][1]
        given, answer, asked = (
            AMOUNT.search(question),
            AMOUNT.fullmatch(row["answer"]),
            ASKED.search(question),
        )
        assert given, row
        assert answer, row
        assert asked, row
        assert asked[1] in (
            answer[2],
            f"{answer[2]}s",
            {"degree Celsius": "degrees Celsius"}.get(answer[2]),
        ) or (answer[1] == "1")
        for amount in (given, answer):
            singular = amount[2] in ("foot", "degree Celsius", "degree Fahrenheit") or f"{amount[2]}s" in UNITS
            singular = singular or amount[2] in ("kelvin", "inch")
            if len(amount[2]) > 2 and amount[2] not in ("stone", "min"):
                assert singular == (amount[1] == "1"), row
        if given[2] in DEGREES:
            known, wanted = _kelvin(Fraction(given[1]), DEGREES[given[2]]), Fraction(answer[1])
            assert known == _kelvin(wanted, DEGREES[answer[2]]), row
            assert known >= 0
        else:
            (given_kind, size), (answer_kind, answer_size) = UNITS[given[2]], UNITS[answer[2]]
            assert given_kind == answer_kind
            assert kind in ("any", given_kind)
            assert Fraction(given[1]) * size == Fraction(answer[1]) * answer_size, row
        pairs.add((given[2], answer[2]))
    assert len(pairs) > 9


def test_factors_between_systems_are_stated(rows: Rows) -> None:
    imperial = re.compile(r"mile|yard|feet|foot|inch|pound|ounce|stone|gallon|pint|\b(yd|ft|lb|oz)\b")
    for row in rows("units/convert"):
        given = STATED.sub("", row["question"])
        asked, answer = AMOUNT.search(given), row["answer"]
        assert asked
        mixed = bool(imperial.search(asked[0])) != bool(imperial.search(answer))
        assert mixed == bool(STATED.match(row["question"])), row
