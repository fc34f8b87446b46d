"""A whole build: the same rows and bytes however it is cut and shared out, what readers find, what a failure leaves."""

import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.build import parse_size
from flanmix.layouts import LAYOUTS, schema_of
from flanmix.shards import Format
from flanmix.sizing import _SLICE_ROWS, _SLICES, _starts
from tests.toy import SUMS, TEXT_LAYOUTS, built, hashes, manifest_of, seen, table_task, toy_plan
from tests.toy_tokens import library

FORMATS: tuple[Format, ...] = ("parquet", "arrow")


@pytest.fixture(scope="module")
def plan() -> fm.Plan:
    return toy_plan()


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """The rows of a folder, as one who knows nothing of flanmix reads them."""
    if any(folder.glob("data/*.parquet")):
        return pq.read_table(folder / "data").to_pylist()
    tables = [pa.ipc.open_file(file.read_bytes()).read_all() for file in sorted(folder.glob("data/*"))]
    return pa.concat_tables(tables).to_pylist()


def expected(plan: fm.Plan) -> list[dict[str, Any]]:
    """The rows that a plan gives one by one, without those that are dropped."""
    return [
        {
            "prompt": example.input + "\n",
            "completion": example.target,
            "fm_task": example.task,
            "fm_type": example.type,
            "fm_source": example.source,
            "fm_split": example.split,
            "fm_template": example.template,
            "fm_style": example.style,
            "fm_row": example.row,
            "fm_shots": [*example.shots],
            "fm_epoch": example.epoch,
            "fm_stage": example.stage,
        }
        for example in plan
        if example.dropped is None
    ]


# ---- the same rows, the same bytes


@pytest.mark.parametrize("form", FORMATS)
def test_any_cut_gives_the_rows_of_the_plan_in_its_order(plan: fm.Plan, form: Format, tmp_path: Path) -> None:
    rows = expected(plan)
    assert 250 < len(rows) < 400
    for shard_rows in (400, 150, 7):
        out = built(plan, tmp_path / str(shard_rows), shard_rows=shard_rows, format=form)
        assert len(list((out / "data").iterdir())) == -(-400 // shard_rows)
        assert rows_in(out) == rows


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_folder(plan: fm.Plan, tmp_path: Path) -> None:
    for shard_rows in (150, 60, 25):
        folders = [
            built(plan, tmp_path / f"{shard_rows}-{num_proc}", shard_rows=shard_rows, num_proc=num_proc)
            for num_proc in (1, 2, 4)
        ]
        assert hashes(folders[0]) == hashes(folders[1]) == hashes(folders[2])


def test_a_plan_made_again_is_built_to_the_same_bytes(plan: fm.Plan, tmp_path: Path) -> None:
    assert hashes(built(plan, tmp_path / "a")) == hashes(built(toy_plan(), tmp_path / "b"))
    assert hashes(built(toy_plan(seed=8), tmp_path / "c")) != hashes(tmp_path / "a")


def test_a_process_of_its_own_with_another_hash_seed_builds_the_same_bytes(tmp_path: Path) -> None:
    mixture = tmp_path / "mix.yaml"
    mixture.write_text('mixture: written\nrows: 500\nparts: [{select: "tag:handwritten"}]\n')
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "flanmix", "build", mixture, "-q", "-o", tmp_path / seed]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


# ---- what readers find


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
@pytest.mark.parametrize("metadata", [True, False])
def test_datasets_loads_and_streams_the_rows_of_the_plan(
    plan: fm.Plan, layout: str, form: Format, metadata: bool, tmp_path: Path
) -> None:
    """Shards in which a column is constant or that hold no row at all among them."""
    out = built(plan, tmp_path / "out", layout=layout, format=form, metadata=metadata, shard_rows=9)
    assert min(shard["rows"] for shard in manifest_of(out)["shards"]) >= 0
    rows = rows_in(out)
    assert len(rows) == len(expected(plan))
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert loaded["train"].column_names == schema_of(layout, metadata=metadata).names
    assert loaded["train"].to_list() == rows
    streamed = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"), streaming=True)
    assert list(streamed["train"]) == rows


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_datasets_loads_folders_with_empty_shards(form: Format, tmp_path: Path) -> None:
    task = table_task("toy/gaps", {"question": [str(n) for n in range(12)], "answer": [" ", "1"] * 6})
    out = built(toy_plan(task, rows=12), tmp_path / "out", format=form, shard_rows=1)
    assert {shard["rows"] for shard in manifest_of(out)["shards"]} == {0, 1}
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == rows_in(out)
    streamed = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"), streaming=True)
    assert list(streamed) == rows_in(out)


def test_pyarrow_reads_the_folder_of_data_as_one_table_of_the_pinned_schema(plan: fm.Plan, tmp_path: Path) -> None:
    """One foreign file in it, or one shard of another type, and it would not."""
    for layout in TEXT_LAYOUTS:
        out = built(plan, tmp_path / layout, layout=layout, shard_rows=9)
        assert {file.suffix for file in (out / "data").iterdir()} == {".parquet"}
        found = pq.read_table(out / "data").schema.remove_metadata()
        assert found == schema_of(layout, metadata=True)


def test_names_of_shards_make_no_second_split(tmp_path: Path) -> None:
    """Without the card, `datasets` goes by names: these are all rows to train on."""
    out = built(toy_plan(rows=30), tmp_path / "out", shard_rows=10)
    (out / "README.md").unlink()
    loaded = datasets.load_dataset(str(out / "data"), cache_dir=str(tmp_path / "cache"))
    assert {name: rows.num_rows for name, rows in loaded.items()} == {"train": manifest_of(out)["rows"]}


def test_every_shard_holds_each_task_in_its_share(tmp_path: Path) -> None:
    """Trainers read shards out of order: none of them may be all of one task."""
    out = built(toy_plan(rows=900), tmp_path / "out", shard_rows=90)
    for file in (out / "data").iterdir():
        counts = pc.value_counts(pq.read_table(file, columns=["fm_task"]).column(0).cast(pa.string())).to_pylist()
        found = {count["values"]: count["counts"] for count in counts}
        assert found.keys() == {"toy/sums", "toy/notes", "toy/rare"}
        assert abs(found["toy/sums"] - 30) <= 2
        assert abs(found["toy/rare"] - 30) <= 2


@pytest.mark.parametrize("separator", ["", " ", "\n\n", " → "])
def test_the_separator_ends_every_prompt_and_no_message(plan: fm.Plan, separator: str, tmp_path: Path) -> None:
    texts = [(example.input, example.target) for example in islice(plan, 40) if example.dropped is None]
    pairs = rows_in(built(plan, tmp_path / "a", separator=separator))[: len(texts)]
    assert [(row["prompt"], row["completion"]) for row in pairs] == [(put + separator, got) for put, got in texts]
    turns = rows_in(built(plan, tmp_path / "b", separator=separator, layout="messages"))[: len(texts)]
    assert [tuple(turn["content"] for turn in row["messages"]) for row in turns] == texts


def test_turn_tags_are_the_mixtures_and_count_where_they_are_written(tmp_path: Path) -> None:
    tags = {"instruction": "### Instruction:", "output": "### Response:"}
    plans = {"a": toy_plan(rows=10, layout="tagged", turn_tags=tags), "b": toy_plan(rows=10, layout="tagged")}
    first, second = (manifest_of(built(plan, tmp_path / name)) for name, plan in plans.items())
    assert first["turn_tags"] == {**second["turn_tags"], **tags}
    assert second["turn_tags"]["output"] == "<output>"
    assert first["plan"] == second["plan"]
    assert first["build"] != second["build"]
    for row in rows_in(tmp_path / "a"):
        assert row["prompt"].startswith("### Instruction:\n")
        assert row["prompt"].endswith("\n### Response:\n")
    plain = [manifest_of(built(plan, tmp_path / f"{name}2", layout="text")) for name, plan in plans.items()]
    assert plain[0] == plain[1]
    assert "turn_tags" not in plain[0]


def test_a_text_that_spells_a_tag_is_dropped_and_counted_in_that_layout(tmp_path: Path) -> None:
    task = table_task("toy/html", {"question": ["1?", "<input>"], "answer": ["1", "2"]})
    facts = manifest_of(built(toy_plan(task, rows=2), tmp_path / "a", layout="tagged"))
    assert (facts["rows"], facts["tasks"][0]["dropped"]) == (1, {"spells a mark of a turn": 1})
    other = toy_plan(task, rows=2, turn_tags={"input": "<again>"})
    assert manifest_of(built(other, tmp_path / "b", layout="tagged"))["rows"] == 2


@pytest.mark.parametrize("layout", ["text", "prompt_completion", "inputs_targets"])
def test_a_chat_template_makes_the_texts_of_layouts_without_turns(layout: str, tmp_path: Path) -> None:
    task = table_task("toy/sums", {"question": ["1 + 1?", "<|im_end|>"], "answer": ["2", "3"]})
    out = built(toy_plan(task, rows=2), tmp_path / "a", layout=layout, chat_template="chatml")
    (row,) = rows_in(out)
    prompt, end = "<|im_start|>user\n1 + 1?<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"
    columns = {
        "text": {"text": f"{prompt}2{end}"},
        "prompt_completion": {"prompt": prompt, "completion": f"2{end}"},
        "inputs_targets": {"inputs": prompt, "targets": "2"},
    }
    assert {name: row[name] for name in columns[layout]} == columns[layout]
    facts = manifest_of(out)
    assert facts["chat_template"] == "chatml"
    assert facts["tasks"][0]["dropped"] == {"spells a mark of a turn": 1}
    fm.verify(out)


def test_layout_and_separator_are_the_mixtures_own_unless_given(tmp_path: Path) -> None:
    plan = toy_plan(rows=10, layout="messages", separator=" ")
    assert manifest_of(built(plan, tmp_path / "a"))["layout"] == "messages"
    other = manifest_of(built(plan, tmp_path / "b", layout="prompt_completion", separator="::"))
    assert (other["layout"], other["separator"]) == ("prompt_completion", "::")


# ---- options


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("2GiB", 2 << 30),
        ("1.5K", 1500),
        ("1KiB", 1024),
        ("1048576", 1 << 20),
        ("10B", 10),
        (4096, 4096),
    ],
)
def test_sizes_are_written_as_people_write_them(written: int | str, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "MB", "0", 0, -5, "-5MB", "1,000", "5 apples", "5IB", "0.1", "1e9", "nan"])
def test_what_is_no_size_is_refused(written: int | str) -> None:
    with pytest.raises(fm.UsageError, match="is no size - write it like 500MB"):
        parse_size(written)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        (
            "layout",
            "chatml",
            f"no layout is called 'chatml' - there are {', '.join(sorted(LAYOUTS))}",
        ),
        ("format", "csv", "no format is called 'csv' - there are parquet and arrow"),
        ("shard_rows", 0, "shards of 0 rows - give at least 1"),
        ("num_proc", 0, "0 processes - give at least 1"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    plan: fm.Plan, option: str, value: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(fm.UsageError) as caught:
        built(plan, tmp_path / "out", **{option: value})
    assert str(caught.value) == words
    assert not list(tmp_path.iterdir())


# ---- a template that fails on a row


def failing_plan(part: float, rows: int = 6000) -> fm.Plan:
    """A plan whose template fails at one position, which the look at the sizes of rows does not come across."""
    looked_at = {start // _SLICE_ROWS for start in islice(_starts(rows), _SLICES)}
    position = next(place for place in range(int(part * rows), rows) if place // _SLICE_ROWS not in looked_at)
    divisors, plans = [1] * rows, []
    for _ in range(2):
        columns = {"question": [str(n) for n in range(rows)], "answer": ["x"] * rows, "by": divisors}
        plans.append(toy_plan(table_task("toy/divided", columns, target="{{ 6 // by }}"), rows=rows))
        divisors[plans[0][position].row] = 0
    return plans[1]


@pytest.mark.parametrize("num_proc", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_what_this_call_wrote_is_taken_back(num_proc: int, part: float, tmp_path: Path) -> None:
    """Also the parent folders that it made; finished shards of this call too, since the build can never be finished."""
    plan = failing_plan(part)
    with pytest.raises(fm.TemplateError, match=r"row \d+ of the task toy/divided: .* - guard the template with 'when'"):
        built(plan, tmp_path / "a/b/out", shard_rows=1000, num_proc=num_proc)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    with pytest.raises(fm.TemplateError):
        built(plan, tmp_path / "there", shard_rows=1000, num_proc=num_proc)
    assert list(seen(tmp_path)) == ["there/"]


def test_a_mixture_of_which_every_row_is_dropped_leaves_nothing(tmp_path: Path) -> None:
    task = table_task("toy/blank", {"question": ["1", "2"], "answer": [" ", "\n"]})
    with pytest.raises(fm.FlanmixError, match="every row was dropped: target is blank - 'flanmix preview' shows why"):
        built(toy_plan(task, rows=2), tmp_path / "a/out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "tokenizer.json").write_text(library("bpe").to_str(), encoding="utf-8")
    long = {"layout": "tokens", "tokenizer": str(tmp_path / "tokenizer.json"), "eos": "<pad>", "max_length": 2}
    with pytest.raises(fm.FlanmixError, match="longer than max_length - give a greater 'max_length', or 'truncate'"):
        built(toy_plan(SUMS, rows=2), tmp_path / "a/out", **long)


def test_prepared_rows_that_are_gone_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "cache"))
    plan = toy_plan(rows=30)
    for file in (tmp_path / "cache").rglob("*.arrow"):
        file.unlink()
    with pytest.raises(fm.BuildError, match=r"\.arrow: prepared rows cannot be read: No such file .* plan again"):
        built(toy_plan_again(plan), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def toy_plan_again(plan: fm.Plan) -> fm.Plan:
    """The same plan with no file open yet."""
    return fm.Plan(plan._planned)


# ---- a full disk


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A disk of its own at `place`; skips where this user may not mount one."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no 'mount' on this machine")
    if done.returncode:
        pytest.skip(f"a small disk may not be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def long_plan() -> fm.Plan:
    """Rows that fill a small disk: about 2 MB."""
    signs = random.Random(7)
    columns = {name: [signs.randbytes(120).hex() for _ in range(6000)] for name in ("question", "answer")}
    return toy_plan(table_task("toy/long", columns), rows=6000)


@pytest.mark.parametrize("num_proc", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_full_disk_gives_one_clear_line_and_with_room_the_same_call_goes_on(num_proc: int, tmp_path: Path) -> None:
    plan = long_plan()
    whole = built(plan, tmp_path / "whole", shard_rows=500)
    size = sum(file.stat().st_size for file in whole.rglob("*") if file.is_file())
    with small_disk(tmp_path / "disk", f"{size // 2}") as disk:
        with pytest.raises(fm.BuildError) as caught:
            built(plan, disk / "out", shard_rows=500, num_proc=num_proc)
        (line,) = str(caught.value).splitlines()
        assert line.startswith(f"{disk / 'out'}: cannot be written: ")
        assert "No space left on device" in line
        assert line.endswith("make room, then give the same command to go on")
        kept = seen(disk / "out")
        finished = {name for name in kept if name.startswith("data/train") and f".flanmix/{name[11:16]}.json" in kept}
        assert 0 < len(finished) < 12
        assert not (disk / "out/manifest.json").exists()
        assert not [name for name in seen(disk) if name.endswith(".tmp")]  # they would fill the disk
        subprocess.run(["mount", "-o", f"remount,size={4 * size}", str(disk)], check=True)
        built(plan, disk / "out", shard_rows=500, num_proc=num_proc)
        assert hashes(disk / "out") == hashes(whole)
        after = seen(disk / "out")
        assert all(after[name] == kept[name] for name in finished)


def test_a_file_that_may_not_grow_gives_one_clear_line_and_then_goes_on(tmp_path: Path) -> None:
    """As a full disk, for those who may not mount one: files may have 100 kB, for as long as the first call lasts."""
    plan = long_plan()
    whole = built(plan, tmp_path / "whole", shard_rows=1000)
    assert min(file.stat().st_size for file in (whole / "data").iterdir()) > 100_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(fm.BuildError) as caught:
            built(plan, tmp_path / "out", shard_rows=1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path / 'out'}: cannot be written: ")
    assert "File too large" in line
    assert not list((tmp_path / "out/data").iterdir())
    built(plan, tmp_path / "out", shard_rows=1000)
    assert hashes(tmp_path / "out") == hashes(whole)


# ---- memory

PEAK = """
import re, sys
import flanmix as fm
from pathlib import Path

file, out, rows = sys.argv[1:]
task = fm.Task("toy/many", type="arithmetic", source={"files": file}, templates=[
    fm.Template("plain", input="{{ question }}", target="{{ answer }}"),
    fm.Template("by-rows", input="{% if answer %}{{ question }}{% endif %}", target="{{ answer }}"),
])
catalogue = fm.load_registry(specs=[task], bundled=False, plugins=False)
plan = fm.Mixture("many", parts=[fm.Part("toy/many")], rows=int(rows)).plan(catalogue)
plan.build(out, max_shard_size="2MB", quiet=True)
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_memory_is_bounded_whatever_the_number_of_rows(tmp_path: Path) -> None:
    """Reading, preparing and writing, at their peak. The figure is the process's own: `ru_maxrss` is inherited."""
    peaks = []
    for rows in (60_000, 300_000):
        questions = pa.array([f"What is {n} times {n + 1}, all told?" for n in range(rows)])
        answers = pa.array([str(n * (n + 1)) for n in range(rows)])
        table = pa.table({"question": questions, "answer": answers})
        pq.write_table(table, tmp_path / f"{rows}.parquet", row_group_size=20_000)
        arguments = [str(tmp_path / f"{rows}.parquet"), str(tmp_path / f"{rows}"), str(rows)]
        done = subprocess.run([sys.executable, "-c", PEAK, *arguments], stdout=subprocess.PIPE, text=True, check=True)
        assert manifest_of(tmp_path / f"{rows}")["rows"] == rows
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < 400, f"{peaks} MB"
    assert peaks[1] / peaks[0] < 1.3, f"{peaks} MB"
