"""Files are whole or not there, whatever happens while they are written."""

import os
from pathlib import Path

import pytest

from flanmix.durable import name_to_be, write_text, write_texts, written_whole
from tests.faults import KINDS, Died, Kind, calls_of, failing


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with written_whole(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.parent == tmp_path  # a rename within one folder is atomic
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failing_block_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), written_whole(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_many_files_are_written_whole_or_none_of_them(tmp_path: Path) -> None:
    texts = {tmp_path / name: name for name in ("a.txt", "b.txt")}
    write_texts(texts)
    assert {file: file.read_text() for file in tmp_path.iterdir()} == texts
    with pytest.raises(FileNotFoundError):
        write_texts({tmp_path / "a.txt": "new", tmp_path / "no" / "c.txt": "c"})
    assert {file: file.read_text() for file in tmp_path.iterdir()} == texts


def test_the_content_of_many_files_is_on_disk_before_their_names(tmp_path: Path) -> None:
    calls = calls_of(lambda: write_texts({tmp_path / "a.txt": "a", tmp_path / "b.txt": "b"}))
    kept = [call for call in calls if call in ("os.fsync", "os.replace")]
    assert kept == ["os.fsync", "os.fsync", "os.replace", "os.replace", "os.fsync"]


def test_the_content_is_on_disk_before_the_name_and_the_name_before_the_end(tmp_path: Path) -> None:
    calls = calls_of(lambda: write_text(tmp_path / "a.txt", "new"))
    kept = [call for call in calls if call in ("os.fsync", "os.replace")]
    assert kept == ["os.fsync", "os.replace", "os.fsync"]


def test_the_file_and_then_its_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    write_text(tmp_path / "a.txt", "new")
    assert synced == [(tmp_path / "a.txt").stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize("kind", KINDS)
def test_whichever_call_fails_the_file_is_the_old_or_the_new_one(tmp_path: Path, kind: Kind) -> None:
    calls = calls_of(lambda: write_text(tmp_path / "first.txt", "new"))
    for at in range(1, len(calls) + 1):
        target = tmp_path / str(at) / "a.txt"
        target.parent.mkdir()
        target.write_text("old")
        with failing(at, kind), pytest.raises((OSError, Died)):
            write_text(target, "new")
        assert target.read_text() in ("old", "new")
        others = [file.name for file in target.parent.iterdir() if file != target]
        assert kind != "once" or not others
        assert all(name_to_be(name) == "a.txt" for name in others)  # what may stay is known for what it is
        write_text(target, "new")
        assert target.read_text() == "new"


def test_a_folder_in_place_of_the_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.txt"):
        write_text(tmp_path / "a.txt", "new")
    assert [place.name for place in tmp_path.rglob("*")] == ["a.txt", "inside"]


@pytest.mark.parametrize("name", ["a.txt", ".a.txt", "a.tmp", ".a.txt.tmp", ".a.txt.0123456789.tmp", ".0123abcd.tmp"])
def test_only_names_of_temporary_files_are_taken_for_such(name: str) -> None:
    assert name_to_be(name) == name
