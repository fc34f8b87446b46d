"""`prompt` and `completion`: two texts; the loss is on the completion."""

import pyarrow as pa
import pyarrow.compute as pc

SCHEMA = pa.schema([pa.field("prompt", pa.string()), pa.field("completion", pa.string())])
REPETITIVE: tuple[str, ...] = ()


def columns(inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
    """The prompt ends in the separator, since no trainer puts one between prompt and completion.

    >>> columns(pa.array(["1 + 1?"]), pa.array(["2"]), "\\n").to_pylist()
    [{'prompt': '1 + 1?\\n', 'completion': '2'}]
    """
    inputs = inputs.cast(pa.large_string())
    ending = pa.scalar(separator, pa.large_string())
    prompts = pc.binary_join_element_wise(inputs, ending, pa.scalar("", pa.large_string()))
    return pa.table({"prompt": prompts, "completion": targets})
