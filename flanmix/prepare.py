"""From a task's source to its usable rows: canonical fields, drop rules and guards, kept as a memory-mapped file.

Each prepared file is a pure function of the source's content and of what the task says about it, and is named by a
digest of both; nothing in the cache ever needs to be invalidated, and any of it may be deleted. An Arrow file all of
whose rows are usable as they are is not copied: the cache only holds what was found out about it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from flanmix.bound import BoundTask
from flanmix.canonical import canonical_json
from flanmix.check import refuse_problems, variables_of
from flanmix.durable import written_whole
from flanmix.errors import BuildError, FlanmixError, Problem, SourceError
from flanmix.fields import FieldMaker, columns_of_turns, nullable_of
from flanmix.mapped import Mapped, Original, RowFile
from flanmix.sources import Rows, open_source
from flanmix.sources.rows import merge_types, normal_type
from flanmix.undo import added, make_folder, takes_back, used

FORMAT = 5
"""Goes into every digest: raised whenever prepared bytes would change."""

_TURNS_FORMAT = 1
"""The same for conversations alone."""

_MOST_BATCHES, _LEAST_BYTES = 64, 1 << 20
"""A file of more batches than these is read where it lies only if they have so many bytes each."""


@dataclass(frozen=True)
class Prepared:
    """A task's usable rows: columns are its fields, `fm_row` (its row in the source, from 0) and `fm_guard`.

    They are read from `rows`: from `file`, in the cache, or where the source is an `original` with just these rows,
    from there. `guards[g]` are the indices of the templates that serve the rows with `fm_guard` g,
    of which there are `guard_rows[g]`. `dropped` counts the
    other rows of the source by reason.

    Rows of conversations have the columns `carried` too, whatever the templates use: `prompt`, `response`, `system`,
    `history` (`flanmix.chat.conversations.HISTORY`) and, where the source has flags, `trained`. `repaired` counts those
    that were brought into order, by what was done to them; `talks` says whether any row has a system text or history.
    """

    file: Path
    digest: str
    source_rows: int
    usable: int
    dropped: Mapping[str, int]
    guards: tuple[tuple[int, ...], ...]
    guard_rows: tuple[int, ...]
    original: Original | None = None
    repaired: Mapping[str, int] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    talks: bool = False

    @property
    def rows(self) -> RowFile:
        """Where the rows are read from."""
        return self.original or self.file


def cache_folder() -> Path:
    """Where prepared files are kept: $FLANMIX_CACHE, or flanmix below the user's cache folder."""
    if chosen := os.environ.get("FLANMIX_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flanmix"


@takes_back()
def prepare(bound: BoundTask, split: str = "train") -> Prepared:
    """Prepare one split of a task, or find it prepared.

    Raises `SourceError` or `TemplateError`, and `BuildError` where the cache cannot be written.
    """
    refuse_problems([bound])
    try:
        rows = open_source(bound.task.source, split, bound.folder)
        return _prepare(bound, rows)
    except OSError as error:
        what = f"the cache cannot be written: {error.strerror or error}"
        hint = "make room, or set FLANMIX_CACHE to another folder"
        raise BuildError(Problem(what, file=str(cache_folder()), hint=hint)) from error
    except FlanmixError as error:
        raise type(error)([_at_task(bound, problem) for problem in error.problems]) from error


def _at_task(bound: BoundTask, problem: Problem) -> Problem:
    """A problem of the data, told with the line of the task that led there."""
    if problem.file and problem.file == bound.where.origin.file:
        return problem
    at_source = bound.where.at("source").problem("")
    what = f"{problem.file}:{problem.line}: " if problem.line else f"{problem.file}: " if problem.file else ""
    return Problem(f"{what}{problem.what}", at_source.file, at_source.line, "source", problem.hint)


def _prepare(bound: BoundTask, rows: Rows) -> Prepared:
    folder = cache_folder() / "prepared"
    recipe = _recipe(bound, rows)
    if rows.identity is not None:
        digest = _digest(rows.identity, recipe)
        found = _load(folder, digest, rows)
        if found is not None:
            return found
        as_it_is = _as_it_is(bound, rows)
        if as_it_is is not None:
            make_folder(folder)
            return _keep(folder, digest, as_it_is, rows)
    make_folder(folder)
    written = folder / f".{uuid4().hex}.arrow"
    try:
        made = _write(written, bound, rows)
        rows.check()
        if rows.identity is None:
            with written.open("rb") as stream:
                digest = _digest(hashlib.file_digest(stream, "sha256").hexdigest(), recipe)
        with written_whole(folder / f"{digest}.arrow") as temporary:
            os.replace(written, temporary)
        added(folder / f"{digest}.arrow")
        size = (folder / f"{digest}.arrow").stat().st_size
        return _keep(folder, digest, {**made, "bytes": size}, rows)
    finally:
        written.unlink(missing_ok=True)


def _keep(folder: Path, digest: str, facts: dict[str, Any], rows: Rows) -> Prepared:
    """Write down what was found out about a task's rows."""
    with written_whole(folder / f"{digest}.json") as temporary:
        temporary.write_text(canonical_json(facts), encoding="utf-8")
    added(folder / f"{digest}.json")
    return _prepared(folder, digest, facts, rows)


def _prepared(folder: Path, digest: str, facts: dict[str, Any], rows: Rows) -> Prepared:
    counted = {name: facts[name] for name in ("source_rows", "usable", "dropped")}
    counted |= {"guards": tuple(map(tuple, facts["guards"])), "guard_rows": tuple(facts["guard_rows"])}
    if "carried" in facts:
        carried = tuple(facts["carried"])
        counted |= {"repaired": facts["repaired"], "carried": carried, "talks": facts["talks"]}
    if "columns" in facts and rows.seal is not None:
        return Prepared(rows.seal.path, digest, **counted, original=Original(rows.seal, facts["columns"]))
    return Prepared(folder / f"{digest}.arrow", digest, **counted)


def _as_it_is(bound: BoundTask, rows: Rows) -> dict[str, Any] | None:
    """The facts about a source that is an Arrow file with usable rows and nothing else; None where it must be copied.

    Every byte was hashed and every value is looked at; what is broken is told when it is copied.
    """
    maker = FieldMaker(bound, rows.schema, rows.shown)
    if rows.seal is None or maker.plain is None:
        return None
    mapped = Mapped(rows.seal.path)
    total = batches = 0
    for batch in mapped.batches():
        kinds = [batch.schema.field(name).type for name in maker.plain.values()]
        if not (mapped.holds(batch) and all(pa.types.is_string(kind) or kind == normal_type(kind) for kind in kinds)):
            return None
        try:
            batch.validate(full=True)
        except pa.ArrowInvalid:
            return None
        if any(batch.column(column).null_count for name, column in maker.plain.items() if name not in maker.nullable):
            return None
        total, batches = total + len(batch), batches + 1
    if not total or (batches > _MOST_BATCHES and mapped.size < batches * _LEAST_BYTES):
        return None
    rows.check()
    guards = [list(range(len(bound.templates)))]
    counts = {"source_rows": total, "usable": total, "dropped": {}, "guards": guards, "guard_rows": [total]}
    return {**counts, "columns": dict(maker.plain)}


def _recipe(bound: BoundTask, rows: Rows) -> str:
    """All that a task says about how its source becomes fields and guards."""
    task = bound.task
    whens = [item.template.when for item in bound.templates]
    names = [sorted(variables_of(bound)), sorted(nullable_of(bound))]
    turns = columns_of_turns(bound, rows.schema, rows.shown)
    in_turns = [_TURNS_FORMAT, turns.model_dump(mode="json")] if turns else []
    return canonical_json([FORMAT, task.fields, task.drop, *names, whens, *in_turns])


def _digest(identity: str, recipe: str) -> str:
    return hashlib.sha256(f"{identity}\0{recipe}".encode()).hexdigest()


def _load(folder: Path, digest: str, rows: Rows) -> Prepared | None:
    file, facts = folder / f"{digest}.arrow", folder / f"{digest}.json"
    if not (facts.is_file() and used(facts)):
        return None
    try:
        found = json.loads(facts.read_text(encoding="utf-8"))
        whole = "columns" in found or (file.is_file() and used(file) and file.stat().st_size == found["bytes"])
        return _prepared(folder, digest, found, rows) if whole else None
    except (ValueError, KeyError, TypeError):  # not as it was written: prepared anew
        return None


class _Wider(Exception):
    """A later batch needs a wider type for a computed field: start again with it."""


def _write(file: Path, bound: BoundTask, rows: Rows) -> dict[str, Any]:
    """Write a task's usable rows; gives the facts of `Prepared`."""
    types: dict[str, pa.DataType] = {}
    while True:
        try:
            return _write_once(file, FieldMaker(bound, rows.schema, rows.shown), rows, types)
        except _Wider:
            continue


def _write_once(file: Path, maker: FieldMaker, rows: Rows, types: dict[str, pa.DataType]) -> dict[str, Any]:
    writer: Any = None
    total = usable = 0
    talks = False
    try:
        for batch in rows.batches():
            kept = maker.usable(batch, total)
            talks = talks or (bool(maker.carried) and _talks(kept))
            total += len(batch)
            widened = _widen(types, kept.schema, maker)
            if widened and writer is not None:
                raise _Wider
            schema = pa.schema([pa.field(name, types[name]) for name in kept.schema.names])
            writer = writer or pa.ipc.new_file(str(file), schema)
            if len(kept):
                writer.write_batch(kept.cast(schema))
            usable += len(kept)
    finally:
        if writer is not None:
            writer.close()
    if not usable:
        why = ", ".join(f"{reason}: {count}" for reason, count in maker.dropped.items())
        hint = f"of {total} rows none is usable ({why})" if total else "it is empty"
        raise SourceError(Problem("has no usable rows", file=rows.shown, hint=hint))
    counts = {"source_rows": total, "usable": usable, "dropped": dict(maker.dropped)}
    rows_of = tuple(maker.guard_rows[guard] for guard in range(len(maker.guards)))
    facts = {**counts, "guards": tuple(maker.guards), "guard_rows": rows_of}
    if not maker.carried:
        return facts
    return {**facts, "repaired": dict(maker.repaired), "carried": maker.carried, "talks": talks}


def _talks(rows: pa.RecordBatch) -> bool:
    """Whether any row of conversations has a system text or earlier turns."""
    lengths = (pc.binary_length(rows.column("system")), pc.list_value_length(rows.column("history")))
    return any(bool(pc.max(each).as_py()) for each in lengths)


def _widen(types: dict[str, pa.DataType], schema: pa.Schema, maker: FieldMaker) -> bool:
    """Widen `types` so that they hold a batch of this schema too; says whether anything changed."""
    before = dict(types)
    for column in schema:
        wider = merge_types(types.get(column.name, pa.null()), column.type)
        if wider is None:
            what = f"is {types[column.name]} in some rows and {column.type} in others"
            raise SourceError(maker.bound.where.at("fields", column.name).problem(what, "give it one type"))
        types[column.name] = wider
    return types != before
