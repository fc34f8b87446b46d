"""Options that a wording prints without saying so, says without printing, or hints at where it should not."""

import re
from collections.abc import Iterator
from itertools import chain

from flanmix.bound import BoundTask
from flanmix.check import OPTIONS
from flanmix.lint.finding import Finding
from flanmix.lint.wording import Wording, is_foreign
from flanmix.render.flow import made_of

LISTS = frozenset({OPTIONS, "choices", "answer_choices"})
"""The fields that hold the answers to choose from."""

_WORDS = re.compile(
    r"\b(?:options?|choices|alternatives|candidates|answer choices|possible (?:answers|labels))(?: \w+)?\s*:"
    r"|\b(?:choose|choosing|pick|select|decide) (?:\w+ ){0,3}?(?:from|between|among|one of|out of)\b"
    r"|\bfrom (?:the|these|this) (?:following )?(?:list|options|choices|alternatives)\b"
    r"|\b(?:the|these|following|given|suggested|possible|available) (?:options|choices|alternatives|possibilities)\b"
    r"|\b(?:one|which|any|all|none) of the (?:following|above|options|choices)\b|\bwhich (?:one )?of these\b"
    r"|\bmultiple[- ]choice\b",
    re.IGNORECASE,
)
_WRITTEN_OUT = re.compile(
    r"\b(?:yes|true)[\"'”]?(?:,| or|/)[^.?!\n]{0,15}?\b(?:no|false)\b|(?m-i:^[ \t]*(?:\(C\)|C[.)]) )",
    re.IGNORECASE,
)


def of_wording(wording: Wording) -> Iterator[Finding]:
    """The tag `options` without options, options without the tag, and words about options without either."""
    tagged = "options" in wording.template.tags
    lists = _printed(wording)
    if tagged and not lists and not is_foreign(wording.template) and not any(_written_out(wording)):
        what = "it has the tag 'options', and its input prints none"
        yield wording.finding("options-missing", wording.pair[0], what, "print {{ options }}, or take the tag away")
    if lists and not tagged:
        what = f"its input prints '{min(lists)}', and it has no tag 'options'"
        yield wording.finding("options-untagged", wording.pair[0], what, "add tags: [options]")
    if lists or tagged:
        return
    for part in wording.of("input", "system"):
        end = -2
        for match in chain(_WORDS.finditer(part.path.text), _WRITTEN_OUT.finditer(part.path.text)):
            if end + 1 >= match.start() > end - len(match[0]):  # goes on with what was told
                continue
            end = match.end()
            what = f"'{match[0].strip()}' speaks of options, and there are none"
            hint = "ask without them, or print {{ options }} and add tags: [options]"
            yield wording.finding("option-words", part.key, what, hint, part.path.line(match.start()))


def _written_out(wording: Wording) -> Iterator[bool]:
    return (_WRITTEN_OUT.search(part.path.text) is not None for part in wording.of("input"))


def _printed(wording: Wording) -> frozenset[str]:
    """The fields with the answers to choose from that the input prints items of without choosing one."""
    whole = {name for part in wording.of("input") for slot in part.path.slots for name in slot.flow.whole}
    for text in wording.template.texts.values():
        made = made_of(text, wording.template.dialect)
        whole |= {name for each in whole & made.keys() for name in made[each]}
    return LISTS & whole


def of_task(bound: BoundTask, wording: Wording) -> Iterator[Finding]:
    """Where a wording of a task whose choices are the same in every row says two or more of them without the tag."""
    choices = (bound.task.fields or {}).get("choices")
    if not isinstance(choices, tuple) or "options" in wording.template.tags or _printed(wording):
        return
    for part in wording.of("input", "system"):
        said = {choice: place for choice in choices if (place := _place_of(choice, part.path.text)) is not None}
        if len(said) >= 2:
            shown = " and ".join(map(repr, list(said)[:3]))
            what = f"says {shown}, choices of {bound.task.name}, without the tag 'options'"
            hint = "ask without naming them, or print {{ options }} and add tags: [options]"
            yield wording.finding("option-words", part.key, what, hint, part.path.line(min(said.values())))


def _place_of(choice: str, text: str) -> int | None:
    """Where a text says a choice, as words of their own."""
    found = re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", text, re.IGNORECASE)
    return found.start() if found and choice.strip() else None
