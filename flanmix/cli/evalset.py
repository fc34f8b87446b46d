"""`flanmix evalset`: held-out tasks as zero- and few-shot eval sets."""

from typing import Any

import click

from flanmix.cli.options import complete_mixtures, find_mixture, registry_option, say
from flanmix.errors import SpecError, UsageError
from flanmix.registry import Registry, read_registry
from flanmix.spec import Mixture
from flanmix.words import PLAIN, STYLES, count_of

FORMS = ("both", "generation", "ranking")


def _wordings(context: click.Context, parameter: click.Parameter, value: str) -> str | int:
    """`all`, `one`, or how many."""
    if value in ("all", "one"):
        return value
    if not (value.isdecimal() and int(value) > 0):
        raise click.BadParameter(f"'{value}' is none of all, one and a number from 1", context, parameter)
    return int(value)


@click.command("evalset")
@click.argument("mixture", metavar="[NAME_OR_FILE]", required=False, shell_complete=complete_mixtures)
@click.option("-o", "--out", required=True, metavar="DIR", help="The folder to write: new, empty, or of these sets.")
@click.option(
    "--select", multiple=True, metavar="SELECTOR", help="These tasks, in place of those that the mixture holds out."
)
@click.option("--split", metavar="SPLIT", help="Of the sources. Else of each task validation, test or train.")
@click.option("--shots", multiple=True, type=click.IntRange(0, 64), help="Exemplars; a set for each. [default: 0]")
@click.option("--rows", type=click.IntRange(1), help="At most so many of each task, drawn by the seed.")
@click.option(
    "--templates",
    callback=_wordings,
    default="all",
    show_default=True,
    metavar="all|one|K",
    help="Every row in all wordings, in one drawn for it, or in K drawn for the task.",
)
@click.option(
    "--style",
    "styles",
    multiple=True,
    type=click.Choice((PLAIN, *STYLES)),
    help="Of the wordings. May be given again. [default: plain, options]",
)
@click.option(
    "--form",
    type=click.Choice(FORMS),
    default="both",
    show_default=True,
    help="A row for each prompt, for each prompt and choice, or both.",
)
@click.option("--separator", metavar="TEXT", help="Between a prompt and its answer, in place of the mixture's.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="In place of the mixture's own.")
@click.option("--replace", is_flag=True, help="Remove other eval sets from the folder first.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, no summary.")
@registry_option
def command(mixture: str | None, out: str, folders: tuple[str, ...], quiet: bool, **options: Any) -> None:
    """Write the tasks that a mixture holds out as eval sets into DIR.

    datasets.load_dataset(DIR, "TASK_0shot") reads a set of prompts, "TASK_0shot_ranking" the same with a row for each
    answer choice. DIR/lm_eval has the sets as tasks of lm-evaluation-harness. Wordings that are inverted or reason
    (cot) are left out unless --style asks for them.
    """
    if not out.strip():
        raise UsageError("-o names no folder", hint="write it like -o out")
    found, registry = _found(mixture, options["select"], folders)
    from flanmix.api.evalsets import evalset

    told = {name: value or None for name, value in options.items() if name in ("shots", "styles")}
    made = evalset(registry, out, mixture=found, quiet=quiet, **options | told)
    if not quiet:
        _summary(made.manifest, out)


def _found(mixture: str | None, select: tuple[str, ...], folders: tuple[str, ...]) -> tuple[Mixture | None, Registry]:
    if mixture is not None:
        return find_mixture(mixture, folders)
    if not select:
        raise UsageError("nothing says which tasks", hint="name a mixture that holds some out, or give --select")
    registry, problems = read_registry(*folders)
    if problems:
        raise SpecError(problems)
    return None, registry


def _summary(manifest: dict[str, Any], out: str) -> None:
    for each in manifest["tasks"]:
        lost = ", ".join(f"{count:,} {reason}" for reason, count in each["dropped"].items())
        rows = f"{each['set']}: {count_of(each['written'], 'row')} of {each['split']}"
        say(f"{rows}{f' ({lost})' if lost else ''}" if each["written"] else f"{each['set']}: none, no choices to rank")
    for task in manifest["trained_on"]:
        say(f"warning: the mixture trains on {task}, on another split of it")
    first = next(each for each in manifest["tasks"] if each["written"])
    say(f"load them with datasets.load_dataset('{out}', '{first['set']}')")
    if manifest["harness"]:
        say(f"run them with lm_eval --include_path {out}/lm_eval --tasks {','.join(manifest['harness'])}")
