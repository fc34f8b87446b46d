"""`flanmix explain`: how a row of a built folder came to be."""

from pathlib import Path

import click

from flanmix.cli.options import print_table, registry_option, say
from flanmix.cli.pages import refuse_page, write_page


@click.command("explain")
@click.argument("folder", metavar="DIR")
@click.argument("row", type=click.IntRange(0))
@click.option("--tokenizer", metavar="NAME", help="For tokens: where the build's tokenizer is now, if it has moved.")
@click.option("--html", metavar="FILE", help="Write a page in place of printing.")
@registry_option
def command(folder: str, row: int, tokenizer: str | None, html: str | None, folders: tuple[str, ...]) -> None:
    """Show how ROW of the built folder DIR came to be, counted from 0 through all its shards.

    The source's row and the wording come from the catalogue, to which -r adds your own folders.
    """
    from flanmix.api import load_registry
    from flanmix.api.plans import Built

    refuse_page(html)
    found = Built(Path(folder)).explain(row, registry=load_registry(*folders), tokenizer=tokenizer)
    if html is None:
        print_table(found)
        return
    write_page(html, "flanmix explain", found)
    say(f"row {row} in {html}")
