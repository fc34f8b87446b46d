"""All rules over tasks and families: what the texts say, and what they make of the first rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flanmix.bound import BoundTask
from flanmix.check import problems_of
from flanmix.errors import Problem, SourceError
from flanmix.lint import guards, targets, values
from flanmix.lint.finding import Finding
from flanmix.lint.rendered import rendered
from flanmix.lint.sampling import NotAtHand, Sample, sample
from flanmix.lint.static import Families, in_order, of_tasks_and_families, wording_of
from flanmix.lint.wording import Wording
from flanmix.origin import KeyPath

ROWS = 1000
"""How many rows of a task are looked at by default."""


@dataclass(frozen=True)
class Report:
    """What the linter found, by file and line.

    `findings` are faults, `warnings` those of wordings that were taken over from other collections; `problems` say
    where what a task says does not fit its rows. `unread` says by task why no row of it was looked at.
    """

    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    unread: Mapping[str, str]


def lint(
    tasks: Sequence[BoundTask],
    families: Families,
    *,
    rows: int = ROWS,
    split: str | None = None,
    from_hub: bool = False,
) -> Report:
    """Look at the wordings of these tasks and families, over up to `rows` rows of each task; at 0, at texts alone.

    Datasets of the Hub are only loaded with `from_hub`. What cannot be compiled is left to `flanmix.check`.
    """
    found = of_tasks_and_families(tasks, families)
    looked = _Rows(frozenset(finding.subject for finding in found if finding.rule == "answer-leak"))
    for bound in tasks if rows else ():
        if not problems_of(bound):
            looked.at(bound, rows, split, from_hub)
    ordered = in_order([*found, *looked.found, *looked.dead_guards()])
    return Report(
        tuple(finding for finding in ordered if not finding.foreign),
        tuple(finding for finding in ordered if finding.foreign),
        tuple(dict.fromkeys(looked.problems)),
        looked.unread,
    )


class _Rows:
    """What the rows of tasks show, one task after the other; `leaking` are templates that are known to."""

    def __init__(self, leaking: frozenset[str]) -> None:
        self.leaking = leaking
        self.found: list[Finding] = []
        self.problems: list[Problem] = []
        self.unread: dict[str, str] = {}
        self._served: dict[tuple[int, KeyPath], tuple[Wording, list[bool | None]]] = {}

    def at(self, bound: BoundTask, rows: int, split: str | None, from_hub: bool) -> None:
        """Look at the first rows of one task."""
        try:
            taken: Sample | None = sample(bound, rows, split=split, from_hub=from_hub)
        except NotAtHand as reason:
            taken, self.unread[bound.task.name] = None, str(reason)
        except SourceError as error:
            taken = None
            self.problems += error.problems
        for index, item in enumerate(bound.templates):
            wording = wording_of(item, bound)
            _, served = self._served.setdefault((id(item.where.origin), item.where.path), (wording, []))
            serves = bool(taken and taken.serves[index].any())
            served.append(serves if taken and (serves or taken.whole) else None)
            if taken and serves:
                self._wording(wording, taken, index)

    def _wording(self, wording: Wording, taken: Sample, index: int) -> None:
        made = rendered(wording, taken.task, taken.of_template(index))
        if isinstance(made, Finding):
            self.found.append(made)
            return
        self.found += targets.of_rows(made, leaks=wording.item.id not in self.leaking)
        self.found += values.of_rows(made) if wording.template.dialect == "native" else ()

    def dead_guards(self) -> Iterator[Finding]:
        """The conditions that held for no row of any task."""
        for wording, served in self._served.values():
            yield from guards.dead(wording, served)
