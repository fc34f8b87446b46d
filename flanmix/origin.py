"""Where a value was written: the file and the line of every key."""

import re
from dataclasses import dataclass, field

from flanmix.errors import Problem

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class Origin:
    """A file (or, for values made in Python, a name for them) and the line, from 1, of each key path in it.

    `text_lines` holds the line of a text's first character, which in a block scalar is the line after its key.
    """

    file: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    text_lines: dict[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        """The line of `path`, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def problem(
        self, what: str, path: KeyPath = (), hint: str | None = None, *, into_text: int | None = None
    ) -> Problem:
        """A `Problem` at `path`; `into_text` is a line (from 1) inside the text that stands there."""
        line = self.line(path)
        if into_text is not None and path in self.text_lines:
            line = self.text_lines[path] + into_text - 1
        return Problem(what, file=self.file, line=line, key=dotted(path) or None, hint=hint)


@dataclass(frozen=True, eq=False)
class Where:
    """One place in an origin."""

    origin: Origin
    path: KeyPath = ()

    def at(self, *more: str | int) -> "Where":
        """A place inside this one."""
        return Where(self.origin, (*self.path, *more))

    def at_text(self, key: str) -> "Where":
        """A place inside this one, as `dotted` writes it: `turns[0].user`."""
        return self.at(*(int(part) if part.isdigit() else part for part in re.findall(r"\w+", key)))

    @property
    def place(self) -> str:
        """The place in words: `file:line: key`.

        >>> Where(Origin("nli.yaml", {("templates",): 7}), ("templates",)).place
        'nli.yaml:7: templates'
        """
        problem = self.problem("")
        line = f":{problem.line}" if problem.line else ""
        return f"{problem.file}{line}: {problem.key}" if problem.key else f"{problem.file}{line}"

    def problem(self, what: str, hint: str | None = None, *, into_text: int | None = None) -> Problem:
        """A `Problem` at this place."""
        return self.origin.problem(what, self.path, hint, into_text=into_text)


def dotted(path: KeyPath) -> str:
    """A key path as people write it.

    >>> dotted(("parts", 0, "weight"))
    'parts[0].weight'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
