"""What was left standing in a wording: marks, gaps to be filled in, notes to oneself, pieces of another format."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from flanmix.lint.finding import Finding
from flanmix.lint.paths import GAP, SLOT
from flanmix.lint.wording import Part, Wording

_PATTERNS: Mapping[str, tuple[re.Pattern[str], str]] = MappingProxyType(
    {
        "jinja-marks": (
            re.compile(r"\{\{[^{}\n]*\}\}|\{%[^{}\n]*%\}|\{\{|\}\}|\{%|%\}|\{#|#\}"),
            "write one '{{ … }}' around a field, without 'raw'",
        ),
        "todo": (re.compile(r"\b(?:TODO|FIXME|XXX+|TBD)\b|(?i:\blorem ipsum\b)"), "write what was meant"),
        "separator": (re.compile(r"\|\|\|"), "write 'input' and 'target', or 'dialect: promptsource'"),
        "markup": (
            re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d+|#[xX][0-9a-fA-F]+);|<br ?/?>"),
            "write the character itself, or a line break",
        ),
        "mojibake": (
            re.compile("Ã[\u0080-\u00bf]|â€.?|Â[\u00a0-\u00bf]|\ufffd"),
            "write the character that was meant, in UTF-8",
        ),
        "escaped-newline": (
            re.compile(r"\\n(?![a-z])"),
            "put the text in double quotes, or write it as a block after '|-'",
        ),
    }
)
_HINT = "print a field there with '{{ … }}', or write it out"
_GAPS = re.compile(
    r"(?<![\\\w}])\{[A-Za-z_]{3,}\}"
    r"|(?<![\d%])%(?:\(\w+\))?[sd]\b"
    r"|\[(?i:insert|your|enter|fill|put)\b[^\]\n]*\]"
    r"|_{3,}\s*here\b"
)
_IN_ANGLES = re.compile(r"<((?i:insert |your |the )?[A-Za-z_]+(?i: here)?)>")
_AFTER_DOLLAR = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_CALLED = frozenset(
    {
        *("answer", "answers", "choices", "context", "hypothesis", "input", "instruction", "label", "name", "options"),
        *(
            "output",
            "paragraph",
            "passage",
            "premise",
            "question",
            "response",
            "sentence",
            "source",
            "story",
            "summary",
        ),
        *("target", "text", "title", "topic", "word"),
    }
)
"""What gaps are commonly called."""


def of_wording(wording: Wording) -> Iterator[Finding]:
    """Everything that was left standing in its texts."""
    native = wording.template.dialect == "native"
    closed = {name for part in wording.parts for name in re.findall(r"</(\w+)>", part.path.text)}
    names = _CALLED.union(wording.fields or ())
    for part in wording.parts:
        for rule, (pattern, hint) in _PATTERNS.items():
            if rule == "separator" and not native:
                continue
            yield from _found(wording, part, rule, pattern.finditer(part.path.text), hint)
        yield from _found(wording, part, "placeholder", _gaps(part, names, closed), _HINT)


def _gaps(part: Part, names: frozenset[str], closed: set[str]) -> Iterator[re.Match[str]]:
    text = part.path.text
    yield from _GAPS.finditer(text)
    yield from (gap for gap in _AFTER_DOLLAR.finditer(text) if (gap[1] or gap[2]) in names)
    for gap in _IN_ANGLES.finditer(text):  # `<answer> … </answer>` says how to answer
        words = gap[1].lower().split()
        if gap[1] not in closed and (words[-1] in names or len(words) > 1):
            yield gap


def _found(wording: Wording, part: Part, rule: str, matches: Iterable[re.Match[str]], hint: str) -> Iterator[Finding]:
    for match in matches:
        if SLOT in match[0] or GAP in match[0]:
            continue
        what = f"the {part.side} says '{match[0]}'"
        yield wording.finding(rule, part.key, what, hint, part.path.line(match.start()))
