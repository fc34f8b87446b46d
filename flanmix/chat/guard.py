"""Tokens that steer the model: which texts they have, and how text of a conversation that spells one is encoded."""

import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from flanmix.chat.rendered import Range
from flanmix.chat.template import ChatTemplate
from flanmix.errors import TemplateError
from flanmix.tokenizing import Tokenizer

if TYPE_CHECKING:
    import tokenizers


@lru_cache(maxsize=16)
def steering_tokens(tokenizer: Tokenizer, template: ChatTemplate) -> dict[str, int]:
    """The special tokens of a tokenizer, and its other added tokens that the template writes, each with its id.

    Not the unknown token: any text may become it.
    """
    model = json.loads(tokenizer.text)["model"]
    unknown, unknown_id = model.get("unk_token"), model.get("unk_id")
    written = template.jinja + template.bos + template.eos + template.end
    added = tokenizer.library.get_added_tokens_decoder().items()
    return {
        token.content: number
        for number, token in added
        if (token.special or token.content in written) and token.content != unknown and number != unknown_id
    }


def check_end(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    """Raise `TemplateError` where the token at the start, or that which ends a turn, is not one token."""
    for text, which, what in ((template.end, "eos", "ends a turn"), (template.bos, "bos", "starts a text")):
        ids = tokenizer.library.encode(text, add_special_tokens=False).ids
        if text and ids != [tokenizer.library.token_to_id(text)]:
            moves = f"{{{{- {which}_token }}}}" in template.jinja
            known = ", ".join(token.content for token in tokenizer.library.get_added_tokens_decoder().values())
            raise TemplateError(
                f"'{text}', which {what} in the chat template '{template.name}', is no token of {tokenizer.name}",
                hint=f"{f'name its own as {which} ({known[:200]}), ' if moves else ''}add it to the tokenizer, "
                "or take another chat template",
            )


class Row(Protocol):
    """A text as tokens."""

    @property
    def ids(self) -> list[int]:
        """The number of each token."""
        ...

    def token_to_chars(self, token: int) -> Any:
        """Where a token starts and stops in the text; None only of tokens that no text made: there are none."""
        ...

    def char_to_token(self, place: int) -> int | None:
        """The first token that a character is in."""
        ...


def starting_before(row: Row, place: int, tokens: int, first: int = 0) -> int:
    """How many of the tokens start before a character; where tokens start ascends.

    Most characters are in a token, and the library finds the first such at once: those before it end there at latest.
    """
    token = row.char_to_token(place)
    if token is not None:
        while token < tokens and row.token_to_chars(token)[0] < place:
            token += 1
        return token
    return bisect_left(range(tokens), place, lo=first, key=lambda token: row.token_to_chars(token)[0])


@dataclass(frozen=True)
class Pieced:
    """A row that was encoded in pieces."""

    ids: list[int]
    ranges: list[Range]

    def token_to_chars(self, token: int) -> Range:
        """Where a token starts and stops in the text."""
        return self.ranges[token]

    def char_to_token(self, place: int) -> None:
        """Nothing: where it is wanted, it is searched for."""


@lru_cache(maxsize=4)
def _spelling(tokenizer: Tokenizer) -> "tokenizers.Tokenizer":
    """The tokenizer that takes no text for a special token."""
    import tokenizers

    made = tokenizers.Tokenizer.from_str(tokenizer.library.to_str())
    made.encode_special_tokens = True
    return made


def encode_verbatim(tokenizer: Tokenizer, text: str, verbatim: tuple[Range, ...], steering: dict[str, int]) -> Pieced:
    """A row whose `verbatim` ranges spell steering tokens: they become tokens of plain text.

    As around the special token that it spells, the text is cut at both ends of such a range; the pieces are encoded
    alone. Where even then a steering token comes out, the range is cut after its first character too.
    """
    ids: list[int] = []
    ranges: list[Range] = []
    cursor = 0
    forbidden = set(steering.values())
    for start, stop in (*verbatim, (len(text), len(text))):
        for low, high, spelled in ((cursor, start, False), (start, stop, True)):
            pieces = [(low, high)] if not spelled else _harmless(tokenizer, text, (low, high), forbidden)
            for begin, end in pieces:
                library = _spelling(tokenizer) if spelled else tokenizer.library
                encoded = library.encode(text[begin:end], add_special_tokens=False)
                ids += encoded.ids
                ranges += [(begin + a, begin + b) for a, b in encoded.offsets]
        cursor = stop
    return Pieced(ids, ranges)


def _harmless(tokenizer: Tokenizer, text: str, part: Range, forbidden: set[int]) -> list[Range]:
    begin, end = part
    ids = _spelling(tokenizer).encode(text[begin:end], add_special_tokens=False).ids
    if end - begin < 2 or not forbidden.intersection(ids):
        return [part] if end > begin else []
    return [(begin, begin + 1), *_harmless(tokenizer, text, (begin + 1, end), forbidden)]
