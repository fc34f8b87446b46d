"""Targets over rows: blank, the same as the input, known from it, labels with punctuation, answers not to be found."""

from collections.abc import Iterator, Sequence
from statistics import fmean as mean

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.extracting import extracted
from flanmix.lint.finding import Finding
from flanmix.lint.option_words import LISTS
from flanmix.lint.rendered import Mask, Rendered, blank, matching

_LABEL = r"^\s*(\(?[A-Za-z]\)[.:,;]+|[A-Za-z][).:])\s*$"
_MOSTLY, _NEARLY, _MOST = 0.5, 0.9, 500


def of_rows(rendered: Rendered, *, leaks: bool = True) -> Iterator[Finding]:
    """The findings about the texts of these rows. `leaks` are not looked for where the texts themselves show one."""
    wording = rendered.wording
    key, answer = wording.pair
    for side, at in (("input", key), ("target", answer)):
        empty = blank(rendered.of(side))
        if empty.any():
            what = f"the {side} is blank in {rendered.share(empty)}"
            hint = "drop such rows in the task, or keep them away with 'when'"
            yield wording.finding(f"blank-{side}", at, what, hint)
    if wording.template.dialect == "promptsource":
        return
    labels = matching(rendered.targets, _LABEL)
    if labels.sum() > _MOSTLY * len(rendered):
        shown = rendered.targets[int(np.flatnonzero(labels)[0])].as_py().strip()
        what = f"the target is a label with punctuation, '{shown}', in {rendered.share(labels)}"
        yield wording.finding("label-punctuation", answer, what, "print the label alone")
    same = _same(rendered.inputs, rendered.targets)
    if same.sum() > _MOSTLY * len(rendered):
        what = f"the target is the input in {rendered.share(same)}"
        yield wording.finding("same-text", answer, what, "print the answer, or drop such rows")
    elif leaks:
        yield from _leaks(rendered, key)
    yield from _extracts(rendered)


def _same(one: pa.Array, other: pa.Array) -> Mask:
    equal = pc.equal(pc.utf8_trim_whitespace(one), pc.utf8_trim_whitespace(other))
    found: Mask = np.asarray(pc.fill_null(equal, False)).astype(bool)
    return found


def _leaks(rendered: Rendered, key: str) -> Iterator[Finding]:
    """Where a field of the input is little more than the target, or the input ends with it, in nearly all rows.

    A passage that holds the answer somewhere is none, nor are options. One answer for all rows tells nothing.
    """
    targets, hint = _folded(rendered.targets), "leave it out of the input, or let the target print something else"
    if len(set(targets)) < 2:
        return
    slots = [slot for part in rendered.wording.of("input") if part.key == key for slot in part.path.slots]
    for slot in slots:
        texts = None if slot.flow.values & LISTS else rendered.printed(slot)
        if texts is not None and _tells(_folded(texts), targets):
            what = f"{{{{ {slot.source} }}}} is the target, or little more, in nearly all rows of {rendered.task}"
            yield rendered.wording.finding("answer-leak", key, what, hint, slot.line)
            return
    if "options" not in rendered.wording.template.tags and _ends(_folded(rendered.inputs), targets):
        what = f"the input ends with the target in nearly all rows of {rendered.task}"
        yield rendered.wording.finding("answer-leak", key, what, hint)


def _tells(texts: Sequence[str], targets: Sequence[str]) -> bool:
    pairs = zip(texts, targets, strict=True)
    return mean(bool(target) and target in text and 2 * len(target) >= len(text) for text, target in pairs) >= _NEARLY


def _ends(texts: Sequence[str], targets: Sequence[str]) -> bool:
    pairs = zip(texts, targets, strict=True)
    return mean(bool(target) and text.endswith(target) for text, target in pairs) >= _NEARLY


def _folded(texts: pa.Array) -> list[str]:
    """The first texts without case, white space and full stops at their ends."""
    return [(text or "").strip().rstrip(".").casefold() for text in texts[:_MOST].to_pylist()]


def _extracts(rendered: Rendered) -> Iterator[Finding]:
    """Where `extract` finds no answer in a target, or another than the field `answer` that the target prints."""
    template, wording = rendered.wording.template, rendered.wording
    if template.extract is None:
        return
    found = extracted(template, rendered.targets)
    missed = np.asarray(found.is_null()) & ~blank(rendered.targets)
    other = np.zeros(len(rendered), bool)
    if "answer" in wording.values(*wording.of("target")) and "answer" in rendered.table.column_names:
        answers = pc.cast(rendered.table.column("answer"), pa.large_string()).combine_chunks()
        other = ~(_same(pc.utf8_lower(found), pc.utf8_lower(answers)) | missed | blank(rendered.targets))
    for mask, says in ((missed, "finds no answer"), (other, "finds another answer than the field 'answer'")):
        if mask.any():
            what = f"'extract' {says} in {rendered.share(mask)}"
            hint = "make the pattern match what the target writes around the answer"
            yield wording.finding("extract-misses", "extract", what, hint)
