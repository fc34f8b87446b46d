"""Imports point down only, and a few libraries have one place each."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "flanmix"

LAYERS = {
    "data": ["_version", "errors", "canonical", "origin", "words", "complaints", "spec", "select", "bound", "binding"],
    "pure": ["rates", "recipe", "order", "plan", "render", "check", "generators", "layouts"],
    "input and output": [
        "durable",
        "undo",
        "yamlio",
        "mapped",
        "registry",
        "sources",
        "fields",
        "prepare",
        "planner",
        "examples",
        "shards",
        "sizing",
        "manifest",
        "publish",
        "executors",
        "folder",
    ],
    "faces": ["build", "preview", "report", "api", "cli", "__init__", "__main__"],
}
"""From the bottom up. Within a layer, too, a module imports only what stands before it."""

ORDER = [name for names in LAYERS.values() for name in names]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def unit(file: Path) -> str:
    """The module or package directly below flanmix that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(file: Path) -> Iterator[tuple[str, int]]:
    """Every name that a file imports, wherever it does so, with its line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            yield str(node.module), node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def places_of(library: str) -> set[str]:
    found = ((file, name) for file in modules() for name, _ in imported(file))
    return {str(file.relative_to(PACKAGE)) for file, name in found if name.split(".")[0] == library}


def test_every_module_has_its_layer() -> None:
    assert sorted({unit(file) for file in modules()}) == sorted(ORDER)


@pytest.mark.parametrize("file", modules(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down(file: Path) -> None:
    here = ORDER.index(unit(file))
    for name, line in imported(file):
        parts = name.split(".")
        if parts[0] == "flanmix" and len(parts) > 1 and parts[1] in ORDER and parts[1] != unit(file):
            assert ORDER.index(parts[1]) < here, f"{file.name}:{line}: imports {name}, which stands above it"


def test_pure_modules_read_and_write_nothing() -> None:
    pure = [file for file in modules() if unit(file) in LAYERS["pure"]]
    for file in pure:
        names = {name.split(".")[0] for name, _ in imported(file)}
        assert not names & {"os", "io", "shutil", "tempfile", "subprocess", "socket", "random", "time"}, file
        calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "open"], file


def test_datasets_is_imported_by_sources_alone() -> None:
    assert places_of("datasets") == {"sources/hub.py"}


def test_templates_are_compiled_in_one_place() -> None:
    assert places_of("jinja2") == {"render/environment.py", "render/limits.py"}
    compilers = [file.name for file in modules() if {"from_string", "SandboxedEnvironment"} & words(file)]
    assert compilers == ["environment.py"]


@pytest.mark.parametrize(
    "word", ["eval", "exec", "pickle", "marshal", "trust_remote_code", "unsafe_load", "full_load", "FullLoader"]
)
def test_nothing_runs_what_data_says(word: str) -> None:
    assert not [file.name for file in modules() if word in words(file)]


def words(file: Path) -> set[str]:
    """Every name that the code of a file uses: not those in its texts and comments."""
    found: set[str] = {name for full, _ in imported(file) for name in full.split(".")}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                found.add(name)
    return found


def test_modules_are_small() -> None:
    lengths = sorted(len(file.read_text("utf-8").splitlines()) for file in modules())
    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 2] <= 150
