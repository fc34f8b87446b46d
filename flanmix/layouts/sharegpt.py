"""`sharegpt`: `conversations`, a list of turns with the keys `from` (`human`, `gpt`) and `value`."""

import pyarrow as pa

from flanmix.layouts.turns import turns, turns_type

_TURNS = turns_type("from", "value")
SCHEMA = pa.schema([pa.field("conversations", _TURNS)])
REPETITIVE: tuple[str, ...] = ("conversations.list.element.from",)


def columns(inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
    """What a human says and what the model answers; the separator is a chat template's business and left out.

    >>> columns(pa.array(["1 + 1?"]), pa.array(["2"]), "").column("conversations")[0].as_py()
    [{'from': 'human', 'value': '1 + 1?'}, {'from': 'gpt', 'value': '2'}]
    """
    return pa.table({"conversations": turns({"human": inputs, "gpt": targets}, _TURNS)})
