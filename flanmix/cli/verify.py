"""`flanmix verify`: a built folder against its manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from flanmix.cli.options import say
from flanmix.words import count_of


@click.command("verify")
@click.argument("folder", metavar="DIR")
def command(folder: str) -> None:
    """Check every shard of DIR against its manifest: sizes, SHA-256, counts, files that do not belong."""
    from flanmix.manifest import verify

    manifest = verify(Path(folder))
    say(f"{count_of(manifest['rows'], 'row')} in {_parts(manifest)}: all as the manifest says")


def _parts(manifest: Mapping[str, Any]) -> str:
    if "stages" in manifest:
        return count_of(len(manifest["stages"]), "stage")
    return count_of(len(manifest["shards"]), "shard")
