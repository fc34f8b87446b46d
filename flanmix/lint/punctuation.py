"""Brackets and quotation marks without their other half, and punctuation after punctuation."""

import re
from collections.abc import Iterator

from flanmix.lint.finding import Finding
from flanmix.lint.paths import SLOT, Path
from flanmix.lint.wording import Wording

_OTHER = {")": "(", "]": "[", "}": "{"}
_DOUBLED = re.compile(r"(?<![./])\.\.(?![./])|,,|;;|[?!]\.(?!\.)|,\.(?!\.)|(?<=\w)::(?=\s)")
_MARKS = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")
_LABEL = re.compile(rf"\(?(?:{SLOT}|[A-Za-z]|\d{{1,2}})(?:\)[.:,;]+|(?<!\()\))|{SLOT}:")
_BALANCED = re.compile(rf"\((?:{SLOT}|\w{{1,2}})\)")


def of_wording(wording: Wording) -> Iterator[Finding]:
    """What is wrong with the punctuation of a wording, whatever its fields hold."""
    for part in wording.of("input", "target", "system"):
        path = part.path
        for place, mark in _unbalanced(path):
            hint = "write its other half, or take it away"
            what = f"'{mark}' in '{path.near(place)}' has no other half"
            yield wording.finding("unbalanced", part.key, what, hint, path.line(place))
        for match in _DOUBLED.finditer(path.text):
            what = f"the {part.side} says '{match[0]}'"
            hint = "keep one of the two"
            yield wording.finding("doubled-punctuation", part.key, what, hint, path.line(match.start()))
        text = path.text.strip()
        if part.side == "target" and _LABEL.fullmatch(text) and not _BALANCED.fullmatch(text):
            what = f"the target '{path.shown(0, len(path.text)).strip()}' is a label with punctuation"
            yield wording.finding("label-punctuation", part.key, what, "print the label alone", path.line(0))


def _unbalanced(path: Path) -> Iterator[tuple[int, str]]:
    """The places of brackets and quotation marks that stand alone."""
    text = _MARKS.sub("  ", path.text)
    yield from _brackets(text)
    straight = [match.start() for match in re.finditer(r'(?<!\d)"', text)]
    if len(straight) % 2:
        yield straight[-1], '"'
    for first, second in ("“”", "«»"):
        here, there = text.count(first), text.count(second)
        if here != there and "„" not in text:
            mark = first if here > there else second
            yield text.rindex(mark), mark


def _brackets(text: str) -> Iterator[tuple[int, str]]:
    opened: list[int] = []
    for place, mark in enumerate(text):
        if mark in _OTHER.values():
            opened.append(place)
        elif mark in _OTHER:
            if opened and text[opened[-1]] == _OTHER[mark]:
                opened.pop()
            elif not _may_stand_alone(text, place):
                yield place, mark
    yield from ((place, text[place]) for place in opened if text[place - 1 : place] != ":")


def _may_stand_alone(text: str, place: int) -> bool:
    """Whether a closing bracket ends the number of a list (`a)`) or a smile."""
    return re.search(rf"(?:^|\s)(?:{SLOT}|\w{{1,3}})$|[:;]-?$", text[max(place - 5, 0) : place]) is not None
