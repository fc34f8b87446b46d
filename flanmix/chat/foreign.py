"""Chat templates of tokenizers, one conversation at a time, with the spans of what the assistant says.

A template with `{% generation %}` blocks says itself what they are. Of another, growing parts of the conversation are
rendered: what a turn adds after the text that prompts it is that turn, if each text is the start of the next.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from flanmix.chat.conversations import Conversations
from flanmix.chat.rendered import Range, Rendered, Spans, pattern_of, per_row
from flanmix.chat.template import ChatTemplate
from flanmix.errors import Problem, TemplateError
from flanmix.order import Ints
from flanmix.render.chat_marks import CLOSE, OPEN, clock, raise_exception
from flanmix.render.environment import BadTemplate, Program, compile_chat

_NONCHARACTERS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Code points that Unicode keeps free of meaning: marks, where a text does not hold them."""
_SHOWN = 40
Message = dict[str, str]


class _Refused(Exception):
    """One conversation cannot be rendered, or its spans cannot be told."""


@dataclass(frozen=True)
class _Row:
    text: str
    spans: list[Range]
    verbatim: list[Range]


def render_foreign(
    template: ChatTemplate, conversations: Conversations, guarded: frozenset[str], prompt: bool
) -> Rendered:
    """As `columns.render_form`; raises `TemplateError` for the first conversation that it cannot do."""
    try:
        program = compile_chat(template.jinja)
    except BadTemplate as error:
        problem = Problem(error.what, file=template.name, line=error.line, hint=error.hint)
        raise TemplateError(problem) from error
    guarded = guarded | {text for text in (template.bos, template.end) if text}
    writing = _Writing(template, program, re.compile(pattern_of(guarded)), OPEN in program.variables)
    names, contents = conversations.names.to_pylist(), conversations.contents.to_pylist()
    rows: list[_Row] = []
    turns: list[Ints] = []
    for number in range(len(conversations)):
        part = slice(conversations.offsets[number], conversations.offsets[number + 1])
        messages = [{"role": r, "content": c} for r, c in zip(names[part], contents[part], strict=True)]
        try:
            rows.append(writing.row(messages, prompt))
        except Exception as error:  # a template may raise anything
            said = str(error) if isinstance(error, _Refused) else f"{type(error).__name__}: {error}"
            hint = "drop such conversations, or use another chat template"
            raise TemplateError(Problem(f"conversation {number}: {said}", file=template.name, hint=hint)) from error
        turns.append(np.flatnonzero(np.array(names[part]) == "assistant"))
    spans = _spans(rows, turns)
    verbatim = {number: tuple(row.verbatim) for number, row in enumerate(rows) if row.verbatim}
    return Rendered(template, pa.array([row.text for row in rows], pa.large_string()), spans, guarded, verbatim)


@dataclass(frozen=True)
class _Writing:
    template: ChatTemplate
    program: Program
    guarded: re.Pattern[str]
    marked: bool

    def row(self, messages: list[Message], prompt: bool) -> _Row:
        free = [mark for mark in _NONCHARACTERS if not any(mark in message["content"] for message in messages)]
        if len(free) < 3:
            raise _Refused("it holds nearly all of Unicode's noncharacters, one of which has to mark places")
        opening, closing, hiding = free[:3]
        hidden: list[str] = []

        def hide(match: re.Match[str]) -> str:
            hidden.append(match[0])
            return hiding * len(match[0])

        masked = [{**message, "content": self.guarded.sub(hide, message["content"])} for message in messages]
        if self.marked:
            text, spans = _unmarked(self._render(masked, prompt, opening, closing), opening, closing)
            _same_number(spans, masked)
        else:
            text, spans = self._render(masked, prompt, "", ""), []
            for place, message in enumerate(masked):
                if message["role"] == "assistant":
                    spans.append(self._added(masked, place, text))
        return self._unhidden(text, [self._ended(text, span) for span in spans], hiding, hidden)

    def _render(self, messages: list[Message], prompt: bool, opening: str, closing: str) -> str:
        own: dict[str, Any] = {"bos_token": self.template.bos, "eos_token": self.template.eos}
        own |= {"messages": messages, "add_generation_prompt": prompt, "tools": None, "documents": None}
        own |= {"raise_exception": raise_exception, "strftime_now": clock(self.template.today)}
        return self.program.render({**own, OPEN: opening, CLOSE: closing})

    def _added(self, messages: list[Message], place: int, text: str) -> Range:
        """What the message at a place adds to what prompts it."""
        prompting = self._render(messages[:place], True, "", "")
        until = self._render(messages[: place + 1], False, "", "")
        if not (until.startswith(prompting) and text.startswith(until)):
            what = "the text up to it is not how the whole text starts"
            if not until.startswith(prompting):
                what = "it does not start with the text that prompts the assistant"
            marks = "{% generation %} … {% endgeneration %}"
            raise _Refused(f"message {place}: {what}, so no one can tell what is trained: mark it with {marks}")
        added = until[len(prompting) :]
        if not added.lstrip().startswith(messages[place]["content"].strip() or self.template.end):
            shown = added.strip()[:_SHOWN]
            raise _Refused(f"message {place}: what it adds begins with '{shown}', which is not what the assistant says")
        return len(prompting), len(until)

    def _ended(self, text: str, span: Range) -> Range:
        """The span up to the end-of-turn token, and not further."""
        start, stop = span
        end = self.template.end
        last = text.rfind(end, start, stop)
        if last >= 0:
            return start, last + len(end)
        if text.startswith(end, stop):
            return start, stop + len(end)
        raise _Refused(f"'{end}' does not end what the assistant says: give the token that ends its turns as 'end'")

    def _unhidden(self, text: str, spans: list[Range], hiding: str, hidden: list[str]) -> _Row:
        if not hidden:
            return _Row(text, spans, [])
        places, cursor, shown = [], 0, text
        for original in hidden:
            at = text.find(hiding, cursor)
            if at < 0 or text[at : at + len(original)] != hiding * len(original):
                raise _Refused("the template changes texts that hold one of the tokenizer's special tokens")
            cursor = at + len(original)
            shown = shown[:at] + original + shown[cursor:]
            places.append((at, cursor))
        if hiding in text[cursor:]:
            raise _Refused("the template writes a text twice that holds one of the tokenizer's special tokens")
        return _Row(shown, spans, places)


def _unmarked(text: str, opening: str, closing: str) -> tuple[str, list[Range]]:
    """The text without marks, and the ranges between them."""
    pieces = re.split(f"([{opening}{closing}])", text)
    plain, spans, begin, length = [], [], -1, 0
    for piece in pieces:
        if piece == opening:
            begin = length
        elif piece == closing:
            spans.append((begin, length))
        else:
            plain.append(piece)
            length += len(piece)
    return "".join(plain), spans


def _same_number(spans: list[Range], messages: Iterable[Message]) -> None:
    said = sum(message["role"] == "assistant" for message in messages)
    if len(spans) != said:
        raise _Refused(f"the template marks {len(spans)} texts as generated, and the assistant speaks {said} times")


def _spans(rows: list[_Row], turns: list[Ints]) -> Spans:
    flat = [(number, row.text, span) for number, row in enumerate(rows) for span in row.spans]
    numbers = np.array([number for number, _, _ in flat], np.int64)
    places = [np.array([span[side] for _, _, span in flat], np.int64) for side in (0, 1)]
    in_bytes = [np.array([len(t[: span[side]].encode()) for _, t, span in flat], np.int64) for side in (0, 1)]
    said = np.concatenate([np.zeros(0, np.int64), *turns])
    return Spans(per_row(numbers, len(rows)), said, *places, *in_bytes)
