"""Which tasks share a source: by path, config and split, by file, by generator, by the bytes of files and tables."""

import gzip
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from flanmix.bound import BoundTask
from flanmix.errors import SourceError
from flanmix.holding_out.sources import HeldSources
from flanmix.registry import load_registry
from flanmix.spec import Task, Template

ASK = Template("ask", input="{{ q }}", target="{{ a }}")
ROWS = [{"q": "2 + 2?", "a": "4"}, {"q": "2 + 3?", "a": "5"}]


def bound(name: str, source: Any, folder: Path | None = None) -> BoundTask:
    registry = load_registry(specs=[Task(name, type="code", source=source, templates=[ASK])], bundled=False)
    task = registry.tasks[name]
    return BoundTask(task.task, task.templates, task.fields, task.where, folder or task.folder)


def shared(held: Any, other: Any, folder: Path | None = None, elsewhere: Path | None = None) -> str | None:
    """What two sources share, if the first is held out."""
    found = HeldSources([bound("held", held, folder)]).shared_with(bound("other", other, elsewhere or folder))
    assert found is None or found[0] == "held"
    return found and found[1]


def both_ways(one: Any, other: Any) -> str | None:
    found = shared(one, other)
    assert (found is None) == (shared(other, one) is None)
    return found


# Datasets of the Hub

RTE: dict[str, Any] = {"path": "nyu-mll/glue", "name": "rte", "split": {"train": "train", "validation": "validation"}}


def test_one_dataset_config_and_split_is_one_source() -> None:
    assert both_ways(RTE, RTE) == "nyu-mll/glue:rte, split train"


@pytest.mark.parametrize(
    "other",
    [
        {"revision": "main"},
        {"path": "glue"},
        {"path": "NYU-MLL/GLUE"},
        {"split": {"train": "train[:10%]"}},
        {"split": {"train": "test+validation"}},
        {"split": {"train": "validation"}},
        {"split": {"train": "all"}},
    ],
    ids=str,
)
def test_the_same_rows_under_another_name_are_the_same_source(other: dict[str, Any]) -> None:
    assert both_ways(RTE, RTE | other)


@pytest.mark.parametrize(
    "other",
    [
        {"path": "someone/glue"},
        {"path": "super_glue"},
        {"name": "mrpc"},
        {"name": None},
        {"split": {"train": "test"}},
        {"data_dir": "rte"},
    ],
    ids=str,
)
def test_other_datasets_configs_and_splits_are_other_sources(other: dict[str, Any]) -> None:
    assert both_ways(RTE, {key: value for key, value in (RTE | other).items() if value is not None}) is None


def test_a_dataset_without_a_config_is_its_default_one() -> None:
    assert both_ways({"path": "a/b"}, {"path": "a/b", "name": "default"})


def test_named_files_of_a_dataset_are_compared_by_name() -> None:
    first = {"path": "a/b", "data_files": ["x.json", "y.json"]}
    assert both_ways(first, {"path": "a/b", "data_files": {"train": "y.json"}})
    assert both_ways(first, {"path": "a/b", "data_files": "z.json"}) is None
    assert both_ways(first, {"path": "a/b", "data_dir": "z"}) is None
    assert both_ways(first, {"path": "a/b"})


# Local files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "tasks" / "a.tsv").write_text("q\ta\n1\t2\n")
    return tmp_path / "tasks"


def test_a_file_is_the_same_from_wherever_it_is_named(folder: Path) -> None:
    other = folder.parent / "other"
    os.symlink(folder / "a.tsv", other / "linked.tsv")
    for source in (
        "../tasks/a.tsv",
        str(folder / "a.tsv"),
        "../tasks/*.tsv",
        "linked.tsv",
        ["x.tsv", "../tasks/a.tsv"],
    ):
        assert shared({"files": "a.tsv"}, {"files": source}, folder, other) == "the file a.tsv"
    assert shared({"files": {"train": "b.tsv", "test": "a.tsv"}}, {"files": "../tasks/a.tsv"}, folder, other)


def test_a_file_that_a_reader_of_datasets_reads_is_that_file(folder: Path) -> None:
    assert shared({"files": "a.tsv"}, {"path": "csv", "data_files": "a.tsv"}, folder) == "the file a.tsv"
    assert shared({"files": "a.tsv"}, {"path": "csv", "data_dir": "../tasks"}, folder) == "the file a.tsv"


def test_a_folder_that_datasets_reads_has_the_files_in_it(folder: Path) -> None:
    whole = {"path": "../tasks", "split": {"train": "train"}}
    assert shared(whole, {"files": "a.tsv"}, folder) == "the file a.tsv"
    assert shared({"files": "a.tsv"}, whole, folder) == "the file a.tsv"
    assert shared(whole, {"path": "./", "split": {"train": "train"}}, folder) == "./, split train"
    assert shared(whole, {"path": "../other"}, folder) is None


def test_equal_bytes_under_two_names_are_one_source(folder: Path) -> None:
    (folder / "copy.tsv").write_bytes((folder / "a.tsv").read_bytes())
    what = shared({"files": "a.tsv"}, {"files": "copy.tsv"}, folder)
    assert what == "the bytes of copy.tsv, equal to the bytes of a.tsv"


def test_files_of_equal_length_and_other_bytes_are_not(folder: Path) -> None:
    (folder / "b.tsv").write_text("q\ta\n1\t3\n")
    assert (folder / "b.tsv").stat().st_size == (folder / "a.tsv").stat().st_size
    assert shared({"files": "a.tsv"}, {"files": "b.tsv"}, folder) is None


def test_empty_files_and_packed_ones_are_not_taken_for_the_same(folder: Path) -> None:
    for name in ("x.tsv", "y.tsv"):
        (folder / name).write_text("")
    (folder / "a.tsv.gz").write_bytes(gzip.compress((folder / "a.tsv").read_bytes()))
    assert shared({"files": "x.tsv"}, {"files": "y.tsv"}, folder) is None
    assert shared({"files": "a.tsv"}, {"files": "a.tsv.gz"}, folder) is None


def test_files_that_are_not_there_are_known_by_their_names(folder: Path) -> None:
    assert shared({"files": "gone.tsv"}, {"files": "gone.tsv"}, folder)
    assert shared({"files": "gone.tsv"}, {"files": "lost.tsv"}, folder) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_would_have_to_be_read_and_cannot_is_an_error(folder: Path) -> None:
    (folder / "shut.tsv").write_bytes((folder / "a.tsv").read_bytes())
    (folder / "shut.tsv").chmod(0)
    with pytest.raises(SourceError, match=r"shut\.tsv: cannot be read: Permission denied"):
        shared({"files": "a.tsv"}, {"files": "shut.tsv"}, folder)


# Rows in memory, and generators


def test_a_table_is_the_same_as_an_object_and_as_values() -> None:
    frame = pd.DataFrame(ROWS)
    assert both_ways(frame, frame) == "the same rows in memory"
    pieces = pa.concat_tables([pa.Table.from_pylist(ROWS[:1]), pa.Table.from_pylist(ROWS[1:])])
    for other in (list(map(dict, ROWS)), pa.Table.from_pylist(ROWS), pieces):
        assert both_ways(frame, other) == "equal rows in memory"


def test_tables_with_other_values_columns_or_numbers_of_rows_are_not() -> None:
    others: list[list[dict[str, str]]] = [
        [ROWS[0], {"q": "2 + 3?", "a": "6"}],
        ROWS[:1],
        [{"q": row["q"], "b": row["a"]} for row in ROWS],
    ]
    for other in others:
        assert both_ways(ROWS, other) is None


def numbers(draw: Any) -> dict[str, str]:
    return {"q": str(draw.integer(1, 9)), "a": "?"}


def test_a_generator_is_the_same_with_equal_arguments_whatever_the_seed_and_the_number_of_rows() -> None:
    made: dict[str, Any] = {"generator": "arithmetic/add_subtract", "rows": 9, "args": {"largest": 5, "decimals": 2}}
    assert both_ways(made, {**made, "rows": 99, "seed": 4, "args": {"decimals": 2, "largest": 5}})
    assert both_ways(made, {**made, "args": {"largest": 6, "decimals": 2}}) is None
    assert both_ways(made, {**made, "generator": "arithmetic/fractions"}) is None
    assert both_ways({"generator": numbers, "rows": 3}, {"generator": numbers, "rows": 4})
    assert both_ways({"generator": numbers, "rows": 3}, {"generator": lambda draw: {}, "rows": 3}) is None
