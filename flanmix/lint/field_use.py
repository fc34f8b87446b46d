"""Fields that nobody reads, and wordings that read none."""

from collections.abc import Iterable, Iterator

from flanmix.bound import BoundTask
from flanmix.check import OPTIONS, variables_of_template
from flanmix.lint.finding import Finding
from flanmix.lint.wording import Wording, is_foreign
from flanmix.origin import Where
from flanmix.render.environment import compile_expression, compile_template, is_expression
from flanmix.spec import Family, Template

CHOICES = "choices"


def of_family(family: Family, where: Where) -> Iterator[Finding]:
    """The fields of a family that none of its wordings reads; evaluation sets read `choices`."""
    read = _read(family.templates) | {CHOICES}
    foreign = all(map(is_foreign, family.templates))
    for index, field in enumerate(family.fields):
        if field not in read:
            what = f"no wording of the family reads '{field}'"
            found = where.at("fields", index).problem(what, "use it in one, or take it out of 'fields'")
            yield Finding("unused-field", family.name, found, foreign)


def of_task(bound: BoundTask) -> Iterator[Finding]:
    """The fields of a task that none of its wordings reads, nor any of its other fields and rules."""
    task = bound.task
    read = {CHOICES, *_read(item.template for item in bound.templates)}
    read |= set(compile_expression(task.drop).variables) if task.drop else set()
    for name, value in (task.fields or {}).items():
        if isinstance(value, str) and "{" in value:
            program = compile_expression(value) if is_expression(value) else compile_template(value)
            read |= program.variables - {name}
    for name in task.fields or ():
        if name not in read:
            what = f"none of its {len(bound.templates)} wordings reads '{name}'"
            found = bound.where.at("fields", name).problem(what, "use it in one, or leave it out of 'fields'")
            yield Finding("unused-field", task.name, found)


def _read(templates: Iterable[Template]) -> set[str]:
    read: set[str] = set().union(*map(variables_of_template, templates))
    return read | {CHOICES} if OPTIONS in read else read


def of_wording(wording: Wording) -> Iterator[Finding]:
    """An input or a target that is the same for every row."""
    if not wording.reads("input"):
        hint = "print a field in it, as the wording is else the same for every row"
        yield wording.finding("ignores-row", wording.pair[0], "the input reads no field", hint)
    if wording.template.when is None and not wording.reads("target"):
        hint = "print the answer, or say with 'when' which rows have this one"
        yield wording.finding(
            "constant-target", wording.pair[1], "the target reads no field: every row has the same", hint
        )
