"""What fields hold where a wording prints them: nothing, a missing value, punctuation that the wording has too."""

import re
from collections.abc import Iterator

import numpy as np

from flanmix.lint.finding import Finding
from flanmix.lint.paths import SLOT, Slot
from flanmix.lint.rendered import Rendered, blank, matching
from flanmix.lint.wording import Part

_MISSING = r"^\s*(None|nan|NaN|<NA>|\[\]|\{\}|\[''\])\s*$"
_AS_PYTHON = r"^\s*(\[['\"].*\]|\{['\"].*\}|\[\{.*\}\])\s*$"
_ENDED = r"[.?!]['\"”’)]?\s*$"
_PHRASE = r"\S\s+\S"
_SECOND = re.compile(rf"{SLOT}([.?!,;])(?!\.\.)")
_BETWEEN = re.compile(rf"{SLOT}([.,:;!?]?)(?={SLOT})")
_RARELY, _OFTEN = 0.01, 0.1
_MOSTLY = 0.5


def of_rows(rendered: Rendered) -> Iterator[Finding]:
    """The findings about what a wording's fields hold in these rows; its wording is native."""
    for part in rendered.wording.of("input", "target"):
        if part.key not in rendered.wording.template.pair:
            continue
        for slot in part.path.slots:
            yield from _of_slot(rendered, part, slot)
        yield from _doubled(rendered, part)
        yield from _glued(rendered, part)


def _of_slot(rendered: Rendered, part: Part, slot: Slot) -> Iterator[Finding]:
    texts = rendered.printed(slot)
    if texts is None:
        return
    missing = matching(texts, _MISSING)
    if missing.sum() <= _RARELY * len(rendered):  # an answer may well be "None"
        missing = np.zeros(len(rendered), bool)
    missing |= matching(texts, _AS_PYTHON)
    if missing.any():
        shown = texts[int(np.flatnonzero(missing)[0])].as_py().strip()[:40]
        what = f"{{{{ {slot.source} }}}} prints '{shown}' in {rendered.share(missing)}"
        hint = "drop such rows, keep them away with 'when', or print an item or a 'join' of a list"
        yield rendered.wording.finding("missing-value", part.key, what, hint, slot.line)
    if slot.flow.words:
        return
    empty = blank(texts) & ~blank(rendered.of(part.side))
    if empty.any():
        what = f"{{{{ {slot.source} }}}} is blank in {rendered.share(empty)}"
        hint = "put it and its words into '{% if … %}', keep such rows away with 'when', or drop them"
        yield rendered.wording.finding("blank-field", part.key, what, hint, slot.line)


def _doubled(rendered: Rendered, part: Part) -> Iterator[Finding]:
    for match in _SECOND.finditer(part.path.text):
        texts = rendered.printed(part.path.slot(match.start()))
        if texts is None:
            continue
        ended = matching(texts, _ENDED)
        if ended.sum() > _OFTEN * len(rendered):
            shown = part.path.shown(match.start(), match.end())
            what = f"'{shown}' puts '{match[1]}' after what ends already in {rendered.share(ended)}"
            line = part.path.line(match.start())
            hint = "leave it out, or put the field into quotation marks"
            yield rendered.wording.finding("doubled-punctuation", part.key, what, hint, line)


def _glued(rendered: Rendered, part: Part) -> Iterator[Finding]:
    """Two fields with nothing, or punctuation alone, between them, where they hold more than a word."""
    for match in _BETWEEN.finditer(part.path.text):
        first, second = part.path.slot(match.start()), part.path.slot(match.end())
        before, after = rendered.printed(first), rendered.printed(second)
        if before is None or after is None or first.flow.words or second.flow.words:
            continue
        touching = matching(before, r"\S$") & matching(after, r"^\w")
        touching &= matching(before, _PHRASE) | matching(after, _PHRASE)
        if touching.sum() > _MOSTLY * len(rendered):
            what = f"'{part.path.shown(match.start(), match.end() + 1)}' has nothing between the two fields"
            line = part.path.line(match.start())
            hint = "put a space or a line break between them"
            yield rendered.wording.finding("glued-to-data", part.key, what, hint, line)
