"""Cards as a page for a notebook: HTML that stands alone, follows light and dark, and runs no script."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from flanmix.preview.cards import Card, Turn
from flanmix.preview.explained import Explained
from flanmix.preview.masked import MaskedExample, MaskedRow
from flanmix.preview.visible import (
    Piece,
    lines_beside,
    number_fields,
    pieces_of,
    pieces_of_example,
    safe,
    sizes_of_example,
)

COLOURS = (
    ("#0b5cad", "#7cb7ff"),
    ("#a83c00", "#ffa36b"),
    ("#0b6b43", "#6fd3a1"),
    ("#85368a", "#e29ae6"),
    ("#765600", "#e6c34d"),
    ("#00636f", "#5fd0e0"),
    ("#b0184e", "#ff8fb0"),
    ("#4a5870", "#b7c4d8"),
)
"""The colours of the fields, in turn: on a light page and on a dark one."""

STYLE = """
.flanmix {
  color-scheme: light dark;
  background: light-dark(#ffffff, #1b1f24);
  --ink: light-dark(#1c2430, #e6eaf0);
  --soft: light-dark(#505a68, #a9b3bf);
  --well: light-dark(#f4f6f9, #23282f);
  --line: 1px solid light-dark(#d5dae1, #3a424d);
}
:is([data-jp-theme-light=true], [data-theme=light], [theme=light], .vscode-light) .flanmix { color-scheme: light; }
:is([data-jp-theme-light=false], [data-theme=dark], [theme=dark], .vscode-dark) .flanmix { color-scheme: dark; }
.flanmix, .flanmix :is(h3, h4, p, b) { color: var(--ink); font: 14px/1.5 system-ui, sans-serif; margin: 0 0 3px; }
.flanmix, .flanmix article { padding: 12px 14px; border: var(--line); border-radius: 8px; min-width: 0; }
.flanmix :is(h3, h4, b) { font-weight: 650; }
.flanmix h3 { font-size: 17px; }
.flanmix figure { margin: 7px 0 0; }
.flanmix :is(p, figcaption) { font-size: 12.5px; color: var(--soft); white-space: pre-wrap; }
.flanmix-cards {
  display: grid;
  grid-template-columns: repeat(auto-fill, minmax(min(27rem, 100%), 1fr));
  gap: 12px;
  margin-top: 9px;
}
.flanmix-tag { border: var(--line); border-radius: 9px; padding: 0 7px; }
.flanmix-number { user-select: none; }
.flanmix pre {
  background: var(--well);
  color: var(--ink);
  border-left: 3px solid #8886;
  margin: 0;
  padding: 6px 10px;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
  font: 12.5px/1.65 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
.flanmix [class*=" flanmix-c"] {
  color: var(--hue);
  background: color-mix(in srgb, var(--hue) 10%, transparent);
  text-decoration: underline 1px color-mix(in srgb, var(--hue) 55%, transparent);
  text-underline-offset: 3px;
}
.flanmix .flanmix-mark { color: var(--ink); background: light-dark(#d3d9e2, #454e5b); }
.flanmix .flanmix-trained {
  color: light-dark(#0b6b43, #6fd3a1);
  background: light-dark(#dff3e8, #1d3d2e);
  text-decoration: underline 1px;
  text-underline-offset: 3px;
}
.flanmix .flanmix-special { border: var(--line); border-radius: 4px; padding: 0 2px; font-size: 11px; }
.flanmix-note { color: light-dark(#8f3000, #ffb38a); font-style: italic; }
"""
"""The looks of a page; those of the fields are added from `COLOURS`."""

_PAGE = Markup("""\
<div class="flanmix"><style>{style}</style>
<h3>Preview of {tasks}</h3>
{lines}<div class="flanmix-cards">{cards}
</div></div>""")
_LINE = Markup("<p>{pieces}</p>\n")
_CARD = Markup("""
<article><h4>{template}</h4>
<p>{task} · {type} · row {row}{tags}</p>{turns}</article>""")
_TAG = Markup('  <span class="flanmix-tag">{tag}</span>')
_TURN = Markup("""
<figure><figcaption><b>{role}</b>  {size:,} {unit}</figcaption>
<pre dir="auto">{pieces}</pre></figure>""")
_MASK_PAGE = Markup("""\
<div class="flanmix"><style>{style}</style>
<h3>What is trained in {name}</h3>
<p><span class="flanmix-trained">trained</span> and not trained; \
<span class="flanmix-special">special tokens</span></p>
<div class="flanmix-cards">{rows}
</div></div>""")
_MASKED_ROW = Markup("""
<article><h4>row {number} of the build</h4>{examples}</article>""")
_EXAMPLE = Markup("""
<figure><figcaption>{source}{sizes}</figcaption>
<pre dir="auto">{stretches}</pre></figure>""")
_SOURCE = Markup("<b>{task} · row {row}</b>  ")
_EXPLANATION = Markup("""\
<div class="flanmix"><style>{style}</style>
<h3>{title}</h3>
{lines}{examples}
</div>""")
_EXPLAINED = Markup("""
<article>{facts}{notes}{turns}{tokens}</article>""")
_FACT = Markup("<p><b>{name}</b>  {fact}</p>\n")
_NOTE = Markup('<p class="flanmix-note">{note}</p>\n')
_STRETCH = Markup('<span class="flanmix-{kind}">{pieces}</span>')
_PIECE = Markup('<span class="flanmix-{kind}">{shown}</span>')
# A line break inside a tag is not shown, as one between pieces would be.
_FIELD_PIECE = Markup('<span class="flanmix-{kind} flanmix-c{colour}"\ntitle="field: {fields}">{shown}</span>')


def page(cards: Sequence[Card], notes: Sequence[str]) -> str:
    """The cards, and what is to be said beside them, as one element with its own styles."""
    numbers = number_fields(cards)
    lines = (_fill(_LINE, pieces=_pieces(line, numbers)) for line in lines_beside(cards, notes))
    tasks = ", ".join(dict.fromkeys(card.task for card in cards))
    return str(
        _fill(
            _PAGE,
            style=_style(),
            tasks=tasks or "nothing",
            lines=_joined(lines),
            cards=_joined(_card(card, numbers) for card in cards),
        )
    )


def mask_page(name: str, rows: Sequence[MaskedRow]) -> str:
    """Rows of tokens with what is trained set apart, as one element with its own styles."""
    return str(_fill(_MASK_PAGE, style=_style(), name=name, rows=_joined(map(_masked_row, rows))))


def explanation_page(title: str, examples: Sequence[Explained]) -> str:
    """How a row came to be, as one element with its own styles."""
    numbers = number_fields(examples)
    lines = (_fill(_LINE, pieces=_pieces(line, numbers)) for line in lines_beside(examples, ()))
    told = _joined(_explained(example, numbers) for example in examples)
    return str(_fill(_EXPLANATION, style=_style(), title=title, lines=_joined(lines), examples=told))


def _explained(example: Explained, numbers: Mapping[str, int]) -> Markup:
    facts = _joined(_fill(_FACT, name=name, fact=fact) for name, fact in example.facts)
    notes = _joined(_fill(_NOTE, note=note) for note in example.notes)
    turns = _joined(_turn(turn, numbers) for turn in example.turns)
    tokens = Markup() if example.tokens is None else _example(example.tokens)
    return _fill(_EXPLAINED, facts=facts, notes=notes, turns=turns, tokens=tokens)


def _masked_row(row: MaskedRow) -> Markup:
    return _fill(_MASKED_ROW, number=row.number, examples=_joined(map(_example, row.examples)))


def _example(example: MaskedExample) -> Markup:
    source = Markup() if example.task is None else _fill(_SOURCE, task=example.task, row=str(example.fm_row))
    stretches = _joined(
        _fill(_STRETCH, kind="trained" if stretch.trained else "untrained", pieces=_pieces(pieces, {}))
        for stretch, pieces in pieces_of_example(example)
    )
    return _fill(_EXAMPLE, source=source, sizes=sizes_of_example(example), stretches=stretches)


def _fill(template: Markup, /, **values: str | int) -> Markup:
    """A template with its blanks filled in: the one place where data gets into the page.

    Whatever is not `Markup` is data: what cannot be seen becomes symbols, and what means something in HTML is escaped.

    >>> _fill(Markup("<b>{word}</b>"), word="<i>\\x1b")
    Markup('<b>&lt;i&gt;⟨U+001B⟩</b>')
    """
    checked = {name: value if isinstance(value, Markup | int) else safe(value) for name, value in values.items()}
    return template.format(**checked)


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def _style() -> Markup:
    rule = ".flanmix-c{} {{ --hue: light-dark({}, {}); }}\n"
    return Markup(STYLE + "".join(rule.format(index, *colours) for index, colours in enumerate(COLOURS)))


def _card(card: Card, numbers: Mapping[str, int]) -> Markup:
    return _fill(
        _CARD,
        template=card.template,
        task=card.task,
        type=card.type,
        row=card.fm_row,
        tags=_joined(_fill(_TAG, tag=tag) for tag in card.tags),
        turns=_joined(_turn(turn, numbers) for turn in card.turns),
    )


def _turn(turn: Turn, numbers: Mapping[str, int]) -> Markup:
    size = len(turn.text)
    return _fill(
        _TURN,
        role=turn.role,
        size=size,
        unit="character" if size == 1 else "characters",
        pieces=_pieces(pieces_of(turn, numbers), numbers),
    )


def _pieces(pieces: Iterable[Piece], numbers: Mapping[str, int]) -> Markup:
    return _joined(_piece(piece, numbers) for piece in pieces)


def _piece(piece: Piece, numbers: Mapping[str, int]) -> Markup:
    if not piece.fields:
        return _fill(_PIECE, kind=piece.kind, shown=piece.shown)
    colour = (numbers[piece.fields[0]] - 1) % len(COLOURS)
    return _fill(_FIELD_PIECE, kind=piece.kind, shown=piece.shown, colour=colour, fields=" and ".join(piece.fields))
