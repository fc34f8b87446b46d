"""Files that are either whole or not there: temporary name, fsync, rename, fsync of the folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """A temporary path in the same folder, which becomes `file` when the block ends well and is removed otherwise."""
    temporary = file.parent / f".{file.name}.{uuid4().hex[:8]}.tmp"
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the files' content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(file: Path, text: str) -> None:
    """Write a text file whole."""
    with written_whole(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
