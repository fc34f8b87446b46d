"""A task together with the templates that serve it."""

from dataclasses import dataclass
from pathlib import Path

from flanmix.errors import UsageError, did_you_mean
from flanmix.origin import Where
from flanmix.select import Subject
from flanmix.spec import Conversation, Task, Template
from flanmix.words import PLAIN, STYLES

_DIALOGUE = "dialogue"


@dataclass(frozen=True)
class BoundTemplate:
    """A template in the place where it serves: `id` is unique within a task, `family/name` or its own name."""

    id: str
    template: Template
    where: Where

    @property
    def style(self) -> str:
        """The first of `STYLES` among the template's tags, or `plain`."""
        return next((style for style in STYLES if style in self.template.tags), PLAIN)


@dataclass(frozen=True)
class BoundTask:
    """A task with the templates that serve it, the fields they may use and the folder its files are relative to."""

    task: Task
    templates: tuple[BoundTemplate, ...]
    fields: tuple[str, ...] | None
    where: Where
    folder: Path | None = None

    @property
    def conversation(self) -> Conversation | None:
        """Where the turns of its conversations stand; None for a task of plain rows.

        A dialogue that says nothing of where its texts are, and takes the wordings of the family of that name, is
        looked through for turns.
        """
        task = self.task
        of_family = any(item.id.startswith(f"{_DIALOGUE}/") for item in self.templates)
        if task.conversation is None and task.fields is None and task.type == _DIALOGUE and of_family:
            return "detect"
        return task.conversation

    def template(self, name: str) -> BoundTemplate:
        """The template of this id, as `fm_template` has it; raises `UsageError`."""
        for item in self.templates:
            if item.id == name:
                return item
        ids = [item.id for item in self.templates]
        hint = did_you_mean(name, ids) or f"there are {', '.join(ids)}"
        raise UsageError(f"{self.task.name} has no template '{name}'", hint=hint)

    @property
    def subject(self) -> Subject:
        """What selectors look at."""
        task = self.task
        styles = frozenset(item.style for item in self.templates)
        return Subject(task.name, task.type, frozenset(task.tags), frozenset(task.languages), styles)
