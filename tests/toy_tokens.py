"""Small real tokenizers, trained on a few lines, and plans made by hand, for the tests of tokens."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

import flanmix as fm
from flanmix.mapped import RowFile
from flanmix.plan import Plan, PlannedTask, PlannedTemplate
from flanmix.prepare import prepare
from flanmix.registry import Registry
from flanmix.tokenizing import Tokenizer

LINES = (
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "How many are 12 + 30? They are 42; 12 + 31 are 43.",
    "Die Mühle steht am Bach. 東京は日本の首都です。今日は良い天気ですね。",
    "مرحبا بالعالم، هذا نص قصير. שלום עולם 🙂👍🏽 e\u0301cole",
)
KINDS = ("bpe", "wordpiece", "unigram")


@cache
def library(kind: str) -> tokenizers.Tokenizer:
    """A tokenizer of the library, with special tokens, truncation and padding that must not count."""
    model, trainer = {
        "bpe": (
            models.BPE(),
            trainers.BpeTrainer(vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
        ),
        "wordpiece": (models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(special_tokens=["[UNK]"])),
        "unigram": (models.Unigram(), trainers.UnigramTrainer(unk_token="<unk>", special_tokens=["<unk>"])),
    }[kind]
    trainer.show_progress = False
    made = tokenizers.Tokenizer(model)
    if kind == "bpe":
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    elif kind == "wordpiece":
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    else:
        made.normalizer, made.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    made.train_from_iterator(LINES, trainer)
    made.add_special_tokens(["<s>", "<pad>"])
    start = made.token_to_id("<s>")
    made.post_processor = processors.TemplateProcessing(single="<s> $A <s>", special_tokens=[("<s>", start)])
    made.enable_truncation(5)
    made.enable_padding(length=64, pad_token="<pad>", pad_id=made.token_to_id("<pad>"))
    return made


@cache
def tokenizer(kind: str = "bpe") -> Tokenizer:
    """One of them as flanmix holds it."""
    return Tokenizer.of_json(library(kind).to_str(), kind)


@cache
def plain(kind: str) -> tokenizers.Tokenizer:
    """One of them for a checker: encodes a text and nothing else."""
    made = tokenizers.Tokenizer.from_str(library(kind).to_str())
    made.no_truncation()
    made.no_padding()
    return made


def tokens_of(text: str, kind: str = "bpe") -> int:
    """The tokens of a text, as anyone would count them."""
    return len(plain(kind).encode(text, add_special_tokens=False).ids)


def offsets_of(text: str, kind: str) -> list[tuple[int, int]]:
    """Where the tokens of a text lie, as the library says."""
    return list(plain(kind).encode(text, add_special_tokens=False).offsets)


def planned_by_hand(
    rows: Mapping[str, int], *tasks: fm.Task, seed: int = 7, styles: Mapping[str, float] | None = None
) -> tuple[Plan, tuple[RowFile, ...]]:
    """A plan with so many rows of each task, and its files."""
    catalogue = Registry().with_specs(*tasks)
    made, files = [], []
    for spec in tasks:
        bound = catalogue[spec.name]
        found = prepare(bound)
        templates = tuple(PlannedTemplate(item.id, item.template, item.style) for item in bound.templates)
        count = rows.get(spec.name, 0)
        made.append(
            PlannedTask(spec.name, spec.type, count, found.usable, found.usable, found.digest, templates, found.guards)
        )
        files.append(found.rows)
    return Plan("toy", seed, "train", tuple(made), dict(styles or {})), tuple(files)


def task(name: str, rows: Sequence[Mapping[str, Any]], *templates: fm.Template) -> fm.Task:
    """A task over rows in memory."""
    plain_one = fm.Template("ask", input="{{ q }}", target="{{ a }}")
    return fm.Task(name, type="arithmetic", source=[dict(row) for row in rows], templates=templates or (plain_one,))
