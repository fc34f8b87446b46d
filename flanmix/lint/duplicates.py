"""Wordings that say the same, or nearly."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations

from flanmix.lint.finding import Finding
from flanmix.lint.wording import Wording

_NEARLY = 0.95
_WORDS = re.compile(r"\w+")
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


@dataclass(frozen=True)
class _Said:
    """A wording without white space, case and punctuation: its words and expressions, and what else sets it apart."""

    wording: Wording
    words: tuple[str, ...]
    apart: tuple[str, ...]


def among(wordings: Sequence[Wording]) -> Iterator[Finding]:
    """The wordings that say what an earlier one says: the same words in the same order, or all but one in twenty.

    Another target, condition, system prompt or earlier turn makes another wording.
    """
    said = [_said(wording) for wording in wordings]
    for first, second in combinations(said, 2):
        if first.apart != second.apart:
            continue
        same = first.words == second.words
        if same or _nearly(first.words, second.words):
            other = first.wording.item.where.problem("")
            place = f" ({other.file}:{other.line})" if other.line else ""
            what = f"says {'the same as' if same else 'nearly the same as'} {first.wording.item.id}{place}"
            yield second.wording.finding(
                "duplicate-wording", second.wording.pair[0], what, "word it otherwise, or take it out"
            )


def _said(wording: Wording) -> _Said:
    template = wording.template
    if template.dialect == "promptsource":
        return _Said(wording, _words(template.jinja or ""), (template.dialect, template.answer_choices or ""))
    question, _ = template.pair
    others = (_words(text) for key, text in template.texts.items() if key != question)
    apart = (template.when or "", *(" ".join(each) for each in others))
    return _Said(wording, _words(template.texts[question]), apart)


def _words(text: str) -> tuple[str, ...]:
    """Its words in lower case, and its expressions and tags, each as one word."""
    found: list[str] = []
    end = 0
    for match in _EXPRESSION.finditer(text):
        found += _WORDS.findall(text[end : match.start()].casefold())
        found.append("".join(match[0].split()).replace("{{-", "{{").replace("-}}", "}}"))
        end = match.end()
    return (*found, *_WORDS.findall(text[end:].casefold()))


def _nearly(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether the words are the same but for one in twenty, and stand in the same order but for one in ten."""
    one, other = set(first), set(second)
    if len(one & other) < _NEARLY * len(one | other):
        return False
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= 0.9
