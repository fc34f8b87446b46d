"""Which fields each stretch of a rendered text came from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from flanmix.render import promptsource
from flanmix.render.environment import Program, compile_template, compile_tree, parse, variables_of
from flanmix.spec import Dialect

__all__ = ["Run", "trace", "trace_parts"]

_MARK = "\N{INVISIBLE SEPARATOR}\x1a"
"""Begins and ends a trace mark: data that holds it is shown without colour, never wrongly coloured."""


class _Marker(NodeTransformer):
    """Wraps what an output prints in marks that name the variables it was computed from.

    `read` are the variables that the text reads from a row; the names that it makes itself, in loops and with `set`,
    stand for those they were made from, and others (`loop`, a macro's arguments) for none.
    """

    def __init__(self, tree: nodes.Template, read: frozenset[str]) -> None:
        self.read = read
        self.origins: dict[str, set[str]] = {}
        for loop in tree.find_all(nodes.For):
            self._note(loop.target, loop.iter)
        for assignment in tree.find_all(nodes.Assign):
            self._note(assignment.target, assignment.node)

    def _note(self, target: nodes.Node, value: nodes.Node) -> None:
        for name in _names(target):
            self.origins.setdefault(name, set()).update(_names(value))

    def _fields(self, names: set[str]) -> set[str]:
        """The variables among `names` and among all that these were made from."""
        seen: set[str] = set()
        while names:
            seen |= names
            names = set().union(*(self.origins.get(name, ()) for name in names)) - seen
        return seen & self.read

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        node.nodes = [self._marked(child) for child in node.nodes]
        return node

    def _marked(self, node: nodes.Expr) -> nodes.Expr:
        if isinstance(node, nodes.TemplateData):
            return node
        names = self._fields(_names(node))
        start, end = (nodes.Const(f"{_MARK}{text}{_MARK}") for text in ("+" + ",".join(sorted(names)), "-"))
        return nodes.Concat([start, node, end])


def _names(node: nodes.Node) -> set[str]:
    own = {node.name} if isinstance(node, nodes.Name | nodes.NSRef) else set()
    inside: Iterator[Any] = node.find_all((nodes.Name, nodes.NSRef))
    return own | {name.name for name in inside}


@dataclass(frozen=True)
class Run:
    """A stretch of rendered text and the fields that it came from: none for the template's own words."""

    text: str
    fields: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def _marked_program(text: str, dialect: Dialect = "native") -> Program:
    tree = parse(text, dialect)
    marked = _Marker(tree, variables_of(text, dialect)).visit(tree)
    return Program(text, dialect, frozenset(), tree, compile_tree(marked, dialect))


def trace(text: str, row: Mapping[str, Any]) -> tuple[Run, ...]:
    """Render native `text` for one row and say which fields each stretch came from.

    >>> trace("Q: {{ question }}", {"question": "Why?"})
    (Run(text='Q: ', fields=()), Run(text='Why?', fields=('question',)))
    """
    plain = compile_template(text).render(row)
    return _if_same(_runs(_marked_program(text).render(row), row), plain)


def trace_parts(programs: promptsource.Programs, row: Mapping[str, Any], number: int = 0) -> list[tuple[Run, ...]]:
    """As `trace`, for each part of a template of the dialect `promptsource`; `number` is the row's in its source.

    >>> from flanmix.spec import Template
    >>> template = Template("ask", dialect="promptsource", jinja="Q: {{ question }} ||| yes")
    >>> trace_parts(promptsource.compile_dialect(template), {"question": "Why?"})[1]
    (Run(text='yes', fields=()),)
    """
    draws = promptsource.draws_of(programs, np.array([number]))
    seen = promptsource.seen_by(programs, row, draws(0)[1])
    plain = promptsource.parts_of(programs.jinja.render(seen, draws(0)[0]))
    marked = _marked_program(programs.jinja.text, "promptsource").render(seen, draws(0)[0])
    parts: list[list[Run]] = [[]]
    for run in _runs(marked, seen):
        first, *others = run.text.split(promptsource.SEPARATOR)
        parts[-1].append(replace(run, text=first))
        parts += [[replace(run, text=other)] for other in others]
    if len(parts) != len(plain):
        return [(Run(part),) for part in plain]
    return [_if_same(_stripped(part), text) for part, text in zip(parts, plain, strict=True)]


def _stripped(runs: Sequence[Run]) -> list[Run]:
    """The runs without white space at both ends of their whole, and with protected data as it was."""
    left = list(runs)
    while left and not left[0].text.strip():
        left.pop(0)
    while left and not left[-1].text.strip():
        left.pop()
    if left:
        left[0] = replace(left[0], text=left[0].text.lstrip())
        left[-1] = replace(left[-1], text=left[-1].text.rstrip())
    return [replace(run, text=promptsource.unprotect(run.text)) for run in left]


def _if_same(runs: Iterable[Run], plain: str) -> tuple[Run, ...]:
    """The runs, where they make up the text; otherwise the text as one run of no field."""
    found = tuple(run for run in runs if run.text)
    return found if "".join(run.text for run in found) == plain else (Run(plain),)


def _runs(marked: str, row: Mapping[str, Any]) -> Iterator[Run]:
    fields: tuple[str, ...] = ()
    for index, piece in enumerate(marked.split(_MARK)):
        if index % 2:
            fields = tuple(name for name in piece[1:].split(",") if name in row)
        elif piece:
            yield Run(piece, fields)
