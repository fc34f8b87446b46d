"""Plans as tables and as plain records."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import fsum
from typing import Any

from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from flanmix.errors import UsageError, did_you_mean
from flanmix.held import in_words
from flanmix.plan import Plan, PlannedTask
from flanmix.rates import effective_epochs
from flanmix.words import count_of

_TEXT = ("task", "type", "styles", "bound by", "what", "stage")
_TOKEN_SHARES = ("share_tokens", "share_loss_tokens")
_WIDTH = 160


ANY = "any"
"""The style of a task of whose styles the mixture says nothing."""


def plan_records(plan: Plan) -> list[dict[str, Any]]:
    """One record for each task and style: rows there are, usable, offered and planned, shares, epochs, what bound it.

    `share` is what the task has before rounding, as exactly as a float can tell; `rows` the integer. `effective_epochs`
    are worth as many passes over new rows (Muennighoff et al. 2023). Where a tokenizer was named, `tokens` and
    `loss_tokens` are what the rows are expected to hold, and `share_tokens` and `share_loss_tokens` of the whole.
    """
    totals = token_totals(plan)
    return [record for index in range(len(plan.tasks)) for record in _of_task(plan, index, totals)]


def _of_task(plan: Plan, index: int, totals: tuple[float, float]) -> Iterator[dict[str, Any]]:
    task = plan.tasks[index]
    told = {style.name: style for style in task.styles}
    counts = {name: style.rows for name, style in told.items()} or _counts(plan, index)
    for name, rows in counts.items():
        part = rows / task.rows if task.rows else 1 / len(counts)
        offered = told[name].offered if told else task.offered
        epochs = rows / offered if told else task.epochs
        yield {
            "task": task.name,
            "style": name,
            "type": task.type,
            "source_rows": offered if told else task.source_rows,
            "usable": offered if told else task.usable,
            "dropped": dict(task.dropped or {}),
            "offered": offered,
            "share_asked": told[name].share_asked if told else task.share_asked * part,
            "share": told[name].share if told else task.share * part,
            "rows": rows,
            "epochs": epochs,
            "effective_epochs": effective_epochs(Fraction(epochs)),
            **_tokens(task, rows, totals),
            "bound": told[name].bound if told else task.bound,
        }


def _counts(plan: Plan, index: int) -> dict[str, int]:
    told = plan.styles or plan.shots
    return plan.style_counts(index) if told and not plan.tasks[index].sized else {ANY: plan.tasks[index].rows}


def _tokens(task: PlannedTask, rows: int, totals: tuple[float, float]) -> dict[str, float]:
    if task.length is None:
        return {}
    tokens, loss = rows * task.length.tokens, rows * task.length.loss
    all_tokens, all_loss = totals
    return {
        "tokens": tokens,
        "loss_tokens": loss,
        "share_tokens": tokens / all_tokens if all_tokens else 0.0,
        "share_loss_tokens": loss / all_loss if all_loss else 0.0,
    }


def token_totals(plan: Plan) -> tuple[float, float]:
    """The tokens and the loss tokens that a plan's rows are expected to hold."""
    known = [(task.rows, task.length) for task in plan.tasks if task.length is not None]
    return fsum(rows * each.tokens for rows, each in known), fsum(rows * each.loss for rows, each in known)


def plan_facts(plan: Plan) -> dict[str, Any]:
    """The plan as plain values, for JSON: what names it, its rows, a record for each task and style."""
    facts: dict[str, Any] = {"mixture": plan.name, "seed": plan.seed, "split": plan.split, "plan": plan.digest}
    facts |= {"rows": plan.rows, "relaxed": list(plan.relaxed)}
    facts |= {"held_out": [each.facts() for each in plan.held_out]}
    if any(task.length for task in plan.tasks):
        tokens, loss = token_totals(plan)
        facts |= {"tokens": plan.tokens or tokens, "loss_tokens": loss}
    return {**facts, "tasks": plan_records(plan)}


def why(plan: Plan, name: str) -> str:
    """Why a task gives as many rows as it does, or is held out, in words; raises `UsageError` for any other."""
    if held := next((each for each in plan.held_out if each.task == name), None):
        return held.told()
    found = [index for index, task in enumerate(plan.tasks) if task.name == name]
    if not found:
        names = [*(task.name for task in plan.tasks), *(each.task for each in plan.held_out)]
        hint = did_you_mean(name, names) or "'flanmix plan' lists the tasks"
        raise UsageError(f"the plan has no task '{name}'", hint=hint)
    (index,), task = found, plan.tasks[found[0]]
    asked = task.share_asked * plan.rows
    lines = [f"{name} gives {count_of(task.rows, 'row')} of {plan.rows:,}: a share of {task.share:.4%}."]
    lines.append(_where_from(task))
    lines.append(f"Its rate and weights ask for {task.share_asked:.4%}, {asked:,.1f} rows.")
    if task.bound:
        more = "more" if task.share > task.share_asked else "less"
        lines.append(f"It gets {more} because of {task.bound}.")
    elif abs(task.rows - asked) > 1:
        lines.append("No limit of its own holds it: what limits take from or give to others changed its share.")
    worth = effective_epochs(Fraction(task.rows, task.offered))
    lines.append(f"That is {task.epochs:.2f} passes over what it offers, worth {worth:.2f} passes over new rows.")
    if len(records := list(_of_task(plan, index, token_totals(plan)))) > 1:
        styles = ", ".join(f"{record['style']} {record['rows']:,}" for record in records)
        lines.append(f"By style: {styles}.")
    if task.length is not None:
        lines.append(
            f"A row has {task.length.tokens:,.1f} tokens on average, {task.length.loss:,.1f} of them with loss: "
            f"about {task.rows * task.length.tokens:,.0f} tokens in all."
        )
    return "\n".join(lines)


def _where_from(task: PlannedTask) -> str:
    if task.sized:
        return f"Its size is told: {count_of(task.usable, 'row')}, of which it may offer {task.offered:,}."
    lost = ", ".join(f"{count:,} dropped ({reason})" for reason, count in (task.dropped or {}).items())
    usable = f"{task.usable:,} usable" + (f", {lost}" if lost else "")
    if task.repaired:
        usable += ", " + ", ".join(f"{count:,} repaired ({repair})" for repair, count in task.repaired.items())
    offers = "all of them offered" if task.offered == task.usable else f"{task.offered:,} offered (max_rows)"
    return f"Its source has {count_of(task.source_rows, 'row')}: {usable}; {offers}."


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
    """The plan for people: one line a task, the sum below, and what gave way."""
    size = f"{count_of(plan.rows, 'row')} of {count_of(len(plan.tasks), 'task')}"
    title = f"{plan.name}: {size}, seed {plan.seed}, plan {plan.digest[:12]}"
    title += "".join(f"\nrelaxed: {change}" for change in plan.relaxed)
    title += "".join(f"\nheld out: {line}" for line in in_words(plan.held_out))
    measured = any(task.length for task in plan.tasks)
    tokens, loss = token_totals(plan)
    rows = [_line(plan, index, (tokens, loss), measured) for index in range(len(plan.tasks))]
    of_tokens = ("tokens", "of tokens", "of loss") if measured else ()
    in_all = (f"{plan.tokens or tokens:,.0f}", "100%", "100%") if measured else ()
    columns = ("task", "type", "there are", "usable", "asked", "planned", "share", "epochs", "worth", *of_tokens)
    total = ("all", "", "", "", "", f"{plan.rows:,}", "100%", "", "", *in_all)
    return _telling(PlanTable(title, (*columns, "styles", "bound by"), (*rows, (*total, _all_styles(plan), ""))))


def _all_styles(plan: Plan) -> str:
    """How many rows of all tasks have each style."""
    counts: Counter[str] = Counter()
    for index in range(len(plan.tasks)):
        counts.update({name: rows for name, rows in _counts(plan, index).items() if name != ANY})
    return ", ".join(f"{name} {rows:,}" for name, rows in counts.items())


def _telling(table: PlanTable) -> PlanTable:
    """The table without columns that say nothing: no types, styles or limits, nothing repeated."""
    cells = {name: [row[place] for row in table.rows[:-1]] for place, name in enumerate(table.columns)}
    dull = {name for name in ("type", "styles", "bound by") if not any(cells[name])}
    dull |= {"worth"} if cells["worth"] == cells["epochs"] else set()
    kept = [place for place, name in enumerate(table.columns) if name not in dull]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return PlanTable(table.title, tuple(table.columns[place] for place in kept), rows)


def _line(plan: Plan, index: int, totals: tuple[float, float], measured: bool) -> tuple[str, ...]:
    task, records = plan.tasks[index], list(_of_task(plan, index, totals))
    styles = ", ".join(f"{record['style']} {record['rows']:,}" for record in records if record["style"] != ANY)
    of_tokens = [f"{sum(record.get(key, 0.0) for record in records):.2%}" for key in _TOKEN_SHARES]
    tokens = f"{sum(record.get('tokens', 0.0) for record in records):,.0f}"
    return (
        task.name,
        task.type,
        f"{task.source_rows:,}",
        f"{task.usable:,}" + (f" (-{sum(task.dropped.values()):,})" if task.dropped else ""),
        f"{task.share_asked:.2%}",
        f"{task.rows:,}",
        f"{task.share:.2%}",
        f"{task.epochs:.2f}",
        f"{effective_epochs(Fraction(task.rows, task.offered)):.2f}",
        *((tokens, *of_tokens) if measured else ()),
        styles,
        task.bound,
    )


def one_below_the_other(title: str, stages: tuple[str, ...], tables: Sequence[PlanTable]) -> PlanTable:
    """The tables of stages as one, with a column that says which; the last row holds the sums of the last stage."""
    columns = tuple(dict.fromkeys(name for table in tables for name in table.columns))
    rows = [
        (stage, *(dict(zip(table.columns, row, strict=True)).get(name, "") for name in columns))
        for stage, table in zip(stages, tables, strict=True)
        for row in table.rows
    ]
    return PlanTable(title, ("stage", *columns), (*rows,))


def changes_table(name: str, found: Sequence[Mapping[str, Any]], shown: str) -> PlanTable:
    """What building a plan would change, for people: tasks that stay as they are are counted in the title."""
    same = sum(change["what"] == "same" for change in found)
    title = f"{name} against {shown}: {count_of(same, 'task')} would stay as they are"
    columns = ("task", "what", "before", "after", "share before", "share after", "kept", "reworded", "new", "gone")
    rows = [
        tuple(_cell(change[column.replace(" ", "_")]) for column in columns)
        for change in found
        if change["what"] != "same"
    ]
    sums = {column: sum(change[column] for change in found) for column in ("before", "after", *columns[6:])}
    total = tuple(f"{sums[column]:,}" if column in sums else "" for column in columns)
    return PlanTable(title, columns, (*rows, ("all", *total[1:])))


def _cell(value: Any) -> str:
    return f"{value:.2%}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
