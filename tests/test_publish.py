"""The dataset card: front matter for the Hub and `datasets`, tables for people, and no way out of either."""

import html
import re
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix.publish import card
from flanmix.shards import Format
from tests.toy import NOTES, PLAIN, RARE, SUMS, built, toy_plan

HOSTILE = (
    'x | y\n---\nlicense: mit\n# Head\n<script>alert(1)</script> ![a](http://e.vil/b.png) `code` \\| &lt; \x1b[31m "q"'
)


def front_of(text: str) -> dict[str, Any]:
    """The YAML between the first two lines of dashes, as the Hub reads it."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert match is not None
    found: dict[str, Any] = yaml.safe_load(match[1])
    return found


def tables_of(text: str) -> list[list[list[str]]]:
    """The tables of the body: rows of cells, headings first, cut at bars that are not escaped."""
    tables: list[list[list[str]]] = [[]]
    for line in text.split("\n---\n", 1)[1].splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            tables[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif tables[-1] and not line.startswith("|--"):
            tables.append([])
    return [table for table in tables if table]


def task(name: str, **options: Any) -> fm.Task:
    return fm.Task(name, type="arithmetic", source=[{"question": "1?", "answer": "1"}], templates=[PLAIN], **options)


def manifest(*tasks: fm.Task, rows: int = 10, **other: Any) -> dict[str, Any]:
    """As much of a manifest as the card needs."""
    facts = {"type": "arithmetic", "written": rows, "dropped": {"is blank": 2}, "epochs": 1.25}
    return {
        "mixture": "toy",
        "flanmix": "1.0",
        "seed": 7,
        "split": "train",
        "plan": "0123456789abcdef" * 4,
        "build": "fedcba9876543210" * 4,
        "layout": "messages",
        "format": "parquet",
        "rows": rows,
        "shards": [{}],
        "tasks": [{"task": task.name, **facts} for task in tasks],
        **other,
    }


# ---- the front matter


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_it_names_the_split_and_its_files(form: Format, tmp_path: Path) -> None:
    out = built(toy_plan(), tmp_path / "out", shard_rows=150, format=form)
    (config,) = front_of((out / "README.md").read_text(encoding="utf-8"))["configs"]
    (files,) = config["data_files"]
    assert (config["config_name"], files["split"]) == ("default", "train")
    assert sorted(out.glob(files["path"])) == sorted((out / "data").iterdir())


def test_another_split_is_named_as_such_and_not_taken_for_training_rows(tmp_path: Path) -> None:
    """A file called train-… or a card without splits would make them rows to train on."""
    (tmp_path / "rows.jsonl").write_text('{"question": "1?", "answer": "1"}\n' * 3)
    source = {"files": {"train": str(tmp_path / "rows.jsonl"), "test": str(tmp_path / "rows.jsonl")}}
    of_files = fm.Task("toy/files", type="arithmetic", source=source, templates=[PLAIN])
    out = built(toy_plan(of_files, rows=3, split="test"), tmp_path / "out")
    assert [file.name for file in (out / "data").iterdir()] == ["test-00000-of-00001.parquet"]
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in loaded.items()} == {"test": 3}


@pytest.mark.slow
def test_another_build_in_a_folder_of_the_same_name_is_not_taken_for_the_one_loaded_before(tmp_path: Path) -> None:
    """`datasets` keeps what it loads by the folder's last name and the front matter: rows would be another build's."""
    options = {"cache_dir": str(tmp_path / "cache"), "split": "train"}
    ways: list[dict[str, Any]] = [{}, {"layout": "messages"}, {"separator": " "}, {"metadata": False}]
    folders = [built(toy_plan(SUMS, rows=20), tmp_path / str(n) / "out", **way) for n, way in enumerate(ways)]
    folders.append(built(toy_plan(SUMS, rows=20, seed=8), tmp_path / "seed/out"))
    for out in folders:
        rows = pq.read_table(out / "data").to_pylist()
        assert datasets.load_dataset(str(out), **options).to_list() == rows
        assert list(datasets.load_dataset(str(out), **options, streaming=True)) == rows
    out = built(toy_plan(SUMS, rows=20, seed=9), folders[0], replace=True)  # the very same place, built anew
    assert datasets.load_dataset(str(out), **options).to_list() == pq.read_table(out / "data").to_pylist()


@pytest.mark.parametrize(
    ("licences", "shown"),
    [
        (["CC0-1.0", "cc0-1.0"], "cc0-1.0"),  # one licence, in the Hub's small letters
        (["mit", "apache-2.0"], "other"),
        (["mit", None], "other"),  # a source that states none is not under the others'
        ([None], "other"),
    ],
)
def test_it_names_a_licence_only_where_all_sources_share_it(licences: list[str | None], shown: str) -> None:
    tasks = [task(f"toy/{number}", licence=licence) for number, licence in enumerate(licences)]
    assert front_of(card(manifest(*tasks), tasks, ""))["license"] == shown


def test_it_lists_each_language_once_norwegian_too() -> None:
    tasks = [task("toy/a", languages=["no", "en"]), task("toy/b", languages=["en", "de"])]
    assert front_of(card(manifest(*tasks), tasks, ""))["language"] == ["de", "en", "no"]
    assert "language" not in front_of(card(manifest(task("toy/c")), [task("toy/c")], ""))


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (100_000, "100K<n<1M"),
        (5_000_000, "1M<n<10M"),
        (10_000_000, "10M<n<100M"),
        (2_000_000_000, "1B<n<10B"),
    ],
)
def test_it_says_how_large_the_dataset_is_in_the_hubs_words(rows: int, shown: str) -> None:
    assert front_of(card(manifest(rows=rows), [], ""))["size_categories"] == [shown]


# ---- the body


def test_it_tells_of_each_task_its_rows_its_share_and_its_source() -> None:
    tasks = [task("toy/a", licence="CC0-1.0", languages=["en", "fr"], citation="Doe 2020"), task("toy/b")]
    shown, sources = tables_of(card(manifest(*tasks, rows=1500), tasks, ""))
    assert shown[1:] == [[f"toy/{name}", "arithmetic", "1,500", "100.00%", "1.25", "2"] for name in "ab"]
    assert sources[1:] == [["toy/a", "CC0-1.0", "en, fr", "Doe 2020"], ["toy/b", "not stated", "", ""]]


def test_its_example_loads_the_folder(tmp_path: Path) -> None:
    out = built(toy_plan(SUMS, rows=20), tmp_path / "out")
    code = re.search(r"```python\n(.*?)```", (out / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    text = code[1].replace("path/to/this/folder", str(out)).replace('"train")', f'"train", cache_dir="{tmp_path}/c")')
    exec(text, names)
    assert names["ds"].num_rows == 20


def test_it_is_the_same_for_the_same_build(tmp_path: Path) -> None:
    cards = [(built(toy_plan(NOTES, RARE), tmp_path / name) / "README.md").read_bytes() for name in "ab"]
    assert cards[0] == cards[1]


# ---- hostile text


def test_text_of_tasks_stays_in_its_cell() -> None:
    hostile = task("toy/a", licence=HOSTILE, languages=[HOSTILE], citation=HOSTILE)
    text = card(manifest(hostile), [hostile], HOSTILE)
    assert front_of(text)["license"] == HOSTILE.lower()  # as one value, and no key of the front matter
    body = text.split("\n---\n", 1)[1]
    shown, sources = tables_of(text)
    assert [len(row) for row in shown + sources] == [6, 6, 4, 4]
    assert not re.search(r"<|\x1b|^# Head|^license: mit|^---", body, re.MULTILINE)
    assert not re.search(r"(?<!\\)\]\(", body)  # no link, no image
    assert not re.search(r"(?<!\\)`code", body)


SIGNS = st.characters(exclude_categories=["Cs"]) | st.sampled_from("|\\`<>&[]()!#-\n\r\t")


@given(st.text(SIGNS, min_size=1), st.text(SIGNS, min_size=1))
def test_any_text_is_one_cell_of_one_row(text: str, other: str) -> None:
    hostile = task("toy/a", licence=text, citation=other, languages=[text])
    made = card(manifest(hostile), [hostile], text)
    assert front_of(made)["configs"][0]["config_name"] == "default"
    assert [language.split() for language in front_of(made)["language"]] == [text.split()]
    shown, sources = tables_of(made)
    assert [len(row) for row in shown + sources] == [6, 6, 4, 4]
    assert "<" not in made.split("\n---\n", 1)[1]
    assert (
        html.unescape(re.sub(r"\\(.)", r"\1", sources[1][3])).split() == re.sub(r"[\x00-\x1f\x7f]", " ", other).split()
    )
