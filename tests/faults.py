"""A disk that fails at its n-th call, or a process that dies there, in the test's own process."""

import errno
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, Literal

import pyarrow.parquet as pq
import pytest

from flanmix import shards

Kind = Literal["once", "for good", "death"]
KINDS: tuple[Kind, ...] = ("once", "for good", "death")
_CALLS = {
    os: ("open", "fsync", "replace", "mkdir", "unlink", "rmdir"),
    io: ("open",),
    pq.ParquetWriter: ("write_table", "close"),
}


class OneThread(Executor):
    """Does at once what a pool would do beside: calls have numbers only where one comes after the other."""

    def __init__(self, threads: int) -> None:
        """As many threads as a pool would have."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **options))
        except BaseException as error:
            done.set_exception(error)
        return done


class Died(BaseException):
    """The process was killed here: nothing that it does from now on reaches the disk."""


@contextmanager
def failing(at: int, kind: Kind) -> Iterator[list[str]]:
    """Let the call number `at` (from 1) to the file system fail; gives the names of the calls made.

    `once`: that call alone raises an `OSError`. `for good`: so do all after it, clearing up too. `death`: that call
    and all after it do nothing and raise `Died`. A call that fails has no effect.
    """
    calls: list[str] = []

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) == at or (len(calls) > at and kind != "once"):
                raise Died if kind == "death" else OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*args, **options)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "__del__", pq.ParquetWriter.close)  # where nobody would see it fail
        for place, names in _CALLS.items():
            for name in names:
                patch.setattr(place, name, wrapped(f"{place.__name__}.{name}", getattr(place, name)))
        patch.setattr(shards, "ThreadPoolExecutor", OneThread)
        yield calls


def calls_of(action: Callable[[], object]) -> list[str]:
    """The calls that an action makes when nothing fails."""
    with failing(0, "once") as calls:
        action()
    return calls
