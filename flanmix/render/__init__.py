"""From rows of fields to texts: `render` is the one interface, whichever engine does the work."""

from typing import Literal

import pyarrow as pa

from flanmix.render.columns import NotColumnar, render_columns
from flanmix.render.environment import compile_template
from flanmix.render.rows import RowError, render_rows
from flanmix.spec import Template

__all__ = ["Engine", "NotColumnar", "RowError", "render", "render_text"]

Engine = Literal["auto", "columns", "rows"]


def render(template: Template, table: pa.Table, *, engine: Engine = "auto") -> pa.Table:
    """Render a template over a table of fields.

    Gives a table of the same length with two `large_string` columns, `input` and `target`, nothing stripped.
    `engine="columns"` raises `NotColumnar` where the template needs rows; both engines give the same bytes.

    >>> import pyarrow as pa
    >>> rows = pa.table({"q": ["1 + 1?", "2 + 2?"], "a": ["2", "4"]})
    >>> render(Template("ask", input="Solve: {{ q }}", target="{{ a }}"), rows).to_pylist()[1]
    {'input': 'Solve: 2 + 2?', 'target': '4'}
    """
    return pa.table(
        {
            "input": render_text(template.input, table, engine=engine),
            "target": render_text(template.target, table, engine=engine),
        }
    )


def render_pair(
    template: Template, table: pa.Table, *, seed: int = 0, task: str = "", name: str = "", engine: Engine = "auto"
) -> tuple[pa.Array, pa.Array]:
    """The inputs and targets of a template's rows."""
    rendered = render(template, table, engine=engine)
    return rendered.column("input").combine_chunks(), rendered.column("target").combine_chunks()


def render_text(text: str, table: pa.Table, *, engine: Engine = "auto") -> pa.Array:
    """Render one template text over a table of fields: `large_string`, as long as the table."""
    program = compile_template(text)
    if engine != "rows":
        try:
            return render_columns(program, table)
        except NotColumnar:
            if engine == "columns":
                raise
    return render_rows(program, table)
