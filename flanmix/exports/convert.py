"""From the columns of one layout to those of another, by columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import HISTORY, ROLES, Conversations
from flanmix.errors import BuildError, Problem
from flanmix.layouts import METADATA, lay_out

ROOM = frozenset({"conversational", "messages", "sharegpt", "alpaca"})
"""Layouts with places for system texts and earlier turns."""
CONVERTIBLE = ROOM | {"prompt_completion", "inputs_targets"}
"""Layouts that can be made of each other: in tokens and in `text`, prompt and answer are no longer apart."""
_LARGE = pa.large_string()
_KEYS = {"sharegpt": ("from", "value")}
_SPEAKERS = {"sharegpt": ("system", "human", "gpt")}


def converted(table: pa.Table, source: str, target: str, separator: str) -> pa.Table:
    """Rows of one layout in another; the metadata columns go along.

    Raises `FlanmixError` where the rows hold turns that the other layout has no place for.

    >>> table = pa.table({"prompt": ["1 + 1?\\n"], "completion": ["2"]})
    >>> converted(table, "prompt_completion", "messages", "\\n")["messages"].to_pylist()[0][0]
    {'role': 'user', 'content': '1 + 1?'}
    """
    examples = _plain_where_it_can_be(examples_of(table, source, separator))
    if target not in ROOM and "history" in examples.column_names:
        what = f"has system texts or earlier turns, which {target} has no place for"
        hint = f"take --layout {' or '.join(sorted(ROOM))}, or build with a chat_template"
        raise BuildError(Problem(what, hint=hint))
    laid_out = lay_out(examples, target, separator=separator, metadata=False)
    for field in METADATA:
        if field.name in table.column_names:
            laid_out = laid_out.append_column(field, table.column(field.name).cast(field.type))
    return laid_out


def examples_of(table: pa.Table, layout: str, separator: str) -> pa.Table:
    """`input` and `target`, and where the layout has places for them `system` and `history`."""
    if layout in ("prompt_completion", "inputs_targets"):
        names = ("prompt", "completion") if layout == "prompt_completion" else ("inputs", "targets")
        inputs, targets = (table.column(name).cast(_LARGE) for name in names)
        ending = separator if layout == "prompt_completion" else ""
        return pa.table({"input": _without(inputs, ending), "target": targets})
    if layout == "alpaca":
        return _of_alpaca(table)
    columns = {"conversational": ("prompt", "completion"), "messages": ("messages",), "sharegpt": ("conversations",)}
    lists = [table.column(name).combine_chunks() for name in columns[layout]]
    return _conversations(lists, _KEYS.get(layout, ("role", "content")), _SPEAKERS.get(layout, ROLES)).examples()


def _without(texts: pa.ChunkedArray, ending: str) -> pa.ChunkedArray:
    if not ending:
        return texts
    if not pc.all(pc.ends_with(texts, ending), min_count=0).as_py():
        what = f"prompts do not end in the separator {ending!r} that the manifest names"
        raise BuildError(what, hint="build the folder again")
    return pc.utf8_slice_codeunits(texts, 0, -len(ending))


def _conversations(lists: Sequence[pa.Array], keys: tuple[str, str], speakers: Sequence[str]) -> Conversations:
    """Columns of turns that follow each other in a row, as conversations of flanmix's own roles."""
    turns = pa.concat_arrays([column.flatten() for column in lists])
    lengths = [np.asarray(pc.list_value_length(column)) for column in lists]
    rows = np.concatenate([np.repeat(np.arange(len(each)), each) for each in lengths])
    turns = turns.take(pa.array(np.argsort(rows, kind="stable")))
    names, contents = (pc.struct_field(turns, key).cast(_LARGE) for key in keys)
    known = pa.array(ROLES, _LARGE).take(pc.index_in(names, pa.array(speakers, _LARGE)))
    structs = pa.StructArray.from_arrays([pc.coalesce(known, names), contents], names=["role", "content"])
    offsets = np.concatenate([[0], np.cumsum(sum(lengths))]).astype(np.int32)
    return Conversations.of(pa.ListArray.from_arrays(pa.array(offsets), structs))


def _of_alpaca(table: pa.Table) -> pa.Table:
    instruction, more, output, system = (
        table.column(name).combine_chunks().cast(_LARGE) for name in ("instruction", "input", "output", "system")
    )
    joined = pc.binary_join_element_wise(instruction, more, pa.scalar("\n", _LARGE))
    history = table.column("history").combine_chunks()
    texts = history.flatten().flatten().cast(_LARGE)
    sides = [texts.take(pa.array(np.arange(side, len(texts), 2))) for side in (0, 1)]
    pairs = pa.StructArray.from_arrays(sides, fields=list(HISTORY.value_type))
    offsets = np.concatenate([[0], np.cumsum(np.asarray(pc.list_value_length(history)))]).astype(np.int32)
    return pa.table(
        {
            "input": pc.if_else(pc.equal(more, ""), instruction, joined),
            "target": output,
            "system": system,
            "history": pa.ListArray.from_arrays(pa.array(offsets), pairs, HISTORY),
        }
    )


def _plain_where_it_can_be(examples: pa.Table) -> pa.Table:
    """Without the columns for system texts and earlier turns, where there are none."""
    if "history" not in examples.column_names:
        return examples
    turns = pc.any(pc.greater(pc.list_value_length(examples["history"]), 0), min_count=0).as_py()
    told = pc.any(pc.not_equal(examples["system"], ""), min_count=0).as_py()
    return examples if turns or told else examples.select(["input", "target"])
