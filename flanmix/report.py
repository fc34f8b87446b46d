"""Plans and catalogues as tables and as plain records."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from flanmix.plan import Plan


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


def plan_table(plan: Plan) -> Table:
    """The plan for people: one line a task, the sum below."""
    title = f"{plan.name}: {plan.rows:,} rows of {len(plan.tasks)} tasks, seed {plan.seed}, plan {plan.digest[:12]}"
    table = Table(title=title, title_justify="left", show_footer=True, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = ("task", "type", "there are", "usable", "asked", "planned", "share", "epochs", "styles", "bound by")
    right = {"there are", "usable", "asked", "planned", "share", "epochs"}
    for name in columns:
        footer = {"task": "all", "planned": f"{plan.rows:,}", "share": "100%"}.get(name, "")
        number = name in right
        table.add_column(name, footer, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for record in plan_records(plan):
        styles = ", ".join(f"{name} {count}" for name, count in record["styles"].items()) if plan.styles else ""
        table.add_row(
            record["task"],
            record["type"],
            f"{record['source_rows']:,}",
            f"{record['usable']:,}",
            f"{record['share_asked']:.2%}",
            f"{record['rows']:,}",
            f"{record['share']:.2%}",
            f"{record['epochs']:.2f}",
            styles,
            record["bound"],
        )
    return table
