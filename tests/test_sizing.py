"""Shards come out at the size asked for: measured on rows of all kinds of lengths."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix.build import Options, make_job, parse_size
from flanmix.examples import Examples
from flanmix.generators.words import WORDS
from flanmix.shards import Format, Job
from flanmix.sizing import _MOST_SLICES, _SLICE_ROWS, RowSize, _starts, measure
from tests.toy import built, manifest_of, table_task, toy_plan

VOCABULARY = sorted(WORDS)
LENGTHS: dict[str, Callable[[random.Random], float]] = {
    "all the same": lambda signs: 30,
    "short": lambda signs: signs.uniform(1, 4),
    "log-normal": lambda signs: signs.lognormvariate(3, 1),
    "log-normal, long tail": lambda signs: signs.lognormvariate(2, 2),
    "Pareto, finite variance": lambda signs: 5 * signs.paretovariate(2.5),
    "Pareto, infinite variance": lambda signs: 5 * signs.paretovariate(1.5),
    "a few giants": lambda signs: 20_000 if signs.random() < 0.002 else 20,
}
"""How many words a row has."""


def texts_of(kind: str, rows: int) -> fm.Plan:
    signs = random.Random(kind)
    lengths = [int(min(LENGTHS[kind](signs), 50_000)) for _ in range(rows)]
    questions = [" ".join(signs.choices(VOCABULARY, k=max(length, 1))) for length in lengths]
    return toy_plan(table_task("toy/texts", {"question": questions, "answer": ["yes"] * rows}), rows=rows)


def sizes_of(folder: Path) -> list[int]:
    return [shard["bytes"] for shard in manifest_of(folder)["shards"]]


def job_of(plan: fm.Plan, **options: object) -> Job:
    planned = plan._planned
    return make_job(planned.plan, planned.files, Options(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_no_file_is_much_larger_than_asked_for_and_most_are_about_as_large(
    kind: str, form: Format, tmp_path: Path
) -> None:
    plan = texts_of(kind, 9000)
    size = sum(sizes_of(built(plan, tmp_path / "whole", format=form))) // 5
    sizes = sizes_of(built(plan, tmp_path / "cut", format=form, max_shard_size=size))
    assert len(sizes) >= 5
    assert max(sizes) <= 1.1 * size
    if kind in ("all the same", "short", "log-normal"):  # of others, few fit where one may be very long
        assert min(sizes[:-1]) >= 0.8 * size


@pytest.mark.parametrize("layout", ["prompt_completion", "messages"])
@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_the_size_holds_for_each_layout_and_format(layout: str, metadata: bool, form: Format, tmp_path: Path) -> None:
    plan = texts_of("log-normal", 6000)
    sizes = sizes_of(
        built(plan, tmp_path / "out", layout=layout, metadata=metadata, format=form, max_shard_size="60KB")
    )
    assert len(sizes) > 2
    assert max(sizes) <= 66_000
    assert sum(sizes[:-1]) >= 45_000 * len(sizes[:-1])


def test_a_row_larger_than_the_size_has_a_shard_of_its_own(tmp_path: Path) -> None:
    signs = random.Random(7)
    columns = {name: [signs.randbytes(2000).hex() for _ in range(5)] for name in ("question", "answer")}
    out = built(toy_plan(table_task("toy/giants", columns), rows=5), tmp_path / "out", max_shard_size="2KB")
    assert [shard["rows"] for shard in manifest_of(out)["shards"]] == [1] * 5


def test_all_rows_go_into_one_shard_where_they_fit() -> None:
    plan = texts_of("short", 3000)
    assert job_of(plan).shards == 1
    assert job_of(plan, max_shard_size="1GiB").shard_rows == 3000


def test_a_number_of_rows_goes_before_a_size() -> None:
    job = job_of(texts_of("short", 300), shard_rows=100, max_shard_size="1KB")
    assert (job.shards, job.shard_rows) == (3, 100)


def test_row_groups_are_bounded_in_bytes() -> None:
    job = job_of(texts_of("a few giants", 3000))
    memory = measure(job, None).memory
    assert job.group_rows * memory <= 32 << 20
    assert (job.group_rows + 1) * memory > 32 << 20 or job.group_rows == 1 << 16


def test_the_cut_is_a_function_of_the_plan_and_the_options() -> None:
    plan = texts_of("log-normal", 3000)
    jobs = [job_of(plan, max_shard_size="100KB"), job_of(fm.Plan(plan._planned), max_shard_size="100KB")]
    assert jobs[0] == jobs[1]
    assert jobs[0].digest == jobs[1].digest != job_of(plan, max_shard_size="200KB").digest


def test_a_plan_that_is_read_whole_is_measured_without_error() -> None:
    """The mean of the lengths is then exact, in bytes of UTF-8."""
    plan = texts_of("log-normal, long tail", 2000)
    job = job_of(plan)
    size = measure(job, 1000)
    table = Examples(job.plan, job.files).slice(0, plan.rows).table.to_pylist()
    mean = sum(len((row["input"] + row["target"]).encode()) for row in table) / len(table)
    assert size.memory - 64 == pytest.approx(mean)
    assert size.error == 0


def test_rows_that_are_all_dropped_have_some_size() -> None:
    plan = toy_plan(table_task("toy/blank", {"question": ["1"], "answer": [" "]}), rows=1)
    size = measure(job_of(plan), parse_size("500MB"))
    assert size.memory > 0
    assert size.rows_in(1000) >= 1


@given(rows=st.integers(1, 10**12))
def test_slices_cover_a_plan_evenly_and_never_overlap(rows: int) -> None:
    starts = sorted(_starts(rows))
    assert all(before + _SLICE_ROWS <= after for before, after in pairwise(starts))
    assert all(0 <= start < rows for start in starts)
    assert len(starts) == min(-(-rows // _SLICE_ROWS), _MOST_SLICES)
    gaps = [after - before for before, after in pairwise([0, *starts, rows])]
    assert max(gaps) <= 4 * max(rows / len(starts), _SLICE_ROWS)


sizes = st.floats(1, 1e6)


@given(disk=sizes, deviation=st.floats(0, 1e6), size=st.integers(1, 10**12))
def test_more_rows_fit_a_larger_file_and_fewer_where_they_vary(disk: float, deviation: float, size: int) -> None:
    row = RowSize(memory=1, disk=disk, deviation=deviation)
    rows = row.rows_in(size)
    assert rows >= 1
    assert rows == 1 or rows * disk + 3 * deviation * rows**0.5 <= size * 1.0001
    assert row.rows_in(2 * size) >= rows
    assert replace(row, deviation=2 * deviation + 1).rows_in(size) <= rows
    assert replace(row, error=disk).rows_in(size) <= rows
    assert len(str(rows).rstrip("0")) <= 3
