"""`flanmix import`: from somebody's templates to a build, and nothing written over."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import flanmix as fm
from tests.instructions import COUNTING, task, write

Flanmix = Callable[[str], Any]

REVIEWS = """\
dataset: reviews
templates:
  one: !Template
    answer_choices: bad ||| good
    id: one
    jinja: "{{ text }}\\nIs this good or bad? ||| {{ answer_choices[label] }}"
    metadata: !TemplateMetadata {choices_in_prompt: true, languages: [en], metrics: [F1], original_task: true}
    name: Good or bad
    reference: ''
  two: !Template
    answer_choices: null
    id: two
    jinja: "Write something {{ ['good', 'nice'] | choice if label else 'bad' }}. ||| {{ text }}"
    metadata: !TemplateMetadata {}
    name: Write
    reference: ''
"""
RTE = """\
dataset: glue
subset: rte
templates:
  x: !Template {id: x, name: n, jinja: '{{ premise }} Hence? ||| {{ ["Yes", "No"][label] }}'}
  y: !Template {id: y, name: n, jinja: 'Not so: {{ premise }} ||| {{ hypothesis }}'}
"""
TASK = """\
task: my/reviews
type: sentiment
source: {files: reviews.jsonl}
templates: {use: [reviews]}
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A collection of two files, and the folder to work in."""
    for name, text in {"reviews": REVIEWS, "glue/rte": RTE}.items():
        file = tmp_path / "theirs" / name / "templates.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "theirs"


def files(folder: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(Path(folder).iterdir())}


def test_a_collection_becomes_one_file_for_each_dataset_and_config(theirs: Path, good: Flanmix) -> None:
    result = good("import promptsource theirs -o ours --format json")
    records = json.loads(result.out)
    assert [record["file"] for record in records] == ["ours/glue_rte.yaml", "ours/reviews.yaml"]
    assert records[1] == {
        "dataset": "reviews",
        "config": None,
        "family": "reviews",
        "templates": 2,
        "native": 1,
        "dialect": 1,
        "reasons": {"Write": "it chooses at random"},
        "left_out": {},
        "file": "ours/reviews.yaml",
        "state": "written",
    }
    assert result.err.splitlines() == [
        "theirs/reviews/templates.yaml:7: a metric is none of promptsource's, and is kept: 'F1'",
        "2 family files in ours: 3 native templates, 1 in the dialect promptsource",
    ]
    assert files("ours")["reviews.yaml"] == (
        "# Imported by flanmix from promptsource's templates of reviews.\n"
        "family: reviews\n"
        "description: Templates of reviews.\n"
        "fields: [label, text]\n"
        "templates:\n"
        "  - name: Good or bad\n"
        "    input: |-\n"
        "      {% filter trim %}\n"
        "      {{ text }}\n"
        "      Is this good or bad?\n"
        "      {% endfilter %}\n"
        '    target: \'{{ ["bad", "good"][label] }}\'\n'
        "    tags: [options]\n"
        "    metadata: {id: one, original_task: true, choices_in_prompt: true, metrics: [F1], languages: [en]}\n"
        "  - name: Write\n"
        "    dialect: promptsource\n"
        "    jinja: |-\n"
        "      Write something {{ ['good', 'nice'] | choice if label else 'bad' }}. ||| {{ text }}\n"
        "    metadata: {id: two}\n"
    )


def test_the_table_has_a_line_for_each_file(theirs: Path, good: Flanmix) -> None:
    lines = good("import promptsource theirs -o ours").out.splitlines()
    assert any("glue" in line and "rte" in line and "glue_rte" in line for line in lines)
    assert any("reviews" in line and "it chooses at random" in line for line in lines)


@pytest.mark.parametrize("place", ["theirs/reviews", "theirs/reviews/templates.yaml", "{}/theirs/reviews"])
def test_the_same_is_written_from_wherever_it_is_read(theirs: Path, good: Flanmix, place: str) -> None:
    good("import promptsource theirs -o ours")
    good(f"import promptsource {place.format(theirs.parent)} -o alone")
    assert files("alone") == {"reviews.yaml": files("ours")["reviews.yaml"]}
    assert str(theirs.parent) not in files("alone")["reviews.yaml"]


def test_what_is_imported_can_be_listed_and_shown(theirs: Path, good: Flanmix) -> None:
    good("import promptsource theirs -o ours")
    families = {record["family"]: record for record in json.loads(good("ls -r ours --families --format json").out)}
    assert families["glue_rte"]["fields"] == ["hypothesis", "label", "premise"]
    shown = json.loads(good("show glue_rte -r ours --format json").out)
    assert [template["name"] for template in shown["templates"]] == ["n", "n (2)"]
    assert fm.load_registry("ours").families["reviews"].templates[0].metadata.metrics == ("F1",)  # type: ignore[union-attr]


@pytest.mark.parametrize("options", ["", "--keep-dialect", "--keep-dialect --truncate"])
def test_a_task_of_a_few_lines_uses_them(theirs: Path, good: Flanmix, options: str) -> None:
    good(f"import promptsource theirs -o ours {options}")
    Path("ours/task.yaml").write_text(TASK)
    Path("ours/mix.yaml").write_text("mixture: mini\nseed: 7\nepochs: 6\nparts: [{select: my/reviews}]\n")
    rows = ['{"text": " Loved it. ", "label": 1}'] * 12 + ['{"text": "Hm.", "label": 0}'] * 12
    Path("ours/reviews.jsonl").write_text("\n".join(rows))
    good("check ours/mix.yaml")
    good("build ours/mix.yaml -o out --quiet")
    made = pq.read_table("out/data").select(["prompt", "completion"]).to_pylist()
    assert {(row["prompt"], row["completion"]) for row in made} == {
        ("Loved it. \nIs this good or bad?\n", "good"),
        ("Hm.\nIs this good or bad?\n", "bad"),
        ("Write something good.\n", "Loved it."),
        ("Write something nice.\n", "Loved it."),
        ("Write something bad.\n", "Hm."),
    }


def test_templates_keep_their_dialect_when_asked(theirs: Path, good: Flanmix) -> None:
    good("import promptsource theirs -o ours --keep-dialect")
    held = [t for family in ("reviews", "glue_rte") for t in fm.load_registry("ours").families[family].templates]
    assert {(t.dialect, t.truncate) for t in held} == {("promptsource", False)}
    good("import promptsource theirs -o cut --truncate")
    held = [t for family in ("reviews", "glue_rte") for t in fm.load_registry("cut").families[family].templates]
    assert {(t.dialect, t.truncate) for t in held} == {("promptsource", True)}


def test_nothing_is_written_over_unless_asked(theirs: Path, good: Flanmix, flanmix: Flanmix) -> None:
    good("import promptsource theirs -o ours")
    before = files("ours")
    again = good("import promptsource theirs -o ours --format json")
    assert {record["state"] for record in json.loads(again.out)} == {"unchanged"}
    result = flanmix("import promptsource theirs -o ours --keep-dialect")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-2:] == [
        "ours/glue_rte.yaml: is there already, and differs - --replace writes over it",
        "ours/reviews.yaml: is there already, and differs - --replace writes over it",
    ]
    assert files("ours") == before
    good("import promptsource theirs -o ours --keep-dialect --replace")
    assert files("ours").keys() == before.keys()
    assert files("ours") != before


def test_problems_of_all_files_are_told_and_nothing_is_written(theirs: Path, flanmix: Flanmix) -> None:
    (theirs / "reviews" / "templates.yaml").write_text("templates:\n  a: {name: n, jinja: yes}\n")
    (theirs / "glue" / "rte" / "templates.yaml").write_text('templates:\n  a: {name: n, jinja: "\\ud800"}\n')
    result = flanmix("import promptsource theirs -o ours")
    assert (result.code, result.out) == (1, "")
    assert [line.split(": ")[0] for line in result.err.splitlines()] == [
        "theirs/glue/rte/templates.yaml:2",
        "theirs/reviews/templates.yaml:2",
    ]
    assert not Path("ours").exists()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("import promptsource nothing -o ours", "there is no file or folder nothing"),
        ("import promptsource theirs -o theirs", "lies in theirs, and a registry folder holds only files of flanmix"),
        ("import promptsource theirs -o .", "lies in ., and a registry folder holds only files of flanmix"),
        ("import promptsource theirs", "Missing option '-o' / '--into'"),
        ("import flan theirs -o ours", "'flan' is not one of 'promptsource', 'natural-instructions'"),
        ("import promptsource theirs -o file/ours", "file is a file"),
        ("import natural-instructions theirs -o ours", "there is no JSON file below theirs"),
        ("import natural-instructions theirs -o ours --truncate", "--keep-dialect and --truncate are for promptsource"),
    ],
)
def test_calls_that_cannot_be_meant(theirs: Path, flanmix: Flanmix, call: str, said: str) -> None:
    Path("file").touch()
    result = flanmix(call)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_dataset_that_is_called_like_a_bundled_family_gets_another_name(theirs: Path, good: Flanmix) -> None:
    (theirs / "reviews" / "templates.yaml").write_text(REVIEWS.replace("dataset: reviews", "dataset: sentiment"))
    assert "this one is 'sentiment_promptsource'" in good("import promptsource theirs -o ours").err
    good("ls -r ours --families")


def test_a_family_that_stands_in_another_file_is_told(theirs: Path, flanmix: Flanmix) -> None:
    Path("ours").mkdir()
    Path("ours/mine.yaml").write_text("family: reviews\nfields: [a]\ntemplates: [{name: n, input: i, target: t}]\n")
    result = flanmix("import promptsource theirs -o ours")
    assert result.code == 2
    assert "ours/mine.yaml: the family 'reviews' is there already" in result.err
    assert list(files("ours")) == ["mine.yaml"]


def test_datasets_without_templates_are_listed_but_not_written(theirs: Path, good: Flanmix) -> None:
    (theirs / "reviews" / "templates.yaml").write_text("dataset: reviews\ntemplates: {}\n")
    result = good("import promptsource theirs -o ours --format json")
    assert json.loads(result.out)[1]["state"] == "left out"
    assert "theirs/reviews/templates.yaml:2: holds no templates" in result.err
    assert list(files("ours")) == ["glue_rte.yaml"]


# ---- Natural Instructions


def test_tasks_of_natural_instructions_are_imported_checked_and_built(work: Path, good: Flanmix) -> None:
    spoilt = task(Definition=["RÃ©sumÃ©"])
    write(
        work / "tasks", {"task1_tools": COUNTING, "task2_more": task(Categories=["Translation"]), "task3_bad": spoilt}
    )
    result = good("import natural-instructions tasks -o ours --format json")
    assert [(record["task"], record["type"], record["state"]) for record in json.loads(result.out)] == [
        ("niv2/task1_tools", "reading_comprehension", "written"),
        ("niv2/task2_more", "translation", "written"),
        (None, None, "left out"),
    ]
    assert result.err.splitlines() == [
        "tasks/task3_bad.json: is left out: mojibake in the definition",
        "3 files of tasks in ours: 1 left out, 2 written",
    ]
    assert sorted(files("ours/niv2")) == ["task1_tools.yaml", "task2_more.yaml"]
    Path("mix.yaml").write_text("mixture: m\nepochs: 1\nparts: [{select: 'niv2/* type:translation'}]\n")
    good("check mix.yaml -r ours")
    good("build mix.yaml -r ours -o out --quiet")
    assert pq.read_table("out/data")["fm_task"].to_pylist() == ["niv2/task2_more"] * 4


def test_a_table_tells_the_types_of_the_imported_tasks(work: Path, good: Flanmix) -> None:
    write(work / "tasks", {"a": COUNTING, "b": task(Categories=["Translation"])})
    lines = good("import natural-instructions tasks -o ours").out.splitlines()
    assert any("translation" in line and "Translation" in line for line in lines)
    again = good("import natural-instructions tasks -o ours --format json")
    assert {record["state"] for record in json.loads(again.out)} == {"unchanged"}
