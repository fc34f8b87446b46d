"""What can be said of templates without reading a row: they compile, use only fields that there are, go by columns."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.errors import Problem, TemplateError, did_you_mean
from flanmix.origin import Where
from flanmix.render import explain, names_read
from flanmix.render.environment import (
    BUILT_IN,
    BadTemplate,
    compile_expression,
    compile_template,
    is_expression,
    line_of_name,
)
from flanmix.spec import Family, Template
from flanmix.words import TRAINED, TURN_FIELDS

OPTIONS = "options"
"""The field that is made from `choices`, one line each, for every task that has them."""


def problems_of(bound: BoundTask) -> list[Problem]:
    """Every problem of a task's expressions and templates, each with its file and line."""
    return [*_expression_problems(bound), *_template_problems(bound)]


def refuse_problems(tasks: Iterable[BoundTask]) -> None:
    """Raise `TemplateError` with every problem of all these tasks, each said once."""
    found = dict.fromkeys(problem for task in tasks for problem in problems_of(task))
    if found:
        raise TemplateError(list(found))


def fields_of(bound: BoundTask) -> frozenset[str] | None:
    """The names that the task's templates may use; None where they are the columns of its source."""
    turns = frozenset(TURN_FIELDS if bound.conversation else ())
    if bound.task.fields is None:
        return turns or None
    return turns | frozenset(bound.task.fields) | ({OPTIONS} if "choices" in bound.task.fields else frozenset())


def variables_of(bound: BoundTask) -> frozenset[str]:
    """The names that the task's templates do use; without fields, those of `BUILT_IN` are among them."""
    used: set[str] = set()
    for item in bound.templates:
        used |= variables_of_template(item.template)
    known = fields_of(bound)
    return frozenset(used if known is None else used & known)


def variables_of_template(template: Template) -> frozenset[str]:
    """The names that a template reads, in its texts and in `when`."""
    names = [names_read(template, key) for key in template.texts]
    return frozenset().union(*names, compile_expression(template.when).variables if template.when else ())


def _expression_problems(bound: BoundTask) -> Iterator[Problem]:
    for name, value in (bound.task.fields or {}).items():
        where = bound.where.at("fields", name)
        if name.startswith("fm_") or name == OPTIONS:
            yield where.problem(f"'{name}' is a name that flanmix gives", "call the field something else")
        if bound.conversation and name in (*TURN_FIELDS, TRAINED):
            yield where.problem(f"'{name}' comes from the conversation", "call the field something else")
        if isinstance(value, str) and "{" in value:
            yield from _compiles(value, where, expression=False)
    if bound.task.drop is not None:
        yield from _compiles(bound.task.drop, bound.where.at("drop"), expression=True)


def _template_problems(bound: BoundTask) -> Iterator[Problem]:
    for item in bound.templates:
        yield from _problems_of_template(item, fields_of(bound), f"the task {bound.task.name}")


def problems_of_family(family: Family, where: Where) -> list[Problem]:
    """Every problem of a family's templates, whether or not a task uses them."""
    known = frozenset(family.fields) | ({OPTIONS} if "choices" in family.fields else frozenset())
    templates = templates_of(family, where)
    return [
        problem for item in templates for problem in _problems_of_template(item, known, f"the family {family.name}")
    ]


def templates_of(family: Family, where: Where) -> list[BoundTemplate]:
    """A family's templates, each in its place."""
    return [
        BoundTemplate(f"{family.name}/{template.name}", template, where.at("templates", index))
        for index, template in enumerate(family.templates)
    ]


def _problems_of_template(item: BoundTemplate, known: frozenset[str] | None, owner: str) -> Iterator[Problem]:
    """The problems of a template that may use the names in `known`, or any where that is None."""
    dialect, texts = item.template.dialect, item.template.texts
    for key, text in {**texts, **({"when": item.template.when} if item.template.when else {})}.items():
        where = item.where.at_text(key)
        try:
            read = compile_expression(text).variables if key == "when" else names_read(item.template, key)
        except BadTemplate as error:
            yield _problem(error, where)
            continue
        for variable in sorted(read - known - BUILT_IN[dialect]) if known is not None else ():
            what = f"'{variable}' is no field of {owner}"
            hint = did_you_mean(variable, known or ()) or f"its fields are {', '.join(sorted(known or ()))}"
            yield where.problem(what, hint, into_text=line_of_name(text, variable, dialect))


@dataclass(frozen=True)
class Explained:
    """Which engine renders a template, and where it needs rows the construct that forces them and its place."""

    template: str
    engine: Literal["columns", "rows"]
    construct: str = ""
    place: str = ""


def explained(item: BoundTemplate) -> Explained:
    """Say how a template is rendered, from its text alone; raises `BadTemplate`.

    A template that goes by columns goes by rows for a slice of rows in which one makes it fail, to say which.
    """
    reason = explain(item.template)
    if reason is None:
        return Explained(item.id, "columns")
    found = item.where.at_text(reason.key).problem("", into_text=reason.line)
    place = ": ".join(part for part in (f"{found.file}:{found.line}" if found.line else found.file, found.key) if part)
    return Explained(item.id, "rows", reason.construct, place)


def _problem(error: BadTemplate, where: Where) -> Problem:
    return where.problem(error.what, error.hint, into_text=error.line)


def _compiles(text: str, where: Where, *, expression: bool) -> Iterator[Problem]:
    try:
        if expression or is_expression(text):
            compile_expression(text)
        else:
            compile_template(text)
    except BadTemplate as error:
        yield _problem(error, where)
