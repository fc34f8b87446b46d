"""Tasks as eval sets: what a mixture holds out, or any that selectors take."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flanmix import manifest, registry, spec
from flanmix.errors import PlanError, Problem, UsageError, did_you_mean
from flanmix.evalsets.choosing import EvalTask, choose_tasks, selected_tasks
from flanmix.evalsets.evalset import prepare_sets, write_sets
from flanmix.evalsets.options import EvalOptions
from flanmix.holding_out import held_out
from flanmix.planner import resolved


@dataclass(frozen=True)
class EvalSets:
    """A folder of eval sets on disk: `datasets.load_dataset(folder, name)` reads each of `names`."""

    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        """What was written: counts, hashes, reasons for drops."""
        return manifest.read(self.folder)

    @property
    def rows(self) -> int:
        """The number of rows written."""
        return int(self.manifest["rows"])

    @property
    def names(self) -> list[str]:
        """The sets that have rows."""
        return [each["set"] for each in self.manifest["tasks"] if each["written"]]

    def verify(self) -> dict[str, Any]:
        """Check every file against the manifest; raises `BuildError` with all that differs."""
        return manifest.verify(self.folder)


def evalset(
    tasks: registry.Registry,
    out: str | Path,
    *,
    mixture: spec.Mixture | None = None,
    select: str | Iterable[str] = (),
    name: str | None = None,
    replace: bool = False,
    quiet: bool = False,
    **options: Any,
) -> EvalSets:
    """Write the tasks that a mixture holds out, or those that any selector in `select` takes, as eval sets.

    `options` are those of `flanmix.evalsets.options.EvalOptions`: `split`, `shots`, `rows`, `templates`, `styles`,
    `form`, `separator`, `seed`; the last two default to the mixture's. Raises `FlanmixError`; then nothing is written.
    """
    selectors = (select,) if isinstance(select, str) else tuple(select)
    chosen = _options(mixture, options)
    names = _names(tasks, mixture, selectors)
    picked = choose_tasks(tasks, names, chosen)
    trained = _trained(tasks, mixture)
    _refuse_trained(picked, mixture, trained)
    title = name or (mixture.name if mixture is not None else "evalset")
    told = {
        "mixture": None if mixture is None else mixture.name,
        "selectors": list(selectors or (mixture.hold_out if mixture is not None else ())),
        "trained_on": sorted(trained.intersection(names)),
    }
    sets = prepare_sets(picked, chosen)
    write_sets(title, sets, Path(out), told=told, replace=replace, quiet=quiet)
    return EvalSets(Path(out))


def _options(mixture: spec.Mixture | None, options: dict[str, Any]) -> EvalOptions:
    known = EvalOptions.__dataclass_fields__
    if unknown := sorted(options.keys() - known):
        hint = did_you_mean(unknown[0], known) or f"there are {', '.join(known)}"
        raise UsageError(f"an eval set has no option '{unknown[0]}'", hint=hint)
    own: dict[str, Any] = {} if mixture is None else {"separator": mixture.separator, "seed": mixture.seed}
    told = {key: value for key, value in options.items() if value is not None}
    for key in ("shots", "styles"):
        if key in told:
            told[key] = (told[key],) if isinstance(told[key], int | str) else tuple(told[key])
    return EvalOptions(**own | told)


def _names(tasks: registry.Registry, mixture: spec.Mixture | None, selectors: tuple[str, ...]) -> tuple[str, ...]:
    if selectors:
        return selected_tasks(selectors, tasks)
    if mixture is None:
        raise UsageError("nothing says which tasks", hint="give a mixture that holds some out, or a selector")
    if not mixture.hold_out:
        hint = "write 'hold_out' into it, or give a selector"
        raise UsageError(f"the mixture '{mixture.name}' holds no task out", hint=hint)
    return tuple(each.task for each in held_out(tasks, mixture.hold_out) if each.direct)


def _trained(tasks: registry.Registry, mixture: spec.Mixture | None) -> set[str]:
    """The tasks that a mixture trains on."""
    if mixture is None:
        return set()
    recipes = [resolved(mixture, tasks, stage) for stage in mixture.stages or (None,)]
    out = {each.task for each in held_out(tasks, mixture.hold_out)} if mixture.hold_out else set()
    return {name for recipe in recipes for name in recipe.tasks} - out


def _refuse_trained(picked: Iterable[EvalTask], mixture: spec.Mixture | None, trained: set[str]) -> None:
    """Raise `PlanError` where the very rows that a mixture trains on would be asked."""
    problems = []
    for task in picked:
        if mixture is not None and task.name in trained and task.split == mixture.split:
            what = f"the mixture '{mixture.name}' trains on {task.name}, split '{task.split}'"
            problems.append(Problem(what, hint="hold the task out, or take another split of it"))
    if problems:
        raise PlanError(problems)
