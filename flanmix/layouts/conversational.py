"""`conversational`: `prompt` and `completion` as lists of turns; the loss is on the completion."""

import pyarrow as pa

from flanmix.chat.conversations import ROLES, Conversations
from flanmix.layouts.turns import conversations_in, is_plain, turns, turns_of, turns_type
from flanmix.layouts.writing import Writing

_TURNS = turns_type("role", "content")
SCHEMA = pa.schema([pa.field("prompt", _TURNS), pa.field("completion", _TURNS)])
REPETITIVE: tuple[str, ...] = ("prompt.list.element.role", "completion.list.element.role")
ROOM = True


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """All turns but the last, and the last; the separator is a chat template's business.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing()).to_pylist()[0]["completion"]
    [{'role': 'assistant', 'content': '2'}]
    """
    if is_plain(examples):
        prompts = turns({"user": examples["input"]}, _TURNS)
    else:
        prompts = turns_of(Conversations.of_examples(examples).prompts(), ROLES, _TURNS)
    return pa.table({"prompt": prompts, "completion": turns({"assistant": examples["target"]}, _TURNS)})


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """The other way; raises `SourceError` for turns in another order than ours."""
    prompts, completions = (conversations_in(table[name], ROLES) for name in SCHEMA.names)
    return prompts.followed_by(completions).examples()
