"""Small exports for the tests of other libraries' loaders, and what should come out of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import flanmix as fm
from flanmix.exports import find_trainer
from flanmix.exports.rows import Rows
from flanmix.exports.trainer import Exported
from flanmix.layouts import schema_of
from tests.toy import NOTES, SUMS, toy_plan

ROWS, SHARD_ROWS = 90, 25
SPECIAL = BOS, EOS, PAD = "<s>", "</s>", "<pad>"
CHAT = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}" + EOS + "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A chat template in which every turn ends."""
TALKS: list[tuple[str, list[tuple[str, str]], str, str]] = [
    ("Answer in one word.", [("1 + 1?", "2"), ("And 2 + 2?", "4")], "日本 🙂?", "näht"),
    ("", [("Hello", "Hi")], "Who?", "I"),
    ("Be brief.", [], "Why?", "So"),
    ("", [], " What\n\nnow? ", "Nothing.\n"),
]
"""Conversations: what the system says ("" for nothing), the earlier pairs of turns, the last user turn, the answer."""
_KINDS = {"input_ids": pa.int32(), "attention_mask": pa.int8(), "labels": pa.int64()}
_TOKENS = pa.schema([(name, pa.list_(pa.field("element", kind))) for name, kind in _KINDS.items()])
TOKENS = [
    {"input_ids": [*range(n + 4)], "attention_mask": [1] * (n + 4), "labels": [-100] * (n + 2) + [n + 2, n + 3]}
    for n in range(30)
]
"""Rows of the layout `tokens`."""


def built(out: Path, layout: str, **options: Any) -> fm.Built:
    """Sums and notes in three shards: two kinds of task, umlauts, CJK, emoji, several lines."""
    plan = toy_plan(SUMS, NOTES, rows=ROWS, separator="\n")
    return plan.build(out, layout=layout, shard_rows=SHARD_ROWS, quiet=True, **options)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of all shards below a folder, read with Arrow: neither with flanmix nor with the library under test."""
    shards = [pq.ParquetFile(shard).read() for shard in sorted(folder.rglob("train-*.parquet"))]
    found: list[dict[str, Any]] = pa.concat_tables(shards).to_pylist()
    return found


def pair_of(row: dict[str, Any], layout: str) -> tuple[str, str]:
    """What is asked and what is answered in a row of one turn each."""
    match layout:
        case "prompt_completion":
            return row["prompt"], row["completion"]
        case "messages":
            asked, answered = (turn["content"] for turn in row["messages"])
        case "sharegpt":
            asked, answered = (turn["value"] for turn in row["conversations"])
        case "alpaca":
            asked, answered = row["instruction"], row["output"]
        case _:
            raise ValueError(layout)
    return asked, answered


def export_talks(out: Path, trainer: str, layout: str) -> Path:
    """`TALKS` as an export writes them for a trainer; gives the export's folder."""
    rows = [_laid_out(layout, *talk) for talk in TALKS]
    return _export_rows(out, trainer, layout, rows, schema_of(layout, metadata=False))


def export_tokens(out: Path, trainer: str) -> Path:
    """`TOKENS` as an export writes them for a trainer; gives the export's folder."""
    return _export_rows(out, trainer, "tokens", TOKENS, _TOKENS)


def _export_rows(out: Path, trainer: str, layout: str, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> Path:
    """Rows in two shards, through the export's own writers."""
    (out.parent / f"shards_of_{out.name}").mkdir(parents=True)
    files = [out.parent / f"shards_of_{out.name}" / f"train-{n:05d}-of-00002.parquet" for n in range(2)]
    half = len(rows) // 2
    for file, part in zip(files, (rows[:half], rows[half:]), strict=True):
        pq.write_table(pa.Table.from_pylist(part, schema), file)
    of_trainer = find_trainer(trainer)
    facts = Exported("talks", layout, "0123456789abcdef" * 4, len(rows))
    (out / facts.folder).mkdir(parents=True)
    of_trainer.store(Rows(tuple(files), layout, layout, "\n", False, facts.plan), out / facts.folder)
    for name, text in of_trainer.write(facts).items():
        (out / name).write_text(text, encoding="utf-8")
    return out


def _laid_out(layout: str, system: str, history: list[tuple[str, str]], asked: str, answered: str) -> dict[str, Any]:
    """One conversation in a layout's columns."""
    if layout == "alpaca":
        before = [list(pair) for pair in history]
        return {"instruction": asked, "input": "", "output": answered, "system": system, "history": before}
    turns = turns_of(system, [*history, (asked, answered)])
    if layout == "messages":
        return {"messages": [{"role": role, "content": text} for role, text in turns]}
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    return {"conversations": [{"from": names[role], "value": text} for role, text in turns]}


def turns_of(system: str, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Roles and texts of a conversation."""
    turns = [turn for asked, answered in pairs for turn in (("user", asked), ("assistant", answered))]
    return [("system", system), *turns] if system else turns


def chat_text(turns: Iterable[tuple[str, str]]) -> str:
    """What `CHAT` makes of turns."""
    return "".join(f"<|{role}|>{text}{EOS}" for role, text in turns)


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


def wrapped_tokenizer() -> Any:
    """Such a tokenizer as transformers has it, with `CHAT`."""
    import transformers

    texts = (text for _, history, asked, said in TALKS for pair in [*history, (asked, said)] for text in pair)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of(texts), bos_token=BOS, eos_token=EOS, pad_token=PAD, chat_template=CHAT
    )


def trained_text(tokenizer: Any, labels: Iterable[int]) -> str:
    """What the loss is on."""
    return str(tokenizer.decode([token for token in labels if token != -100]))
