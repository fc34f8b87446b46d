"""How a row came to be, as a value: what is known of it, the words that made it, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flanmix.preview.cards import Turn
from flanmix.preview.masked import MaskedExample


@dataclass(frozen=True)
class Explained:
    """One example. `metadata` are its fm_ columns; `facts` say in words where it is from, each with its name.

    `turns` are, in this order, the fields of its row, the texts of its template, its exemplars, and its own texts.
    `tokens` are there for a build of tokens whose tokenizer can be read. `dropped` says why no build has the row.
    """

    metadata: Mapping[str, Any]
    facts: Sequence[tuple[str, str]]
    turns: Sequence[Turn]
    tokens: MaskedExample | None = None
    dropped: str | None = None
    notes: Sequence[str] = ()

    def text(self, role: str) -> str:
        """What the last turn of this role says; raises `KeyError`."""
        return {turn.role: turn.text for turn in self.turns}[role]
