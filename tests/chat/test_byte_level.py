"""Tokens placed by their bytes lie where the library says; where bytes cannot tell, they say so."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, models, normalizers, pre_tokenizers

from flanmix.chat.byte_level import told_by_bytes
from flanmix.tokenizing import Tokenizer
from tests.chat.talk import WORDS
from tests.toy_tokens import library

said = st.lists(
    st.one_of(st.sampled_from(WORDS), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), max_size=12
)


def made(change: Callable[[tokenizers.Tokenizer], None] = lambda made: None, kind: str = "bpe") -> Tokenizer:
    """A toy tokenizer, changed."""
    copy = tokenizers.Tokenizer.from_str(library(kind).to_str())
    change(copy)
    return Tokenizer.of_json(copy.to_str())


def normalised(copy: tokenizers.Tokenizer) -> None:
    copy.normalizer = normalizers.NFC()


def spaced(copy: tokenizers.Tokenizer) -> None:
    copy.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)


def split(copy: tokenizers.Tokenizer) -> None:
    steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    copy.pre_tokenizer = pre_tokenizers.Sequence(steps)


def greedy(copy: tokenizers.Tokenizer) -> None:
    copy.add_special_tokens([AddedToken("quick", lstrip=True, rstrip=True, special=True)])


KINDS = {"plain": made(), "NFC": made(normalised), "space": made(spaced), "split": made(split), "greedy": made(greedy)}


@pytest.mark.parametrize("kind", KINDS)
@given(rows=st.lists(st.tuples(said, said, said), min_size=1, max_size=6))
def test_spans_are_those_of_the_offsets(kind: str, rows: list[tuple[list[str], list[str], list[str]]]) -> None:
    tokenizer = KINDS[kind]
    parts = [["".join(part) for part in row] for row in rows]
    texts = ["".join(row) for row in parts]
    encoded = tokenizer.library.encode_batch(texts, add_special_tokens=False)
    ids = np.array([token for row in encoded for token in row.ids], np.int32)
    lengths = np.array([len(row) for row in encoded], np.int64)
    found = told_by_bytes(tokenizer, pa.array(texts, pa.large_string()), ids, lengths)
    whole = np.flatnonzero(found.whole)
    begins = np.array([len(parts[row][0].encode()) for row in whole], np.int64)
    stops = begins + np.array([len(parts[row][1].encode()) for row in whole], np.int64)
    first, last, over = found.between(whole, begins, stops)
    for at, row in enumerate(whole.tolist()):
        start, stop = len(parts[row][0]), len(parts[row][0]) + len(parts[row][1])
        before, offsets = int(found.firsts[row]), encoded[row].offsets
        inside = [number for number, (a, _) in enumerate(offsets) if start <= a < stop]
        over_start = any(a < start < b for a, b in offsets)
        over_stop = any(start <= a < stop < b for a, b in offsets)
        assert last[at] - first[at] == len(inside)
        if inside:
            assert (first[at], last[at]) == (before + inside[0], before + inside[-1] + 1)
        assert over[at] == over_start + over_stop


def test_bytes_tell_of_all_rows_of_a_plain_tokenizer_and_of_ascii_under_a_normaliser() -> None:
    texts = ["The quick dog", "Die Mu\u0308hle", "", "\U0001f642 x"]
    wanted = {"plain": [True] * 4, "NFC": [True, False, True, False], "space": [False, False, True, False]}
    for kind, whole in wanted.items():
        encoded = KINDS[kind].library.encode_batch(texts, add_special_tokens=False)
        ids = np.array([token for row in encoded for token in row.ids], np.int32)
        lengths = np.array([len(row) for row in encoded], np.int64)
        assert told_by_bytes(KINDS[kind], pa.array(texts), ids, lengths).whole.tolist() == whole


def unknown(copy: tokenizers.Tokenizer) -> None:
    copy.model = models.BPE(vocab={"a": 0, "<unk>": 1}, merges=[], unk_token="<unk>")


@pytest.mark.parametrize(
    "tokenizer", [made(kind="wordpiece"), made(kind="unigram"), made(unknown)], ids=["wordpiece", "unigram", "unknown"]
)
def test_of_tokens_that_are_no_bytes_nothing_is_told(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.library.encode("a b", add_special_tokens=False)
    ids, lengths = np.array(encoded.ids, np.int32), np.array([len(encoded.ids)])
    assert told_by_bytes(tokenizer, pa.array(["a b"]), ids, lengths).whole.tolist() == [False]
