"""Tokenizers as values: what a row's tokens are, and where a tokenizer comes from."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flanmix.errors import SourceError
from flanmix.tokenizing import Counting, Tokenizer, load_tokenizer
from tests.toy_tokens import KINDS, LINES, library, offsets_of, tokenizer, tokens_of

TEXTS = [
    "",
    " ",
    "dog",
    *LINES,
    "今日は🙂",
    "👍🏽👍🏽",
    "שלום ",
    " \n ",
    "e\u0301",
    "a\u0323\u0307 ﬁ",
    "<s> x <s>",
    "x" * 3000,
]
ANY_TEXT = st.one_of(st.sampled_from(TEXTS), st.text(max_size=30))


def array(*texts: str) -> pa.Array:
    return pa.array(texts, pa.large_string())


# ---- what is counted


@pytest.mark.parametrize("kind", KINDS)
@given(rows=st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1, max_size=4))
@example(rows=[("Q: 1?\n", "42"), ("東京は", "日本です"), ("e", "\u0301cole"), ("👍", "🏽"), ("", "x"), ("x", "")])
def test_a_row_has_the_tokens_of_its_texts_encoded_once(kind: str, rows: list[tuple[str, str]]) -> None:
    """The loss tokens are those whose text starts in the completion."""
    prompts, completions = zip(*rows, strict=True)
    counts = tokenizer(kind).count(array(*prompts), array(*completions), extra=2)
    assert counts.tokens.tolist() == [tokens_of(prompt + completion, kind) + 2 for prompt, completion in rows]
    starting = [[s >= len(prompt) for s, _ in offsets_of(prompt + completion, kind)] for prompt, completion in rows]
    assert counts.loss.tolist() == [sum(starts) for starts in starting]


def test_a_token_over_the_boundary_is_the_prompts() -> None:
    (start, end), *_ = offsets_of("do", "bpe")
    assert (start, end) == (0, 2)  # one token
    assert tokenizer("bpe").count(array("d"), array("o"), extra=0).loss.tolist() == [0]


def test_the_line_break_that_ends_a_prompt_is_the_prompts_though_offsets_be_trimmed() -> None:
    trimming = json.loads(library("bpe").to_str())
    trimming["post_processor"] = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    made = Tokenizer.of_json(json.dumps(trimming))
    for prompt, completion in (("dog\n", "dog"), ("dog ", "dog"), ("dog", " dog")):
        untrimmed = tokenizer("bpe").count(array(prompt), array(completion), extra=0)
        counts = made.count(array(prompt), array(completion), extra=0)
        assert (counts.tokens, counts.loss) == (untrimmed.tokens, untrimmed.loss)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_a_conversation_are_encoded_apart(kind: str) -> None:
    inputs, targets = array("do", "12 + 30?"), array("g", "42")
    counts = tokenizer(kind).count_pairs(inputs, targets, Counting(separator=None, extra=9))
    assert counts.tokens.tolist() == [
        tokens_of(a, kind) + tokens_of(b, kind) + 9
        for a, b in zip(inputs.to_pylist(), targets.to_pylist(), strict=True)
    ]
    assert counts.loss.tolist() == [tokens_of(text, kind) for text in targets.to_pylist()]


def test_the_separator_is_the_inputs() -> None:
    counts = tokenizer().count_pairs(array("dog"), array("fox"), Counting("\n\n", extra=0))
    assert counts.tokens.tolist() == [tokens_of("dog\n\nfox")]
    assert counts.loss.tolist() == [tokens_of("fox")]


def test_how_rows_are_cut_into_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, completions = array(*TEXTS), array(*reversed(TEXTS))
    whole = tokenizer().count(prompts, completions, extra=1)
    lengths = tokenizer().lengths(prompts)
    for size in (1, 100, 3000):
        monkeypatch.setattr("flanmix.tokenizing._BATCH_BYTES", size)
        cut = tokenizer().count(prompts, completions, extra=1)
        assert (cut.tokens.tolist(), cut.loss.tolist()) == (whole.tokens.tolist(), whole.loss.tolist())
        assert tokenizer().lengths(prompts).tolist() == lengths.tolist()
    assert lengths.tolist() == [tokens_of(text) for text in TEXTS]


def test_no_rows_are_no_tokens() -> None:
    assert tokenizer().count(array(), array(), extra=1).tokens.tolist() == []


# ---- where it comes from


def test_a_file_and_its_folder_give_the_same_value(tmp_path: Path) -> None:
    library("unigram").save(str(tmp_path / "tokenizer.json"))
    of_file, of_folder = load_tokenizer(tmp_path / "tokenizer.json"), load_tokenizer(str(tmp_path))
    assert of_file == of_folder
    assert of_file.digest == of_folder.digest != tokenizer("bpe").digest
    assert pickle.loads(pickle.dumps(of_file)).lengths(array("dog")) == of_file.lengths(array("dog"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "holds no tokenizer.json - save the tokenizer there as tokenizer.json"),
        (b"", "is no tokenizer: "),
        (b'{"a": 1}', "is no tokenizer: "),
        (b"[]", "is no tokenizer: "),
        (b"\xff\xfe", "is no tokenizer: it is not UTF-8 text"),
    ],
)
def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        load_tokenizer(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: {problem}")
    assert " - " in str(caught.value)


@pytest.mark.parametrize("name", ["./none", "/none/tokenizer.json", "none/tokenizer.json", "a b!", "a/b/c"])
def test_what_is_no_file_and_no_name_of_the_hub_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match=r"is not there|no name of the Hub") as caught:
        load_tokenizer(name)
    assert str(caught.value).endswith("name a tokenizer.json, a folder that holds one, or a repository of the Hub")


OFFLINE = """
import sys
from flanmix.errors import FlanmixError
from flanmix.tokenizing import load_tokenizer
assert "tokenizers" not in sys.modules and "huggingface_hub" not in sys.modules
try:
    print(load_tokenizer(sys.argv[1]).digest)
except FlanmixError as error:
    print(error)
"""


def offline(name: str, cache: Path) -> str:
    """What a process without network gets."""
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-c", OFFLINE, name], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_cache_of_the_hub_needs_no_network(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--acme--small"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    library("bpe").save(str(repository / "snapshots" / commit / "tokenizer.json"))
    saved = load_tokenizer(repository / "snapshots" / commit)
    assert offline("acme/small", tmp_path) == saved.digest
    assert offline("acme/other", tmp_path) == (
        "acme/other: its tokenizer.json is not in the Hub's cache, and the Hub cannot be reached"
        " - go online, or name a folder that holds it"
    )
