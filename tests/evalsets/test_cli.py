"""`flanmix evalset` on the command line: what it writes, what it says, what it refuses."""

import json
import shlex
from pathlib import Path

import pytest

from flanmix.cli import run
from tests.evalsets.tasks import write_catalogue


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write_catalogue(tmp_path))
    return tmp_path


def manifest(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_a_mixture_gives_what_it_holds_out(work: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["evalset", "mix.yaml", "-o", "out", "--shots", "0", "--shots", "2", "--rows", "5"]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    told = [line for line in err.splitlines() if line and "prompts/s" not in line]
    kept = manifest(work / "out")["tasks"]
    assert isinstance(kept, list)
    assert [each["set"] for each in kept] == [
        "toy__claims_0shot",
        "toy__claims_0shot_ranking",
        "toy__claims_2shot",
        "toy__claims_2shot_ranking",
    ]
    (lost,) = kept[0]["dropped"].values()
    first, *_, load, harness = told
    assert first.startswith(
        f"toy__claims_0shot: {15 - lost} rows of validation ({lost} the template does not serve the"
    )
    assert [load, harness] == [
        "load them with datasets.load_dataset('out', 'toy__claims_0shot')",
        "run them with lm_eval --include_path out/lm_eval --tasks lab__mini_0shot,lab__mini_2shot",
    ]
    assert run(["verify", "out"]) == 0


def test_selectors_need_no_mixture(work: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = (
        "evalset -r . --select toy/sums --select toy/claims -o out -q --templates one --style plain --form generation"
    )
    assert run([*words.split(), "--seed", "4", "--separator", " "]) == 0
    assert capfd.readouterr() == ("", "")
    options = manifest(work / "out")["options"]
    assert isinstance(options, dict)
    wanted = {"templates": "one", "styles": ["plain"], "form": "generation", "seed": 4, "separator": " ", "shots": [0]}
    assert options.items() >= wanted.items()


def test_a_task_without_choices_and_one_that_is_trained_on_elsewhere_are_told(
    work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (work / "all.yaml").write_text("mixture: all\nrows: 10\nparts: [{select: 'toy/*'}]\nexclude: [toy/sums]\n")
    assert run(["evalset", "all.yaml", "--select", "toy/*", "-o", "out"]) == 0
    err = capfd.readouterr().err
    assert "1 set without choices to rank" in err
    assert "warning: the mixture trains on toy/claims, on another split of it" in err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("evalset -o out", 2, "nothing says which tasks - name a mixture that holds some out, or give --select"),
        ("evalset starter -o out", 2, "the mixture 'starter' holds no task out"),
        ("evalset mix.yaml -o ' '", 2, "-o names no folder"),
        ("evalset mix.yaml -o out --templates some", 2, "'some' is none of all, one and a number from 1"),
        ("evalset mix.yaml -o out --select toy/sums", 1, "trains on toy/sums"),
        ("evalset mix.yaml -o out --split test", 2, "toy/claims has no split 'test' - there are train, validation"),
        ("evalset mix.yaml -o out --shot-format rules", 2, "is called 'rules' - did you mean 'rule'?"),
        ("evalset mix.yaml -o mix.yaml", 1, "mix.yaml: is a file - name a folder that is new or empty"),
        ("evalset mix.yaml -o .", 1, "is the folder that you are in"),
    ],
)
def test_what_cannot_be_meant_is_told(
    work: Path, capfd: pytest.CaptureFixture[str], words: str, code: int, told: str
) -> None:
    assert run(shlex.split(words)) == code
    out, err = capfd.readouterr()
    assert told in err
    assert out == ""
    assert not (work / "out").exists()
