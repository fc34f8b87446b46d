"""From rows of fields to texts: `render` is the one interface, whichever engine does the work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import pyarrow as pa

from flanmix.order import Ints
from flanmix.render import columns, promptsource
from flanmix.render.columns import loops_by_columns, reason_for_rows, render_columns
from flanmix.render.environment import Program, compile_template
from flanmix.render.limits import MAX_OUTPUT
from flanmix.render.picking import Rows
from flanmix.render.printing import Texts, bytes_at_most, in_rows, join_texts
from flanmix.render.rows import RowError, render_dicts, render_rows
from flanmix.render.values import NotColumnar, Value, value_of
from flanmix.render.viewing import Piece
from flanmix.spec import Template
from flanmix.words import ROW

__all__ = [
    "Engine",
    "NotColumnar",
    "RowError",
    "RowsReason",
    "compile_text",
    "explain",
    "names_read",
    "render",
    "render_pair",
    "render_pieces",
    "render_text",
    "text_pieces",
]

Engine = Literal["auto", "columns", "rows"]
T = TypeVar("T")
_SIDES = ("input", "target")
_FEW = 8
"""Rows whose loops are faster run one after the other than by columns."""


def render(
    template: Template, table: pa.Table, *, engine: Engine = "auto", seed: int = 0, task: str = "", name: str = ""
) -> pa.Table:
    """Render a template over a table of fields; gives a table of the same length.

    A native template gives a `large_string` column for each of its texts, `input` and `target`, nothing stripped; both
    engines give null where the template would print a null or look outside a list. One of the dialect `promptsource`
    gives `parts` and `answer_choices`, both `list<large_string>`; what it takes at random is a function of `seed`,
    `task`, `name` (the template's own, unless given) and the row, which is in the column `fm_row` or else the place in
    the table.

    `engine="columns"` raises `NotColumnar` where the template, or a row, needs rows; both engines give the same bytes.
    Raises `RowError` where the template fails on a row, and `BadTemplate` where it cannot be compiled.

    >>> import pyarrow as pa
    >>> rows = pa.table({"q": ["1 + 1?", "2 + 2?"], "a": ["2", "4"]})
    >>> render(Template("ask", input="Solve: {{ q }}", target="{{ a }}"), rows).to_pylist()[1]
    {'input': 'Solve: 2 + 2?', 'target': '4'}
    >>> asked = Template("ask", dialect="promptsource", jinja="{{ q }} ||| {{ a }}", answer_choices="2 ||| 4")
    >>> render(asked, rows).to_pylist()[1]
    {'parts': ['2 + 2?', '4'], 'answer_choices': ['2', '4']}
    """
    if template.dialect == "native":
        texts = {key: render_text(text, table, engine=engine) for key, text in template.texts.items()}
        return pa.table(texts)
    parts, choices = _in_dialect(template, table, (seed, task, name or template.name), engine)
    rows = table.num_rows
    return pa.table(
        {"parts": promptsource.lists(parts, rows), "answer_choices": promptsource.choice_lists(choices, rows)}
    )


def _in_dialect(
    template: Template, table: pa.Table, key: tuple[str | int, ...], engine: Engine
) -> tuple[list[Texts] | pa.Array, Value]:
    promptsource.refuse_names(table)
    programs = promptsource.compile_dialect(template, key)
    rows = _row_numbers(table)
    return _by_engine(
        engine,
        lambda: promptsource.by_columns(programs, table, rows),
        lambda: promptsource.by_rows(programs, table, rows),
    )


def _row_numbers(table: pa.Table) -> Ints:
    if ROW in table.column_names:
        return np.asarray(table.column(ROW)).astype(np.int64)
    return np.arange(table.num_rows)


def _by_engine(engine: Engine, by_columns: Callable[[], T], by_rows: Callable[[], T]) -> T:
    if engine != "rows":
        try:
            return by_columns()
        except NotColumnar:
            if engine == "columns":
                raise
    return by_rows()


def render_pair(
    template: Template, table: pa.Table, *, seed: int = 0, task: str = "", name: str = "", engine: Engine = "auto"
) -> tuple[pa.Array, pa.Array]:
    """The inputs and targets of a template's rows, as `large_string`: null where a row has none."""
    if template.dialect == "native":
        inputs, targets = (render_text(template.texts[key], table, engine=engine) for key in template.pair)
        return inputs, targets
    parts, _ = _in_dialect(template, table, (seed, task, name or template.name), engine)
    return promptsource.pair(parts, table.num_rows)


def render_pieces(
    template: Template, rows: Rows, *, seed: int = 0, task: str = "", name: str = ""
) -> dict[str, list[Piece]]:
    """As `render_pair`, nothing copied that need not be: the pieces of each row's `input` and `target`."""
    if template.dialect == "native":
        texts = template.texts
        return {side: text_pieces(texts[key], rows) for side, key in zip(_SIDES, template.pair, strict=True)}
    inputs, targets = render_pair(template, rows.table, seed=seed, task=task, name=name)
    return {"input": [inputs], "target": [targets]}


def text_pieces(text: str, rows: Rows) -> list[Piece]:
    """As `render_text`, nothing copied that need not be."""
    program = compile_template(text)
    if len(rows) <= _FEW and loops_by_columns(program):
        return [render_dicts(program, rows.dicts(program.variables))]

    def by_columns() -> list[Piece]:
        pieces = columns.render_pieces(program, rows.names(program.variables), len(rows), columns.no_draws)
        return pieces if bytes_at_most(pieces) <= MAX_OUTPUT else [join_texts(pieces)]

    return _by_engine("auto", by_columns, lambda: [render_rows(program, rows.table)])


def render_text(text: str, table: pa.Table, *, engine: Engine = "auto") -> pa.Array:
    """Render one native template text over a table of fields: `large_string`, as long as the table."""
    program = compile_template(text)
    return _by_engine(engine, lambda: _text_by_columns(program, table), lambda: render_rows(program, table))


def _text_by_columns(program: Program, table: pa.Table) -> pa.Array:
    names = {name: value_of(table.column(name)) for name in table.column_names if name in program.variables}
    texts = render_columns(program, names, table.num_rows, columns.no_draws)
    return in_rows(texts, table.num_rows)


def compile_text(template: Template, key: str) -> Program:
    """Compile one of a template's `texts`; raises `BadTemplate`."""
    if template.dialect == "promptsource":
        return promptsource.compile_text(template, key)
    return compile_template(template.texts[key])


def names_read(template: Template, key: str) -> frozenset[str]:
    """The columns that one of a template's `texts` reads; a column may carry a name of Jinja's own, like `range`.

    >>> asked = Template("ask", dialect="promptsource", jinja="{{ q }} ||| {{ answer_choices[a] }}", answer_choices="x")
    >>> sorted(names_read(asked, "jinja"))
    ['a', 'q']
    """
    names = compile_text(template, key).variables
    return names - {promptsource.CHOICES} if template.dialect == "promptsource" and key == "jinja" else names


@dataclass(frozen=True)
class RowsReason:
    """What makes a template go by rows: a construct, at a line (from 1) of one of its `texts`."""

    key: str
    construct: str
    line: int

    def __str__(self) -> str:
        return f"{self.key}: line {self.line}: {self.construct}"


def explain(template: Template) -> RowsReason | None:
    """What makes a template go by rows, or None where columns will do; raises `BadTemplate`.

    >>> ask = Template("ask", input="{{ q | upper }}", target="{% macro m() %}{{ a }}{% endmacro %}{{ m() }}")
    >>> str(explain(ask))
    "target: line 1: 'macro'"
    """
    for key in template.texts:
        reason = reason_for_rows(compile_text(template, key))
        if reason is not None:
            return RowsReason(key, reason.reason, reason.line or 1)
    return None
