"""Puzzles about who or what is taller, older, heavier and so on than another."""

from itertools import pairwise
from typing import NamedTuple

from flanmix.generators.checks import check_span
from flanmix.generators.draw import Draw, Row
from flanmix.generators.people import PEOPLE


class Scale(NamedTuple):
    """A property in which things differ; `noun` is empty if people are compared."""

    base: str
    more: str
    less: str
    most: str
    least: str
    noun: str = ""


SCALES = (
    Scale("tall", "taller", "shorter", "the tallest", "the shortest"),
    Scale("old", "older", "younger", "the oldest", "the youngest"),
    Scale("fast", "faster", "slower", "the fastest", "the slowest"),
    Scale("strong", "stronger", "weaker", "the strongest", "the weakest"),
    Scale("rich", "richer", "poorer", "the richest", "the poorest"),
    Scale("heavy", "heavier", "lighter", "the heaviest", "the lightest", "box"),
    Scale("long", "longer", "shorter", "the longest", "the shortest", "rope"),
    Scale("expensive", "more expensive", "cheaper", "the most expensive", "the cheapest", "bag"),
    Scale("tall", "taller", "shorter", "the tallest", "the shortest", "tower"),
    Scale("fast", "faster", "slower", "the fastest", "the slowest", "car"),
    Scale("large", "larger", "smaller", "the largest", "the smallest", "tent"),
    Scale("loud", "louder", "quieter", "the loudest", "the quietest", "bell"),
    Scale("warm", "warmer", "colder", "the warmest", "the coldest", "room"),
    Scale("wide", "wider", "narrower", "the widest", "the narrowest", "ribbon"),
)
_COLOURS = (
    "red",
    "blue",
    "green",
    "yellow",
    "black",
    "white",
    "grey",
    "brown",
    "orange",
    "purple",
    "pink",
    "silver",
)
_NUMBERS = {3: "three", 4: "four", 5: "five", 6: "six"}
_SURE = (
    "Does it follow that {a} is {word} than {b}?",
    "Can we be sure that {a} is {word} than {b}?",
    "Is it certain that {a} is {word} than {b}?",
)

Facts = list[tuple[int, int]]  # (a, b): a has more of the property than b


def _above(facts: Facts, count: int) -> list[set[int]]:
    """For each place the places that are known to be below it."""
    below: list[set[int]] = [set() for _ in range(count)]
    for _ in range(count):
        for a, b in facts:
            below[a] |= {b} | below[b]
    return below


def _draw_facts(draw: Draw, count: int) -> Facts:
    """Facts about places 0 (most) to count - 1: all neighbours, or with one link replaced by a wider one."""
    facts: Facts = list(pairwise(range(count)))
    if draw.chance(1, 2):
        lost = draw.integer(0, count - 2)
        wider = [pair for pair in ((lost - 1, lost + 1), (lost, lost + 2)) if pair[0] >= 0 and pair[1] < count]
        facts[lost] = draw.choice(wider)
    return draw.shuffled(facts)


def _pair_question(draw: Draw, scale: Scale, names: list[str], below: list[set[int]], answer: str) -> str:
    """A question about two of the things whose answer is the one wanted."""
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b]
    known = [(a, b) for a, b in pairs if b in below[a]]
    forms: tuple[str, ...] = _SURE
    if answer == "yes":
        wanted = known
    else:
        unknown = [(a, b) for a, b in pairs if b not in below[a] and a not in below[b]]
        wanted = unknown if unknown and draw.chance(1, 2) else [(b, a) for a, b in known]
    if wanted[0] in known or wanted[0][::-1] in known:
        forms = ("Is {a} {word} than {b}?", "Is {a} {word} than {b}?", *_SURE)
    far = [pair for pair in wanted if abs(pair[0] - pair[1]) > 1]
    a, b = draw.choice(far if far and draw.chance(4, 5) else wanted)
    word = scale.more
    if draw.chance(1, 2):
        a, b, word = b, a, scale.less
    return draw.choice(forms).format(a=names[a], b=names[b], word=word)


def _extreme_question(draw: Draw, scale: Scale, names: list[str], below: list[set[int]], answer: str) -> str:
    """A question whether something is the first or the last, or "" if there is none with the answer."""
    top = draw.chance(1, 2)
    above = [{a for a, lower in enumerate(below) if place in lower} for place in range(len(names))]
    beaten, beats = (above, below) if top else (below, above)
    yes = [place for place in range(len(names)) if len(beats[place]) == len(names) - 1]
    no = [place for place in range(len(names)) if beaten[place]]
    places = yes if answer == "yes" else no
    if not places:
        return ""
    word = scale.most if top else scale.least
    return f"Is {names[draw.choice(places)]} {word} of the {_NUMBERS[len(names)]}?"


def _premise(draw: Draw, scale: Scale, high: str, low: str) -> str:
    return draw.choice(
        (
            f"{high} is {scale.more} than {low}.",
            f"{high} is {scale.more} than {low}.",
            f"{low} is {scale.less} than {high}.",
            f"{low} is {scale.less} than {high}.",
            f"{low} is not as {scale.base} as {high}.",
        )
    )


def comparisons(draw: Draw, *, fewest: int = 3, most: int = 5) -> Row:
    """Statements that order between `fewest` and `most` people or things, fully or in part; yes or no.

    >>> comparisons(Draw(1, "logic/comparisons", 0))["answer"]
    'yes'
    """
    check_span("fewest", fewest, "most", most, 3, 6)
    count, scale, answer = draw.integer(fewest, most), draw.choice(SCALES), draw.choice(("yes", "no"))
    if scale.noun:
        names = [f"the {colour} {scale.noun}" for colour in draw.sample(_COLOURS, count)]
    else:
        names = [person.name for person in draw.sample(PEOPLE, count)]
    facts = _draw_facts(draw, count)
    below = _above(facts, count)
    sentences = [_premise(draw, scale, names[a], names[b]) for a, b in facts]
    premises = " ".join(f"{text[0].upper()}{text[1:]}" for text in sentences)
    question = _extreme_question(draw, scale, names, below, answer) if draw.chance(1, 4) else ""
    question = question or _pair_question(draw, scale, names, below, answer)
    return {"premises": premises, "question": question, "choices": ["yes", "no"], "answer": answer}
