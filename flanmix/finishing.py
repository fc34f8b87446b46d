"""From rendered rows to what a shard holds: tokens, packs, and the columns of a layout."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flanmix.chat.flat import flatten
from flanmix.chat.template import ChatTemplate
from flanmix.encoding import Encoding
from flanmix.examples import Slice
from flanmix.layouts import Writing, lay_out
from flanmix.layouts.tagged import forged
from flanmix.order import Ints
from flanmix.packing import apply, drop_untrained, loss_tokens, pack

TOKEN_COUNTS = ("tokens", "loss_tokens")
"""Columns beside rendered rows that were encoded: how many tokens a row has, and how many of them are trained."""
UNTRAINED, SPELLS = "its pack has no loss token", "spells a mark of a turn"
_MOST_BYTES = 1 << 30
_WINDOW_TOKENS = 1 << 23
"""Tokens that are packed at a time: a shard of fewer is packed as a whole, and no more of one is ever held."""


@dataclass(frozen=True)
class Output:
    """What rows are written as: the columns of which layout, how, and with the metadata columns or not.

    Layouts of tokens take an `encoding`. Those without places for system texts and earlier turns may have a `chat`
    template, which makes plain texts of each row.
    """

    layout: str
    writing: Writing = field(default_factory=Writing)
    metadata: bool = True
    encoding: Encoding | None = None
    chat: ChatTemplate | None = None

    @property
    def parts(self) -> list[Any]:
        """All that decides bytes, as plain values."""
        told: list[Any] = [self.layout, self.writing.separator, self.metadata]
        told += [self.writing.turn_tags.model_dump()] if self.layout == "tagged" else []
        told += [] if self.encoding is None else [self.encoding.digest]
        return told if self.chat is None else [*told, {"chat_template": self.chat.digest}]


@dataclass(frozen=True)
class Finished:
    """Rows that are written, and why others are not; the tables that they make; what was counted on the way."""

    rows: Slice
    tables: list[pa.Table]
    counts: Mapping[str, int] = field(default_factory=dict)


def finish(found: Slice, output: Output) -> Finished:
    """What is made of rendered rows by themselves: all but the packs, of which many make one."""
    if output.encoding is None:
        rows, table = _as_text(found, output)
        return Finished(rows, _laid_out(table, output))
    rows, counts = _encoded(found, output.encoding)
    return Finished(rows, [] if output.encoding.packing else _laid_out(rows.table, output), counts)


class Finishing:
    """Makes the tables of one shard of rows in their order, each part `finish`ed; `rest` gives what is still held."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._held: list[Slice] = []
        self._counts: Counter[str] = Counter()
        self._tokens = 0

    def add(self, part: Finished) -> Iterator[Finished]:
        """The next rows of the shard."""
        encoding = self._output.encoding
        if encoding is None or encoding.packing is None:
            yield part
            return
        self._held.append(part.rows)
        self._counts.update(part.counts)
        self._tokens += part.counts["tokens"]
        if self._tokens >= _WINDOW_TOKENS:
            yield from self.rest()

    def rest(self) -> Iterator[Finished]:
        """What is held until there are more rows to pack it with."""
        encoding = self._output.encoding
        if not self._held or encoding is None:
            return
        table = pa.concat_tables([rows.table for rows in self._held]).combine_chunks()
        dropped = sum((Counter(rows.dropped) for rows in self._held), Counter())
        counts, self._counts, self._held, self._tokens = self._counts, Counter(), [], 0
        rows, packed, packing = _packed(Slice(table, dropped), encoding)
        yield Finished(rows, _laid_out(packed, self._output), {**counts, **packing})


def _laid_out(table: pa.Table, output: Output) -> list[pa.Table]:
    """Rows as one row group, or batch; as several where texts are too long for 32-bit offsets, as none if there are
    none.
    """
    rows = table.num_rows
    if rows > 1 and table.nbytes > _MOST_BYTES:
        return [*_laid_out(table.slice(0, rows // 2), output), *_laid_out(table.slice(rows // 2), output)]
    made = lay_out(table, output.layout, output.writing, metadata=output.metadata).combine_chunks()
    return [made] if rows else []


def _as_text(found: Slice, output: Output) -> tuple[Slice, pa.Table]:
    """Rendered rows less those that would forge a turn, and the examples that a layout of texts makes of them."""
    if output.chat is not None:
        flat = flatten(found.table, output.chat, apart=output.layout == "inputs_targets")
        return _without(found, flat.spelled, SPELLS), flat.examples
    if output.layout == "tagged":
        found = _without(found, forged(found.table, output.writing.turn_tags), SPELLS)
    return found, found.table


def _without(found: Slice, lost: npt.NDArray[np.bool_], reason: str) -> Slice:
    return _keeping(found, np.flatnonzero(~lost), {reason: np.flatnonzero(lost)})


def _encoded(found: Slice, encoding: Encoding) -> tuple[Slice, dict[str, int]]:
    """Rendered rows with their tokens and labels, and how many tokens of either kind each has."""
    table = found.table
    encoded = encoding.encode(table)
    counts = {
        name: count for name, count in asdict(encoded.counts).items() if name not in ("rows", "written", "dropped")
    }
    kept = _keeping(found, encoded.rows, encoded.lost)
    columns = {
        "input_ids": encoded.input_ids,
        "attention_mask": encoded.attention_mask,
        "labels": encoded.labels,
        "tokens": encoded.labels.value_lengths().cast(pa.int64()),
        "loss_tokens": pa.array(encoded.loss_tokens),
    }
    return _with(kept, columns), counts


def _packed(found: Slice, encoding: Encoding) -> tuple[Slice, pa.Table, dict[str, int]]:
    """Rows of tokens as packs: the rows of which there is a piece in one, the packs, and what was counted."""
    assert encoding.packing is not None
    assert encoding.max_length is not None
    table = found.table
    ids, labels = table.column("input_ids"), table.column("labels")
    arrived = pack(np.asarray(table.column("tokens")), encoding.max_length, encoding.packing).by_arrival()
    packs = drop_untrained(arrived, labels)
    tokens, loss = (np.zeros(table.num_rows, np.int64) for _ in range(2))
    np.add.at(tokens, packs.sequence, packs.lengths)
    np.add.at(loss, packs.sequence, loss_tokens(packs, labels))
    made = apply(packs, ids, labels)
    bounds = pa.array(packs.bounds.astype(np.int32))
    for name in table.column_names:
        if name.startswith("fm_"):
            column = table.column(name)
            kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
            values = column.take(pa.array(packs.sequence)).combine_chunks().cast(kind)
            made = made.append_column(name, pa.ListArray.from_arrays(bounds, values))
    rows = _keeping(found, np.flatnonzero(tokens), {UNTRAINED: np.flatnonzero(tokens == 0)})
    report = packs.report()
    counted = ("packs", "split", "untrained", "untrained_tokens")
    numbers = {"tokens": tokens, "loss_tokens": loss}
    kept = _with(rows, {name: pa.array(values[tokens > 0]) for name, values in numbers.items()})
    counts = {"tokens": int(tokens.sum()), "loss_tokens": int(loss.sum())}
    return kept, made, counts | {name: getattr(report, name) for name in counted}


def _keeping(found: Slice, rows: Ints, lost: Mapping[str, Ints]) -> Slice:
    """Only these rows; the others are counted by task and reason."""
    table, dropped = found.table, Counter(found.dropped)
    for reason, places in lost.items():
        names = table.column("fm_task").take(pa.array(places)).combine_chunks()
        for each in names.value_counts().to_pylist():
            dropped[each["values"], reason] += each["counts"]
    return Slice(table if len(rows) == table.num_rows else table.take(pa.array(rows)), dropped)


def _with(rows: Slice, columns: Mapping[str, pa.Array]) -> Slice:
    """The same rows with more columns, or others of these names."""
    table = rows.table
    table = table.drop_columns([name for name in columns if name in table.column_names])
    for name, column in columns.items():
        table = table.append_column(name, column)
    return Slice(table, rows.dropped)
