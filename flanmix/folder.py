"""A build's folder: whose the files in it are, which shards are finished, how it is emptied."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flanmix import manifest
from flanmix.canonical import canonical_json
from flanmix.durable import name_to_be, sync_folder, write_text
from flanmix.errors import BuildError, Problem
from flanmix.shards import DATA, STATE, Job, file_facts, read_receipt

CARD = "README.md"
_BUILD = f"{STATE}/build.json"
_CLEARED = f".{manifest.FILE}.00000000.tmp"
"""The manifest of a build that is being removed: a half removed one is still known for what it was."""
_OURS = re.compile(
    rf"{CARD}|{manifest.FILE}|{DATA}/[\w.-]+-\d{{5,}}-of-\d{{5,}}\.(parquet|arrow)|{STATE}/(build|\d+)\.json"
)
_REPLACE = "add --replace to build there anew"


def content(out: Path) -> list[str]:
    """The names of what lies in a folder, and in those of its folders that a build makes."""
    found = []
    for place in out.iterdir():
        inside = place.name in (DATA, STATE) and place.is_dir() and not place.is_symlink()
        found += [f"{place.name}/{file.name}" for file in place.iterdir()] if inside else [place.name]
    return sorted(found)


def _is_ours(name: str) -> bool:
    head, slash, tail = name.rpartition("/")
    return _OURS.fullmatch(head + slash + name_to_be(tail)) is not None


def finished(job: Job, out: Path) -> dict[str, Any] | None:
    """The manifest, where the folder holds this very build already; None where the build may begin or go on.

    Raises `BuildError` where the folder holds anything else.
    """
    if not out.exists():
        return None
    if not out.is_dir():
        raise BuildError(Problem("is a file", file=str(out), hint="name a folder that is new or empty"))
    names = content(out)
    if manifest.FILE in names:
        return _checked(job, out)
    foreign = [name for name in names if not _is_ours(name)]
    if _CLEARED not in names and _BUILD not in names:
        foreign += [name for name in names if not name.startswith(f"{STATE}/")]
    if foreign:
        hint = "name a folder that is new or empty"
        raise BuildError(Problem(f"holds other files ({foreign[0]})", file=str(out), hint=hint))
    if _CLEARED in names:
        raise BuildError(Problem("holds a half removed build", file=str(out), hint=_REPLACE))
    if _BUILD in names and _json(out / _BUILD).get("build") != job.digest:
        raise _other(out, "holds the unfinished build of another plan", _json(out / _BUILD))
    return None


def _checked(job: Job, out: Path) -> dict[str, Any]:
    found = manifest.read(out)
    if found.get("build") != job.digest:
        raise _other(out, "holds another plan", found)
    try:
        sizes = {out / shard["file"]: shard["bytes"] for shard in found["shards"]}
    except (KeyError, TypeError) as error:
        raise BuildError(Problem("is garbled", file=str(out / manifest.FILE), hint=_REPLACE)) from error
    for file, size in sizes.items():
        if not file.is_file() or file.stat().st_size != size:
            hint = f"{_REPLACE} (see 'flanmix verify')"
            raise BuildError(Problem("is missing or damaged", file=str(file), hint=hint))
    if (out / STATE).exists():  # killed after the manifest was written
        shutil.rmtree(out / STATE)
    return found


def _other(out: Path, what: str, found: dict[str, Any]) -> BuildError:
    plan = str(found.get("plan", "unknown"))[:12]
    return BuildError(Problem(f"{what} ({plan})", file=str(out), hint=f"{_REPLACE}, or name another folder"))


def _json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def claim(job: Job, out: Path) -> list[int]:
    """Make the folder this build's own, clear what a kill left, and say which shards are still to be built."""
    (out / STATE).mkdir(parents=True, exist_ok=True)
    if not (out / _BUILD).is_file():
        write_text(out / _BUILD, canonical_json({"build": job.digest, "plan": job.plan.digest}))
        sync_folder(out)
    (out / DATA).mkdir(exist_ok=True)
    sweep(out)
    return [shard for shard in range(job.shards) if not _is_built(job, out, shard)]


def sweep(out: Path) -> None:
    """Remove temporary files."""
    for name in content(out):
        file = out / name
        if name_to_be(file.name) != file.name:
            file.unlink(missing_ok=True)


def _is_built(job: Job, out: Path, shard: int) -> bool:
    """Whether a shard is there and is what its receipt says."""
    file, facts = out / job.file(shard), read_receipt(job, shard, out)
    return facts is not None and file.is_file() and file_facts(file).items() <= facts.items()


def clear(out: Path) -> None:
    """Empty a folder that holds a build (finished or not) and nothing else; raises `BuildError` where it holds more."""
    if not out.is_dir():
        return
    try:
        names = content(out)
        foreign = [name for name in names if not _is_ours(name)]
        if not ("schema_version" in _json(out / manifest.FILE) or {_CLEARED, _BUILD}.intersection(names)):
            foreign += [name for name in names if not name.startswith(f"{STATE}/")]
        if foreign:
            what = f"holds files that flanmix did not write ({foreign[0]})"
            raise BuildError(Problem(what, file=str(out), hint="remove them, or name another folder"))
        _remove(out)
    except OSError as error:
        what = f"cannot be emptied: {error.strerror}"
        raise BuildError(Problem(what, file=str(out), hint="name another folder")) from error


def take_back(out: Path, fresh: Sequence[Path]) -> None:
    """Remove the files of a build, and those folders of `fresh` that are empty then, from the inmost on."""
    with suppress(OSError):
        _remove(out)
        for folder in fresh:
            folder.rmdir()


def _remove(out: Path) -> None:
    """Remove the files of a build; last of all, and in this order, what tells that they are of a build."""
    if (out / manifest.FILE).exists():
        os.replace(out / manifest.FILE, out / _CLEARED)
    last = [_BUILD, _CLEARED]
    for name in sorted(filter(_is_ours, content(out)), key=lambda name: last.index(name) if name in last else -1):
        (out / name).unlink(missing_ok=True)
    for folder in (out / STATE, out / DATA):
        with suppress(FileNotFoundError):
            folder.rmdir()
