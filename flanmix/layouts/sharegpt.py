"""`sharegpt`: `conversations`, a list of turns with the keys `from` (`system`, `human`, `gpt`) and `value`."""

import pyarrow as pa

from flanmix.layouts.turns import all_turns, conversations_in, turns_type
from flanmix.layouts.writing import Writing

_TURNS = turns_type("from", "value")
_NAMES = ("system", "human", "gpt")
SCHEMA = pa.schema([pa.field("conversations", _TURNS)])
REPETITIVE: tuple[str, ...] = ("conversations.list.element.from",)
ROOM = True


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """What a human says and what the model answers; the separator is a chat template's business and left out.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing()).column("conversations")[0].as_py()
    [{'from': 'human', 'value': '1 + 1?'}, {'from': 'gpt', 'value': '2'}]
    """
    return pa.table({"conversations": all_turns(examples, _NAMES, _TURNS)})


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """The other way; raises `SourceError` for turns in another order than ours."""
    return conversations_in(table["conversations"], _NAMES).examples()
