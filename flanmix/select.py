"""Selectors: which tasks a part of a mixture takes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

_KINDS = ("name", "type", "tag", "language")
_PATTERN = re.compile(r"[\w./*?\[\]-]+")


@dataclass(frozen=True)
class Subject:
    """What a selector looks at in a task."""

    name: str
    type: str
    tags: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()

    def values(self, kind: str) -> Iterable[str]:
        """The task's values of one kind of term."""
        return {"name": (self.name,), "type": (self.type,), "tag": self.tags, "language": self.languages}[kind]


@dataclass(frozen=True)
class Term:
    """One word of a selector: a kind, a pattern, and whether it excludes."""

    kind: str
    pattern: str
    excludes: bool

    def holds(self, subject: Subject) -> bool:
        """Whether any of the subject's values of this kind fits the pattern."""
        return any(fnmatchcase(value, self.pattern) for value in subject.values(self.kind))


@dataclass(frozen=True)
class Selector:
    """Terms parted by spaces: a name pattern, `type:`, `tag:` or `language:`; `-` in front excludes.

    Terms of one kind widen each other, terms of different kinds narrow each other, exclusions come last:
    `type:nli type:qa tag:english glue/* -tag:synthetic` is (nli or qa) and english and glue/*, less the synthetic.

    >>> selector = parse("type:nli glue/* -tag:synthetic")
    >>> selector.matches(Subject("glue/rte", "nli"))
    True
    >>> selector.matches(Subject("glue/rte", "nli", frozenset({"synthetic"})))
    False
    """

    text: str
    terms: tuple[Term, ...]

    def matches(self, subject: Subject) -> bool:
        """Whether the selector takes this task."""
        if any(term.excludes and term.holds(subject) for term in self.terms):
            return False
        wanted = {term.kind for term in self.terms if not term.excludes}
        return all(any(t.holds(subject) for t in self.terms if t.kind == kind and not t.excludes) for kind in wanted)


def parse(text: str) -> Selector:
    """Parse a selector; raises `ValueError` with what is wrong."""
    terms = tuple(_term(word) for word in text.split())
    if not terms:
        raise ValueError("the selector is empty; '*' selects every task")
    return Selector(text, terms)


def _term(word: str) -> Term:
    body = word.removeprefix("-")
    kind, colon, pattern = body.partition(":")
    if not colon:
        kind, pattern = "name", body
    if kind not in _KINDS or (colon and kind == "name"):
        raise ValueError(f"'{word}' starts with '{kind}:', which is none of type:, tag:, language:")
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(f"'{word}' is not a pattern of letters, digits and / . _ - * ? [ ]")
    return Term(kind, pattern, excludes=word.startswith("-"))


def select(selector: Selector, subjects: Sequence[Subject]) -> list[str]:
    """The names of the subjects that the selector takes, in their order."""
    return [subject.name for subject in subjects if selector.matches(subject)]
