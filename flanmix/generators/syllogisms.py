"""Premises about kinds of things or people, and whether they entail a conclusion.

Statements are read as in predicate logic. A question is asked only if its answer does not depend on
whether kinds may be empty.
"""

from functools import cache
from itertools import combinations, product
from typing import NamedTuple

from flanmix.generators.checks import check_span, check_word
from flanmix.generators.draw import Draw, Row
from flanmix.generators.people import PEOPLE, Noun, article, nouns

INVENTED = nouns(
    """
    zindle, morp, flimmet, grolk, plindle, skorm, brantle, quorp, dreff, spundle, kreel, vomble, trisk,
    glimmer, narf, prindle, snorrel, yabber, fennock, lorrib, tharn, wimmel, droop, pallick, ommet, arvin,
    elgrim, crundle, jaspet, mindrel, hobbin, stillick, rubbet, tolmer, binnock, garrow
    """
)
REAL = nouns(
    """
    baker, swimmer, chess player, gardener, singer, pilot, vegetarian, twin, poet, teacher, cyclist,
    carpenter, dancer, doctor, early riser, knitter, musician, nurse, painter, photographer, runner,
    sailor, skier, student, tennis player, violinist, walker, writer, actor, engineer, optician, archer,
    beekeeper, potter
    """
)
INVENTED_NAMES = (
    "Pim",
    "Tolo",
    "Berra",
    "Quill",
    "Zeno",
    "Mabbit",
    "Orrin",
    "Fenna",
    "Luma",
    "Dorrel",
    "Kip",
    "Sable",
)
_SETTINGS = (
    "The following is known about the members of a club.",
    "These things are known about the people of a village.",
    "Here is what is known about the guests at a party.",
    "A survey of the passengers on a ship found the following.",
)
_QUESTIONS = (
    "Does it follow that {}?",
    "Can we be sure that {}?",
    "Is it certain that {}?",
    "Must it be true that {}?",
    "Can one conclude that {}?",
)


class Statement(NamedTuple):
    """A form (all, no, some, some-not, is, is-not) with the places of its two terms."""

    form: str
    subject: int
    predicate: int


Problem = tuple[tuple[Statement, ...], Statement]

_FORMS = ("all", "no", "some", "some-not")
_SINGULAR = {"is": "all", "is-not": "no"}
# The ways to write each form; some ask for a singular or plural noun.
_WORDINGS = {
    "all": ("all {X} are {Y}", "every {x} is {a_y}", "each {x} is {a_y}"),
    "no": ("no {X} are {Y}", "no {x} is {a_y}", "none of the {X} are {Y}"),
    "some": ("some {X} are {Y}", "at least one {x} is {a_y}", "there is at least one {x} {who} is {a_y}"),
    "some-not": ("some {X} are not {Y}", "at least one {x} is not {a_y}", "not all {X} are {Y}"),
    "is": ("{name} is {a_y}",),
    "is-not": ("{name} is not {a_y}",),
}


@cache
def _region(term: int, terms: int) -> int:
    """The set (as a bit mask) of the kinds of individual that fall under the term."""
    return sum(1 << kind for kind in range(1 << terms) if kind >> term & 1)


def _case(statement: Statement, terms: int) -> tuple[bool, int]:
    """Whether the statement is universal, and the region it says to be empty or else inhabited."""
    form = _SINGULAR.get(statement.form, statement.form)
    subject, predicate = _region(statement.subject, terms), _region(statement.predicate, terms)
    return form in ("all", "no"), subject & (predicate if form in ("no", "some") else ~predicate)


def entails(premises: tuple[Statement, ...], conclusion: Statement, terms: int, inhabited: bool) -> bool | None:
    """Whether the premises entail the conclusion (with every term inhabited, or not); None if they conflict.

    >>> entails((Statement("all", 0, 1), Statement("all", 1, 2)), Statement("all", 0, 2), 3, False)
    True
    """
    possible = (1 << (1 << terms)) - 1
    needed = [_region(term, terms) for term in range(terms)] if inhabited else []
    for statement in premises:
        if statement.form in _SINGULAR:
            needed.append(_region(statement.subject, terms))
        universal, region = _case(statement, terms)
        if universal:
            possible &= ~region
        else:
            needed.append(region)
    if not all(possible & region for region in needed):
        return None
    universal, region = _case(conclusion, terms)
    if universal:
        return not possible & region
    return any(not possible & one & ~region for one in needed)


def _links(first: int, second: int, named: bool) -> list[Statement]:
    """All statements that link two terms; the first may be a name."""
    if named:
        return [Statement(form, first, second) for form in _SINGULAR]
    pairs = ((first, second), (second, first))
    return [Statement(form, *pair) for form in _FORMS for pair in pairs]


@cache
def problems(terms: int, named: bool) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """All chains of premises with a conclusion about terms that are not neighbours: entailed ones, others.

    >>> [len(part) for part in problems(3, True)]
    [4, 28]
    """
    found: tuple[list[Problem], list[Problem]] = ([], [])
    links = [_links(place, place + 1, named and place == 0) for place in range(terms - 1)]
    for premises in product(*links):
        for first, second in combinations(range(terms), 2):
            if second - first == 1:
                continue
            for conclusion in _links(first, second, named and first == 0):
                answers = {entails(premises, conclusion, terms, inhabited) for inhabited in (False, True)}
                if len(answers) == 1 and None not in answers:
                    found[0 if True in answers else 1].append((premises, conclusion))
    return tuple(found[0]), tuple(found[1])


def _write(draw: Draw, statement: Statement, kinds: list[Noun], name: str) -> str:
    x, y = kinds[statement.subject], kinds[statement.predicate]
    wording = draw.choice(_WORDINGS[statement.form])
    who = "who" if kinds[0] in REAL else "that"
    return wording.format(x=x.one, X=x.many, Y=y.many, a_y=article(y.one), name=name, who=who)


def syllogisms(draw: Draw, *, fewest_terms: int = 3, most_terms: int = 4, nouns: str = "any") -> Row:
    """Two or three premises and a conclusion, with nouns that are invented or real; the answer is yes or no.

    >>> syllogisms(Draw(1, "logic/syllogisms", 0))["answer"]
    'yes'
    """
    check_span("fewest_terms", fewest_terms, "most_terms", most_terms, 3, 4)
    check_word("nouns", nouns, ("any", "invented", "real"))
    terms, named = draw.integer(fewest_terms, most_terms), draw.chance(1, 4)
    answer = draw.choice(("yes", "no"))
    premises, conclusion = draw.choice(problems(terms, named)[0 if answer == "yes" else 1])
    real = nouns == "real" or (nouns == "any" and draw.chance(1, 2))
    kinds = draw.sample(REAL if real else INVENTED, terms)
    name = draw.choice(PEOPLE).name if real else draw.choice(INVENTED_NAMES)
    written = [_write(draw, premise, kinds, name) for premise in draw.shuffled(premises)]
    sentences = [f"{text[0].upper()}{text[1:]}." for text in written]
    if real:
        sentences.insert(0, draw.choice(_SETTINGS))
    question = draw.choice(_QUESTIONS).format(_write(draw, conclusion, kinds, name))
    return {"premises": " ".join(sentences), "question": question, "choices": ["yes", "no"], "answer": answer}
