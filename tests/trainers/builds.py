"""Small builds for the tests of other libraries' loaders, and what should come out of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import flanmix as fm
from flanmix.layouts import METADATA, schema_of
from tests.toy import NOTES, SUMS, toy_plan

ROWS, SHARD_ROWS = 90, 25
SPECIAL = BOS, EOS, PAD = "<s>", "</s>", "<pad>"
TALKS = [
    ("Answer in one word.", [("1 + 1?", "2"), ("And 2 + 2?", "4")], "日本 🙂?", "näht"),
    ("", [("Hello", "Hi")], "Who?", "I"),
    ("Be brief.", [], "Why?", "So"),
    ("", [], " What\n\nnow? ", "Nothing.\n"),
]
"""Conversations: what the system says ("" for nothing), the earlier pairs of turns, the last user turn, the answer."""


def built(out: Path, layout: str, **options: Any) -> fm.Built:
    """Sums and notes in three shards: two kinds of task, umlauts, CJK, emoji, several lines."""
    plan = toy_plan(SUMS, NOTES, rows=ROWS, separator="\n")
    return plan.build(out, layout=layout, shard_rows=SHARD_ROWS, quiet=True, **options)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of a folder's shards, read with Arrow: neither with flanmix nor with the library under test."""
    shards = [pq.ParquetFile(shard).read() for shard in sorted((folder / "data").glob("train-*.parquet"))]
    found: list[dict[str, Any]] = pa.concat_tables(shards).to_pylist()
    return found


def pairs_of(rows: Iterable[dict[str, Any]], layout: str) -> list[tuple[str, str]]:
    """What is asked and what is answered in rows of one turn each, in the order of the texts."""
    match layout:
        case "prompt_completion":
            found = [(row["prompt"], row["completion"]) for row in rows]
        case "messages":
            found = [tuple(turn["content"] for turn in row["messages"]) for row in rows]
        case "sharegpt":
            found = [tuple(turn["value"] for turn in row["conversations"]) for row in rows]
        case "alpaca":
            found = [(row["instruction"], row["output"]) for row in rows]
        case _:
            raise ValueError(layout)
    return sorted(found)


def write_shard(place: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """One shard."""
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), place)


def write_talks(folder: Path, layout: str) -> None:
    """`TALKS` in a layout's own schema, with its metadata columns."""
    metadata = {name: None for name in METADATA.names}
    rows = []
    for system, history, asked, answered in TALKS:
        turns = [("system", system)] * bool(system)
        for user, assistant in [*history, (asked, answered)]:
            turns += [("user", user), ("assistant", assistant)]
        rows.append({**metadata, **_laid_out(layout, system, history, turns)})
    schema = schema_of(layout, metadata=True)
    write_shard(folder / "data" / "train-00000-of-00001.parquet", rows, schema)


def _laid_out(
    layout: str, system: str, history: list[tuple[str, str]], turns: list[tuple[str, str]]
) -> dict[str, Any]:
    """One conversation in a layout's columns."""
    if layout == "alpaca":
        (_, asked), (_, answered) = turns[-2:]
        before = [list(pair) for pair in history]
        return {"instruction": asked, "input": "", "output": answered, "system": system, "history": before}
    if layout == "messages":
        return {"messages": [{"role": role, "content": text} for role, text in turns]}
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    return {"conversations": [{"from": names[role], "value": text} for role, text in turns]}


def tokenizer_of(texts: Iterable[str]) -> Tokenizer:
    """A byte-level BPE made of these texts: it encodes every text there is."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[*SPECIAL], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return made


CHAT = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}" + EOS + "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A chat template in which every turn ends."""


def chat_text(turns: Iterable[tuple[str, str]]) -> str:
    """What `CHAT` makes of turns."""
    return "".join(f"<|{role}|>{text}{EOS}" for role, text in turns)
