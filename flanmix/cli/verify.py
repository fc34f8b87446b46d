"""`flanmix verify`: a built folder against its manifest."""

from pathlib import Path

import click

from flanmix.cli.options import say
from flanmix.words import count_of


@click.command("verify")
@click.argument("folder", metavar="DIR")
def command(folder: str) -> None:
    """Check every shard of DIR against its manifest: sizes, SHA-256, counts, files that do not belong."""
    from flanmix.manifest import verify

    manifest = verify(Path(folder))
    shards = count_of(len(manifest["shards"]), "shard")
    say(f"{count_of(manifest['rows'], 'row')} in {shards}: all as the manifest says")
