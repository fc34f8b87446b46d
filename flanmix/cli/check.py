"""`flanmix check`: every problem of every file, and faults of wordings; or of a folder of shards, for a trainer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

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
from flanmix.errors import BuildError, PlanError, Problem, SpecError, UsageError
from flanmix.registry import Registry, read_registry
from flanmix.spec import Family
from flanmix.words import count_of

if TYPE_CHECKING:
    from flanmix.lint import Report

_MOST_WARNINGS = 20


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
@click.option(
    "--rows",
    type=click.IntRange(0),
    help="How many rows of each task to look at, 0 for none. Given, datasets of the Hub are loaded for it too."
    "  [default: 1000, of sources at hand]",
)
@registry_option
@format_option
def command(
    mixture: str | None, trainer: str | None, explain: bool, rows: int | None, folders: tuple[str, ...], form: str
) -> None:
    """Check the tasks, families and mixtures of the registry, or those that one mixture takes.

    Finds what is misspelt, missing or undefined in the files: keys, names, selectors, template syntax, variables that
    are no fields. Then looks at the wordings, and at what they make of the first rows: leftovers, stray white space,
    duplicates, answers that stand in the prompt, blank targets.

    With --for TRAINER, checks the shards in the folder NAME_OR_FILE instead: columns, names and rows that the trainer
    drops, cuts, or trains on by accident.
    """
    if trainer is not None:
        if mixture is None:
            raise UsageError("--for needs a folder to check", hint="write it like 'flanmix check --for trl out'")
        if explain or folders:
            raise UsageError("--for checks shards, not templates", hint="leave --explain and --registry out")
        if rows is not None:
            raise UsageError("--for looks at every row", hint="leave --rows out")
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
    problems = list(dict.fromkeys(problems))
    report = _linted(registry, sorted(tasks), unused, serving, rows, chosen.split if chosen else None)
    if form == "json" and not explain:
        _print_problems(problems, report)
    _say_warnings(report)
    problems += [*report.problems, *(finding.problem for finding in report.findings)]
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    if explain:
        _print_explained(registry, serving, unused, form)
    extra = f", {len(unused)} {'family' if len(unused) == 1 else 'families'} that no task uses" if unused else ""
    say(f"{count_of(len(tasks), 'task')} with {count_of(len(serving), 'template')}{extra}: no problems")


def _linted(
    registry: Registry,
    tasks: Sequence[str],
    unused: Iterable[Family],
    serving: Iterable[BoundTemplate],
    rows: int | None,
    split: str | None,
) -> "Report":
    """What the linter finds in tasks, in the families that serve them, and in those that serve none."""
    from flanmix.lint import ROWS, lint

    files = {template.where.origin for template in serving}
    used = [family for family in registry.families.values() if registry.where(family).origin in files]
    families = {family.name: (family, registry.where(family)) for family in [*used, *unused]}
    bound = [registry.tasks[name] for name in tasks]
    wanted = ROWS if rows is None else rows
    return lint(bound, families, rows=wanted, split=split, from_hub=rows is not None)


def _print_problems(problems: Iterable[Problem], report: "Report") -> None:
    """Print everything that was found as JSON; only what the linter found has a rule."""
    plain = [{**asdict(problem), "severity": "problem"} for problem in dict.fromkeys([*problems, *report.problems])]
    found = [{**finding.record, "severity": "problem"} for finding in report.findings]
    print_json([*plain, *found, *({**finding.record, "severity": "warning"} for finding in report.warnings)])


def _say_warnings(report: "Report") -> None:
    """Tell what may stay as it is: wordings of other collections, and tasks of which no row was looked at."""
    if len(report.warnings) <= _MOST_WARNINGS:
        for warning in report.warnings:
            say(f"warning: {warning.problem}")
    else:
        counts = Counter(warning.rule for warning in report.warnings)
        first = {warning.rule: warning for warning in reversed(report.warnings)}
        for rule in sorted(counts):
            say(f"warning: {count_of(counts[rule], 'time')} {rule}, first at {first[rule].problem}")
        say("warnings are of wordings of other collections; '--format json' lists all")
    for why in dict.fromkeys(report.unread.values()):
        names = [name for name, other in report.unread.items() if other == why]
        others = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        say(f"no row was looked at of {', '.join(names[:3])}{others}: {why}")


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
