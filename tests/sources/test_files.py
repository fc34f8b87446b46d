"""Files as they are in the wild: each reads as what it says, or is refused with its name and line."""

import gzip
import io
import json
import string
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flanmix.errors import SourceError
from flanmix.sources import Rows, open_source
from flanmix.sources.rows import MAX_BATCH_BYTES, MAX_BATCH_ROWS
from flanmix.spec import FileSource

Content = str | bytes
BLOCK = 8 << 20


def opened(folder: Path, files: dict[str, Content], wanted: Any = None, split: str = "train", **options: Any) -> Rows:
    """Files written to a folder, and opened from there: all of them in their order, or `wanted`."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(FileSource(files=wanted or tuple(files), **options), split, folder)


def rows(folder: Path, files: dict[str, Content], wanted: Any = None, **options: Any) -> list[dict[str, Any]]:
    source = opened(folder, files, wanted, **options)
    return [row for batch in source.batches() for row in batch.to_pylist()]


def refused(folder: Path, files: dict[str, Content], wanted: Any = None, **options: Any) -> str:
    with pytest.raises(SourceError) as caught:
        rows(folder, files, wanted, **options)
    return str(caught.value).replace(f"{folder}/", "")


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def arrow(table: pa.Table, make: Callable[..., Any] = pa.ipc.new_file) -> bytes:
    sink = io.BytesIO()
    with make(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def bad_text() -> pa.Array:
    """Two texts, of which the second is not UTF-8."""
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xff")])


# ---- which files


def test_a_glob_takes_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    files: dict[str, Content] = {"b/2.csv": "q\n2\n", "b/1.csv": "q\n1\n", "a.csv": "q\n0\n", "b/x.txt": "no"}
    assert [row["q"] for row in rows(tmp_path, files, "**/*.csv")] == ["0", "1", "2"]
    assert [row["q"] for row in rows(tmp_path, {}, ["b/*.csv", "a.csv"])] == ["1", "2", "0"]


def test_a_file_that_two_patterns_name_is_read_once(tmp_path: Path) -> None:
    assert rows(tmp_path, {"a.csv": "q\n1\n"}, ["*.csv", "a.csv", "a.*"]) == [{"q": "1"}]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    assert rows(tmp_path, {"a[1].csv": "q\n1\n", "a1.csv": "q\n2\n"}, "a[1].csv") == [{"q": "1"}]


def test_a_folder_whose_name_looks_like_a_glob_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "[data] *"
    assert rows(folder, {"a.csv": "q\n1\n"}, "*.csv") == [{"q": "1"}]


def test_a_path_may_be_absolute_or_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("q\n1\n")
    assert rows(tmp_path / "sub", {}, str(tmp_path / "a.csv")) == [{"q": "1"}]
    assert rows(tmp_path / "sub", {"x.txt": ""}, "../*.csv") == [{"q": "1"}]


def test_splits_have_files_of_their_own(tmp_path: Path) -> None:
    files: dict[str, Content] = {"a.csv": "q\n1\n", "b.csv": "q\n2\n"}
    wanted = {"train": "a.csv", "test": ["b.csv"]}
    assert rows(tmp_path, files, wanted, split="test") == [{"q": "2"}]
    assert refused(tmp_path, {}, wanted, split="dev") == "no files for the split 'dev' - there are train, test"
    assert refused(tmp_path, {}, "a.csv", split="dev").startswith("no files for the split 'dev'")


@pytest.mark.parametrize("pattern", ["b.csv", "*.tsv", "sub"])
def test_no_file_is_an_error(tmp_path: Path, pattern: str) -> None:
    assert refused(tmp_path, {"sub/a.csv": "q\n"}, pattern).startswith(f"{pattern}: no file of that name below")


def test_the_format_is_read_off_the_ending_or_given(tmp_path: Path) -> None:
    files: dict[str, Content] = {"a.txt": '{"q": "1"}\n'}
    assert refused(tmp_path, files).startswith("a.txt: the files' endings do not tell one format")
    assert rows(tmp_path, files, format="jsonl") == [{"q": "1"}]
    assert "do not tell one format" in refused(tmp_path, {"a.csv": "q\n", "b.tsv": "q\n"})


def test_one_list_of_all_rows_is_told_with_what_makes_lines_of_it(tmp_path: Path) -> None:
    files: dict[str, Content] = {"a.json": '[{"q": "1"}]\n'}
    for options in ({}, {"format": "jsonl"}):
        assert "write each object on a line of its own, e.g. jq -c '.[]'" in refused(tmp_path, files, **options)


def test_options_of_csv_are_refused_for_other_formats(tmp_path: Path) -> None:
    assert "are for CSV and TSV, not jsonl" in refused(tmp_path, {"a.jsonl": "{}\n"}, columns=("q",))


@pytest.mark.parametrize(
    ("name", "text"), [("a.jsonl.gz", '{"q": "é"}\n'), ("a.csv.gz", "q\né\n"), ("a.tsv.gz", "q\né\n")]
)
def test_gzipped_files_read_as_if_they_were_not(tmp_path: Path, name: str, text: str) -> None:
    whole = gzip.compress(text.encode())
    assert rows(tmp_path, {name: whole}) == [{"q": "é"}]
    assert refused(tmp_path, {name: whole[:-9]}).startswith(f"{name}: cannot be read: ")
    assert refused(tmp_path, {name: text}).startswith(f"{name}: cannot be read: ")


def test_a_gzipped_file_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    parts = gzip.compress(b'{"q": 1}\n') + gzip.compress(b'{"q": 2}\n')
    assert rows(tmp_path, {"a.jsonl.gz": parts}) == [{"q": 1}, {"q": 2}]


def test_the_identity_is_that_of_content_and_options(tmp_path: Path) -> None:
    def identity(content: str, name: str = "a.csv", **options: Any) -> str | None:
        return opened(tmp_path, {name: content}, **options).identity

    assert identity("q\n1\n") == identity("q\n1\n", name="b.csv")
    options: list[dict[str, Any]] = [{}, {"columns": ("q",)}, {"delimiter": ";"}, {"quoting": False}, {"format": "tsv"}]
    assert len({identity("q\n1\n", **option) for option in options} | {identity("q\n2\n")}) == len(options) + 1


# ---- CSV and TSV


def test_cells_are_text_as_they_stand(tmp_path: Path) -> None:
    text = 'a,b,c,d\n007,NA,1e3,true\n,null,"",2020-01-01\n'
    assert rows(tmp_path, {"a.csv": text}) == [
        {"a": "007", "b": "NA", "c": "1e3", "d": "true"},
        {"a": "", "b": "null", "c": "", "d": "2020-01-01"},
    ]


def test_quoted_cells_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    text = 'q,a\r\n"x, ""y""\r\nz",2 "x"\r\n'
    assert rows(tmp_path, {"a.csv": text}) == [{"q": 'x, "y"\r\nz', "a": '2 "x"'}]


@pytest.mark.parametrize("text", ["q,a\n1,2\n", "q,a\r\n1,2\r\n", "q,a\n1,2", "\ufeffq,a\n1,2\n", "\n\nq,a\n\n1,2\n\n"])
def test_line_ends_marks_and_blank_lines_make_no_difference(tmp_path: Path, text: str) -> None:
    assert rows(tmp_path, {"a.csv": text}) == [{"q": "1", "a": "2"}]


def test_a_tsv_has_no_quotes(tmp_path: Path) -> None:
    text = 'q\ta\n"x\ty"\n5" pipe\t"\n'
    assert rows(tmp_path, {"a.tsv": text}) == [{"q": '"x', "a": 'y"'}, {"q": '5" pipe', "a": '"'}]
    assert rows(tmp_path, {"a.tsv": 'q\ta\n"x\ty"\tz\n'}, quoting=True) == [{"q": "x\ty", "a": "z"}]


def test_a_csv_may_have_no_quotes_and_another_delimiter(tmp_path: Path) -> None:
    assert rows(tmp_path, {"a.csv": 'q;a\n"x;y"\n'}, delimiter=";", quoting=False) == [{"q": '"x', "a": 'y"'}]


def test_a_file_without_a_header_is_given_its_columns(tmp_path: Path) -> None:
    assert rows(tmp_path, {"a.csv": "1,2\n3,4\n"}, columns=("q", "a")) == [{"q": "1", "a": "2"}, {"q": "3", "a": "4"}]


def test_a_header_alone_is_no_rows_and_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    source = opened(tmp_path, {"a.csv": "q,a\n"})
    assert source.schema.names == ["q", "a"]
    assert list(source.batches()) == []
    assert refused(tmp_path, {"a.csv": ""}) == "a.csv: cannot be read: Empty CSV file - repair or leave out the file"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, {"a.csv": "q,a,q\n1,2,3\n"}).startswith("a.csv:1: has two columns called 'q'")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("q,a\n1,2\n3\n", 3),
        ("q,a\n1,2\n3,4,5\n", 3),
        ('q,a\n"1\n1",2\n\n3\n4,5\n', 5),
        ("q,a\n" + "1,2\n" * 100_000 + "3\n4,5\n", 100_002),
    ],
)
def test_a_row_of_too_few_or_too_many_cells_is_told_with_its_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, line: int
) -> None:
    assert refused(tmp_path, {"a.csv": text}).startswith(f"a.csv:{line}: cannot be read: Expected 2 columns, got ")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("text", ['q,a\n1,2\n3,"4\n5,6\n', 'q,a\n1,"2"\n3,"4\n5,6', 'q,a\n"1\n",2\n3,"'])
def test_a_quote_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path, text: str) -> None:
    line = 1 + text[: text.rindex('3,"')].count("\n")
    assert refused(tmp_path, {"a.csv": text}).startswith(f"a.csv:{line}: cannot be read: a quote that opens here")


def test_a_long_cell_hides_no_line_and_no_open_quote(tmp_path: Path) -> None:
    long = '"' + "x\n" * 200_000 + '"'
    assert rows(tmp_path, {"a.csv": f'q,a\n5" pipe,{long}\n'})[0]["a"] == long[1:-1]
    assert refused(tmp_path, {"a.csv": f"q,a\n1,{long}\n3\n"}).startswith("a.csv:200003: cannot be read: Expected 2")
    assert refused(tmp_path, {"a.csv": f"q,a\n1,2\n3,{long[:-1]}"}).startswith("a.csv:3: cannot be read: a quote that")


def test_a_stray_quote_inside_a_cell_is_a_quote(tmp_path: Path) -> None:
    assert rows(tmp_path, {"a.csv": 'q,a\n5" pipe,2\n3,4\n'}) == [{"q": '5" pipe', "a": "2"}, {"q": "3", "a": "4"}]


def test_a_long_row_is_read(tmp_path: Path) -> None:
    long = "x" * 5_000_000
    assert rows(tmp_path, {"a.csv": f"q,a\n1,{long}\n3,4\n"}) == [{"q": "1", "a": long}, {"q": "3", "a": "4"}]


@pytest.mark.parametrize("line", [1, 2, 500_000])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_text_that_is_not_utf8_is_told_with_its_line(tmp_path: Path, name: str, line: int) -> None:
    good = b"q\n" + b"caf\xc3\xa9\n" * 500_010
    content = b"\n".join(b"caf\xe9" if number == line else row for number, row in enumerate(good.split(b"\n"), 1))
    content = gzip.compress(content, 1) if name.endswith(".gz") else content
    assert refused(tmp_path, {name: content}).startswith(f"{name}:{line}: cannot be read: is not UTF-8 text")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_any_text_survives_a_csv(tmp_path: Path, table: list[tuple[str, str]]) -> None:
    quoted = ['"{}","{}"'.format(*(cell.replace('"', '""') for cell in row)) for row in table]
    source = rows(tmp_path, {"a.csv": "\n".join(["q,a", *quoted])})
    assert [(row["q"], row["a"]) for row in source] == table


# ---- JSONL


def test_json_keeps_its_types_and_nesting(tmp_path: Path) -> None:
    row = {"t": "x", "n": 1, "f": 0.5, "b": True, "l": ["a", "b"], "d": {"k": [{"m": "n"}]}, "u": "é😀\n"}
    assert rows(tmp_path, {"a.jsonl": json.dumps(row) + "\n" + json.dumps(row, ensure_ascii=False)}) == [row, row]


def test_what_looks_like_a_date_or_a_number_is_text(tmp_path: Path) -> None:
    row = {"a": "2020-01-01", "b": "NA", "c": "007", "d": "12:30:00", "e": {"f": ["2020-01-01T00:00:00Z"]}}
    assert rows(tmp_path, {"a.jsonl": json.dumps(row) + "\n"}) == [row]


def test_rows_may_have_different_keys(tmp_path: Path) -> None:
    text = '{"a": 1}\n{"b": "x", "d": {"k": 1}}\n{"d": {"l": 2}}\n'
    assert rows(tmp_path, {"a.jsonl": text}) == [
        {"a": 1, "b": None, "d": None},
        {"a": None, "b": "x", "d": {"k": 1, "l": None}},
        {"a": None, "b": None, "d": {"k": None, "l": 2}},
    ]


@pytest.mark.parametrize(
    "text", ['{"a": "x"}\n{"a": "y"}', '{"a": "x"}\r\n\r\n{"a": "y"}\r\n', '\ufeff{"a": "x"}\n{"a": "y"}\n']
)
def test_line_ends_and_blank_lines_make_no_difference_to_json(tmp_path: Path, text: str) -> None:
    assert rows(tmp_path, {"a.jsonl": text}) == [{"a": "x"}, {"a": "y"}]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_json_file_is_no_rows(tmp_path: Path, text: str) -> None:
    assert rows(tmp_path, {"a.jsonl": text}) == []


FILLER = json.dumps({"a": "x" * 1000, "b": 1}) + "\n"
FAR = BLOCK // len(FILLER) + 1000
"""So many lines of filler are more than a block."""


@pytest.mark.parametrize("before", [0, 3, FAR])
@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"a": oops}', "JSON parse error"),
        (b'{"a": "x"', "JSON parse error"),
        (b'["x"]', "JSON parse error"),
        (b'{"a": "x", "a": "y"}', "was specified twice"),
        (b'{"a": "x"} {"a": "y"}', "not one JSON object a line"),
        (b'{"a": "caf\xe9"}', "is not UTF-8 text"),
        (b'{"caf\xe9": "x"}', "is not UTF-8 text"),
        (b'{"a": "\\ud800"}', "surrogate"),
    ],
)
def test_a_broken_line_is_told_with_its_number_however_far_down(
    tmp_path: Path, before: int, line: bytes, what: str
) -> None:
    content = FILLER.encode() * before + line + b"\n" + FILLER.encode() * 2
    found = refused(tmp_path, {"a.jsonl": content})
    assert found.startswith(f"a.jsonl:{before + 1}: cannot be read: ")
    assert what in found
    assert "in row" not in found


def test_an_object_over_several_lines_is_refused(tmp_path: Path) -> None:
    found = refused(tmp_path, {"a.jsonl": '{"a": 1}\n{\n  "a": 2\n}\n'})
    assert found.startswith("a.jsonl:2: cannot be read: not one JSON object a line")


def test_a_column_of_two_types_is_told_with_its_line_or_both_types(tmp_path: Path) -> None:
    assert refused(tmp_path, {"a.jsonl": '{"a": 1}\n{"a": "x"}\n'}).startswith("a.jsonl:2: cannot be read: ")
    far = FILLER * FAR + '{"b": "x"}\n' * (FAR * 110)
    found = refused(tmp_path, {"a.jsonl": far})
    assert "Column(/b) changed" in found or "column 'b' is int64 in one place and large_string in another" in found
    two: dict[str, Content] = {"a.jsonl": '{"a": 1}\n', "b.jsonl": '{"a": "x"}\n'}
    assert refused(tmp_path, two).startswith(
        "a.jsonl, b.jsonl: column 'a' is int64 in one place and large_string in another"
    )


def test_what_only_a_far_line_tells_holds_for_all(tmp_path: Path) -> None:
    first = {"date": "2020-01-01", "n": 1, "none": None, "list": []}
    last = {"date": "soon", "n": 0.5, "none": {"k": "v"}, "list": ["x"], "new": True}
    text = json.dumps(first) + "\n" + '{"filler": "x"}\n' * (BLOCK // 10) + json.dumps(last) + "\n"
    source = opened(tmp_path, {"a.jsonl": text})
    table = pa.Table.from_batches(source.batches())
    assert table.slice(0, 1).to_pylist() == [{"filler": None, "new": None, **first, "n": 1.0}]
    assert table.slice(len(table) - 1).to_pylist() == [{"filler": None, **last}]
    assert source.schema.field("date").type == pa.large_string()


KEYS = st.text(string.ascii_letters, min_size=1, max_size=3)
SCALARS = st.text(st.characters(exclude_categories=["Cs"])) | st.none()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(KEYS, SCALARS, min_size=1), min_size=1), st.booleans())
def test_any_text_survives_json(tmp_path: Path, records: list[dict[str, Any]], escaped: bool) -> None:
    text = "".join(json.dumps(record, ensure_ascii=escaped) + "\n" for record in records)
    found = rows(tmp_path, {"a.jsonl": text})
    names = {name for record in records for name in record}
    assert found == [{name: record.get(name) for name in names} for record in records]


# ---- Parquet and Arrow

TABLE = pa.table(
    {
        "t": ["x", None, "é😀"],
        "n": pa.array([1, 2, None], pa.int32()),
        "l": [["a", "b"], [], None],
        "s": [{"k": [1]}, {"k": None}, None],
        "d": [date(2020, 1, 1), None, None],
        "c": pa.array(["u", "u", "v"]).dictionary_encode(),
    }
)
CONTENT = {
    "a.parquet": parquet(TABLE),
    "a.arrow": arrow(TABLE),
    "a.feather": arrow(TABLE, pa.ipc.new_stream),
}


@pytest.mark.parametrize("name", CONTENT)
def test_tables_keep_values_types_and_nesting(tmp_path: Path, name: str) -> None:
    assert rows(tmp_path, {name: CONTENT[name]}) == TABLE.to_pylist()


@pytest.mark.parametrize("name", CONTENT)
def test_text_has_64_bit_offsets_and_dictionaries_are_unpacked(tmp_path: Path, name: str) -> None:
    schema = opened(tmp_path, {name: CONTENT[name]}).schema
    assert schema.field("t").type == schema.field("c").type == pa.large_string()
    assert schema.field("l").type == pa.list_(pa.large_string())
    assert schema.metadata is None


VIEW, WORDS = pa.string_view(), pa.dictionary(pa.int8(), pa.string())


@pytest.mark.parametrize("kind", [VIEW, pa.list_(VIEW), pa.list_(WORDS), pa.list_(pa.string(), 1)])
def test_other_encodings_of_text_and_lists_are_unpacked(tmp_path: Path, kind: pa.DataType) -> None:
    values = ["x", "y"] if pa.types.is_string_view(kind) else [["x"], ["y"]]
    table = pa.table({"a": pa.array(values, kind)})
    assert rows(tmp_path, {"a.arrow": arrow(table)}) == [{"a": value} for value in values]


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("damage", ["empty", "junk", "cut"])
def test_a_file_that_is_not_whole_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    content = {"empty": b"", "junk": b"junk" * 10, "cut": CONTENT[name][: len(CONTENT[name]) // 2]}[damage]
    assert refused(tmp_path, {name: content}).startswith(f"{name}: cannot be read: ")


def test_a_flipped_bit_in_a_page_is_detected(tmp_path: Path) -> None:
    table = pa.table({"q": [f"question {number}" for number in range(1000)]})
    content = bytearray(parquet(table, write_page_checksum=True, compression="none", use_dictionary=False))
    content[content.index(b"question 500")] ^= 1
    assert "CRC checksum verification failed" in refused(tmp_path, {"a.parquet": bytes(content)})


@pytest.mark.parametrize("write", [parquet, arrow])
def test_text_in_a_table_that_is_not_utf8_is_refused_and_never_passed_on(
    tmp_path: Path, write: Callable[[pa.Table], bytes]
) -> None:
    name = f"a.{write.__name__}"
    found = refused(tmp_path, {name: write(pa.table({"a": bad_text()}))})
    assert found.startswith(f"{name}: holds broken data: ")
    assert "UTF8" in found


def test_two_columns_of_one_name_in_a_table_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert "has two columns called 'a'" in refused(tmp_path, {"a.parquet": parquet(table)})


# ---- files that do not agree


def test_columns_that_come_and_go_between_files_are_null_where_they_are_not(tmp_path: Path) -> None:
    one = pa.table({"a": [1], "s": [{"x": 1}], "l": [[{"p": "q"}]]})
    two = pa.table({"l": [[{"r": 2}]], "s": [{"y": "z", "x": 2}], "b": ["new"]})
    assert rows(tmp_path, {"1.parquet": parquet(one), "2.parquet": parquet(two)}) == [
        {"a": 1, "s": {"x": 1, "y": None}, "l": [{"p": "q", "r": None}], "b": None},
        {"a": None, "s": {"x": 2, "y": "z"}, "l": [{"p": None, "r": 2}], "b": "new"},
    ]


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        (pa.array([1], pa.int32()), pa.array([2], pa.int64()), pa.int64()),
        (pa.array([1], pa.uint8()), pa.array([2], pa.int8()), pa.int64()),
        (pa.array([1], pa.int64()), pa.array([0.5]), pa.float64()),
        (pa.nulls(1), pa.array(["x"]), pa.large_string()),
        (pa.array(["x"], pa.string()), pa.array(["y"], pa.large_string()), pa.large_string()),
        (pa.array(["x"]).dictionary_encode(), pa.array(["y"]), pa.large_string()),
        (pa.array([[]]), pa.array([["x"]]), pa.list_(pa.large_string())),
    ],
)
def test_a_column_takes_the_type_that_holds_all_its_files(
    tmp_path: Path, first: pa.Array, second: pa.Array, merged: pa.DataType
) -> None:
    files: dict[str, Content] = {"1.arrow": arrow(pa.table({"a": first})), "2.arrow": arrow(pa.table({"a": second}))}
    assert opened(tmp_path, files).schema.field("a").type == merged
    assert [row["a"] for row in rows(tmp_path, files)] == [*first.to_pylist(), *second.to_pylist()]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([1]), pa.array(["x"])),
        (pa.array([1]), pa.array([True])),
        (pa.array([0.5], pa.float32()), pa.array([0.5], pa.float64())),
        (pa.array(["x"]), pa.array([["x"]])),
        (pa.array([date(2020, 1, 1)]), pa.array(["2020-01-01"])),
        (pa.array([{"k": 1}]), pa.array([{"k": "x"}])),
        (pa.array([2**64 - 1], pa.uint64()), pa.array([1], pa.int64())),
    ],
)
def test_types_that_would_print_otherwise_are_not_mixed(tmp_path: Path, first: pa.Array, second: pa.Array) -> None:
    files: dict[str, Content] = {
        "1.parquet": parquet(pa.table({"a": first})),
        "2.parquet": parquet(pa.table({"a": second})),
    }
    assert refused(tmp_path, files).startswith("1.parquet, 2.parquet: column 'a' is ")


def test_a_whole_number_that_a_float_cannot_hold_is_refused_and_not_rounded(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "1.parquet": parquet(pa.table({"a": [2**53 + 1]})),
        "2.parquet": parquet(pa.table({"a": [0.5]})),
    }
    assert refused(tmp_path, files).startswith("1.parquet: holds broken data: ")


# ---- batches


def test_batches_are_bounded_in_rows_and_bytes_and_keep_the_order(tmp_path: Path) -> None:
    count = MAX_BATCH_ROWS + 1000
    table = pa.table({"n": range(count), "t": ["x" * (5000 if n < 20_000 else 1) for n in range(count)]})
    batches = list(opened(tmp_path, {"a.arrow": arrow(table)}).batches())
    assert max(len(batch) for batch in batches) <= MAX_BATCH_ROWS
    assert max(batch.nbytes for batch in batches) <= MAX_BATCH_BYTES
    assert pa.Table.from_batches(batches).column("n").to_pylist() == list(range(count))


def test_many_small_files_are_joined_to_few_batches(tmp_path: Path) -> None:
    files: dict[str, Content] = {f"{number:03}.csv": f"q\n{number}\n" for number in range(100)}
    (batch,) = opened(tmp_path, files, "*.csv").batches()
    assert len(batch) == 100


def test_a_source_can_be_read_again_and_again(tmp_path: Path) -> None:
    source = opened(tmp_path, {"a.csv": "q\n1\n"})
    assert [list(source.batches()) for _ in range(2)] == [
        [pa.record_batch({"q": pa.array(["1"], pa.large_string())})]
    ] * 2
