"""A template as rules look at it: its texts by side, each with the ways through it, and the fields it may read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from flanmix.bound import BoundTemplate
from flanmix.lint.finding import Finding
from flanmix.lint.paths import Path, paths_of
from flanmix.render import names_read
from flanmix.render.environment import BUILT_IN
from flanmix.render.flow import made_of
from flanmix.spec import Template

Side = Literal["input", "target", "system", "choices"]
_SEPARATOR = "|||"


class Part(NamedTuple):
    """One way through one of a template's texts, and what the text is for."""

    key: str
    side: Side
    path: Path


def is_foreign(template: Template) -> bool:
    """Whether a wording was taken over from another collection, which is kept as it is."""
    return template.dialect != "native" or bool(template.metadata and template.metadata.id)


@dataclass(frozen=True, eq=False)
class Wording:
    """A template in its place, and the fields that it may read; None where they are the columns of a source."""

    item: BoundTemplate
    fields: tuple[str, ...] | None

    @property
    def template(self) -> Template:
        """The template itself."""
        return self.item.template

    @property
    def pair(self) -> tuple[str, str]:
        """The keys of its input and its target: in the dialect `promptsource` one text makes both."""
        return self.template.pair if self.template.dialect == "native" else ("jinja", "jinja")

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Every way through every text; a text of the dialect `promptsource` falls into input and target."""
        found: list[Part] = []
        for key, text in self.template.texts.items():
            for path in paths_of(text, self.template.dialect):
                if key == "jinja":
                    sides: tuple[Side, ...] = ("input", "target")
                    found += (Part(key, side, half) for side, half in zip(sides, path.split(_SEPARATOR), strict=False))
                else:
                    found.append(Part(key, self.side(key), path))
        return tuple(found)

    def side(self, key: str) -> Side:
        """What one of the texts is for."""
        if key == "answer_choices":
            return "choices"
        if key.startswith("system"):
            return "system"
        return "target" if key == "target" or key.endswith("assistant") else "input"

    def of(self, *sides: Side) -> Iterator[Part]:
        """The parts that are for these."""
        return (part for part in self.parts if part.side in sides)

    def reads(self, *sides: Side) -> frozenset[str]:
        """The names that the texts for these read, conditions among them."""
        own = (key for key in self.template.texts if key != "jinja" and self.side(key) in sides)
        names = frozenset[str]().union(*(names_read(self.template, key) for key in own))
        if "jinja" in self.template.texts:
            names |= names_read(self.template, "jinja")
        return names - (BUILT_IN[self.template.dialect] - set(self.fields or ()))

    def values(self, *parts: Part) -> frozenset[str]:
        """What these parts print, as `Flow.values`, and what the names stand for that the texts make themselves."""
        return self.made(value for part in parts for slot in part.path.slots for value in slot.flow.values)

    def made(self, values: Iterable[str]) -> frozenset[str]:
        """These values, and in place of names that the texts make themselves those they are made of."""
        known: frozenset[str] = frozenset()
        left = set(values)
        while left:
            known |= left
            left = {inner for value in left for inner in self._made.get(value, ())} - known
        return frozenset(known - self._made.keys())

    @cached_property
    def _made(self) -> dict[str, frozenset[str]]:
        dialect = self.template.dialect
        return {name: of for text in self.template.texts.values() for name, of in made_of(text, dialect).items()}

    def finding(self, rule: str, key: str, what: str, hint: str, line: int | None = None) -> Finding:
        """A finding in one of its keys, at a line inside the text that stands there."""
        where = self.item.where.at_text(key) if key else self.item.where
        found = where.problem(what, hint, into_text=line)
        foreign = is_foreign(self.template)
        return Finding(rule, self.item.id, replace(found, key=found.key or None), foreign)
