"""Imports point down only, and what must stay in one place does: read from the source with `ast`, whatever runs."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "flanmix"

LAYERS: Mapping[str, str] = {
    "data": "_version canonical complaints errors origin spec spec.* words",
    "pure": """
        allot assembling bound changes chat chat.columns chat.conversations chat.cutting chat.detecting chat.flat
        chat.foreign chat.form chat.loss chat.normalising chat.render chat.rendered chat.template chat.turns check
        even extracting generators generators.* held keyed layouts layouts.* lines options options.drawing
        options.listing options.lists options.marks options.writing order packing packing.* plan prompting provenance
        rates rates.* recipe refusals render render.* select shots shots.drawing shots.shooting shots.writing shuffled
        styles token_budget weyl wording
    """,
    "I/O": """
        binding chat.byte_level chat.encode chat.guard chat.library computed durable encoding evalsets evalsets.*
        examples executors executors.* exemplars exports exports.* fields finishing folder holding_out holding_out.*
        importers importers.* lengths manifest mapped measuring options.library parquet planner prepare publish
        registry rendering shards shots.library sizing sources sources.* stages token_counts tokenizing undo weights
        yamlio
    """,
    "faces": "__init__ __main__ api api.* build cli cli.* preview preview.* report",
}
"""From the lowest to the highest; a module imports those of its own layer and of lower ones, never in a circle."""

PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__", "execfile"}


def module_of(file: Path) -> str:
    """A module's name below flanmix: `spec`, `render.rows`, `render` for a package, `__init__` for flanmix itself."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_of(file): ast.parse(file.read_text(encoding="utf-8")) for file in sorted(ROOT.rglob("*.py"))}


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the full name of all that is imported, in functions too; relative imports keep their dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def own_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the name (as in `MODULES`) of each module of flanmix that is imported."""
    for line, name in imported(tree):
        parts = name.split(".")
        if parts[0] == "flanmix":
            below = [".".join(parts[1:end]) for end in range(len(parts), 1, -1)]
            yield line, next((module for module in below if module in MODULES), "__init__")


def layer_of(module: str) -> int:
    """The layer of a module, counted from the lowest."""
    for number, names in enumerate(LAYERS.values()):
        if module in names.split() or (f"{module.partition('.')[0]}.*" in names.split() and "." in module):
            return number
    raise LookupError(module)


def test_every_module_stands_in_the_table_and_every_name_there_is_a_module() -> None:
    listed = [name for names in LAYERS.values() for name in names.split()]
    assert len(listed) == len(set(listed))
    unlisted = []
    for module in MODULES:
        try:
            layer_of(module)
        except LookupError:
            unlisted.append(module)
    assert not unlisted, "in no layer"
    assert not [name for name in listed if not any(m == name or m.startswith(name.rstrip("*")) for m in MODULES)]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """`__init__` names what is public, and imports it when it is asked for."""
    wrong = [
        f"{module}:{line} ({list(LAYERS)[layer_of(module)]}) imports {other} ({list(LAYERS)[layer_of(other)]})"
        for line, other in own_imports(MODULES[module])
        if layer_of(other) > layer_of(module)
    ]
    assert not wrong


def test_no_module_imports_itself_round_a_corner() -> None:
    graph = {module: {other for _, other in own_imports(tree)} - {module} for module, tree in MODULES.items()}
    assert sum(map(len, graph.values())) > 100  # the reading sees something
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def importers(library: str) -> list[str]:
    return [
        f"{module}:{line}"
        for module, tree in MODULES.items()
        for line, name in imported(tree)
        if name.split(".")[0] == library
    ]


def test_only_sources_import_datasets() -> None:
    found = importers("datasets")
    assert found
    assert not [place for place in found if not place.startswith("sources.")]


def test_jinja2_is_known_to_what_renders_and_to_what_translates() -> None:
    """One module compiles templates; the others read the trees of their text."""
    found = {place.partition(":")[0] for place in importers("jinja2")}
    assert {module for module in found if not module.startswith("render.")} == {
        "importers.edges",
        "importers.native",
        "importers.pieces",
    }


def test_the_sandbox_is_made_in_one_place() -> None:
    """Nobody makes a template, or an environment without a sandbox."""
    made = [
        f"{module}:{node.lineno}"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and (node.id if isinstance(node, ast.Name) else node.attr).endswith(("Environment", "NativeTemplate"))
    ]
    assert made
    assert not [place for place in made if not place.startswith("render.environment:")]


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_unpickled_and_no_text_is_run(module: str) -> None:
    """No pickles, no `eval`, no code from the Hub, no YAML but with a safe loader."""
    tree = MODULES[module]
    found = [f"{line}: imports {name}" for line, name in imported(tree) if name.split(".")[0] in PICKLES]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RUNS_TEXT:
            found.append(f"{node.lineno}: calls {node.func.id}")
        if isinstance(node, ast.Attribute) and node.attr in ("unsafe_load", "full_load", "UnsafeLoader", "FullLoader"):
            found.append(f"{node.lineno}: {node.attr}")
        words = [node.arg] if isinstance(node, ast.keyword) else [node.value] if isinstance(node, ast.Constant) else []
        if any(isinstance(word, str) and "trust_remote_code" in word for word in words):
            found.append(f"{getattr(node, 'lineno', 0)}: trust_remote_code")
    assert not found


@pytest.mark.parametrize("module", MODULES)
def test_no_import_is_relative_and_none_takes_everything(module: str) -> None:
    assert not [name for _, name in imported(MODULES[module]) if name.startswith(".") or name.endswith(".*")]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is_and_is_not_long(module: str) -> None:
    assert ast.get_docstring(MODULES[module])
    assert max((getattr(node, "end_lineno", 0) for node in ast.walk(MODULES[module])), default=0) <= 400


def test_the_reading_sees_imports_in_functions_and_of_modules_from_packages() -> None:
    tree = ast.parse(
        "def f():\n    from flanmix import plan\n    import flanmix.render.rows\nfrom flanmix.plan import Plan"
    )
    assert sorted(own_imports(tree)) == [(2, "plan"), (3, "render.rows"), (4, "plan")]
    assert [name for _, name in imported(ast.parse("from . import x\nfrom ..y import z"))] == ["..x", "..y.z"]
