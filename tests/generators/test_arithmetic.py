import re
from collections.abc import Callable
from fractions import Fraction

import pytest

from flanmix.generators.checks import decimal_text

Rows = Callable[..., list[dict[str, str]]]

N = r"(-?\d+(?:\.\d+)?)"
SYMBOLS = str.maketrans({"\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/"})
EXPRESSION = re.compile(r"(?:What is|How much is|What does|What is the value of) ([-+*/(). \d]+?)(?: equal)?\?")
# Questions in words, with the same thing in symbols.
WORDED: list[tuple[str, Callable[..., Fraction]]] = [
    (f"What is {N} plus {N}", lambda a, b: a + b),
    (f"What is the (?:sum|total) of {N} and {N}", lambda a, b: a + b),
    (f"What is the sum of {N}, {N} and {N}", lambda a, b, c: a + b + c),
    (f"What do you get when you add {N} to {N}", lambda a, b: b + a),
    (f"What number is {N} more than {N}", lambda a, b: b + a),
    (f"What is {N} minus {N}", lambda a, b: a - b),
    (f"What do you get when you subtract {N} from {N}", lambda a, b: b - a),
    (f"What number is {N} less than {N}", lambda a, b: b - a),
    (f"What is left when {N} is taken away from {N}", lambda a, b: b - a),
    (f"What is the difference between {N} and {N}", lambda a, b: abs(a - b)),
    (f"What must be added to {N} to make {N}", lambda a, b: b - a),
    (f"If you start with {N}, add {N} and then subtract {N}, what do you get", lambda a, b, c: a + b - c),
    (f"If you start with {N}, take away {N} and then add {N}, what do you get", lambda a, b, c: a - b + c),
    (f"What is {N} times {N}", lambda a, b: a * b),
    (f"What is {N} multiplied by {N}", lambda a, b: a * b),
    (f"What is the product of {N} and {N}", lambda a, b: a * b),
    (f"What do you get when you multiply {N} by {N}", lambda a, b: a * b),
    (f"What is the total of {N} lots of {N}", lambda a, b: a * b),
    (f"What is {N} divided by {N}", lambda a, b: a / b),
    (f"How many times does {N} go into {N}", lambda a, b: b / a),
    (f"What do you get when you divide {N} by {N}", lambda a, b: a / b),
    (f"Which number multiplied by {N} gives {N}", lambda a, b: b / a),
    (f"If {N} is split into {N} equal parts, how large is each part", lambda a, b: a / b),
    (f"(?:What|How much) is {N}% of {N}", lambda p, n: n * p / 100),
    (f"What is {N} per cent of {N}", lambda p, n: n * p / 100),
    (f"What is {N} increased by {N}%", lambda n, p: n * (100 + p) / 100),
    (f"What is {N} reduced by {N}%", lambda n, p: n * (100 - p) / 100),
    (f"What number is {N}% more than {N}", lambda p, n: n * (100 + p) / 100),
    (f"What number is {N}% less than {N}", lambda p, n: n * (100 - p) / 100),
]
RATES: list[tuple[str, Callable[..., Fraction]]] = [
    (f"What percentage of {N} is {N}", lambda n, part: part / n * 100),
    (f"What percentage of {N} does {N} make up", lambda n, part: part / n * 100),
]
FRACTION = re.compile(r"(\d+)/(\d+) ([-+*/]) (\d+)/(\d+)")


def _value(expression: str) -> Fraction:
    """The value of an expression in Python's notation, worked out with fractions."""
    value = eval(re.sub(r"\d+(?:\.\d+)?", r"Fraction('\g<0>')", expression), {"Fraction": Fraction})
    assert isinstance(value, Fraction)
    return value


def _solve(question: str) -> Fraction:
    question = question.translate(SYMBOLS)
    if found := EXPRESSION.fullmatch(question):
        return _value(found[1])
    for pattern, solve in WORDED:
        if found := re.fullmatch(pattern + r"\?", question):
            return solve(*map(Fraction, found.groups()))
    raise AssertionError(question)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("arithmetic/add_subtract", {}),
        ("arithmetic/add_subtract", {"decimals": 3}),
        ("arithmetic/add_subtract", {"largest": 10**12}),
        ("arithmetic/multiply_divide", {}),
        ("arithmetic/multiply_divide", {"largest": 10**6, "second": 10**6}),
        ("arithmetic/order_of_operations", {}),
        ("arithmetic/order_of_operations", {"largest": 3}),
    ],
)
def test_calculations(rows: Rows, name: str, options: dict[str, int]) -> None:
    for row in rows(name, **options):
        assert Fraction(row["answer"]) == _solve(row["question"]), row
        assert re.fullmatch(r"0|-?[1-9]\d*(\.\d*[1-9])?|-?0\.\d*[1-9]", row["answer"])


def test_most_numbers_use_the_whole_range(rows: Rows) -> None:
    numbers = [int(number) for row in rows("arithmetic/add_subtract") for number in re.findall(r"\d+", row["question"])]
    assert max(numbers) > 9900
    assert sum(number > 1000 for number in numbers) > len(numbers) / 2
    assert sum(number < 100 for number in numbers) > len(numbers) / 4


def test_fractions(rows: Rows) -> None:
    seen = set()
    for row in rows("arithmetic/fractions"):
        found = FRACTION.search(row["question"].translate(SYMBOLS))
        assert found
        a, b = Fraction(f"{found[1]}/{found[2]}"), Fraction(f"{found[4]}/{found[5]}")
        assert f"{a} {found[3]} {b}" == found[0]  # the fractions of the question are in lowest terms
        answer = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[found[3]]
        assert row["answer"] == str(answer)
        assert answer >= 0
        seen.add(found[3])
    assert seen == set("+-*/")


def test_percentages(rows: Rows) -> None:
    for row in rows("arithmetic/percentages"):
        for pattern, solve in RATES:
            if found := re.fullmatch(pattern + r"\?", row["question"]):
                assert row["answer"].endswith("%")
                assert Fraction(row["answer"][:-1]) == solve(*map(Fraction, found.groups()))
                break
        else:
            assert Fraction(row["answer"]) == _solve(row["question"]), row


def test_only_exact_decimals_are_written() -> None:
    assert [decimal_text(Fraction(text)) for text in ("-1/8", "3", "0.050", "120")] == [
        "-0.125",
        "3",
        "0.05",
        "120",
    ]
    with pytest.raises(ValueError, match="1/3 has no exact decimal"):
        decimal_text(Fraction(1, 3))
