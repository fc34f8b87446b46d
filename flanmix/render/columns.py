"""The columnar path: a template compiled once to kernels over whole columns."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
from jinja2.exceptions import TemplateError

from flanmix.order import Ints, Words
from flanmix.render.environment import Program
from flanmix.render.frames import Frame, Table, TooLarge
from flanmix.render.printing import Texts, in_rows, join_texts
from flanmix.render.statements import Statement, compile_body
from flanmix.render.values import NotColumnar, Value, take

_RAISED_BY_TEMPLATES = (ArithmeticError, AttributeError, LookupError, TemplateError, TypeError, ValueError)


@lru_cache(maxsize=4096)
def _compiled(program: Program) -> Statement | str:
    """What renders a program over columns, or the construct that forces the row path."""
    try:
        return compile_body(program.tree.body)
    except NotColumnar as reason:
        return str(reason)


def reason_for_rows(program: Program) -> str | None:
    """The construct that forces the row path, or None where columns will do.

    >>> from flanmix.render.environment import compile_template
    >>> reason_for_rows(compile_template("{{ a | upper }}"))
    >>> reason_for_rows(compile_template("{% macro m() %}{% endmacro %}"))
    "line 1: 'macro'"
    """
    found = _compiled(program)
    return found if isinstance(found, str) else None


def render_columns(program: Program, names: Mapping[str, Value], rows: int, draw: Callable[[int], Words]) -> Texts:
    """Render all rows at once; raises `NotColumnar`, also where some row would raise: the row path says which."""
    return join_texts(render_pieces(program, names, rows, draw))


def render_pieces(program: Program, names: Mapping[str, Value], rows: int, draw: Callable[[int], Words]) -> list[Texts]:
    """As `render_columns`, in pieces that are yet to be joined: texts of the template itself, and what it prints."""
    statement = _compiled(program)
    if isinstance(statement, str):
        raise NotColumnar(statement)
    try:
        return statement(Frame(Table(rows, dict(names), program.dialect, draw))) if rows else []
    except TooLarge:
        return [_by_halves(program, names, rows, draw)]
    except _RAISED_BY_TEMPLATES as error:
        raise NotColumnar(f"a row raises {type(error).__name__}: {error}") from error


def _drawn(draw: Callable[[int], Words], rows: Ints, place: int) -> Words:
    return draw(place)[rows]


def _by_halves(program: Program, names: Mapping[str, Value], rows: int, draw: Callable[[int], Words]) -> Texts:
    if rows == 1:
        raise NotColumnar("a loop repeats so much text that it takes too much memory")
    made = []
    for places in np.array_split(np.arange(rows), 2):
        own = {name: take(value, places) for name, value in names.items()}
        texts = render_columns(program, own, len(places), partial(_drawn, draw, places))
        made.append(in_rows(texts, len(places)))
    return pa.concat_arrays(made)
