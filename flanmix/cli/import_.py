"""`flanmix import`: the templates of another collection as families, or its files as tasks."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flanmix.cli.options import format_option, print_json, print_table, say
from flanmix.errors import Problem, UsageError
from flanmix.registry import load_registry, read_registry
from flanmix.words import count_of

if TYPE_CHECKING:
    from flanmix.importers.families import Imported
    from flanmix.importers.instructions import ImportedFile


@click.command("import")
@click.argument("kind", type=click.Choice(["promptsource", "natural-instructions"]))
@click.argument("place", metavar="DIR")
@click.option("-o", "--into", required=True, metavar="DIR", help="The registry folder to write to.")
@click.option("--keep-dialect", is_flag=True, help="Write every template of promptsource in its own dialect.")
@click.option(
    "--truncate", is_flag=True, help="Cut what templates of promptsource print at 2,048 characters, as in P3."
)
@click.option("--replace", is_flag=True, help="Write over files that are there and differ.")
@format_option
def command(kind: str, place: str, into: str, keep_dialect: bool, truncate: bool, replace: bool, form: str) -> None:
    """Write what is below DIR as families or tasks, each in a file.

    Of promptsource, DIR is a templates.yaml, the folder of a dataset or that of a collection: the templates of each
    dataset and config become a family. A template becomes a native one where that does the same for every row, and
    keeps its dialect where not.

    Of natural-instructions, DIR is a folder of JSON files, one of them, or a file of lines: each becomes a task, whose
    rows are read where they lie.
    """
    if kind == "promptsource":
        _import_promptsource(place, Path(into), keep_dialect, truncate, replace, form)
        return
    if keep_dialect or truncate:
        raise UsageError("--keep-dialect and --truncate are for promptsource", hint="leave them out")
    _import_instructions(place, Path(into), replace, form)


def _import_instructions(place: str, folder: Path, replace: bool, form: str) -> None:
    from flanmix.importers.instructions import import_instructions
    from flanmix.importers.writing import spec_text, write_files

    imported = import_instructions(place, folder)
    texts = {
        folder / f"{spec.name}.yaml": spec_text(spec, f"Imported by flanmix from {Path(each.file).name}.")
        for each in imported
        for spec in (each.task, each.sizes)
        if spec is not None
    }
    for note in (note for each in imported for note in each.notes):
        say(note)
    states = write_files(texts, replace=replace)
    records = [_record_of_task(each, folder, states) for each in imported]
    if form == "json":
        print_json(records)
    else:
        _print_types(records)
    counts = Counter(record["state"] for record in records)
    told = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
    say(f"{count_of(len(records), 'file')} of tasks in {folder}: {told}")


def _record_of_task(each: "ImportedFile", folder: Path, states: dict[Path, str]) -> dict[str, Any]:
    file = None if each.task is None else folder / f"{each.task.name}.yaml"
    return {
        "source": each.file,
        "task": each.task and each.task.name,
        "type": each.task and each.task.type,
        "categories": list(each.categories),
        "notes": list(each.notes),
        "file": file and str(file),
        "state": "left out" if file is None else states[file],
    }


def _print_types(records: list[dict[str, Any]]) -> None:
    from rich.table import Table

    kinds = Counter(record["type"] or "left out" for record in records)
    table = Table("type", "tasks", "categories")
    for kind, count in sorted(kinds.items()):
        of_kind = [record for record in records if (record["type"] or "left out") == kind]
        categories = sorted({each for record in of_kind for each in record["categories"]})
        table.add_row(kind, f"{count:,}", ", ".join(categories))
    print_table(table)


def _import_promptsource(
    place: str, folder: Path, keep_dialect: bool, truncate: bool, replace: bool, form: str
) -> None:
    from flanmix.importers.families import import_files
    from flanmix.importers.promptsource import read_files
    from flanmix.importers.writing import family_text, write_files

    files = read_files(place, truncate=truncate)
    _refuse_to_read_back([Path(file.file) for file in files], folder)
    imported = import_files(files, keep_dialect=keep_dialect, taken=load_registry().families)
    texts = {
        folder / f"{each.family.name}.yaml": family_text(each.family, _origin(each))
        for each in imported
        if each.family is not None
    }
    _refuse_twins(folder, set(texts))
    for note in (note for each in imported for note in each.notes):
        say(note)
    states = write_files(texts, replace=replace)
    records = [_record(each, folder, states) for each in imported]
    if form == "json":
        print_json(records)
    else:
        _print(records)
    native, dialect = (sum(record[key] for record in records) for key in ("native", "dialect"))
    counts = f"{count_of(native, 'native template')}, {dialect:,} in the dialect promptsource"
    say(f"{count_of(len(texts), 'family file')} in {folder}: {counts}")


def _origin(each: "Imported") -> str:
    config = "" if each.source.config is None else f", config {each.source.config}"
    return f"Imported by flanmix from promptsource's templates of {each.source.dataset}{config}."


def _refuse_to_read_back(files: list[Path], folder: Path) -> None:
    """What is imported may not lie in the registry folder, whose YAML files must all be flanmix's."""
    inside = next((file for file in files if file.resolve().is_relative_to(folder.resolve())), None)
    if inside is not None:
        what = f"{inside} lies in {folder}, and a registry folder holds only files of flanmix"
        raise UsageError(what, hint="name another folder with -o")


def _refuse_twins(folder: Path, files: set[Path]) -> None:
    """A family of the same name in another file of the folder could not be read beside it."""
    if not folder.is_dir():
        return
    known, _ = read_registry(folder, bundled=False, plugins=False)
    names = {file.stem: file for file in files}
    places = {name: Path(known.place("family", name)) for name in known.families if name in names}
    twins = [
        Problem(f"the family '{name}' is there already", file=str(place), hint="name another folder with -o")
        for name, place in places.items()
        if place.resolve() != names[name].resolve()
    ]
    if twins:
        raise UsageError(twins)


def _record(each: "Imported", folder: Path, states: dict[Path, str]) -> dict[str, Any]:
    file = None if each.family is None else folder / f"{each.family.name}.yaml"
    return {
        "dataset": each.source.dataset,
        "config": each.source.config,
        "family": each.family and each.family.name,
        "templates": len(each.source.templates),
        "native": each.count("native"),
        "dialect": each.count("promptsource"),
        "reasons": dict(each.reasons),
        "left_out": dict(each.left_out),
        "file": file and str(file),
        "state": "left out" if file is None else states[file],
    }


def _print(records: list[dict[str, Any]]) -> None:
    from rich.table import Table

    keys = ("dataset", "config", "family", "templates", "native", "dialect")
    table = Table(*keys, "first reason")
    for record in records:
        reason = next(iter(record["reasons"].values()), "")
        table.add_row(*("" if record[key] is None else str(record[key]) for key in keys), reason)
    print_table(table)
