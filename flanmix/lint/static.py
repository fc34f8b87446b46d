"""Every rule that needs no rows, over tasks and families."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.check import fields_of, problems_of, problems_of_family, templates_of
from flanmix.lint import duplicates, field_use, gluing, guards, leaks, leftovers, option_words, punctuation, spaces
from flanmix.lint.finding import Finding
from flanmix.lint.wording import Wording
from flanmix.origin import Where
from flanmix.spec import Family

_OF_WORDINGS = (field_use, leftovers, punctuation, spaces, gluing, option_words, leaks, guards)
Families = Mapping[str, tuple[Family, Where]]


def wording_of(item: BoundTemplate, bound: BoundTask) -> Wording:
    """A template as it serves a task; that of a family has the family's fields."""
    known = fields_of(bound)
    return Wording(item, None if known is None else tuple(sorted(known)))


def of_tasks_and_families(tasks: Sequence[BoundTask], families: Families) -> list[Finding]:
    """The findings of families, of the tasks, and of the tasks' own wordings, in order and each once.

    What cannot be compiled is left to `flanmix.check`, which says why.
    """
    found = [each for family, where in families.values() for each in _of_family(family, where)]
    for bound in tasks:
        if not problems_of(bound):
            found += _of_task(bound, families)
    return in_order(found)


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """Findings by file, line and rule, each once."""
    return sorted(dict.fromkeys(found), key=lambda finding: finding.order)


def _of_family(family: Family, where: Where) -> Iterator[Finding]:
    if problems_of_family(family, where):
        return
    yield from field_use.of_family(family, where)
    wordings = [Wording(item, family.fields) for item in templates_of(family, where)]
    for wording in wordings:
        yield from _of_wording(wording)
    yield from duplicates.among(wordings)


def _of_task(bound: BoundTask, families: Families) -> Iterator[Finding]:
    yield from field_use.of_task(bound)
    told = [where.origin for _, where in families.values()]
    wordings = [wording_of(item, bound) for item in bound.templates]
    for wording in wordings:
        if wording.item.where.origin not in told:
            yield from _of_wording(wording)
        yield from option_words.of_task(bound, wording)
    yield from duplicates.among(wordings)


def _of_wording(wording: Wording) -> Iterator[Finding]:
    for rules in _OF_WORDINGS:
        yield from rules.of_wording(wording)
