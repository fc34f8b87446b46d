"""`messages`: a list of turns with exactly the keys `role` and `content`."""

import pyarrow as pa

from flanmix.layouts.turns import turns, turns_type

_TURNS = turns_type("role", "content")
SCHEMA = pa.schema([pa.field("messages", _TURNS)])
REPETITIVE: tuple[str, ...] = ("messages.list.element.role",)


def columns(inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
    """A user turn and an assistant turn; the separator is a chat template's business and left out.

    >>> columns(pa.array(["1 + 1?"]), pa.array(["2"]), "").column("messages")[0].as_py()
    [{'role': 'user', 'content': '1 + 1?'}, {'role': 'assistant', 'content': '2'}]
    """
    return pa.table({"messages": turns({"user": inputs, "assistant": targets}, _TURNS)})
