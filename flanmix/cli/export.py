"""`flanmix export`: a built folder as a trainer reads it."""

from pathlib import Path

import click

from flanmix.cli.options import complete_trainers, say
from flanmix.errors import UsageError
from flanmix.words import TRAINERS, count_of


@click.command("export")
@click.argument("folder", metavar="DIR")
@click.option(
    "--for",
    "trainer",
    required=True,
    metavar="TRAINER",
    shell_complete=complete_trainers,
    help=f"One of {', '.join(TRAINERS)}.",
)
@click.option("-o", "--out", required=True, metavar="OUT", help="The folder to write: new or empty.")
@click.option("--layout", metavar="LAYOUT", help="Another of the layouts that the trainer reads.")
@click.option("--strict", is_flag=True, help="Leave out the fm_ columns.")
@click.option("-q", "--quiet", is_flag=True, help="No summary.")
def command(folder: str, trainer: str, out: str, layout: str | None, strict: bool, quiet: bool) -> None:
    """Write the build in DIR into OUT as TRAINER reads it, with the part of its config that is about data.

    Ends with 'flanmix check --for TRAINER OUT'; where that finds a problem, nothing is written.
    """
    if not out.strip():
        raise UsageError("-o names no folder", hint="write it like -o out")
    from flanmix.exports.export import export

    done = export(folder, out, trainer=trainer, layout=layout, strict=strict)
    for warning in done.warnings:
        say(f"warning: {warning}")
    if not quiet:
        beside = [file for file in done.files if "/" not in file or not file.endswith((".parquet", ".arrow", ".mds"))]
        say(f"{count_of(done.rows, 'row')} for {trainer}, as {' and '.join(done.layouts)}, in {Path(out)}")
        say(f"beside the data: {', '.join(beside)}")
