import re
from collections.abc import Callable
from fractions import Fraction

import pytest

from flanmix.generators import Draw
from flanmix.generators.word_problems import STORIES, Story

Rows = Callable[..., list[dict[str, str]]]

WORDS = {"third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "tenth": 10}
# The answer from the numbers of the question, in the order in which they stand there.
SOLUTIONS: dict[str, Callable[..., Fraction]] = {
    "how_many_more": lambda a, b: a - b,
    "shelves": lambda groups, each: groups * each,
    "put_into_boxes": lambda total, groups: total / groups,
    "travel_time": lambda speed, distance: distance / speed,
    "gain_and_give": lambda start, more, less: start + more - less,
    "share_together": lambda a, b, parts: (a + b) / parts,
    "rows_and_gaps": lambda rows, each, taken: rows * each - taken,
    "times_as_many": lambda few, factor: few + factor * few,
    "part_and_rest": lambda total, part: total * (1 - 1 / part),
    "machine_output": lambda pace, hours: pace * hours * 60,
    "average": lambda a, b, c: (a + b + c) / 3,
    "steady_pace": lambda total, pace, days: total - pace * days,
    "change": lambda n, price, paid: paid - n * price,
    "saving": lambda price, has, rate: (price - has) / rate,
    "ages": lambda young, gap, years: young + gap + years,
    "recipe": lambda n, amount, m: amount / n * m,
    "floor": lambda length, width, price: length * width * price,
    "discount": lambda price, rate: price * (100 - rate) / 100,
    "tank": lambda full, has, rate: (full - has) / rate,
    "wages": lambda rate, hours, days: rate * hours * days,
    "bake_sell_pack": lambda trays, each, sold, size: (trays * each - sold) / size,
    "on_and_off": lambda start, off, on, less: start - off + on - less,
    "total_cost": lambda n, p, m, q: n * p + m * q,
    "journey": lambda v, t, w, u: v * t + w * u,
    "fence": lambda length, width, price: 2 * (length + width) * price,
}
ALL = [(steps, story) for steps, stories in STORIES.items() for story in stories]
EQUATION = re.compile(r"((?:\d+ [-+*/] )+\d+) = (\d+)")
SYMBOLS = str.maketrans({"\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/"})


def _numbers(text: str) -> list[int]:
    """The numbers of a question; a fraction in words counts as its denominator."""
    found = re.findall(rf"\d+|{'|'.join(WORDS)}", text)
    return [WORDS[number] if number in WORDS else int(number) for number in found]


def _value(expression: str) -> Fraction:
    value = eval(re.sub(r"\d+", r"Fraction(\g<0>)", expression), {"Fraction": Fraction})
    assert isinstance(value, Fraction)
    return value


@pytest.mark.parametrize(("steps", "story"), ALL, ids=[story.__name__ for _, story in ALL])
def test_each_story(steps: int, story: Story) -> None:
    wordings = set()
    for row in range(400):
        question, rationale, answer = story(Draw(9, story.__name__, row))
        numbers = _numbers(question)
        assert SOLUTIONS[story.__name__](*map(Fraction, numbers)) == answer, question
        assert all(number >= 2 for number in numbers), question
        assert answer >= 2
        equations = EQUATION.findall(rationale.translate(SYMBOLS))
        assert len(equations) == rationale.count("=") == steps, rationale
        known = {*numbers, 2, 3, 60, 100}
        used = set()
        for left, right in equations:
            assert _value(left) == int(right), rationale
            operands = {int(number) for number in re.findall(r"\d+", left)}
            assert operands <= known, rationale
            used |= operands
            known.add(int(right))
        assert int(equations[-1][1]) == answer
        assert set(numbers) <= used, rationale
        wordings.add(re.sub(r"\d+|[A-Z][a-z]+", "", question)[:25])
    assert len(wordings) >= 2


def test_every_story_is_solved_here() -> None:
    assert {story.__name__ for _, story in ALL} == set(SOLUTIONS)
    assert len(SOLUTIONS) >= 12


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_number_of_steps_can_be_chosen(rows: Rows, steps: int) -> None:
    for row in rows("math/word_problems", 300, fewest_steps=steps, most_steps=steps):
        assert row["rationale"].count("=") == steps


def test_rows(rows: Rows) -> None:
    openings = set()
    for row in rows("math/word_problems"):
        last = EQUATION.findall(row["rationale"].translate(SYMBOLS))[-1][1]
        assert row["answer"] == last
        for name in re.findall(r"\b[A-Z][a-z]+\b(?=(?:'s)? [a-z])", row["rationale"]):
            starts = r"(?:^|[.] )" + name
            assert name in row["question"] or re.search(starts, row["rationale"]), row
        openings.add(" ".join(row["question"].split()[1:3]))
    assert len(openings) > 40


def test_pronouns_fit_the_only_person() -> None:
    women = re.compile(r"\b(she|her|She)\b")
    men = re.compile(r"\b(he|him|his|He)\b")
    for _, story in ALL:
        for row in range(100):
            question, rationale, _ = story(Draw(4, story.__name__, row))
            text = f"{question} {rationale}"
            assert not (women.search(text) and men.search(text)), text
