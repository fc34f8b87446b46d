"""Sums in whole numbers, decimals, fractions and percentages, all exact."""

from fractions import Fraction
from math import gcd, isqrt

from flanmix.generators.checks import check_integer, decimal_text
from flanmix.generators.draw import Draw, Row

TIMES = "\N{MULTIPLICATION SIGN}"
DIVIDED = "\N{DIVISION SIGN}"

_ADD = (
    "What is {a} + {b}?",
    "What is {a} plus {b}?",
    "How much is {a} + {b}?",
    "What is the sum of {a} and {b}?",
    "What do you get when you add {b} to {a}?",
    "What does {a} + {b} equal?",
    "What number is {b} more than {a}?",
    "What is the total of {a} and {b}?",
)
_SUBTRACT = (
    "What is {a} - {b}?",
    "What is {a} minus {b}?",
    "What does {a} - {b} equal?",
    "What do you get when you subtract {b} from {a}?",
    "What number is {b} less than {a}?",
)
_TAKE_AWAY = (
    *_SUBTRACT,
    "What is left when {b} is taken away from {a}?",
    "What is the difference between {a} and {b}?",
    "What must be added to {b} to make {a}?",
)
_THREE = (
    ("What is {a} + {b} + {c}?", 1, 1),
    ("What is the sum of {a}, {b} and {c}?", 1, 1),
    ("What is {a} + {b} - {c}?", 1, -1),
    ("What is {a} - {b} + {c}?", -1, 1),
    ("What is {a} - {b} - {c}?", -1, -1),
    ("If you start with {a}, add {b} and then subtract {c}, what do you get?", 1, -1),
    ("If you start with {a}, take away {b} and then add {c}, what do you get?", -1, 1),
)
_MULTIPLY = (
    f"What is {{a}} {TIMES} {{b}}?",
    "What is {a} * {b}?",
    "What is {a} times {b}?",
    "What is {a} multiplied by {b}?",
    "What is the product of {a} and {b}?",
    f"How much is {{a}} {TIMES} {{b}}?",
    "What do you get when you multiply {a} by {b}?",
    "What is the total of {b} lots of {a}?",
)
_DIVIDE = (
    f"What is {{a}} {DIVIDED} {{b}}?",
    "What is {a} / {b}?",
    "What is {a} divided by {b}?",
    f"How much is {{a}} {DIVIDED} {{b}}?",
    "How many times does {b} go into {a}?",
    "What do you get when you divide {a} by {b}?",
    "Which number multiplied by {b} gives {a}?",
    "If {a} is split into {b} equal parts, how large is each part?",
)
_FRACTION = (
    "What is {sum} in its simplest form?",
    "What is {sum} as a fraction in its lowest terms?",
    "What do you get when you work out {sum} and simplify the result?",
    "How much is {sum}, fully simplified?",
    "What does {sum} equal when it is reduced to lowest terms?",
)
_PERCENTAGE = (
    ("What is {p}% of {n}?", "part"),
    ("How much is {p}% of {n}?", "part"),
    ("What is {p} per cent of {n}?", "part"),
    ("What percentage of {n} is {part}?", "percentage"),
    ("What percentage of {n} does {part} make up?", "percentage"),
    ("What is {n} increased by {p}%?", "more"),
    ("What number is {p}% more than {n}?", "more"),
    ("What is {n} reduced by {p}%?", "less"),
    ("What number is {p}% less than {n}?", "less"),
)


def add_subtract(draw: Draw, *, largest: int = 9999, decimals: int = 0) -> Row:
    """Addition and subtraction of two or three numbers up to `largest`, with up to `decimals` places.

    >>> add_subtract(Draw(1, "arithmetic/add_subtract", 0))["answer"]
    '1584'
    """
    check_integer("largest", largest, 10, 10**12)
    check_integer("decimals", decimals, 0, 6)
    unit = 10**decimals
    a, b, c = (
        Fraction(draw.integer(1, (largest if draw.chance(2, 3) else isqrt(largest)) * unit), unit) for _ in range(3)
    )
    if draw.chance(1, 4):
        form, sign_b, sign_c = draw.choice(_THREE)
        answer = a + sign_b * b + sign_c * c
    elif draw.chance(1, 2):
        form, answer = draw.choice(_ADD), a + b
    else:
        if a < b and draw.chance(7, 8):
            a, b = b, a
        form, answer = draw.choice(_SUBTRACT if a < b else _TAKE_AWAY), a - b
    question = form.format(a=decimal_text(a), b=decimal_text(b), c=decimal_text(c))
    return {"question": question, "answer": decimal_text(answer)}


def multiply_divide(draw: Draw, *, largest: int = 999, second: int = 99) -> Row:
    """Products of a number up to `largest` and one up to `second`, and divisions without remainder.

    >>> multiply_divide(Draw(1, "arithmetic/multiply_divide", 0))["answer"]
    '46716'
    """
    check_integer("largest", largest, 2, 10**9)
    check_integer("second", second, 2, 10**9)
    a, b = draw.integer(2, largest), draw.integer(2, second)
    if draw.chance(1, 2):
        first, other = (a, b) if draw.chance(2, 3) else (b, a)
        return {"question": draw.choice(_MULTIPLY).format(a=first, b=other), "answer": str(a * b)}
    return {"question": draw.choice(_DIVIDE).format(a=a * b, b=b), "answer": str(a)}


def _expression(draw: Draw, largest: int) -> tuple[str, int]:
    """An expression of three or four numbers with its value; every division in it is exact."""
    a, b, c, d = (draw.integer(2, largest) for _ in range(4))
    less = draw.integer(1, b - 1)
    forms: tuple[tuple[str, int], ...] = (
        (f"{a} + {b} {TIMES} {c}", a + b * c),
        (f"{a} {TIMES} {b} - {c}", a * b - c),
        (f"{a} - {b} {TIMES} {c}", a - b * c),
        (f"({a} + {b}) {TIMES} {c}", (a + b) * c),
        (f"{a} {TIMES} ({b} - {less})", a * (b - less)),
        (f"{a} {TIMES} ({b} + {c}) - {d}", a * (b + c) - d),
        (f"{a * b} {DIVIDED} {b} + {c}", a + c),
        (f"{d} + {a * b} {DIVIDED} {a}", d + b),
        (f"{a} {TIMES} {b} + {c} {TIMES} {d}", a * b + c * d),
        (f"({a} + {d}) {TIMES} ({b} - {less})", (a + d) * (b - less)),
        (f"{a * (b + c)} {DIVIDED} ({b} + {c})", a),
        (f"({a} + {a * c}) {DIVIDED} {a} - {d}", 1 + c - d),
    )
    return draw.choice(forms)


def order_of_operations(draw: Draw, *, largest: int = 40) -> Row:
    """Expressions with brackets and several operations.

    >>> order_of_operations(Draw(1, "arithmetic/order_of_operations", 0))["answer"]
    '475'
    """
    check_integer("largest", largest, 3, 10**6)
    expression, value = _expression(draw, largest)
    forms = ("What is {}?", "What is the value of {}?", "How much is {}?", "What does {} equal?")
    return {"question": draw.choice(forms).format(expression), "answer": str(value)}


def _proper_fraction(draw: Draw, largest: int) -> Fraction:
    """A fraction in lowest terms; the larger of two denominators, because it goes with more numerators."""
    bottom = max(draw.integer(2, largest), draw.integer(2, largest))
    top = draw.integer(1, bottom - 1)
    while gcd(top, bottom) > 1:
        top = draw.integer(1, bottom - 1)
    return Fraction(top, bottom)


def fractions(draw: Draw, *, largest: int = 30) -> Row:
    """Two proper fractions added, subtracted, multiplied or divided; denominators up to `largest`.

    >>> fractions(Draw(1, "arithmetic/fractions", 0))["answer"]
    '165/23'
    """
    check_integer("largest", largest, 3, 10**6)
    a, b = _proper_fraction(draw, largest), _proper_fraction(draw, largest)
    sign = draw.choice(("+", "-", TIMES, DIVIDED))
    if sign == "-":
        a, b = max(a, b), min(a, b)
    answer = a + b if sign == "+" else a - b if sign == "-" else a * b if sign == TIMES else a / b
    return {"question": draw.choice(_FRACTION).format(sum=f"{a} {sign} {b}"), "answer": str(answer)}


def percentages(draw: Draw, *, largest: int = 2000) -> Row:
    """Parts, rates, increases and reductions in per cent of whole numbers up to `largest`.

    >>> percentages(Draw(1, "arithmetic/percentages", 0))["answer"]
    '79%'
    """
    check_integer("largest", largest, 10, 10**9)
    form, asked = draw.choice(_PERCENTAGE)
    p = draw.integer(1, 19) * 5 if draw.chance(1, 2) else draw.integer(1, 99)
    n = draw.integer(2, largest)
    part = Fraction(n * p, 100)
    answers = {
        "part": decimal_text(part),
        "percentage": f"{p}%",
        "more": decimal_text(n + part),
        "less": decimal_text(n - part),
    }
    return {"question": form.format(p=p, n=n, part=decimal_text(part)), "answer": answers[asked]}
