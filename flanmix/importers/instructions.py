"""Files of Natural Instructions as tasks: each points at a file that stays where it is."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flanmix import yamlio
from flanmix.errors import Problem, SourceError, SpecError, UsageError
from flanmix.sources.instructions import Head, in_lines, read_head, read_lines, value_of_key
from flanmix.spec import FileSource, Limits, Mixture, Part, Task, TemplateUse
from flanmix.spec.base import NAME_PATTERN

FORMAT = "natural_instructions"
"""The format of the sources, the family of the templates, and the type of tasks that have no other."""
PREFIX = "niv2"
SIZES, WORKED = f"{PREFIX}/sizes", f"{PREFIX}/worked_examples"
_TOLD = ("Categories", "Source", "URL", "Domains", "Reasoning", "Input_language", "Output_language")
_LICENCE = "Instance License"
_CAP = 5_000
"""Rows of each task at most, in the mixture of sizes: what FLAN 2022 says that it takes."""
_UNKNOWN = {"", "unknown", "-", "none"}


@dataclass(frozen=True)
class ImportedFile:
    """What became of one file: a task (None where it is left out), and what is to be known of it."""

    file: str
    task: Task | None
    categories: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sizes: Mixture | None = None


def import_instructions(place: str | Path, folder: Path) -> list[ImportedFile]:
    """A task for each JSON file below a place, to be written below `folder`; raises `SpecError` with every problem.

    A file of lines becomes one task whose rows are the worked examples of its tasks, and a mixture of their sizes.
    """
    root = Path(place)
    files = [root] if root.is_file() else sorted(_files_below(root))
    if not files:
        what = f"there is no JSON file below {place}" if root.is_dir() else f"there is no file or folder {place}"
        raise UsageError(what, hint="name the folder 'tasks' of Natural Instructions, or one of its files")
    found: list[ImportedFile] = []
    problems: list[Problem] = []
    first: dict[str, str] = {}
    for file in files:
        shown = os.path.join(place, file.relative_to(root)) if root.is_dir() else str(place)
        try:
            made = _of_lines(file, shown, folder) if in_lines(file) else _of_file(file, shown, folder)
        except SourceError as error:
            problems += error.problems
            continue
        name = made.task.name if made.task else shown
        if (other := first.setdefault(name.lower(), shown)) != shown:
            problems.append(Problem(f"its task would be called '{name}', as that of {other}", file=shown))
        found.append(made)
    if problems:
        raise SpecError(problems)
    return found


def _files_below(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in names if _stem(name) != name and not name.startswith("."))


def _stem(name: str) -> str:
    """A file's name without the ending of JSON, or as it is."""
    return re.sub(r"\.(json|jsonl|ndjson)(\.gz)?$", "", name)


def _source(file: Path, folder: Path) -> FileSource:
    return FileSource(files=os.path.relpath(file, folder / PREFIX), format=FORMAT)


# ---- one file a task


def _of_file(file: Path, shown: str, folder: Path) -> ImportedFile:
    told: dict[str, Any] = {}
    head = read_head(file, {key: _keeper(told, key) for key in _TOLD})
    told.setdefault(_LICENCE, value_of_key(file, _LICENCE))
    words = {key: _words(value) for key, value in told.items()}
    categories = words.get("Categories", ())
    notes = [f"{shown}: {note}" for note in _notes(head, words)]
    name = f"{PREFIX}/{_stem(file.name)}"
    if not re.fullmatch(NAME_PATTERN, name):
        what = f"'{_stem(file.name)}' cannot be a task's name"
        raise SourceError(Problem(what, file=shown, hint="name the file with letters, digits and '_'"))
    if head.fault:
        return ImportedFile(shown, None, categories, (*notes, f"{shown}: is left out: {head.fault}"))
    unknown = [each for each in words.get(_LICENCE, ()) if each.lower() not in _UNKNOWN]
    task = Task(
        name,
        type=type_of(categories),
        description=_description(words),
        tags=_tags(words),
        source=_source(file, folder),
        drop="{{ fault }}",
        templates=TemplateUse(use=(FORMAT,)),
        licence=", ".join(unknown) or "unknown",
        citation=" ".join(each for each in words.get("URL", ()) if each not in _UNKNOWN) or None,
        languages=_languages([*words.get("Input_language", ()), *words.get("Output_language", ())]),
    )
    return ImportedFile(shown, task, categories, tuple(notes))


def _keeper(told: dict[str, Any], key: str) -> Any:
    return lambda value: told.setdefault(key, value)


def _words(value: Any) -> tuple[str, ...]:
    """What a key says: a text, or a list of texts, each once."""
    held = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(" ".join(each.split()) for each in held if isinstance(each, str) and each.strip()))


def _notes(head: Head, words: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if head.left_out:
        yield f"examples are left out: {', '.join(head.left_out)}"
    if head.more_definitions:
        yield f"the first of {head.more_definitions + 1} definitions is taken"
    types, _ = _tables()
    for category in words.get("Categories", ()):
        if category not in types:
            yield f"the category '{category}' is not known; it gives no type"


def type_of(categories: Iterable[str]) -> str:
    """The type of a task of these categories: that of the first which has one.

    >>> type_of(["Textual Entailment"]), type_of(["Poem Generation"])
    ('nli', 'natural_instructions')
    """
    types, _ = _tables()
    return next((kind for each in categories if (kind := types.get(each, FORMAT)) != FORMAT), FORMAT)


@cache
def _tables() -> tuple[Mapping[str, str], Mapping[str, str]]:
    document = yamlio.read(Path(__file__).with_name("natural_instructions.yaml"), "natural_instructions.yaml")
    return document.data["types"], document.data["languages"]


def _languages(names: Iterable[str]) -> tuple[str, ...]:
    _, codes = _tables()
    return tuple(dict.fromkeys(codes.get(name, name.lower()) for name in names))


def _description(words: Mapping[str, Sequence[str]]) -> str:
    kinds = ", ".join(words.get("Categories", ())) or "A task of Natural Instructions"
    return f"{kinds}: from {', '.join(words['Source'])}." if words.get("Source") else f"{kinds}."


def _tags(words: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Tags for selectors: `category-question-generation`, `source-quoref`, `domain-wikipedia`."""
    kinds = {"category": "Categories", "source": "Source", "domain": "Domains", "reasoning": "Reasoning"}
    made = [f"{kind}-{_slug(word)}" for kind, key in kinds.items() for word in words.get(key, ()) if _slug(word)]
    return ("natural-instructions", *dict.fromkeys(made))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80].strip("-")


# ---- a file of lines


def _of_lines(file: Path, shown: str, folder: Path) -> ImportedFile:
    lines = read_lines(file)
    notes = [f"{shown}: the row of {each.name} will be dropped: {each.head.fault}" for each in lines if each.head.fault]
    task = Task(
        WORKED,
        type=FORMAT,
        description="The worked example of each task of Natural Instructions, a row each.",
        tags=("natural-instructions",),
        source=_source(file, folder),
        drop="{{ fault }}",
        templates=TemplateUse(use=(FORMAT,)),
    )
    sizes = {f"{PREFIX}/{each.name}": each.size for each in lines if each.size}
    mixture = Mixture(
        SIZES,
        description="The tasks of Natural Instructions from their sizes alone.",
        sizes=sizes,
        parts=(Part(f"{PREFIX}/*"),),
        epochs=1,
        defaults=Limits(max_rows=_CAP),
    )
    return ImportedFile(shown, task, (), tuple(notes), mixture if sizes else None)
