"""A build's folder: what is refused and left untouched, what is taken up again, what `replace` removes."""

import gc
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flanmix as fm
from flanmix.folder import take_back
from tests.faults import KINDS, Died, Kind, calls_of, failing
from tests.toy import NOTES, SUMS, built, hashes, seen, toy_plan

SHARD_ROWS = 30


@pytest.fixture(autouse=True)
def power_stays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on what a disk keeps without power, and waiting for disks takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def plan() -> fm.Plan:
    return toy_plan(SUMS, NOTES, rows=80)


@pytest.fixture(scope="module")
def other() -> fm.Plan:
    """Another plan over the same rows."""
    return toy_plan(SUMS, NOTES, rows=80, seed=8)


@pytest.fixture(scope="module")
def whole(plan: fm.Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(plan, tmp_path_factory.mktemp("whole") / "out", shard_rows=SHARD_ROWS)


@pytest.fixture(scope="module")
def calls(plan: fm.Plan, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The calls to the file system that a whole build makes."""
    out = tmp_path_factory.mktemp("calls") / "out"
    return calls_of(lambda: built(plan, out, shard_rows=SHARD_ROWS))


def cut_off(plan: fm.Plan, out: Path, shards: int) -> Path:
    """A build that died when so many shards (of three) were finished and the next was half written."""
    calls = calls_of(lambda: built(plan, out, shard_rows=SHARD_ROWS))
    shutil.rmtree(out)
    writes = [number for number, call in enumerate(calls, 1) if call == "ParquetWriter.write_table"]
    with failing(writes[shards], "death"), pytest.raises(Died):
        built(plan, out, shard_rows=SHARD_ROWS)
    gc.collect()  # the writers of a process that is dead write no more
    assert len(list(out.glob(".flanmix/0*.json"))) == len(list(out.glob("data/*.parquet"))) == shards
    assert not (out / "manifest.json").exists()
    return out


def refusal(plan: fm.Plan, out: Path, **options: object) -> str:
    """What the refusal of a folder says; the folder is as it was."""
    before = seen(out) if out.is_dir() else out.read_bytes()
    with pytest.raises(fm.BuildError) as caught:
        built(plan, out, **({"shard_rows": SHARD_ROWS} | options))
    assert before == (seen(out) if out.is_dir() else out.read_bytes())
    (problem,) = caught.value.problems
    assert problem.hint
    return str(problem)


# ---- a finished folder


def test_a_second_identical_build_changes_nothing(plan: fm.Plan, whole: Path) -> None:
    before = seen(whole)
    assert (
        plan.build(whole, shard_rows=SHARD_ROWS, quiet=True).manifest
        == plan.build(whole, shard_rows=SHARD_ROWS, quiet=True, num_proc=2).manifest
    )
    assert seen(whole) == before


def test_a_finished_folder_holds_the_data_the_card_and_the_manifest(whole: Path) -> None:
    shards = [f"data/train-0000{number}-of-00003.parquet" for number in range(3)]
    assert list(hashes(whole)) == ["README.md", "data/", *shards, "manifest.json"]


@pytest.mark.parametrize(
    "options",
    [{"layout": "messages"}, {"shard_rows": 50}, {"format": "arrow"}, {"metadata": False}, {"separator": " "}],
    ids=lambda options: next(iter(options)),
)
def test_a_folder_of_the_same_plan_written_otherwise_is_refused(
    plan: fm.Plan, whole: Path, options: dict[str, object]
) -> None:
    assert "holds another plan" in refusal(plan, whole, **options)


def test_a_folder_of_another_plan_is_refused_with_the_way_to_replace_it(
    other: fm.Plan, plan: fm.Plan, whole: Path
) -> None:
    said = refusal(other, whole)
    assert said.startswith(f"{whole}: holds another plan ({plan.digest[:12]})")
    assert "--replace" in said


def test_a_finished_folder_that_lost_a_shard_is_refused_not_mended_in_silence(
    plan: fm.Plan, whole: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    shard = out / "data/train-00001-of-00003.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "is missing or damaged" in refusal(plan, out)
    shard.unlink()
    assert "is missing or damaged" in refusal(plan, out)
    built(plan, out, shard_rows=SHARD_ROWS, replace=True)
    assert hashes(out) == hashes(whole)


# ---- folders of others


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "data/train-00000-of-00001.parquet", "sub/", ".git/config"])
def test_a_folder_with_files_of_others_is_refused_and_left_untouched(plan: fm.Plan, name: str, tmp_path: Path) -> None:
    """Also where they have the names that flanmix gives: other tools use them too."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_text("mine")
    assert "holds other files" in refusal(plan, tmp_path)
    assert "did not write" in refusal(plan, tmp_path, replace=True)


def test_a_manifest_of_another_tool_is_no_leave_to_remove_anything(plan: fm.Plan, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "my web app"}')
    (tmp_path / "README.md").write_text("mine")
    assert "is no manifest" in refusal(plan, tmp_path)
    assert "did not write" in refusal(plan, tmp_path, replace=True)


def test_a_file_in_place_of_the_folder_is_refused(plan: fm.Plan, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for replace in (False, True):
        assert refusal(plan, tmp_path / "out", replace=replace) == (
            f"{tmp_path / 'out'}: is a file - name a folder that is new or empty"
        )


def test_a_path_below_a_file_gives_one_clear_line_and_makes_nothing(plan: fm.Plan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file/out", tmp_path / "file/a/b/out"):
        with pytest.raises(fm.BuildError, match="cannot be written: Not a directory - name another folder") as caught:
            built(plan, out)
        assert str(caught.value).startswith(str(out))
        assert len(str(caught.value).splitlines()) == 1
    assert list(seen(tmp_path)) == ["file"]


def test_an_empty_folder_is_taken_and_parents_are_made(plan: fm.Plan, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "a/b/c"):
        built(plan, out, shard_rows=SHARD_ROWS)
        assert hashes(out) == hashes(whole)


# ---- an unfinished folder


@pytest.mark.parametrize("finished", [0, 1, 2])
def test_what_is_finished_is_kept_and_the_rest_is_built(
    plan: fm.Plan, whole: Path, finished: int, tmp_path: Path
) -> None:
    out = cut_off(plan, tmp_path / "out", finished)
    leftovers = [name for name in seen(out) if name.endswith(".tmp")]
    assert len(leftovers) in (1, 2)  # the half written shard, and the one that was begun meanwhile
    before = {name: file for name, file in seen(out).items() if name.endswith(".parquet")}
    built(plan, out, shard_rows=SHARD_ROWS)
    assert {name: file for name, file in seen(out).items() if name in before} == before  # not written anew
    assert hashes(out) == hashes(whole)  # and nothing left over


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink], ids=["flip", "cut", "empty", "unlink"])
@pytest.mark.parametrize("place", ["data/train-00001-of-00003.parquet", ".flanmix/00001.json"])
def test_a_damaged_shard_or_receipt_is_built_anew_and_only_that(
    plan: fm.Plan, whole: Path, damage: Callable[[Path], None], place: str, tmp_path: Path
) -> None:
    out = cut_off(plan, tmp_path / "out", 2)
    before = {name: file for name, file in seen(out).items() if name.endswith(".parquet") and "00001-of" not in name}
    damage(out / place)
    built(plan, out, shard_rows=SHARD_ROWS)
    assert {name: file for name, file in seen(out).items() if name in before} == before
    assert hashes(out) == hashes(whole)


def test_an_unfinished_build_of_another_plan_is_refused(plan: fm.Plan, other: fm.Plan, tmp_path: Path) -> None:
    out = cut_off(plan, tmp_path / "out", 2)
    said = refusal(other, out)
    assert f"holds the unfinished build of another plan ({plan.digest[:12]})" in said
    assert "--replace" in said
    assert "of another plan" in refusal(plan, out, shard_rows=50)
    built(other, out, shard_rows=SHARD_ROWS, replace=True)
    assert fm.verify(out)["plan"] == other.digest


@pytest.mark.parametrize("name", ["notes.txt", "data/train-extra.parquet", "data/notes.txt", ".flanmix/notes.txt"])
def test_files_that_came_into_an_unfinished_build_are_refused_not_shipped(
    plan: fm.Plan, name: str, tmp_path: Path
) -> None:
    out = cut_off(plan, tmp_path / "out", 2)
    (out / name).write_text("mine")
    assert f"holds other files ({name})" in refusal(plan, out)
    assert f"did not write ({name})" in refusal(plan, out, replace=True)


def test_a_state_that_cannot_be_read_is_another_builds(plan: fm.Plan, whole: Path, tmp_path: Path) -> None:
    for text in ("", "{", "[]", "\0"):
        out = cut_off(plan, tmp_path / "out", 1)
        (out / ".flanmix/build.json").write_text(text)
        assert "another plan (unknown)" in refusal(plan, out)
        built(plan, out, shard_rows=SHARD_ROWS, replace=True)
        assert hashes(out) == hashes(whole)
        shutil.rmtree(out)


# ---- replace


def test_replace_leaves_nothing_of_the_other_build(plan: fm.Plan, other: fm.Plan, whole: Path, tmp_path: Path) -> None:
    out = built(other, tmp_path / "out", shard_rows=30, layout="messages", format="arrow")
    built(plan, out, shard_rows=SHARD_ROWS, replace=True)
    assert hashes(out) == hashes(whole)


@pytest.mark.parametrize("name", ["notes.txt", "data/mine.parquet", "data/sub/x", ".flanmix/x", "train-00000.arrow"])
def test_replace_refuses_a_folder_that_holds_a_file_of_others_too(
    plan: fm.Plan, other: fm.Plan, name: str, tmp_path: Path
) -> None:
    out = built(other, tmp_path / "out", shard_rows=SHARD_ROWS)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    said = refusal(plan, out, replace=True)
    assert "holds files that flanmix did not write" in said
    assert name.rsplit("/x")[0] in said


def test_replace_does_not_follow_links(plan: fm.Plan, other: fm.Plan, tmp_path: Path) -> None:
    built(other, tmp_path / "out", shard_rows=SHARD_ROWS)
    (tmp_path / "out/data").rename(tmp_path / "elsewhere")
    (tmp_path / "out/data").symlink_to(tmp_path / "elsewhere")
    before = seen(tmp_path / "elsewhere")
    assert "did not write (data)" in refusal(plan, tmp_path / "out", replace=True)
    assert seen(tmp_path / "elsewhere") == before


def test_a_plan_that_cannot_be_written_replaces_nothing(plan: fm.Plan, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    before = seen(out)
    wrong = {"layout": "none", "format": "csv", "shard_rows": 0, "max_shard_size": "much", "num_proc": 0}
    for option, value in wrong.items():
        with pytest.raises(fm.UsageError):
            built(plan, out, replace=True, **{option: value})
    assert seen(out) == before


# ---- taking back


def test_taking_back_spares_what_others_put_beside_the_build(plan: fm.Plan, tmp_path: Path) -> None:
    """Two builds below one new folder: the one that fails takes back its own."""
    out = cut_off(plan, tmp_path / "new/out", 1)
    built(plan, tmp_path / "new/other", shard_rows=SHARD_ROWS)
    before = hashes(tmp_path / "new/other")
    take_back(out, [out, out.parent])
    assert [place.name for place in (tmp_path / "new").iterdir()] == ["other"]
    assert hashes(tmp_path / "new/other") == before


def test_taking_back_spares_files_of_others_in_the_folder(plan: fm.Plan, tmp_path: Path) -> None:
    out = cut_off(plan, tmp_path / "out", 1)
    (out / "notes.txt").write_text("mine")
    (out / "data/mine.parquet").write_text("mine")
    take_back(out, [out])
    assert list(seen(out)) == ["data/", "data/mine.parquet", "notes.txt"]


# ---- the n-th call to the file system fails, for every n


def is_ours_or_whole(out: Path, *wholes: dict[str, str]) -> bool:
    """Whether a folder holds no manifest, or is one of these whole builds (apart from what is cleared up at last)."""
    if not (out / "manifest.json").exists():
        return True
    return {name: file for name, file in hashes(out).items() if not name.startswith(".flanmix")} in wholes


@pytest.mark.parametrize("kind", KINDS)
def test_whichever_call_fails_the_same_build_completes_the_folder(
    plan: fm.Plan, whole: Path, calls: list[str], kind: Kind, tmp_path: Path
) -> None:
    complete, reached = hashes(whole), set[int]()
    for at in range(1, len(calls) + 1):
        out = tmp_path / str(at) / "new/out"
        with failing(at, kind), pytest.raises((fm.BuildError, Died)) as caught:
            built(plan, out, shard_rows=SHARD_ROWS)
        assert caught.type is (Died if kind == "death" else fm.BuildError)
        assert len(str(caught.value).splitlines()) <= 1
        assert is_ours_or_whole(out, complete)
        kept = seen(out)
        reached.add(len(list(out.glob(".flanmix/0*.json"))))
        built(plan, out, shard_rows=SHARD_ROWS)
        assert hashes(out) == complete, f"{kind} at call {at}, {calls[at - 1]}"
        finished = [name for name in kept if name.endswith(".parquet") and f".flanmix/{name[11:16]}.json" in kept]
        assert all(seen(out)[name] == kept[name] for name in finished)
    assert reached == {0, 1, 2, 3}  # it was stopped before, within and after every shard


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("finished", [True, False])
def test_whichever_call_fails_a_replaced_folder_is_the_old_one_or_becomes_the_new_one(
    plan: fm.Plan, other: fm.Plan, whole: Path, kind: Kind, finished: bool, tmp_path: Path
) -> None:
    old, complete = tmp_path / "old", hashes(whole)
    built(other, old, shard_rows=40) if finished else cut_off(other, old, 1)
    shutil.copytree(old, tmp_path / "counted")
    calls = calls_of(lambda: built(plan, tmp_path / "counted", shard_rows=SHARD_ROWS, replace=True))
    begins_anew = calls.index("os.mkdir") + 1
    files = [file for file in old.rglob("*") if file.is_file()]
    assert calls[:begins_anew].count("os.unlink") == len(files) > 3
    for at in range(1, begins_anew + 1):
        out = Path(shutil.copytree(old, tmp_path / str(at)))
        with failing(at, kind), pytest.raises((fm.BuildError, Died)):
            built(plan, out, shard_rows=SHARD_ROWS, replace=True)
        assert is_ours_or_whole(out, hashes(old), complete)
        with suppress(fm.BuildError):  # without leave to replace, it refuses or finds nothing more to replace
            built(plan, out, shard_rows=SHARD_ROWS)
        assert is_ours_or_whole(out, hashes(old), complete)
        built(plan, out, shard_rows=SHARD_ROWS, replace=True)
        assert hashes(out) == complete, f"{kind} at call {at}, {calls[at - 1]}"


@settings(max_examples=20, deadline=None)
@given(deaths=st.lists(st.integers(1, 90), max_size=6))
def test_any_number_of_deaths_makes_no_difference(
    plan: fm.Plan, whole: Path, deaths: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("deaths") / "out"
    for at in deaths:
        with failing(at, "death"):
            try:
                built(plan, out, shard_rows=SHARD_ROWS)
            except Died:
                continue
    built(plan, out, shard_rows=SHARD_ROWS)
    assert hashes(out) == hashes(whole)


def test_nothing_here_is_trivially_equal(plan: fm.Plan, other: fm.Plan, whole: Path, calls: list[str]) -> None:
    """The two plans give other rows, and a build makes enough calls for the tests above to mean something."""
    assert plan.digest != other.digest
    assert 40 < pq.read_table(whole / "data").num_rows < 80
    assert len(calls) > 60
    assert {"os.fsync", "os.replace", "os.mkdir", "os.unlink", "ParquetWriter.write_table"} <= set(calls)
