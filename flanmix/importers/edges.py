"""White space at the edges of what a template renders: where there may be some, and templates written without it."""

from collections.abc import Iterable, Iterator
from typing import Literal

from jinja2 import nodes

from flanmix.importers.pieces import NotNative, data_of, pieces_of, replaced, tree_of

Side = Literal["start", "end"]
_SIDES: tuple[Side, ...] = ("start", "end")
_NUMBERS = (nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Pow, nodes.Neg, nodes.Pos, nodes.Compare, nodes.Not, nodes.Test)
_NUMBER_FILTERS = {"length", "count", "wordcount", "int", "float"}
_PRIMARY = (nodes.Name, nodes.Const, nodes.List, nodes.Dict, nodes.Getattr, nodes.Getitem, nodes.Call, nodes.Filter)
"""Expressions that a filter after them takes whole."""


def trimmed(text: str) -> str:
    """The template that renders what `text` does, without white space at its edges; raises `NotNative`.

    Constant edges are cut in the text itself; only where data may bring white space a filter does it.

    >>> trimmed(" Is it {{ a }}? ")
    'Is it {{ a }}?'
    >>> trimmed("{{ a }}\\n")
    '{{ a | trim }}'
    >>> trimmed("{% if a %} {{ b }} and c{% endif %}")
    '{% filter trim %}{% if a %} {{ b }} and c{% endif %}{% endfilter %}'
    """
    text = text.strip()
    cut = _without_constant_edges(text)
    body = tree_of(cut).body
    if not any(_edge(body, side)[0] for side in _SIDES):
        return cut
    if len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1:
        single = _single(cut, body[0].nodes[0])
        if single is not None:
            return single
    newline = "\n" if "\n" in text else ""
    return f"{{% filter trim %}}{newline}{text}{newline}{{% endfilter %}}"


def _single(text: str, expression: nodes.Expr) -> str | None:
    """One `{{ expression }}` with the filter in it."""
    pieces = pieces_of(text)
    if pieces[0].kind != "variable_begin" or pieces[-1].kind != "variable_end":
        return None
    inside = text[pieces[0].end : pieces[-1].start].strip()
    if not isinstance(expression, _PRIMARY):
        inside = f"({inside})"
    made = f"{{{{ {inside} | trim }}}}"
    output = tree_of(made).body[0]
    wanted = nodes.Filter(expression, "trim", [], [], None, None)
    return made if isinstance(output, nodes.Output) and output.nodes == [wanted] else None


def _without_constant_edges(text: str) -> str:
    """The text less the white space that begins or ends what it renders, whatever the data."""
    for side in _SIDES:
        tree = tree_of(text)
        every = data_of(tree)
        cut = {id(data) for data in _sure_edges(tree.body, side)}
        pieces = [piece for piece in pieces_of(text) if piece.kind == "data" and piece.text]
        if [piece.text for piece in pieces] != [data.data for data in every]:
            raise NotNative("its text cannot be taken apart")
        kept = [
            piece.text if id(data) not in cut else piece.text.lstrip() if side == "start" else piece.text.rstrip()
            for piece, data in zip(pieces, every, strict=True)
        ]
        text = replaced(text, [(piece.start, piece.end, new) for piece, new in zip(pieces, kept, strict=True)])
        if [data.data for data in data_of(tree_of(text))] != list(filter(None, kept)):
            raise NotNative("its text cannot be taken apart")
    return text


def _in_order(items: Iterable[nodes.Node], side: Side) -> list[nodes.Node]:
    items = list(items)
    return items if side == "start" else items[::-1]


def _sure_edges(body: Iterable[nodes.Node], side: Side) -> Iterator[nodes.TemplateData]:
    """The stretches of text before (or after) which nothing can be printed."""
    for node in _in_order(body, side):
        if isinstance(node, nodes.Output):
            for child in _in_order(node.nodes, side):
                if not isinstance(child, nodes.TemplateData):
                    return
                yield child
                if child.data.strip():
                    return
        elif isinstance(node, nodes.If):
            for branch in _branches(node):
                yield from _sure_edges(branch, side)
            return
        elif not isinstance(node, nodes.Assign | nodes.AssignBlock):
            return


def _branches(node: nodes.If) -> list[list[nodes.Node]]:
    return [node.body, *(each.body for each in node.elif_), node.else_]


Edge = tuple[bool, bool]
"""Whether white space may stand at the edge, and whether there may be no text at all."""
_NO_TEXT: Edge = (False, True)
_CLEAN: Edge = (False, False)
_UNKNOWN: Edge = (True, True)


def _edge(body: Iterable[nodes.Node], side: Side) -> Edge:
    """The edge of what one thing after the other prints."""
    for node in _in_order(body, side):
        dirty, empty = _edge_of(node, side)
        if dirty or not empty:
            return dirty, empty
    return _NO_TEXT


def _any(edges: Iterable[Edge]) -> Edge:
    """The edge of what prints one of several things."""
    found = list(edges)
    return any(dirty for dirty, _ in found), any(empty for _, empty in found)


def _edge_of(node: nodes.Node, side: Side) -> Edge:
    if isinstance(node, nodes.Output | nodes.Concat):
        return _edge(node.nodes, side)
    if isinstance(node, nodes.If):
        return _any(_edge(branch, side) for branch in _branches(node))
    if isinstance(node, nodes.For):
        return _any([_NO_TEXT, _edge(node.body, side), _edge(node.else_, side)])
    if isinstance(node, nodes.Assign | nodes.AssignBlock):
        return _NO_TEXT
    if isinstance(node, nodes.TemplateData):
        return _edge_of_text(node.data, side)
    return _edge_of_value(node, side)


def _edge_of_text(text: str, side: Side) -> Edge:
    return text[:1].isspace() if side == "start" else text[-1:].isspace(), not text


def _edge_of_value(node: nodes.Node, side: Side) -> Edge:
    """The edge of what an expression prints; any text of a row may begin and end as it likes."""
    if isinstance(node, nodes.Const):
        return _edge_of_text(str(node.value), side)
    if isinstance(node, nodes.CondExpr):
        return _any([_edge_of(node.expr1, side), _NO_TEXT if node.expr2 is None else _edge_of(node.expr2, side)])
    if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.List) and not isinstance(node.arg, nodes.Slice):
        return _any(_edge_of(item, side) for item in node.node.items)
    if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Dict):
        return _any(_edge_of(pair.value, side) for pair in node.node.items)
    if isinstance(node, nodes.Filter) and node.name == "trim" and not node.args:
        return _NO_TEXT
    number = isinstance(node, nodes.Filter) and node.name in _NUMBER_FILTERS
    if number or isinstance(node, (*_NUMBERS, nodes.List, nodes.Dict)):
        return _CLEAN
    return _UNKNOWN
