"""The notebooks run from top to bottom in any folder, and are kept without what a run leaves in them."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

WHY = "needs the extra 'dev'"
nbformat = pytest.importorskip("nbformat", reason=WHY)
nbclient = pytest.importorskip("nbclient", reason=WHY)
pytest.importorskip("ipykernel", reason=WHY)

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
TRAINS = "03_train.ipynb"
every_notebook = pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)


def test_there_are_notebooks() -> None:
    assert [file.name for file in NOTEBOOKS] == ["01_preview.ipynb", "02_build.ipynb", "03_train.ipynb"]


@every_notebook
@pytest.mark.slow
def test_a_notebook_runs_without_an_error_and_leaves_nothing_where_it_ran(file: Path, tmp_path: Path) -> None:
    if file.name == TRAINS:
        for library in ("torch", "transformers", "trl"):
            if find_spec(library) is None:
                pytest.skip(f"{TRAINS} needs the extra 'trainers': there is no {library}")
    notebook = nbformat.read(file, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert any("text/html" in output.get("data", {}) for output in outputs)
    assert list(tmp_path.iterdir()) == []


@every_notebook
def test_a_notebook_is_committed_without_outputs(file: Path) -> None:
    notebook = nbformat.read(file, as_version=nbformat.NO_CONVERT)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell.metadata == {}


@every_notebook
def test_a_notebook_has_ids_that_stay_and_asks_for_no_kernel_but_python3(file: Path) -> None:
    notebook = nbformat.read(file, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", id_) for id_ in ids), "ids are words, so that edits make small diffs"
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@every_notebook
def test_a_notebook_names_no_path_of_a_machine(file: Path) -> None:
    assert not re.search(r"/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\", file.read_text(encoding="utf-8"))


@every_notebook
def test_a_notebook_says_something_before_each_step(file: Path) -> None:
    kinds = [cell.cell_type for cell in nbformat.read(file, as_version=4).cells]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= kinds.count("code") * 2 / 3
