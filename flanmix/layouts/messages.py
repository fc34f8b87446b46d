"""`messages`: a list of turns with exactly the keys `role` and `content`."""

import pyarrow as pa

from flanmix.chat.conversations import ROLES
from flanmix.layouts.turns import all_turns, conversations_in, turns_type
from flanmix.layouts.writing import Writing

_TURNS = turns_type("role", "content")
SCHEMA = pa.schema([pa.field("messages", _TURNS)])
REPETITIVE: tuple[str, ...] = ("messages.list.element.role",)
ROOM = True


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """All turns of a row; the separator is a chat template's business and left out.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing()).column("messages")[0].as_py()
    [{'role': 'user', 'content': '1 + 1?'}, {'role': 'assistant', 'content': '2'}]
    """
    return pa.table({"messages": all_turns(examples, ROLES, _TURNS)})


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """The other way; raises `SourceError` for turns in another order than ours."""
    return conversations_in(table["messages"], ROLES).examples()
