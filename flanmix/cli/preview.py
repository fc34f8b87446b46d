"""`flanmix preview`: rendered rows, coloured by field."""

import click

from flanmix.cli.options import complete_tasks, print_table, registry_option, say
from flanmix.cli.pages import refuse_page, write_page


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

    refuse_page(html)
    cards = load_registry(*folders)[task].preview(rows=rows, templates=templates or None, split=split)
    if html is None:
        print_table(cards)
        return
    write_page(html, "flanmix preview", cards)
    say(f"{len(cards)} cards in {html}")
