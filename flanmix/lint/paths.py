"""A template's text as it may come out: its words in a row, a mark for every field, one text for each branch taken."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from flanmix.render.environment import tokens_of
from flanmix.render.flow import Flow, flow_of
from flanmix.spec import Dialect

SLOT = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for what `{{ … }}` prints."""
GAP = "\N{INTERLINEAR ANNOTATION ANCHOR}"
"""Stands for what cannot be told without a row: what a loop, a macro or a block prints, and what is around it."""
_MOST = 64

_ASSIGNS = re.compile(r"set\s[\w\s.,()]*=(?!=)")
"""A `set` that is no block."""

_Token = tuple[int, str, str]


@dataclass(frozen=True)
class Slot:
    """One `{{ … }}`: what stands in it, its line (from 1), and whether it is printed in every row."""

    source: str
    line: int
    flow: Flow
    always: bool


@dataclass(frozen=True)
class Path:
    """One way through a text. `slots` are what the marks `SLOT` in `text` stand for; `lines` where its words begin."""

    text: str
    slots: tuple[Slot, ...]
    lines: tuple[tuple[int, int], ...] = ((0, 1),)

    def line(self, place: int) -> int:
        """The line (from 1) of the template's text that a place in `text` comes from."""
        start, line = self.lines[bisect_right(self.lines, (place, 1 << 60)) - 1]
        return line + self.text.count("\n", start, place)

    def slot(self, place: int) -> Slot:
        """What the mark at a place in `text` stands for."""
        return self.slots[self.text.count(SLOT, 0, place)]

    def shown(self, start: int, end: int) -> str:
        """A stretch of it as people wrote it, on one line.

        >>> paths_of("Translate:{{ text }}")[0].shown(0, 11)
        'Translate:{{ text }}'
        """
        pieces = (self._shown(place) for place in range(start, end))
        return "".join(pieces).replace("\n", "⏎").replace(GAP, "…")

    def _shown(self, place: int) -> str:
        return f"{{{{ {self.slot(place).source} }}}}" if self.text[place] == SLOT else self.text[place]

    def near(self, place: int, end: int | None = None) -> str:
        """What stands around a place, or a stretch, on one line."""
        return self.shown(max(place - 12, 0), min((end or place + 1) + 12, len(self.text)))

    def split(self, separator: str) -> "list[Path]":
        """Its parts between separators."""
        found: list[Path] = []
        start = 0
        for part in self.text.split(separator):
            before = self.text.count(SLOT, 0, start)
            lines = [(max(at - start, 0), line) for at, line in self.lines if start < at < start + len(part)]
            slots = self.slots[before : before + part.count(SLOT)]
            found.append(Path(part, slots, ((0, self.line(start)), *lines)))
            start += len(part) + len(separator)
        return found


@dataclass(frozen=True)
class _Branches:
    ways: tuple[tuple["_Node", ...], ...]


@dataclass(frozen=True)
class _Unknown:
    """A loop or block: what is in it is seen alone."""

    body: tuple["_Node", ...]


_Words = tuple[str, int]
_Node = _Words | Slot | _Branches | _Unknown


@lru_cache(maxsize=4096)
def paths_of(text: str, dialect: Dialect = "native") -> tuple[Path, ...]:
    """The ways through a text (the first 64), and after them those through its loops; raises `BadTemplate`.

    >>> [path.text for path in paths_of("Hi{% if a %} you{% else %}!{% endif %}")]
    ['Hi you', 'Hi!']
    """
    nodes = _Reader(tokens_of(text), dialect).body(())
    made = [_path(way) for way in islice(_ways(nodes), _MOST)]
    for unknown in _unknowns(nodes):
        made += [_path([(GAP, 1), *way, (GAP, 1)]) for way in islice(_ways(unknown.body), _MOST)]
    return tuple(dict.fromkeys(made))


def _ways(nodes: Sequence[_Node]) -> Iterator[list[_Words | Slot]]:
    """Every way through some nodes, as words and slots alone."""
    choices: list[list[list[_Words | Slot]]] = []
    for node in nodes:
        if isinstance(node, _Branches):
            choices.append([way for branch in node.ways for way in islice(_ways(branch), _MOST)])
        elif isinstance(node, _Unknown):
            choices.append([[(GAP, 1)]])
        else:
            choices.append([[node]])
    for chosen in product(*choices):
        yield [piece for part in chosen for piece in part]


def _unknowns(nodes: Sequence[_Node]) -> Iterator[_Unknown]:
    for node in nodes:
        if isinstance(node, _Unknown):
            yield node
            yield from _unknowns(node.body)
        elif isinstance(node, _Branches):
            for way in node.ways:
                yield from _unknowns(way)


def _path(pieces: Sequence[_Words | Slot]) -> Path:
    text = ""
    lines: list[tuple[int, int]] = []
    for piece in pieces:
        words, line = (SLOT, piece.line) if isinstance(piece, Slot) else piece
        if words != GAP:
            lines.append((len(text), line))
        text += words
    first = lines[0][1] if lines else 1
    return Path(text, tuple(piece for piece in pieces if isinstance(piece, Slot)), ((0, first), *lines))


class _Reader:
    """Reads tokens into nodes."""

    def __init__(self, tokens: list[_Token], dialect: Dialect) -> None:
        self.tokens, self.dialect, self.at, self.depth = tokens, dialect, 0, 0

    def body(self, ends: tuple[str, ...]) -> tuple[_Node, ...]:
        """What stands before the first tag in `ends`, which is left to be read."""
        nodes: list[_Node] = []
        while self.at < len(self.tokens):
            line, kind, value = self.tokens[self.at]
            if kind == "block_begin":
                if self._peeked() in ends:
                    break
                nodes += self._tag()
                continue
            self.at += 1
            if kind == "data":
                nodes.append((value, line))
            elif kind == "variable_begin":
                source = self._until("variable_end")
                nodes.append(Slot(source, line, flow_of(source, self.dialect), always=not self.depth))
        return tuple(nodes)

    def _until(self, end: str) -> str:
        start = self.at
        while self.tokens[self.at][1] != end:
            self.at += 1
        self.at += 1
        return "".join(value for _, _, value in self.tokens[start : self.at - 1]).strip()

    def _peeked(self) -> str:
        """The word that a tag begins with."""
        return next(value for _, kind, value in self.tokens[self.at + 1 :] if kind == "name")

    def _tag(self) -> list[_Node]:
        word = self._peeked()
        self.at += 1
        source = self._until("block_end")
        if word == "if":
            return [self._branches()]
        if (word == "set" and _ASSIGNS.match(source)) or word in ("do", "break", "continue"):
            return []
        ways = self._inside(("else", f"end{word}"))
        if self._peeked() == "else":
            self._until("block_end")
            ways = (*ways, (GAP, 1), *self._inside((f"end{word}",)))
        self._until("block_end")
        return [_Unknown(ways)]

    def _branches(self) -> _Branches:
        ways: list[tuple[_Node, ...]] = []
        last = "if"
        while last != "endif":
            ways.append(self._inside(("elif", "else", "endif")))
            before, last = last, self._peeked()
            self._until("block_end")
        return _Branches((*ways,) if before == "else" else (*ways, ()))

    def _inside(self, ends: tuple[str, ...]) -> tuple[_Node, ...]:
        self.depth += 1
        found = self.body(ends)
        self.depth -= 1
        return found
