"""Our own chat templates over whole columns: texts are joined from pieces that depend only on role and place."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import ASSISTANT, SYSTEM, Conversations
from flanmix.chat.form import AssistantTurn, ChatForm, Turn
from flanmix.chat.rendered import Range, Rendered, Spans, pattern_of, per_row
from flanmix.chat.template import ChatTemplate
from flanmix.order import Ints

_LATER, _FIRST, _FOLDED = range(3)
"""Where a message stands: anywhere, at the start, or after a system text that was put into its turn."""
_WHITE = "".join(map(chr, (*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))))
_WHITE += "\u2028\u2029\u202f\u205f\u3000"
"""What Python's `str.strip`, and so Jinja's `trim`, takes away."""


@dataclass(frozen=True)
class _Pieces:
    """The text before and after a message; `lead` and `end` are those parts of them that are trained."""

    before: str
    after: str
    lead: str = ""
    end: str = ""


def _table(form: ChatForm) -> list[_Pieces]:
    """The pieces for each role and place, at `3 * role + place`."""
    user_later = _Pieces(form.user.before, form.user.after)
    user_folded = _Pieces("", form.user.after)
    if form.system is None:
        system = [_Pieces(piece, form.fold or "") for piece in (form.user.before, form.start + form.user.opening)]
    else:
        befores = (form.system.before, form.start + form.system.opening)
        system = [_Pieces(piece, form.system.after) for piece in befores]
    said = form.assistant
    lead, end, after = said.lead, said.end, said.end + said.after
    assistants = [_Pieces(said.before + lead, after, lead, end), _Pieces(_opening(form, said) + lead, after, lead, end)]
    rows = [
        [*system, system[0]],
        [user_later, _Pieces(_opening(form, form.user), form.user.after), user_folded],
        [*assistants, assistants[0]],
    ]
    written = [one for row in rows for one in row]
    return [_Pieces(*map(form.pieces, (one.before, one.after, one.lead, one.end))) for one in written]


def _opening(form: ChatForm, turn: Turn | AssistantTurn) -> str:
    """What stands before a first message that is no system turn."""
    return form.start + (form.default + turn.before if form.default else turn.opening)


def render_form(
    template: ChatTemplate, form: ChatForm, conversations: Conversations, guarded: frozenset[str], prompt: bool
) -> Rendered:
    """Texts and spans; `prompt` adds what makes the assistant speak."""
    conversations.refuse_unknown(template.name, folds=form.system is None)
    contents = conversations.contents
    if form.trim:
        contents = pc.utf8_trim(contents, characters=_WHITE)
    places = _places(conversations, folds=form.system is None)
    table = _table(form)
    befores, afters = ([getattr(one, name) for one in table] for name in ("before", "after"))
    closing = places.copy()
    if prompt:
        afters += [after + form.pieces(form.assistant.before) for after in afters]
        closing[conversations.offsets[1:] - 1] += len(table)
    pieces = [
        pa.array(texts, pa.large_string()).take(pa.array(at)) for texts, at in ((befores, places), (afters, closing))
    ]
    messages = pc.binary_join_element_wise(pieces[0], contents, pieces[1], pa.scalar("", pa.large_string()))
    chars, size = _starts(conversations, pc.utf8_length(messages)), _starts(conversations, pc.binary_length(messages))
    return Rendered(
        template,
        _joined(messages, conversations.offsets),
        _spans(conversations, table, places, contents, chars, size),
        guarded,
        _verbatim(conversations, table, places, contents, chars, guarded),
    )


def _places(conversations: Conversations, *, folds: bool) -> Ints:
    """The row of the table for each message."""
    places = np.zeros(len(conversations.roles), np.int64)
    if folds:
        places[1:][conversations.roles[:-1] == SYSTEM] = _FOLDED
    places[conversations.offsets[:-1]] = _FIRST
    return 3 * conversations.roles + places


def _starts(conversations: Conversations, lengths: pa.Array) -> Ints:
    """Where each message starts in the text of its row."""
    ends = np.cumsum(np.asarray(lengths).astype(np.int64))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
    return starts - starts[conversations.offsets[:-1]][conversations.rows]


def _joined(messages: pa.Array, offsets: Ints) -> pa.Array:
    """The texts of rows: those of messages lie one after the other, so it takes no more than other offsets."""
    if isinstance(messages, pa.ChunkedArray):
        messages = messages.combine_chunks()
    ends = np.frombuffer(messages.buffers()[1], np.int64)[messages.offset : messages.offset + len(messages) + 1]
    buffers = [None, pa.py_buffer(np.ascontiguousarray(ends[offsets])), messages.buffers()[2]]
    return pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)


def _spans(
    conversations: Conversations, table: list[_Pieces], places: Ints, contents: pa.Array, chars: Ints, size: Ints
) -> Spans:
    said = np.flatnonzero(conversations.roles == ASSISTANT)
    rows, at, texts = conversations.rows[said], places[said], contents.take(pa.array(said))
    found = []
    for starts, lengths, measure in (
        (chars, pc.utf8_length(texts), len),
        (size, pc.binary_length(texts), lambda text: len(text.encode())),
    ):
        skipped = np.array([measure(one.before) - measure(one.lead) for one in table])
        added = np.array([measure(one.lead) + measure(one.end) for one in table])
        begin = starts[said] + skipped[at]
        found += [begin, begin + added[at] + np.asarray(lengths).astype(np.int64)]
    turns = said - conversations.offsets[:-1][rows]
    return Spans(per_row(rows, len(conversations)), turns, *found)


def _verbatim(
    conversations: Conversations, table: list[_Pieces], places: Ints, contents: pa.Array, chars: Ints,
    guarded: frozenset[str],
) -> dict[int, tuple[Range, ...]]:  # fmt: skip
    if not guarded:
        return {}
    pattern = pattern_of(guarded)
    found: dict[int, tuple[Range, ...]] = {}
    for message in np.flatnonzero(np.asarray(pc.match_substring_regex(contents, pattern))).tolist():
        begin = int(chars[message]) + len(table[places[message]].before)
        row = int(conversations.rows[message])
        ranges = (match.span() for match in re.finditer(pattern, contents[message].as_py()))
        found[row] = found.get(row, ()) + tuple((begin + start, begin + stop) for start, stop in ranges)
    return found
