"""A task and the families of a registry: which templates serve it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.errors import Problem, SpecError, did_you_mean
from flanmix.origin import Where
from flanmix.spec import Family, Task, Template
from flanmix.words import TASK_TYPES


@dataclass(frozen=True)
class Families:
    """The families there are, where each was written, and the names of those whose files cannot be read."""

    known: Mapping[str, tuple[Family, Where]]
    broken: Collection[str] = ()


def bind(task: Task, where: Where, folder: Path | None, families: Families) -> BoundTask:
    """A task with its templates; raises `SpecError` with every name that leads nowhere or stands twice."""
    problems = [*_type_problems(task, where, families)]
    use = task.templates.use
    if use is None:
        use = (task.type,) if task.type in (*families.known, *families.broken) else ()
    templates: list[BoundTemplate] = []
    for index, name in enumerate(use):
        if name in families.known:
            templates += _of_family(*families.known[name])
        elif name not in families.broken:
            hint = did_you_mean(name, families.known) or "'flanmix ls --families' shows all"
            problems.append(where.at("templates", "use", index).problem(f"no family is called '{name}'", hint))
    complete = all(name in families.known for name in use)
    if complete:
        problems += _unknown_names(task, where, {bound.template.name for bound in templates})
    templates = [bound for bound in templates if bound.template.name not in task.templates.without]
    for index, template in enumerate(task.templates.add):
        templates.append(BoundTemplate(template.name, template, _added(where, index)))
    problems += _twice(templates)
    if not templates and complete and not problems:
        hint = f"add some under 'templates', or write a family '{task.type}'"
        problems.append(where.problem("no template serves this task", hint))
    if problems:
        raise SpecError(problems)
    fields = {field for name in use if name in families.known for field in families.known[name][0].fields}
    return BoundTask(task, tuple(templates), tuple(sorted(fields)) if use else None, where, folder)


def _type_problems(task: Task, where: Where, families: Families) -> Iterator[Problem]:
    types = {*TASK_TYPES, *families.known, *families.broken}
    if task.type not in types:
        hint = did_you_mean(task.type, types) or "use a known type, or name a family after it"
        yield where.at("type").problem(f"no task type is called '{task.type}'", hint)


def _of_family(family: Family, where: Where) -> Iterator[BoundTemplate]:
    for index, template in enumerate(family.templates):
        yield BoundTemplate(f"{family.name}/{template.name}", template, where.at("templates", index))


def _unknown_names(task: Task, where: Where, known: set[str]) -> Iterator[Problem]:
    for index, name in enumerate(task.templates.without):
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(sorted(known)) or 'none'}"
            yield where.at("templates", "without", index).problem(f"no template here is called '{name}'", hint)


def _added(task: Where, index: int) -> Where:
    """Where a task's own template stands: below 'templates' itself, where that is a plain list of them."""
    short = task.at("templates", index)
    return short if short.path in short.origin.lines else task.at("templates", "add", index)


def _twice(templates: Iterable[BoundTemplate]) -> Iterator[Problem]:
    seen: set[str] = set()
    for bound in templates:
        if bound.id in seen:
            yield bound.where.problem(f"the template '{bound.template.name}' is there already", "rename one")
        seen.add(bound.id)


def twice_in_family(templates: Iterable[Template], where: Where) -> Iterator[Problem]:
    """The templates of a family that carry the name of an earlier one."""
    yield from _twice(
        BoundTemplate(template.name, template, where.at("templates", index)) for index, template in enumerate(templates)
    )
