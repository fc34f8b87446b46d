"""Conversations, or prompts and completions, as texts: columns for our own templates, rows for others."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from flanmix.chat.columns import render_form
from flanmix.chat.conversations import Conversations
from flanmix.chat.foreign import render_foreign
from flanmix.chat.form import AssistantTurn, ChatForm, Turn
from flanmix.chat.rendered import Rendered
from flanmix.chat.template import ChatTemplate


def render_chat(
    template: ChatTemplate,
    conversations: pa.Array | pa.ChunkedArray,
    *,
    add_generation_prompt: bool = False,
    guarded: Iterable[str] = (),
) -> Rendered:
    """Conversations (`list<struct<role, content>>`) as texts, with the spans of what the assistant says.

    `guarded` are the texts of special tokens: where a message holds one, `verbatim` tells the place. Raises
    `SourceError` for conversations that no template takes, and `TemplateError` where this one does not.

    >>> form = ChatForm("tiny", source="none", eos="</s>", fold="\\n", user={"after": "\\n"}, assistant={})
    >>> turns = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]
    >>> rendered = render_chat(ChatTemplate.of_form(form), pa.array([turns]))
    >>> rendered.texts[0].as_py(), rendered.spans.row(0)
    ('1 + 1?\\n2</s>', [(7, 12)])
    """
    return render_apart(
        template, Conversations.of(conversations), add_generation_prompt=add_generation_prompt, guarded=guarded
    )


def render_apart(
    template: ChatTemplate,
    conversations: Conversations,
    *,
    add_generation_prompt: bool = False,
    guarded: Iterable[str] = (),
) -> Rendered:
    """As `render_chat`, of conversations that are taken apart already."""
    if template.form is not None:
        return render_form(template, template.form, conversations, frozenset(guarded), add_generation_prompt)
    return render_foreign(template, conversations, frozenset(guarded), add_generation_prompt)


def pair_template(eos: str, bos: str = "") -> ChatTemplate:
    """What stands around plain rows: `bos + prompt + completion + eos`, with nothing between the two."""
    start = "{{ bos_token }}" if bos else ""
    form = ChatForm(
        "pairs", source="flanmix", bos=bos, eos=eos, start=start, system=Turn(), user=Turn(), assistant=AssistantTurn()
    )
    return ChatTemplate.of_form(form)


def render_pairs(
    prompts: pa.Array, completions: pa.Array, *, eos: str, bos: str = "", guarded: Iterable[str] = ()
) -> Rendered:
    """Prompts and completions as `bos + prompt + completion + eos`; the span is the completion and `eos`.

    >>> rendered = render_pairs(pa.array(["1 + 1?\\n"]), pa.array(["2"]), eos="</s>")
    >>> rendered.texts[0].as_py(), rendered.spans.row(0)
    ('1 + 1?\\n2</s>', [(7, 12)])
    """
    count = len(prompts)
    both = pa.chunked_array([prompts.cast(pa.large_string()), completions.cast(pa.large_string())]).combine_chunks()
    contents = both.take(pa.array(np.arange(2 * count).reshape(2, count).T.ravel()))
    names = pa.array(["user", "assistant"], pa.large_string()).take(pa.array(np.tile([0, 1], count)))
    apart = Conversations(np.arange(0, 2 * count + 1, 2, dtype=np.int64), names, contents)
    template = pair_template(eos, bos)
    assert template.form is not None
    return render_form(template, template.form, apart, frozenset(guarded), False)
