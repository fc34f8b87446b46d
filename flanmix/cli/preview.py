"""`flanmix preview`: rendered rows, coloured by field."""

from pathlib import Path

import click

from flanmix.cli.options import complete_tasks, print_table, registry_option, say
from flanmix.errors import UsageError


@click.command("preview")
@click.argument("task", shell_complete=complete_tasks)
@click.option("--rows", type=click.IntRange(1), default=1, show_default=True, help="How many rows to show.")
@click.option("-t", "--template", "templates", multiple=True, help="Only this template. May be given again.")
@click.option("--split", default="train", show_default=True, help="The split to take rows of.")
@click.option("--html", metavar="FILE", help="Write a page in place of printing.")
@registry_option
def command(
    task: str, rows: int, templates: tuple[str, ...], split: str, html: str | None, folders: tuple[str, ...]
) -> None:
    """Show a few rows of TASK in every template that serves them."""
    from flanmix.api import load_registry

    if html is not None and (Path(html).is_dir() or not Path(html).parent.is_dir()):
        what = "is a folder" if Path(html).is_dir() else "is in a folder that is not there"
        raise UsageError(f"{html} {what}", hint="name a file in a folder that is there")
    cards = load_registry(*folders)[task].preview(rows=rows, templates=templates or None, split=split)
    if html is None:
        print_table(cards)
        return
    page = f"<!doctype html><meta charset=utf-8><title>flanmix preview</title>{cards._repr_html_()}"
    try:
        Path(html).write_text(page, "utf-8")
    except OSError as error:
        raise UsageError(f"{html} cannot be written: {error.strerror}", hint="name another file") from error
    say(f"{len(cards)} cards in {html}")
