"""JSON read member by member is what `json` reads at once, whatever stands where the reading stops."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.errors import SourceError
from flanmix.sources import json_stream
from flanmix.sources.json_stream import JsonStream

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def read(file: Path) -> dict[str, Any]:
    """A file read as an object whose lists come item by item."""
    with JsonStream(file) as stream:
        found = {key: list(stream.items()) if key.startswith("list") else stream.value() for key in stream.members()}
        stream.end()
    return found


@given(
    st.dictionaries(st.text(max_size=3).map("x{}".format), VALUES, max_size=4),
    st.lists(VALUES, max_size=6),
    st.sampled_from([None, 2]),
    st.integers(1, 9),
    st.booleans(),
)
def test_all_values_come_as_they_are(tmp_path_factory, others, items, indent, chunk, escaped) -> None:
    whole = {**others, "list": items}
    file = tmp_path_factory.mktemp("json") / "a.json"
    file.write_text(json.dumps(whole, indent=indent, ensure_ascii=escaped), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        patch.setattr(json_stream, "_LONGEST_CHUNK", 2 * chunk)
        assert read(file) == whole


def test_a_compressed_file_and_one_with_a_mark_at_its_start_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress('\ufeff{"list": ["é"]}'.encode()))
    assert read(tmp_path / "a.json.gz") == {"list": ["é"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n"b": nul}', ":2: cannot be read: expecting value"),
        ('{"a": 1,\n\n"b" 2}', ":3: cannot be read: expecting a key and ':'"),
        ('{"a": 1\n"b": 2}', ":2: cannot be read: expecting ',' delimiter"),
        ('{"a": "x', ":1: cannot be read: unterminated string"),
        ('{"a": 1}\n{}', ":2: cannot be read: extra data"),
        ('{"list":\n{"a": 1}}', ":2: should be a list"),
        ("[1]", ":1: should be an object"),
        ("", ":1: should be an object"),
        ('{"a": ' + "[" * 100_000, "is nested too deeply"),
        (b'{"a": 1,\n"b": "\xff"}', ":2: cannot be read: is not UTF-8 text"),
    ],
)
def test_what_is_no_json_is_told_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "a.json")
    assert said in str(caught.value)


def test_an_error_far_into_a_file_has_its_line(tmp_path: Path) -> None:
    lines = [json.dumps({"n": number, "text": "x" * 300}) for number in range(2_000)]
    lines[1_500] = '{"n": }'
    (tmp_path / "a.json").write_text('{"list": [\n' + ",\n".join(lines) + "]}")
    with pytest.raises(SourceError, match=r"a\.json:1502: cannot be read: expecting value"):
        read(tmp_path / "a.json")


def test_a_value_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_MAX_VALUE", 100_000)
    (tmp_path / "a.json").write_text('{"a": "' + "x" * 400_000)
    with pytest.raises(SourceError, match="a value is longer than 100,000 characters"):
        read(tmp_path / "a.json")
