"""White space that nobody wants: at ends, doubled, or that cannot be seen."""

import re
import unicodedata
from collections.abc import Iterator

from flanmix.lint.finding import Finding
from flanmix.lint.wording import Part, Wording

_ODD = re.compile("[\t\x0b\x0c\x85\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]")
_LINE_END = re.compile(r"[ \t]+(?=\n)")
_DOUBLED = re.compile(r"(?<=\S)  +(?=\S)")
_BLANK_LINES = re.compile(r"\n[ \t]*\n[ \t]*\n")


def of_wording(wording: Wording) -> Iterator[Finding]:
    """White space at the ends of texts and lines, doubled spaces and blank lines, characters that cannot be seen."""
    for part in wording.of("input", "target", "system"):
        if wording.template.dialect == "native":
            yield from _at_ends(wording, part)
        yield from _inside(wording, part)
    for key, text in wording.template.texts.items():
        if "\r" in text:  # Jinja makes line breaks of them, so no path has any
            line = text[: text.index("\r")].count("\n") + 1
            yield _odd(wording, key, "\r", line)


def _at_ends(wording: Wording, part: Part) -> Iterator[Finding]:
    text = part.path.text
    for blank, edge, place in (
        (text[: len(text) - len(text.lstrip())], "begins", 0),
        (text[len(text.rstrip()) :], "ends", len(text.rstrip())),
    ):
        if blank and text.strip():
            what = f"the {part.side} {edge} with {_named(blank)}"
            hint = "take it away; in YAML a block after '|-' ends without a line break"
            yield wording.finding("edge-space", part.key, what, hint, part.path.line(place))


def _inside(wording: Wording, part: Part) -> Iterator[Finding]:
    path = part.path
    ended = len(path.text.rstrip())
    begun = len(path.text) - len(path.text.lstrip())
    for match in _LINE_END.finditer(path.text, begun, ended):
        what = f"a line of the {part.side} ends with {_named(match[0])}"
        yield wording.finding("line-space", part.key, what, "take it away", path.line(match.start()))
    for match in _DOUBLED.finditer(path.text):
        what = f"{len(match[0])} spaces in '{path.near(match.start(), match.end())}'"
        yield wording.finding("doubled-space", part.key, what, "keep one of them", path.line(match.start()))
    for match in _BLANK_LINES.finditer(path.text, begun, ended):
        what = f"two or more blank lines in the {part.side}"
        yield wording.finding("blank-lines", part.key, what, "keep one of them", path.line(match.start()))
    for match in _ODD.finditer(path.text):
        yield _odd(wording, part.key, match[0], path.line(match.start()))


def _odd(wording: Wording, key: str, character: str, line: int) -> Finding:
    hint = "write a space or a line break, or take it away"
    return wording.finding("odd-character", key, f"holds a {_name(character)}", hint, line)


def _name(character: str) -> str:
    """A character in words.

    >>> _name("\\u00a0"), _name("\\t")
    ('no-break space (U+00A0)', 'tab (U+0009)')
    """
    known = {"\t": "tab", "\r": "carriage return"}
    name = known[character] if character in known else unicodedata.name(character, "control character")
    return f"{name.lower()} (U+{ord(character):04X})"


def _named(blank: str) -> str:
    return "a line break" if "\n" in blank else "a space" if blank == " " else "white space"
