"""`flanmix check`: every problem of every file, before a row is read."""

import click

from flanmix.cli.options import read_mixture, registry_option, say
from flanmix.errors import PlanError, SpecError
from flanmix.registry import read_registry
from flanmix.words import count_of


@click.command("check")
@click.argument("mixture", metavar="[NAME_OR_FILE]", required=False)
@registry_option
def command(mixture: str | None, folders: tuple[str, ...]) -> None:
    """Check the tasks, families and mixtures of the registry, or those that one mixture takes.

    Finds what is misspelt, missing or undefined in the files: keys, names, selectors, template syntax, variables that
    are no fields. Reads no data.
    """
    from flanmix.check import problems_of
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
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    templates = sum(len(registry.tasks[name].templates) for name in tasks)
    say(f"{count_of(len(tasks), 'task')} with {count_of(templates, 'template')}: no problems")
