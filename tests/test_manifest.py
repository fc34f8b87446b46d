"""What the manifest says of a build, and that `verify` finds whatever is no longer so."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.manifest import SCHEMA_VERSION
from flanmix.shards import Format
from tests.toy import NOTES, RARE, SUMS, built, manifest_of, seen, toy_plan

FORMATS: tuple[Format, ...] = ("parquet", "arrow")


@pytest.fixture(scope="module")
def plan() -> fm.Plan:
    return toy_plan()


@pytest.fixture(scope="module")
def whole(plan: fm.Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(plan, tmp_path_factory.mktemp("whole") / "out", shard_rows=150)


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """A built folder to damage."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


def problems(folder: Path) -> list[str]:
    """What `verify` says is wrong, with the paths below the folder."""
    with pytest.raises(fm.BuildError) as caught:
        fm.verify(folder)
    assert caught.value.exit_code == 1
    assert all(problem.hint for problem in caught.value.problems)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Write the manifest anew, edited."""
    manifest = manifest_of(folder)
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


# ---- what it says


def test_it_counts_the_conversations_that_were_repaired_and_those_left_out(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]
    rows = [{"messages": turns}, {"messages": [*turns, turns[0]]}, {"messages": turns[:1]}]
    say = fm.Template("say", input="{{ prompt }}", target="{{ response }}")
    task = fm.Task("toy/talk", type="dialogue", source=rows, conversation="detect", templates=[say])
    plan = fm.Mixture("toy", parts=[{"select": "toy/talk"}], rows=2).plan(fm.load_registry(specs=[task]))
    (record,) = manifest_of(built(plan, tmp_path / "out"))["tasks"]
    assert record["source"]["repaired"] == {"last turns of the user taken off": 1}
    assert record["source"]["dropped"] == {"no turn of the assistant": 1}
    assert "2 usable, 1 dropped (no turn of the assistant), 1 repaired (last turns of the user taken off)" in plan.why(
        "toy/talk"
    )


def test_conversations_of_two_turns_need_no_layout_with_places_for_more(tmp_path: Path) -> None:
    say = fm.Template("say", input="{{ prompt }}", target="{{ response }}")
    rows = [{"instruction": "1 + 1?", "output": "2"}]
    more = [{"instruction": "1 + 1?", "output": "2", "system": "Be brief."}]
    for source, told in ((rows, False), (more, True)):
        task = fm.Task("toy/talk", type="dialogue", source=source, conversation="detect", templates=[say])
        plan = fm.Mixture("toy", parts=[{"select": "toy/talk"}], rows=1).plan(fm.load_registry(specs=[task]))
        if told:
            with pytest.raises(fm.UsageError, match="rows have system texts or earlier turns"):
                built(plan, tmp_path / "b")
        else:
            assert manifest_of(built(plan, tmp_path / "a"))["rows"] == 1


def test_it_says_nothing_of_repairs_where_there_are_no_conversations(whole: Path) -> None:
    assert not [task for task in manifest_of(whole)["tasks"] if "repaired" in task["source"]]


def test_it_names_the_plan_the_build_and_how_it_was_written(plan: fm.Plan, whole: Path) -> None:
    manifest = manifest_of(whole)
    assert manifest["schema_version"] == SCHEMA_VERSION
    expected = {
        "flanmix": fm.__version__,
        "mixture": "toy",
        "seed": 7,
        "split": "train",
        "plan": plan.digest,
        "layout": "prompt_completion",
        "separator": "\n",
        "metadata": True,
        "format": "parquet",
        "planned": 400,
        "styles": {},
    }
    assert {key: manifest[key] for key in expected} == expected


def test_it_lists_the_shards_as_they_are(whole: Path) -> None:
    shards = manifest_of(whole)["shards"]
    assert sorted(file.name for file in (whole / "data").iterdir()) == [Path(shard["file"]).name for shard in shards]
    for shard in shards:
        file = whole / shard["file"]
        content = file.read_bytes()
        assert shard["bytes"] == len(content)
        assert shard["sha256"] == hashlib.sha256(content).hexdigest()
        assert shard["rows"] == pq.read_metadata(file).num_rows
    assert (
        manifest_of(whole)["rows"] == sum(shard["rows"] for shard in shards) == pq.read_table(whole / "data").num_rows
    )


def test_of_every_task_planned_is_written_and_dropped_by_reason(plan: fm.Plan, whole: Path) -> None:
    tasks = {task["task"]: task for task in manifest_of(whole)["tasks"]}
    assert {name: task["planned"] for name, task in tasks.items()} == plan.counts
    in_files = pq.read_table(whole / "data").group_by("fm_task").aggregate([([], "count_all")]).to_pylist()
    assert {name: task["written"] for name, task in tasks.items()} == {r["fm_task"]: r["count_all"] for r in in_files}
    for task in tasks.values():
        assert task["planned"] == task["written"] + sum(task["dropped"].values())
        assert task["written"] == sum(task["templates"].values())
    assert tasks["toy/notes"]["dropped"].keys() == {"target is blank"}
    assert tasks["toy/notes"]["dropped"]["target is blank"] > 0
    assert tasks["toy/sums"]["dropped"] == {}


def test_it_tells_what_each_source_had(whole: Path) -> None:
    tasks = {task["task"]: task for task in manifest_of(whole)["tasks"]}
    assert tasks["toy/rare"]["source"].items() >= {"rows": 5, "usable": 5, "offered": 5, "dropped": {}}.items()
    assert tasks["toy/rare"]["epochs"] == pytest.approx(tasks["toy/rare"]["planned"] / 5)


def test_its_counts_are_the_same_in_any_layout_format_and_cut(plan: fm.Plan, whole: Path, tmp_path: Path) -> None:
    for number, way in enumerate([{"shard_rows": 7}, {"format": "arrow"}, {"layout": "messages", "metadata": False}]):
        other = manifest_of(built(plan, tmp_path / str(number), **way))
        assert other["tasks"] == manifest_of(whole)["tasks"]
        assert (other["rows"], other["plan"]) == (manifest_of(whole)["rows"], plan.digest)


def test_rows_have_the_same_digest_in_any_layout_and_format(plan: fm.Plan, whole: Path, tmp_path: Path) -> None:
    digests = [shard["rows_xxh3"] for shard in manifest_of(whole)["shards"]]
    for number, way in enumerate([{"layout": "messages"}, {"format": "arrow"}, {"separator": ""}, {"metadata": False}]):
        other = manifest_of(built(plan, tmp_path / str(number), shard_rows=150, **way))
        assert [shard["rows_xxh3"] for shard in other["shards"]] == digests
    another = manifest_of(built(toy_plan(seed=8), tmp_path / "seed", shard_rows=150))
    assert {shard["rows_xxh3"] for shard in another["shards"]}.isdisjoint(digests)


def test_it_is_no_business_of_those_who_load_the_data(whole: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(whole), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == manifest_of(whole)["rows"]


def test_the_python_face_reads_it(plan: fm.Plan, whole: Path) -> None:
    found = plan.build(whole, shard_rows=150, quiet=True)
    assert found.manifest == manifest_of(whole)
    assert found.rows == found.manifest["rows"]


# ---- verify


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_folder_is_found_whole_and_not_touched(plan: fm.Plan, form: Format, tmp_path: Path) -> None:
    out = built(plan, tmp_path / "out", shard_rows=150, format=form)
    before = seen(out)
    assert fm.verify(out) == manifest_of(out)
    assert seen(out) == before


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_a_changed_byte_is_found(out: Path, place: float) -> None:
    file = out / "data/train-00001-of-00003.parquet"
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    file.write_bytes(content)
    (found,) = problems(out)
    assert found.startswith("data/train-00001-of-00003.parquet: sha256 is ")


def test_a_missing_a_cut_and_an_additional_file_are_found(out: Path) -> None:
    first, second, third = sorted((out / "data").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    third.write_bytes(third.read_bytes() + b"\0")
    shutil.copy(third, out / "data/train-00003-of-00003.parquet")
    (out / "data/notes.txt").write_text("mine")
    found = problems(out)
    assert [line.split(": ")[0] for line in found] == [
        *(f"data/{file.name}" for file in (first, second, third)),
        "data/notes.txt",
        "data/train-00003-of-00003.parquet",
    ]
    assert "is missing" in found[0]
    assert "bytes is" in found[1]
    assert "bytes is" in found[2]
    assert all("is not in the manifest" in line for line in found[3:])


def test_files_that_no_trainer_reads_and_those_beside_the_data_do_not_matter(out: Path) -> None:
    for name in ("data/_SUCCESS", "data/.listing", "notes.txt"):
        (out / name).write_text("mine")
    assert fm.verify(out)["mixture"] == "toy"


def test_wrong_counts_are_found(out: Path) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["rows"] += 1
        manifest["planned"] += 1
        manifest["shards"][0]["rows"] -= 1
        manifest["tasks"][0]["written"] += 1
        manifest["tasks"][1]["dropped"]["bad luck"] = 1

    change(out, edit)
    found = [line.removeprefix("manifest.json: ").split(" - ")[0] for line in problems(out)]
    said = manifest_of(out)["shards"][0]["rows"]
    assert found == [
        f"data/train-00000-of-00003.parquet: holds {said + 1} rows, where the manifest says {said}",
        "the tasks' planned do not add up to 'planned'",
        "the shards' rows do not add up to 'rows'",
        "toy/notes: planned is not written + dropped",
        "toy/notes: written is not the sum of its templates",
        "toy/rare: planned is not written + dropped",
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_holds_no_rows_is_found_even_where_the_manifest_agrees_with_it(
    plan: fm.Plan, form: Format, tmp_path: Path
) -> None:
    out = built(plan, tmp_path / "out", format=form)
    file = out / f"data/train-00000-of-00001.{form}"
    file.write_bytes(b"garbage")
    change(out, lambda m: m["shards"][0].update(bytes=7, sha256=hashlib.sha256(b"garbage").hexdigest()))
    (found,) = problems(out)
    assert found.startswith(f"data/{file.name}: holds no rows, where the manifest says {manifest_of(out)['rows']}")


def test_all_kinds_of_damage_are_told_at_once(out: Path) -> None:
    first, second, _ = sorted((out / "data").iterdir())
    first.unlink()
    second.write_bytes(bytes(second.stat().st_size))
    (out / "data/index.json").write_text("{}")
    change(out, lambda manifest: manifest.update(rows=1))
    assert [line.split(": ")[0] for line in problems(out)] == [
        "data/train-00000-of-00003.parquet",
        "data/train-00001-of-00003.parquet",
        "data/index.json",
        "manifest.json",
        "manifest.json",
    ]


def test_a_newer_version_is_named_before_anything_else(out: Path) -> None:
    (out / "manifest.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1, "files": "elsewhere"}))
    (found,) = problems(out)
    assert found.startswith(f"manifest.json: has schema_version {SCHEMA_VERSION + 1}, where flanmix {fm.__version__}")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", '"x"', "{}", "\udcff", '{"schema_version": 1, "shards": [1']
)
def test_what_is_no_manifest_is_called_so(out: Path, text: str) -> None:
    (out / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert problems(out) == ["manifest.json: is no manifest - build the folder again"]


@pytest.mark.parametrize("lost", ["shards", "rows", "tasks", "planned"])
def test_a_manifest_that_lacks_a_field_is_called_so(out: Path, lost: str) -> None:
    change(out, lambda manifest: manifest.pop(lost))
    assert problems(out) == [f"manifest.json: lacks '{lost}' - build the folder again"]


@pytest.mark.parametrize(
    "garbled", [{"shards": 7}, {"shards": ["x"]}, {"tasks": [None]}, {"rows": None, "tasks": {"a": 1}}]
)
def test_a_garbled_manifest_is_called_so(out: Path, garbled: dict[str, object]) -> None:
    change(out, lambda manifest: manifest.update(garbled))
    assert problems(out) == ["manifest.json: is garbled - build the folder again"]


def test_a_manifest_that_points_elsewhere_is_not_followed(out: Path) -> None:
    (out.parent / "other.parquet").write_bytes(b"")
    change(out, lambda manifest: manifest["shards"][0].update(file="data/../../other.parquet"))
    assert any("names a file outside of" in line for line in problems(out))


def test_a_folder_that_is_no_build_is_called_so(tmp_path: Path) -> None:
    hint = "name a folder that 'flanmix build' has finished"
    assert problems(tmp_path) == [f"manifest.json: is not there - {hint}"]
    assert problems(tmp_path / "nowhere") == [f"manifest.json: is not there - {hint}"]


def test_tables_of_another_tool_are_not_mistaken_for_a_build(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "data/train-00000-of-00001.parquet")
    (tmp_path / "manifest.json").write_text('{"name": "my web app", "schema_version": "2"}')
    (found,) = problems(tmp_path)
    assert "has schema_version 2" in found


def test_every_task_is_in_it_even_one_that_gives_no_row(tmp_path: Path) -> None:
    blank = fm.Task("toy/blank", type="arithmetic", source=[{"q": "1", "a": " "}], templates=[
        fm.Template("blank", input="{{ q }}", target="{{ a }}")
    ])  # fmt: skip
    out = built(toy_plan(SUMS, RARE, NOTES, blank, rows=40), tmp_path / "out")
    (found,) = [task for task in manifest_of(out)["tasks"] if task["task"] == "toy/blank"]
    assert (found["planned"], found["written"], found["dropped"]) == (10, 0, {"target is blank": 10})
    assert fm.verify(out)["rows"] == manifest_of(out)["rows"]
