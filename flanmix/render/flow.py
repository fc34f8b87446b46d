"""What an expression of a template prints: which values of a row, whole or in part, and which words of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from flanmix.render.environment import parse
from flanmix.spec import Dialect

_CASE_AND_SPACE = {"trim", "lower", "upper", "capitalize", "title", "string", "e", "escape", "safe", "forceescape"}
"""Filters that leave a value the same but for its case and the white space around it."""


@dataclass(frozen=True)
class Flow:
    """What an expression does with the names that it reads.

    `values` are the parts of what it prints, each in one form however it is written, but for case and white space;
    `alternatives` are those of them of which it prints one or another. `whole` are the names of lists that it prints
    items of without choosing one; `index` says what chooses an item of a list, by the list's form. `words` says whether
    it prints text of its own.
    """

    values: frozenset[str] = frozenset()
    alternatives: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    index: tuple[tuple[str, str], ...] = ()
    words: bool = False


@lru_cache(maxsize=8192)
def flow_of(expression: str, dialect: Dialect = "native") -> Flow:
    """What the expression of one `{{ … }}` prints; raises `BadTemplate`.

    >>> sorted(flow_of("question | trim ~ ' ' ~ choices[label]").values)
    ['choices[label]', 'question']
    >>> flow_of("choices[label]").index, flow_of("choices | join(', ')").whole
    ((('choices', 'label'),), frozenset({'choices'}))
    """
    (output,) = parse("{{ " + expression + " }}", dialect).find_all(nodes.Output)
    return _flow(output.nodes[0])


def _flow(node: nodes.Node) -> Flow:
    parts = [part for part in _parts(node) if not isinstance(part, nodes.Const)]
    indices = [item for part in parts for item in _items(part)]
    chosen = {id(item.node) for item in indices}
    lists = (name for part in parts for name in _find(part, nodes.Name) if id(name) not in chosen)
    either = {_form(part) for choice in _find(node, (nodes.CondExpr, nodes.Or, nodes.And)) for part in _parts(choice)}
    values = frozenset(_form(part) for part in parts)
    return Flow(
        values,
        values & either,
        frozenset(name.name for name in lists),
        tuple((_form(item.node), _form(item.arg)) for item in indices),
        any(isinstance(const.value, str) for const in _find(node, nodes.Const)),
    )


def _parts(node: nodes.Node) -> Iterator[nodes.Node]:
    """The values that an expression prints one beside the other, or one of."""
    if isinstance(node, nodes.Filter) and node.name in _CASE_AND_SPACE and node.node is not None and not node.args:
        yield from _parts(node.node)
    elif isinstance(node, nodes.Concat):
        for part in node.nodes:
            yield from _parts(part)
    elif isinstance(node, nodes.Add | nodes.Or | nodes.And):
        yield from _parts(node.left)
        yield from _parts(node.right)
    elif isinstance(node, nodes.CondExpr):
        yield from _parts(node.expr1)
        if node.expr2 is not None:
            yield from _parts(node.expr2)
    else:
        yield node


def _find(node: nodes.Node, kind: Any) -> Iterator[Any]:
    if isinstance(node, kind):
        yield node
    yield from node.find_all(kind)


def _items(node: nodes.Node) -> Iterator[nodes.Getitem]:
    """The lookups of one item, not of a slice."""
    return (item for item in _find(node, nodes.Getitem) if not isinstance(item.arg, nodes.Slice))


def _form(node: Any) -> str:
    """One text for an expression, the same however it is spaced, quoted and looked up."""
    match node:
        case nodes.Name():
            return str(node.name)
        case nodes.Const():
            return repr(node.value)
        case nodes.Getattr():
            return f"{_form(node.node)}[{node.attr!r}]"
        case nodes.Getitem():
            return f"{_form(node.node)}[{_form(node.arg)}]"
        case nodes.Filter() if node.name in _CASE_AND_SPACE and node.node is not None and not node.args:
            return _form(node.node)
        case nodes.Node():
            inner = ", ".join(f"{name}={_form(value)}" for name, value in node.iter_fields())
            return f"{type(node).__name__}({inner})"
        case list() | tuple():
            return f"[{', '.join(map(_form, node))}]"
    return repr(node)


@lru_cache(maxsize=4096)
def made_of(text: str, dialect: Dialect = "native") -> dict[str, frozenset[str]]:
    """What the names stand for that a text makes itself: of those of `set` their values, of those of loops the lists.

    >>> made_of("{% set a = answer | trim %}{% for c in choices %}{{ c }}{% endfor %}")
    {'c': frozenset({'choices'}), 'a': frozenset({'answer'})}
    """
    tree = parse(text, dialect)
    made: dict[str, frozenset[str]] = {}
    for loop in tree.find_all(nodes.For):
        for name in _find(loop.target, nodes.Name):
            made[name.name] = made.get(name.name, frozenset()) | {each.name for each in _find(loop.iter, nodes.Name)}
    for assignment in tree.find_all(nodes.Assign):
        if isinstance(assignment.target, nodes.Name):
            name = assignment.target.name
            made[name] = made.get(name, frozenset()) | _flow(assignment.node).values
    return made
