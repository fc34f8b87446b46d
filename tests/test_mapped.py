"""Memory-mapped files: any rows of them, few pages at a time, and a user's own file that must stay as it was."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix import mapped
from flanmix.errors import SourceError
from flanmix.mapped import GUARD, ROW, Mapped, Original, Seal

TABLE = pa.table({"q": [f"question {n}" for n in range(1000)], "n": list(range(1000))})


def write(file: Path, rows_of_batch: int = 100, table: pa.Table = TABLE, **options: object) -> Path:
    with pa.ipc.new_file(str(file), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, rows_of_batch)
    return file


@given(rows=st.lists(st.integers(0, 999), max_size=50), rows_of_batch=st.integers(1, 1000), held=st.integers(1, 10_000))
@settings(max_examples=30)
def test_any_rows_of_a_file_are_those_of_its_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], rows_of_batch: int, held: int
) -> None:
    """However its batches are cut, and however often pages are given back on the way."""
    file = Mapped(write(tmp_path_factory.mktemp("mapped") / "rows.arrow", rows_of_batch))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "_HELD_BYTES", held)
        assert (
            file.take(np.array(sorted(rows), np.int64)).to_pylist()
            == TABLE.take(pa.array(sorted(rows), pa.int64())).to_pylist()
        )


def test_pages_are_given_back_once_enough_of_them_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Mapped(write(tmp_path / "rows.arrow"))
    file.take(np.array([0, 150]))
    assert 0 < file.held <= file.size
    monkeypatch.setattr(mapped, "_HELD_BYTES", file.held)
    file.take(np.array([250]))
    assert file.held == 0


def test_a_batch_lies_in_the_file_unless_it_is_compressed(tmp_path: Path) -> None:
    plain, packed = Mapped(write(tmp_path / "a.arrow")), Mapped(write(tmp_path / "b.arrow", compression="zstd"))
    assert all(map(plain.holds, plain.batches()))
    assert not any(map(packed.holds, packed.batches()))


# A user's own file


@pytest.fixture
def own(tmp_path: Path) -> Original:
    return Original(Seal.of(write(tmp_path / "own.arrow")), {"question": "q", "again": "q"})


def test_a_users_own_file_gives_fields_as_a_prepared_one_would(own: Original) -> None:
    rows = Mapped(own).take(np.array([3, 250]))
    assert rows.schema.field("question").type == pa.large_string()
    assert rows.to_pylist() == [
        {"question": "question 3", "again": "question 3", ROW: 3, GUARD: 0},
        {"question": "question 250", "again": "question 250", ROW: 250, GUARD: 0},
    ]
    assert rows.equals(Mapped(own).table.take([3, 250]).combine_chunks())
    assert Mapped(own).take(np.zeros(0, np.int64)).num_rows == 0


def test_a_file_that_was_written_to_is_noticed_whatever_its_times_say(own: Original) -> None:
    opened, file = Mapped(own), own.seal.path
    before = file.stat()
    with file.open("rb+") as stream:
        stream.seek(file.read_bytes().index(b"question 3"))
        stream.write(b"QUESTION")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    for check in (opened.check, lambda: Mapped(own)):
        with pytest.raises(SourceError, match=r"own\.arrow: was changed after it was read"):
            check()


def test_a_file_that_was_replaced_is_noticed(own: Original, tmp_path: Path) -> None:
    other = write(tmp_path / "other.arrow", table=TABLE.slice(0, 999))
    os.replace(other, own.seal.path)
    with pytest.raises(SourceError, match="was changed after it was read"):
        Mapped(own)


def test_a_file_with_the_same_bytes_counts_as_the_same(own: Original, tmp_path: Path) -> None:
    os.utime(own.seal.path)
    Mapped(own).check()
    os.replace(write(tmp_path / "again.arrow"), own.seal.path)
    Mapped(own).check()


def test_a_file_that_is_gone_is_told_as_one(own: Original) -> None:
    own.seal.path.unlink()
    with pytest.raises(SourceError, match=r"own\.arrow: cannot be read any more: No such file"):
        Mapped(own)
