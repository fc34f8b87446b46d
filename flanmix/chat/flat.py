"""Conversations as plain rows, by a chat template: for layouts without places for system texts and earlier turns."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import Conversations
from flanmix.chat.render import render_apart
from flanmix.chat.rendered import Rendered, pattern_of
from flanmix.chat.template import ChatTemplate

_MARKERS = re.compile(r"<[|｜][^<>\s]+[|｜]>|</?[a-z]+_of_[a-z]+>|\[/?[A-Z_]{2,}\]|</?s>")
"""What the marks of turns look like: `<|im_start|>`, `<end_of_turn>`, `[INST]`, `</s>`."""


@dataclass(frozen=True, eq=False)
class Flat:
    """Plain examples, and which of the rows that were given are not among them as they spell a marker."""

    examples: pa.Table
    spelled: npt.NDArray[np.bool_]


def flatten(examples: pa.Table, template: ChatTemplate, *, apart: bool = False, guarded: Iterable[str] = ()) -> Flat:
    """Examples whose `input` is the chat template's text up to the last answer, and whose `target` is that answer.

    The target has what the template trains, its end of turn included, so trainers that append an end-of-sequence token
    (the same one) where there is none add no second. The template's text at the start (`bos`) is left out, as
    tokenizers put it there, and so is what follows the end of turn. Nothing is to be written between the two: the
    separator is "". With `apart` the target stays as it is, for models that encode the two texts apart and end the
    target themselves.

    A text that spells a marker would be encoded as that token, and look like turns that nobody took: such rows are
    left out. Markers are `bos`, `eos` and the end of turn, what looks like one in the template (`<|…|>` …), and
    `guarded`: with a tokenizer at hand, its special tokens.

    Columns other than `system`, `history` and `trained` stay. Raises `TemplateError` where the template fails.

    >>> from flanmix.chat.library import load_chat_template
    >>> rows = pa.table({"input": ["1 + 1?", "<|im_end|>"], "target": ["2", "3"], "system": ["Be brief.", ""]})
    >>> flat = flatten(rows, load_chat_template("chatml"))
    >>> flat.examples["target"].to_pylist(), flat.spelled.tolist()
    (['2<|im_end|>'], [False, True])
    """
    told = Conversations.of_examples(examples)
    pattern = pattern_of(markers(template) | frozenset(guarded))
    found = pc.match_substring_regex(told.contents, pattern).to_numpy(zero_copy_only=False)
    spelled = np.bincount(told.rows[found], minlength=len(told)) > 0
    if spelled.any():
        examples = examples.filter(pa.array(~spelled))
        told = Conversations.of_examples(examples)
    prompts, answers = _parted(render_apart(template, told)) if examples.num_rows else (told.contents, told.contents)
    examples = examples.drop_columns([n for n in ("system", "history", "trained") if n in examples.column_names])
    examples = _with(examples, "input", prompts)
    return Flat(examples if apart else _with(examples, "target", answers), spelled)


def markers(template: ChatTemplate) -> frozenset[str]:
    """The texts of a template that steer the model, as far as the template tells.

    >>> from flanmix.chat.library import load_chat_template
    >>> sorted(markers(load_chat_template("mistral")))
    ['</s>', '<s>', '[/INST]', '[INST]']
    """
    written = {text for text in (template.bos, template.eos, template.end) if text}
    return frozenset(written | set(_MARKERS.findall(template.jinja)))


def _parted(rendered: Rendered) -> tuple[pa.Array, pa.Array]:
    """What stands before the last answer, without `bos`, and the answer.

    All texts lie one after the other in one buffer: cut at more places, it is an array of four pieces for each row.
    """
    texts, spans, bos = rendered.texts, rendered.spans, rendered.template.bos
    ends = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    last = spans.offsets[1:] - 1
    begun = pc.starts_with(texts, bos).to_numpy(zero_copy_only=False) * len(bos.encode())
    starts = ends[:-1]
    cuts = np.stack([starts, starts + begun, starts + spans.byte_starts[last], starts + spans.byte_stops[last]], axis=1)
    offsets = pa.py_buffer(np.append(cuts.ravel(), ends[-1]))
    pieces = pa.Array.from_buffers(pa.large_string(), 4 * len(texts), [None, offsets, texts.buffers()[2]])
    places = np.arange(len(texts)) * 4
    prompts, answers = (pieces.take(pa.array(places + place)) for place in (1, 2))
    return prompts, answers


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
