"""The one place where Jinja text becomes something that runs, in a sandbox."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Macro
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from flanmix.errors import did_you_mean
from flanmix.render.limits import (
    MAX_OUTPUT,
    UNSAFE_METHODS,
    NullPrinted,
    check_format,
    check_method,
    check_operator,
    count_steps,
    guard_filters,
    printed,
)

__all__ = [
    "BUILT_IN",
    "BadTemplate",
    "Expression",
    "NullPrinted",
    "OutsideList",
    "Program",
    "Run",
    "compile_expression",
    "compile_template",
    "is_expression",
    "line_of_name",
    "trace",
]

_MARK = "\N{INVISIBLE SEPARATOR}\x1a"
"""Begins and ends a trace mark: data that holds it is shown without colour, never wrongly coloured."""


class BadTemplate(Exception):
    """Template text that cannot be compiled; `line` counts from 1 inside the text."""

    def __init__(self, what: str, line: int = 1, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.line, self.hint = what, line, hint


class OutsideList(LookupError):
    """A list was asked for an item that it does not have."""


class _Sandbox(SandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As Jinja's, but a number outside a list raises: -1 is a missing label, never the last choice."""
        if isinstance(obj, list | tuple) and (argument is None or type(argument) is int):
            if argument is None or not 0 <= argument < len(obj):
                raise OutsideList(f"item {argument} of a list of {len(obj)}")
            return obj[argument]
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in UNSAFE_METHODS and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Any:
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            check_format(value.__self__)
        return wrapped

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        check_operator(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str | bytes | list):
            check_method(obj.__name__, owner, args)
        elif isinstance(obj, Macro):
            count_steps(context, 10)
        return super().call(context, obj, *args, **kwargs)


def _environment() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, finalize=printed)
    for name in ("random", "pprint", "xmlattr", "urlize"):  # unseeded, or made for web pages
        del environment.filters[name]
    guard_filters(environment.filters)
    for name in ("lipsum", "cycler", "joiner"):
        del environment.globals[name]
    return environment


_ENVIRONMENT = _environment()
_NO_GLOBALS = _environment()
_NO_GLOBALS.globals.clear()
BUILT_IN = frozenset(_ENVIRONMENT.globals)
"""Names that any template may use: `range`, `dict`, `namespace`."""

_REFUSED = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled text: `variables` are the names it reads from a row, `parts` what it is made of.

    `parts` is None where the text is more than constants and plain `{{ names }}`; otherwise a constant is
    `(False, text)` and a name is `(True, name)`.
    """

    text: str
    variables: frozenset[str]
    parts: tuple[tuple[bool, str], ...] | None
    _template: Any

    def render(self, row: Mapping[str, Any]) -> str:
        """The text for one row; raises whatever the template raises."""
        pieces: list[str] = []
        length = 0
        for piece in self._template.root_render_func(_context(self._template, row)):
            pieces.append(piece)
            length += len(piece)
            if length > MAX_OUTPUT:
                raise SecurityError(f"the text has more than {MAX_OUTPUT:,} characters")
        return "".join(pieces)


@dataclass(frozen=True, eq=False)
class Expression:
    """A compiled expression: `evaluate` gives its value with its type."""

    text: str
    variables: frozenset[str]
    _template: Any

    def evaluate(self, row: Mapping[str, Any]) -> Any:
        """The value for one row; raises whatever the expression raises."""
        context = _context(self._template, row)
        for _ in self._template.root_render_func(context):
            pass
        value = context.vars["result"]
        if isinstance(value, StrictUndefined):
            str(value)  # raises, and says what is undefined
        return value


def _context(template: Any, row: Mapping[str, Any]) -> Any:
    own = {name: _copied(value) if isinstance(value, list | dict) else value for name, value in row.items()}
    return template.new_context(own)


def _copied(value: Any) -> Any:
    """A value that a template may change without changing the row, which other templates see too."""
    if isinstance(value, list):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value


class _Checks(NodeTransformer):
    """Gives `~` the checks of `join`, and loops a limit."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        self.generic_visit(node)
        pieces = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(pieces, "join", [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "counted", [], [], None, None, lineno=node.lineno)
        return node


def _parse(text: str) -> nodes.Template:
    try:
        tree = _ENVIRONMENT.parse(text)
        _refuse(tree)
        return cast(nodes.Template, _Checks().visit(tree).set_environment(_ENVIRONMENT))
    except TemplateSyntaxError as error:
        raise BadTemplate(error.message or "cannot be parsed", error.lineno, _hint(error)) from error
    except RecursionError as error:
        raise BadTemplate("is nested too deeply", hint="write it flatter") from error


def _refuse(tree: nodes.Template) -> None:
    for node in tree.find_all(_REFUSED):
        raise BadTemplate(f"'{type(node).__name__.lower()}' is not allowed", node.lineno, "write the text out here")
    for lookup in tree.find_all((nodes.Getattr,)):
        if lookup.attr.startswith("_"):
            raise BadTemplate(
                f"the attribute '{lookup.attr}' is private", lookup.lineno, "use fields, filters and tests"
            )
    for name in tree.find_all((nodes.Name,)):
        if name.name == "self":
            raise BadTemplate("'self' is a name of Jinja's own", name.lineno, "map the column to another name")


def _hint(error: TemplateSyntaxError) -> str:
    unknown = re.search(r"No (filter|test) named '([^']+)'", error.message or "")
    if unknown is None:
        return "compare it with {{ name }} and {% if name %} … {% endif %}"
    known = _ENVIRONMENT.filters if unknown[1] == "filter" else _ENVIRONMENT.tests
    return did_you_mean(unknown[2], known) or f"use another {unknown[1]} of Jinja's"


def _compile(tree: nodes.Template) -> Any:
    try:
        return _ENVIRONMENT.from_string(tree)
    except TemplateSyntaxError as error:
        raise BadTemplate(error.message or "cannot be compiled", error.lineno, _hint(error)) from error
    except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
        raise BadTemplate(f"is too complex: {error}", hint="split it up") from error


def _variables(text: str) -> frozenset[str]:
    """The names a text reads from a row, and those of `BUILT_IN`: a column may carry any of them."""
    return frozenset(meta.find_undeclared_variables(_NO_GLOBALS.parse(text)))


def line_of_name(text: str, name: str) -> int:
    """The line of `text` (from 1) where a name is first used."""
    return min((node.lineno for node in _parse(text).find_all(nodes.Name) if node.name == name), default=1)


def _parts(tree: nodes.Template) -> tuple[tuple[bool, str], ...] | None:
    found: list[tuple[bool, str]] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                found.append((False, node.data))
            elif isinstance(node, nodes.Name):
                found.append((True, node.name))
            else:
                return None
    return tuple(found)


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Program:
    """Compile a template's text; raises `BadTemplate`.

    >>> compile_template("{{ a }} and {{ b | upper }}").render({"a": 1, "b": "x"})
    '1 and X'
    """
    tree = _parse(text)
    template = _compile(tree)
    return Program(text, _variables(text), _parts(tree), template)


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Compile `{{ expression }}` to something that keeps the value's type; raises `BadTemplate`.

    >>> compile_expression("{{ [a, a + 1] }}").evaluate({"a": 1})
    [1, 2]
    """
    tree = _parse(text)
    node = _only_expression(tree)
    if node is None:
        raise BadTemplate("is not one '{{ expression }}'", hint='write it as "{{ … }}" with nothing around it')
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), node, lineno=1)]
    template = _compile(cast(nodes.Template, nodes.Template(body, lineno=1).set_environment(_ENVIRONMENT)))
    return Expression(text, _variables(text), template)


def is_expression(text: str) -> bool:
    """Whether the whole text is one `{{ expression }}`; raises `BadTemplate`."""
    return _only_expression(_parse(text)) is not None


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) and len(tree.body[0].nodes) == 1:
        node = tree.body[0].nodes[0]
        return None if isinstance(node, nodes.TemplateData) else node
    return None


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
def _marked_program(text: str) -> Program:
    tree = _parse(text)
    tree = _Marker(tree, _variables(text)).visit(tree)
    return Program(text, frozenset(), None, _compile(tree.set_environment(_ENVIRONMENT)))


def trace(text: str, row: Mapping[str, Any]) -> tuple[Run, ...]:
    """Render `text` for one row and say which fields each stretch came from.

    >>> trace("Q: {{ question }}", {"question": "Why?"})
    (Run(text='Q: ', fields=()), Run(text='Why?', fields=('question',)))
    """
    plain = compile_template(text).render(row)
    runs = tuple(_runs(_marked_program(text).render(row), row))
    return runs if "".join(run.text for run in runs) == plain else (Run(plain),)


def _runs(marked: str, row: Mapping[str, Any]) -> Iterator[Run]:
    fields: tuple[str, ...] = ()
    for index, piece in enumerate(marked.split(_MARK)):
        if index % 2:
            fields = tuple(name for name in piece[1:].split(",") if name in row)
        elif piece:
            yield Run(piece, fields)
