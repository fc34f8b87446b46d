"""From a mixture and a registry to a plan: check, prepare, solve. Nothing is rendered."""

from collections.abc import Callable
from dataclasses import dataclass

from flanmix.bound import BoundTask
from flanmix.check import refuse_problems
from flanmix.errors import FlanmixError, Problem, SourceError
from flanmix.mapped import RowFile
from flanmix.origin import Where
from flanmix.plan import Plan, PlannedTask, PlannedTemplate
from flanmix.prepare import Prepared, prepare
from flanmix.recipe import Allotment, Recipe, allot, resolve
from flanmix.registry import Registry
from flanmix.spec import Mixture
from flanmix.undo import takes_back


@dataclass(frozen=True)
class Planned:
    """A plan with what is needed to build it: its tasks and where their usable rows lie, in the plan's order."""

    plan: Plan
    mixture: Mixture
    tasks: tuple[BoundTask, ...]
    files: tuple[RowFile, ...]


def resolved(mixture: Mixture, registry: Registry) -> Recipe:
    """The mixture with its selectors resolved in a registry; raises `PlanError`."""

    def nested(name: str) -> tuple[Mixture, Where]:
        inner = Registry.mixture(registry, name)
        return inner, registry.where(inner)

    return resolve(mixture, registry.where(mixture), registry.names, nested)


@takes_back()
def plan_mixture(mixture: Mixture, registry: Registry, progress: Callable[[str], None] = lambda name: None) -> Planned:
    """Resolve, check and prepare a mixture's tasks, and solve it into integers.

    Raises `FlanmixError` with every problem of every task at once. `progress` is told each task's name as it is read.
    """
    recipe = resolved(mixture, registry)
    tasks = [registry.tasks[name] for name in recipe.tasks]
    refuse_problems(tasks)
    prepared: dict[str, Prepared] = {}
    problems: list[Problem] = []
    for bound in tasks:
        progress(bound.task.name)
        try:
            prepared[bound.task.name] = prepare(bound, mixture.split)
        except FlanmixError as error:
            problems.extend(error.problems)
    if problems:
        raise SourceError(list(dict.fromkeys(problems)))
    allotments = allot(recipe, {name: found.usable for name, found in prepared.items()})
    planned = tuple(_planned(bound, prepared[bound.task.name], a) for bound, a in zip(tasks, allotments, strict=True))
    plan = Plan(mixture.name, mixture.seed, mixture.split, planned, {k: float(v) for k, v in mixture.styles.items()})
    return Planned(plan, mixture, tuple(tasks), tuple(prepared[task.name].rows for task in planned))


def _planned(bound: BoundTask, found: Prepared, allotment: Allotment) -> PlannedTask:
    templates = tuple(
        PlannedTemplate(item.id, item.template, item.style, _place(item.where)) for item in bound.templates
    )
    return PlannedTask(
        name=bound.task.name,
        type=bound.task.type,
        rows=allotment.rows,
        offered=allotment.offered,
        usable=found.usable,
        data=found.digest,
        templates=templates,
        guards=found.guards,
        source_rows=found.source_rows,
        dropped=found.dropped,
        share_asked=allotment.asked,
        bound=allotment.bound,
    )


def _place(where: Where) -> str:
    problem = where.problem("")
    line = f":{problem.line}" if problem.line else ""
    return f"{problem.file}{line}: {problem.key}" if problem.key else f"{problem.file}{line}"
