"""Kernels give what Python gives: for every code point where letters and white space matter, and at the edges."""

import sys
from collections.abc import Callable

import pyarrow as pa
import pytest

from flanmix.render import kernels
from flanmix.render.limits import MAX_REPEAT
from flanmix.render.values import TEXT, Coded, Column, Const, column_of, objects, truth

EVERY = [f"{chr(code)}a{chr(code)} z{chr(code)}" for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
ASCII = EVERY[:128]


def texts(items: list[str | None]) -> Column:
    return Column(pa.array(items, TEXT))


def found(value: object) -> list[object]:
    assert isinstance(value, Column)
    return list(value.array.to_pylist())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trim", "upper", "lower", "capitalize"])
def test_a_change_of_text_is_pythons_for_every_code_point_or_is_left_to_python(name: str) -> None:
    method: Callable[[str], str] = getattr(str, {"trim": "strip"}.get(name, name))
    made = kernels.FILTERS[name]([texts(EVERY)], "native")
    assert made is None or found(made) == [method(text) for text in EVERY]
    assert (made is None) == (name != "trim")
    assert found(kernels.FILTERS[name]([texts(ASCII)], "native")) == [method(text) for text in ASCII]


@pytest.mark.slow
def test_texts_are_as_long_in_arrow_as_in_python() -> None:
    assert found(kernels.FILTERS["length"]([texts(EVERY)], "native")) == [len(text) for text in EVERY]


PIECES = ["a", "aa", "|", ".", "\\", "a.a", "\n", "é", "e\u0301", "\0", "(", "[a]", "\\1", "$", " "]
AROUND = ["", "a", "aaa", "a.a\\a|a", "\\1\\1", "xéx", "e\u0301e", "\0\0", "([a])$", "line\nline\r\n", "a a  a", "aXa"]


@pytest.mark.parametrize("piece", PIECES)
def test_pieces_are_found_replaced_and_split_at_as_by_python(piece: str) -> None:
    column = texts(AROUND)
    new = "<\\1&>"
    assert found(kernels.COMPARISONS["in"]([Const(piece), column], "native")) == [piece in text for text in AROUND]
    assert found(kernels.METHODS["split"]([column, Const(piece)], "native")) == [text.split(piece) for text in AROUND]
    assert found(kernels.METHODS["startswith"]([column, Const(piece)], "native")) == [
        t.startswith(piece) for t in AROUND
    ]
    assert found(kernels.FILTERS["replace"]([column, Const(piece), Const(new)], "native")) == [
        text.replace(piece, new) for text in AROUND
    ]


def test_a_replacement_that_might_make_too_much_is_left_to_python() -> None:
    column = texts(["a" * 2_000])
    assert kernels.FILTERS["replace"]([column, Const("a"), Const("b" * (MAX_REPEAT // 1_000))], "native") is None


@pytest.mark.parametrize("kind", [pa.uint64(), pa.int64()])
def test_an_item_is_chosen_by_a_whole_number_of_any_size(kind: pa.DataType) -> None:
    index = Column(pa.array([0, 2**63 - 1], kind))
    made = kernels.item([Const(["x", "y"]), index], "native")
    assert made is None if kind == pa.uint64() else found(made) == ["x", None]


def test_a_join_by_an_attribute_is_left_to_python() -> None:
    lists = column_of(pa.array([["ab"]]))
    assert kernels.FILTERS["join"]([lists, Const(","), Const(0)], "native") is None
    assert found(kernels.FILTERS["join"]([lists, Const(",")], "native")) == ["ab"]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([0, 2**64 - 1, None], pa.uint64()),
        pa.array([0.0, -0.0, float("nan")]),
        pa.array(["", "0", None], pa.large_string()),
        pa.array([[], [None], None], pa.list_(pa.null())),
        pa.array([None, None, None]),
    ],
)
def test_truth_is_pythons(array: pa.Array) -> None:
    where = truth(Column(array))
    assert not isinstance(where, bool)
    assert where.tolist() == [bool(value) for value in array.to_pylist()]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, None, 1]).dictionary_encode(),
        pa.array(["a", None, "a"], pa.string_view()),
        pa.array([b"a", None], pa.binary_view()),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef", None], pa.binary(16))),
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None])),
        pa.array([1, None], pa.decimal32(5, 1)),
        pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
        pa.chunked_array([pa.array([0.0]), pa.array([-0.0, None])]),
    ],
)
def test_objects_are_those_of_the_rows(array: pa.Array) -> None:
    made = objects(column_of(array))
    assert isinstance(made, Coded)
    values = made.values if made.codes is None else [made.values[code] for code in made.codes]
    assert repr(list(values)) == repr(array.to_pylist())
