"""Conversations as texts, with the places in them that loss and tokens depend on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa

from flanmix.chat.template import ChatTemplate
from flanmix.order import Ints

Range = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Spans:
    """What the assistant says, end-of-turn token included: spans `offsets[i]` to `offsets[i + 1]` are those of row i.

    `starts` and `stops` count characters of the row's text, `byte_starts` and `byte_stops` its UTF-8 bytes. `turns`
    is the place of the message in its conversation.
    """

    offsets: Ints
    turns: Ints
    starts: Ints
    stops: Ints
    byte_starts: Ints
    byte_stops: Ints

    def row(self, number: int) -> list[Range]:
        """The character ranges of one row."""
        part = slice(self.offsets[number], self.offsets[number + 1])
        return list(zip(self.starts[part].tolist(), self.stops[part].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Rendered:
    """Texts (`large_string`), the spans of the assistant, and where content spells a guarded token.

    `verbatim` are, for the few rows that have any, the character ranges where a text of the conversation holds one of
    `guarded`: the texts of tokens that steer the model. They are to be encoded as plain text.
    """

    template: ChatTemplate
    texts: pa.Array
    spans: Spans
    guarded: frozenset[str] = frozenset()
    verbatim: Mapping[int, tuple[Range, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)


@lru_cache(maxsize=64)
def pattern_of(guarded: frozenset[str]) -> str:
    """A regular expression for any of the texts, the longest first; it is the same for RE2 and Python.

    >>> pattern_of(frozenset({"</s>", "<s>", "</s>x"}))
    '</s>x|</s>|<s>'
    """
    ordered: Iterable[str] = sorted(guarded, key=lambda text: (-len(text), text))
    return "|".join(map(re.escape, ordered))


def per_row(rows: Ints, count: int) -> Ints:
    """Offsets of things of which `rows` gives the row, ascending."""
    return np.searchsorted(rows, np.arange(count + 1)).astype(np.int64)
