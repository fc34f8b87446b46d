"""Files that are either whole or not there: temporary name, fsync, rename, fsync of the folder."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp")


def name_to_be(name: str) -> str:
    """The name that a temporary file would have got; any other name as it is.

    >>> name_to_be(".card.md.0123abcd.tmp"), name_to_be("card.md")
    ('card.md', 'card.md')
    """
    match = _TEMPORARY.fullmatch(name)
    return match[1] if match else name


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


@contextmanager
def folder_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder beside, which becomes `folder` (new, or empty) when the block ends well; otherwise it goes."""
    temporary = folder.parent / f".{folder.name}.{uuid4().hex[:8]}.tmp"
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for place in [*temporary.rglob("*"), temporary]:
            if place.is_dir():
                sync_folder(place)
            else:
                with place.open("rb+") as stream:
                    os.fsync(stream.fileno())
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder.parent)


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


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write many text files whole, and sync them together: that is faster than one after the other.

    Raises `OSError` of the first that cannot be written, with its name; then no file has changed.
    """
    waiting: dict[Path, Path] = {}
    try:
        for file, text in texts.items():
            waiting[file] = file.parent / f".{file.name}.{uuid4().hex[:8]}.tmp"
            waiting[file].write_text(text, encoding="utf-8")
        for temporary in waiting.values():
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
        for file, temporary in waiting.items():
            os.replace(temporary, file)
    finally:
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)
    for folder in {file.parent for file in texts}:
        sync_folder(folder)
