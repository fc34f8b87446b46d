"""Tasks that a mixture holds out: those that selectors take, their near relations, and what shares their sources."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from flanmix.bound import BoundTask
from flanmix.errors import Problem, UsageError, did_you_mean
from flanmix.held import Held, HeldOut
from flanmix.holding_out.relations import Relations, load_relations
from flanmix.holding_out.sources import HeldSources
from flanmix.registry import Registry
from flanmix.select import Subject, choose, parse

__all__ = ["HeldOut", "HoldingOut", "held_out"]


def held_out(registry: Registry, selectors: Iterable[str]) -> tuple[HeldOut, ...]:
    """The tasks of a registry that are held out by selectors, sorted by name; raises `FlanmixError`.

    A task is unseen where nothing was trained on that shares a cluster with it, is near one of its clusters, or has its
    rows from the same source. `direct` are the tasks that a selector takes.

    >>> from flanmix.registry import load_registry
    >>> [(each.task, each.reason) for each in held_out(load_registry(), ["type:nli"])]
    [('inference/everyday', 'type:nli'), ('similarity/sentences', 'near nli: paraphrase')]
    """
    holding, subjects = HoldingOut(registry.tasks), registry.subjects
    direct: dict[str, str] = {}
    problems: list[Problem] = []
    for selector in selectors:
        try:
            direct = dict.fromkeys(holding.chosen(selector, subjects), selector) | direct
        except UsageError as error:
            problems.extend(error.problems)
    if problems:
        raise UsageError(problems)
    return holding.held(direct, subjects).out


class HoldingOut:
    """Decides what is held out among subjects; those that are tasks of a registry have sources to compare."""

    def __init__(self, tasks: Mapping[str, BoundTask]) -> None:
        self._tasks = tasks

    @cached_property
    def _relations(self) -> Relations:
        return load_relations()

    def chosen(self, selector: str, subjects: Mapping[str, Subject]) -> list[str]:
        """The tasks that a selector takes, sorted; raises `UsageError`, also where it takes none."""
        told = {name: self._relations.told(subject) for name, subject in subjects.items()}
        found = sorted(choose(selector, told))
        if not found:
            raise UsageError(f"'{selector}' holds no task out", hint=_near(selector, told))
        return found

    def held(self, direct: Mapping[str, str], subjects: Mapping[str, Subject]) -> Held:
        """These tasks (each with the selector that takes it), and what is related to them or shares a source."""
        told = {name: self._relations.told(subject) for name, subject in subjects.items()}
        found = {name: HeldOut(name, selector, True) for name, selector in direct.items()}
        found |= self._related([told[name] for name in sorted(direct)], told)
        found |= self._sharing(found, told)
        left = frozenset(name for name, subject in told.items() if name not in found and not subject.type)
        known = any(told[name].type for name in direct)
        return Held(tuple(found[name] for name in sorted(found)), left if known else frozenset())

    def _related(self, direct: list[Subject], told: Mapping[str, Subject]) -> dict[str, HeldOut]:
        """Tasks that are one step from those held out: related ones of them stay, or all would go in the end."""
        first: dict[tuple[str, ...], Subject] = {}
        for subject in direct:
            first.setdefault(self._relations.clusters_of(subject), subject)
        taken = {subject.name for subject in direct}
        found = {}
        for name, subject in told.items():
            if name in taken:
                continue
            for other in first.values():
                if step := next(self._relations.between(subject, other), None):
                    found[name] = _by_relation(name, other.name, *step)
                    break
        return found

    def _sharing(self, held: Mapping[str, HeldOut], told: Mapping[str, Subject]) -> dict[str, HeldOut]:
        sources = HeldSources(self._tasks[name] for name in sorted(held) if name in self._tasks)
        found = {}
        for name in told:
            if name in held or name not in self._tasks:
                continue
            if shared := sources.shared_with(self._tasks[name]):
                other, what = shared
                found[name] = HeldOut(name, f"shares its source with {other}", False, f"Both have {what}.")
        return found


def _by_relation(name: str, other: str, mine: str, theirs: str, because: str) -> HeldOut:
    """The reason of a task that is held out with another one: by a cluster of both, or by two that are near."""
    if mine == theirs:
        return HeldOut(name, f"{mine}, as {other} is", False, because)
    return HeldOut(name, f"near {theirs}: {mine}", False, because)


def _near(selector: str, subjects: Mapping[str, Subject]) -> str:
    """The next step for a selector that takes nothing: the nearest word for its first term that fits no task."""
    for term in parse(selector).terms:
        if term.excludes or any(term.holds(subject) for subject in subjects.values()):
            continue
        known = sorted({value for subject in subjects.values() for value in subject.values(term.kind) if value})
        if not known:
            return f"of no task a {term.kind} is known"
        start = "" if term.kind == "name" else f"{term.kind}:"
        if not start and any(subject.type == term.pattern for subject in subjects.values()):
            return f"did you mean 'type:{term.pattern}'?"
        return did_you_mean(f"{start}{term.pattern}", [f"{start}{value}" for value in known]) or (
            f"there are {', '.join(known[:12])}{' …' if len(known) > 12 else ''}"
        )
    return "each of its terms takes tasks, and no task fits them all"
