"""The columnar path: a template compiled once to kernels over whole columns."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Undefined, nodes
from jinja2.exceptions import TemplateError

from flanmix.order import Ints, Words
from flanmix.render import expressions
from flanmix.render.environment import Expression, Program
from flanmix.render.frames import Frame, Table
from flanmix.render.printing import Texts, in_rows, join_texts
from flanmix.render.scopes import refuse_early_use
from flanmix.render.statements import Statement, compile_body
from flanmix.render.values import TEXT, Coded, Const, NotColumnar, TooLarge, Value, settled, take, with_identity
from flanmix.render.viewing import Picked, Piece

_RAISED_BY_TEMPLATES = (
    *(ArithmeticError, AttributeError, LookupError, RuntimeError, TemplateError, TypeError, ValueError),
    pa.ArrowException,
)


@lru_cache(maxsize=4096)
def _compiled(program: Program) -> Statement | NotColumnar:
    """What renders a program over columns, or the construct that forces the row path."""
    try:
        statement = compile_body(program.tree.body)
        refuse_early_use(program.tree)
        return statement
    except NotColumnar as reason:
        return reason
    except RecursionError:
        return NotColumnar("it is nested too deeply")


def reason_for_rows(program: Program) -> NotColumnar | None:
    """The construct that forces the row path, or None where columns will do.

    >>> from flanmix.render.environment import compile_template
    >>> reason_for_rows(compile_template("{{ a | upper }}"))
    >>> str(reason_for_rows(compile_template("{% macro m() %}{% endmacro %}")))
    "line 1: 'macro'"
    """
    found = _compiled(program)
    return found if isinstance(found, NotColumnar) else None


@lru_cache(maxsize=4096)
def loops_by_columns(program: Program) -> bool:
    """Whether a program has loops and can go by columns: one that can changes no value that it is given."""
    return reason_for_rows(program) is None and next(program.tree.find_all(nodes.For), None) is not None


def render_columns(program: Program, names: Mapping[str, Value], rows: int, draw: Callable[[int], Words]) -> Texts:
    """Render all rows at once; raises `NotColumnar`, also where some row would raise: the row path says which."""
    return join_texts(render_pieces(program, names, rows, draw))


def render_pieces(
    program: Program, names: Mapping[str, Value | Picked], rows: int, draw: Callable[[int], Words]
) -> list[Piece]:
    """As `render_columns`, in pieces that are yet to be joined: texts of the template itself, and what it prints."""
    statement = _compiled(program)
    if isinstance(statement, NotColumnar):
        raise NotColumnar(statement.reason, statement.line)
    try:
        read = {
            name: value if isinstance(value, Picked) else with_identity(value)
            for name, value in names.items()
            if name in program.variables
        }
        table = Table(rows, read, program.dialect, draw)
        pieces = statement(Frame(table)) if rows else []
        for piece in pieces:
            if isinstance(piece, str):
                piece.encode()  # raises where it is no text that Arrow can hold
        if table.without_text.any():
            pieces.append(pc.if_else(pa.array(table.without_text), pa.scalar(None, TEXT), pa.scalar("", TEXT)))
        return pieces
    except TooLarge:
        return [_by_halves(program, names, rows, draw)]
    except _RAISED_BY_TEMPLATES as error:
        raise NotColumnar(f"a row raises {type(error).__name__}: {error}") from error


def evaluate_columns(expression: Expression, names: Mapping[str, Value], rows: int) -> Value:
    """The value of an expression in every row, None or `NO_TEXT` where it has none; raises `NotColumnar`."""
    compiled = _compiled_expression(expression)
    if isinstance(compiled, NotColumnar):
        raise NotColumnar(compiled.reason, compiled.line)
    own: dict[str, Value | Picked] = {name: with_identity(value) for name, value in names.items()}
    try:
        table = Table(rows, own, "native", no_draws)
        value = compiled.value(Frame(table))
    except _RAISED_BY_TEMPLATES as error:
        raise NotColumnar(f"a row raises {type(error).__name__}: {error}") from error
    values = value.values if isinstance(value, Coded) else [value.value] if isinstance(value, Const) else []
    if any(isinstance(each, Undefined) for each in values) or table.without_text.any():
        raise NotColumnar("a row has no value")
    return value


@lru_cache(maxsize=4096)
def _compiled_expression(expression: Expression) -> expressions.Expression | NotColumnar:
    try:
        return expressions.compile_expression(expression.node)
    except NotColumnar as reason:
        return reason
    except RecursionError:
        return NotColumnar("it is nested too deeply")


def no_draws(place: int) -> Words:
    """Stands where nothing is chosen at random: native templates have no filter that would."""
    raise NotColumnar("a random choice in a native template")


def _drawn(draw: Callable[[int], Words], rows: Ints, place: int) -> Words:
    return draw(place)[rows]


def _by_halves(program: Program, names: Mapping[str, Value | Picked], rows: int, draw: Callable[[int], Words]) -> Texts:
    if rows == 1:
        raise NotColumnar("a value or text is repeated so often that it takes too much memory")
    made = []
    for places in np.array_split(np.arange(rows), 2):
        own = {name: take(settled(value), places) for name, value in names.items()}
        texts = render_columns(program, own, len(places), partial(_drawn, draw, places))
        made.append(in_rows(texts, len(places)))
    return pa.concat_arrays(made)
