"""What is held out of a mixture, as plain values: what is asked for, and what comes of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flanmix.errors import Problem, UsageError
from flanmix.origin import Where
from flanmix.select import Subject
from flanmix.spec import Mixture, Part

_SHOWN = 8
"""Tasks of one reason that a plan's title names."""


@dataclass(frozen=True)
class HeldOut:
    """A task that is held out, the reason in a few words, and in a sentence what it stands on.

    `direct` where a selector takes it; the others are related to such a task, or share a source with a held-out one.
    """

    task: str
    reason: str
    direct: bool
    because: str = ""

    def facts(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {"task": self.task, "reason": self.reason, "direct": self.direct, "because": self.because}

    def told(self) -> str:
        """Why the task is held out, in sentences.

        >>> HeldOut("glue/rte", "type:nli", True).told()
        'glue/rte is held out: type:nli. It is what the mixture is to be evaluated on.'
        """
        because = self.because or "It is what the mixture is to be evaluated on."
        return f"{self.task} is held out: {self.reason}. {because}"


def in_words(held: Iterable[HeldOut]) -> Iterator[str]:
    """A line for each reason, with its tasks: those of selectors first.

    >>> list(in_words([HeldOut("glue/mrpc", "near nli: paraphrase", False), HeldOut("glue/rte", "type:nli", True)]))
    ['type:nli: glue/rte', 'near nli: paraphrase: glue/mrpc']
    """
    by_reason: dict[str, list[str]] = {}
    for each in sorted(held, key=lambda each: not each.direct):
        by_reason.setdefault(each.reason, []).append(each.task)
    for reason, tasks in by_reason.items():
        more = f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else ""
        yield f"{reason}: {', '.join(tasks[:_SHOWN])}{more}"


@dataclass(frozen=True)
class Held:
    """All that is held out, sorted by name, and the tasks of which nobody can tell, as they have no type."""

    out: tuple[HeldOut, ...] = ()
    untold: frozenset[str] = frozenset()


class Holding(Protocol):
    """Decides what is held out; a mixture is resolved with one."""

    def chosen(self, selector: str, subjects: Mapping[str, Subject]) -> list[str]:
        """The tasks that a selector takes; raises `UsageError`, also where it takes none."""

    def held(self, direct: Mapping[str, str], subjects: Mapping[str, Subject]) -> Held:
        """These tasks (each with the selector that takes it), and what is related to them or shares a source."""


def mixtures_in(
    mixture: Mixture, where: Where, nested: Callable[[str], tuple[Mixture, Where]]
) -> list[tuple[Mixture, Where]]:
    """A mixture and all mixtures in its parts and stages, at any depth, each once and with its place.

    What one of them holds out is held out of the whole. A name that leads nowhere is passed over: whoever resolves the
    part says so.
    """
    found = {mixture.name: (mixture, where)}
    todo = [*mixture.parts, *(part for stage in mixture.stages for part in stage.parts)]
    while todo:
        part: Part = todo.pop(0)
        todo += part.parts or ()
        if part.mixture is None or part.mixture in found:
            continue
        try:
            inner, place = nested(part.mixture)
        except UsageError:
            continue
        found[part.mixture] = inner, place
        todo += inner.parts
    return list(found.values())


def hold_out(
    mixtures: Sequence[tuple[Mixture, Where]], known: Mapping[str, Subject], holding: Holding
) -> tuple[Held, list[Problem]]:
    """What mixtures (the outermost first) hold out of the known tasks, and what is wrong with their selectors."""
    asked = [(text, at.at("hold_out", number)) for each, at in mixtures for number, text in enumerate(each.hold_out)]
    subjects = subjects_of([each for each, _ in mixtures], known) if asked else {}
    direct: dict[str, str] = {}
    problems: list[Problem] = []
    for selector, at in asked:
        try:
            direct = dict.fromkeys(holding.chosen(selector, subjects), selector) | direct
        except UsageError as error:
            problems.extend(at.problem(problem.what, problem.hint) for problem in error.problems)
    return holding.held(direct, subjects) if direct else Held(), problems


def subjects_of(mixtures: Sequence[Mixture], known: Mapping[str, Subject]) -> dict[str, Subject]:
    """The tasks that a mixture (the first) and those in it may take: those of `sizes`, of a registry if it has none.

    Of a task that only sizes know, nothing is told but its name.
    """
    found = {} if mixtures[0].sizes else dict(known)
    for mixture in mixtures:
        found |= {name: known.get(name, Subject(name, "")) for name in mixture.sizes if name not in found}
    return dict(sorted(found.items()))
