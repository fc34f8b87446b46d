"""Shards built by processes on this machine."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from flanmix.errors import BuildError
from flanmix.examples import Examples
from flanmix.shards import Job, write_shard

_POLL_SECONDS = 0.2


def build_shards(
    job: Job, shards: Sequence[int], folder: Path, num_proc: int, progress: Callable[[int], None]
) -> None:
    """Build these shards of a job with `num_proc` processes; `progress` is told of positions done."""
    num_proc = min(num_proc, len(shards))
    if num_proc <= 1:
        examples = Examples(job.plan, job.files)
        for shard in shards:
            write_shard(job, examples, shard, folder, progress)
        return
    context = multiprocessing.get_context("spawn")  # a forked copy of a process with threads may hang
    done = context.Value("q", 0)
    seen = 0
    with ProcessPoolExecutor(num_proc, context, _start, (job, folder, done)) as pool:
        try:
            waiting = {pool.submit(_build, shard) for shard in shards}
            while waiting:
                finished, waiting = wait(waiting, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                now = done.value
                progress(now - seen)
                seen = now
                for future in finished:
                    future.result()
            progress(done.value - seen)
        except BrokenProcessPool as error:
            hint = "often the memory ran out: run the same command again with fewer processes; finished shards are kept"
            raise BuildError("a worker process was killed", hint=hint) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class _Worker:
    """What a worker process keeps between shards."""

    job: Job
    folder: Path
    examples: Examples
    done: Any


def _start(job: Job, folder: Path, done: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Worker.job, _Worker.folder, _Worker.done = job, folder, done
    _Worker.examples = Examples(job.plan, job.files)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _build(shard: int) -> None:
    def progress(rows: int) -> None:
        with _Worker.done.get_lock():
            _Worker.done.value += rows

    write_shard(_Worker.job, _Worker.examples, shard, _Worker.folder, progress)
