"""Building a plan into a folder: the shards, resume, the manifest last."""

import errno
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm.auto import tqdm

from flanmix import manifest, publish
from flanmix.chat.cutting import LONG
from flanmix.chat.template import ChatTemplate
from flanmix.durable import write_text
from flanmix.encoding import Encoding
from flanmix.errors import BuildError, FlanmixError, Problem, UsageError
from flanmix.executors.local import build_shards
from flanmix.finishing import Output
from flanmix.folder import CARD, claim, finished, sweep, take_back
from flanmix.layouts import LAYOUTS, TOKENS, Writing
from flanmix.mapped import RowFile
from flanmix.plan import Plan
from flanmix.shards import STATE, Format, Job, read_receipt
from flanmix.sizing import measure
from flanmix.spec import Task, TurnTags

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
_GROUP_BYTES = 32 << 20
_GROUP_ROWS = 1 << 16
_NOT_A_PLACE = {errno.ENOTDIR, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True)
class Options:
    """How a plan is written. Shards are cut by `shard_rows`, or so that a file has about `max_shard_size` bytes.

    A layout of tokens takes an `encoding`, one of plain texts perhaps a `chat` template: see `Output`.
    """

    layout: str = "prompt_completion"
    separator: str = "\n"
    turn_tags: TurnTags = field(default_factory=TurnTags)
    metadata: bool = True
    format: Format = "parquet"
    shard_rows: int | None = None
    max_shard_size: int | str = "500MB"
    encoding: Encoding | None = None
    chat: ChatTemplate | None = None

    @property
    def output(self) -> Output:
        """What each row is written as."""
        separator = self.separator if self.chat is None else ""
        return Output(self.layout, Writing(separator, self.turn_tags), self.metadata, self.encoding, self.chat)


def parse_size(size: int | str) -> int:
    """Bytes written as people write them; raises `UsageError`.

    >>> parse_size("500MB"), parse_size("1.5GiB")
    (500000000, 1610612736)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?I?)B?\s*", str(size).upper())
    if match is None or match[2] not in _UNITS or float(match[1]) * _UNITS[match[2]] < 1:
        raise UsageError(f"'{size}' is no size", hint="write it like 500MB, 2GiB or a number of bytes")
    return int(float(match[1]) * _UNITS[match[2]])


def make_job(plan: Plan, files: tuple[RowFile, ...], options: Options) -> Job:
    """Settle how a plan is cut into shards and row groups: a pure function of the plan and the options.

    Raises `FlanmixError`.
    """
    if options.layout not in LAYOUTS:
        raise UsageError(f"no layout is called '{options.layout}'", hint=f"there are {', '.join(sorted(LAYOUTS))}")
    if (options.layout in TOKENS) != (options.encoding is not None):
        raise UsageError("an encoding and a layout of tokens go together", hint="see flanmix.encoding.make_encoding")
    _refuse_what_has_no_place(plan, options)
    if options.format not in ("parquet", "arrow"):
        raise UsageError(f"no format is called '{options.format}'", hint="there are parquet and arrow")
    if options.shard_rows is not None and options.shard_rows < 1:
        raise UsageError(f"shards of {options.shard_rows} rows", hint="give at least 1")
    size = parse_size(options.max_shard_size)
    draft = Job(plan, files, options.output, options.format, plan.rows, 1)
    try:
        row = measure(draft, None if options.shard_rows else size)
    except (OSError, pa.ArrowInvalid) as error:
        raise _unreadable(error) from error
    shard_rows = options.shard_rows or min(plan.rows, row.rows_in(size))
    return replace(draft, shard_rows=shard_rows, group_rows=max(1, min(_GROUP_ROWS, int(_GROUP_BYTES / row.memory))))


def _refuse_what_has_no_place(plan: Plan, options: Options) -> None:
    """Raise `UsageError` for system texts and earlier turns where nothing can write them."""
    encoding = options.encoding
    pairs = not LAYOUTS[options.layout].ROOM if encoding is None else not encoding.chat
    if pairs and options.chat is None and {"system", "history"} & set(plan.chat_columns):
        roomy = ", ".join(name for name in LAYOUTS if LAYOUTS[name].ROOM and name not in TOKENS)
        what = f"rows have system texts or earlier turns, and without a chat template '{options.layout}' has no place"
        raise UsageError(f"{what} for them", hint=f"name a 'chat_template', or take one of {roomy}")
    if encoding is not None and encoding.policy == "chosen" and "trained" not in plan.chat_columns:
        hint = "take another 'loss', or name the flags as 'train' under 'conversation' of a task"
        raise UsageError("loss 'chosen', where no task has flags that say which turns are trained", hint=hint)


def build(
    job: Job,
    out: Path,
    tasks: Sequence[Task],
    description: str,
    num_proc: int,
    *,
    quiet: bool,
    more: Callable[[Path, Mapping[str, Any]], Mapping[str, Any]] = lambda out, made: {},
) -> dict[str, Any]:
    """Build a job into a folder, or finish it there; gives the manifest. Raises `FlanmixError`.

    A folder that holds this very build is left as it is, but tells what is held out now. A template that fails on
    a row takes back what this call wrote; after a kill or a full disk, what is finished stays, and the same call goes
    on from there. What `more` makes of the finished shards and their manifest goes into it.
    """
    fresh = [place for place in (out, *out.parents) if not place.exists()]
    try:
        if made := finished(job, out):
            return _told_anew(job, out, made, tasks, description)
        return _build(job, out, tasks, description, num_proc, quiet, more)
    except OSError as error:
        raise _trouble(job, out, error) from error
    except FlanmixError as error:
        if not isinstance(error, BuildError):
            take_back(out, fresh)
        raise


def _build(
    job: Job,
    out: Path,
    tasks: Sequence[Task],
    description: str,
    num_proc: int,
    quiet: bool,
    more: Callable[[Path, Mapping[str, Any]], Mapping[str, Any]],
) -> dict[str, Any]:
    todo = claim(job, out)
    with tqdm(total=job.plan.rows, unit="rows", unit_scale=True, disable=quiet, desc=job.plan.name) as bar:
        bar.update(job.plan.rows - sum(len(job.positions(shard)) for shard in todo))

        def progress(rows: int) -> None:
            bar.update(rows)

        try:
            build_shards(job, todo, out, num_proc, progress)
        except BaseException:
            with suppress(OSError):
                sweep(out)
            raise
    receipts = [read_receipt(job, shard, out) for shard in range(job.shards)]
    if None in receipts:
        hint = "give the same command to go on"
        raise BuildError(Problem("was changed by someone else while it was built", file=str(out), hint=hint))
    made = manifest.make(job, list(filter(None, receipts)))
    if not made["rows"]:
        reasons = sorted({reason for task in made["tasks"] for reason in task["dropped"]})
        hint = "give a greater 'max_length', or 'truncate'" if LONG in reasons else "'flanmix preview' shows why"
        raise FlanmixError(f"every row was dropped: {', '.join(reasons)}", hint=hint)
    made |= more(out, made)
    _tell(out, made, tasks, description)
    shutil.rmtree(out / STATE)
    return made


def _told_anew(job: Job, out: Path, made: dict[str, Any], tasks: Sequence[Task], description: str) -> dict[str, Any]:
    """The manifest of a finished build. What is held out decides no row that is there, so that it may differ."""
    held = [each.facts() for each in job.plan.held_out]
    if made.get("held_out", []) != held:
        made = {**made, "held_out": held}
        _tell(out, made, tasks, description)
    return made


def _tell(out: Path, made: Mapping[str, Any], tasks: Sequence[Task], description: str) -> None:
    write_text(out / CARD, publish.card(made, tasks, description))
    write_text(out / manifest.FILE, json.dumps(made, indent=1, ensure_ascii=False) + "\n")


def _trouble(job: Job, out: Path, error: OSError) -> BuildError:
    if error.filename in map(str, job.files):
        return _unreadable(error)
    hint = "name another folder" if error.errno in _NOT_A_PLACE else "make room, then give the same command to go on"
    return BuildError(Problem(f"cannot be written: {error.strerror or error}", file=str(out), hint=hint))


def _unreadable(error: Exception) -> BuildError:
    what = f"prepared rows cannot be read: {getattr(error, 'strerror', None) or error}"
    hint = "they are a cache: remove it, then plan again"
    return BuildError(Problem(what, file=getattr(error, "filename", None), hint=hint))
