"""All rules over tasks and families: what the texts say, and what they make of the first rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flanmix.bound import BoundTask
from flanmix.check import problems_of
from flanmix.errors import Problem, SourceError
from flanmix.lint import guards, targets, values
from flanmix.lint.finding import Finding
from flanmix.lint.rendered import rendered
from flanmix.lint.sampling import NotAtHand, Sample, sample
from flanmix.lint.static import Families, in_order, of_tasks_and_families, wording_of

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
    leaking = {(finding.subject, finding.found.file) for finding in found if finding.rule == "answer-leak"}
    problems: list[Problem] = []
    unread: dict[str, str] = {}
    for bound in tasks if rows else ():
        if problems_of(bound):
            continue
        try:
            taken = sample(bound, rows, split=split, from_hub=from_hub)
        except NotAtHand as reason:
            unread[bound.task.name] = str(reason)
        except SourceError as error:
            problems += error.problems
        else:
            found += _of_rows(bound, taken, leaking)
    ordered = in_order(found)
    return Report(
        tuple(finding for finding in ordered if not finding.foreign),
        tuple(finding for finding in ordered if finding.foreign),
        tuple(dict.fromkeys(problems)),
        unread,
    )


def _of_rows(bound: BoundTask, taken: Sample, leaking: Collection[tuple[str, str | None]]) -> Iterator[Finding]:
    """What the rows of one task show; `leaking` are templates whose texts show a leak already, and their files."""
    for index, item in enumerate(bound.templates):
        wording = wording_of(item, bound)
        if not taken.serves[index].any():
            if taken.whole and item.where.origin is bound.where.origin:
                yield from guards.dead(wording)
            continue
        made = rendered(wording, taken.task, taken.of_template(index))
        if isinstance(made, Finding):
            yield made
            continue
        yield from targets.of_rows(made, leaks=(item.id, item.where.origin.file) not in leaking)
        if item.template.dialect == "native":
            yield from values.of_rows(made)
