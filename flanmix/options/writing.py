"""Texts made of lists in styles: the list as it is shown, and the answers that point into it."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.keyed import Ints
from flanmix.options.lists import TEXT, Lists, Mask
from flanmix.options.marks import marks
from flanmix.spec.axes import OptionStyle, OptionTarget

_EMPTY = pa.scalar("", TEXT)
_NOTHING = pa.py_buffer(b"")


def written(lists: Lists, styles: Sequence[OptionStyle], chosen: Ints) -> pa.Array:
    """Each list as a text in its style; null where it has no text, or a null one.

    >>> letters = OptionStyle("letters", labels="capitals", label="{}) ", separator="; ")
    >>> lists = Lists.of(pa.array([["yes", "no"], ["left; then right", "back"]], pa.list_(TEXT)))
    >>> written(lists, [letters], np.zeros(2, np.int64)).to_pylist()
    ['A) yes; B) no', 'A) left; then right\\nB) back']
    """
    on_lines = _on_lines(lists, styles, chosen)
    codes = 2 * chosen + on_lines

    def before(code: int, count: int) -> list[str]:
        style, broken = styles[code // 2], code % 2
        starts = [style.start] + ["\n" if broken else style.separator] * (count - 1)
        return [start + label for start, label in zip(starts, labels(style, count), strict=True)]

    pieces = [_by_place(before, codes[lists.owners], lists.places), lists.texts]
    if any(style.end for style in styles):
        last = lists.places + 1 == lists.lengths[lists.owners]
        ends = pa.array(["", *(style.end for style in styles)], TEXT)
        pieces.append(ends.take(pa.array((1 + chosen[lists.owners]) * last)))
    return _joined(lists, pc.binary_join_element_wise(*pieces, _EMPTY))


def labels(style: OptionStyle, count: int) -> list[str]:
    """What stands before the first options of a list.

    >>> labels(OptionStyle("letters", labels="capitals", label="({}) "), 2)
    ['(A) ', '(B) ']
    """
    return [style.label.replace("{}", mark) for mark in marks(style.labels, count)]


def _on_lines(lists: Lists, styles: Sequence[OptionStyle], chosen: Ints) -> Mask:
    """Lists of a style on one line that would be read wrongly: an option breaks the line, or holds the separator."""
    found = np.zeros(len(lists), bool)
    for number, style in enumerate(styles):
        if "\n" in style.separator:
            continue
        texts = np.flatnonzero((chosen == number)[lists.owners])
        own = lists.texts.take(pa.array(texts))
        broken = pc.or_(pc.match_substring(own, "\n"), pc.match_substring(own, style.separator))
        found[lists.owners[texts[np.asarray(pc.fill_null(broken, False))]]] = True
    return found


def _joined(lists: Lists, pieces: pa.Array) -> pa.Array:
    """The pieces of each list as one text. They lie side by side already, and only need other offsets."""
    lost = lists.lengths == 0
    if pieces.null_count:
        lost |= lists.any_of(np.asarray(pieces.is_null()))
    if lost.all():
        return pa.nulls(len(lists), TEXT)
    _, offsets, data = pieces.buffers()  # of an array that was just made: it starts at 0
    ends = np.frombuffer(offsets, np.int64)[lists.starts]
    bits = pa.py_buffer(np.packbits(~lost, bitorder="little")) if lost.any() else None
    return pa.Array.from_buffers(TEXT, len(lists), [bits, pa.py_buffer(ends), data or _NOTHING])


def answers(
    lists: Lists, texts: Ints, styles: Sequence[OptionStyle], chosen: Ints, targets: Sequence[OptionTarget], kinds: Ints
) -> pa.Array:
    """What a target prints to point at some of the texts of lists, given by number.

    `chosen` are the styles of these texts' lists, `kinds` the numbers of their targets. An option without a label is
    always pointed at by its text.
    """
    if all(style.labels == "none" for style in styles) or set(targets) == {"text"}:
        return lists.texts.take(pa.array(texts))
    codes = chosen * len(targets) + kinds

    def before(code: int, count: int) -> list[str]:
        style, target = styles[code // len(targets)], targets[code % len(targets)]
        if style.labels == "none" or target == "text":
            return [""] * count
        return marks(style.labels, count) if target == "label" else [text.lstrip() for text in labels(style, count)]

    labelled = np.array([style.labels != "none" for style in styles])[chosen]
    alone = labelled & np.array([target == "label" for target in targets])[kinds]
    options = pc.if_else(pa.array(alone), _EMPTY, lists.texts.take(pa.array(texts)))
    return pc.binary_join_element_wise(_by_place(before, codes, lists.places[texts]), options, _EMPTY)


def _by_place(texts_of: Callable[[int, int], list[str]], codes: Ints, places: Ints) -> pa.Array:
    """For each place in a list, the text there among those of its code: `texts_of(code, how many)`."""
    counts = np.zeros(codes.max(initial=-1) + 1, np.int64)
    np.maximum.at(counts, codes, places + 1)
    texts: list[str] = []
    starts = np.zeros(len(counts), np.int64)
    for code in np.flatnonzero(counts).tolist():
        starts[code] = len(texts)
        texts += texts_of(code, int(counts[code]))
    return pa.array(texts, TEXT).take(pa.array(starts[codes] + places))
