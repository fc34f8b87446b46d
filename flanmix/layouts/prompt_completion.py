"""`prompt` and `completion`: two texts; the loss is on the completion."""

import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import SourceError
from flanmix.layouts.writing import Writing

SCHEMA = pa.schema([pa.field("prompt", pa.string()), pa.field("completion", pa.string())])
REPETITIVE: tuple[str, ...] = ()
ROOM = False


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """The prompt ends in the separator, since no trainer puts one between prompt and completion.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing("\\n")).to_pylist()
    [{'prompt': '1 + 1?\\n', 'completion': '2'}]
    """
    inputs = examples["input"].cast(pa.large_string())
    ending = pa.scalar(writing.separator, pa.large_string())
    prompts = pc.binary_join_element_wise(inputs, ending, pa.scalar("", pa.large_string()))
    return pa.table({"prompt": prompts, "completion": examples["target"]})


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """The other way, without the separator; raises `SourceError` where a prompt does not end in it."""
    prompts, separator = table["prompt"], writing.separator
    if separator:
        ended = pc.ends_with(prompts, separator)
        if not pc.all(ended, min_count=0).as_py():
            what = f"the prompt of row {pc.index(ended, False).as_py()} does not end in the separator {separator!r}"
            raise SourceError(what, hint="give the separator that the rows were built with: it is in the manifest")
        prompts = pc.utf8_slice_codeunits(prompts, 0, -len(separator))
    return pa.table({"input": prompts.cast(pa.large_string()), "target": table["completion"].cast(pa.large_string())})
