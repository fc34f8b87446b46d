"""Small builds for the tests of other libraries' loaders, and what should come out of them."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import flanmix as fm
from tests.toy import NOTES, SUMS, toy_plan

ROWS, SHARD_ROWS = 90, 25
SPECIAL = BOS, EOS, PAD = "<s>", "</s>", "<pad>"
CHATML = START, END = "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}" + EOS + "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A chat template in which every turn ends."""
MAX_LENGTH = 512
ROLES = {"system": "system", "human": "user", "gpt": "assistant"}
TALKS = fm.Task(
    "toy/talks",
    type="dialogue",
    conversation={"messages": "messages"},
    source=[
        {"messages": [{"role": role, "content": text} for role, text in turns]}
        for turns in (
            [("system", "Answer in one word."), ("user", "1 + 1?"), ("assistant", "2")],
            [("user", "日本 🙂?"), ("assistant", "näht"), ("user", "Who?"), ("assistant", "I")],
            [("user", " What\n\nnow? "), ("assistant", "Nothing.\n")],
        )
    ],
)
"""Conversations with what loaders might mistake: short ones, white space at the edges, other scripts."""

Turn = tuple[str, str]
"""The role of a turn and its text."""


def built(out: Path, layout: str, **options: Any) -> fm.Built:
    """Sums and notes in three shards: two kinds of task, umlauts, CJK, emoji, several lines."""
    plan = toy_plan(SUMS, NOTES, rows=ROWS, separator="\n")
    return plan.build(out, layout=layout, shard_rows=SHARD_ROWS, quiet=True, **options)


@cache
def talks_plan() -> fm.Plan:
    """Conversations of several turns beside sums and notes; half of the rows without a system text are given one."""
    registry = fm.load_registry(specs=(SUMS, NOTES, TALKS), plugins=False)
    parts = [fm.Part(task) for task in ("dialogue/short_talks", TALKS.name, SUMS.name, NOTES.name)]
    prompts = {"share": 0.5, "prompts": ["Be brief.", "Sei kürzer 🙂"]}
    return fm.Mixture("talks", parts=parts, rows=120, seed=7, rate_cap=1, system=prompts).plan(registry)


def talks_built(out: Path, layout: str, **options: Any) -> fm.Built:
    """These conversations in several shards."""
    return talks_plan().build(out, layout=layout, shard_rows=SHARD_ROWS, quiet=True, **options)


def tokens_built(out: Path, layout: str) -> fm.Built:
    """These conversations in `tokens` or `packed`, by ChatML and a tokenizer that is trained on them."""
    folder = out.parent / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    trained_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": EOS}), encoding="utf-8")
    return talks_built(out, layout, tokenizer=str(folder), chat_template="chatml", max_length=MAX_LENGTH)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of all shards below a folder, read with Arrow: neither with flanmix nor with the library under test."""
    shards = [pq.ParquetFile(shard).read() for shard in sorted(folder.rglob("train-*.parquet"))]
    found: list[dict[str, Any]] = pa.concat_tables(shards).to_pylist()
    return found


def without_metadata(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without the fm_ columns."""
    return [{name: row[name] for name in row if not name.startswith("fm_")} for row in rows]


def turns_of(row: dict[str, Any], layout: str) -> list[Turn]:
    """The turns of a row."""
    match layout:
        case "messages":
            return [(turn["role"], turn["content"]) for turn in row["messages"]]
        case "sharegpt":
            return [(ROLES[turn["from"]], turn["value"]) for turn in row["conversations"]]
        case "alpaca":
            assert row["input"] == ""
            pairs = [*row["history"], (row["instruction"], row["output"])]
            turns = [turn for pair in pairs for turn in zip(("user", "assistant"), pair, strict=True)]
            return [("system", row["system"]), *turns] if row["system"] else turns
        case "prompt_completion":
            return [("user", row["prompt"]), ("assistant", row["completion"])]
        case _:
            raise ValueError(layout)


def pair_of(row: dict[str, Any], layout: str) -> tuple[str, str]:
    """What is asked and what is answered in a row of one turn each."""
    (_, asked), (_, answered) = turns_of(row, layout)
    return asked, answered


def talks_in(folder: Path, layout: str) -> list[list[Turn]]:
    """The turns of each row of a build of conversations: some with a system text, earlier turns, both, or neither."""
    found = [turns_of(row, layout) for row in rows_of(folder)]
    kinds = {(turns[0][0] == "system", sum(role == "user" for role, _ in turns) > 1) for turns in found}
    assert kinds == {(False, False), (False, True), (True, False), (True, True)}
    return found


def answers_in(turns: Iterable[Turn]) -> list[str]:
    """What the assistant says."""
    return [text for role, text in turns if role == "assistant"]


def chat_text(turns: Iterable[Turn]) -> str:
    """What `CHAT` makes of turns."""
    return "".join(f"<|{role}|>{text}{EOS}" for role, text in turns)


@cache
def trained_tokenizer() -> Tokenizer:
    """A byte-level BPE made of the texts of the conversations: it encodes every text there is."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=[*SPECIAL, *CHATML], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([text for row in talks_plan() for text in (row.input, row.target)], trainer)
    return made


def wrapped_tokenizer() -> Any:
    """That tokenizer as transformers has it, with `CHAT`."""
    import transformers

    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained_tokenizer(), bos_token=BOS, eos_token=EOS, pad_token=PAD, chat_template=CHAT
    )


def trained_text(tokenizer: Any, labels: Sequence[int]) -> str:
    """What the loss is on."""
    return str(tokenizer.decode([token for token in labels if token != -100]))
