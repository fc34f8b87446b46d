"""Cards in a terminal: framed, in its colours, or as plain text."""

import io
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from flanmix.preview.cards import Card
from flanmix.preview.visible import Kind, Piece, lines_beside, number_fields, pieces_of, safe

WIDTH = 100
"""Columns of plain text, and the most that a card takes in a terminal."""
COLOURS = ("#2877cc", "#b95b19", "#298557", "#a557ae", "#907119", "#1a818f", "#cf3e6f", "#697691")
"""The colours of the fields, in turn; all have a contrast of 4.5 on black as on white."""
STYLES: Mapping[Kind, str] = {
    "text": "",
    "value": "underline",
    "mark": "reverse",
    "note": "italic #d53e3e",
    "number": "",
}
"""What a piece of each kind looks like, besides the colour of its field."""


def coloured(cards: Sequence[Card], notes: Sequence[str]) -> RenderableType:
    """Something that rich prints: the cards, and what is to be said beside them."""
    numbers = number_fields(cards)
    panels = [_panel(card, numbers) for card in cards]
    lines = [_text(line, numbers) for line in lines_beside(cards, notes)]
    return Group(*panels, *lines)


def plain(cards: Sequence[Card], notes: Sequence[str]) -> str:
    """The same as text of `WIDTH` columns without colour, whatever the environment says."""
    file = io.StringIO()
    console = Console(file=file, width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False)
    console.print(coloured(cards, notes))
    return file.getvalue().rstrip("\n")


def _panel(card: Card, numbers: Mapping[str, int]) -> Panel:
    inside: list[RenderableType] = []
    for turn in card.turns:
        size = len(turn.text)
        unit = "character" if size == 1 else "characters"
        inside.append(Text.assemble((turn.role, "bold"), (f"  {size:,} {unit}", "dim")))
        inside.append(Padding(_text(pieces_of(turn, numbers), numbers), (0, 0, 0, 2)))
    about = "".join(f" · {fact}" for fact in (card.task, card.type, f"row {card.fm_row}", *card.tags))
    title = Text.assemble((safe(card.template), "bold"), (safe(about), "dim"))
    return Panel(Group(*inside), title=title, title_align="left", border_style="dim", width=WIDTH)


def _text(pieces: Iterable[Piece], numbers: Mapping[str, int]) -> Text:
    return Text.assemble(*((safe(piece.shown), _style(piece, numbers)) for piece in pieces))


def _style(piece: Piece, numbers: Mapping[str, int]) -> str:
    if not piece.fields:
        return STYLES[piece.kind]
    colour = COLOURS[(numbers[piece.fields[0]] - 1) % len(COLOURS)]
    return f"{STYLES[piece.kind]} {colour}"
