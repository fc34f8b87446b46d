"""`flanmix plan`: how many rows each task gives, and why."""

from typing import Any

import click

from flanmix.cli.options import (
    budget_options,
    chosen_plan,
    complete_tasks,
    find_mixture,
    format_option,
    mixture_argument,
    print_json,
    print_table,
    registry_option,
    say,
)


@click.command("plan")
@mixture_argument
@click.option(
    "--why", "task", metavar="TASK", shell_complete=complete_tasks, help="Say why one task gives what it does."
)
@click.option("--against", metavar="DIR", help="Say what a build would change in a folder that was built before.")
@click.option("--write-weights", metavar="FILE", help="Write the shares by task as JSON.")
@budget_options
@registry_option
@format_option
def command(
    mixture: str,
    task: str | None,
    against: str | None,
    write_weights: str | None,
    folders: tuple[str, ...],
    form: str,
    **choices: Any,
) -> None:
    """Solve a mixture into exact counts and print them; builds nothing."""
    found, registry = find_mixture(mixture, folders)
    plan = chosen_plan(found, registry, choices)
    if write_weights:
        plan.write_weights(write_weights)
        say(f"wrote {write_weights}")
    if task:
        click.echo(plan.why(task))
    elif against:
        print_table(plan.against(against)) if form == "table" else print_json(plan.changes(against))
    else:
        print_table(plan.table()) if form == "table" else print_json(plan.facts())
