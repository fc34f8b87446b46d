"""Building a plan into a folder: sizes of shards, the folder's state, resume, the manifest last."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from flanmix import manifest, publish
from flanmix.canonical import canonical_json
from flanmix.durable import sync_folder, write_text
from flanmix.errors import BuildError, FlanmixError, Problem, UsageError
from flanmix.examples import Examples
from flanmix.executors.local import build_shards
from flanmix.layouts import LAYOUTS, lay_out
from flanmix.plan import Plan
from flanmix.shards import DATA, STATE, Format, Job, file_facts
from flanmix.spec import Task

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
_SAMPLE_SLICES, _SAMPLE_ROWS = 16, 128
_GROUP_BYTES = 32 << 20
_GROUP_ROWS = 1 << 16
_CARD, _STATE_FILE = "README.md", f"{STATE}/build.json"
_OURS = {DATA, STATE, _CARD, manifest.FILE}


@dataclass(frozen=True)
class Options:
    """How a plan is written. Shards are cut by `shard_rows`, or so that a file has about `max_shard_size` bytes."""

    layout: str = "prompt_completion"
    separator: str = "\n"
    metadata: bool = True
    format: Format = "parquet"
    shard_rows: int | None = None
    max_shard_size: int | str = "500MB"


def parse_size(size: int | str) -> int:
    """Bytes written as people write them; raises `UsageError`.

    >>> parse_size("500MB"), parse_size("1.5GiB")
    (500000000, 1610612736)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?I?)B?\s*", str(size).upper())
    if match is None or match[2] not in _UNITS or float(match[1]) * _UNITS[match[2]] < 1:
        raise UsageError(f"'{size}' is no size", hint="write it like 500MB, 2GiB or a number of bytes")
    return int(float(match[1]) * _UNITS[match[2]])


def make_job(plan: Plan, files: tuple[Path, ...], options: Options) -> Job:
    """Settle how a plan is cut into shards and row groups: a pure function of the plan and the options."""
    if options.layout not in LAYOUTS:
        raise UsageError(f"no layout is called '{options.layout}'", hint=f"there are {', '.join(sorted(LAYOUTS))}")
    if options.format not in ("parquet", "arrow"):
        raise UsageError(f"no format is called '{options.format}'", hint="there are parquet and arrow")
    if options.shard_rows is not None and options.shard_rows < 1:
        raise UsageError(f"shards of {options.shard_rows} rows", hint="give at least 1")
    size = parse_size(options.max_shard_size)
    memory, disk = _bytes_per_row(plan, files, options)
    shard_rows = options.shard_rows or max(1, min(plan.rows, int(size / disk)))
    group_rows = max(1, min(_GROUP_ROWS, int(_GROUP_BYTES / memory)))
    return Job(
        plan, files, options.layout, options.separator, options.metadata, options.format, shard_rows, group_rows
    )


def _bytes_per_row(plan: Plan, files: tuple[Path, ...], options: Options) -> tuple[float, float]:
    """Bytes of a row in memory and on disk, from slices spread evenly over the plan, with some headroom."""
    examples = Examples(plan, files)
    starts = np.unique(np.linspace(0, max(plan.rows - _SAMPLE_ROWS, 0), _SAMPLE_SLICES).astype(int))
    found = [examples.slice(int(start), min(int(start) + _SAMPLE_ROWS, plan.rows)).table for start in starts]
    tables = [lay_out(table, options.layout, separator=options.separator, metadata=options.metadata) for table in found]
    table = pa.concat_tables(tables).combine_chunks()
    rows = max(table.num_rows, 1)
    texts = pa.concat_tables(found).select(["input", "target"]).nbytes / rows
    if options.format == "arrow":
        return texts + 64, (texts + 64) * 1.1
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return texts + 64, max(1.0, min(sink.tell() / rows, texts + 64))


def build(job: Job, out: Path, tasks: Sequence[Task], description: str, num_proc: int, *, quiet: bool) -> dict[str, Any]:
    """Build a job into a folder, or finish it there; gives the manifest. Raises `FlanmixError`.

    A folder that holds this very build is left as it is. A template that fails on a row takes back what this call
    wrote; after a kill or a full disk, what is finished stays, and the same call goes on from there.
    """
    finished = _finished(job, out)
    if finished is not None:
        return finished
    fresh = [place for place in (out, *out.parents) if not place.exists()]
    try:
        done = _claim(job, out)
        todo = [shard for shard in range(job.shards) if shard not in done]
        with tqdm(total=job.plan.rows, unit="rows", unit_scale=True, disable=quiet, desc=job.plan.name) as bar:
            bar.update(job.plan.rows - sum(_positions(job, shard) for shard in todo))
            build_shards(job, todo, out, num_proc, lambda rows: bar.update(rows))
        return _finish(job, out, tasks, description)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        hint = "make room or choose another folder; the same command goes on from the finished shards"
        raise BuildError(Problem(what, file=str(out), hint=hint)) from error
    except FlanmixError as error:
        if not isinstance(error, BuildError):
            _take_back(out, fresh)
        raise


def _positions(job: Job, shard: int) -> int:
    return min(job.shard_rows, job.plan.rows - shard * job.shard_rows)


def _finished(job: Job, out: Path) -> dict[str, Any] | None:
    """The manifest, where the folder holds this very build already; refuses a folder with anything else in it."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise BuildError(Problem("is a file", file=str(out), hint="name a folder that is new or empty"))
    names = {place.name for place in out.iterdir()}
    if not names:
        return None
    if manifest.FILE in names:
        found = manifest.read(out)
        if found.get("build") != job.digest:
            raise _other(out, "holds another plan", found)
        damaged = [s["file"] for s in found["shards"] if not (out / s["file"]).is_file() or (out / s["file"]).stat().st_size != s["bytes"]]
        if damaged:
            raise BuildError(Problem("is missing or damaged", file=str(out / damaged[0]), hint=f"{_REPLACE} (see 'flanmix verify')"))
        if STATE in names:  # killed after the manifest was written
            shutil.rmtree(out / STATE)
        return found
    if not (out / _STATE_FILE).is_file() and names != {STATE}:
        hint = "name a folder that is new or empty"
        raise BuildError(Problem(f"holds other files ({min(names)})", file=str(out), hint=hint))
    state = json.loads((out / _STATE_FILE).read_text(encoding="utf-8")) if names != {STATE} else {"build": job.digest}
    if state.get("build") != job.digest:
        raise _other(out, "holds the unfinished build of another plan", state)
    return None


_REPLACE = "add --replace to build there anew"


def _other(out: Path, what: str, found: dict[str, Any]) -> BuildError:
    plan = str(found.get("plan", ""))[:12]
    return BuildError(Problem(f"{what} ({plan})", file=str(out), hint=f"{_REPLACE}, or name another folder"))


def _claim(job: Job, out: Path) -> set[int]:
    """Make the folder this build's own, clear what a kill left, and say which shards are finished."""
    (out / STATE).mkdir(parents=True, exist_ok=True)
    if not (out / _STATE_FILE).is_file():
        write_text(out / _STATE_FILE, canonical_json({"build": job.digest, "plan": job.plan.digest}))
        sync_folder(out)
    (out / DATA).mkdir(exist_ok=True)
    for leftover in [*(out / DATA).glob(".*.tmp"), *(out / STATE).glob(".*.tmp"), *out.glob(".*.tmp")]:
        leftover.unlink()
    return {shard for shard in range(job.shards) if _receipt(job, out, shard) is not None}


def _receipt(job: Job, out: Path, shard: int) -> dict[str, Any] | None:
    """A shard's receipt, where the file is there and is what the receipt says."""
    file, receipt = out / job.file(shard), out / job.receipt(shard)
    if not (file.is_file() and receipt.is_file()):
        return None
    found: dict[str, Any] = json.loads(receipt.read_text(encoding="utf-8"))
    same = found["build"] == job.digest and file_facts(file).items() <= found.items()
    return found if same else None


def _finish(job: Job, out: Path, tasks: Sequence[Task], description: str) -> dict[str, Any]:
    receipts = [json.loads((out / job.receipt(shard)).read_text(encoding="utf-8")) for shard in range(job.shards)]
    made = manifest.make(job, receipts)
    if not made["rows"]:
        reasons = sorted({reason for task in made["tasks"] for reason in task["dropped"]})
        raise FlanmixError(f"every row was dropped: {', '.join(reasons)}", hint="'flanmix preview' shows why")
    write_text(out / _CARD, publish.card(made, tasks, description))
    write_text(out / manifest.FILE, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(out / STATE)
    return made


def _take_back(out: Path, fresh: Sequence[Path]) -> None:
    """Remove what this call wrote: the folders that were not there before, or what is in one that was empty."""
    if out in fresh:
        shutil.rmtree(fresh[-1])
    else:
        clear(out)


def clear(out: Path) -> None:
    """Empty a folder that holds a build (finished or not) and nothing else; raises `BuildError` where it holds more."""
    if not out.is_dir():
        return
    names = {place.name for place in out.iterdir()}
    ours = (out / manifest.FILE).is_file() or (out / _STATE_FILE).is_file()
    if names and not (ours and names <= _OURS):
        what = f"holds files that flanmix did not write ({min(names - _OURS, default=min(names))})"
        raise BuildError(Problem(what, file=str(out), hint="remove them, or name another folder"))
    for name in (manifest.FILE, _CARD):
        (out / name).unlink(missing_ok=True)
    for name in (DATA, STATE):
        shutil.rmtree(out / name, ignore_errors=False) if (out / name).exists() else None
