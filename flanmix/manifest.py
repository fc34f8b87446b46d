"""What was built: the manifest of a folder, and the check of a folder against it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flanmix._version import __version__
from flanmix.errors import BuildError, Problem
from flanmix.finishing import TOKEN_COUNTS
from flanmix.plan import Plan
from flanmix.shards import DATA, Job, file_facts

SCHEMA_VERSION = 1
_AGAIN = "build the folder again"
FILE = "manifest.json"
ENCODED = ("tokens", "loss_tokens", "straddling", "spelled", "cut_rows", "cut_tokens", "cut_ends")
"""What encoding counts, as `EncodeCounts` says."""


def make(job: Job, receipts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The manifest of a finished build. For every task, planned = written + dropped by reason.

    `tasks[].source` tells of the rows before the plan: how many the source has, how many are usable, and why the
    others are not.
    """
    kept = ("file", "planned", "rows", "lines", "bytes", "sha256", "rows_xxh3")
    return {
        "schema_version": SCHEMA_VERSION,
        "flanmix": __version__,
        "mixture": job.plan.name,
        "seed": job.plan.seed,
        "split": job.plan.split,
        "plan": job.plan.digest,
        "build": job.digest,
        "layout": job.output.layout,
        "separator": job.output.writing.separator,
        **({"turn_tags": job.output.writing.turn_tags.model_dump()} if job.output.layout == "tagged" else {}),
        "metadata": job.output.metadata,
        "format": job.format,
        "rows": sum(receipt["rows"] for receipt in receipts),
        "planned": job.plan.rows,
        "styles": dict(job.plan.styles),
        **({"shots": job.plan.shots.facts()} if job.plan.shots else {}),
        **({} if job.plan.options.as_in_data else {"options": job.plan.options.facts()}),
        "relaxed": list(job.plan.relaxed),
        "held_out": [each.facts() for each in job.plan.held_out],
        **(job.plan.prompting.facts(sorted({task.type for task in job.plan.tasks})) if job.plan.prompting else {}),
        **_of_models(job, receipts),
        "shards": [{key: receipt[key] for key in kept if key in receipt} for receipt in receipts],
        "tasks": _tasks(job, receipts),
    }


def _of_models(job: Job, receipts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What made texts of a chat, or tokens, and what encoding and packing did."""
    encoding, chat = job.output.encoding, job.output.chat
    if encoding is None:
        return {} if chat is None else {"chat_template": chat.name, "chat_template_sha256": chat.digest}
    counts: Counter[str] = Counter()
    for receipt in receipts:
        counts.update(receipt.get("counts", {}))
    packing = {name: counts.pop(name, 0) for name in ("packs", "split", "untrained", "untrained_tokens")}
    facts = {"encoding": {**encoding.facts(), **{name: counts[name] for name in ENCODED}}}
    if encoding.packing is None or encoding.max_length is None:
        return facts
    room = packing["packs"] * encoding.max_length
    fill = round(counts["tokens"] / room, 6) if room else 0.0
    told = {"strategy": encoding.packing, "capacity": encoding.max_length, "fill_rate": fill}
    return facts | {"packing": told | packing}


def _tasks(job: Job, receipts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One record for each task of the plan."""
    kinds = ("templates", "styles", "shots", "dropped")
    found = {task.name: {kind: Counter[str]() for kind in (*kinds, "tokens")} for task in job.plan.tasks}
    for receipt in receipts:
        for name, facts in receipt["tasks"].items():
            for kind in kinds:
                found[name][kind].update(facts[kind])
            found[name]["tokens"].update({key: facts[key] for key in TOKEN_COUNTS if key in facts})
    return [
        {
            "task": task.name,
            "type": task.type,
            "planned": task.rows,
            "written": found[task.name]["templates"].total(),
            "dropped": dict(sorted(found[task.name]["dropped"].items())),
            "epochs": round(task.epochs, 6),
            "share_asked": task.share_asked,
            "bound": task.bound,
            "wordings": job.plan.wordings_digest(index),
            "templates": dict(sorted(found[task.name]["templates"].items())),
            "styles": dict(sorted(found[task.name]["styles"].items())),
            **({"shots": _shots(job.plan, index, found[task.name]["shots"])} if job.plan.shots else {}),
            **({name: found[task.name]["tokens"][name] for name in TOKEN_COUNTS} if job.output.encoding else {}),
            "source": {
                "rows": task.source_rows,
                "usable": task.usable,
                "offered": task.offered,
                "dropped": dict(task.dropped or {}),
                **({"repaired": dict(task.repaired)} if task.repaired else {}),
                "prepared": task.data,
            },
        }
        for index, task in enumerate(job.plan.tasks)
    ]


def _shots(plan: Plan, task: int, written: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """How many rows were to have each number of exemplars, and how many have."""
    planned = {str(number): count for number, count in plan.shot_counts(task).items()}
    return {"planned": planned, "written": dict(sorted(written.items(), key=lambda item: int(item[0])))}


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a built folder; raises `BuildError` where there is none, or none that this version knows."""
    file = folder / FILE
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
    except FileNotFoundError as error:
        hint = "name a folder that 'flanmix build' has finished"
        raise BuildError(Problem("is not there", file=str(file), hint=hint)) from error
    except OSError as error:
        hint = "name a folder that 'flanmix build' has finished"
        raise BuildError(Problem(f"cannot be read: {error.strerror}", file=str(file), hint=hint)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BuildError(Problem("is no manifest", file=str(file), hint=_AGAIN)) from error
    if version != SCHEMA_VERSION:
        what = f"has schema_version {version}, where flanmix {__version__} knows {SCHEMA_VERSION}"
        raise BuildError(Problem(what, file=str(file), hint="use the flanmix that wrote it, or build again"))
    return manifest  # type: ignore[no-any-return]


def verify(folder: str | Path) -> dict[str, Any]:
    """Check a built folder against its manifest, byte by byte; gives the manifest.

    Raises `BuildError` with all that differs.
    """
    folder = Path(folder)
    manifest = read(folder)
    if "stages" in manifest:
        return _verify_stages(folder, manifest)
    try:
        problems = [*_shard_problems(folder, manifest), *_count_problems(folder, manifest)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else "is garbled"
        raise BuildError(Problem(what, file=str(folder / FILE), hint=_AGAIN)) from error
    if problems:
        raise BuildError(problems)
    return manifest


def _verify_stages(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    problems: list[Problem] = []
    for stage, facts in manifest["stages"].items():
        try:
            if verify(folder / stage)["build"] != facts["build"]:
                problems.append(Problem("is another build", file=str(folder / stage), hint=_AGAIN))
        except BuildError as error:
            problems += error.problems
    if problems:
        raise BuildError(problems)
    return manifest


def _shard_problems(folder: Path, manifest: Mapping[str, Any]) -> list[Problem]:
    problems = []
    named = {shard["file"] for shard in manifest["shards"]}
    for shard in manifest["shards"]:
        file = folder / shard["file"]
        if ".." in Path(shard["file"]).parts or not shard["file"].startswith(f"{DATA}/"):
            what = f"names a file outside of {folder / DATA}: {shard['file']}"
            problems.append(Problem(what, file=str(folder / FILE), hint=_AGAIN))
            continue
        if not file.is_file():
            problems.append(Problem("is missing", file=str(file), hint=_AGAIN))
            continue
        facts = file_facts(file)
        wrong = [name for name in ("bytes", "sha256") if facts[name] != shard[name]]
        if wrong:
            what = f"{wrong[0]} is {facts[wrong[0]]}, where the manifest says {shard[wrong[0]]}"
            problems.append(Problem(what, file=str(file), hint=f"it was changed or damaged: {_AGAIN}"))
        elif (rows := _rows_in(file)) != (wanted := shard.get("lines", shard["rows"])):
            what = f"holds {rows} rows, where the manifest says {wanted}"
            problems.append(Problem(what, file=str(file), hint=_AGAIN))
    for file in sorted((folder / DATA).glob("*")) if (folder / DATA).is_dir() else []:
        if f"{DATA}/{file.name}" not in named and not file.name.startswith((".", "_")):
            problems.append(
                Problem("is not in the manifest", file=str(file), hint="move it out: trainers would read it")
            )
    return problems


def _rows_in(file: Path) -> int | str:
    try:
        if file.suffix == ".parquet":
            return int(pq.read_metadata(file).num_rows)
        with pa.memory_map(str(file)) as source:
            reader = pa.ipc.open_file(source)
            return sum(int(reader.get_batch(index).num_rows) for index in range(reader.num_record_batches))
    except pa.ArrowException:
        return "no"


def _count_problems(folder: Path, manifest: Mapping[str, Any]) -> list[Problem]:
    wrong = []
    for of_a_task, name in (("planned", "planned"), ("written", "rows")):
        if sum(task[of_a_task] for task in manifest["tasks"]) != manifest[name]:
            wrong.append(f"the tasks' {of_a_task} do not add up to '{name}'")
    if sum(shard["rows"] for shard in manifest["shards"]) != manifest["rows"]:
        wrong.append("the shards' rows do not add up to 'rows'")
    for task in manifest["tasks"]:
        if task["planned"] != task["written"] + sum(task["dropped"].values()):
            wrong.append(f"{task['task']}: planned is not written + dropped")
        if task["written"] != sum(task["templates"].values()):
            wrong.append(f"{task['task']}: written is not the sum of its templates")
    return [Problem(what, file=str(folder / FILE), hint=_AGAIN) for what in wrong]
