"""One shard: its schema, encoding and checksums, and that its bytes depend on nothing but the job and its number."""

import os
import random
import shutil
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix import finishing, shards
from flanmix.build import Options, make_job
from flanmix.examples import Examples
from flanmix.layouts import LAYOUTS, METADATA, schema_of
from flanmix.shards import Format, Job, encoded_bytes, file_facts, read_receipt, write_shards
from tests.toy import NOTES, SUMS, TEXT_LAYOUTS, table_task, toy_plan

FORMATS: tuple[Format, ...] = ("parquet", "arrow")


def job_of(plan: fm.Plan, **options: object) -> Job:
    planned = plan._planned
    return make_job(planned.plan, planned.files, Options(**options))  # type: ignore[arg-type]


def written(job: Job, shard: int, folder: Path, examples: Examples | None = None) -> Path:
    """Write one shard into a folder, alone; gives the file."""
    for name in (shards.DATA, shards.STATE):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_shards(job, examples or Examples(job.plan, job.files), range(shard, shard + 1), folder, lambda rows: None)
    return folder / job.file(shard)


@pytest.mark.parametrize("format", FORMATS)
def test_writing_in_turn_gives_the_bytes_of_writing_beside(plan: fm.Plan, tmp_path: Path, format: Format) -> None:
    job = job_of(plan, format=format, shard_rows=plan.rows // 3)
    for overlap in (True, False):
        folder = tmp_path / str(overlap)
        for name in (shards.DATA, shards.STATE):
            (folder / name).mkdir(parents=True)
        examples = Examples(job.plan, job.files, job.ahead)
        write_shards(job, examples, range(job.shards), folder, lambda rows: None, overlap=overlap)
    found = [[(tmp_path / kind / job.file(n)).read_bytes() for n in range(job.shards)] for kind in ("True", "False")]
    assert found[0] == found[1]


def receipt(job: Job, shard: int, folder: Path) -> dict[str, Any]:
    found = read_receipt(job, shard, folder)
    assert found is not None
    return found


def table_in(file: Path) -> pa.Table:
    if file.suffix == ".parquet":
        return pq.ParquetFile(file).read()
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()


@pytest.fixture(scope="module")
def plan() -> fm.Plan:
    return toy_plan()


@pytest.fixture(scope="module")
def whole(plan: fm.Plan) -> Job:
    """A job with all rows in one shard."""
    return job_of(plan)


@given(shard_rows=st.integers(1, 500))
def test_shards_cover_every_position_once_and_in_order(whole: Job, shard_rows: int) -> None:
    job = replace(whole, shard_rows=shard_rows)
    positions = list(chain.from_iterable(map(job.positions, range(job.shards))))
    assert positions == list(range(job.plan.rows))
    assert all(len(job.positions(shard)) == shard_rows for shard in range(job.shards - 1))


def test_names_are_those_that_load_dataset_takes_for_one_split(plan: fm.Plan) -> None:
    job = job_of(plan, shard_rows=150)
    assert [job.file(shard) for shard in range(job.shards)] == [
        "data/train-00000-of-00003.parquet",
        "data/train-00001-of-00003.parquet",
        "data/train-00002-of-00003.parquet",
    ]


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("form", FORMATS)
def test_every_shard_has_the_pinned_schema(
    plan: fm.Plan, layout: str, metadata: bool, form: Format, tmp_path: Path
) -> None:
    """Also the shards in which a column is constant, or that hold no row at all."""
    job = job_of(plan, shard_rows=3, layout=layout, metadata=metadata, format=form)
    tables = [table_in(written(job, shard, tmp_path)) for shard in range(0, job.shards, 9)]
    assert {table.schema.remove_metadata() for table in tables} == {schema_of(layout, metadata=metadata)}
    assert sum(table.num_rows for table in tables) > 0


@pytest.mark.parametrize("form", FORMATS)
def test_a_shard_whose_rows_are_all_dropped_is_an_empty_file_of_the_same_schema(form: Format, tmp_path: Path) -> None:
    job = job_of(toy_plan(NOTES, rows=41), shard_rows=1, format=form)
    tables = [table_in(written(job, shard, tmp_path)) for shard in range(job.shards)]
    assert {table.num_rows for table in tables} == {0, 1}
    assert {table.schema.remove_metadata() for table in tables} == {schema_of("prompt_completion", metadata=True)}


def test_one_row_group_for_each_group_of_positions(plan: fm.Plan, tmp_path: Path) -> None:
    file = pq.ParquetFile(written(replace(job_of(plan, shard_rows=100), group_rows=40), 0, tmp_path))
    groups = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    assert len(groups) == 3
    assert all(0 < rows <= 40 for rows in groups)


def test_progress_counts_positions_not_rows(plan: fm.Plan, tmp_path: Path) -> None:
    job, told = replace(job_of(plan, shard_rows=100), group_rows=40), list[int]()
    for name in (shards.DATA, shards.STATE):
        (tmp_path / name).mkdir()
    write_shards(job, Examples(job.plan, job.files), range(1, 2), tmp_path, told.append)
    assert told == [40, 40, 20]
    assert receipt(job, 1, tmp_path)["rows"] != 100  # some are dropped


def test_a_source_that_changes_while_a_shard_is_written_leaves_no_shard(tmp_path: Path) -> None:
    """One that is read where it lies: what was written before the change may be old, after it new."""
    rows = pa.table({"question": ["1 + 1?"] * 50, "answer": ["2"] * 50})
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), rows.schema) as writer:
        writer.write_table(rows)
    text = fm.Template("plain", input="{{ question }}", target="{{ answer }}")
    source = {"files": str(tmp_path / "rows.arrow")}
    job = job_of(toy_plan(fm.Task("toy/own", type="arithmetic", source=source, templates=[text]), rows=50))
    assert str(tmp_path / "rows.arrow") in map(str, job.files)

    def change(rows: int) -> None:
        with (tmp_path / "rows.arrow").open("ab") as stream:
            stream.write(b"more")

    for name in (shards.DATA, shards.STATE):
        (tmp_path / name).mkdir()
    with pytest.raises(fm.SourceError, match="was changed after it was read"):
        write_shards(job, Examples(job.plan, job.files), range(1), tmp_path, change)
    assert not list((tmp_path / shards.DATA).iterdir())
    with pytest.raises(fm.SourceError, match="was changed after it was read"):
        Examples(job.plan, job.files).slice(0, 1)


@pytest.mark.parametrize("form", FORMATS)
def test_a_shard_written_alone_has_the_same_bytes(plan: fm.Plan, form: Format, tmp_path: Path) -> None:
    """Whatever the process rendered before, and in whichever order."""
    job = replace(job_of(plan, shard_rows=90, format=form), group_rows=37)
    examples = Examples(job.plan, job.files)
    order = list(range(job.shards))
    random.Random(7).shuffle(order)
    together = {shard: written(job, shard, tmp_path / "a", examples).read_bytes() for shard in order}
    alone = {shard: written(job, shard, tmp_path / "b" / str(shard)).read_bytes() for shard in order}
    assert together == alone


def test_texts_are_plain_zstd_and_metadata_is_dictionary_encoded(plan: fm.Plan, tmp_path: Path) -> None:
    for layout in TEXT_LAYOUTS:
        group = pq.ParquetFile(written(job_of(plan, layout=layout), 0, tmp_path / layout)).metadata.row_group(0)
        columns = {column.path_in_schema: column for column in map(group.column, range(group.num_columns))}
        assert {column.compression for column in columns.values()} == {"ZSTD"}
        repetitive = {name for name, column in columns.items() if column.has_dictionary_page}
        assert repetitive == {*METADATA.names, *LAYOUTS[layout].REPETITIVE} - {"fm_row", "fm_shots"}
        assert {name for name, column in columns.items() if column.is_stats_set} == {*METADATA.names} - {"fm_shots"}


def test_every_page_has_a_checksum_and_a_flipped_byte_is_found_by_it(tmp_path: Path) -> None:
    """The last byte of every page, flipped: Parquet as most libraries write it would give other rows without a word."""
    file = written(job_of(toy_plan(SUMS, rows=3000)), 0, tmp_path)
    whole = file.read_bytes()
    assert pq.read_table(file, page_checksum_verification=True).num_rows == 3000
    group = pq.ParquetFile(file).metadata.row_group(0)
    pages = {}
    for column in map(group.column, range(group.num_columns)):
        start = column.dictionary_page_offset or column.data_page_offset
        pages[f"{column.path_in_schema} data"] = start + column.total_compressed_size - 1
        if column.has_dictionary_page:
            pages[f"{column.path_in_schema} dictionary"] = column.data_page_offset - 1
    assert len(pages) == 20
    for last in pages.values():
        damaged = bytearray(whole)
        damaged[last] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(OSError, match="could not verify page integrity"):
            pq.read_table(file, page_checksum_verification=True)


def test_the_receipt_tells_what_was_written(plan: fm.Plan, tmp_path: Path) -> None:
    job = job_of(plan, shard_rows=150)
    file = written(job, 1, tmp_path)
    found, rows = receipt(job, 1, tmp_path), table_in(file).to_pylist()
    assert found["build"] == job.digest
    assert found["file"] == job.file(1)
    assert found["rows"] == len(rows)
    assert {key: found[key] for key in ("bytes", "sha256")} == file_facts(file)
    by_template: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = by_template.setdefault(row["fm_task"], {})
        counts[row["fm_template"]] = counts.get(row["fm_template"], 0) + 1
    tasks = found["tasks"]
    assert {name: facts["templates"] for name, facts in tasks.items()} == by_template
    assert len(rows) + sum(sum(facts["dropped"].values()) for facts in tasks.values()) == 150


def test_a_receipt_is_believed_only_as_it_was_written(plan: fm.Plan, tmp_path: Path) -> None:
    """One of another shard, of another build, or with any byte of it changed, is none."""
    job = job_of(plan, shard_rows=200)
    written(job, 0, tmp_path)
    file = tmp_path / job.receipt(0)
    whole = file.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        assert read_receipt(job, 0, tmp_path) is None
    file.write_bytes(whole)
    assert read_receipt(job, 0, tmp_path) is not None
    assert read_receipt(job, 1, tmp_path) is None
    assert read_receipt(job_of(plan, shard_rows=100), 0, tmp_path) is None
    shutil.copy(file, tmp_path / job.receipt(1))
    assert read_receipt(job, 1, tmp_path) is None


def test_rows_xxh3_tells_rows_not_how_they_are_written(plan: fm.Plan, tmp_path: Path) -> None:
    """The same for each layout, format, separator, size of row groups, and with or without metadata."""
    ways: list[dict[str, object]] = [
        {},
        {"format": "arrow"},
        {"layout": "messages"},
        {"metadata": False},
        {"separator": ""},
    ]
    digests = set()
    for number, way in enumerate(ways):
        for group_rows in (7, 200):
            job = replace(job_of(plan, shard_rows=200, **way), group_rows=group_rows)
            folder = tmp_path / f"{number}-{group_rows}"
            written(job, 0, folder)
            digests.add(receipt(job, 0, folder)["rows_xxh3"])
    assert len(digests) == 1


@pytest.mark.parametrize("group_rows", [1, 5])
def test_rows_xxh3_changes_with_any_row_and_with_where_a_text_ends(group_rows: int, tmp_path: Path) -> None:
    columns = {"question": ["ab", "c", "d"], "answer": ["1", "2", "3"]}
    others = [
        columns,
        columns | {"question": ["a", "bc", "d"]},  # the same letters, cut elsewhere
        columns | {"question": ["c", "ab", "d"]},
        columns | {"answer": ["1", "2", "4"]},
    ]
    digests = set()
    for number, other in enumerate(others):
        job = replace(job_of(toy_plan(table_task("toy/x", other), rows=3)), group_rows=group_rows)
        written(job, 0, tmp_path / str(number))
        digests.add(receipt(job, 0, tmp_path / str(number))["rows_xxh3"])
    assert len(digests) == len(others)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
def test_texts_beyond_32_bit_offsets_are_cut_into_batches(
    layout: str, form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of long rows is written in pieces, each of them small enough; the limit is lowered here to see it."""
    texts = ["x" * (50 if n % 10 else 2000) for n in range(60)]
    task = table_task("toy/long", {"question": texts, "answer": ["y"] * 60})
    job = job_of(toy_plan(task, rows=60), layout=layout, format=form)
    whole = table_in(written(job, 0, tmp_path / "a"))
    monkeypatch.setattr(finishing, "_MOST_BYTES", 4000)
    file = written(job, 0, tmp_path / "b")
    assert table_in(file).equals(whole)
    if form == "parquet":
        metadata = pq.read_metadata(file)
        sizes = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
        assert len(sizes) > 3
        assert max(sizes) < 5000


def test_the_size_of_a_file_is_known_without_writing_it(plan: fm.Plan, tmp_path: Path) -> None:
    for form in FORMATS:
        job = job_of(plan, format=form)
        table = Examples(job.plan, job.files).slice(0, job.plan.rows).table
        assert encoded_bytes(job, table) == written(job, 0, tmp_path / form).stat().st_size


@pytest.mark.parametrize("overlap", [True, False])
def test_what_fails_while_a_shard_is_made_durable_is_told_and_nothing_half_is_left(
    overlap: bool, plan: fm.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbour is rendered meanwhile."""
    job = job_of(plan, shard_rows=40)
    replaced = os.replace

    def replace_but_one(source: Path, target: Path) -> None:
        if target.name.startswith("train-00001"):
            raise OSError("no room")
        replaced(source, target)

    monkeypatch.setattr(os, "replace", replace_but_one)
    (tmp_path / "data").mkdir()
    (tmp_path / ".flanmix").mkdir()
    with pytest.raises(OSError, match="no room"):
        write_shards(
            job, Examples(job.plan, job.files), range(job.shards), tmp_path, lambda rows: None, overlap=overlap
        )
    names = {file.name for file in (tmp_path / "data").iterdir()}
    assert job.file(0).removeprefix("data/") in names
    assert job.file(1).removeprefix("data/") not in names
    assert not [name for name in names if name.endswith(".tmp")]
    assert read_receipt(job, 0, tmp_path) is not None
    assert read_receipt(job, 1, tmp_path) is None
