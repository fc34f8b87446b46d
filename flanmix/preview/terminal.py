"""Cards in a terminal: framed, in its colours, or as plain text."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flanmix.preview.cards import Card, Turn
from flanmix.preview.explained import Explained
from flanmix.preview.masked import MaskedExample, MaskedRow
from flanmix.preview.visible import (
    Kind,
    Piece,
    lines_beside,
    number_fields,
    pieces_of,
    pieces_of_example,
    safe,
    sizes_of_example,
)

WIDTH = 100
"""Columns of plain text, and the most that a card takes in a terminal."""
COLOURS = ("#2877cc", "#b95b19", "#298557", "#a557ae", "#907119", "#1a818f", "#cf3e6f", "#697691")
"""The colours of the fields, in turn; all have a contrast of 4.5 on black as on white."""
TRAINED = "bold #298557"
"""What trained text looks like."""
STYLES: Mapping[Kind, str] = {
    "text": "",
    "value": "underline",
    "mark": "reverse",
    "note": "italic #d53e3e",
    "number": "",
    "special": "dim",
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
    return _without_colour(coloured(cards, notes))


def mask_coloured(rows: Sequence[MaskedRow]) -> RenderableType:
    """Something that rich prints: rows of tokens with brackets around what is trained."""
    return Group(*map(_masked, rows), Text.assemble(("⟦trained⟧", TRAINED), " and not trained"))


def mask_plain(rows: Sequence[MaskedRow]) -> str:
    """The same as text of `WIDTH` columns without colour."""
    return _without_colour(mask_coloured(rows))


def explanation_coloured(title: str, examples: Sequence[Explained]) -> RenderableType:
    """Something that rich prints: how a row came to be."""
    numbers = number_fields(examples)
    panels = [_explained(title, example, numbers) for example in examples]
    return Group(*panels, *(_text(line, numbers) for line in lines_beside(examples, ())))


def explanation_plain(title: str, examples: Sequence[Explained]) -> str:
    """The same as text of `WIDTH` columns without colour."""
    return _without_colour(explanation_coloured(title, examples))


def _without_colour(shown: RenderableType) -> str:
    file = io.StringIO()
    console = Console(file=file, width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False)
    console.print(shown)
    return file.getvalue().rstrip("\n")


def _panel(card: Card, numbers: Mapping[str, int]) -> Panel:
    inside = [part for turn in card.turns for part in _turn(turn, numbers)]
    about = "".join(f" · {fact}" for fact in (card.task, card.type, f"row {card.fm_row}", *card.tags))
    title = Text.assemble((safe(card.template), "bold"), (safe(about), "dim"))
    return Panel(Group(*inside), title=title, title_align="left", border_style="dim", width=WIDTH)


def _turn(turn: Turn, numbers: Mapping[str, int]) -> Iterator[RenderableType]:
    size = len(turn.text)
    unit = "character" if size == 1 else "characters"
    yield Text.assemble((turn.role, "bold"), (f"  {size:,} {unit}", "dim"))
    yield Padding(_text(pieces_of(turn, numbers), numbers), (0, 0, 0, 2))


def _explained(title: str, example: Explained, numbers: Mapping[str, int]) -> Panel:
    facts = Table.grid(padding=(0, 2, 0, 0))
    for name, fact in example.facts:
        facts.add_row(Text(name, "bold"), Text(safe(fact), STYLES["note"] if name == "dropped" else ""))
    inside: list[RenderableType] = [facts, *(Text(safe(note), STYLES["note"]) for note in example.notes)]
    inside += [part for turn in example.turns for part in _turn(turn, numbers)]
    if example.tokens is not None:
        inside += [Text("Tokens, ⟦trained⟧ and not", "bold"), Padding(_example(example.tokens), (0, 0, 0, 2))]
    return Panel(Group(*inside), title=Text(safe(title), "bold"), title_align="left", border_style="dim", width=WIDTH)


def _masked(row: MaskedRow) -> Panel:
    inside: list[RenderableType] = []
    for example in row.examples:
        source = "" if example.task is None else f"{safe(example.task)} · row {example.fm_row}  "
        inside.append(Text.assemble((source, "bold"), (sizes_of_example(example), "dim")))
        inside.append(Padding(_example(example), (0, 0, 0, 2)))
    title = Text(f"row {row.number} of the build", "bold")
    return Panel(Group(*inside), title=title, title_align="left", border_style="dim", width=WIDTH)


def _example(example: MaskedExample) -> Text:
    shown = Text()
    for stretch, pieces in pieces_of_example(example):
        style = TRAINED if stretch.trained else ""
        inner = [(safe(piece.shown), f"{STYLES[piece.kind]} {style}".strip()) for piece in pieces]
        shown.append_text(Text.assemble(*([("⟦", style), *inner, ("⟧", style)] if stretch.trained else inner)))
    return shown


def _text(pieces: Iterable[Piece], numbers: Mapping[str, int]) -> Text:
    return Text.assemble(*((safe(piece.shown), _style(piece, numbers)) for piece in pieces))


def _style(piece: Piece, numbers: Mapping[str, int]) -> str:
    if not piece.fields:
        return STYLES[piece.kind]
    colour = COLOURS[(numbers[piece.fields[0]] - 1) % len(COLOURS)]
    return f"{STYLES[piece.kind]} {colour}"
