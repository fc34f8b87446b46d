"""What is held out of a mixture, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flanmix.select import Subject


@dataclass(frozen=True)
class HeldOut:
    """A task that is held out, the reason in a few words, and in sentences what it stands on.

    `direct` where a selector takes it; the others are related to such a task, or share a source with a held-out one.
    """

    task: str
    reason: str
    direct: bool
    because: str = ""

    def facts(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {"task": self.task, "reason": self.reason, "direct": self.direct, "because": self.because}


@dataclass(frozen=True)
class Held:
    """All that is held out, sorted by name, and the tasks of which nobody can tell, as they have no type."""

    out: tuple[HeldOut, ...] = ()
    untold: frozenset[str] = frozenset()


class Holding(Protocol):
    """Decides what is held out; recipes are resolved with one."""

    def chosen(self, selector: str, subjects: Mapping[str, Subject]) -> list[str]:
        """The tasks that a selector takes; raises `UsageError`, also where it takes none."""

    def held(self, direct: Mapping[str, str], subjects: Mapping[str, Subject]) -> Held:
        """These tasks (each with the selector that takes it), and what is related to them or shares a source."""
