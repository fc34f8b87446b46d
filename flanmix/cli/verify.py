"""`flanmix verify`: a built folder against its manifest."""

from pathlib import Path

import click

from flanmix.cli.options import say


@click.command("verify")
@click.argument("folder", metavar="DIR")
def command(folder: str) -> None:
    """Check every shard of DIR against its manifest: sizes, SHA-256, counts, files that do not belong."""
    from flanmix.manifest import verify

    manifest = verify(Path(folder))
    say(f"{manifest['rows']:,} rows in {len(manifest['shards'])} shards: all as the manifest says")
