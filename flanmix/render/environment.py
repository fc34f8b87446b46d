"""The one place where Jinja text becomes something that runs, in a sandbox."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment, SecurityError
from jinja2.visitor import NodeTransformer

from flanmix.errors import did_you_mean

MAX_OUTPUT = 4_000_000
"""Characters that one rendered text may have."""
MAX_REPEAT = 1_000_000
"""The longest text or list that `*` may make."""

_MARK = "\N{INVISIBLE SEPARATOR}\x1a"
"""Begins and ends a trace mark: data that holds it is shown without colour, never wrongly coloured."""


class BadTemplate(Exception):
    """Template text that cannot be compiled; `line` counts from 1 inside the text."""

    def __init__(self, what: str, line: int = 1, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.line, self.hint = what, line, hint


class OutsideList(LookupError):
    """A list was asked for an item that it does not have."""


class NullPrinted(ValueError):
    """A null was about to be printed as the word None."""


def _print(value: Any) -> Any:
    if value is None:
        raise NullPrinted("a null would be printed")
    return value


class _Sandbox(SandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As Jinja's, but a number outside a list raises: -1 is a missing label, never the last choice."""
        if isinstance(obj, list | tuple) and isinstance(argument, int) and not isinstance(argument, bool):
            if not 0 <= argument < len(obj):
                raise OutsideList(f"item {argument} of a list of {len(obj)}")
            return obj[argument]
        return super().getitem(obj, argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(one, str | list | tuple) and isinstance(other, int) and len(one) * other > MAX_REPEAT:
                    raise SecurityError(f"'*' would make more than {MAX_REPEAT:,} items")
        elif operator == "**" and abs(float(right)) > 1000:
            raise SecurityError("an exponent above 1000")
        elif operator == "%" and isinstance(left, str):
            raise SecurityError("'%' on text is not allowed; use '~' to join")
        return super().call_binop(context, operator, left, right)


def _environment() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, finalize=_print)
    for name in ("random", "pprint", "xmlattr", "urlize"):  # unseeded, or made for web pages
        del environment.filters[name]
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
        context = self._template.new_context(dict(row))
        text = "".join(self._template.root_render_func(context))
        if len(text) > MAX_OUTPUT:
            raise SecurityError(f"the text has {len(text):,} characters; {MAX_OUTPUT:,} are allowed")
        return text


@dataclass(frozen=True, eq=False)
class Expression:
    """A compiled expression: `evaluate` gives its value with its type."""

    text: str
    variables: frozenset[str]
    _template: Any

    def evaluate(self, row: Mapping[str, Any]) -> Any:
        """The value for one row; raises whatever the expression raises."""
        context = self._template.new_context(dict(row))
        for _ in self._template.root_render_func(context):
            pass
        value = context.vars["result"]
        if isinstance(value, StrictUndefined):
            str(value)  # raises, and says what is undefined
        return value


def _parse(text: str) -> nodes.Template:
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise BadTemplate(error.message or "cannot be parsed", error.lineno, _hint(error)) from error
    for node in tree.find_all(_REFUSED):
        raise BadTemplate(f"'{type(node).__name__.lower()}' is not allowed", node.lineno)
    for node in tree.find_all((nodes.Getattr,)):
        if node.attr.startswith("_"):
            raise BadTemplate(f"the attribute '{node.attr}' is private", node.lineno)
    return tree


def _hint(error: TemplateSyntaxError) -> str | None:
    unknown = re.search(r"No (filter|test) named '([^']+)'", error.message or "")
    if unknown is None:
        return None
    return did_you_mean(unknown[2], _ENVIRONMENT.filters if unknown[1] == "filter" else _ENVIRONMENT.tests)


def _compile(tree: nodes.Template) -> Any:
    try:
        return _ENVIRONMENT.from_string(tree)
    except TemplateSyntaxError as error:
        raise BadTemplate(error.message or "cannot be compiled", error.lineno, _hint(error)) from error
    except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
        raise BadTemplate(f"is too complex: {error}") from error


def _variables(text: str) -> frozenset[str]:
    """The names a text reads from a row, and those of `BUILT_IN`: a column may carry any of them."""
    return frozenset(meta.find_undeclared_variables(_NO_GLOBALS.parse(text)))


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
        raise BadTemplate("is not one '{{ expression }}'", hint="write it as \"{{ … }}\" with nothing around it")
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), node, lineno=1)]
    template = _compile(nodes.Template(body, lineno=1).set_environment(_ENVIRONMENT))
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
    """Wraps what an output prints in marks that name the variables it was computed from."""

    def __init__(self, tree: nodes.Template) -> None:
        self.origins: dict[str, set[str]] = {}
        for loop in tree.find_all(nodes.For):
            self._note(loop.target, loop.iter)
        for assignment in tree.find_all(nodes.Assign):
            self._note(assignment.target, assignment.node)

    def _note(self, target: nodes.Node, value: nodes.Node) -> None:
        for name in _names(target):
            self.origins.setdefault(name, set()).update(_names(value) - {name})

    def _fields(self, names: set[str], seen: frozenset[str]) -> set[str]:
        """`names`, with loop variables and assigned names replaced by what they were made from."""
        local = {name for name in names if name in self.origins}
        made_from = set().union(*(self.origins[name] for name in local - seen))
        return (names - local) | (self._fields(made_from, seen | local) if made_from else set())

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        node.nodes = [self._marked(child) for child in node.nodes]
        return node

    def _marked(self, node: nodes.Expr) -> nodes.Expr:
        if isinstance(node, nodes.TemplateData):
            return node
        names = self._fields(_names(node), frozenset())
        start, end = (nodes.Const(f"{_MARK}{text}{_MARK}") for text in ("+" + ",".join(sorted(names)), "-"))
        return nodes.Concat([start, node, end])


def _names(node: nodes.Node) -> set[str]:
    own = {node.name} if isinstance(node, nodes.Name) else set()
    return own | {name.name for name in node.find_all(nodes.Name)}


@dataclass(frozen=True)
class Run:
    """A stretch of rendered text and the fields that it came from: none for the template's own words."""

    text: str
    fields: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def _marked_program(text: str) -> Program:
    tree = _parse(text)
    tree = _Marker(tree).visit(tree)
    return Program(text, frozenset(), None, _compile(tree.set_environment(_ENVIRONMENT)))


def trace(text: str, row: Mapping[str, Any]) -> tuple[Run, ...]:
    """Render `text` for one row and say which fields each stretch came from.

    >>> trace("Q: {{ question }}", {"question": "Why?"})
    (Run(text='Q: ', fields=()), Run(text='Why?', fields=('question',)))
    """
    plain = compile_template(text).render(row)
    runs = tuple(_runs(_marked_program(text).render(row)))
    return runs if "".join(run.text for run in runs) == plain else (Run(plain),)


def _runs(marked: str) -> Iterator[Run]:
    fields: tuple[str, ...] = ()
    for index, piece in enumerate(marked.split(_MARK)):
        if index % 2:
            fields = tuple(name for name in piece[1:].split(",") if name)
        elif piece:
            yield Run(piece, fields)
