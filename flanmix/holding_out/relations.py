"""Which tasks are near each other: clusters of tasks and what relates them, as `relations.yaml` tells."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from importlib.resources import files
from itertools import permutations
from typing import Annotated

from pydantic import Field

from flanmix.select import Subject
from flanmix.spec.base import Slug, Spec, Text
from flanmix.words import natural_name
from flanmix.yamlio import parse, read_text


class Cluster(Spec):
    """Tasks of one kind: those of that type, those with that tag, and those that FLAN calls by the names in `flan`."""

    name: Slug
    about: Text
    flan: tuple[Text, ...] = ()


class Nearness(Spec):
    """Two clusters of which neither is unseen where the other was trained on."""

    between: Annotated[tuple[Slug, ...], Field(min_length=2, max_length=2)]
    because: Text


class Relations(Spec):
    """Clusters of tasks, and which of them are near each other.

    >>> known = load_relations()
    >>> known.clusters_of(Subject("cosmos_qa", "reading_comprehension", frozenset({"commonsense", "english"})))
    ('reading_comprehension', 'commonsense')
    >>> sorted(known.near_to["nli"])
    ['paraphrase']
    """

    clusters: tuple[Cluster, ...]
    near: tuple[Nearness, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Cluster]:
        """The clusters that are told of."""
        return {cluster.name: cluster for cluster in self.clusters}

    @cached_property
    def near_to(self) -> Mapping[str, Mapping[str, str]]:
        """The clusters that are near each one, with the reason."""
        found: dict[str, dict[str, str]] = {}
        for each in self.near:
            for one, other in permutations(each.between):
                found.setdefault(one, {})[other] = " ".join(each.because.split())
        return found

    @cached_property
    def _of_flan(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for cluster in self.clusters:
            for task in cluster.flan:
                found[task] = (*found.get(task, ()), cluster.name)
        return found

    def told(self, subject: Subject) -> Subject:
        """The same task; where nothing is known of it but a name that FLAN uses, its type and tags are FLAN's."""
        if subject.type or subject.name not in self._of_flan:
            return subject
        first, *others = self._of_flan[subject.name]
        return replace(subject, type=first, tags=subject.tags | frozenset(others))

    def clusters_of(self, subject: Subject) -> tuple[str, ...]:
        """The clusters of a task: its type's, then those of its tags; none where the type is not known."""
        by_tag = sorted(tag for tag in subject.tags if tag in self.by_name and tag != subject.type)
        return (subject.type, *by_tag) if subject.type else tuple(by_tag)

    def between(self, one: Subject, other: Subject) -> Iterator[tuple[str, str, str]]:
        """How two tasks are related: a cluster of each (equal, or near each other), and the reason in a sentence."""
        theirs = self.clusters_of(other)
        for mine in self.clusters_of(one):
            if mine in theirs:
                yield mine, mine, f"Both are tasks of {natural_name(mine)}."
        for mine in self.clusters_of(one):
            yield from ((mine, name, why) for name, why in self.near_to.get(mine, {}).items() if name in theirs)


def load_relations() -> Relations:
    """Those that ship with flanmix."""
    file = files("flanmix.holding_out") / "relations.yaml"
    return parse(read_text(file.read_bytes(), "relations.yaml"), Relations)
