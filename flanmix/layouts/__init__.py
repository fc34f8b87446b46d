"""The column schemas of built datasets: one module for each layout, all with the same provenance columns."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import pyarrow as pa

from flanmix.layouts import (
    alpaca,
    conversational,
    inputs_targets,
    messages,
    packed,
    prompt_completion,
    sharegpt,
    tokens,
)

NAME = pa.dictionary(pa.int32(), pa.string())
METADATA = pa.schema(
    [
        pa.field("fm_task", NAME),
        pa.field("fm_type", NAME),
        pa.field("fm_template", NAME),
        pa.field("fm_row", pa.int64()),
        pa.field("fm_epoch", pa.int32()),
    ]
)
"""Provenance of a row: its task, the task's type, the template, the row of the source (from 0) and the epoch (from 0).

The names carry `fm_` because trainers take many plain ones (`text`, `labels`, `length` …) for data of their own.
"""


REPETITIVE = tuple(name for name in METADATA.names if name != "fm_row")
"""Those whose values come again and again: in files they are kept once and pointed to."""


class Layout(Protocol):
    """What a layout module offers."""

    SCHEMA: pa.Schema
    REPETITIVE: tuple[str, ...]

    def columns(self, inputs: pa.Array, targets: pa.Array, separator: str) -> pa.Table:
        """The layout's columns for rendered inputs and targets (`large_string`, same length)."""
        ...


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "prompt_completion": prompt_completion,
        "conversational": conversational,
        "messages": messages,
        "sharegpt": sharegpt,
        "alpaca": alpaca,
        "inputs_targets": inputs_targets,
    }
)


TOKENS = ("tokens", "packed")
"""Layouts of tokens and labels, which take an encoding."""
TOKENIZED: Mapping[str, Any] = {"tokens": tokens, "packed": packed}


def metadata_of(layout: str) -> pa.Schema:
    """The provenance columns of a layout: of packs lists, with an entry for each piece in them."""
    if layout != "packed":
        return METADATA
    plain = {NAME: pa.string()}
    lists = [pa.list_(pa.field("element", plain.get(field.type, field.type))) for field in METADATA]
    return pa.schema([pa.field(name, kind) for name, kind in zip(METADATA.names, lists, strict=True)])


def schema_of(layout: str, *, metadata: bool) -> pa.Schema:
    """The pinned schema of every shard.

    >>> schema_of("prompt_completion", metadata=False).names
    ['prompt', 'completion']
    """
    fields = list(_module(layout).SCHEMA)
    return pa.schema([*fields, *metadata_of(layout)] if metadata else fields)


def lay_out(examples: pa.Table, layout: str, *, separator: str, metadata: bool) -> pa.Table:
    """Rendered examples (`input`, `target` and the metadata columns) in a layout's schema."""
    if layout in TOKENIZED:
        table = TOKENIZED[layout].columns(examples, separator)
    else:
        table = LAYOUTS[layout].columns(examples.column("input"), examples.column("target"), separator)
    if metadata:
        for field in metadata_of(layout):
            table = table.append_column(field, examples.column(field.name))
    return table.cast(schema_of(layout, metadata=metadata))


def repetitive_of(layout: str, *, metadata: bool) -> list[str]:
    """The columns of a layout's files whose values come again and again: they are kept once and pointed to."""
    listed = ".list.element" if layout == "packed" else ""
    return [*_module(layout).REPETITIVE, *(f"{name}{listed}" for name in REPETITIVE if metadata)]


def _module(layout: str) -> Any:
    return TOKENIZED.get(layout) or LAYOUTS[layout]
