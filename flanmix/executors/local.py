"""Shards built by processes on this machine."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from flanmix.errors import BuildError
from flanmix.examples import Examples
from flanmix.shards import Job, write_shard


def build_shards(job: Job, shards: Sequence[int], folder: Path, num_proc: int, progress: Callable[[int], None]) -> None:
    """Build these shards of a job with `num_proc` processes; `progress` is told of positions done."""
    if min(num_proc, len(shards)) > 1:
        _share_out(job, deque(shards), folder, min(num_proc, len(shards)), progress)
        return
    examples = Examples(job.plan, job.files)
    for shard in shards:
        write_shard(job, examples, shard, folder, progress)


def _share_out(job: Job, shards: deque[int], folder: Path, num_proc: int, progress: Callable[[int], None]) -> None:
    """Give each worker one shard after the other, over a pipe that breaks when the worker dies: no locks, no queues."""
    workers: dict[Connection, BaseProcess] = {}
    try:
        with _no_main_module():
            workers.update(_worker() for _ in range(num_proc))
        for connection in workers:
            _send(connection, (job, folder))
            _send(connection, shards.popleft())
        busy = set(workers)
        while busy:
            for connection in busy.intersection(wait(busy)):
                told = _receive(connection)
                if isinstance(told, Exception):
                    raise told
                if told is not None:
                    progress(told)
                elif shards:
                    _send(connection, shards.popleft())
                else:
                    busy.remove(connection)
    finally:
        for connection, process in workers.items():
            connection.close()
            process.kill()  # done, or its shard is lost anyway: files are whole or not there
            process.join()


def _worker() -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")  # a forked copy of a process with threads may hang
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)  # more might fill the pipe of a dead process
    process.start()
    theirs.close()
    return ours, process


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep started processes from importing the user's script: they need nothing of it, and it may lack a guard."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _send(connection: Connection, message: Any) -> None:
    try:
        connection.send(message)
    except OSError as error:
        raise _killed() from BrokenExecutor(repr(error))


def _receive(connection: Connection) -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError) as error:
        raise _killed() from BrokenExecutor(repr(error))


def _killed() -> BuildError:
    hint = "often the memory ran out: run the same command again with fewer processes; finished shards are kept"
    return BuildError("a worker process was killed", hint=hint)


def _work(connection: Connection) -> None:
    """Take a job, then shards until the pipe closes; tell of positions done, of a shard done (None) or of an error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        job, folder = connection.recv()
        examples = Examples(job.plan, job.files)
        while True:
            write_shard(job, examples, connection.recv(), folder, connection.send)
            connection.send(None)
    except EOFError:
        return
    except Exception as error:
        with suppress(OSError):
            connection.send(error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
