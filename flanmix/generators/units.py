"""Conversions between units, exact by construction: every factor below is exact by definition."""

from fractions import Fraction
from typing import NamedTuple

from flanmix.generators.checks import check_integer, check_word, decimal_text
from flanmix.generators.draw import Draw, Row


class Unit(NamedTuple):
    """The names of a unit; an empty symbol means that the unit is always written out."""

    one: str
    many: str
    symbol: str = ""


class Rule(NamedTuple):
    """One big unit is `factor` small units; values of the big unit get up to `places` decimals."""

    kind: str
    big: Unit
    small: Unit
    factor: Fraction
    places: int
    stated: bool = False  # the question states the factor


KILOMETRE = Unit("kilometre", "kilometres", "km")
METRE = Unit("metre", "metres", "m")
CENTIMETRE = Unit("centimetre", "centimetres", "cm")
MILLIMETRE = Unit("millimetre", "millimetres", "mm")
MILE = Unit("mile", "miles")
YARD = Unit("yard", "yards", "yd")
FOOT = Unit("foot", "feet", "ft")
INCH = Unit("inch", "inches")
TONNE = Unit("tonne", "tonnes", "t")
KILOGRAM = Unit("kilogram", "kilograms", "kg")
GRAM = Unit("gram", "grams", "g")
MILLIGRAM = Unit("milligram", "milligrams", "mg")
STONE = Unit("stone", "stone")
POUND = Unit("pound", "pounds", "lb")
OUNCE = Unit("ounce", "ounces", "oz")
CUBIC_METRE = Unit("cubic metre", "cubic metres", "m\N{SUPERSCRIPT THREE}")
LITRE = Unit("litre", "litres")
CENTILITRE = Unit("centilitre", "centilitres", "cl")
MILLILITRE = Unit("millilitre", "millilitres", "ml")
GALLON = Unit("imperial gallon", "imperial gallons")
PINT = Unit("imperial pint", "imperial pints")
US_GALLON = Unit("US gallon", "US gallons")
WEEK = Unit("week", "weeks")
DAY = Unit("day", "days")
HOUR = Unit("hour", "hours", "h")
MINUTE = Unit("minute", "minutes", "min")
SECOND = Unit("second", "seconds", "s")
MILLISECOND = Unit("millisecond", "milliseconds", "ms")
CELSIUS = Unit("degree Celsius", "degrees Celsius", "\N{DEGREE SIGN}C")
FAHRENHEIT = Unit("degree Fahrenheit", "degrees Fahrenheit", "\N{DEGREE SIGN}F")
KELVIN = Unit("kelvin", "kelvins", "K")

RULES = (
    Rule("length", KILOMETRE, METRE, Fraction(1000), 3),
    Rule("length", KILOMETRE, CENTIMETRE, Fraction(100_000), 2),
    Rule("length", METRE, CENTIMETRE, Fraction(100), 2),
    Rule("length", METRE, MILLIMETRE, Fraction(1000), 3),
    Rule("length", CENTIMETRE, MILLIMETRE, Fraction(10), 2),
    Rule("length", MILE, YARD, Fraction(1760), 1),
    Rule("length", MILE, FOOT, Fraction(5280), 1),
    Rule("length", YARD, FOOT, Fraction(3), 1),
    Rule("length", FOOT, INCH, Fraction(12), 1),
    Rule("length", INCH, CENTIMETRE, Fraction("2.54"), 1, True),
    Rule("length", FOOT, CENTIMETRE, Fraction("30.48"), 1, True),
    Rule("length", YARD, METRE, Fraction("0.9144"), 0, True),
    Rule("length", MILE, KILOMETRE, Fraction("1.609344"), 0, True),
    Rule("mass", TONNE, KILOGRAM, Fraction(1000), 3),
    Rule("mass", KILOGRAM, GRAM, Fraction(1000), 3),
    Rule("mass", GRAM, MILLIGRAM, Fraction(1000), 3),
    Rule("mass", STONE, POUND, Fraction(14), 1),
    Rule("mass", POUND, OUNCE, Fraction(16), 1),
    Rule("mass", POUND, KILOGRAM, Fraction("0.45359237"), 0, True),
    Rule("mass", POUND, GRAM, Fraction("453.59237"), 0, True),
    Rule("mass", OUNCE, GRAM, Fraction("28.349523125"), 0, True),
    Rule("volume", CUBIC_METRE, LITRE, Fraction(1000), 3),
    Rule("volume", LITRE, CENTILITRE, Fraction(100), 2),
    Rule("volume", LITRE, MILLILITRE, Fraction(1000), 3),
    Rule("volume", CENTILITRE, MILLILITRE, Fraction(10), 1),
    Rule("volume", GALLON, PINT, Fraction(8), 1),
    Rule("volume", GALLON, LITRE, Fraction("4.54609"), 0, True),
    Rule("volume", US_GALLON, LITRE, Fraction("3.785411784"), 0, True),
    Rule("time", WEEK, DAY, Fraction(7), 1),
    Rule("time", WEEK, HOUR, Fraction(168), 1),
    Rule("time", DAY, HOUR, Fraction(24), 2),
    Rule("time", DAY, MINUTE, Fraction(1440), 1),
    Rule("time", HOUR, MINUTE, Fraction(60), 2),
    Rule("time", HOUR, SECOND, Fraction(3600), 2),
    Rule("time", MINUTE, SECOND, Fraction(60), 2),
    Rule("time", SECOND, MILLISECOND, Fraction(1000), 3),
)
KINDS = ("length", "mass", "volume", "time", "temperature")
_RULES = {kind: tuple(rule for rule in RULES if rule.kind == kind) for kind in KINDS}

_FORMS = (
    "What is {given} in {unit}?",
    "How much is {given} in {unit}?",
    "How many {unit} is {given}?",
    "What is {given} when it is expressed in {unit}?",
    "If you convert {given} into {unit}, what do you get?",
    "Converted into {unit}, how much is {given}?",
)
_COUNTED = (*_FORMS, "How many {unit} are there in {given}?")
_STORIES = {
    "length": "A distance is {given}. What is it in {unit}?",
    "mass": "Something weighs {given}. What does it weigh in {unit}?",
    "volume": "A container holds {given}. How much is that in {unit}?",
    "time": "Something lasts {given}. How long is that in {unit}?",
    "temperature": "A thermometer shows {given}. How much is that in {unit}?",
}
_STATED = ("1 {big} = {factor} {small}. ", "1 {big} is exactly {factor} {small}. ")
_CEILINGS = (50, 200, 10**6)
_TEMPERATURES = (CELSIUS, FAHRENHEIT, KELVIN)


def _amount(value: Fraction, unit: Unit, symbol: bool) -> str:
    name = unit.symbol if symbol else unit.one if value == 1 else unit.many
    return f"{decimal_text(value)} {name}"


def _row(draw: Draw, kind: str, given: tuple[Fraction, Unit], asked: tuple[Fraction, Unit]) -> Row:
    """The question how much the given amount is in the unit of the asked amount."""
    symbol = bool(given[1].symbol and asked[1].symbol) and draw.chance(1, 3)
    forms = _FORMS if symbol or kind == "temperature" else _COUNTED
    form = draw.choice((*forms, _STORIES[kind]))
    unit = asked[1].symbol if symbol else asked[1].many
    question = form.format(given=_amount(*given, symbol), unit=unit)
    return {"question": question, "answer": _amount(*asked, symbol)}


def _temperature(draw: Draw, largest: int) -> Row:
    celsius = Fraction(draw.integer(-1000, min(largest, draw.choice(_CEILINGS)) * 10), 10)
    if draw.chance(1, 3):
        celsius = Fraction(round(celsius))
    degrees = {
        CELSIUS: celsius,
        FAHRENHEIT: celsius * Fraction(9, 5) + 32,
        KELVIN: celsius + Fraction("273.15"),
    }
    given, asked = draw.sample(_TEMPERATURES, 2)
    return _row(draw, "temperature", (degrees[given], given), (degrees[asked], asked))


def convert(draw: Draw, *, kind: str = "any", largest: int = 500) -> Row:
    """An amount of up to `largest` of the bigger unit, asked for in another unit of the same kind.

    >>> convert(Draw(1, "units/convert", 0))["answer"]
    '3.8 m'
    """
    check_word("kind", kind, ("any", *KINDS))
    check_integer("largest", largest, 2, 10**6)
    if kind == "any":
        kind = draw.choice(KINDS)
    if kind == "temperature":
        return _temperature(draw, largest)
    rule = draw.choice(_RULES[kind])
    unit = 10 ** draw.integer(0, rule.places)
    value = Fraction(draw.integer(1, min(largest, draw.choice(_CEILINGS)) * unit), unit)
    big, small = (value, rule.big), (value * rule.factor, rule.small)
    given, asked = (big, small) if draw.chance(1, 2) else (small, big)
    row = _row(draw, kind, given, asked)
    if rule.stated:
        lead = draw.choice(_STATED).format(big=rule.big.one, factor=decimal_text(rule.factor), small=rule.small.many)
        row["question"] = f"{lead}{row['question']}"
    return row
