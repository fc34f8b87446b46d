"""A template's text as pieces: which stretch of it is text, a tag, a name; and how such stretches are replaced."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import nodes

from flanmix.render.environment import parse, tokens_of
from flanmix.render.promptsource import CHOICES, SEPARATOR

_NEWLINE = re.compile(r"\r\n?")


class NotNative(Exception):
    """Why a template of another dialect has no native one that does the same."""


@dataclass(frozen=True)
class Piece:
    """One token of Jinja's and where it starts."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the next piece may start."""
        return self.start + len(self.text)


@lru_cache(maxsize=64)
def tree_of(text: str) -> nodes.Template:
    """The tree of a native text, which nobody may change; raises `BadTemplate`."""
    return parse(text)


def with_plain_newlines(text: str) -> str:
    r"""The text as Jinja reads it: each line ends in `\n`."""
    return _NEWLINE.sub("\n", text)


def pieces_of(text: str) -> list[Piece]:
    """The pieces of a text with plain newlines; raises `BadTemplate`.

    >>> [piece.text for piece in pieces_of("a {{- b }}") if piece.kind != "whitespace"]
    ['a', '{{-', 'b', '}}']
    """
    found: list[Piece] = []
    place = 0
    for _, kind, token in tokens_of(text):
        while not text.startswith(token, place):
            if not text[place : place + 1].isspace():
                raise NotNative("its text cannot be taken apart")
            place += 1
        found.append(Piece(kind, token, place))
        place += len(token)
    return found


def replaced(text: str, changes: Iterable[tuple[int, int, str]]) -> str:
    """The text with new stretches: each is its start, its end and what to write there.

    >>> replaced("one two", [(4, 7, "2"), (0, 3, "1")])
    '1 2'
    """
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def data_of(tree: nodes.Node) -> list[nodes.TemplateData]:
    """The stretches of plain text, in the order in which they are written."""
    return list(tree.find_all(nodes.TemplateData))


def split(text: str) -> tuple[str, str]:
    """The texts before and after the one separator; raises `NotNative` where there is not exactly one, at the top."""
    tree = tree_of(text)
    texts = [data.data for data in data_of(tree)]
    top = [node.data for output in tree.body if isinstance(output, nodes.Output) for node in data_of(output)]
    held = [data for data in texts if SEPARATOR in data]
    if not held:
        raise NotNative("it has no '|||'")
    if len(held) > 1 or held[0].count(SEPARATOR) > 1:
        raise NotNative("it has more than one '|||'")
    if held[0] not in top or sum(data == held[0] for data in texts) > 1:
        raise NotNative("its '|||' stands inside a block")
    _refuse_other_bars(tree, held[0])
    piece = next(p for p in pieces_of(text) if p.kind == "data" and SEPARATOR in p.text)
    place = piece.start + piece.text.index(SEPARATOR)
    left, right = text[:place], text[place + len(SEPARATOR) :]
    parts = [data.data for part in (left, right) for data in data_of(tree_of(part))]
    before, _, after = held[0].partition(SEPARATOR)
    index = texts.index(held[0])
    if parts != [*texts[:index], *filter(None, (before, after)), *texts[index + 1 :]]:
        raise NotNative("it cannot be parted at its '|||'")
    return left, right


def _refuse_other_bars(tree: nodes.Template, separator: str) -> None:
    """Constant text that would make a separator together with its neighbours."""
    before, _, after = separator.partition(SEPARATOR)
    if before.startswith("|") or before.endswith("|") or after.startswith("|") or after.endswith("|"):
        raise NotNative("a '|' beside its '|||' might be part of it")
    texts = [node.data for node in data_of(tree) if node.data != separator]
    texts += [node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)]
    if _strips(tree):
        texts = [text.strip() for text in texts]
    if any(SEPARATOR in text or text.startswith("|") or text.endswith("|") for text in texts):
        raise NotNative("it holds other text with '|', which might make a separator")


def _strips(tree: nodes.Template) -> bool:
    """Whether something in a text takes white space away, so that what it parts may meet."""
    filters = any(node.name in ("trim", "replace") for node in tree.find_all(nodes.Filter))
    methods = any(node.attr in ("strip", "lstrip", "rstrip", "replace") for node in tree.find_all(nodes.Getattr))
    return filters or methods or any(tree.find_all(nodes.FilterBlock))


_PLAIN_INDEX = ("variable_begin", "name", "operator", "integer", "operator", "variable_end")


def with_choices(text: str, choices: tuple[str, ...]) -> str:
    """The text with the choices written where it reads `answer_choices`; raises `NotNative`.

    >>> with_choices("{{ answer_choices[0] }} or {{ answer_choices[label] }}", ("no", "yes"))
    'no or {{ ["no", "yes"][label] }}'
    """
    names = [node for node in tree_of(text).find_all(nodes.Name) if node.name == CHOICES]
    if not names:
        return text
    if any(node.ctx != "load" for node in names):
        raise NotNative(f"it gives the name '{CHOICES}' to something else")
    pieces = [piece for piece in pieces_of(text) if piece.kind != "whitespace"]
    literal = f"[{', '.join(map(quoted, choices))}]"
    changes: list[tuple[int, int, str]] = []
    for index, piece in enumerate(pieces):
        if piece.kind != "name" or piece.text != CHOICES:
            continue
        around = pieces[index - 1 : index + 5]
        word = _word(text, around, choices)
        if word is None:
            changes.append((piece.start, piece.end, literal))
        else:
            changes.append((around[0].start, around[-1].end, word))
    if len(changes) != len(names):
        raise NotNative(f"it uses the word '{CHOICES}' for something else too")
    changed = replaced(text, changes)
    if any(node.name == CHOICES for node in tree_of(changed).find_all(nodes.Name)):
        raise NotNative(f"its {CHOICES} cannot be written out")
    return changed


def _word(text: str, around: list[Piece], choices: tuple[str, ...]) -> str | None:
    """The choice that `{{ answer_choices[0] }}` prints, where it can stand in the text as it is."""
    if tuple(piece.kind for piece in around) != _PLAIN_INDEX:
        return None
    begin, _, opened, number, closed, end = (piece.text for piece in around)
    if (begin, opened, closed, end) != ("{{", "[", "]", "}}") or int(number) >= len(choices):
        return None
    word = choices[int(number)]
    brace = text[: around[0].start].endswith("{")
    return None if not word or brace or re.search(r"[{}%#|]", word) else word


_ESCAPES: Mapping[int, str] = {ord(a): b for a, b in (("\\", r"\\"), ("\n", r"\n"), ("\r", r"\r"), ("\t", r"\t"))}


def quoted(text: str) -> str:
    r"""The text as a Jinja literal.

    >>> print(quoted('say "yes"'))
    'say "yes"'
    """
    escaped = text.translate(_ESCAPES)
    if '"' not in text:
        return f'"{escaped}"'
    return "'" + escaped.replace("'", r"\'") + "'"
