"""What an import loads: little, until it is used."""

import inspect
import os
import subprocess
import sys

import pytest

import flanmix

HEAVY = ("datasets", "pandas", "pyarrow", "torch", "transformers", "numpy")


def loaded_by(code: str, **environment: str) -> set[str]:
    """The heavy libraries in `sys.modules` after some code, in a process of its own."""
    script = f"{code}\nimport sys\nprint('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return set(done.stdout.rpartition("loaded:")[2].split())


def test_importing_flanmix_loads_nothing_heavy() -> None:
    assert loaded_by("import flanmix") == set()


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by("from flanmix.cli import run\nrun(['--help'])") == set()


def test_completing_a_name_loads_nothing_heavy() -> None:
    code = "from flanmix.cli import run\ntry:\n    run([])\nexcept SystemExit:\n    pass"
    words = {"_FLANMIX_COMPLETE": "bash_complete", "COMP_WORDS": "flanmix show geog", "COMP_CWORD": "2"}
    assert loaded_by(code, **words) == set()


def test_the_test_would_see_a_heavy_import() -> None:
    assert {"pyarrow", "numpy"} <= loaded_by("import flanmix\nflanmix.load_registry")


@pytest.mark.parametrize("name", flanmix.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(flanmix, name)
    assert isinstance(value, str) or inspect.getdoc(value)


def test_an_unknown_name_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no attribute 'mixtrue'"):
        flanmix.mixtrue  # noqa: B018
