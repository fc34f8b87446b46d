"""What a rule finds, and how people are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flanmix.errors import Problem

RULES: Mapping[str, str] = MappingProxyType(
    {
        "answer-leak": "the input prints what the target prints",
        "blank-field": "a field that the input always prints is blank in some rows",
        "blank-input": "the input is empty or blank in some rows, which a build leaves out",
        "blank-lines": "two or more blank lines, one after the other",
        "blank-target": "the target is empty or blank in some rows, which a build leaves out",
        "constant-guard": "'when' reads no field",
        "constant-target": "the target reads no field",
        "dead-guard": "'when' of a task's own wording holds for none of its rows",
        "doubled-punctuation": "punctuation after punctuation, in the wording or after what a field ends with",
        "doubled-space": "two or more spaces inside a line",
        "duplicate-wording": "another wording says the same, or nearly",
        "edge-space": "white space at the beginning or end of a text",
        "escaped-newline": "a backslash and an n where a line break is meant",
        "extract-misses": "'extract' does not find the answer in the targets",
        "fails-on-row": "the template fails on a row, where a build stops",
        "glued-to-data": "words or punctuation directly before or after a field",
        "ignores-row": "the input reads no field",
        "jinja-marks": "marks of Jinja that are printed as they stand",
        "label-punctuation": "the target is a label with punctuation: 'B).'",
        "line-space": "white space at the end of a line",
        "markup": "HTML entities or line breaks",
        "missing-value": "a missing value or a list is printed as Python writes it: nan, None, ['a', 'b']",
        "mojibake": "text that was read in the wrong encoding",
        "odd-character": "a tab, a carriage return, or a space or mark that cannot be seen",
        "option-words": "words about options, or the options, in a wording without the tag 'options'",
        "options-missing": "the tag 'options' where no options are printed",
        "options-untagged": "options are printed without the tag 'options'",
        "placeholder": "a gap that was to be filled in: {answer}, $question, [INSERT …], ____ here",
        "same-text": "the target is the input in most rows",
        "separator": "three vertical bars, which only the dialect promptsource reads",
        "todo": "a note to oneself, or filler text",
        "unbalanced": "a bracket or quotation mark without its other half",
        "unused-field": "a field that no wording reads",
    }
)
"""The rules by name, and what each of them finds."""


@dataclass(frozen=True)
class Finding:
    """One fault of a wording, a family or a task: `rule` is one of `RULES`, `subject` a template's id or a name.

    It is `foreign` where the wording is another collection's: it is kept as it is, so people are only warned.

    >>> at = Problem("'Translate:' stands directly before a field", "nli.yaml", 7, hint="put a space between them")
    >>> print(Finding("glued-to-data", "nli/ask", at).problem)
    nli.yaml:7: glued-to-data: nli/ask: 'Translate:' stands directly before a field - put a space between them
    """

    rule: str
    subject: str
    found: Problem
    foreign: bool = False

    @property
    def problem(self) -> Problem:
        """The finding as one of the problems of a file."""
        found = self.found
        return Problem(f"{self.rule}: {self.subject}: {found.what}", found.file, found.line, found.key, found.hint)

    @property
    def record(self) -> dict[str, Any]:
        """The finding as plain values."""
        found = self.found
        place = {"file": found.file, "line": found.line, "key": found.key}
        return {**place, "rule": self.rule, "subject": self.subject, "what": found.what, "hint": found.hint}

    @property
    def order(self) -> tuple[str, int, str, str, str]:
        """What findings are sorted by: where they are, then the rule."""
        found = self.found
        return found.file or "", found.line or 0, found.key or "", self.rule, found.what
