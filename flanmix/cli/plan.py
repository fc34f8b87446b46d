"""`flanmix plan`: how many rows each task gives, and why."""

import click

from flanmix.cli.options import (
    budget_options,
    find_mixture,
    format_option,
    mixture_argument,
    print_json,
    print_table,
    registry_option,
)


@click.command("plan")
@mixture_argument
@budget_options
@registry_option
@format_option
def command(
    mixture: str,
    rows: int | None,
    epochs: float | None,
    seed: int | None,
    split: str | None,
    folders: tuple[str, ...],
    form: str,
) -> None:
    """Solve a mixture into exact counts and print them; renders and writes nothing."""
    found, registry = find_mixture(mixture, folders)
    from flanmix.api import with_choices
    from flanmix.planner import plan_mixture
    from flanmix.report import plan_records, plan_table

    plan = plan_mixture(with_choices(found, rows=rows, epochs=epochs, seed=seed, split=split), registry).plan
    if form == "table":
        print_table(plan_table(plan))
        return
    facts = {"mixture": plan.name, "seed": plan.seed, "split": plan.split, "plan": plan.digest, "rows": plan.rows}
    print_json({**facts, "tasks": plan_records(plan)})
