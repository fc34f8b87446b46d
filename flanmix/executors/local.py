"""Shards built by processes on this machine."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

import pyarrow as pa

from flanmix.errors import BuildError
from flanmix.examples import Examples
from flanmix.mapped import cores
from flanmix.shards import Job, write_shards


def build_shards(job: Job, shards: Sequence[int], folder: Path, num_proc: int, progress: Callable[[int], None]) -> None:
    """Build these shards of a job with `num_proc` processes, this one among them.

    `progress` is told of positions done, by one thread at a time.
    """
    todo = _Todo(shards, min(num_proc, len(shards)), progress)
    workers: dict[Connection, BaseProcess] = {}
    servants: list[threading.Thread] = []
    try:
        with _on_their_own():
            workers.update(_worker() for _ in range(todo.num_proc - 1))
        servants = [threading.Thread(target=_serve, args=(todo, job, folder, worker)) for worker in workers]
        for servant in servants:
            servant.start()
        examples = Examples(job.plan, job.files, job.ahead)
        while run := todo.take():
            write_shards(job, examples, run, folder, todo.told, overlap=todo.overlap)
        for servant in servants:
            servant.join()
        todo.told(0)
    finally:
        for process in workers.values():
            process.kill()  # done, or its shard is lost anyway: files are whole or not there
            process.join()
        for servant in servants:
            servant.join()  # its pipe is broken
        for connection in workers:
            connection.close()


class _Todo:
    """The shards that are left, handed out in runs of neighbours, which shorten towards the end."""

    def __init__(self, shards: Sequence[int], num_proc: int, progress: Callable[[int], None]) -> None:
        self.num_proc = num_proc
        self.overlap = num_proc < cores()
        self.failure: Exception | None = None
        self._left, self._progress, self._lock = list(shards), progress, threading.Lock()

    def take(self) -> range:
        """The next run, of no shards where none is left or something failed."""
        with self._lock:
            if not self._left or self.failure:
                return range(0)
            most = len(self._left) if self.num_proc == 1 else max(1, 2 * len(self._left) // (3 * self.num_proc))
            first = self._left[0]
            run = range(first, next((first + n for n in range(1, most) if self._left[n] != first + n), first + most))
            del self._left[: len(run)]
            return run

    def told(self, rows: int) -> None:
        """Hand on what a process says; raises what went wrong in another."""
        with self._lock:
            if self.failure:
                raise self.failure
            self._progress(rows)


def _serve(todo: _Todo, job: Job, folder: Path, connection: Connection) -> None:
    """Give a worker one run after the other, over a pipe that breaks when it dies: no locks, no queues between them."""
    try:
        connection.send((job, folder, todo.overlap))
        while run := todo.take():
            connection.send(run)
            while (told := connection.recv()) is not None:
                if isinstance(told, Exception):
                    raise told
                todo.told(told)
    except (EOFError, OSError) as error:
        hint = "often the memory ran out: run the same command again with fewer processes; finished shards are kept"
        failure = BuildError("a worker process was killed", hint=hint)
        failure.__cause__ = BrokenExecutor(repr(error))
        todo.failure = todo.failure or failure
    except Exception as error:
        todo.failure = todo.failure or error


def _worker() -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")  # a forked copy of a process with threads may hang
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)  # more might fill the pipe of a dead process
    process.start()
    theirs.close()
    return ours, process


@contextmanager
def _on_their_own() -> Iterator[None]:
    """Keep started processes from importing the user's script: they need nothing of it, and it may lack a guard.

    And from hearing Ctrl-C, from their first moment on: this process decides.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    resource_tracker.ensure_running()  # it would unblock what is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a new process inherits the mask
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.modules["__main__"] = main


def _work(connection: Connection) -> None:
    """Take a job, then runs of shards until the pipe closes; tell of positions done, a run done (None) or an error."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pa.set_cpu_count(1)  # each process has a core
    try:
        job, folder, overlap = connection.recv()
        examples = Examples(job.plan, job.files, job.ahead)
        while True:
            write_shards(job, examples, connection.recv(), folder, connection.send, overlap=overlap)
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
