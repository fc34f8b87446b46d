"""The example folder examples/flan_cot: its own commands build it, and what comes out is what the source rows say."""

import hashlib
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest

import flanmix as fm
from flanmix.cli import run

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "flan_cot"
SHARED = ROOT.parent / "shared"
DATA = SHARED / "data" / "flan_cot"
SETS = ("aqua", "creak", "ecqa", "gsm8k", "strategyqa")
ASKS = {"answer-only", "question-and-answer", "answer-sheet", "pick-one", "answer-then-explain", "what-and-why"}
Row = dict[str, Any]

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the five TSV files are not in {DATA}")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, with its data where there are any."""
    folder = tmp_path_factory.mktemp("example") / "flan_cot"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", "out"))
    if DATA.is_dir():
        (folder / "data").symlink_to(DATA)
    return folder


@pytest.fixture(scope="module")
def registry(example: Path) -> fm.Registry:
    return fm.load_registry(example)


@pytest.fixture(scope="module")
def plan(registry: fm.Registry) -> fm.Plan:
    return registry.mixture("flan-cot").plan(registry)


@pytest.fixture(scope="module")
def built(plan: fm.Plan, tmp_path_factory: pytest.TempPathFactory) -> fm.Built:
    return plan.build(tmp_path_factory.mktemp("built") / "flan-cot", quiet=True)


@pytest.fixture(scope="module")
def rows(registry: fm.Registry, built: fm.Built, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The built rows as `datasets` reads them, each with its row of the TSV file and the style of its template."""
    cache = str(tmp_path_factory.mktemp("datasets"))
    found = datasets.load_dataset(str(built.folder), split="train", cache_dir=cache)
    sources = {f"cot/{name}": list(source_rows(name)) for name in SETS}
    styles = {(task, item.id): item.style for task in sources for item in registry[task].templates}
    return [
        {
            **row,
            "source": sources[row["fm_task"]][row["fm_row"]],
            "style": styles[row["fm_task"], row["fm_template"]],
        }
        for row in found
    ]


def source_rows(name: str) -> Iterator[list[str]]:
    """The rows of a TSV file, read without flanmix; a written-out line break becomes a real one."""
    with (DATA / f"{name}_train.tsv").open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield [cell.replace("\\n", "\n") for cell in line.rstrip("\n").split("\t")]


def by_task(plan: fm.Plan) -> list[Row]:
    """The first record of each task: what is said of its source is the same in all of them."""
    return list({record["task"]: record for record in reversed(plan.records())}.values())[::-1]


def wording(row: Row) -> str:
    return str(row["fm_template"]).rpartition("/")[2]


def test_its_files_have_no_problems_even_before_there_are_data(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(example / "mixture.yaml")]) == 0
    assert re.match(r"5 tasks with \d+ templates: no problems\n", capsys.readouterr().err)


@needs_data
@pytest.mark.slow
def test_the_commands_of_its_readme_work_as_they_stand(
    example: Path, plan: fm.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(example)
    lines = (example / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("flanmix ")]
    assert [words[1] for words in commands] == ["check", "preview", "plan", "build", "verify"]
    assert [run(words[1:]) for words in commands] == [0] * 5
    assert fm.verify(example / "out" / "flan-cot")["plan"] == plan.digest


@needs_data
def test_every_one_of_the_26_289_source_rows_is_usable_or_dropped_for_a_reason(plan: fm.Plan) -> None:
    records = by_task(plan)
    assert sum(record["source_rows"] for record in records) == 26_289
    for record, name in zip(records, SETS, strict=True):
        assert record["task"] == f"cot/{name}"
        assert record["source_rows"] == sum(1 for _ in source_rows(name))
        assert record["source_rows"] == record["usable"] + sum(record["dropped"].values())


@needs_data
def test_the_drop_rules_drop_what_they_are_meant_to(plan: fm.Plan) -> None:
    def bad_aqua(question: str, _: str, rationale: str) -> bool:
        choices = [line[4:].strip() for line in question.split("\nOptions:\n")[1].split("\n")]
        return len(set(choices)) < 5 or bool(re.search(r"[âÃÂ]|\\inline", question + rationale))

    def bad_ecqa(question: str, _: str, __: str) -> bool:
        return len(set(question.split("\nOptions:\n")[1].split("\n"))) < 5

    def bad_gsm8k(_: str, answer: str, rationale: str) -> bool:
        return answer not in rationale.replace(",", "")

    rules: dict[str, Callable[[str, str, str], bool]] = {"aqua": bad_aqua, "ecqa": bad_ecqa, "gsm8k": bad_gsm8k}
    for record, name in zip(by_task(plan), SETS, strict=True):
        expected = sum(rules[name](*row) for row in source_rows(name)) if name in rules else 0
        assert record["dropped"] == ({"drop rule": expected} if expected else {})


@needs_data
@pytest.mark.slow
def test_every_planned_row_is_written_or_dropped_for_a_reason(plan: fm.Plan, built: fm.Built) -> None:
    manifest = built.verify()
    for task in manifest["tasks"]:
        assert task["planned"] == plan.counts[task["task"]]
        assert task["planned"] == task["written"] + sum(task["dropped"].values())
    assert manifest["planned"] == manifest["rows"] == 20_000


@needs_data
@pytest.mark.slow
def test_datasets_loads_as_many_rows_of_each_task_as_were_planned(plan: fm.Plan, rows: list[Row]) -> None:
    assert Counter(row["fm_task"] for row in rows) == plan.counts


@needs_data
def test_the_shares_are_those_of_the_mixture_file(plan: fm.Plan) -> None:
    shares = plan.weights()
    assert sum(record["share"] for record in plan.records()) == pytest.approx(1)
    assert shares["cot/strategyqa"] == pytest.approx(0.15)
    mathematics = shares["cot/aqua"] + shares["cot/gsm8k"]
    commonsense = shares["cot/creak"] + shares["cot/ecqa"]
    assert mathematics / commonsense == pytest.approx(5 / 4, abs=1e-3)
    assert shares["cot/gsm8k"] / shares["cot/aqua"] == pytest.approx(4_000 / plan.records()[0]["usable"], abs=1e-3)
    assert all(record["offered"] <= 6_000 and record["epochs"] <= 2 for record in plan.records())
    assert [record["task"] for record in by_task(plan) if record["bound"]] == ["cot/strategyqa"]


@needs_data
@pytest.mark.slow
def test_half_of_each_task_reasons_first_and_a_tenth_is_inverted(plan: fm.Plan, rows: list[Row]) -> None:
    """Shares are met in rows of each kind, by the wordings that serve them: within a row each."""
    written = Counter((row["fm_task"], row["style"]) for row in rows)
    asked = {(record["task"], record["style"]): record["rows"] for record in plan.records()}
    for task, planned in plan.counts.items():
        for style, share in (("cot", 0.5), ("inverted", 0.1)):
            assert abs(asked[task, style] - share * planned) <= 4
            assert written[task, style] == asked[task, style]


@needs_data
@pytest.mark.slow
def test_every_wording_is_used_by_every_task_that_it_can_serve(registry: fm.Registry, rows: list[Row]) -> None:
    used = {(row["fm_task"], row["fm_template"]) for row in rows}
    there_are = {(f"cot/{name}", item.id) for name in SETS for item in registry[f"cot/{name}"].templates}
    without_choices = {
        (f"cot/{name}", f"chain_of_thought/{need_choices}")
        for name in ("gsm8k", "strategyqa")
        for need_choices in ("weigh-the-choices", "pick-one")
    }
    assert used == there_are - without_choices


@needs_data
@pytest.mark.slow
def test_no_text_is_blank_and_nothing_of_the_files_own_notation_is_left(rows: list[Row]) -> None:
    for row in rows:
        assert row["prompt"].strip()
        assert row["completion"].strip()
        for text in (row["prompt"], row["completion"]):
            assert "\\n" not in text
            assert "Options:" not in text
            assert not re.search("[\x00-\x09\x0b-\x1f\xa0\u200b\u2028]", text)
            assert "\n\n\n" not in text
        assert row["prompt"].endswith("\n")
        assert row["completion"] == row["completion"].strip()


@needs_data
@pytest.mark.slow
def test_reasoning_first_wordings_end_in_the_answer_of_the_source_row(rows: list[Row]) -> None:
    checked = [row for row in rows if row["style"] == "cot"]
    assert len(checked) >= 9_990  # half of the rows, within a few of each task
    for row in checked:
        reasoning, last = row["completion"].rsplit("\n", 1)
        assert last.endswith(f": {row['source'][1]}")
        assert plain(reasoning) == plain(row["source"][2])


@needs_data
@pytest.mark.slow
def test_a_prompt_that_asks_for_an_answer_gives_away_neither_answer_nor_reasoning(rows: list[Row]) -> None:
    checked = [row for row in rows if row["style"] == "cot" or wording(row) in ASKS]
    assert len(checked) > 14_000
    for row in checked:
        question, answer, rationale = row["source"]
        assert plain(rationale) not in plain(row["prompt"]) or plain(rationale) in plain(question)
        if row["fm_task"] == "cot/aqua":
            assert row["prompt"].count(answer) == question.count(answer)


@needs_data
@pytest.mark.slow
def test_an_inverted_prompt_does_not_hold_the_question_that_it_asks_for(rows: list[Row]) -> None:
    inverted = [row for row in rows if row["style"] == "inverted"]
    assert len(inverted) > 1_500
    for row in inverted:
        assert plain(row["completion"]) in plain(row["source"][0])
        assert row["completion"] not in row["prompt"]


@needs_data
@pytest.mark.slow
def test_no_prompt_prints_its_question_twice(rows: list[Row]) -> None:
    for row in rows:
        question = plain(row["source"][0].split("\nOptions:\n")[0])
        assert plain(row["prompt"]).count(question) <= 1


@needs_data
@pytest.mark.slow
def test_no_prompt_lists_a_choice_twice(rows: list[Row]) -> None:
    for row in rows:
        choices = re.findall(r"^(?:- |\([A-E]\) ).*", row["prompt"], re.MULTILINE)
        assert len(choices) == len(set(choices))


def plain(text: str) -> str:
    """A text without what the field maps clean up: stray backslashes and unusual spaces."""
    return " ".join(re.sub("[\\\\\u200b]", "", text).split())


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"there is no {SHARED}")
def test_no_file_of_the_shared_folder_is_in_the_repository() -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git repository")
    here = {digest(file): file for name in names if (file := ROOT / name).is_file() and file.stat().st_size}
    assert ROOT / "setup.cfg" in here.values()
    there = {digest(file) for file in SHARED.rglob("*") if file.is_file()}
    assert [str(file) for key, file in here.items() if key in there] == []
    inside = {Path(name).suffix for name in names if name.startswith("examples/flan_cot/")}
    assert inside <= {".yaml", ".md"}


def digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
