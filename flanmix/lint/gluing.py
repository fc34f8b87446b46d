"""Words or punctuation that touch a field: `Translate:{{ text }}`."""

import re
from collections.abc import Iterator

from flanmix.lint.finding import Finding
from flanmix.lint.paths import GAP, SLOT, Path
from flanmix.lint.wording import Wording

_BEFORE = re.compile(rf"(?P<word>\w*)(?P<mark>[.,:;!?]?)(?P<quote>[\"“]?){SLOT}")
_AFTER = re.compile(rf"{SLOT}(?P<quote>[\"”]?)(?P<word>\w+)")
_ENDING = re.compile(
    r"(?:s|es|th|st|nd|rd|ish|ed|ing|er|ers|ly|0s?|x|km|cm|mm|m|kg|mg|g|l|ml|am|pm|px|ms|[kKMGT]?B|C|F|K)"
)
"""Endings of words and units that people write right after a word or number."""
_ENTITY = re.compile(r"&#?\w+;$")
_OTHER_SCRIPTS = 0x2E80
"""From here on are scripts without spaces between words, and Korean, which ends names with particles."""


def of_wording(wording: Wording) -> Iterator[Finding]:
    """Where a field is printed without white space, a quotation mark or a bracket between it and the wording."""
    for part in wording.of("input", "target", "system"):
        path = part.path
        for match in _BEFORE.finditer(path.text):
            if _is_glued_before(path, match):
                start = match.start("word") if match["word"] else match.start("mark")
                what = f"'{path.shown(start, match.end())}' has nothing between the words and the field"
                hint = "put a space or a line break between them"
                yield wording.finding("glued-to-data", part.key, what, hint, path.line(match.end() - 1))
        for match in _AFTER.finditer(path.text):
            if _is_glued_after(path, match):
                what = f"'{path.shown(match.start(), match.end())}' has nothing between the field and the words"
                hint = "put a space or a line break between them"
                yield wording.finding("glued-to-data", part.key, what, hint, path.line(match.start()))


def _is_glued_before(path: Path, match: re.Match[str]) -> bool:
    word, mark, quote = match["word"], match["mark"], match["quote"]
    slot = path.slot(match.end() - 1)
    if slot.flow.words or slot.source.startswith("loop."):
        return False
    if quote and not _opens(path.text, match.start("quote")):
        return False
    if mark:  # between two fields it is told by their rows: a time, a ratio, two sentences
        before = path.text[: match.start("mark")]
        return before[-1:] not in (SLOT, GAP) and not _ENTITY.search(before + mark)
    last = word[-1:]
    return len(word) > 1 and last.isalpha() and ord(last) < _OTHER_SCRIPTS


def _is_glued_after(path: Path, match: re.Match[str]) -> bool:
    if path.slot(match.start()).flow.words:
        return False
    if match["quote"] and _opens(path.text, match.start("quote")):
        return False
    if not match["quote"] and _ENDING.fullmatch(match["word"]):
        return False
    return ord(match["word"][0]) < _OTHER_SCRIPTS and match["word"][0] != "_"


def _opens(text: str, place: int) -> bool:
    """Whether the quotation mark at a place begins a quotation."""
    return text[place] == "“" or (text[place] == '"' and not text.count('"', 0, place) % 2)
