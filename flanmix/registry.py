"""The catalogue of tasks, families and mixtures: read from folders and packages, as one read-only value."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Self

from flanmix import yamlio
from flanmix.binding import Families, bind, twice_in_family
from flanmix.bound import BoundTask
from flanmix.errors import FlanmixError, Problem, SpecError, UsageError, did_you_mean
from flanmix.origin import Origin, Where
from flanmix.select import Subject, choose
from flanmix.spec import Family, Mixture, Spec, Task
from flanmix.words import count_of

BUNDLED = ("flanmix.templates", "flanmix.task_registry", "flanmix.mixtures")
ENTRY_POINTS = "flanmix.registry"
_MODELS: Mapping[str, type[Spec]] = {"task": Task, "family": Family, "mixture": Mixture}
_OURS = re.compile(rb"^(task|family|mixture)\s*:", re.MULTILINE)
_FAMILY = re.compile(rb"^family\s*:\s*([A-Za-z0-9_.-]+)", re.MULTILINE)
_NOT_OURS = {"__pycache__", "node_modules", "site-packages"}


@dataclass(frozen=True)
class _Found:
    """A spec, where it was written and the folder of its file."""

    value: Spec
    where: Where
    folder: Path | None = None


_CHOICES = {"rows", "tokens", "epochs", "seed", "split", "tokenizer", "exclude", "hold_out", "weights"}
"""What may be chosen for a mixture without writing another."""


class Registry:
    """A read-only catalogue: `registry["glue/rte"]` is a task, `families` and `mixtures` are mappings by name."""

    def __init__(self, found: Iterable[_Found] = ()) -> None:
        """Raises `SpecError` with every name that stands twice or leads nowhere."""
        problems = self._fill(tuple(found), frozenset())
        if problems:
            raise SpecError(problems)

    def _fill(self, found: tuple[_Found, ...], broken: frozenset[str]) -> list[Problem]:
        """Take in what was found, as far as it goes, and say what does not fit; `broken` are families not to miss."""
        self.found = found
        by_kind: dict[type, dict[str, _Found]] = {model: {} for model in _MODELS.values()}
        problems: list[Problem] = []
        for item in found:
            kind = next(model for model in by_kind if isinstance(item.value, model))
            name = item.value.name  # type: ignore[attr-defined]
            first = by_kind[kind].setdefault(name, item)
            if first is not item:
                what = f"the {kind.__name__.lower()} '{name}' is there already"
                problems.append(item.where.problem(what, f"rename one; the other is in {first.where.origin.file}"))
        self._where = {(kind, name): item.where for kind, items in by_kind.items() for name, item in items.items()}
        families: dict[str, Any] = {name: item.value for name, item in by_kind[Family].items()}
        mixtures: dict[str, Any] = {name: item.value for name, item in by_kind[Mixture].items()}
        self.families: Mapping[str, Family] = MappingProxyType(families)
        self.mixtures: Mapping[str, Mixture] = MappingProxyType(mixtures)
        known = Families({name: (family, self._where[Family, name]) for name, family in families.items()}, broken)
        for family, where in known.known.values():
            problems += twice_in_family(family.templates, where)
        tasks: dict[str, BoundTask] = {}
        for name, item in sorted(by_kind[Task].items()):
            assert isinstance(item.value, Task)
            try:
                tasks[name] = bind(item.value, item.where, item.folder, known)
            except SpecError as error:
                problems += error.problems
        self.tasks: Mapping[str, BoundTask] = MappingProxyType(tasks)
        return list(dict.fromkeys(problems))

    @classmethod
    def as_far_as_it_goes(cls, found: Iterable[_Found], broken: Iterable[str]) -> tuple[Self, list[Problem]]:
        """A registry of what fits together, and the problems of the rest."""
        registry = cls.__new__(cls)
        return registry, registry._fill(tuple(found), frozenset(broken))

    def __getitem__(self, name: str) -> BoundTask:
        if name not in self.tasks:
            raise UsageError(f"no task is called '{name}'", hint=did_you_mean(name, self.tasks) or "run 'flanmix ls'")
        return self.tasks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __contains__(self, name: object) -> bool:
        return name in self.tasks

    def __repr__(self) -> str:
        return f"<Registry of {count_of(len(self.tasks), 'task')} and {count_of(len(self.mixtures), 'mixture')}>"

    def mixture(self, name: str) -> Mixture:
        """The mixture of that name; raises `UsageError`."""
        if name not in self.mixtures:
            hint = did_you_mean(name, self.mixtures) or f"there are {', '.join(sorted(self.mixtures)) or 'none'}"
            raise UsageError(f"no mixture is called '{name}'", hint=hint)
        return self.mixtures[name]

    def where(self, value: Mixture | Family) -> Where:
        """Where a mixture or family was written; a mixture with another budget, say, was written there too."""
        kind = Mixture if isinstance(value, Mixture) else Family
        known = (self.mixtures if kind is Mixture else self.families).get(value.name)
        keys = kind.model_fields.keys() - (_CHOICES if kind is Mixture else ())
        if known is not None and all(getattr(known, key) == getattr(value, key) for key in keys):
            return self._where[kind, value.name]
        return Where(Origin(f"{kind.__name__.lower()} {value.name}"))

    def place(self, kind: str, name: str) -> str:
        """The file that a task, family or mixture was written in."""
        return self._where[_MODELS[kind], name].origin.file

    def select(self, text: str) -> Self:
        """The same catalogue with only the tasks that a selector takes; raises `UsageError`."""
        names = set(self.names(text))
        return type(self)(item for item in self.found if not isinstance(item.value, Task) or item.value.name in names)

    def names(self, text: str) -> list[str]:
        """The names of the tasks that a selector takes, sorted; raises `UsageError`."""
        return choose(text, self.subjects)

    @property
    def subjects(self) -> dict[str, Subject]:
        """What selectors look at, by task, sorted."""
        return {name: task.subject for name, task in self.tasks.items()}

    def with_specs(self, *specs: Task | Family | Mixture) -> Self:
        """A new catalogue that also holds these."""
        return type(self)([*self.found, *(_made_in_python(spec) for spec in specs)])


def _made_in_python(spec: Any) -> _Found:
    if not isinstance(spec, Task | Family | Mixture):
        raise UsageError(f"a registry holds tasks, families and mixtures, not {type(spec).__name__}")
    kind = next(word for word, model in _MODELS.items() if isinstance(spec, model))
    return _Found(spec, Where(Origin(f"{kind} {spec.name}")), Path.cwd())


def load_registry(
    *folders: str | Path,
    specs: Sequence[Task | Family | Mixture] = (),
    bundled: bool = True,
    plugins: bool = True,
    beside: Path | None = None,
) -> Registry:
    """Read the bundled catalogue, folders of YAML files, installed plug-ins and specs made in Python.

    Every `.yaml` or `.yml` file below a folder must start a `task:`, a `family:` or a `mixture:`; in the folder
    `beside` (that of a mixture file) other files are passed over. Raises `SpecError` with every problem of every file.

    >>> "starter" in load_registry().mixtures
    True
    """
    registry, problems = read_registry(*folders, specs=specs, bundled=bundled, plugins=plugins, beside=beside)
    if problems:
        raise SpecError(problems)
    return registry


def read_registry(
    *folders: str | Path,
    specs: Sequence[Task | Family | Mixture] = (),
    bundled: bool = True,
    plugins: bool = True,
    beside: Path | None = None,
) -> tuple[Registry, list[Problem]]:
    """As `load_registry`, but gives what can be read beside every problem of the rest."""
    places: list[tuple[Path, str, bool]] = []
    if bundled:
        places += [(_package_folder(import_module(name)), name.replace(".", "/"), True) for name in BUNDLED]
    places += [(Path(folder), str(Path(folder)), True) for folder in folders]
    if beside is not None and beside.resolve() not in [Path(folder).resolve() for folder in folders]:
        places.append((beside, str(beside), False))
    reading = _Reading()
    for folder, shown, strict in places:
        reading.folder(folder, shown, strict)
    if plugins:
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
            reading.plugin(point)
    found = [*reading.found, *(_made_in_python(spec) for spec in specs)]
    registry, problems = Registry.as_far_as_it_goes(found, reading.broken)
    return registry, [*reading.problems, *problems]


def _package_folder(package: ModuleType) -> Path:
    return Path(package.__path__[0])


class _Reading:
    """What was read so far: specs, problems, and the names of families whose files are at fault."""

    def __init__(self) -> None:
        self.found: list[_Found] = []
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self._read: set[Path] = set()

    def folder(self, folder: Path, shown: str, strict: bool) -> None:
        """Read every YAML file below a folder that errors call `shown`, once where it lies below two of them."""
        if not folder.is_dir():
            what = "is no folder" if folder.exists() else "does not exist"
            hint = "name a folder of task, family or mixture YAML files"
            self.problems.append(Problem(what, file=shown, hint=hint))
            return
        for file in _yaml_files(folder):
            if file.resolve() in self._read:
                continue
            self._read.add(file.resolve())
            label = os.path.join(shown, file.relative_to(folder)) if shown != "." else str(file.relative_to(folder))
            try:
                item = read_file(file, label, strict=strict)
            except SpecError as error:
                self.problems += error.problems
                self.broken |= {name.decode() for name in _FAMILY.findall(_peek(file))}
            else:
                self.found += [item] if item else []

    def plugin(self, point: EntryPoint) -> None:
        """Read an entry point: it names a package (or a folder) of YAML files, or a sequence of specs."""
        shown = f"plug-in '{point.name}' ({point.value})"
        try:
            value = point.load()
        except Exception as error:
            what = f"cannot be loaded: {type(error).__name__}: {error}"
            hint = "repair or uninstall the package that registers it"
            self.problems.append(Problem(what, file=shown, hint=hint))
            return
        if isinstance(value, ModuleType) and hasattr(value, "__path__"):
            value = _package_folder(value)
        if isinstance(value, str | Path):
            self.folder(Path(value), shown, strict=True)
            return
        try:
            self.found += [replace(_made_in_python(spec), where=Where(Origin(shown))) for spec in value]
        except (TypeError, FlanmixError):
            hint = "it should be a package with YAML files, a folder, or a list of specs"
            self.problems.append(Problem(f"holds {type(value).__name__}", file=shown, hint=hint))


def _yaml_files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _NOT_OURS)
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        yield from (Path(place, name) for name in sorted(files) if name.endswith((".yaml", ".yml")))


def read_file(file: Path, shown: str, *, strict: bool = True) -> _Found | None:
    """Read one YAML file into a spec; None for a file that is none of ours, where that is allowed."""
    if not strict and not _OURS.search(_peek(file)):
        return None
    document = yamlio.read(file, shown)
    kinds = [word for word in _MODELS if word in document.data]
    if len(kinds) != 1:
        what, hint = f"is both {' and '.join(kinds)}", "make it two files"
        if not kinds:
            what = "needs one of the keys 'task', 'family' or 'mixture'"
            near = (did_you_mean(key, _MODELS) for key in document.data)
            hint = next((found for found in near if found), "start it with one of them")
        raise SpecError(document.origin.problem(what, (), hint))
    return _Found(yamlio.parse(document, _MODELS[kinds[0]]), Where(document.origin), file.parent)


def _peek(file: Path) -> bytes:
    """What is in a file, or nothing where it cannot be read: whoever reads it whole says so."""
    try:
        return file.read_bytes()
    except OSError:
        return b""
