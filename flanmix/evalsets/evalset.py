"""Tasks as a folder of eval sets, whole or not at all."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm.auto import tqdm

from flanmix import manifest
from flanmix._version import __version__
from flanmix.canonical import canonical_json
from flanmix.check import refuse_problems
from flanmix.durable import folder_whole
from flanmix.errors import BuildError, FlanmixError, PlanError, Problem, SourceError
from flanmix.evalsets.card import card
from flanmix.evalsets.choosing import EvalTask
from flanmix.evalsets.harness import FOLDER, group_of, harness_files
from flanmix.evalsets.options import EvalOptions
from flanmix.evalsets.pool import Pool
from flanmix.evalsets.rendering import EvalSet
from flanmix.evalsets.written import WrittenSet, write_set
from flanmix.folder import CARD
from flanmix.shards import DATA, file_facts
from flanmix.undo import takes_back

FORMAT = 1
"""Goes into every digest: raised whenever written bytes would change."""
LAYOUT = "evalset"
_REPLACE = "add --replace to write there anew, or name another folder"


@takes_back()
def prepare_sets(tasks: Sequence[EvalTask], options: EvalOptions) -> tuple[EvalSet, ...]:
    """Prepare the rows of tasks; raises `FlanmixError` with every problem of every task at once."""
    served = [task for task in tasks if task.templates]
    refuse_problems(task.bound for task in served)
    pools: dict[tuple[str, str], Pool] = {}
    problems: list[Problem] = []
    for task in served:
        for split in dict.fromkeys([task.split, task.exemplars] if any(options.shots) else [task.split]):
            try:
                pools[task.name, split] = Pool.of(task.bound, split)
            except FlanmixError as error:
                problems.extend(error.problems)
    if problems:
        raise SourceError(list(dict.fromkeys(problems)))
    return tuple(
        EvalSet(
            task,
            options,
            pools[task.name, task.split],
            pools[task.name, task.exemplars if shots else task.split],
            shots,
        )
        for task in served
        for shots in dict.fromkeys(options.shots)
    )


def digest_of(name: str, sets: Sequence[EvalSet]) -> str:
    """SHA-256 that names what is written: equal digests, equal bytes of data."""
    return hashlib.sha256(canonical_json([FORMAT, name, [_recipe(each) for each in sets]]).encode()).hexdigest()


def _recipe(each: EvalSet) -> Any:
    task = each.task
    return [
        task.name,
        [task.bound.task.type, task.split, *task.source, task.exemplars, each.shots],
        [[item.id, item.style, item.template.model_dump(mode="json")] for item in task.templates],
        [each.pool.prepared.digest, each.exemplars.prepared.digest],
        each.options.facts(),
    ]


def write_sets(
    name: str, sets: Sequence[EvalSet], out: Path, *, told: Mapping[str, Any], replace: bool, quiet: bool
) -> dict[str, Any]:
    """Write sets into a folder; gives the manifest. Raises `FlanmixError`; then the folder is as it was.

    A folder that holds these very sets is left as it is. `told` goes into the manifest.
    """
    digest = digest_of(name, sets)
    try:
        found = _finished(out, digest, replace)
        if found is not None:
            return found
        with folder_whole(out.absolute()) as place:
            (place / DATA).mkdir()
            made = _write(name, sets, place, digest, told, quiet)
            if out.is_dir():
                _clear(out)
    except (OSError, pa.ArrowInvalid) as error:
        what = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        raise BuildError(Problem(what, file=str(out), hint="make room, or name another folder")) from error
    return made


def _write(
    name: str, sets: Sequence[EvalSet], place: Path, digest: str, told: Mapping[str, Any], quiet: bool
) -> dict[str, Any]:
    written: list[WrittenSet] = []
    with tqdm(total=sum(each.planned for each in sets), unit="prompts", disable=quiet, desc=name) as bar:
        for each in sets:
            written.append(write_set(each, place, bar.update))
    files = harness_files(name, written)
    if len(files) > 1:
        (place / FOLDER).mkdir()
        for file, text in files.items():
            (place / FOLDER / file).write_text(text, encoding="utf-8")
    made = _manifest(name, written, place, digest, told)
    if not made["rows"]:
        reasons = sorted({reason for each in made["tasks"] for reason in each["dropped"]})
        why = ", ".join(reasons) or "no task offers choices to rank"
        raise PlanError(f"no row is left: {why}", hint="take other tasks, styles or forms")
    tasks = {each.task.name: each.task.bound.task for each in sets}
    (place / CARD).write_text(card(made, list(tasks.values())), encoding="utf-8")
    (place / manifest.FILE).write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return made


def _manifest(
    name: str, written: Sequence[WrittenSet], place: Path, digest: str, told: Mapping[str, Any]
) -> dict[str, Any]:
    options = written[0].of.options
    forms = [form for form, asked in (("generation", options.prompts), ("ranking", options.ranking)) if asked]
    tasks = [each.facts(form) for each in written for form in forms]
    shards = [each.shards[form] for each in written for form in forms if form in each.shards]
    beside = sorted((place / FOLDER).glob("*")) if (place / FOLDER).is_dir() else []
    groups = [
        group
        for shots in dict.fromkeys(options.shots)
        if (place / FOLDER / f"{(group := group_of(name, shots))}.yaml").is_file()
    ]
    return {
        "schema_version": manifest.SCHEMA_VERSION,
        "flanmix": __version__,
        "layout": LAYOUT,
        "evalset": name,
        **told,
        "options": options.facts(),
        "build": digest,
        "rows": sum(shard["rows"] for shard in shards),
        "planned": sum(task["planned"] for task in tasks),
        "harness": groups,
        "shards": shards,
        "files": [{"file": str(file.relative_to(place)), **file_facts(file)} for file in beside],
        "tasks": tasks,
    }


def _finished(out: Path, digest: str, replace: bool) -> dict[str, Any] | None:
    """The manifest, where the folder holds these very sets; None where it is new, empty or may be replaced.

    Raises `BuildError` where it holds anything else.
    """
    hint = "name a folder that is new or empty"
    if out.exists() and not out.is_dir():
        raise BuildError(Problem("is a file", file=str(out), hint=hint))
    names = {str(file.relative_to(out)) for file in out.rglob("*") if not file.is_dir()} if out.is_dir() else set()
    if out.resolve() == Path.cwd():  # the finished folder takes its place: whoever stands in it would see nothing
        raise BuildError(Problem("is the folder that you are in", file=str(out), hint="name another, or go out of it"))
    if not names:
        return None
    found = manifest.read(out) if manifest.FILE in names else {}
    own = {CARD, manifest.FILE, *(each["file"] for key in ("shards", "files") for each in found.get(key, ()))}
    foreign = sorted(names - own) or ([] if found.get("layout") == LAYOUT else sorted(names))
    if foreign:
        raise BuildError(Problem(f"holds other files ({foreign[0]})", file=str(out), hint=hint))
    if replace:
        return None
    if found["build"] != digest:
        raise BuildError(Problem(f"holds other eval sets ({found['build'][:12]})", file=str(out), hint=_REPLACE))
    for each in (*found["shards"], *found["files"]):
        file = out / each["file"]
        if not file.is_file() or file.stat().st_size != each["bytes"]:
            raise BuildError(Problem("is missing or damaged", file=str(file), hint=_REPLACE))
    return found


def _clear(out: Path) -> None:
    """Empty a folder that was looked at: what replaces it is finished."""
    for place in out.iterdir():
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
