"""What can be said of a task without reading a row: its templates compile and use only fields that it has."""

from collections.abc import Iterable, Iterator

from flanmix.bound import BoundTask
from flanmix.errors import Problem, TemplateError, did_you_mean
from flanmix.origin import Where
from flanmix.render.environment import (
    BUILT_IN,
    BadTemplate,
    compile_expression,
    compile_template,
    is_expression,
    line_of_name,
)

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
    if bound.task.fields is None:
        return None
    return frozenset(bound.task.fields) | ({OPTIONS} if "choices" in bound.task.fields else frozenset())


def variables_of(bound: BoundTask) -> frozenset[str]:
    """The names that the task's templates do use; without fields, those of `BUILT_IN` are among them."""
    used: set[str] = set()
    for item in bound.templates:
        used |= compile_template(item.template.input).variables | compile_template(item.template.target).variables
        used |= compile_expression(item.template.when).variables if item.template.when else set()
    known = fields_of(bound)
    return frozenset(used if known is None else used & known)


def _expression_problems(bound: BoundTask) -> Iterator[Problem]:
    for name, value in (bound.task.fields or {}).items():
        where = bound.where.at("fields", name)
        if name.startswith("fm_") or name == OPTIONS:
            yield where.problem(f"'{name}' is a name that flanmix gives", "call the field something else")
        if isinstance(value, str) and "{" in value:
            yield from _compiles(value, where, expression=False)
    if bound.task.drop is not None:
        yield from _compiles(bound.task.drop, bound.where.at("drop"), expression=True)


def _template_problems(bound: BoundTask) -> Iterator[Problem]:
    known = fields_of(bound)
    for item in bound.templates:
        texts = {"input": item.template.input, "target": item.template.target, "when": item.template.when}
        for key, text in texts.items():
            if text is None:
                continue
            where = item.where.at(key)
            problems = list(_compiles(text, where, expression=key == "when"))
            yield from problems
            if problems or known is None:
                continue
            for variable in sorted(_variables(text) - known - BUILT_IN):
                what = f"'{variable}' is no field of the task {bound.task.name}"
                hint = f"its fields are {', '.join(sorted(known))}"
                yield where.problem(what, did_you_mean(variable, known) or hint, into_text=line_of_name(text, variable))


def _variables(text: str) -> frozenset[str]:
    return compile_template(text).variables


def _compiles(text: str, where: Where, *, expression: bool) -> Iterator[Problem]:
    try:
        if expression or is_expression(text):
            compile_expression(text)
        else:
            compile_template(text)
    except BadTemplate as error:
        yield where.problem(error.what, error.hint, into_text=error.line)
