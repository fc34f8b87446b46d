"""Selectors: which tasks a part of a mixture takes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from flanmix.errors import UsageError

K = TypeVar("K")

_KINDS = ("name", "type", "tag", "language", "style")
_PATTERN = re.compile(r"[\w./*?\[\]-]+")


@dataclass(frozen=True)
class Subject:
    """What a selector looks at in a task."""

    name: str
    type: str
    tags: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    styles: frozenset[str] = frozenset()

    def values(self, kind: str) -> Iterable[str]:
        """The task's values of one kind of term."""
        own: Mapping[str, Iterable[str]] = {"name": (self.name,), "type": (self.type,)}
        return own.get(kind) or {"tag": self.tags, "language": self.languages, "style": self.styles}[kind]


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
    """Terms parted by spaces: a name pattern, `type:`, `tag:`, `language:`, `style:`; `-` in front excludes.

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
        raise ValueError(f"'{word}' starts with '{kind}:', which is none of type:, tag:, language:, style:")
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(f"'{word}' is not a pattern of letters, digits and / . _ - * ? [ ]")
    return Term(kind, pattern, excludes=word.startswith("-"))


def choose(text: str, subjects: Mapping[K, Subject]) -> list[K]:
    """The keys of the subjects that a selector takes, in their order; raises `UsageError`.

    >>> choose("type:nli", {1: Subject("glue/rte", "nli"), 2: Subject("sum", "arithmetic")})
    [1]
    """
    try:
        selector = parse(text)
    except ValueError as error:
        raise UsageError(str(error), hint="write it like 'type:nli glue/* -tag:synthetic'") from error
    return [key for key, subject in subjects.items() if selector.matches(subject)]
