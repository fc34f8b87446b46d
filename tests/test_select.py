"""Selectors: one kind of term widens, another narrows, exclusions come last."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.errors import UsageError
from flanmix.select import Subject, choose, parse

RTE = Subject("glue/rte", "nli", frozenset({"english", "glue"}), frozenset({"en"}), frozenset({"plain", "options"}))
BOOLQ = Subject("super_glue/boolq", "qa", frozenset({"english"}), frozenset({"en"}))
XNLI = Subject("xnli/de", "nli", frozenset({"synthetic"}), frozenset({"de", "fr"}), frozenset({"inverted"}))
PLAIN = Subject("plain", "sorting")
ALL = {subject.name: subject for subject in (RTE, BOOLQ, XNLI, PLAIN)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("*", ["glue/rte", "super_glue/boolq", "xnli/de", "plain"]),
        ("glue/rte", ["glue/rte"]),
        ("glue/*", ["glue/rte"]),
        ("*glue/*", ["glue/rte", "super_glue/boolq"]),
        ("xnli/d?", ["xnli/de"]),
        ("xnli/[d]e", ["xnli/de"]),
        ("GLUE/*", []),
        ("type:nli", ["glue/rte", "xnli/de"]),
        ("type:nli type:qa", ["glue/rte", "super_glue/boolq", "xnli/de"]),
        ("type:nli tag:english", ["glue/rte"]),
        ("tag:english tag:synthetic", ["glue/rte", "super_glue/boolq", "xnli/de"]),
        ("type:nli glue/* plain", ["glue/rte"]),
        ("language:de", ["xnli/de"]),
        ("language:*", ["glue/rte", "super_glue/boolq", "xnli/de"]),
        ("style:options", ["glue/rte"]),
        ("style:options style:inverted", ["glue/rte", "xnli/de"]),
        ("type:nli style:plain", ["glue/rte"]),
        ("type:nli -style:inverted", ["glue/rte"]),
        ("style:*", ["glue/rte", "xnli/de"]),
        ("-tag:english", ["xnli/de", "plain"]),
        ("type:nli -tag:synthetic", ["glue/rte"]),
        ("type:nli -glue/* -xnli/*", []),
        ("  type:nli \t -tag:synthetic\n", ["glue/rte"]),
    ],
)
def test_what_a_selector_takes(text: str, names: list[str]) -> None:
    assert choose(text, ALL) == names


def test_what_is_chosen_are_keys_in_their_order() -> None:
    assert choose("type:nli", {7: XNLI, "x": PLAIN, 3: RTE}) == [7, 3]


def test_a_selector_that_cannot_be_read_says_how_to_write_one() -> None:
    with pytest.raises(UsageError) as caught:
        choose("kind:x", ALL)
    assert str(caught.value).endswith("tag:, language:, style: - write it like 'type:nli glue/* -tag:synthetic'")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the selector is empty; '*' selects every task"),
        ("   ", "the selector is empty"),
        ("typ:nli", "'typ:nli' starts with 'typ:', which is none of type:, tag:, language:, style:"),
        ("-name:x", "'-name:x' starts with 'name:'"),
        ("type:", "'type:' is not a pattern"),
        ("-", "'-' is not a pattern"),
        ("glue/*,super_glue/*", "is not a pattern of letters, digits and"),
        ("type:nli|qa", "'type:nli|qa' is not a pattern"),
    ],
)
def test_what_is_no_selector_is_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        parse(text)


WORDS = st.sampled_from(["a", "b", "c"])
SUBJECTS = st.builds(Subject, WORDS, WORDS, *[st.frozensets(WORDS)] * 3)
KINDS = ("", "type:", "tag:", "language:", "style:")
TERMS = st.builds("{}{}{}".format, st.sampled_from(["", "-"]), st.sampled_from(KINDS), WORDS | st.just("*"))


def naive(words: list[str], subject: Subject) -> bool:
    """The rule in its own words."""
    values = {"": {subject.name}, "type:": {subject.type}, "tag:": subject.tags, "language:": subject.languages}
    values["style:"] = subject.styles

    def fits(kind: str, word: str) -> bool:
        wanted = word.removeprefix(kind)
        return bool(values[kind]) if wanted == "*" else wanted in values[kind]

    def of(kind: str, sign: str) -> list[str]:
        signed = [word.removeprefix("-") for word in words if word.startswith("-") == (sign == "-")]
        return [word for word in signed if (word.startswith(kind) if kind else ":" not in word)]

    excluded = any(fits(kind, word) for kind in KINDS for word in of(kind, "-"))
    return not excluded and all(any(fits(kind, word) for word in of(kind, "+")) for kind in KINDS if of(kind, "+"))


@given(st.lists(TERMS, min_size=1), SUBJECTS)
def test_a_selector_takes_what_the_rule_in_its_own_words_takes(words: list[str], subject: Subject) -> None:
    assert parse(" ".join(words)).matches(subject) == naive(words, subject)


@given(st.lists(TERMS, min_size=1).flatmap(lambda words: st.tuples(st.just(words), st.permutations(words))), SUBJECTS)
def test_the_order_of_terms_does_not_matter(both: tuple[list[str], list[str]], subject: Subject) -> None:
    one, other = (parse(" ".join(words)).matches(subject) for words in both)
    assert one == other
