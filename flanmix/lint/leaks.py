"""Answers that stand in the prompt, as the texts themselves show: both sides print the same."""

import re
from collections.abc import Iterator

from flanmix.lint.finding import Finding
from flanmix.lint.option_words import LISTS
from flanmix.lint.wording import Part, Wording

_ANSWERS = frozenset(
    {"answer", "answers", "correction", "label", "output", "response", "result", "summary", "target", "translation"}
)
"""Fields that are the answer wherever a target prints them, whatever it prints beside them."""


def of_wording(wording: Wording) -> Iterator[Finding]:
    """Where an input, or a system prompt, prints what the target after it prints.

    A target that also prints something else may repeat a part of the input, like the question; but not the answer.
    """
    keys = list(wording.template.texts)
    for part in wording.of("target"):
        before = [each for each in wording.of("input", "system") if keys.index(each.key) <= keys.index(part.key)]
        said = wording.values(*before)
        asked = wording.values(part)
        options = said & _alternatives(wording, part.key)
        secret = {value for value in asked | _indices(part) if not _is_option(value)}
        secret -= options if len(options) > 1 else set()
        leaked = (
            secret & said if secret & said & (_ANSWERS | _indices(part)) or (secret and asked <= said) else frozenset()
        )
        for each in before:
            for slot in each.path.slots:
                if wording.made(slot.flow.values) & leaked:
                    what = f"the {each.side} prints {{{{ {slot.source} }}}}, which tells what the target prints"
                    hint = "leave it out there, or let the target print something else"
                    yield wording.finding("answer-leak", each.key, what, hint, slot.line)


def _is_option(value: str) -> bool:
    """Whether a value is all the choices, or one by its number, which may be any."""
    return re.sub(r"\[\d+\]$", "", value) in LISTS


def _alternatives(wording: Wording, key: str) -> frozenset[str]:
    """The values of which a target prints one or another: an input that prints two of them shows the choices."""
    ways = [part for part in wording.of("target") if part.key == key]
    printed = [wording.values(way) for way in ways]
    either = wording.made(value for way in ways for slot in way.path.slots for value in slot.flow.alternatives)
    return either | (frozenset().union(*printed) - frozenset.intersection(*printed))


def _indices(part: Part) -> set[str]:
    """What chooses the answer from the choices: `label` in `choices[label]`."""
    found = (pair for slot in part.path.slots for pair in slot.flow.index)
    return {index for name, index in found if name in LISTS or name.startswith("List(")}
