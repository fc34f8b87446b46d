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

from flanmix import select, yamlio
from flanmix.bound import BoundTask, BoundTemplate
from flanmix.errors import FlanmixError, Problem, SpecError, UsageError, did_you_mean
from flanmix.origin import Origin, Where
from flanmix.spec import Family, Mixture, Spec, Task
from flanmix.words import TASK_TYPES

BUNDLED = ("flanmix.templates", "flanmix.task_registry", "flanmix.mixtures")
ENTRY_POINTS = "flanmix.registry"
_MODELS: Mapping[str, type[Spec]] = {"task": Task, "family": Family, "mixture": Mixture}
_OURS = re.compile(rb"^(task|family|mixture)\s*:", re.MULTILINE)
_NOT_OURS = {"__pycache__", "node_modules", "site-packages"}


@dataclass(frozen=True)
class _Found:
    """A spec, where it was written and the folder of its file."""

    value: Spec
    where: Where
    folder: Path | None = None


class Registry:
    """A read-only catalogue: `registry["glue/rte"]` is a task, `families` and `mixtures` are mappings by name."""

    def __init__(self, found: Iterable[_Found] = ()) -> None:
        self.found = tuple(found)
        by_kind: dict[type, dict[str, _Found]] = {model: {} for model in _MODELS.values()}
        problems: list[Problem] = []
        for item in self.found:
            kind = next(model for model in by_kind if isinstance(item.value, model))
            name = item.value.name  # type: ignore[attr-defined]
            if name in by_kind[kind]:
                first = by_kind[kind][name].where
                what = f"the {kind.__name__.lower()} '{name}' is there already"
                hint = f"rename one; the other is in {first.origin.file}"
                problems.append(item.where.problem(what, hint))
            else:
                by_kind[kind][name] = item
        self.families: Mapping[str, Family] = MappingProxyType({k: v.value for k, v in by_kind[Family].items()})  # type: ignore[misc]
        self.mixtures: Mapping[str, Mixture] = MappingProxyType({k: v.value for k, v in by_kind[Mixture].items()})  # type: ignore[misc]
        self._where = {(kind, name): item.where for kind, items in by_kind.items() for name, item in items.items()}
        tasks: dict[str, BoundTask] = {}
        for name in sorted(by_kind[Task]):
            try:
                tasks[name] = self._bind(by_kind[Task][name])
            except SpecError as error:
                problems.extend(error.problems)
        if problems:
            raise SpecError(problems)
        self.tasks: Mapping[str, BoundTask] = MappingProxyType(tasks)

    def _bind(self, item: _Found) -> BoundTask:
        task = item.value
        assert isinstance(task, Task)
        problems: list[Problem] = []
        types = TASK_TYPES | self.families.keys()
        if task.type not in types:
            hint = did_you_mean(task.type, types) or "use a known type, or name a family after it"
            problems.append(item.where.at("type").problem(f"no task type is called '{task.type}'", hint))
        use = task.templates.use
        if use is None:
            use = (task.type,) if task.type in self.families else ()
        templates: list[BoundTemplate] = []
        fields: set[str] = set()
        for index, name in enumerate(use):
            if name not in self.families:
                where = item.where.at("templates", "use", index)
                hint = did_you_mean(name, self.families) or "'flanmix ls --families' shows all"
                problems.append(where.problem(f"no family is called '{name}'", hint))
                continue
            fields.update(self.families[name].fields)
            templates.extend(self._of_family(name))
        known = {bound.template.name for bound in templates}
        for index, name in enumerate(task.templates.without):
            if name not in known:
                where = item.where.at("templates", "without", index)
                hint = did_you_mean(name, known) or f"there are {', '.join(sorted(known)) or 'none'}"
                problems.append(where.problem(f"no template here is called '{name}'", hint))
        templates = [bound for bound in templates if bound.template.name not in task.templates.without]
        for index, template in enumerate(task.templates.add):
            where = _added(item.where, index)
            if template.name in {bound.id for bound in templates}:
                problems.append(where.problem(f"the template '{template.name}' is there already", "rename one"))
            templates.append(BoundTemplate(template.name, template, where))
        if not templates and not problems:
            hint = f"add some under 'templates', or write a family '{task.type}'"
            problems.append(item.where.problem("no template serves this task", hint))
        if problems:
            raise SpecError(problems)
        return BoundTask(task, tuple(templates), tuple(sorted(fields)) if use else None, item.where, item.folder)

    def _of_family(self, name: str) -> Iterator[BoundTemplate]:
        where = self._where[Family, name]
        for index, template in enumerate(self.families[name].templates):
            yield BoundTemplate(f"{name}/{template.name}", template, where.at("templates", index))

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
        return f"<Registry: {len(self.tasks)} tasks, {len(self.families)} families, {len(self.mixtures)} mixtures>"

    def mixture(self, name: str) -> Mixture:
        """The mixture of that name; raises `UsageError`."""
        if name not in self.mixtures:
            hint = did_you_mean(name, self.mixtures) or f"there are {', '.join(sorted(self.mixtures)) or 'none'}"
            raise UsageError(f"no mixture is called '{name}'", hint=hint)
        return self.mixtures[name]

    def where(self, value: Mixture | Family) -> Where:
        """Where a mixture or family was written."""
        kind = Mixture if isinstance(value, Mixture) else Family
        known = self.mixtures if kind is Mixture else self.families
        if known.get(value.name) == value:
            return self._where[kind, value.name]
        return Where(Origin(f"{kind.__name__.lower()} {value.name}"))

    def place(self, kind: str, name: str) -> str:
        """The file that a task, family or mixture was written in."""
        return self._where[_MODELS[kind], name].origin.file

    def select(self, text: str) -> Self:
        """The same catalogue with only the tasks that a selector takes; raises `UsageError`."""
        return type(self)(
            item for item in self.found if not isinstance(item.value, Task) or item.value.name in set(self.names(text))
        )

    def names(self, text: str) -> list[str]:
        """The names of the tasks that a selector takes, sorted; raises `UsageError`."""
        try:
            selector = select.parse(text)
        except ValueError as error:
            raise UsageError(str(error), hint="write it like 'type:nli glue/* -tag:synthetic'") from error
        return select.select(selector, [task.subject for task in self.tasks.values()])

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
    found: list[_Found] = []
    problems: list[Problem] = []
    places: list[tuple[Path, str, bool]] = []
    if bundled:
        places += [(_package_folder(import_module(name)), name.replace(".", "/"), True) for name in BUNDLED]
    places += [(Path(folder), str(Path(folder)), True) for folder in folders]
    if beside is not None and beside.resolve() not in [Path(folder).resolve() for folder in folders]:
        places.append((beside, str(beside), False))
    for folder, shown, strict in places:
        _collect(lambda f=folder, s=shown, t=strict: _read_folder(f, s, t), found, problems)
    if plugins:
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
            _collect(lambda p=point: _read_plugin(p), found, problems)
    if problems:
        raise SpecError(problems)
    return Registry([*found, *(_made_in_python(spec) for spec in specs)])


def _added(task: Where, index: int) -> Where:
    """Where a task's own template stands: below 'templates' itself, where that is a plain list of them."""
    short = task.at("templates", index)
    return short if short.path in short.origin.lines else task.at("templates", "add", index)


def _collect(read: Any, found: list[_Found], problems: list[Problem]) -> None:
    try:
        found.extend(read())
    except SpecError as error:
        problems.extend(error.problems)


def _package_folder(package: ModuleType) -> Path:
    return Path(package.__path__[0])


def _read_folder(folder: Path, shown: str, strict: bool) -> list[_Found]:
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise SpecError(Problem(what, file=shown, hint="name a folder of task, family or mixture YAML files"))
    found: list[_Found] = []
    problems: list[Problem] = []
    for file in _yaml_files(folder):
        label = os.path.join(shown, file.relative_to(folder)) if shown != "." else str(file.relative_to(folder))
        try:
            item = read_file(file, label, strict=strict)
        except SpecError as error:
            problems.extend(error.problems)
        else:
            found += [item] if item else []
    if problems:
        raise SpecError(problems)
    return found


def _yaml_files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _NOT_OURS)
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        yield from (Path(place, name) for name in sorted(files) if name.endswith((".yaml", ".yml")))


def read_file(file: Path, shown: str, *, strict: bool = True) -> _Found | None:
    """Read one YAML file into a spec; None for a file that is none of ours, where that is allowed."""
    if not strict and not _ours(file):
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


def _ours(file: Path) -> bool:
    try:
        return _OURS.search(file.read_bytes()) is not None
    except OSError:
        return False


def _read_plugin(point: EntryPoint) -> list[_Found]:
    """An entry point names a package (or a folder) of YAML files, or a sequence of specs."""
    shown = f"plug-in '{point.name}' ({point.value})"
    try:
        value = point.load()
    except Exception as error:
        hint = "repair or uninstall the package that registers it"
        raise SpecError(Problem(f"cannot be loaded: {type(error).__name__}: {error}", file=shown, hint=hint)) from error
    if isinstance(value, ModuleType):
        value = _package_folder(value)
    if isinstance(value, str | Path):
        return _read_folder(Path(value), shown, strict=True)
    try:
        return [replace(_made_in_python(spec), where=Where(Origin(shown))) for spec in value]
    except (TypeError, FlanmixError) as error:
        hint = "it should be a package with YAML files, a folder, or a list of specs"
        raise SpecError(Problem(f"holds {type(value).__name__}", file=shown, hint=hint)) from error
