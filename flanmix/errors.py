"""Every error flanmix raises on purpose.

FlanmixError            exit code 1: something to change, said in the message
├── UsageError          exit code 2: the call itself is wrong
├── SpecError           a task, family or mixture file says something that cannot be meant
├── SourceError         data that cannot be read, or a column that is not there
├── TemplateError       a template or expression that does not compile, or fails on a row
├── PlanError           what the mixture asks for cannot be had
└── BuildError          a folder, a worker or a disk got in the way; a built folder is not what it says it is
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change: what, where, and the next step.

    >>> print(Problem("unknown key 'wieght'", file="mix.yaml", line=4, key="parts[0]", hint="did you mean 'weight'?"))
    mix.yaml:4: parts[0]: unknown key 'wieght' - did you mean 'weight'?
    """

    what: str
    file: str | None = None
    line: int | None = None
    key: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        before = "".join(f"{part}: " for part in (place, self.key) if part)
        after = f" - {self.hint}" if self.hint else ""
        return f"{before}{self.what}{after}"


class FlanmixError(Exception):
    """Base of all errors: carries one or more `Problem`s; its text is one line for each.

    >>> print(FlanmixError("no such task 'a/b'", hint="run 'flanmix ls'"))
    no such task 'a/b' - run 'flanmix ls'
    """

    exit_code = 1

    def __init__(self, what: str | Problem | Sequence[Problem], *, hint: str | None = None) -> None:
        if isinstance(what, str):
            what = Problem(what, hint=hint)
        self.problems: tuple[Problem, ...] = (what,) if isinstance(what, Problem) else tuple(what)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UsageError(FlanmixError):
    """The call itself is wrong: an option, a name, an argument."""

    exit_code = 2


class SpecError(FlanmixError):
    """A task, family or mixture says something that cannot be meant."""


class SourceError(FlanmixError):
    """Data that cannot be read, or does not hold what the task says."""


class TemplateError(FlanmixError):
    """A template or expression that does not compile, or fails on a row."""


class PlanError(FlanmixError):
    """What the mixture asks for cannot be had."""


class BuildError(FlanmixError):
    """A folder, a worker or a disk got in the way, or a built folder is not what its manifest says."""


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The hint for a mistyped `name`, or None where nothing known is near.

    >>> did_you_mean("max_row", ["max_rows", "seed"])
    "did you mean 'max_rows'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else None
