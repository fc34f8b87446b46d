import re
from collections.abc import Callable
from functools import cache
from itertools import combinations, permutations, product

import pytest

from flanmix.generators.people import PEOPLE
from flanmix.generators.syllogisms import INVENTED, INVENTED_NAMES, REAL, Statement, entails

Rows = Callable[..., list[dict[str, str]]]
Claim = tuple[str, str, str]  # form, subject, predicate

NOUNS = {form: noun.one for noun in INVENTED + REAL for form in noun}
NAMES = {person.name for person in PEOPLE} | set(INVENTED_NAMES)
FORMS = [
    (r"no (.+) are (.+)", "no"),
    (r"no (.+) is an? (.+)", "no"),
    (r"none of the (.+) are (.+)", "no"),
    (r"not all (.+) are (.+)", "some-not"),
    (r"some (.+) are not (.+)", "some-not"),
    (r"at least one (.+) is not an? (.+)", "some-not"),
    (r"all (.+) are (.+)", "all"),
    (r"(?:every|each) (.+) is an? (.+)", "all"),
    (r"some (.+) are (.+)", "some"),
    (r"at least one (.+) is an? (.+)", "some"),
    (r"there is at least one (.+) (?:that|who) is an? (.+)", "some"),
    (r"([A-Z][a-z]+) is not an? (.+)", "is-not"),
    (r"([A-Z][a-z]+) is an? (.+)", "is"),
]
SETTINGS = ("members of a club", "people of a village", "guests at a party", "ship found the following")
ASKING = "Does it follow|Can we be sure|Is it certain|Must it be true|Can one conclude"
QUESTION = re.compile(rf"(?:{ASKING}) that (.+)\?")


def _claim(text: str) -> Claim:
    name = text.split()[0]
    if name not in NAMES:
        text = text[0].lower() + text[1:]
    for pattern, form in FORMS:
        if found := re.fullmatch(pattern, text):
            subject = found[1] if form in ("is", "is-not") else NOUNS[found[1]]
            assert (subject in NAMES) == (form in ("is", "is-not"))
            return form, subject, NOUNS[found[2]]
    raise AssertionError(text)


@cache
def _worlds(kinds: int) -> tuple[tuple[tuple[tuple[bool, ...], ...], tuple[bool, ...]], ...]:
    """Worlds of up to four sorts of individuals, and which sort the one with a name is.

    Three premises and a denied conclusion name four individuals at most, so that if there is a
    counterexample at all there is one among these.
    """
    sorts = list(product((False, True), repeat=kinds))
    return tuple((members, named) for size in range(1, 5) for members in combinations(sorts, size) for named in members)


@cache
def _holds(form: str, subject: int, predicate: int, kinds: int) -> int:
    """The worlds in which a claim holds, as a bit mask; the subject -1 is the one with a name."""
    mask = 0
    for place, (members, named) in enumerate(_worlds(kinds)):
        if form in ("is", "is-not"):
            true = named[predicate] == (form == "is")
        else:
            inside = [member[predicate] for member in members if member[subject]]
            true = {
                "all": all(inside),
                "no": not any(inside),
                "some": any(inside),
                "some-not": not all(inside),
            }[form]
        mask |= true << place
    return mask


@cache
def _inhabited(kinds: int) -> int:
    worlds = _worlds(kinds)
    return sum(1 << place for place, (members, _) in enumerate(worlds) if all(map(any, zip(*members, strict=True))))


@pytest.mark.parametrize("options", [{}, {"nouns": "real"}, {"fewest_terms": 4, "nouns": "invented"}])
def test_syllogisms(rows: Rows, options: dict[str, object]) -> None:
    shapes = set()
    for row in rows("logic/syllogisms", **options):
        sentences = row["premises"][:-1].split(". ")
        if sentences[0].endswith(("known about the members of a club", "people of a village")) or sentences[0].endswith(
            ("guests at a party", "ship found the following")
        ):
            sentences = sentences[1:]
        premises = [_claim(text) for text in sentences]
        asked = QUESTION.fullmatch(row["question"])
        assert asked
        conclusion = _claim(asked[1])
        terms = sorted({term for _, *pair in [*premises, conclusion] for term in pair} - NAMES)
        assert len({term in {noun.one for noun in REAL} for term in terms}) == 1
        place = {term: terms.index(term) for term in terms}
        numbered = [(form, place.get(a, -1), place[b]) for form, a, b in [*premises, conclusion]]
        shapes.add((tuple(sorted(numbered[:-1])), numbered[-1]))
        possible = (1 << len(_worlds(len(terms)))) - 1
        for claim in numbered[:-1]:
            possible &= _holds(*claim, len(terms))
        assert possible, row  # the premises do not conflict
        against = possible & ~_holds(*numbered[-1], len(terms))
        if row["answer"] == "yes":
            assert not against, row
        else:
            assert against & _inhabited(len(terms)), row  # even if there is one of every kind
    assert len(shapes) > 300


def test_premises_may_conflict_only_because_kinds_are_inhabited() -> None:
    premises = (Statement("all", 0, 1), Statement("no", 0, 1))
    assert entails(premises, Statement("no", 0, 2), 3, inhabited=False) is True
    assert entails(premises, Statement("no", 0, 2), 3, inhabited=True) is None


def test_a_conclusion_is_never_a_premise(rows: Rows) -> None:
    for row in rows("logic/syllogisms"):
        asked = QUESTION.fullmatch(row["question"])
        assert asked
        _, *pair = _claim(asked[1])
        for text in row["premises"][:-1].split(". "):
            if not text.endswith(SETTINGS):
                assert {*_claim(text)[1:]} != {*pair}


MORE = [
    "taller",
    "older",
    "faster",
    "stronger",
    "richer",
    "heavier",
    "longer",
    "larger",
    "louder",
    "warmer",
    "wider",
]
LESS = [
    "shorter",
    "younger",
    "slower",
    "weaker",
    "poorer",
    "lighter",
    "cheaper",
    "smaller",
    "quieter",
    "colder",
    "narrower",
]
HIGHEST = [
    "tallest",
    "oldest",
    "fastest",
    "strongest",
    "richest",
    "heaviest",
    "longest",
    "largest",
    "loudest",
    "warmest",
    "widest",
]
LOWEST = [
    "shortest",
    "youngest",
    "slowest",
    "weakest",
    "poorest",
    "lightest",
    "cheapest",
    "smallest",
    "quietest",
    "coldest",
    "narrowest",
]
PAIR = re.compile(rf"(?:(?:{ASKING}) that|Is(?! it)) (.+?)(?: is)? (\S+) than (.+)\?")
NUMBERS = {"three": 3, "four": 4, "five": 5, "six": 6}


def _low(text: str) -> str:
    return text.replace("The ", "the ")


def _fact(text: str) -> tuple[str, str]:
    """Who has more of the property than whom."""
    if found := re.fullmatch(r"(.+) is not as \S+ as (.+)", text):
        return _low(found[2]), _low(found[1])
    found = re.fullmatch(r"(.+) is (\S+) than (.+)", text)
    assert found, text
    a, b = _low(found[1]), _low(found[3])
    return (a, b) if found[2] in MORE else (b, a) if found[2] in LESS else _fail(text)


def _fail(text: str) -> tuple[str, str]:
    raise AssertionError(text)


def _truths(question: str, orders: list[tuple[str, ...]]) -> set[bool]:
    """Whether what is asked holds, in every order that is possible."""
    if found := re.fullmatch(r"Is (.+) the (\S+) of the (\S+)\?", question):
        assert NUMBERS[found[3]] == len(orders[0])
        place = 0 if found[2] in HIGHEST else -1 if found[2] in LOWEST else None
        assert place is not None, question
        return {order[place] == found[1] for order in orders}
    found = PAIR.fullmatch(question)
    assert found, question
    a, word, b = found[1], found[2], found[3]
    assert word in MORE or word in LESS
    return {(order.index(a) < order.index(b)) == (word in MORE) for order in orders}


@pytest.mark.parametrize("options", [{}, {"fewest": 6, "most": 6}])
def test_comparisons(rows: Rows, options: dict[str, int]) -> None:
    undecided = 0
    for row in rows("logic/comparisons", 1000 if options else 2000, **options):
        text = row["premises"].replace("more expensive", "heavier").replace("expensive", "heavy")
        question = row["question"].replace("more expensive", "heavier")
        question = question.replace("most expensive", "heaviest")
        facts = [_fact(sentence) for sentence in text[:-1].split(". ")]
        things = sorted({thing for fact in facts for thing in fact})
        orders = [
            order for order in permutations(things) if all(order.index(high) < order.index(low) for high, low in facts)
        ]
        assert len(facts) == len(things) - 1
        assert orders
        truths = _truths(question, orders)
        if question.startswith("Is ") and not question.startswith("Is it certain"):
            assert len(truths) == 1, row  # a plain question has a definite answer
        undecided += len(truths) == 2
        assert row["answer"] == ("yes" if truths == {True} else "no"), row
    assert undecided > 50
