"""Options and arguments that several commands share, and how they find a registry and a mixture."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from flanmix.errors import FlanmixError, Problem, SpecError, UsageError
from flanmix.registry import Registry, load_registry, read_file, read_registry
from flanmix.spec import Mixture
from flanmix.words import TRAINERS

F = TypeVar("F", bound=Callable[..., Any])


def registry_option(function: F) -> F:
    """`-r DIR`, any number of times."""
    return click.option(
        "-r",
        "--registry",
        "folders",
        multiple=True,
        metavar="DIR",
        help="Also read the task, family and mixture YAML files below DIR. May be given again.",
    )(function)


def format_option(function: F) -> F:
    """`--format table|json`."""
    return click.option(
        "--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print the result."
    )(function)


def budget_options(function: F) -> F:
    """`--rows`, `--tokens` … in place of what the mixture says, `--without` … on top, and `--relax`."""
    relax = "Where limits cannot be had, take the nearest that can, and say which."
    function = click.option("--relax", is_flag=True, help=relax)(function)
    weights = "Shares by task, from a JSON file with weights by name."
    function = click.option("--weights", metavar="FILE", help=weights)(function)
    without = "Leave out the tasks that a selector takes. May be given again."
    function = click.option("--without", multiple=True, metavar="SELECTOR", help=without)(function)
    hold_out = "Hold out the tasks that a selector takes, with what is related to them. May be given again."
    function = click.option("--hold-out", multiple=True, metavar="SELECTOR", help=hold_out)(function)
    for name, kind, text in (
        ("--tokenizer", str, "What tokens are counted with: a tokenizer.json, its folder or a Hub id."),
        ("--split", str, "Which split of the sources to take."),
        ("--seed", click.IntRange(0, 2**63 - 1), "The seed of every choice."),
        ("--epochs", click.FloatRange(0, min_open=True), "The budget in passes over all offered rows."),
        ("--tokens", click.IntRange(1), "The budget in tokens."),
        ("--rows", click.IntRange(1), "The budget in rows."),
    ):
        function = click.option(name, type=kind, help=f"{text} In place of the mixture's own.")(function)
    return function


CHOICES = ("rows", "tokens", "epochs", "seed", "split", "tokenizer", "without", "hold_out", "weights", "relax")
"""The names of the `budget_options`."""


def chosen_plan(mixture: Mixture, registry: Registry, choices: dict[str, Any]) -> Any:
    """The plan of a mixture with what the `budget_options` say; raises `FlanmixError`."""
    from flanmix.api import plan_of, with_choices

    relax, without, weights = choices.pop("relax"), choices.pop("without"), choices.pop("weights")
    hold_out = choices.pop("hold_out")
    changed = with_choices(mixture, **choices)
    if without or hold_out or weights:
        from flanmix.weights import read_weights

        changes: dict[str, Any] = {"exclude": (*changed.exclude, *without), "hold_out": (*changed.hold_out, *hold_out)}
        changes |= {"weights": read_weights(weights)} if weights else {}
        changed = changed.model_copy(update=changes)
    return plan_of(changed, registry, relax=relax)


def complete_tasks(context: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    """Names of tasks, for the shell."""
    return [CompletionItem(name) for name in _known(context).tasks if name.startswith(text)]


def complete_names(context: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    """Names of tasks, families and mixtures, for the shell."""
    known = _known(context)
    names = sorted({*known.tasks, *known.families, *known.mixtures})
    return [CompletionItem(name) for name in names if name.startswith(text)]


def complete_mixtures(context: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    """Names of mixtures and YAML files, for the shell."""
    names = [CompletionItem(name) for name in sorted(_known(context).mixtures) if name.startswith(text)]
    return [*names, CompletionItem(text, type="file")]


def complete_trainers(context: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    """Names of trainers, for the shell."""
    return [CompletionItem(name) for name in TRAINERS if name.startswith(text)]


def _known(context: click.Context) -> Registry:
    """What there is to complete; of broken folders nothing, as nobody reads an error there."""
    try:
        return load_registry(*context.params.get("folders", ()))
    except FlanmixError:
        return load_registry()


_NAME_ONE = "name a mixture's YAML file, or a mixture of 'flanmix ls --mixtures'"

mixture_argument = click.argument("mixture", metavar="NAME_OR_FILE", shell_complete=complete_mixtures)


def find_mixture(name_or_file: str, folders: tuple[str, ...]) -> tuple[Mixture, Registry]:
    """A mixture by its name or its file; a file's own folder belongs to the registry.

    Raises `FlanmixError` with every problem of the mixture's file and of all others.
    """
    mixture, registry, problems = read_mixture(name_or_file, folders)
    if problems or mixture is None:
        raise SpecError(problems)
    return mixture, registry


def read_mixture(name_or_file: str, folders: tuple[str, ...]) -> tuple[Mixture | None, Registry, list[Problem]]:
    """As `find_mixture`, but gives what can be read beside every problem of the rest."""
    file = Path(name_or_file)
    if not name_or_file.endswith((".yaml", ".yml")):
        registry, problems = read_registry(*folders)
        if name_or_file not in registry.mixtures:
            _refuse_near_files(name_or_file)
        if not problems or name_or_file in registry.mixtures:
            return registry.mixture(name_or_file), registry, problems
        return None, registry, problems
    if not file.is_file():
        raise UsageError(f"there is no file {name_or_file}", hint=_NAME_ONE)
    value, problems = None, []
    try:
        value = getattr(read_file(file, str(file)), "value", None)
    except SpecError as error:
        problems = list(error.problems)
    registry, others = read_registry(*folders, beside=file.parent)
    problems = list(dict.fromkeys([*problems, *others]))
    if not problems and not isinstance(value, Mixture):
        raise UsageError(f"{name_or_file} is no mixture", hint="it should start with 'mixture:'")
    return value if isinstance(value, Mixture) else None, registry, problems


def _refuse_near_files(name: str) -> None:
    """Raise `UsageError` where a name is not a mixture's, but that of something on disk."""
    if Path(name).exists():
        raise UsageError(f"{name} is {'a folder' if Path(name).is_dir() else 'no YAML file'}", hint=_NAME_ONE)
    near = next((f"{name}{ending}" for ending in (".yaml", ".yml") if Path(f"{name}{ending}").is_file()), None)
    if near:
        raise UsageError(f"no mixture is called '{name}'", hint=f"did you mean the file {near}?")


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_table(table: Any) -> None:
    """Print something rich to standard output: in the terminal's width, or whole where it goes to a file."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def say(text: str) -> None:
    """Tell people something, on standard error."""
    click.echo(text, err=True)
