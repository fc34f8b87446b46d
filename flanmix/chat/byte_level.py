"""Where tokens lie in their texts, told by how many bytes each of them is: for tokenizers over bytes."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.order import Ints
from flanmix.tokenizing import Tokenizer


@dataclass(frozen=True, eq=False)
class ByteTokens:
    """The tokens of some rows. In those that are `whole`, they are, one after the other, the bytes of the text.

    Token i of all of them starts at byte `starts[i]`, counted through, and row r at token `firsts[r]`.
    """

    whole: npt.NDArray[np.bool_]
    starts: Ints
    firsts: Ints

    def between(self, rows: Ints, begins: Ints, stops: Ints) -> tuple[Ints, Ints, Ints]:
        """Of spans of bytes in rows: their first token, the one behind their last, and how many tokens straddle.

        A token belongs to where it starts.
        """
        base = self.starts[self.firsts[rows]]
        first, last = (np.searchsorted(self.starts, base + places) for places in (begins, stops))
        # an empty row begins where the next one does, so a span that ends there must not reach into it
        last = np.minimum(last, self.firsts[rows + 1])
        over = (self.starts[first] != base + begins).astype(np.int64)
        over += (last > first) & (self.starts[last] != base + stops)
        return first, last, over


def told_by_bytes(tokenizer: Tokenizer, texts: pa.Array, ids: npt.NDArray[np.int32], lengths: Ints) -> ByteTokens:
    """The tokens of texts: `ids`, of which each text has `lengths`."""
    firsts = np.concatenate([[0], np.cumsum(lengths)])
    widths = _widths(tokenizer)
    if widths is None:
        return ByteTokens(np.zeros(len(texts), bool), np.zeros(len(ids) + 1, np.int64), firsts)
    starts = np.concatenate([[0], np.cumsum(widths[ids])])
    whole = np.diff(starts[firsts]) == np.asarray(pc.binary_length(texts))
    if _normalises(tokenizer):
        whole &= np.asarray(pc.string_is_ascii(texts))
    return ByteTokens(whole, starts, firsts)


@lru_cache(maxsize=4)
def _widths(tokenizer: Tokenizer) -> Ints | None:
    """The bytes of each token; None where tokens are no bytes. In a byte-level vocabulary each letter is a byte."""
    facts = json.loads(tokenizer.text)
    model, steps = facts["model"], _steps(facts.get("pre_tokenizer"))
    others = ("unk_token", "continuing_subword_prefix", "end_of_word_suffix")  # letters that are no bytes
    if model.get("type") != "BPE" or any(model.get(key) for key in others) or "ByteLevel" not in steps:
        return None
    if not _keeps_ascii(facts.get("normalizer")):
        return None
    added = {number: token.content.encode() for number, token in tokenizer.library.get_added_tokens_decoder().items()}
    words = {number: len(added.get(number, word)) for word, number in tokenizer.library.get_vocab().items()}
    widths = np.zeros(max(words, default=0) + 1, np.int64)
    widths[list(words)] = list(words.values())
    return widths


@lru_cache(maxsize=4)
def _normalises(tokenizer: Tokenizer) -> bool:
    return json.loads(tokenizer.text).get("normalizer") is not None


def _keeps_ascii(normalizer: dict[str, Any] | None) -> bool:
    """Whether what it is given in ASCII comes out as it was."""
    return normalizer is None or normalizer.get("type") in ("NFC", "NFKC", "NFD", "NFKD")


def _steps(pre_tokenizer: dict[str, Any] | None) -> set[str]:
    """The kinds of steps that cut a text before its pieces become tokens."""
    if pre_tokenizer is None:
        return set()
    return {step["type"] for step in pre_tokenizer.get("pretokenizers", [pre_tokenizer])}
