"""Conditions that decide nothing."""

from collections.abc import Iterator, Sequence

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


def dead(wording: Wording, served: Sequence[bool | None]) -> Iterator[Finding]:
    """A `when` that holds for no row of any task; `served` says for each whether it does for one, None for unknown."""
    if wording.template.when is not None and served and all(each is False for each in served):
        what = f"'when' holds for no row of {'its task' if len(served) == 1 else f'its {len(served)} tasks'}"
        hint = "compare it with what the fields hold, or take the wording out"
        yield wording.finding("dead-guard", "when", what, hint)
