"""Plans as tables and as plain records."""

import io
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from flanmix.plan import Plan
from flanmix.words import count_of

_TEXT = ("task", "type", "styles", "bound by")
_WIDTH = 160


def plan_records(plan: Plan) -> list[dict[str, Any]]:
    """One record a task: rows there are, usable, offered and planned, shares, epochs, styles, what bound it."""
    return [
        {
            "task": task.name,
            "type": task.type,
            "source_rows": task.source_rows,
            "usable": task.usable,
            "dropped": dict(task.dropped or {}),
            "offered": task.offered,
            "share_asked": task.share_asked,
            "share": task.rows / plan.rows,
            "rows": task.rows,
            "epochs": task.epochs,
            "styles": plan.style_counts(index),
            "bound": task.bound,
        }
        for index, task in enumerate(plan.tasks)
    ]


@dataclass(frozen=True, repr=False)
class PlanTable:
    """A table for people: in a terminal through rich, as text through `print`, in a notebook as HTML.

    `rows` are texts, one for each of `columns`; the last row holds the sums.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __rich__(self) -> Table:
        table = Table(title=self.title, title_justify="left", show_footer=True, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name, footer in zip(self.columns, self.rows[-1], strict=True):
            number = name not in _TEXT
            table.add_column(name, footer, justify="right" if number else "left", no_wrap=number, overflow="fold")
        for row in self.rows[:-1]:
            table.add_row(*row)
        return table

    def __repr__(self) -> str:
        file = io.StringIO()
        console = Console(file=file, width=_WIDTH, color_system=None, force_terminal=False, force_jupyter=False)
        console.print(self)
        return file.getvalue().rstrip("\n")

    def _repr_html_(self) -> str:
        head = _cells("th", self.columns, self.columns)
        body = Markup("").join(_cells("td", self.columns, row) for row in self.rows)
        page = Markup("<table><caption>{}</caption><thead>{}</thead><tbody>{}</tbody></table>")
        return str(page.format(self.title, head, body))


def _cells(tag: str, columns: tuple[str, ...], row: tuple[str, ...]) -> Markup:
    cell = Markup('<{tag} style="text-align:{side}">{text}</{tag}>')
    cells = (
        cell.format(tag=tag, side="left" if name in _TEXT else "right", text=text)
        for name, text in zip(columns, row, strict=True)
    )
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def plan_table(plan: Plan) -> PlanTable:
    """The plan for people: one line a task, the sum below."""
    size = f"{count_of(plan.rows, 'row')} of {count_of(len(plan.tasks), 'task')}"
    title = f"{plan.name}: {size}, seed {plan.seed}, plan {plan.digest[:12]}"
    columns = ("task", "type", "there are", "usable", "asked", "planned", "share", "epochs", "styles", "bound by")
    rows = [
        (
            record["task"],
            record["type"],
            f"{record['source_rows']:,}",
            f"{record['usable']:,}",
            f"{record['share_asked']:.2%}",
            f"{record['rows']:,}",
            f"{record['share']:.2%}",
            f"{record['epochs']:.2f}",
            ", ".join(f"{name} {count}" for name, count in record["styles"].items()) if plan.styles else "",
            record["bound"],
        )
        for record in plan_records(plan)
    ]
    total = ("all", "", "", "", "", f"{plan.rows:,}", "100%", "", "", "")
    return PlanTable(title, columns, (*rows, total))
