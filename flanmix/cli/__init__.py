"""The command line: data to standard output, the rest to standard error.

Exit code 0 is done, 1 something to change, 2 a wrong call, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword

import click

from flanmix._version import __version__
from flanmix.errors import FlanmixError, Problem

COMMANDS = {
    "ls": "List tasks, families or mixtures.",
    "show": "Show one task, family or mixture with its templates.",
    "new": "Write a task, family or mixture file to start from.",
    "import": "Write another collection as families or tasks.",
    "check": "Check every file and wording, or a folder for a trainer.",
    "preview": "Show rendered rows, coloured by field.",
    "plan": "Show how many rows each task gives, and why.",
    "build": "Build a mixture into a folder.",
    "evalset": "Write held-out tasks as zero- and few-shot eval sets.",
    "verify": "Check a built folder against its manifest.",
    "explain": "Show how a row of a built folder came to be.",
    "export": "Write a built folder as a trainer reads it.",
}
"""The commands and what `flanmix --help` says of them; a command's module is imported when it runs."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = f"{name}_" if iskeyword(name) else name
        command: click.Command = import_module(f"flanmix.cli.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from flanmix.errors import did_you_mean

            hint = did_you_mean(args[0], COMMANDS) or f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command is called '{args[0]}' - {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flanmix")
@click.pass_context
def group(context: click.Context) -> None:
    """Turn source datasets into instruction-tuning mixtures."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code; errors are one line each, never a traceback."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code. Where the reader of its output is gone, click exits quietly with 1."""
    try:
        code = group.main(arguments, prog_name="flanmix", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except FlanmixError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except click.ClickException as error:
        click.echo(_usage_line(error, sys.argv[1:] if arguments is None else arguments), err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted - run the same command again to go on", err=True)
        return 130
    except OSError as error:
        what, hint = error.strerror or str(error), "look at its permissions and at the room on its disk"
        click.echo(str(Problem(what, file=error.filename and os.fspath(error.filename), hint=hint)), err=True)
        return 1


def _usage_line(error: click.ClickException, arguments: Sequence[str]) -> str:
    context = getattr(error, "ctx", None)
    command = " ".join(["flanmix", *(word for word in arguments[:1] if word in COMMANDS)])
    command = command if context is None else context.command_path
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{command}: {message} - see '{command} --help'"
