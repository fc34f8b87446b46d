"""Random conversations in several scripts, and small real tokenizers that know the tokens of a chat template."""

import random
from functools import cache
from typing import Any

import pyarrow as pa
import tokenizers

from flanmix.chat.guard import steering_tokens
from flanmix.chat.library import chat_templates, load_chat_template
from flanmix.chat.template import ChatTemplate
from flanmix.tokenizing import Tokenizer
from tests.toy_tokens import KINDS, library

__all__ = ["KINDS", "NAMES", "column", "conversations", "plain", "template", "tokenizer"]

NAMES = chat_templates()
MARKERS = {
    "chatml": ["<|im_start|>"],
    "qwen": ["<|im_start|>"],
    "llama3": ["<|start_header_id|>", "<|end_header_id|>"],
    "mistral": ["[INST]", "[/INST]"],
    "gemma": ["<start_of_turn>"],
    "zephyr": ["<|system|>", "<|user|>", "<|assistant|>"],
}
WORDS = (
    *(
        "the",
        "quick",
        "dog",
        "42",
        "12 + 30?",
        "\n\n",
        "\n",
        "Mühle",
        "東京は",
        "日本の首都です。",
        "今日は",
        "🙂",
        "👍🏽",
    ),
    *(
        "مرحبا",
        "بالعالم،",
        "שלום",
        "e\u0301cole",
        "ﬁ",
        "ⅷ",
        "  two  spaces",
        "\tx",
        "a\u0323\u0307",
        "{{ x }}",
        "{% if %}",
        "A",
        "é",
    ),
)


@cache
def template(name: str) -> ChatTemplate:
    return load_chat_template(name)


@cache
def plain(kind: str, name: str) -> tokenizers.Tokenizer:
    """A tokenizer of the library that knows the tokens of a template."""
    made = tokenizers.Tokenizer.from_str(library(kind).to_str())
    made.no_truncation()
    made.no_padding()
    made.post_processor = None
    own = template(name)
    made.add_special_tokens([text for text in (own.bos, own.end, *MARKERS.get(name, [])) if text])
    return made


@cache
def tokenizer(kind: str, name: str) -> Tokenizer:
    made = Tokenizer.of_json(plain(kind, name).to_str(), kind)
    assert set(MARKERS.get(name, [])) <= steering_tokens(made, template(name)).keys()
    return made


def text(draw: random.Random) -> str:
    words = [draw.choice(WORDS) for _ in range(draw.choice([0, 1, 1, 2, 3, 8, 20]))]
    return draw.choice([" ", "", "\n"]).join(words)


def conversation(draw: random.Random) -> list[dict[str, str]]:
    turns = [("system", text(draw))] if draw.random() < 0.3 else []
    for _ in range(draw.choice([1, 1, 2, 3])):
        turns += [("user", text(draw)), ("assistant", text(draw))]
    return [{"role": role, "content": content} for role, content in turns]


def conversations(count: int = 210, seed: int = 0) -> list[list[dict[str, str]]]:
    draw = random.Random(seed)
    return [conversation(draw) for _ in range(count)]


def column(rows: Any) -> pa.Array:
    turn = pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])
    return pa.array(rows, pa.list_(turn))
