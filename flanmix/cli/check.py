"""`flanmix check`: every problem of every file, before a row is read; or of a folder of shards, for a trainer."""

from dataclasses import asdict
from pathlib import Path

import click

from flanmix.bound import BoundTemplate
from flanmix.cli.options import (
    complete_trainers,
    format_option,
    print_json,
    print_table,
    read_mixture,
    registry_option,
    say,
)
from flanmix.errors import BuildError, PlanError, SpecError, UsageError
from flanmix.registry import Registry, read_registry
from flanmix.spec import Family
from flanmix.words import count_of


@click.command("check")
@click.argument("mixture", metavar="[NAME_OR_FILE]", required=False)
@click.option(
    "--for",
    "trainer",
    metavar="TRAINER",
    shell_complete=complete_trainers,
    help="Check the shards of a folder for a trainer: a build, an export, or any folder of Parquet.",
)
@click.option("--explain", is_flag=True, help="Print for every template whether it goes by columns, or why by rows.")
@registry_option
@format_option
def command(mixture: str | None, trainer: str | None, explain: bool, folders: tuple[str, ...], form: str) -> None:
    """Check the tasks, families and mixtures of the registry, or those that one mixture takes.

    Finds what is misspelt, missing or undefined in the files: keys, names, selectors, template syntax, variables that
    are no fields. Reads no data.

    With --for TRAINER, checks the shards in the folder NAME_OR_FILE instead: columns, names and rows that the trainer
    drops, cuts, or trains on by accident.
    """
    if trainer is not None:
        if mixture is None:
            raise UsageError("--for needs a folder to check", hint="write it like 'flanmix check --for trl out'")
        if explain or folders:
            raise UsageError("--for checks shards, not templates", hint="leave --explain and --registry out")
        _check_for(trainer, Path(mixture), form)
        return
    from flanmix.check import problems_of, problems_of_family
    from flanmix.planner import resolved

    if mixture:
        chosen, registry, problems = read_mixture(mixture, folders)
    else:
        chosen, (registry, problems) = None, read_registry(*folders)
    whole = not problems  # where a file cannot be read, a selector may miss only what is in it
    tasks = set(registry.tasks)
    for each in [chosen] if chosen else registry.mixtures.values():
        try:
            taken = resolved(each, registry).tasks
            tasks = set(taken) if chosen else tasks
        except PlanError as error:
            problems += error.problems if whole else ()
    for name in sorted(tasks):
        problems += problems_of(registry.tasks[name])
    serving = [template for name in sorted(tasks) for template in registry.tasks[name].templates]
    unused = [] if mixture else _unused(registry, serving)
    for family in unused:
        problems += problems_of_family(family, registry.where(family))
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    if explain:
        _print_explained(registry, serving, unused, form)
    extra = f", {len(unused)} {'family' if len(unused) == 1 else 'families'} that no task uses" if unused else ""
    say(f"{count_of(len(tasks), 'task')} with {count_of(len(serving), 'template')}{extra}: no problems")


def _check_for(trainer: str, folder: Path, form: str) -> None:
    from flanmix.exports import find_trainer
    from flanmix.exports.checking import check

    report = check(folder, find_trainer(trainer))
    if form == "json":
        print_json(asdict(report))
    for warning in report.warnings:
        say(f"warning: {warning}")
    if report.problems:
        raise BuildError(report.problems)
    looked = f"{count_of(report.rows, 'row')} in {count_of(report.shards, 'shard')}"
    say(f"{looked}: no problems for {trainer}" if report.shards else f"no problems for {trainer}")


def _unused(registry: Registry, serving: list[BoundTemplate]) -> list[Family]:
    """The families none of whose templates serves a task."""
    files = {template.where.origin for template in serving}
    return [family for family in registry.families.values() if registry.where(family).origin not in files]


def _print_explained(registry: Registry, serving: list[BoundTemplate], unused: list[Family], form: str) -> None:
    from flanmix.check import explained, templates_of

    listed = [*serving, *(item for family in unused for item in templates_of(family, registry.where(family)))]
    once = {(id(item.where.origin), item.where.path): item for item in listed}
    records = [asdict(explained(item)) for item in sorted(once.values(), key=lambda item: item.id)]
    if form == "json":
        print_json(records)
        return
    from rich.table import Table

    table = Table("template", "goes by", "because of", "at")
    for record in records:
        table.add_row(*record.values())
    print_table(table)
    by_columns = sum(record["engine"] == "columns" for record in records)
    say(f"{by_columns:,} of {count_of(len(records), 'template')} go by columns")
