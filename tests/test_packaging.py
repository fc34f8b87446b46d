"""flanmix as people install it: a wheel and an editable install, each used from a folder outside of the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
OURS = ("flanmix", "templates", "task_registry", "mixtures")
BUILDING = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")

LOAD = """
import datasets, flanmix, sys
rows = datasets.load_dataset("out", split="train", cache_dir="cache")
assert rows.num_rows == flanmix.verify(__import__("pathlib").Path("out"))["rows"] > 1900, rows
assert rows[0]["prompt"] and rows[0]["completion"], rows[0]
print(flanmix.__file__)
"""


def run(command: Sequence[str | Path], cwd: Path) -> str:
    """Run a program with nothing of the repository or of this environment on its paths; gives what it prints."""
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    env["FLANMIX_CACHE"] = str(cwd / "flanmix-cache")
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def python_in(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages(venv: Path) -> Path:
    found = run([python_in(venv), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], venv)
    return Path(found.strip())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from: a build leaves files in its folder."""
    folder = tmp_path_factory.mktemp("source")
    for name in OURS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in BUILDING:
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip builds it: in an environment of its own, with what pyproject.toml asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    probe = ["download", "--quiet", "--no-deps", "--dest", str(folder / "probe"), "setuptools>=77"]
    if subprocess.run([sys.executable, "-m", "pip", *probe], capture_output=True, check=False).returncode:
        pytest.skip("pip finds no package index from here")
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source], folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel and its dependencies."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run([sys.executable, "-m", "venv", venv], venv.parent)
    run([python_in(venv), "-m", "pip", "install", "--quiet", wheel], venv.parent)
    return venv


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(source: Path, wheel: Path) -> None:
    expected = set()
    for name in OURS:
        inside = "" if name == "flanmix" else "flanmix/"
        files = [file for file in (source / name).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
        expected |= {f"{inside}{file.relative_to(source).as_posix()}" for file in files}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    assert found == expected
    assert {"flanmix/py.typed", "flanmix/mixtures/starter.yaml", "flanmix/templates/nli.yaml"} <= found
    tasks = [name for name in found if name.startswith("flanmix/task_registry/")]
    assert min(sum(name.endswith(ending) for name in tasks) for ending in (".yaml", ".tsv")) >= 10


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert metadata["Name"] == "flanmix"
    assert metadata["Requires-Python"] == ">=3.11"
    assert (metadata["License-Expression"] or metadata["License"]) == "Apache-2.0"
    lines = [line.lower() for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    required = {line.split(">")[0] for line in lines}
    assert {"datasets", "jinja2", "pandas", "pyarrow", "tokenizers"} <= required
    assert not required & {"torch", "transformers", "trl", "pytest", "ruff"}
    assert wheel.name == f"flanmix-{metadata['Version']}-py3-none-any.whl"


def build_and_load(venv: Path, folder: Path) -> Path:
    """Build from the command line and load the result, in an empty folder; gives where flanmix was found."""
    folder.mkdir()
    script = python_in(venv).with_name("flanmix.exe" if os.name == "nt" else "flanmix")
    assert run([script, "build", "starter", "-o", "out", "--rows", "2000", "-q"], folder) == ""
    assert "geography/capitals" in run([script, "ls"], folder)
    return Path(run([python_in(venv), "-c", LOAD], folder).strip())


def test_an_installed_wheel_builds_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    found = build_and_load(installed, tmp_path / "empty")
    assert found.is_relative_to(site_packages(installed))


def test_an_editable_install_builds_from_an_empty_folder(installed: Path, source: Path, tmp_path: Path) -> None:
    """In an environment of its own, that borrows the dependencies of the other one: all but flanmix."""
    venv, borrowed = tmp_path / "venv", tmp_path / "borrowed"
    run([sys.executable, "-m", "venv", venv], tmp_path)
    borrowed.mkdir()
    for place in site_packages(installed).iterdir():
        if not place.name.startswith(("flanmix", "pip", "__pycache__")):
            (borrowed / place.name).symlink_to(place)
    (site_packages(venv) / "borrowed.pth").write_text(f"{borrowed}\n")
    run([python_in(venv), "-m", "pip", "install", "--quiet", "--no-deps", "--editable", source], tmp_path)
    found = build_and_load(venv, tmp_path / "empty")
    assert found == source / "flanmix/__init__.py"
