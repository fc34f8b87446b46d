"""What a plan says of exemplars: how many, which, and how they are written."""

from dataclasses import dataclass
from typing import Literal

from flanmix.rates import exact
from flanmix.spec import ShotFormat


@dataclass(frozen=True)
class Shooting:
    """Exemplars for a share of the rows: `numbers` of them with weights. A value without any is false.

    `tokenizer_digest` is of the tokenizer that measures `max_tokens`.
    """

    numbers: tuple[tuple[int, float], ...] = ()
    balance: Literal["none", "answers"] = "none"
    templates: Literal["same", "own"] = "same"
    place: Literal["text", "turns"] = "text"
    formats: tuple[ShotFormat, ...] = ()
    max_characters: int | None = None
    max_tokens: int | None = None
    tokenizer: str | None = None
    tokenizer_digest: str = ""

    def __bool__(self) -> bool:
        return bool(self.numbers)

    def facts(self) -> dict[str, object]:
        """All that decides bytes, as plain values."""
        return {
            "numbers": [[number, str(exact(weight))] for number, weight in self.numbers],
            "formats": [each.model_dump() for each in self.formats] if self.place == "text" else [],
            "how": [
                self.balance,
                self.templates,
                self.place,
                self.max_characters,
                self.max_tokens,
                self.tokenizer_digest,
            ],
        }
