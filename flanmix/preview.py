"""Rendered rows made visible: a card for each row and template, for a notebook, a terminal or plain text.

Colour says which field a stretch of text came from, and so do a number and, in HTML, a title. Whitespace that is easily
missed and characters that cannot be seen are shown as symbols; none of them reaches a page or a terminal raw.
"""

import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, groupby
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.check import refuse_problems
from flanmix.errors import UsageError, did_you_mean
from flanmix.fields import GUARD, ROW
from flanmix.prepare import Mapped, Prepared, prepare
from flanmix.render.environment import NullPrinted, Run, trace

MAX_RUN, HEAD, TAIL = 900, 450, 150
"""A value, or a stretch of template text, of more than `MAX_RUN` characters is clipped to its beginning and end."""
MAX_TEXT = 6_000
"""Characters shown of one text before the rest of it is clipped."""
WIDTH = 100
"""Columns of plain text, and the most that a card takes in a terminal."""
LIGHT = ("#0b5cad", "#a83c00", "#0b6b43", "#85368a", "#765600", "#00636f", "#b0184e", "#4a5870")
DARK = ("#7cb7ff", "#ffa36b", "#6fd3a1", "#e29ae6", "#e6c34d", "#5fd0e0", "#ff8fb0", "#b7c4d8")
TERMINAL = ("#2f7fd6", "#c8621b", "#2b8a5b", "#a85cb0", "#94741a", "#1b8896", "#d24a78", "#74809a")
"""The colours of the fields, in turn; those for a terminal can be read on black and on white."""

_CSS = """
.flanmix{color-scheme:light dark;--ink:light-dark(#1c2430,#e6eaf0);--soft:light-dark(#56606e,#a9b3bf);
--page:light-dark(#ffffff,#1b1f24);--well:light-dark(#f4f6f9,#23282f);--line:light-dark(#d5dae1,#3a424d);
--warn:light-dark(#8f3000,#ffb38a);background:var(--page);color:var(--ink);font:14px/1.5 system-ui,sans-serif;
border:1px solid var(--line);border-radius:10px;padding:14px 16px;margin:8px 0}
:is([data-jp-theme-light=true],[data-theme=light],[theme=light],.vscode-light) .flanmix{color-scheme:light}
:is([data-jp-theme-light=false],[data-theme=dark],[theme=dark],.vscode-dark) .flanmix{color-scheme:dark}
.flanmix .flanmix-title{font-size:17px;font-weight:650;margin:0 0 6px;color:var(--ink)}
.flanmix .flanmix-name{font-size:14px;font-weight:650;margin:0;color:var(--ink);overflow-wrap:anywhere}
.flanmix :is(.flanmix-note,.flanmix-meta,.flanmix-role){font-size:12.5px;color:var(--soft);margin:2px 0}
.flanmix .flanmix-tag{border:1px solid var(--line);border-radius:9px;padding:0 7px;margin-left:7px}
.flanmix .flanmix-key{margin-right:14px;white-space:nowrap}
.flanmix .flanmix-cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(27rem,100%),1fr));gap:12px;
margin-top:12px}
.flanmix .flanmix-card{border:1px solid var(--line);border-radius:8px;padding:10px 12px;min-width:0}
.flanmix .flanmix-turn{margin:6px 0 0}
.flanmix .flanmix-label{color:var(--ink);margin-right:7px}
.flanmix .flanmix-text{background:var(--well);color:var(--ink);border-left:3px solid var(--line);border-radius:4px;
margin:0;padding:6px 10px;white-space:pre-wrap;overflow-wrap:anywhere;
font:12.5px/1.65 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.flanmix .flanmix-value{color:var(--hue);background:color-mix(in srgb,var(--hue) 10%,transparent);border-radius:3px;
text-decoration:underline 1px color-mix(in srgb,var(--hue) 55%,transparent);text-underline-offset:3px;
unicode-bidi:isolate;-webkit-box-decoration-break:clone;box-decoration-break:clone}
.flanmix .flanmix-value::after{content:"\\2060" attr(data-number);font-size:.75em;vertical-align:super;line-height:0}
.flanmix .flanmix-mark{color:var(--soft);font-style:normal}
.flanmix :is(.flanmix-clip,.flanmix-problem){color:var(--warn);font:italic 13px system-ui,sans-serif;margin:6px 0 0}
""" + "\n".join(f".flanmix .flanmix-c{n}{{--hue:light-dark({LIGHT[n]},{DARK[n]})}}" for n in range(len(LIGHT)))


@dataclass(frozen=True)
class Turn:
    """One side of a card: `role` is Input or Target; `problem` says why its text is of no use to a build, or is None."""

    role: str
    runs: tuple[Run, ...]
    problem: str | None = None

    @property
    def text(self) -> str:
        """The whole text, as it was rendered."""
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True)
class Card:
    """One row of a task, rendered by one template."""

    task: str
    type: str
    template: str
    tags: tuple[str, ...]
    fm_row: int
    turns: tuple[Turn, ...]


@dataclass(frozen=True, repr=False)
class Preview:
    """Cards, and notes on what they leave out. A notebook shows them as HTML, rich in colour, `str` as plain text."""

    cards: tuple[Card, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cards)

    def __rich__(self) -> RenderableType:
        return _terminal(self)

    def __str__(self) -> str:
        file = io.StringIO()
        Console(file=file, width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False).print(self)
        return file.getvalue().rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _page(self)


def preview(
    bound: BoundTask, *, rows: int | Sequence[int] = 3, templates: Sequence[str] | None = None, split: str = "train"
) -> Preview:
    """Render some rows of a task with each template that serves them: one card each, by rows, then by templates.

    `rows` is how many, spread evenly over the usable rows, or which, by their number in the source (`fm_row`).
    `templates` are ids; all by default. Raises `UsageError` for a row or template that is not there, `SourceError` or
    `TemplateError` for a task that cannot be prepared; a template that fails on a row says so on its card.

    >>> from flanmix.registry import Registry
    >>> from flanmix.spec import Task, Template
    >>> ask = Template("ask", input="{{ q }}", target="{{ a }}")
    >>> task = Task("toy/sums", type="arithmetic", source=[{"q": "1 + 1?", "a": "2"}], templates=[ask])
    >>> shown = preview(Registry().with_specs(task)["toy/sums"])
    >>> len(shown), shown.cards[0].turns[1].text
    (1, '2')
    """
    refuse_problems([bound])
    chosen = _chosen(bound, templates)
    prepared = prepare(bound, split)
    table = Mapped(prepared.file).table
    cards: list[Card] = []
    for place in _places(bound, table, rows):
        row = table.slice(place, 1).to_pylist()[0]
        number, serving = row.pop(ROW), prepared.guards[row.pop(GUARD)]
        cards += [card(bound, bound.templates[index], row, number) for index in chosen if index in serving]
    return Preview(tuple(cards), tuple(_notes(bound, chosen, prepared, table, {shown.template for shown in cards})))


def card(bound: BoundTask, template: BoundTemplate, row: Mapping[str, Any], fm_row: int) -> Card:
    """The card of a row of fields, whose number in the source is `fm_row`; what fails is said on it, not raised.

    >>> from flanmix.registry import Registry
    >>> from flanmix.spec import Task, Template
    >>> ask = Template("ask", input="Q: {{ q }}", target="{{ a }}")
    >>> task = Registry().with_specs(Task("toy/sums", type="arithmetic", source=[{}], templates=[ask]))["toy/sums"]
    >>> card(task, task.templates[0], {"q": "1 + 1?", "a": "2"}, fm_row=7).turns[0].runs[1]
    Run(text='1 + 1?', fields=('q',))
    """
    texts = {"Input": template.template.input, "Target": template.template.target}
    turns = tuple(_turn(role, text, row, template) for role, text in texts.items())
    return Card(bound.task.name, bound.task.type, template.id, template.template.tags, fm_row, turns)


def _turn(role: str, text: str, row: Mapping[str, Any], template: BoundTemplate) -> Turn:
    try:
        runs = tuple(Run(run.text, tuple(name for name in run.fields if name in row)) for run in trace(text, row))
    except NullPrinted:
        return Turn(role, (), "No text: the template prints a null here, so a build leaves this row out.")
    except Exception as error:
        problem = template.where.at(role.lower()).problem(str(error) or type(error).__name__)
        return Turn(role, (), f"The template fails on this row, where a build would stop. {problem}")
    whole = "".join(run.text for run in runs)
    blank = None if whole.strip() else f"{'Blank' if whole else 'Empty'}: a build leaves this row out."
    return Turn(role, runs, blank)


def _chosen(bound: BoundTask, templates: Sequence[str] | None) -> list[int]:
    """The indices of the templates asked for, in the order asked for."""
    ids = [template.id for template in bound.templates]
    wanted = ids if templates is None else [templates] if isinstance(templates, str) else templates
    for name in wanted:
        if name not in ids:
            hint = did_you_mean(name, ids) or f"there are {', '.join(ids)}"
            raise UsageError(f"no template of {bound.task.name} is called '{name}'", hint=hint)
    return [ids.index(name) for name in dict.fromkeys(wanted)]


def _places(bound: BoundTask, table: pa.Table, rows: int | Sequence[int]) -> list[int]:
    """The places in the table of the rows asked for."""
    if isinstance(rows, int):
        count = min(rows, table.num_rows)
        places = [(2 * index + 1) * table.num_rows // (2 * count) for index in range(count)]
    else:
        places = []
        for row in dict.fromkeys(rows):
            places.append(pc.index(table.column(ROW), row).as_py())
            if places[-1] < 0:
                hint = f"its {table.num_rows:,} usable rows lie between {table[ROW][0]} and {table[ROW][-1]}"
                raise UsageError(f"{bound.task.name} has no row {row}, or drops it", hint=hint)
    if not places:
        raise UsageError("a preview of no rows shows nothing", hint="ask for one or more")
    return places


def _notes(bound: BoundTask, chosen: list[int], prepared: Prepared, table: pa.Table, seen: set[str]) -> Iterator[str]:
    """What no card shows: the rows that were dropped, and the templates that serve none of the rows chosen."""
    if prepared.dropped:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in prepared.dropped.items())
        yield f"{prepared.usable:,} of {prepared.source_rows:,} rows are usable. Dropped: {reasons}."
    for name, index in ((bound.templates[index].id, index) for index in chosen):
        if name not in seen:
            guards = [guard for guard, serving in enumerate(prepared.guards) if index in serving]
            place = pc.index(pc.is_in(table.column(GUARD), pa.array(guards, pa.int32())), True).as_py()
            where = "no usable row" if place < 0 else f"none of these rows, but row {table[ROW][place]}, for one"
            yield f"No card for {name}: it serves {where}."


_SYMBOLS = {" ": "·", "\t": "→   ", "\n": "¶\n", "\xa0": "⍽", "\u3000": "␣", "\x7f": "␡"}
_NAMES = {"\t": "tab", "\n": "line break", "\r": "carriage return", "\x1b": "escape", "\x7f": "delete"}
_BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")  # not whitespace to Unicode, but nothing is seen
_JOINERS = frozenset("\u200c\u200d")
_SEEN = _JOINERS | frozenset("\n\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")  # Arabic and Syriac signs


def _symbol(char: str) -> str:
    return _SYMBOLS.get(char) or (chr(0x2400 + ord(char)) if char < " " else f"⟨U+{ord(char):04X}⟩")


def _name(char: str) -> str:
    return _NAMES.get(char) or unicodedata.name(char, f"character U+{ord(char):04X}").lower()


def _hidden(char: str) -> bool:
    return char in _BLANK or not (char.isprintable() or char in _SEEN)


def _safe(text: str) -> str:
    return "".join(_symbol(char) if _hidden(char) else char for char in text)


def _marked(text: str, at: int, inner: range) -> bool:
    """Whether a symbol stands for the character at a place; `inner` is the text less the whitespace at its ends."""
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if char == " ":
        return at not in inner or before == " " or after in (" ", "\n", "\r")
    if char == "\n":
        return at not in inner or "\n\n\n" in text[max(at - 2, 0) : at + 3]
    return _hidden(char) or (char in _JOINERS and not (_joins(before) and _joins(after)))


def _joins(char: str) -> bool:
    """Whether a joiner beside this character is ordinary spelling: in scripts that join letters, and in emoji."""
    return "\u0600" <= char < "\u1d00" or (char != "" and unicodedata.category(char) in ("So", "Sk", "Mn"))


class _Piece(NamedTuple):
    """What is shown of a stretch of text: as it is (kind `text`), as symbols for `char` (`mark`), or not (`clip`)."""

    kind: str
    shown: str
    char: str = ""


def _pieces(runs: tuple[Run, ...]) -> Iterator[tuple[tuple[str, ...], list[_Piece]]]:
    """What is shown of a text: the fields and the pieces of each run."""
    text = "".join(run.text for run in runs)
    inner = range(len(text) - len(text.lstrip()), len(text.rstrip()))
    start = shown = 0
    for run in runs:
        if shown > MAX_TEXT:
            yield (), [_clip(len(text) - start)]
            return
        stop = start + len(run.text)
        if len(run.text) <= MAX_RUN:
            yield run.fields, [*_stretch(text, range(start, stop), inner)]
        else:
            head, tail = range(start, start + HEAD), range(stop - TAIL, stop)
            clip = _clip(tail.start - head.stop)
            yield run.fields, [*_stretch(text, head, inner), clip, *_stretch(text, tail, inner)]
        shown += min(len(run.text), MAX_RUN)
        start = stop


def _stretch(text: str, span: range, inner: range) -> Iterator[_Piece]:
    for char, places in groupby(span, key=lambda at: text[at] if _marked(text, at, inner) else ""):
        stretch = "".join(text[at] for at in places)
        yield _Piece("mark", _symbol(char) * len(stretch), char) if char else _Piece("text", stretch)


def _clip(hidden: int) -> _Piece:
    return _Piece("clip", f" … {_count(hidden)} not shown … ")


def _count(characters: int) -> str:
    return f"{characters:,} character{'' if characters == 1 else 's'}"


def _numbers(cards: tuple[Card, ...]) -> dict[str, int]:
    """The number, from 1, of each field on the cards: it gives the colour too."""
    runs = chain.from_iterable(turn.runs for card in cards for turn in card.turns)
    return {name: number for number, name in enumerate(dict.fromkeys(name for run in runs for name in run.fields), 1)}


def _symbols(cards: tuple[Card, ...]) -> dict[str, str]:
    """What the symbols on the cards stand for."""
    pieces = chain.from_iterable(pieces for card in cards for turn in card.turns for _, pieces in _pieces(turn.runs))
    return {_symbol(piece.char).strip(): _name(piece.char) for piece in pieces if piece.char}


class _Html(str):
    """Text that is markup already."""


def _tag(tag: str, kind: str, *children: str, **attributes: str) -> _Html:
    """An element: the one place where text becomes markup, and is escaped."""
    content = (child if isinstance(child, _Html) else escape(_safe(child)) for child in children)
    classes = " ".join(f"flanmix-{word}" for word in kind.split())
    written = "".join(f' {name.replace("_", "-")}="{escape(_safe(value))}"' for name, value in attributes.items())
    return _Html(f'<{tag} class="{classes}"{written}>{"".join(content)}</{tag}>')


def _page(shown: Preview) -> str:
    numbers = _numbers(shown.cards)
    fields = [_tag("span", "key", _value((name,), numbers, name)) for name in numbers]
    symbols = [_tag("span", "key", _tag("i", "mark", mark), f" {name}") for mark, name in _symbols(shown.cards).items()]
    page = [
        _tag("h3", "title", f"Preview of {_subject(shown)}"),
        *(_tag("p", "note", note) for note in shown.notes),
        *(_tag("p", "note", f"{word}: ", *keys) for word, keys in (("Fields", fields), ("Symbols", symbols)) if keys),
        _tag("div", "cards", *(_article(card, numbers) for card in shown.cards)),
    ]
    return f'<div class="flanmix"><style>{_CSS}</style>{"".join(page)}</div>'


def _subject(shown: Preview) -> str:
    return ", ".join(dict.fromkeys(f"{card.task} ({card.type})" for card in shown.cards)) or "nothing"


def _article(card: Card, numbers: Mapping[str, int]) -> _Html:
    tags = (_tag("span", "tag", tag) for tag in card.tags)
    head = _tag("h4", "name", card.template), _tag("p", "meta", f"{card.task} · row {card.fm_row}", *tags)
    return _tag("article", "card", *head, *(_figure(turn, numbers) for turn in card.turns))


def _figure(turn: Turn, numbers: Mapping[str, int]) -> _Html:
    parts = [_tag("figcaption", "role", _tag("b", "label", turn.role), _count(len(turn.text)) if turn.runs else "")]
    text: list[str] = []
    for fields, pieces in _pieces(turn.runs):
        inside = [p.shown if p.kind == "text" else _tag("i", p.kind, p.shown) for p in pieces]
        text += [_value(fields, numbers, *inside)] if fields else inside
    parts += [_tag("pre", "text", *text, dir="auto")] if text else []
    parts += [_tag("p", "problem", turn.problem)] if turn.problem else []
    return _tag("figure", "turn", *parts)


def _value(fields: tuple[str, ...], numbers: Mapping[str, int], *inside: str) -> _Html:
    colour = (numbers[fields[0]] - 1) % len(LIGHT)
    title = f"field{'s' if len(fields) > 1 else ''}: {', '.join(fields)}"
    number = "+".join(str(numbers[name]) for name in fields)
    return _tag("u", f"value c{colour}", *inside, title=title, data_number=number)


def _terminal(shown: Preview) -> RenderableType:
    numbers = _numbers(shown.cards)
    fields = Text("  ").join(_coloured((name,), numbers, [_Piece("text", name)]) for name in numbers)
    symbols = Text("  ".join(f"{_safe(mark)} {name}" for mark, name in _symbols(shown.cards).items()))
    legend = [Text.assemble((f"{word}: ", "dim"), keys) for word, keys in (("Fields", fields), ("Symbols", symbols)) if keys]
    return Group(*(_panel(card, numbers) for card in shown.cards), *legend, *(Text(_safe(n), "dim") for n in shown.notes))


def _panel(card: Card, numbers: Mapping[str, int]) -> Panel:
    inside: list[RenderableType] = []
    for turn in card.turns:
        inside.append(Text.assemble((turn.role, "bold"), (f"  {_count(len(turn.text))}" if turn.runs else "", "dim")))
        text = Text().join(_coloured(fields, numbers, pieces) for fields, pieces in _pieces(turn.runs))
        text.right_crop(int(text.plain.endswith("\n")))
        problem = Text(_safe(turn.problem or ""), "italic yellow")
        inside += [Padding(part, (0, 0, 0, 2)) for part in (text, problem) if part]
    about = "".join(f" · {word}" for word in (card.task, f"row {card.fm_row}", *card.tags))
    title = Text.assemble((_safe(card.template), "bold"), (_safe(about), "dim"))
    return Panel(Group(*inside), title=title, title_align="left", border_style="dim", width=WIDTH)


def _coloured(fields: tuple[str, ...], numbers: Mapping[str, int], pieces: list[_Piece]) -> Text:
    colour = TERMINAL[(numbers[fields[0]] - 1) % len(TERMINAL)] if fields else ""
    styles = {"text": f"underline {colour}" if fields else "", "mark": "dim", "clip": "dim italic"}
    number = "+".join(str(numbers[name]) for name in fields).translate(str.maketrans("0123456789+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺"))
    return Text.assemble(*((_safe(piece.shown), styles[piece.kind]) for piece in pieces), (number, colour))
