"""Rows of tokens as texts: which stretches of them are trained, read from a built folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flanmix.chat.loss import IGNORED
from flanmix.tokenizing import Tokenizer

_COLUMNS = ("input_ids", "labels", "seq_lengths", "fm_task", "fm_row")


class Part(NamedTuple):
    """A special token, or the text of the tokens between two of them."""

    text: str
    special: bool


@dataclass(frozen=True)
class Stretch:
    """Neighbouring tokens that are trained, all of them, or not."""

    trained: bool
    tokens: int
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """What they say."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True)
class MaskedExample:
    """The tokens of one example; `task` and `fm_row` are None in a build without metadata."""

    stretches: tuple[Stretch, ...]
    task: str | None = None
    fm_row: int | None = None

    @property
    def tokens(self) -> int:
        """How many there are."""
        return sum(stretch.tokens for stretch in self.stretches)

    @property
    def trained(self) -> int:
        """How many of them are trained."""
        return sum(stretch.tokens for stretch in self.stretches if stretch.trained)


@dataclass(frozen=True)
class MaskedRow:
    """A row of a build: one example, or those of a pack. `number` counts from 0 through all shards."""

    number: int
    examples: tuple[MaskedExample, ...]


def read_masked(
    folder: Path, shards: Sequence[Mapping[str, Any]], numbers: Sequence[int], tokenizer: Tokenizer
) -> Iterator[MaskedRow]:
    """Rows of a build by their numbers; `shards` are those of its manifest."""
    ends = np.cumsum([shard["lines"] for shard in shards])
    for number in numbers:
        at = int(np.searchsorted(ends, number, side="right"))
        row = row_at(folder / shards[at]["file"], number - int(ends[at]) + shards[at]["lines"], _COLUMNS)
        yield MaskedRow(number, tuple(_examples(row.to_pylist()[0], tokenizer)))


def stretches_of(ids: Sequence[int], labels: Sequence[int], tokenizer: Tokenizer) -> Iterator[Stretch]:
    """The tokens of one example as texts. The first is never trained, whatever its label: nothing comes before it."""
    special = {number for number, token in tokenizer.library.get_added_tokens_decoder().items() if token.special}
    trained = [place > 0 and label != IGNORED for place, label in enumerate(labels)]
    changes = [place for place in range(1, len(ids)) if trained[place] != trained[place - 1]]
    texts = _texts(ids, special, set(changes), tokenizer)
    for start, stop in pairwise([0, *changes, len(ids)]):
        parts = tuple(part for place, part in texts if start <= place < stop)
        yield Stretch(trained[start], stop - start, parts)


def _texts(ids: Sequence[int], special: set[int], cuts: set[int], tokenizer: Tokenizer) -> list[tuple[int, Part]]:
    """The special tokens, and the texts between them and the cuts, with their places.

    Tokens may say something else where others stand before them (a space, say), so a text that is cut is what its
    tokens add to those before the cut.
    """
    found = []
    for is_special, run in groupby(range(len(ids)), key=lambda place: ids[place] in special):
        places = list(run)
        if is_special:
            found += [(place, Part(str(tokenizer.library.id_to_token(ids[place])), True)) for place in places]
            continue
        first, before = places[0], ""
        bounds = [first, *(place for place in places[1:] if place in cuts), places[-1] + 1]
        for start, stop in pairwise(bounds):
            whole = _decoded(ids[first:stop], tokenizer)
            joined = whole.startswith(before)
            found.append((start, Part(whole[len(before) :] if joined else _decoded(ids[start:stop], tokenizer), False)))
            before = whole
    return found


def _decoded(ids: Sequence[int], tokenizer: Tokenizer) -> str:
    return str(tokenizer.library.decode(list(ids), skip_special_tokens=False))


def _examples(row: Mapping[str, Any], tokenizer: Tokenizer) -> Iterator[MaskedExample]:
    ids, labels = row["input_ids"], row["labels"]
    lengths = row.get("seq_lengths")
    sources = [row.get(name) for name in ("fm_task", "fm_row")]
    if lengths is None:
        yield MaskedExample(tuple(stretches_of(ids, labels, tokenizer)), *sources)
        return
    for number, (start, stop) in enumerate(pairwise(np.cumsum([0, *lengths]).tolist())):
        stretches = tuple(stretches_of(ids[start:stop], labels[start:stop], tokenizer))
        yield MaskedExample(stretches, *(None if source is None else source[number] for source in sources))


def row_at(file: Path, place: int, columns: Sequence[str] | None = None) -> pa.Table:
    """One row of a shard, all of it or what there is of `columns`; of others only those stored with it are read."""
    if file.suffix == ".parquet":
        with pq.ParquetFile(file) as shard:
            sizes = [shard.metadata.row_group(group).num_rows for group in range(shard.num_row_groups)]
            ends = np.cumsum(sizes)
            group = int(np.searchsorted(ends, place, side="right"))
            names = [name for name in shard.schema_arrow.names if columns is None or name in columns]
            table = shard.read_row_group(group, columns=names)
            return table.slice(place - int(ends[group]) + sizes[group], 1)
    with pa.memory_map(str(file)) as source:
        table = pa.ipc.open_file(source).read_all()
        return table.select([n for n in table.column_names if columns is None or n in columns]).slice(place, 1)
