"""Rows in memory: dicts, data frames, tables and Datasets give the same rows, or say why not."""

import datetime
from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.errors import SourceError
from flanmix.sources import Rows, open_source
from flanmix.sources.memory import as_table
from flanmix.sources.rows import MAX_BATCH_ROWS
from flanmix.spec import TableSource


def opened(table: Any) -> Rows:
    return open_source(TableSource(table=table))


def rows(table: Any) -> list[dict[str, Any]]:
    return [row for batch in opened(table).batches() for row in batch.to_pylist()]


def refused(table: Any) -> str:
    with pytest.raises(SourceError) as caught:
        opened(table)
    return str(caught.value)


DICTS = [{"q": "x", "l": ["a", "b"], "n": 1}, {"q": "y", "l": [], "n": 2}]


@pytest.mark.parametrize(
    "table",
    [
        DICTS,
        tuple(DICTS),
        pd.DataFrame(DICTS),
        pd.DataFrame(DICTS, index=[7, 3]),
        pa.Table.from_pylist(DICTS),
        pa.RecordBatch.from_pylist(DICTS),
        datasets.Dataset.from_list(DICTS),
        datasets.Dataset.from_list(DICTS).to_iterable_dataset(),
    ],
    ids=lambda table: type(table).__name__,
)
def test_all_kinds_of_rows_are_the_same_rows(table: Any) -> None:
    assert rows(table) == DICTS
    assert opened(table).schema.field("q").type == pa.large_string()


def test_dicts_may_have_different_keys() -> None:
    assert rows([{"a": 1}, {"b": "x", "a": None}, {}]) == [
        {"a": 1, "b": None},
        {"a": None, "b": "x"},
        {"a": None, "b": None},
    ]


def test_a_key_that_only_the_last_of_many_dicts_has_is_a_column() -> None:
    assert rows([{"a": 1}] * 5000 + [{"z": {"deep": ["x"]}}])[-1] == {"a": None, "z": {"deep": ["x"]}}


def test_nested_dicts_may_have_different_keys() -> None:
    assert rows([{"a": {"x": 1}}, {"a": {"y": "z"}}]) == [{"a": {"x": 1, "y": None}}, {"a": {"x": None, "y": "z"}}]


def test_numbers_of_numpy_are_numbers() -> None:
    assert rows([{"a": np.int64(1), "b": np.array(["x", "y"])}]) == [{"a": 1, "b": ["x", "y"]}]


SCALARS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.dictionaries(st.text("abc", min_size=1), SCALARS), min_size=1))
def test_dicts_come_out_as_they_went_in(records: list[dict[str, Any]]) -> None:
    names = {name for record in records for name in record}
    if names:
        assert rows(records) == [{name: record.get(name) for name in names} for record in records]


# ---- data frames and Datasets


def test_what_pandas_lacks_is_null() -> None:
    frame = pd.DataFrame({"a": ["x", None, pd.NA], "b": [1.5, np.nan, 2.0]})
    assert rows(frame) == [{"a": "x", "b": 1.5}, {"a": None, "b": None}, {"a": None, "b": 2.0}]


def test_categories_and_times_of_pandas_are_their_values() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["u", "v"]), "t": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    assert [row["c"] for row in rows(frame)] == ["u", "v"]
    assert rows(frame)[1]["t"] == datetime.datetime(2020, 1, 2)


def test_a_dataset_gives_its_chosen_rows_in_their_order() -> None:
    dataset = datasets.Dataset.from_list([{"n": n} for n in range(5)]).select([4, 0, 2])
    assert [row["n"] for row in rows(dataset)] == [4, 0, 2]


def test_a_dataset_with_a_format_of_its_own_gives_plain_rows() -> None:
    assert rows(datasets.Dataset.from_list(DICTS).with_format("numpy")) == DICTS


def test_class_labels_of_a_dataset_are_their_numbers() -> None:
    features = datasets.Features({"label": datasets.ClassLabel(names=["no", "yes"])})
    assert rows(datasets.Dataset.from_dict({"label": [1, 0]}, features=features)) == [{"label": 1}, {"label": 0}]


# ---- tables


def test_chunks_with_different_dictionaries_are_unpacked() -> None:
    chunks = pa.chunked_array([pa.array(["x"]).dictionary_encode(), pa.array(["y"]).dictionary_encode()])
    assert rows(pa.table({"a": chunks})) == [{"a": "x"}, {"a": "y"}]


def test_a_slice_of_a_table_is_only_the_slice() -> None:
    assert [row["n"] for row in rows(pa.table({"n": range(10)}).slice(3, 2))] == [3, 4]


def test_an_extension_type_is_what_it_is_stored_as() -> None:
    assert rows(pa.table({"j": pa.array(['{"a": 1}'], pa.json_())})) == [{"j": '{"a": 1}'}]


def test_batches_are_bounded() -> None:
    sizes = [len(batch) for batch in opened(pa.table({"n": range(MAX_BATCH_ROWS * 2 + 1)})).batches()]
    assert sum(sizes) == MAX_BATCH_ROWS * 2 + 1
    assert max(sizes) <= MAX_BATCH_ROWS


def test_the_identity_is_that_of_the_rows() -> None:
    same = {opened(table).identity for table in (DICTS, list(DICTS), pa.Table.from_pylist(DICTS), pd.DataFrame(DICTS))}
    assert len(same) == 1
    assert opened(DICTS[:1]).identity not in same
    assert opened([{**row, "q": "z"} for row in DICTS]).identity not in same


def test_rows_can_be_read_again_and_again() -> None:
    source = opened(DICTS)
    assert [sum(map(len, source.batches())) for _ in range(2)] == [2, 2]


# ---- what is refused


def generator() -> Iterator[dict[str, int]]:
    yield {"a": 1}


@pytest.mark.parametrize(
    "value", ["text", b"bytes", 3, {"a": [1]}, datasets.DatasetDict({"train": datasets.Dataset.from_list(DICTS)})]
)
def test_what_is_no_rows_is_refused(value: Any) -> None:
    assert refused(value).startswith(f"{type(value).__name__} is no source of rows - give dicts")


def test_what_can_be_read_only_once_is_refused() -> None:
    assert refused(generator()) == "generator is no source of rows - it can be read only once; give a list"


@pytest.mark.parametrize("value", [[{"a": 1}, 2], [{"a": 1}, {2: "x"}], ["x", "y"]])
def test_a_row_that_is_no_dict_with_text_keys_is_named(value: Any) -> None:
    assert "not a dict with text keys" in refused(value)


@pytest.mark.parametrize(
    "value",
    [
        [{"a": 1}, {"a": "x"}],
        [{"a": 1}, {"a": True}],
        [{"a": 2**70}],
        [{"a": object()}],
        [{"a": "\ud800"}],
        [{"\ud800": "a"}],
        pd.DataFrame({"a": [1, "x"]}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
    ],
    ids=[
        "text after number",
        "truth after number",
        "too large",
        "an object",
        "a surrogate",
        "a surrogate key",
        "a mixed frame",
        "a frame with a name twice",
        "a table with a name twice",
    ],
)
def test_columns_without_one_type_and_one_name_are_refused(value: Any) -> None:
    assert refused(value)


def test_text_that_is_not_utf8_is_refused_and_never_passed_on() -> None:
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    array = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xff")])
    assert refused(pa.table({"a": array})).startswith("rows in memory: holds broken data: ")


def test_there_is_only_one_split() -> None:
    with pytest.raises(SourceError, match="rows in memory have no split 'test' - they are 'train'"):
        open_source(TableSource(table=DICTS), "test")


def test_no_rows_are_a_table_without_columns() -> None:
    assert as_table([]).num_columns == 0
