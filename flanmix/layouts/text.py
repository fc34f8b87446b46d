"""`text`: input, separator and target as one text; trainers put the loss on all of it."""

import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import UsageError
from flanmix.layouts.writing import Writing

SCHEMA = pa.schema([pa.field("text", pa.string())])
REPETITIVE: tuple[str, ...] = ()
ROOM = False


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """One text, without a token at its start or end: trainers add both.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing("\\n")).to_pylist()
    [{'text': '1 + 1?\\n2'}]
    """
    inputs, targets = (examples[name].cast(pa.large_string()) for name in ("input", "target"))
    return pa.table({"text": pc.binary_join_element_wise(inputs, targets, pa.scalar(writing.separator, inputs.type))})


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """Raises `UsageError`: nothing says where the target begins, as the separator may be in the input too."""
    hint = (
        "build with prompt_completion, conversational, messages, sharegpt, alpaca, inputs_targets or tagged, "
        "which can be taken apart"
    )
    raise UsageError("rows of the layout 'text' cannot be taken apart again", hint=hint)
