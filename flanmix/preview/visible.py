"""What is shown of a rendered text: its stretches, clipped if they are long, with symbols for what cannot be seen."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal, NamedTuple, Protocol

from flanmix.preview.cards import Turn
from flanmix.preview.masked import MaskedExample, Stretch
from flanmix.words import count_of

MAX_RUN = 900
"""Characters: of a stretch that has more, only its two ends are shown."""
HEAD, TAIL = 450, 150
"""Characters: what is shown of the ends of a long stretch."""
MAX_TEXT = 6_000
"""Characters: once more than these are shown of a text, its other stretches are not."""

SYMBOLS = {" ": "·", "\t": "→   ", "\n": "¶\n", "\xa0": "⍽", "\u3000": "▭", "\r": "↵"}
"""What stands for a character that is marked; any other that cannot be seen has its code point, as ⟨U+200B⟩."""
_NAMES = {"\t": "tab", "\n": "line break", "\r": "carriage return", "\x1b": "escape", "\x7f": "delete"}
_JOINERS = ("\u200c", "\u200d")
_FIRST_JOINED = "\u0600"  # joiners are ordinary spelling in Persian, Hindi or emoji, which all come after this
_BLANK = ("\u034f", "\u115f", "\u1160", "\u2800", "\u3164", "\uffa0")  # printable to Unicode, but nothing is seen
_SUPERSCRIPT = str.maketrans("0123456789+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺")

Kind = Literal["text", "value", "mark", "note", "number", "special"]
"""The template's own words, what came from fields, symbols, words of the preview, numbers of fields, special tokens."""


class Piece(NamedTuple):
    """A stretch as it is shown, and the fields that it came from; a mark is made of symbols for `char`."""

    kind: Kind
    shown: str
    fields: tuple[str, ...] = ()
    char: str = ""


class Shown(Protocol):
    """Whatever has turns to show: a card, or what is told of an example."""

    @property
    def turns(self) -> Sequence[Turn]:
        """What is said on it, in order."""
        ...


def number_fields(cards: Sequence[Shown]) -> dict[str, int]:
    """The fields on the cards, numbered from 1 in the order in which they are met."""
    runs = (run for card in cards for turn in card.turns for run in turn.runs)
    names = dict.fromkeys(name for run in runs for name in run.fields)
    return {name: number for number, name in enumerate(names, start=1)}


def symbol(char: str) -> str:
    """What stands for a character that cannot be seen.

    >>> symbol("\\t"), symbol("\\u200b")
    ('→   ', '⟨U+200B⟩')
    """
    return SYMBOLS.get(char, f"⟨U+{ord(char):04X}⟩")


def safe(text: str) -> str:
    """`text` with symbols for what cannot be seen and might do something: nothing else goes to a page or a terminal.

    >>> safe("\\x1b[31mred and\\nbroken")
    '⟨U+001B⟩[31mred and\\nbroken'
    """
    return "".join(symbol(char) if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    return char in _BLANK or not (char.isprintable() or char == "\n" or char in _JOINERS)


def pieces_of(turn: Turn, numbers: Mapping[str, int]) -> Iterator[Piece]:
    """What is shown of a turn; `numbers` are those of the fields."""
    whole = Whole(turn.text)
    start = shown = 0
    for run in turn.runs:
        if shown > MAX_TEXT:
            yield Piece("note", f" … {len(whole.text) - start:,} characters not shown")
            break
        stop = start + len(run.text)
        yield from whole.clipped(start, stop, run.fields)
        if run.fields:
            yield _number(run.fields, numbers)
        start = stop
        shown += min(len(run.text), MAX_RUN)
    if turn.problem:
        yield Piece("note", f"  {turn.problem}" if whole.text else turn.problem)


class Whole:
    """A whole text: whether a character of it is marked depends on those around, which may be of other runs."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.inner = range(len(text) - len(text.lstrip()), len(text.rstrip()))  # less the whitespace at its ends

    def clipped(self, start: int, stop: int, fields: tuple[str, ...]) -> Iterator[Piece]:
        """The pieces from one place to another, or those at the ends, and how much is left out between them."""
        if stop - start <= MAX_RUN:
            yield from self.pieces(start, stop, fields)
            return
        yield from self.pieces(start, start + HEAD, fields)
        yield Piece("note", f" … {stop - start - HEAD - TAIL:,} characters not shown … ")
        yield from self.pieces(stop - TAIL, stop, fields)

    def pieces(self, start: int, stop: int, fields: tuple[str, ...]) -> Iterator[Piece]:
        """The pieces from one place to another: equal marked characters together, and what is between them."""
        for char, places in groupby(range(start, stop), key=self._marked):
            if char:
                yield Piece("mark", "".join(symbol(char) for _ in places), fields, char)
            else:
                plain = "".join(self.text[place] for place in places)
                yield Piece("value" if fields else "text", plain, fields)

    def _marked(self, place: int) -> str:
        """The character at a place if a symbol stands for it, or nothing."""
        char = self.text[place]
        before = self.text[place - 1] if place > 0 else ""
        after = self.text[place + 1] if place + 1 < len(self.text) else ""
        if char == " ":
            marked = place not in self.inner or before == " " or after in (" ", "\n", "\r")
        elif char == "\n":
            marked = place not in self.inner or "\n\n\n" in self.text[max(place - 2, 0) : place + 3]
        elif char in _JOINERS:
            marked = not _can_join(before, after)
        else:
            marked = _is_hidden(char)
        return char if marked else ""


def _can_join(before: str, after: str) -> bool:
    """Whether a joiner between these characters (or nothing) has something to join."""
    return min(before, after) >= _FIRST_JOINED and before.isprintable() and after.isprintable()


def _number(fields: tuple[str, ...], numbers: Mapping[str, int]) -> Piece:
    label = "+".join(str(numbers[name]) for name in fields)
    return Piece("number", label.translate(_SUPERSCRIPT), fields)


def pieces_of_example(example: MaskedExample) -> Iterator[tuple[Stretch, list[Piece]]]:
    """What is shown of the tokens of an example, stretch by stretch."""
    whole = Whole("".join(stretch.text for stretch in example.stretches))
    start = 0
    for stretch in example.stretches:
        pieces: list[Piece] = []
        for part in stretch.parts:
            stop = start + len(part.text)
            pieces += [Piece("special", part.text)] if part.special else whole.clipped(start, stop, ())
            start = stop
        yield stretch, pieces


def sizes_of_example(example: MaskedExample) -> str:
    """How many tokens it has, and how many of them are trained."""
    return f"{count_of(example.tokens, 'token')}, {example.trained:,} trained"


def lines_beside(cards: Sequence[Shown], notes: Sequence[str]) -> Iterator[list[Piece]]:
    """What is said beside the cards: the notes, the fields and the symbols."""
    numbers = number_fields(cards)
    for note in notes:
        yield [Piece("text", note)]
    fields = [[Piece("value", name, (name,)), _number((name,), numbers)] for name in numbers]
    turns = [turn for card in cards for turn in card.turns]
    chars = dict.fromkeys(piece.char for turn in turns for piece in pieces_of(turn, numbers) if piece.char)
    symbols = [[Piece("mark", symbol(char).strip()), Piece("text", f" {_name(char)}")] for char in chars]
    if fields:
        yield _entries("Fields:", fields)
    if symbols:
        yield _entries("Symbols:", symbols)


def _entries(heading: str, entries: Sequence[Sequence[Piece]]) -> list[Piece]:
    line = [Piece("text", heading)]
    for entry in entries:
        line += [Piece("text", "  "), *entry]
    return line


def _name(char: str) -> str:
    return unicodedata.name(char, _NAMES.get(char, f"character U+{ord(char):04X}")).lower()
