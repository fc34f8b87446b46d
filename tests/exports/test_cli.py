"""`flanmix export` and `flanmix check --for`: what they print, where, and how they end."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from flanmix import words
from flanmix.cli import run
from tests.exports.folders import build, of_layout, pairs
from tests.toy import hashes


class Result(NamedTuple):
    code: int
    out: str
    err: str


Flanmix = Callable[[str], Result]


@pytest.fixture
def flanmix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Flanmix:
    """The command line, in a folder with a build called `mix`."""
    build(tmp_path / "mix")
    monkeypatch.chdir(tmp_path)

    def command_line(text: str) -> Result:
        capsys.readouterr()
        code = run(shlex.split(text))
        return Result(code, *capsys.readouterr())

    return command_line


def test_export_writes_and_says_what(flanmix: Flanmix) -> None:
    result = flanmix("export mix --for llama-factory -o out")
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines()[0].endswith("rows for llama-factory, as messages, in out")
    assert result.err.splitlines()[1] == "beside the data: dataset_info.json, export.json, llama_factory.yaml"
    assert flanmix("check --for llama-factory out").code == 0


def test_export_is_the_same_from_python(flanmix: Flanmix, tmp_path: Path) -> None:
    assert flanmix("export mix --for axolotl -o out --layout sharegpt --strict -q") == Result(0, "", "")
    build(tmp_path / "again").export(tmp_path / "python", trainer="axolotl", layout="sharegpt", strict=True)
    assert hashes(tmp_path / "python") == hashes(tmp_path / "out")


@pytest.mark.parametrize(
    ("call", "code", "line"),
    [
        ("export mix -o out", 2, "flanmix export: Missing option '--for' - see 'flanmix export --help'"),
        ("export mix --for trl", 2, "flanmix export: Missing option '-o' / '--out' - see 'flanmix export --help'"),
        ("export mix --for trl -o ''", 2, "-o names no folder - write it like -o out"),
        ("export mix --for axolot -o out", 2, "no trainer is called 'axolot' - did you mean 'axolotl'?"),
        ("export mix --for trl -o out --layout alpaca", 2, "trl does not read the layout 'alpaca' - it reads prompt_"),
        ("export mix --for trl -o mix", 1, "mix: is not empty - name a folder that is new or empty"),
        ("export nowhere --for trl -o out", 1, "nowhere/manifest.json: is not there - name a folder that 'flanmix bu"),
        ("check --for axolot mix", 2, "no trainer is called 'axolot' - did you mean 'axolotl'?"),
        ("check --for trl", 2, "--for needs a folder to check - write it like 'flanmix check --for trl out'"),
        ("check --for trl --explain mix", 2, "--for checks shards, not templates - leave --explain and --registry ou"),
        ("check --for trl nowhere", 1, "nowhere: is no folder - name a build, an export or a folder of shards"),
    ],
)
def test_wrong_calls_are_one_line_and_write_nothing(flanmix: Flanmix, call: str, code: int, line: str) -> None:
    before = hashes(Path())
    result = flanmix(call)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(line)
    assert len(result.err.splitlines()) == 1
    assert hashes(Path()) == before


def test_check_ends_well_with_warnings_and_badly_with_problems(flanmix: Flanmix, tmp_path: Path) -> None:
    result = flanmix("check --for axolotl mix")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("warning: mix/data: has no digest in its path")
    assert result.err.endswith("rows in 3 shards: no problems for axolotl\n")
    of_layout("prompt_completion", tmp_path / "bad", [*pairs(3), {"prompt": "?", "completion": ""}])
    result = flanmix("check --for trl bad")
    assert (result.code, result.out) == (1, "")
    assert "1 row of 2 have an empty answer (the first: row 1)" in result.err


def test_check_gives_json(flanmix: Flanmix, tmp_path: Path) -> None:
    of_layout("prompt_completion", tmp_path / "bad", [*pairs(3), {"prompt": "?", "completion": ""}])
    result = flanmix("check --for trl bad --format json")
    found = json.loads(result.out)
    assert (result.code, found["rows"], found["shards"], found["warnings"]) == (1, 4, 2, [])
    assert [problem["what"] for problem in found["problems"]] == ["1 row of 2 have an empty answer (the first: row 1)"]


def test_the_help_lists_every_trainer(flanmix: Flanmix) -> None:
    shown = flanmix("export --help").out
    assert [name for name in words.TRAINERS if name not in shown.replace("\n", " ")] == []
