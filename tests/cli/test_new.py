"""`flanmix new`: from an empty folder to a build in four commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flanmix.words import TASK_TYPES

Flanmix = Callable[[str], Any]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_new_says_on_standard_output_what_it_has_written(empty: Path, good: Flanmix) -> None:
    assert good("new task animals/legs") == (0, "animals/legs.yaml\nanimals/legs.tsv\n", "")
    assert good("new family riddles") == (0, "riddles.yaml\n", "")
    assert good("new mixture mine") == (0, "mine.yaml\n", "")


def test_a_new_task_is_checked_shown_and_previewed_as_it_is(empty: Path, good: Flanmix) -> None:
    good("new task animals/legs")
    good("check -r .")
    assert "How many legs does a spider have?" in good("preview animals/legs -r . --rows 2").out
    assert yaml.safe_load(good("show animals/legs -r .").out)["type"] == "closed_book_qa"


def test_a_new_dialogue_holds_conversations(empty: Path, good: Flanmix) -> None:
    assert good("new task small/talk --type dialogue").out == "small/talk.yaml\nsmall/talk.jsonl\n"
    good("check -r .")
    shown = good("preview small/talk -r . --rows 2").out
    assert "And the next?" in shown
    assert "Eight." in shown
    assert yaml.safe_load(good("show small/talk -r .").out)["conversation"] == "detect"


def test_new_files_make_a_mixture_that_builds(empty: Path, good: Flanmix) -> None:
    good("new task animals/legs")
    good("new family riddles")
    good("new task riddles/first --type riddles")
    good("new mixture mine")
    text = (empty / "mine.yaml").read_text()
    (empty / "mine.yaml").write_text(text.replace('"type:nli"', '"animals/* riddles/*"'))
    good("check -r .")
    good("plan mine.yaml --rows 50")
    good("build mine.yaml -o out --rows 50 -q")
    good("verify out")


def test_a_new_mixture_plans_as_it_is(empty: Path, good: Flanmix) -> None:
    good("new mixture mine")
    good("check mine.yaml")
    good("plan mine.yaml --rows 500")


def test_new_writes_into_a_registry_folder(empty: Path, good: Flanmix) -> None:
    assert good("new task deep/er/task -o my/registry").out == (
        "my/registry/deep/er/task.yaml\nmy/registry/deep/er/task.tsv\n"
    )
    good("check -r my/registry")


@pytest.mark.parametrize("type_", sorted(TASK_TYPES))
def test_a_new_task_may_be_of_any_known_type(empty: Path, good: Flanmix, type_: str) -> None:
    good(f"new task a --type {type_}")
    assert yaml.safe_load((empty / "a.yaml").read_text())["type"] == type_


def test_a_new_file_says_what_may_be_written_there(empty: Path, good: Flanmix) -> None:
    good("new task a")
    good("new mixture m")
    assert "# " in (empty / "a.yaml").read_text()
    assert "# or epochs: 1" in (empty / "m.yaml").read_text()


def test_new_overwrites_nothing(empty: Path, good: Flanmix, flanmix: Flanmix) -> None:
    (empty / "a.tsv").write_text("mine")
    assert flanmix("new task a").code == 2
    assert [path.name for path in empty.iterdir()] == ["a.tsv"]
    assert (empty / "a.tsv").read_text() == "mine"
