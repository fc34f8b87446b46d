"""The catalogue with what people do to its tasks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from flanmix import registry, spec
from flanmix.api.mixtures import Mixture
from flanmix.bound import BoundTask
from flanmix.preview import Preview, preview


class Task(BoundTask):
    """A task of a registry, with the templates that serve it."""

    def __repr__(self) -> str:
        return f"<Task {self.task.name}: {self.task.type}, {len(self.templates)} templates>"

    def preview(
        self, rows: int | Sequence[int] = 3, *, templates: Sequence[str] | None = None, split: str = "train"
    ) -> Preview:
        """One card for each of a few rows and each template that serves it, for notebooks and terminals."""
        return preview(self, rows=rows, templates=templates, split=split)


class Registry(registry.Registry):
    """A read-only catalogue of tasks, families and mixtures.

    >>> tasks = load_registry()
    >>> tasks["geography/capitals"].task.type
    'closed_book_qa'
    """

    def __getitem__(self, name: str) -> Task:
        return Task(**vars(super().__getitem__(name)))

    def mixture(self, name: str) -> Mixture:
        """A mixture of the catalogue by name; raises `UsageError`."""
        found = super().mixture(name)
        return Mixture(**{key: getattr(found, key) for key in found.model_fields_set})

    @classmethod
    def load(cls, *folders: str | Path, **options: Any) -> Self:
        """As `load_registry`."""
        return cls(registry.load_registry(*folders, **options).found)


def load_registry(
    *folders: str | Path,
    specs: Sequence[spec.Task | spec.Family | spec.Mixture] = (),
    bundled: bool = True,
    plugins: bool = True,
) -> Registry:
    """The bundled catalogue, installed plug-ins, folders of YAML files and specs made in Python, as one value.

    Raises `SpecError` with every problem of every file.
    """
    return Registry.load(*folders, specs=specs, bundled=bundled, plugins=plugins)
