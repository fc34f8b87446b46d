"""What an expression is over many rows at once: one value for all, an Arrow column, or codes into a list of values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.order import Ints
from flanmix.render.viewing import Picked

TEXT = pa.large_string()
Mask: TypeAlias = npt.NDArray[np.bool_]


class NotColumnar(Exception):
    """Why a template cannot be rendered by columns: a construct, at a line of its text (from 1), or a row's value."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason, self.line = reason, line


class TooLarge(NotColumnar):
    """So many rows at once would take too much memory: fewer rows will do."""


class _NoText:
    """Stands for what a native template cannot print: the row that holds it gets no text at all."""

    def __repr__(self) -> str:
        return "no text"


NO_TEXT = _NoText()


@dataclass(frozen=True)
class Const:
    """The same Python value in every row."""

    value: Any


@dataclass(frozen=True)
class Column:
    """An Arrow array; its nulls stand for `null`, which is None, Jinja's undefined or `NO_TEXT`."""

    array: pa.Array
    null: Any = None


@dataclass(frozen=True)
class Coded:
    """Row i holds `values[codes[i]]`, or `values[i]` where there are no codes. No value is changed after it is made."""

    codes: Ints | None
    values: Sequence[Any]


Value: TypeAlias = Const | Column | Coded


def settled(value: Value | Picked) -> Value:
    """The same value, copied where it was not yet."""
    return Column(value.array) if isinstance(value, Picked) else value


_MOST_COMBINATIONS = 1 << 40
MOST_BYTES = 256 << 20
"""The most memory that one column made on the way may take."""
_SAMPLE = 512
"""Values looked at to guess whether most of a column are distinct, and encoding them would not pay."""


def column_of(array: pa.Array, null: Any = None) -> Column:
    """A column in the few types that kernels know: text with 64-bit offsets, plain lists, no dictionaries."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType) and pa.types.is_string(kind.storage_type):
        return column_of(array.storage, null)  # other types decide themselves what their values are in Python
    if pa.types.is_dictionary(kind):
        return column_of(array.dictionary_decode(), null)
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        array = array.cast(TEXT)
    return Column(array, null)


def value_of(array: pa.Array | pa.ChunkedArray) -> Value:
    """What an array holds; of one with a dictionary, each value of that once.

    >>> value_of(pa.array(["a", "b", "a"]).dictionary_encode())
    Coded(codes=array([0, 1, 0]), values=['a', 'b'])
    """
    if not pa.types.is_dictionary(array.type):
        return column_of(array)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    values, codes = array.dictionary.to_pylist(), array.indices
    return Coded(
        np.asarray(codes.fill_null(len(values))).astype(np.int64), [*values, None] if codes.null_count else values
    )


def is_text(value: Value) -> bool:
    """Whether every row holds text (or, in a column, its null)."""
    return isinstance(value, Column) and pa.types.is_large_string(value.array.type)


def is_list(value: Value) -> bool:
    """Whether every row holds a list (or its null), as an Arrow list column."""
    return isinstance(value, Column) and (
        pa.types.is_list(value.array.type) or pa.types.is_large_list(value.array.type)
    )


def whole(value: Value) -> bool:
    """Whether a column holds no null."""
    return isinstance(value, Column) and value.array.null_count == 0


def refuse_large(size: float) -> None:
    """Raise `TooLarge` where something of so many bytes is about to be made."""
    if size > MOST_BYTES:
        raise TooLarge("a value or text is repeated so often that it takes too much memory")


def with_identity(value: Value) -> Value:
    """The same column; as Python objects if it holds a NaN, which is found in a list only as the same object."""
    if isinstance(value, Column) and _holds_nan(value.array):
        return Coded(None, _filled(value.array.to_pylist(), value.null))
    return value


def _holds_nan(array: pa.Array) -> bool:
    kind = array.type
    if pa.types.is_floating(kind):
        return bool(pc.any(pc.is_nan(array)).as_py())
    if pa.types.is_struct(kind):
        return any(map(_holds_nan, array.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _holds_nan(array.flatten())
    return False


def refuse_iterators(value: Value) -> None:
    """Raise `NotColumnar` where a value can be read only once, and might be read again for another row or place."""
    values = value.values if isinstance(value, Coded) else (value.value,) if isinstance(value, Const) else ()
    if any(issubclass(kind, Iterator) for kind in set(map(type, values))):
        raise NotColumnar("a value that can be read only once is kept")


def take(value: Value, rows: Ints) -> Value:
    """The values of some rows, in that order."""
    if isinstance(value, Column):
        return Column(value.array.take(pa.array(rows)), value.null)
    if isinstance(value, Coded):
        return Coded(rows if value.codes is None else value.codes[rows], value.values)
    return value


def objects(value: Value) -> Coded:
    """The same values as Python objects, each distinct one about once; raises `NotColumnar`."""
    if isinstance(value, Const):
        raise TypeError("a constant has no rows")
    if isinstance(value, Coded):
        return value
    array = value.array
    if array.null_count and value.null is NO_TEXT:
        raise NotColumnar("a value that has no text is used")
    kind = array.type
    if not _can_be_encoded(kind) or _mostly_distinct(array):
        return Coded(None, _filled(array.to_pylist(), value.null))
    if pa.types.is_floating(kind):  # as bits: 0.0 and -0.0 print otherwise
        bits = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[kind.bit_width]
        coded = array.view(bits).dictionary_encode(null_encoding="encode")
        values = coded.dictionary.view(kind).to_pylist()
    else:
        coded = array.dictionary_encode(null_encoding="encode")
        values = coded.dictionary.to_pylist()
    return Coded(np.asarray(coded.indices).astype(np.int64), _filled(values, value.null))


def _can_be_encoded(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_large_string(kind))


def _mostly_distinct(array: pa.Array) -> bool:
    if len(array) < _SAMPLE:
        return False
    return len(array.slice(0, _SAMPLE).unique()) > _SAMPLE // 2


def _filled(values: list[Any], null: Any) -> list[Any]:
    return values if null is None else [null if value is None else value for value in values]


def used(value: Coded) -> Coded:
    """The same rows without the values that none of them holds: a function of those might raise where no row does."""
    if value.codes is None:
        return value
    codes, found = _renumbered(value.codes, len(value.values))
    return value if len(found) == len(value.values) else Coded(codes, [value.values[code] for code in found.tolist()])


def _renumbered(codes: Ints, size: int) -> tuple[Ints, Ints]:
    """Codes below `size`, numbered anew without gaps, and the old code of each new one."""
    if size > 4 * len(codes):
        found, codes = np.unique(codes, return_inverse=True)
        return codes, found
    found = np.flatnonzero(np.bincount(codes, minlength=size))
    numbers = np.empty(size, np.int64)
    numbers[found] = np.arange(len(found))
    return numbers[codes], found


def distinct(values: Sequence[Value]) -> tuple[Ints | None, list[tuple[Any, ...]]]:
    """The combinations of values that rows hold: a code for each row (None: one each), and the combinations.

    At least one of the values is no constant. Raises `NotColumnar`.
    """
    held = [value if isinstance(value, Const) else objects(value) for value in values]
    if len(held) > 1:
        for each in held:
            refuse_iterators(each)
    sizes = [1 if isinstance(each, Const) else len(each.values) for each in held]
    codes = np.zeros(1, np.int64)
    for each, size in zip(held, sizes, strict=True):
        if isinstance(each, Coded):
            if each.codes is None or prod(sizes) > _MOST_COMBINATIONS:
                return None, list(zip(*map(in_every_row, held), strict=False))  # constants repeat without an end
            codes = codes * size + each.codes
    codes, found = _renumbered(codes, prod(sizes))
    columns: list[list[Any]] = []
    for each, size in zip(reversed(held), reversed(sizes), strict=True):
        if isinstance(each, Const):
            columns.append([each.value] * len(found))
        else:
            found, own = np.divmod(found, size)
            columns.append([each.values[code] for code in own.tolist()])
    return codes, list(zip(*reversed(columns), strict=True))


def in_every_row(value: Value) -> Iterable[Any]:
    """The values as Python objects, row by row; a constant without an end."""
    if isinstance(value, Const):
        return repeat(value.value)
    value = objects(value)
    return value.values if value.codes is None else [value.values[code] for code in value.codes.tolist()]


def apply(function: Callable[[list[tuple[Any, ...]]], list[Any]], values: Sequence[Value]) -> Value:
    """A function of tuples, called once with every combination of values that some row holds."""
    if all(isinstance(value, Const) for value in values):
        return Const(function([tuple(value.value for value in values if isinstance(value, Const))])[0])
    codes, combinations = distinct(values)
    return Coded(codes, function(combinations))


def merge(parts: Sequence[tuple[Ints, Value]], rows: int) -> Value:
    """One value out of several, each of which holds for some rows; together for all, in any order."""
    if len(parts) == 1 and isinstance(parts[0][1], Const):
        return parts[0][1]
    back = np.empty(rows, np.int64)
    back[np.concatenate([places for places, _ in parts])] = np.arange(rows)
    texts = [_as_text(value, len(places)) for places, value in parts]
    columns = [column for column in texts if column is not None]
    nulls = {id(column.null): column.null for column in columns if column.array.null_count}
    if len(columns) == len(parts) and len(nulls) <= 1:
        array = pa.concat_arrays([column.array for column in columns]).take(pa.array(back))
        return Column(array, next(iter(nulls.values()), None))
    values: list[Any] = []
    codes = []
    for places, value in parts:
        found = Coded(np.zeros(len(places), np.int64), [value.value]) if isinstance(value, Const) else objects(value)
        codes.append((np.arange(len(places)) if found.codes is None else found.codes) + len(values))
        values += found.values
    return Coded(np.concatenate(codes)[back], values)


def _as_text(value: Value, rows: int) -> Column | None:
    """A value as a column of text, where it is one or the same text everywhere."""
    if isinstance(value, Const) and type(value.value) is str:
        return Column(pa.repeat(pa.scalar(value.value, TEXT), rows))
    return value if isinstance(value, Column) and is_text(value) else None


def truth(value: Value) -> bool | Mask:
    """Which rows hold something true, as Python sees it; one answer for a constant. Raises `NotColumnar`."""
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Column) and not (value.array.null_count and value.null is NO_TEXT):
        known = _known_truth(value.array)
        if known is not None:
            return np.asarray(pc.fill_null(known, False))  # None and undefined are false
    found = used(objects(value))
    answers = np.fromiter((bool(each) for each in found.values), bool, len(found.values))
    return answers if found.codes is None else answers[found.codes]


def _known_truth(array: pa.Array) -> pa.Array | None:
    kind = array.type
    if pa.types.is_boolean(kind):
        return array
    if pa.types.is_large_string(kind):
        return pc.greater(pc.binary_length(array), 0)
    if pa.types.is_integer(kind):
        return pc.not_equal(array, pa.scalar(0, kind))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pc.greater(pc.list_value_length(array), 0)
    return None
