"""The column schemas of built datasets: one module for each layout, all with the same provenance columns."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import SourceError, UsageError
from flanmix.layouts import (
    alpaca,
    conversational,
    inputs_targets,
    messages,
    packed,
    prompt_completion,
    sharegpt,
    tagged,
    text,
    tokens,
)
from flanmix.layouts.turns import is_plain
from flanmix.layouts.writing import Writing

__all__ = [
    "LAYOUTS",
    "METADATA",
    "NAME",
    "REPETITIVE",
    "TOKENS",
    "Layout",
    "Writing",
    "from_layout",
    "lay_out",
    "metadata_of",
    "repetitive_of",
    "schema_of",
]

NAME = pa.dictionary(pa.int32(), pa.string())
METADATA = pa.schema(
    [
        pa.field("fm_task", NAME),
        pa.field("fm_type", NAME),
        pa.field("fm_source", NAME),
        pa.field("fm_split", NAME),
        pa.field("fm_template", NAME),
        pa.field("fm_style", NAME),
        pa.field("fm_row", pa.int64()),
        pa.field("fm_shots", pa.list_(pa.field("element", pa.int64()))),
        pa.field("fm_epoch", pa.int32()),
        pa.field("fm_stage", NAME),
    ]
)
"""Provenance of a row: its task and the task's type, the source and its split, the template and the row's style, the
row of the source (from 0), those of its exemplars (from 0, the farthest from the query first), the epoch (from 0) and
the stage of the mixture, "" where it has none.

The names carry `fm_` because trainers take many plain ones (`text`, `labels`, `length` …) for data of their own.
"""


REPETITIVE = tuple(name for name in METADATA.names if name not in ("fm_row", "fm_shots"))
"""Those whose values come again and again: in files they are kept once and pointed to."""


class Layout(Protocol):
    """What a layout module offers. `ROOM` says whether it has places for system texts and earlier turns."""

    SCHEMA: pa.Schema
    REPETITIVE: tuple[str, ...]
    ROOM: bool

    def columns(self, examples: pa.Table, writing: Writing) -> pa.Table:
        """The layout's columns for rendered examples: `input`, `target`, perhaps `system` and `history`."""
        ...

    def examples(self, table: pa.Table, writing: Writing) -> pa.Table:
        """The other way: `input` and `target`, and with `ROOM` also `system` and `history`."""
        ...


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "prompt_completion": prompt_completion,
        "conversational": conversational,
        "messages": messages,
        "sharegpt": sharegpt,
        "alpaca": alpaca,
        "inputs_targets": inputs_targets,
        "text": text,
        "tagged": tagged,
        "tokens": tokens,
        "packed": packed,
    }
)
TOKENS = ("tokens", "packed")
"""Layouts of tokens and labels, which take an encoding."""


def metadata_of(layout: str) -> pa.Schema:
    """The provenance columns of a layout: of packs lists, with an entry for each piece in them."""
    if layout != "packed":
        return METADATA
    kinds = [pa.string() if field.type == NAME else field.type for field in METADATA]
    return pa.schema(
        [pa.field(n, pa.list_(pa.field("element", k))) for n, k in zip(METADATA.names, kinds, strict=True)]
    )


def repetitive_of(layout: str, *, metadata: bool) -> list[str]:
    """The columns of a layout's files whose values come again and again: they are kept once and pointed to."""
    listed = ".list.element" if layout == "packed" else ""
    return [*LAYOUTS[layout].REPETITIVE, *(f"{name}{listed}" for name in REPETITIVE if metadata)]


def schema_of(layout: str, *, metadata: bool) -> pa.Schema:
    """The pinned schema of every shard.

    >>> schema_of("prompt_completion", metadata=False).names
    ['prompt', 'completion']
    """
    fields = list(LAYOUTS[layout].SCHEMA)
    return pa.schema([*fields, *metadata_of(layout)] if metadata else fields)


def lay_out(examples: pa.Table, layout: str, writing: Writing, *, metadata: bool) -> pa.Table:
    """Rendered examples in a layout's schema; with `metadata`, the columns of `METADATA` too.

    Examples have `input`, `target` and perhaps `system` and `history` (`flanmix.chat.conversations.HISTORY`). Raises
    `UsageError` where a row has a system text or earlier turns and the layout no place for them.

    >>> table = pa.table({"input": ["1 + 1?"], "target": ["2"]})
    >>> lay_out(table, "text", Writing(" => "), metadata=False).to_pylist()
    [{'text': '1 + 1? => 2'}]
    """
    if not LAYOUTS[layout].ROOM and not is_plain(examples):
        _refuse_what_has_no_place(examples, layout)
    table = LAYOUTS[layout].columns(examples, writing)
    if metadata:
        for field in metadata_of(layout):
            table = table.append_column(field, examples.column(field.name))
    return table.cast(schema_of(layout, metadata=metadata))


def from_layout(table: pa.Table, layout: str, writing: Writing) -> pa.Table:
    """The other way: examples of the rows of a shard, with its metadata columns.

    `writing` is what the shard was written with. A layout with places for system texts and earlier turns gives
    `system` and `history`, empty where there is none. Raises `UsageError` for the layouts `text`, `tokens` and
    `packed`, which cannot be taken apart, and `SourceError` for rows that are not written like that.

    >>> rows = pa.table({"prompt": ["1 + 1? => "], "completion": ["2"]})
    >>> from_layout(rows, "prompt_completion", Writing(" => ")).to_pylist()
    [{'input': '1 + 1?', 'target': '2'}]
    """
    schema = LAYOUTS[layout].SCHEMA
    try:
        own = table.select(schema.names).cast(schema)
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        what = f"the columns are not those of the layout '{layout}': {error}"
        raise SourceError(what, hint="name the layout that the rows were built with: it is in the manifest") from error
    examples = LAYOUTS[layout].examples(own, writing)
    for name in METADATA.names:
        if name in table.column_names:
            examples = examples.append_column(name, table[name])
    return examples


def _refuse_what_has_no_place(examples: pa.Table, layout: str) -> None:
    told = examples.column_names
    systems = pc.any(pc.not_equal(examples["system"], "")).as_py() if "system" in told else False
    turns = pc.any(pc.greater(pc.list_value_length(examples["history"]), 0)).as_py() if "history" in told else False
    if systems or turns:
        what = " and ".join(["system texts"] * bool(systems) + ["earlier turns"] * bool(turns))
        with_room = ", ".join(name for name, one in LAYOUTS.items() if one.ROOM and name not in TOKENS)
        hint = f"give a chat template, which writes them into the texts, or take one of {with_room}"
        raise UsageError(f"rows have {what}, for which the layout '{layout}' has no place", hint=hint)
