"""What is imported when: nothing heavy before it is needed, and every public name where people look for it."""

import inspect
import json
import os
import subprocess
import sys
from types import ModuleType

import pytest

import flanmix as fm
from flanmix.cli import COMMANDS

HEAVY = {"datasets", "jinja2", "numpy", "pandas", "pyarrow", "pydantic", "rich", "tokenizers", "tqdm", "yaml"}
OF_PROCESSES = {"datasets", "pandas", "pyarrow"}
"""What the help and the completion of the command line do without in any case."""


def loaded_by(program: str, **environment: str) -> set[str]:
    """Which top-level modules a fresh interpreter has loaded after a program."""
    report = "\nimport json, sys; print('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", program + report], env=env, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_flanmix_loads_nothing_heavy() -> None:
    assert not loaded_by("import flanmix") & HEAVY
    assert not loaded_by("import flanmix; dir(flanmix); flanmix.__version__") & HEAVY


def test_errors_and_specs_do_not_load_what_reads_data() -> None:
    assert not loaded_by("from flanmix import BuildError, FlanmixError, Task, Mixture, Template") & {"datasets"}
    assert not loaded_by("from flanmix import BuildError, FlanmixError") & HEAVY


def test_the_other_side_of_these_tests_loads_something() -> None:
    assert {"pyarrow", "pydantic"} <= loaded_by("from flanmix import load_registry")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_help_loads_no_data_libraries(arguments: list[str]) -> None:
    assert not loaded_by(f"from flanmix.cli import run; run({arguments!r})") & OF_PROCESSES


@pytest.mark.parametrize(
    "words", ["flanmix ", "flanmix bu", "flanmix build --", "flanmix build st", "flanmix show geo"]
)
def test_completion_in_the_shell_loads_no_data_libraries(words: str) -> None:
    program = """
import contextlib
from flanmix.cli import group
with contextlib.suppress(SystemExit):
    group.main([], prog_name="flanmix", complete_var="_FLANMIX_COMPLETE")
"""
    position = str(len(words.split(" ")) - 1)
    loaded = loaded_by(program, _FLANMIX_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=position)
    assert "flanmix" in loaded
    assert not loaded & OF_PROCESSES


@pytest.mark.parametrize("name", fm.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(fm, name)
    assert name in dir(fm)
    if name == "__version__":
        assert found.count(".") == 2
        return
    assert not isinstance(found, ModuleType)
    assert inspect.getdoc(found)
    own = (
        {key: value for key, value in vars(found).items() if not key.startswith("_")} if inspect.isclass(found) else {}
    )
    for key, member in own.items():
        if inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod):
            assert inspect.getdoc(getattr(found, key)), f"{name}.{key}"


def test_public_names_stand_once_and_those_that_type_checkers_see_are_the_same() -> None:
    assert len(fm.__all__) == len(set(fm.__all__))
    source = inspect.getsource(fm)
    seen = source.split("if TYPE_CHECKING:")[1].split("_HOMES")[0]
    assert all(name in seen for name in fm.__all__ if name != "__version__")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'flanmix' has no attribute 'mixx'"):
        fm.mixx  # noqa: B018
    with pytest.raises(ImportError):
        exec("from flanmix import mixx")
