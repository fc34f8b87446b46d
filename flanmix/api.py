"""The Python face: registry, mixture, plan, built folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from flanmix import manifest, registry, spec
from flanmix.bound import BoundTask
from flanmix.build import Options, build, make_job
from flanmix.errors import SpecError, UsageError
from flanmix.examples import Example, Examples
from flanmix.folder import clear
from flanmix.planner import Planned, plan_mixture
from flanmix.preview import Preview, preview
from flanmix.report import PlanTable, plan_records, plan_table
from flanmix.shards import Format
from flanmix.words import count_of


class Mixture(spec.Mixture):
    """A recipe: parts, a budget in `rows` or `epochs`, limits by name or in `defaults`.

    >>> Mixture("mini", parts=[spec.Part("type:nli")], rows=100, max_epochs=4).defaults.max_epochs
    4.0
    """

    @model_validator(mode="before")
    @classmethod
    def _limits_by_name(cls, data: Any) -> Any:
        limits = {key: data[key] for key in spec.Limits.model_fields if key in data}
        if limits and "defaults" in data:
            raise UsageError(f"{', '.join(limits)} is given by name, and 'defaults' too", hint="choose one place")
        rest = {key: value for key, value in data.items() if key not in limits}
        return {**rest, "defaults": limits} if limits else rest

    def plan(
        self,
        tasks: registry.Registry,
        *,
        rows: int | None = None,
        epochs: float | None = None,
        seed: int | None = None,
        split: str | None = None,
    ) -> "Plan":
        """Solve the mixture over a registry into exact counts; renders nothing. Raises `FlanmixError`."""
        return Plan(plan_mixture(with_choices(self, rows=rows, epochs=epochs, seed=seed, split=split), tasks))


def with_choices(
    mixture: spec.Mixture,
    *,
    rows: int | None = None,
    epochs: float | None = None,
    seed: int | None = None,
    split: str | None = None,
) -> spec.Mixture:
    """The mixture with another budget, seed or split than it was written with; raises `UsageError`."""
    if rows is not None and epochs is not None:
        raise UsageError("a mixture takes rows or epochs, not both", hint="leave one out")
    changes: dict[str, Any] = {} if rows is epochs is None else {"rows": rows, "epochs": epochs}
    changes |= {key: value for key, value in (("seed", seed), ("split", split)) if value is not None}
    data = {name: getattr(mixture, name) for name in type(mixture).model_fields} | changes
    try:
        return spec.Mixture(**data)
    except SpecError as error:
        raise UsageError(error.problems) from error


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
        return Mixture(**{key: getattr(found, key) for key in type(found).model_fields})

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


class Plan:
    """A solved mixture: exact counts per task, and any row of it on demand.

    `plan[k]` renders position k alone; `plan.build(folder)` writes all of them.
    """

    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        self._examples = Examples(planned.plan, planned.files)

    @property
    def name(self) -> str:
        """The mixture's name."""
        return self._planned.plan.name

    @property
    def rows(self) -> int:
        """The number of planned rows."""
        return self._planned.plan.rows

    @property
    def digest(self) -> str:
        """SHA-256 that names the plan: equal digests, equal rows."""
        return self._planned.plan.digest

    @property
    def counts(self) -> dict[str, int]:
        """Planned rows by task."""
        return {task.name: task.rows for task in self._planned.plan.tasks}

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, position: int) -> Example:
        position = index(position)
        if not -self.rows <= position < self.rows:
            raise IndexError(f"position {position} of a mixture of {self.rows} rows")
        return self._examples.example(position % self.rows)

    def __iter__(self) -> Iterator[Example]:
        return (self[position] for position in range(self.rows))

    def __repr__(self) -> str:
        size = f"{count_of(self.rows, 'row')} of {count_of(len(self.counts), 'task')}"
        return f"<Plan of {self.name}: {size}, {self.digest[:12]}>"

    def table(self) -> PlanTable:
        """The plan as a table, one line a task: `print` it, or let a notebook show it."""
        return plan_table(self._planned.plan)

    def records(self) -> list[dict[str, Any]]:
        """The plan as plain values, one record a task."""
        return plan_records(self._planned.plan)

    def build(
        self,
        out: str | Path,
        *,
        layout: str | None = None,
        separator: str | None = None,
        metadata: bool = True,
        format: Format = "parquet",
        shard_rows: int | None = None,
        max_shard_size: int | str = "500MB",
        num_proc: int = 1,
        replace: bool = False,
        quiet: bool = False,
    ) -> "Built":
        """Write every row into a folder that `datasets.load_dataset` reads.

        `layout` and `separator` default to the mixture's. Shards are cut by `shard_rows`, or to files of about
        `max_shard_size` bytes. `num_proc` processes give the same bytes as one. A folder with another build in it is
        refused, unless `replace`. Raises `FlanmixError`.
        """
        if num_proc < 1:
            raise UsageError(f"{num_proc} processes", hint="give at least 1")
        planned, mixture = self._planned, self._planned.mixture
        options = Options(
            layout=layout or mixture.layout,
            separator=mixture.separator if separator is None else separator,
            metadata=metadata,
            format=format,
            shard_rows=shard_rows,
            max_shard_size=max_shard_size,
        )
        job = make_job(planned.plan, planned.files, options)
        if replace:
            clear(Path(out))
        tasks = [bound.task for bound in planned.tasks]
        build(job, Path(out), tasks, mixture.description, num_proc, quiet=quiet)
        return Built(Path(out))


@dataclass(frozen=True)
class Built:
    """A finished build on disk."""

    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        """What was built: counts, hashes, reasons for drops."""
        return manifest.read(self.folder)

    @property
    def rows(self) -> int:
        """The number of rows written."""
        return int(self.manifest["rows"])

    def verify(self) -> dict[str, Any]:
        """Check every file against the manifest; raises `BuildError` with all that differs."""
        return manifest.verify(self.folder)
