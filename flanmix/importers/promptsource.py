"""The template files of promptsource, read as templates of its dialect."""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flanmix.errors import Problem, SpecError, UsageError
from flanmix.importers.reading import JOINED, Reading, document
from flanmix.spec import Template

__all__ = ["ImportNote", "TemplateFile", "read_collection", "read_templates"]

FILE = "templates.yaml"


class ImportNote(UserWarning):
    """Something in a file that flanmix takes in its own way: a key that it leaves out, a name that it changes."""


@dataclass(frozen=True)
class TemplateFile:
    """The templates of one dataset, or of one config of it, and what is to be known of how they were read."""

    dataset: str
    config: str | None
    file: str
    templates: tuple[Template, ...]
    notes: tuple[str, ...] = ()


def read_templates(path: str | Path, *, truncate: bool = False) -> list[Template]:
    """The templates of one `templates.yaml`, in the order of the file.

    `truncate` cuts what they print at 2,048 characters, as that tool does by custom. Warns with `ImportNote`, once
    for each kind of thing that is not taken as it stands; raises `SpecError` with every problem of the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "templates.yaml")
    ...     _ = file.write_text("templates: {x: !Template {name: ask, jinja: '{{ q }} ||| {{ a }}'}}")
    ...     read_templates(file)[0].jinja
    '{{ q }} ||| {{ a }}'
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"there is no file {path}", hint=f"name a {FILE}")
    found = read_file(file, str(path), truncate=truncate)
    _warn([found])
    return list(found.templates)


def read_collection(root: str | Path, *, truncate: bool = False) -> dict[tuple[str, str | None], TemplateFile]:
    """The templates of every `templates.yaml` below a folder, by dataset and config (None where it has none).

    The names are those that a file gives, or else those of its folders. Warns and raises as `read_templates`, with
    the notes and problems of all files.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "glue", "rte").mkdir(parents=True)
    ...     file = Path(folder, "glue", "rte", "templates.yaml")
    ...     _ = file.write_text("templates: {x: !Template {name: ask, jinja: '{{ q }} ||| {{ a }}'}}")
    ...     read_collection(folder)["glue", "rte"].templates[0].name
    'ask'
    """
    found = read_files(root, truncate=truncate)
    _warn(found)
    return {(each.dataset, each.config): each for each in found}


def _warn(files: Iterable[TemplateFile]) -> None:
    for file in files:
        for note in file.notes:
            warnings.warn(note, ImportNote, stacklevel=3)


def read_files(root: str | Path, *, truncate: bool = False) -> list[TemplateFile]:
    """As `read_collection`, with the notes in the values; `root` may also be one file.

    Raises `UsageError` where there is nothing to read, and `SpecError` with every problem of all files.
    """
    place = Path(root)
    files = [place] if place.is_file() else sorted(_files_below(place))
    if not files:
        what = f"there is no {FILE} below {root}" if place.is_dir() else f"there is no file or folder {root}"
        raise UsageError(what, hint=f"name a {FILE}, the folder of a dataset or that of a collection")
    found: list[TemplateFile] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str | None], str] = {}
    for file in files:
        shown = os.path.join(root, file.relative_to(place)) if place.is_dir() else str(root)
        try:
            read = read_file(file, shown, _names_of_folders(file, place), truncate=truncate)
        except SpecError as error:
            problems += error.problems
            continue
        first = seen.setdefault((read.dataset, read.config), shown)
        if first != shown:
            what = f"holds templates of {_called(read.dataset, read.config)}, which are in {first} already"
            problems.append(Problem(what, file=shown, hint="leave one out, or change its 'dataset' or 'subset'"))
        found.append(read)
    if problems:
        raise SpecError(problems)
    return found


def _files_below(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if FILE in names:
            yield Path(place, FILE)


def _names_of_folders(file: Path, root: Path) -> tuple[str, str | None]:
    """Dataset and config by the folders of a file: `glue/mrpc`, `user/name/config`."""
    parts = file.parent.relative_to(root).parts if root.is_dir() else ()
    parts = parts or (file.parent.absolute().name,)
    if len(parts) == 1:
        return parts[0], None
    return "/".join(parts[:-1]), parts[-1]


def _called(dataset: str, config: str | None) -> str:
    return dataset if config is None else f"{dataset} ({config})"


def read_file(
    file: Path, shown: str, names: tuple[str, str | None] | None = None, *, truncate: bool = False
) -> TemplateFile:
    """Read one file that errors call `shown`; `names` are its dataset and config where it does not say.

    Raises `SpecError` with every problem of the file.
    """
    held, joined = document(file, shown)
    reading = Reading(held, truncate)
    if joined:
        reading.note(JOINED, "", None)
    templates = tuple(reading.templates())
    default = names or _names_of_folders(file, file)
    dataset, config = reading.named("dataset"), reading.named("subset")
    if reading.problems:
        raise SpecError(reading.problems)
    if dataset is None:
        dataset, config = default[0], config or default[1]
        if not (dataset + (config or "")).isprintable():
            what = "its folders have names that are no printable text"
            raise SpecError(Problem(what, file=shown, hint="give it the keys 'dataset' and 'subset', or rename them"))
    return TemplateFile(dataset, config, shown, templates, tuple(reading.told()))
