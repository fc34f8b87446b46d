"""What a call that fails takes back: the files it added to the cache, and the folders it made for them."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from flanmix.errors import FlanmixError

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
_added: ContextVar[dict[Path, int] | None] = ContextVar("_added", default=None)
"""What the running call has added, in order, with the times of the files."""


@contextmanager
def takes_back() -> Iterator[None]:
    """Where the block raises a `FlanmixError`, remove what it added, unless another process has used it since.

    Not where the machine got in the way (a full disk, a killed worker): the same call goes on from what is there.
    """
    outer = _added.get()
    added: dict[Path, int] = {} if outer is None else outer
    before = set(added)
    token = _added.set(added)
    try:
        yield
    except FlanmixError as error:
        cause = error.__cause__
        if not isinstance(cause, BrokenExecutor) and getattr(cause, "errno", None) not in _MACHINE:
            for path in [path for path in reversed(added) if path not in before]:
                _remove(path, added.pop(path))
        raise
    finally:
        _added.reset(token)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it."""
    fresh = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(fresh):
        _note(place)


def added(file: Path) -> None:
    """Note a file that the running call has written."""
    _note(file)


def used(file: Path) -> bool:
    """Mark a file as used, so that a call of another process does not take it back; False where it is gone."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    except OSError:  # a cache that is only read: nobody takes anything back there
        return True
    if file in (_added.get() or {}):
        _note(file)
    return True


def _note(path: Path) -> None:
    journal = _added.get()
    if journal is not None:
        journal[path] = path.stat().st_mtime_ns


def _remove(path: Path, time: int) -> None:
    with suppress(OSError):
        if path.is_dir():
            path.rmdir()  # where nothing else is in it
        elif path.stat().st_mtime_ns == time:
            path.unlink()
