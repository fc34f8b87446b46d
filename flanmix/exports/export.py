"""`flanmix export`: a build as one trainer reads it, whole or not at all, and checked before it is there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flanmix import manifest
from flanmix._version import __version__
from flanmix.durable import folder_whole
from flanmix.errors import BuildError, Problem, UsageError
from flanmix.exports import find_trainer
from flanmix.exports.checking import Report, check, check_rows
from flanmix.exports.convert import CONVERTIBLE, ROOM
from flanmix.exports.rows import Rows
from flanmix.exports.seen import EXPORT, look
from flanmix.exports.trainer import Exported, Trainer
from flanmix.layouts import Writing
from flanmix.spec import TurnTags

_AGAIN = "build the folder again (see 'flanmix verify')"


@dataclass(frozen=True)
class Export:
    """A finished export on disk: its folder, whom it is for, the layouts that were written, what the check warns of."""

    folder: Path
    trainer: str
    layouts: tuple[str, ...]
    rows: int
    files: tuple[str, ...]
    warnings: tuple[Problem, ...]


def export(
    folder: str | Path, out: str | Path, *, trainer: str, layout: str | None = None, strict: bool = False
) -> Export:
    """Write a build into `out` as a trainer reads it, with the files that its config needs; stages each in a folder.

    Rows stay in the build's layout if the trainer reads it, else they are put into the first of the trainer's layouts
    that can hold them; `layout` chooses. `strict` leaves out the fm_ columns, which otherwise stay unless the trainer
    stops at them. Raises `FlanmixError`; then nothing is written.
    """
    chosen, folder, out = find_trainer(trainer), Path(folder), Path(out)
    if layout is not None and layout not in chosen.layouts:
        hint = f"it reads {', '.join(chosen.layouts)}"
        raise UsageError(f"{chosen.name} does not read the layout '{layout}'", hint=hint)
    facts = manifest.read(folder)
    stages = [*facts["stages"]] if "stages" in facts else [""]
    builds = {stage: manifest.read(folder / stage) for stage in stages}
    _refuse_place(folder, out)
    _refuse_damage({folder / stage: found for stage, found in builds.items()})
    layouts = {stage: _chosen(chosen, found, layout, folder) for stage, found in builds.items()}
    report = Report()
    with folder_whole(out.absolute()) as place:
        for stage, found in builds.items():
            _export_one(folder / stage, place / stage, chosen, found, layouts[stage], strict, report)
        _check(place, out, chosen, [folder / stage for stage in stages], report)
        files = tuple(sorted(str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()))
    rows = sum(map(_rows, builds.values()))
    return Export(out, chosen.name, tuple(dict.fromkeys(layouts.values())), rows, files, tuple(report.warnings))


def _refuse_place(folder: Path, out: Path) -> None:
    hint = "name a folder that is new or empty"
    if out.exists() and not out.is_dir():
        raise BuildError(Problem("is a file", file=str(out), hint=hint))
    if out.is_dir() and any(out.iterdir()):
        raise BuildError(Problem("is not empty", file=str(out), hint=hint))
    if out.resolve() == Path.cwd():  # the finished folder takes its place: whoever stands in it would see nothing
        raise BuildError(Problem("is the folder that you are in", file=str(out), hint="name another, or go out of it"))
    if out.resolve().is_relative_to(folder.resolve()):
        raise BuildError(Problem("lies in the build", file=str(out), hint="name a folder outside of it"))


def _refuse_damage(builds: Mapping[Path, Mapping[str, Any]]) -> None:
    """Raise `BuildError` where a shard is not there in its size."""
    problems = []
    for folder, found in builds.items():
        for shard in found["shards"]:
            file = folder / shard["file"]
            if not file.is_file() or file.stat().st_size != shard["bytes"]:
                problems.append(Problem("is missing or damaged", file=str(file), hint=_AGAIN))
        if not found["shards"]:
            problems.append(Problem("has no shards", file=str(folder), hint=_AGAIN))
    if problems:
        raise BuildError(problems)


def _chosen(trainer: Trainer, found: Mapping[str, Any], layout: str | None, folder: Path) -> str:
    """The layout to write; raises `UsageError` where rows cannot be put into it."""
    built = _read_as(found, layout)
    if layout is None and built in trainer.layouts and built not in trainer.asked:
        return built
    apart = "chat_template" not in found  # what such a template wrote into the texts stays there
    can = [name for name in trainer.layouts if name == built or (apart and {name, built} <= CONVERTIBLE)]
    best = [name for name in can if name not in trainer.asked]
    best.sort(key=lambda name: built in ROOM and name not in ROOM)
    if layout is None and best:
        return best[0]
    if layout is not None and layout in can:
        return layout
    made = built if apart else f"{built} in the chat template {found['chat_template']}"
    wanted = [name for name in trainer.layouts if name not in can]
    what = f"{made} cannot be made into {layout or ' or '.join(wanted)}, as {trainer.name} reads it"
    other = f", or give --layout {can[0]}" if can else ""
    hint = f"build with --layout {layout or trainer.layouts[0]}{other}"
    raise UsageError(Problem(what, file=str(folder), hint=hint))


def _read_as(found: Mapping[str, Any], layout: str | None) -> str:
    """The layout of a build as a trainer sees it: tagged rows are prompts and completions, unless turns are wanted."""
    built: str = found["layout"]
    return "prompt_completion" if built == "tagged" and layout in (None, "prompt_completion") else built


def _export_one(
    folder: Path, place: Path, trainer: Trainer, found: Mapping[str, Any], layout: str, strict: bool, report: Report
) -> None:
    data = Exported(found["mixture"], layout, found["plan"], _rows(found), _max_length(found))
    rows = Rows(
        files=tuple(folder / shard["file"] for shard in found["shards"]),
        source=_read_as(found, layout),
        layout=layout,
        writing=Writing(found["separator"], TurnTags(**found.get("turn_tags", {}))),
        metadata=not strict and layout not in trainer.bare,
        plan=found["plan"],
        left_out=trainer.left_out,
    )
    (place / data.folder).mkdir(parents=True)
    trainer.store(rows, place / data.folder)
    for name, text in trainer.write(data).items():
        (place / name).write_text(text, encoding="utf-8")
    facts = {
        "schema_version": manifest.SCHEMA_VERSION,
        "flanmix": __version__,
        "trainer": trainer.name,
        **{key: found[key] for key in ("mixture", "plan", "build")},
        "rows": data.rows,
        "layout": layout,
        "metadata": rows.metadata,
        "folder": data.folder,
    }
    (place / EXPORT).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _rows(found: Mapping[str, Any]) -> int:
    """The rows in the shards of a build; where they are packs, it wrote more rows than that."""
    return sum(int(shard.get("lines", shard["rows"])) for shard in found["shards"])


def _max_length(found: Mapping[str, Any]) -> int | None:
    packing, encoding = found.get("packing") or {}, found.get("encoding") or {}
    length = packing.get("capacity") or encoding.get("max_length")
    return int(length) if length else None


def _check(place: Path, out: Path, trainer: Trainer, builds: list[Path], report: Report) -> None:
    """Check what was written, and the rows of the builds where Arrow does not read what was written.

    What is told of the export names the folder that it becomes.
    """
    told = check(place, trainer)
    if not told.shards:
        for seen in (seen for build in builds for seen in look(build)):
            check_rows(seen, trainer, told)
    problems, warnings = ([_at(one, place, out) for one in found] for found in (told.problems, told.warnings))
    if problems:
        raise BuildError(problems)
    report.warnings += warnings


def _at(problem: Problem, place: Path, out: Path) -> Problem:
    return replace(problem, file=problem.file and problem.file.replace(str(place), str(out), 1))
