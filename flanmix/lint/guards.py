"""Conditions that decide nothing."""

from collections.abc import Iterator

from flanmix.lint.finding import Finding
from flanmix.lint.wording import Wording
from flanmix.render.environment import BUILT_IN, compile_expression


def of_wording(wording: Wording) -> Iterator[Finding]:
    """A `when` that is the same for every row, whatever it holds."""
    when = wording.template.when
    if when is None:
        return
    if not compile_expression(when).variables - (BUILT_IN["native"] - set(wording.fields or ())):
        yield wording.finding("constant-guard", "when", "'when' reads no field", "compare a field in it")


def dead(wording: Wording) -> Iterator[Finding]:
    """A `when` of a task's own wording that holds for none of its rows; a family's may be there for other tasks."""
    if wording.template.when is not None:
        hint = "compare it with what the fields hold, or take the wording out"
        yield wording.finding("dead-guard", "when", "'when' holds for no row of the task", hint)
