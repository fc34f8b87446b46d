"""What a plan would change in a folder that was built before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flanmix.errors import BuildError, Problem
from flanmix.plan import Plan, PlannedTask


@dataclass(frozen=True)
class Change:
    """What becomes of one task: its rows before and after, and of the rows after how many are new, or worded anew.

    `kept` rows stay as they are, `gone` rows of before are not there any more. `what` is `added`, `removed`, `changed`
    or `same`.
    """

    task: str
    what: str
    before: int
    after: int
    share_before: float
    share_after: float
    kept: int
    reworded: int
    new: int
    gone: int


def changes(plan: Plan, manifest: Mapping[str, Any]) -> list[Change]:
    """What building a plan would change, task by task, against the manifest of a build.

    A task's rows are those of its first draws, so as long as its rows and the seed are as they were, the smaller of two
    plans holds a part of what the larger one holds. Raises `BuildError` where the folder has stages.
    """
    if "stages" in manifest:
        what = f"the build of '{manifest.get('mixture')}' has stages, and the mixture '{plan.name}' has none"
        raise BuildError(Problem(what, hint=f"name the folder of one of them: {', '.join(manifest['stages'])}"))
    before = {task["task"]: task for task in manifest["tasks"]}
    after = {task.name: (index, task) for index, task in enumerate(plan.tasks)}
    same_draws = (plan.seed, plan.split) == (manifest["seed"], manifest["split"])
    return list(_changes(plan, before, after, manifest["planned"], same_draws))


def _changes(
    plan: Plan,
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, tuple[int, PlannedTask]],
    planned: int,
    same_draws: bool,
) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        old = before.get(name)
        rows_before = old["planned"] if old else 0
        share_before = rows_before / planned if planned else 0.0
        if name not in after:
            yield Change(name, "removed", rows_before, 0, share_before, 0.0, 0, 0, 0, rows_before)
            continue
        index, task = after[name]
        common = _common(task, old) if old and same_draws else 0
        worded_as_before = old is not None and old.get("wordings") == plan.wordings_digest(index)
        kept = common if worded_as_before else 0
        what = "added" if old is None else "same" if kept == rows_before == task.rows else "changed"
        yield Change(
            name,
            what,
            rows_before,
            task.rows,
            share_before,
            task.rows / plan.rows if plan.rows else 0.0,
            kept,
            common - kept,
            task.rows - common,
            rows_before - common,
        )


def _common(task: PlannedTask, old: Mapping[str, Any]) -> int:
    """How many draws give the same row and epoch in both: those within a pass that both make."""
    source = old["source"]
    if (source["prepared"], source["usable"]) != (task.data, task.usable):
        return 0
    fewer = min(task.rows, int(old["planned"]))
    return fewer if source["offered"] == task.offered else min(fewer, int(source["offered"]), task.offered)
