"""The one place where Jinja text becomes something that runs, in a sandbox."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Macro
from jinja2.sandbox import SandboxedEnvironment

from flanmix.errors import did_you_mean
from flanmix.render import chat_marks, promptsource_filters
from flanmix.render.compiler import Checks, Code
from flanmix.render.limits import (
    MAX_OUTPUT,
    SMALL_METHODS,
    UNSAFE_METHODS,
    Buffer,
    NullPrinted,
    check_format,
    check_method,
    check_operator,
    count_steps,
    guard_filters,
    printable,
    printed,
    refuse_endless,
)
from flanmix.render.values import refuse_large
from flanmix.spec import Dialect

__all__ = [
    "BUILT_IN",
    "BadTemplate",
    "Expression",
    "NullPrinted",
    "OutsideList",
    "Program",
    "compile_chat",
    "compile_expression",
    "compile_function",
    "compile_template",
    "compile_tree",
    "is_expression",
    "line_of_name",
    "parse",
    "text_of",
    "variables_of",
]


class BadTemplate(Exception):
    """Template text that cannot be compiled; `line` counts from 1 inside the text."""

    def __init__(self, what: str, line: int = 1, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.line, self.hint = what, line, hint


class OutsideList(LookupError):
    """A list was asked for an item that it does not have."""


class _Sandbox(SandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = Code
    buffer = Buffer
    text_formats = True
    """Whether `%` formats text; its widths are limited."""

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refuses at once, where Jinja waits until the value is used."""
        raise SecurityError(f"the attribute '{attribute}' of a {type(obj).__name__} is not allowed")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in UNSAFE_METHODS and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Any:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        check_format(value.__self__)

        def checked(*args: Any, **kwargs: Any) -> Any:
            refuse_endless(*args, *kwargs.values())
            return wrapped(*args, **kwargs)

        return checked

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        check_operator(operator, left, right, text_formats=self.text_formats)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(obj, "__self__", None)
        if type(owner) is str and obj.__name__ in SMALL_METHODS:  # what Jinja would find out here is known of these
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            return obj(*args, **kwargs)
        if isinstance(owner, str | bytes | list):
            check_method(obj.__name__, owner, args)
        elif isinstance(obj, Macro):
            count_steps(context, 10)
        return super().call(context, obj, *args, **kwargs)


class _Native(_Sandbox):
    text_formats = False

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As Jinja's, but a number outside a list raises: -1 is a missing label, never the last choice."""
        if isinstance(obj, list | tuple) and (argument is None or type(argument) is int):
            if argument is None or not 0 <= argument < len(obj):
                raise OutsideList(f"item {argument} of a list of {len(obj)}")
            return obj[argument]
        return super().getitem(obj, argument)


def _native() -> _Sandbox:
    environment = _Native(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, finalize=printed)
    for name in ("random", "pprint", "xmlattr", "urlize"):  # unseeded, or made for web pages
        del environment.filters[name]
    guard_filters(environment.filters, nulls=False)
    for name in ("lipsum", "cycler", "joiner"):
        del environment.globals[name]
    return environment


def _promptsource() -> _Sandbox:
    """Jinja's defaults, as that tool has them, in the sandbox."""
    environment = _Sandbox(finalize=printable)
    guard_filters(environment.filters, nulls=True)
    environment.filters |= promptsource_filters.FILTERS
    del environment.globals["lipsum"]
    environment.globals["zip"] = zip
    return environment


def _chat() -> _Sandbox:
    """As trainers and servers set Jinja up for chat templates, in the sandbox."""
    environment = _Sandbox(finalize=printable, trim_blocks=True, lstrip_blocks=True, extensions=chat_marks.EXTENSIONS)
    environment.filters["tojson"] = chat_marks.tojson
    guard_filters(environment.filters, nulls=True)
    del environment.globals["lipsum"], environment.filters["random"]
    return environment


_Kind = Dialect | Literal["chat"]
_ENVIRONMENTS: dict[_Kind, _Sandbox] = {"native": _native(), "promptsource": _promptsource(), "chat": _chat()}
_WITHOUT_GLOBALS: Mapping[Dialect, _Sandbox] = MappingProxyType({"native": _native(), "promptsource": _promptsource()})
for _environment in _WITHOUT_GLOBALS.values():
    _environment.globals.clear()
BUILT_IN: Mapping[Dialect, frozenset[str]] = MappingProxyType(
    {dialect: frozenset(_ENVIRONMENTS[dialect].globals) for dialect in _WITHOUT_GLOBALS}
)
"""Names that any template of a dialect may use: `range`, `dict`, `namespace` …"""

_REFUSED = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled text: `variables` are the names it reads from a row, `tree` is what was parsed."""

    text: str
    dialect: Dialect
    variables: frozenset[str]
    tree: nodes.Template
    _template: Any

    def render(self, row: Mapping[str, Any], draw: Callable[[int], int] | None = None) -> str:
        """The text for one row; raises whatever the template raises.

        `draw` gives a number for a place in the template where it chooses at random.
        """
        context = _context(self._template, row)
        context.draw = draw
        pieces: list[str] = []
        length = 0
        for piece in self._template.root_render_func(context):
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
    node: nodes.Expr
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


def parse(text: str, dialect: _Kind = "native") -> nodes.Template:
    """The tree of a text, in which each random choice carries the number of its place; raises `BadTemplate`."""
    environment = _ENVIRONMENTS[dialect]
    try:
        tree = environment.parse(text)
        _refuse(tree)
        random = (node for node in tree.find_all(nodes.Filter) if node.name in promptsource_filters.RANDOM)
        for place, node in enumerate(random):
            node.args.append(nodes.Const(place))
        return tree
    except TemplateSyntaxError as error:
        raise BadTemplate(error.message or "cannot be parsed", error.lineno, _hint(error, dialect)) from error
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


def _hint(error: TemplateSyntaxError, dialect: _Kind) -> str:
    unknown = re.search(r"No (filter|test) named '([^']+)'", error.message or "")
    if unknown is None:
        return "compare it with {{ name }} and {% if name %} … {% endif %}"
    known = _ENVIRONMENTS[dialect].filters if unknown[1] == "filter" else _ENVIRONMENTS[dialect].tests
    return did_you_mean(unknown[2], known) or f"use another {unknown[1]} of Jinja's"


def compile_tree(tree: nodes.Template, dialect: _Kind = "native") -> Any:
    """Jinja's own template of a tree, which is changed on the way; raises `BadTemplate`."""
    environment = _ENVIRONMENTS[dialect]
    try:
        return environment.from_string(Checks().visit(tree).set_environment(environment))
    except TemplateSyntaxError as error:
        raise BadTemplate(error.message or "cannot be compiled", error.lineno, _hint(error, dialect)) from error
    except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
        raise BadTemplate(f"is too complex: {error}", hint="split it up") from error


def variables_of(text: str, dialect: Dialect = "native") -> frozenset[str]:
    """The names a text reads from a row, and those of `BUILT_IN`: a column may carry any of them."""
    environment = _WITHOUT_GLOBALS[dialect]
    tree = Checks().visit(environment.parse(text)).set_environment(environment)
    return frozenset(meta.find_undeclared_variables(tree))


def line_of_name(text: str, name: str, dialect: Dialect = "native") -> int:
    """The line of `text` (from 1) where a name is first used."""
    return min((node.lineno for node in parse(text, dialect).find_all(nodes.Name) if node.name == name), default=1)


@lru_cache(maxsize=4096)
def compile_template(text: str, dialect: Dialect = "native") -> Program:
    """Compile a template's text; raises `BadTemplate`.

    >>> compile_template("{{ a }} and {{ b | upper }}").render({"a": 1, "b": "x"})
    '1 and X'
    """
    template = compile_tree(parse(text, dialect), dialect)
    return Program(text, dialect, variables_of(text, dialect), parse(text, dialect), template)


@lru_cache(maxsize=64)
def compile_chat(text: str) -> Program:
    """Compile a chat template, which may hold `{% generation %}` blocks; raises `BadTemplate`.

    >>> compile_chat("{% generation %}{{ a }}{% endgeneration %}").render({"a": 1, "fm_open": "[", "fm_close": "]"})
    '[1]'
    """
    tree = parse(text, "chat")
    variables = frozenset(meta.find_undeclared_variables(tree))
    return Program(text, "promptsource", variables, tree, compile_tree(parse(text, "chat"), "chat"))


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Compile `{{ expression }}` to something that keeps the value's type; raises `BadTemplate`.

    >>> compile_expression("{{ [a, a + 1] }}").evaluate({"a": 1})
    [1, 2]
    """
    node = _only_expression(parse(text))
    if node is None:
        raise BadTemplate("is not one '{{ expression }}'", hint='write it as "{{ … }}" with nothing around it')
    template = compile_tree(_template([nodes.Assign(nodes.Name("result", "store"), node, lineno=1)]))
    return Expression(text, variables_of(text), cast(nodes.Expr, _only_expression(parse(text))), template)


def is_expression(text: str) -> bool:
    """Whether the whole text is one `{{ expression }}`; raises `BadTemplate`."""
    return _only_expression(parse(text)) is not None


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) and len(tree.body[0].nodes) == 1:
        node = tree.body[0].nodes[0]
        return None if isinstance(node, nodes.TemplateData) else node
    return None


def _template(body: list[nodes.Node]) -> nodes.Template:
    return nodes.Template(body, lineno=1)


def compile_function(
    node: nodes.Expr, names: Sequence[str], dialect: Dialect
) -> Callable[[Iterable[tuple[Any, ...]]], list[Any]]:
    """One expression as a function from tuples of values for `names` to its values, in Jinja's own code.

    The function raises `TooLarge` where its values together take too much memory.

    >>> node = _only_expression(parse("{{ a ~ b }}"))
    >>> compile_function(node, ["a", "b"], "native")([("x", 1), ("y", 2)])
    ['x1', 'y2']
    """
    target = nodes.Tuple([nodes.Name(name, "store") for name in names], "store")
    yielded = nodes.ExprStmt(Checks().visit(node), lineno=1)
    loop = nodes.For(target, nodes.Name(_TUPLES, "load"), [yielded], [], None, False, lineno=1)
    environment = _ENVIRONMENTS[dialect]
    template = environment.from_string(cast(nodes.Template, _template([loop]).set_environment(environment)))

    def function(tuples: Iterable[tuple[Any, ...]]) -> list[Any]:
        values = iter(template.root_render_func(template.new_context({_TUPLES: tuples})))
        made: list[Any] = []
        size = 0
        while block := list(islice(values, 32)):
            made += block
            size += sum(len(each) if type(each) is str else 8 * len(each) for each in block if isinstance(each, _SIZED))
            refuse_large(size)
        return made

    return function


_TUPLES = "fm_tuples"
_SIZED = (str, list, tuple)


def text_of(value: Any, dialect: Dialect) -> str:
    """What `{{ value }}` prints; raises `NullPrinted` in native templates, and `TypeError` for an iterator."""
    return str(_ENVIRONMENTS[dialect].finalize(value))  # type: ignore[misc]


def undefined(name: str, dialect: Dialect) -> Any:
    """What stands for nothing in a dialect: it prints as nothing, or raises."""
    return _ENVIRONMENTS[dialect].undefined(name=name)


def outside_row(name: str, dialect: Dialect) -> Any:
    """What a name stands for that no row gives: something of Jinja's own, like `range`, or nothing."""
    found = _ENVIRONMENTS[dialect].globals.get(name)
    return undefined(name, dialect) if found is None else found


NO_ELSE = Undefined("an inline 'if' without 'else' was false")
"""What `{{ a if b }}` is where b is false: it prints as nothing, in every dialect, as Jinja has it."""


def tokens_of(text: str) -> list[tuple[int, str, str]]:
    """Line, kind and text of every token; only white space that a `-` takes away is missing. Raises `BadTemplate`."""
    try:
        return list(_ENVIRONMENTS["native"].lex(text))
    except TemplateSyntaxError as error:
        raise BadTemplate(error.message or "cannot be parsed", error.lineno) from error
