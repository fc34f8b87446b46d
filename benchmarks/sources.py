"""The eight Arrow sources.

Each source is written twice with the same rows, so that every tool reads memory-mapped Arrow as it likes best: as an
Arrow stream (`.arrow`, what `datasets` keeps its own data in) and as an Arrow file with a footer (`.feather`, which
Polars maps).
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from mixture import SOURCES

SCHEMA = pa.schema([("passage", pa.string()), ("question", pa.string()), ("answer", pa.string())])
_WRITERS = {"arrow": pa.ipc.new_stream, "feather": pa.ipc.new_file}
_BATCH = 10_000
_WORDS, _PER_PASSAGE = 8_000, 36
_FEW = ["river", "stone", "window", "paper", "garden", "letter", "morning", "candle", "bridge", "market", "winter"]
_FEW += ["silver", "mountain", "harbour", "forest"]


def make_sources(folder: Path, rows: int, text: str, kinds: Sequence[str] = ("arrow", "feather")) -> None:
    """Eight sources of `rows` rows: a passage of about 250 characters, a question, an answer.

    `text` is `varied` (words drawn by Zipf's law: zstd makes a third of it, as of English) or `repeated` (fifteen
    passages a source in turn: zstd makes a tenth of it, so that everything but compression weighs more).
    """
    folder.mkdir(parents=True)
    for number in range(SOURCES):
        passages = {"varied": _varied, "repeated": _repeated}[text](number)
        with ExitStack() as stack:
            writers = [
                stack.enter_context(_WRITERS[kind](str(folder / f"source{number}.{kind}"), SCHEMA)) for kind in kinds
            ]
            for batch in _batches(rows, passages):
                for writer in writers:
                    writer.write_batch(batch)


def _batches(rows: int, passages: Callable[[range], pa.Array]) -> Iterator[pa.RecordBatch]:
    for start in range(0, rows, _BATCH):
        block = range(start, min(start + _BATCH, rows))
        questions = pa.array([f"What comes after {_FEW[row % 15]} number {row}?" for row in block])
        answers = pa.array([f"{_FEW[(row + 1) % 15]} {row + 1}" for row in block])
        yield pa.record_batch([passages(block), questions, answers], schema=SCHEMA)


def _varied(number: int) -> Callable[[range], pa.Array]:
    """Passages of words drawn from a vocabulary, the k-th word in proportion to 1/k."""
    draw = np.random.default_rng(number)
    syllables = np.array([a + b for a in "bdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "er", "an", "in")])
    lengths = 1 + draw.geometric(0.5, _WORDS).clip(max=4)
    vocabulary = pa.array(["".join(draw.choice(syllables, length)) for length in lengths])
    odds = np.cumsum(1 / np.arange(1, _WORDS + 1))
    slots = np.searchsorted(odds / odds[-1], (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.int32)

    def passages(block: range) -> pa.Array:
        chosen = slots[draw.integers(0, 1 << 16, len(block) * _PER_PASSAGE, dtype=np.uint16)]
        ends = pa.array(np.arange(len(block) + 1, dtype=np.int32) * _PER_PASSAGE)
        return pc.binary_join(pa.ListArray.from_arrays(ends, vocabulary.take(pa.array(chosen))), " ")

    return passages


def _repeated(number: int) -> Callable[[range], pa.Array]:
    some = [" ".join(_FEW[(row * 7 + number + step * (1 + row % 5)) % 15] for step in range(36)) for row in range(15)]
    return lambda block: pa.array([some[row % 15] for row in block])


if __name__ == "__main__":
    place, rows, text, *kinds = sys.argv[1:]
    make_sources(Path(place), int(rows), text, kinds)
