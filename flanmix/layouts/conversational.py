"""`conversational`: `prompt` and `completion` as lists of turns; the loss is on the completion."""

import pyarrow as pa

from flanmix.layouts.turns import turns, turns_type

_TURNS = turns_type("role", "content")
SCHEMA = pa.schema([pa.field("prompt", _TURNS), pa.field("completion", _TURNS)])
REPETITIVE: tuple[str, ...] = ("prompt.list.element.role", "completion.list.element.role")


def columns(inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
    """A user turn to answer, and the assistant turn that does; the separator is a chat template's business.

    >>> columns(pa.array(["1 + 1?"]), pa.array(["2"]), "").to_pylist()[0]["completion"]
    [{'role': 'assistant', 'content': '2'}]
    """
    return pa.table({"prompt": turns({"user": inputs}, _TURNS), "completion": turns({"assistant": targets}, _TURNS)})
