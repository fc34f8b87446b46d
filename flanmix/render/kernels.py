"""Arrow kernels that give exactly what Python would: each gives None where it does not apply to its values."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.order import Ints
from flanmix.render.environment import undefined
from flanmix.render.limits import MAX_REPEAT
from flanmix.render.printing import in_rows, join_made, longest, print_value, refuse_long, text_value
from flanmix.render.values import (
    NO_TEXT,
    TEXT,
    Coded,
    Column,
    Const,
    NotColumnar,
    Value,
    column_of,
    in_every_row,
    is_list,
    is_text,
    refuse_large,
    whole,
)
from flanmix.spec import Dialect

Kernel: TypeAlias = Callable[[Sequence[Value], Dialect], Value | None]


def _constant(value: Value, kind: type) -> Any:
    """A constant of exactly this Python type, or None."""
    return value.value if isinstance(value, Const) and type(value.value) is kind else None


def _text_array(value: Value, dialect: Dialect, *, method: bool = False) -> pa.Array | None:
    """A column of text whose nulls, if any, make a native row one without text; None for all else."""
    if not is_text(value) or not isinstance(value, Column):
        return None
    kept = whole(value) or value.null is NO_TEXT or (dialect == "native" and value.null is None and not method)
    return value.array if kept else None


# ---- finding text: RE2 is ten times as fast at it as Arrow's own search


def holding(array: pa.Array, text: str) -> pa.Array:
    """Which texts hold another one."""
    return pc.match_substring_regex(array, pattern=re.escape(text))


def replaced(array: pa.Array, old: str, new: str) -> pa.Array:
    """The texts with one piece of them replaced wherever it is."""
    if not pc.any(holding(array, old)).as_py():
        return array
    return pc.replace_substring_regex(array, pattern=re.escape(old), replacement=new.replace("\\", r"\\"))


# ---- looking things up


def field_of(name: str, *, attribute: bool) -> Kernel:
    """`a.name` or `a["name"]` of a struct that has it; a method of the same name comes first in `a.name`."""

    def kernel(values: Sequence[Value], dialect: Dialect) -> Value | None:
        (holder,) = values
        if not isinstance(holder, Column) or not pa.types.is_struct(holder.array.type) or not whole(holder):
            return None
        if (attribute and hasattr(dict, name)) or holder.array.type.get_field_index(name) < 0:
            return None
        return column_of(pc.struct_field(holder.array, name))

    return kernel


def item(values: Sequence[Value], dialect: Dialect) -> Value | None:
    """`a[b]`: a field of a struct, an item of a list, by a whole number."""
    holder, index = values
    key = _constant(index, str)
    if key is not None:
        return field_of(key, attribute=False)([holder], dialect)
    if isinstance(index, Column) and index.array.null_count and index.null is NO_TEXT:
        raise NotColumnar("a value that has no text is used")
    if is_list(holder) and whole(holder) and isinstance(holder, Column):
        number = _constant(index, int)
        if number is not None:
            return _items(holder.array, np.full(len(holder.array), number), None, dialect)
        if isinstance(index, Column) and pa.types.is_integer(index.array.type) and index.array.type != pa.uint64():
            return _items(holder.array, *_numbers(index.array), dialect)
    if isinstance(holder, Const) and isinstance(holder.value, list | tuple) and isinstance(index, Column):
        kind = index.array.type
        number = pa.types.is_integer(kind) and not pa.types.is_uint64(kind)
        if number or (dialect == "promptsource" and pa.types.is_boolean(kind) and not index.array.null_count):
            return _choice(list(holder.value), *_numbers(index.array), dialect)
    return None


def _numbers(array: pa.Array) -> tuple[Ints, Any]:
    missing = np.asarray(array.is_null()) if array.null_count else None
    return np.asarray(array.cast(pa.int64()).fill_null(0)), missing


def _place(index: Ints, missing: Any, lengths: Any, dialect: Dialect) -> tuple[Ints, Any]:
    """Where items stand in their lists, and which are outside: negative numbers count from the end in promptsource."""
    outside = (index >= lengths) | (index < (-lengths if dialect == "promptsource" else 0))
    if missing is not None:
        outside |= missing
    return np.where(index < 0, index + lengths, index), outside


def _items(lists: pa.Array, index: Ints, missing: Any, dialect: Dialect) -> Value | None:
    offsets = np.asarray(lists.offsets).astype(np.int64)
    index, outside = _place(index, missing, np.diff(offsets), dialect)
    if not outside.any():
        return column_of(lists.values.take(pa.array(index + offsets[:-1])))
    found = lists.values.take(pa.array(index + offsets[:-1], mask=outside))
    if found.null_count > outside.sum():
        return None
    return column_of(found, NO_TEXT if dialect == "native" else undefined("item", dialect))


def _choice(items: list[Any], index: Ints, missing: Any, dialect: Dialect) -> Value | None:
    index, outside = _place(index, missing, len(items), dialect)
    texts = all(type(item) is str for item in items)
    refuse_large(max(map(len, items), default=0) * len(index) if texts else 0)
    if texts and dialect == "native":
        return Column(pa.array(items, TEXT).take(pa.array(index, mask=outside)), NO_TEXT)
    if not outside.any():
        return Coded(index, items)
    if dialect == "native":
        return None
    return Coded(np.where(outside, len(items), index), [*items, undefined("item", dialect)])


def chosen(value: Value, words: Any) -> Value:
    """One item of a list in each row, by a random word; raises `NotColumnar`."""
    if isinstance(value, Const) and isinstance(value.value, list | tuple | str | range):
        items = list(value.value)
        if not items:
            raise IndexError("a choice from nothing")
        return Coded((words % np.uint64(len(items))).astype(np.int64), items)
    if is_list(value) and whole(value) and isinstance(value, Column):
        lengths = np.asarray(pc.list_value_length(value.array)).astype(np.uint64)
        found = _items(value.array, (words % np.maximum(lengths, 1)).astype(np.int64), None, "native")
        if found is not None and lengths.all():
            return found
    return Coded(
        None, [items[word % len(items)] for items, word in zip(in_every_row(value), words.tolist(), strict=True)]
    )


# ---- filters and methods


def _join(values: Sequence[Value], dialect: Dialect) -> Value | None:
    lists, separator = values[0], _constant(values[1], str) if len(values) > 1 else ""
    if len(values) > 2 or separator is None or not (is_list(lists) and whole(lists) and isinstance(lists, Column)):
        return None
    items = column_of(lists.array.flatten())
    if items.array.null_count or pa.types.is_nested(items.array.type) or pa.types.is_null(items.array.type):
        return None
    texts = in_rows(print_value(items, dialect, len(items.array)), len(items.array))
    lengths = np.asarray(pc.list_value_length(lists.array)).astype(np.int64)
    return Column(join_groups(texts, lengths, separator))


def join_groups(texts: pa.Array, lengths: Ints, separator: str = "") -> pa.Array:
    """The texts of each group joined; the groups have these lengths, one after the other."""
    refuse_large(texts.nbytes + len(texts) * len(separator))
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]))
    made = pc.binary_join(pa.LargeListArray.from_arrays(offsets, texts), pa.scalar(separator, TEXT))
    refuse_long(made)
    return made


def _length(values: Sequence[Value], dialect: Dialect) -> Value | None:
    (value,) = values
    if is_text(value) and whole(value) and isinstance(value, Column):
        return Column(pc.utf8_length(value.array))
    if is_list(value) and whole(value) and isinstance(value, Column):
        return Column(pc.list_value_length(value.array))
    return None


def _of_text(change: Callable[[pa.Array], pa.Array | None], *, method: bool = False) -> Kernel:
    def kernel(values: Sequence[Value], dialect: Dialect) -> Value | None:
        array = _text_array(values[0], dialect, method=method) if len(values) == 1 else None
        made = None if array is None else change(array)
        return None if made is None else Column(made, NO_TEXT)

    return kernel


def _where_ascii(change: Callable[[pa.Array], pa.Array]) -> Callable[[pa.Array], pa.Array | None]:
    """Python and Arrow differ in the case of some letters, but not of those in ASCII.

    `change` is no `ascii_…` kernel: those of pyarrow 26 read the wrong bytes of a column whose first offset is not 0.
    """

    def changed(array: pa.Array) -> pa.Array | None:
        return change(array) if pc.all(pc.string_is_ascii(array)).as_py() is not False else None

    return changed


def _replace(*, method: bool) -> Kernel:
    def kernel(values: Sequence[Value], dialect: Dialect) -> Value | None:
        if len(values) != 3:
            return None
        array = _text_array(values[0], dialect, method=method)
        old, new = _constant(values[1], str), _constant(values[2], str)
        if array is None or not old or new is None:
            return None
        if longest(array) // len(old) * len(new.encode()) > MAX_REPEAT:
            return None  # the row path counts
        made = replaced(array, old, new)
        if longest(made) > MAX_REPEAT:
            return None
        return Column(made, NO_TEXT)

    return kernel


def _default(values: Sequence[Value], dialect: Dialect) -> Value | None:
    if len(values) > 2 or not isinstance(values[0], Column):
        return None
    array, null = values[0].array, values[0].null
    if any(isinstance(value, Column) and not whole(value) and value.null is NO_TEXT for value in values[1:]):
        return None
    if not array.null_count or null is None:
        return values[0]  # nothing is undefined; None is a value
    filling = _constant(values[1], str) if len(values) == 2 else ""
    return (
        Column(array.fill_null(filling)) if filling is not None and null is not NO_TEXT and is_text(values[0]) else None
    )


def _split(values: Sequence[Value], dialect: Dialect) -> Value | None:
    array = _text_array(values[0], dialect, method=True)
    separator = _constant(values[1], str) if len(values) == 2 else None
    if array is None or array.null_count or not separator:
        return None
    return Column(pc.split_pattern(array, pattern=separator))


def _affix(test: Callable[..., pa.Array]) -> Kernel:
    def kernel(values: Sequence[Value], dialect: Dialect) -> Value | None:
        affix = _constant(values[1], str) if len(values) == 2 else None
        if affix is None or not (is_text(values[0]) and whole(values[0]) and isinstance(values[0], Column)):
            return None
        return Column(test(values[0].array, pattern=affix))

    return kernel


FILTERS: Mapping[str, Kernel] = MappingProxyType(
    {
        "capitalize": _of_text(_where_ascii(pc.utf8_capitalize)),
        "count": _length,
        "d": _default,
        "default": _default,
        "join": _join,
        "length": _length,
        "lower": _of_text(_where_ascii(pc.utf8_lower)),
        "replace": _replace(method=False),
        "string": _of_text(lambda array: array),
        "trim": _of_text(pc.utf8_trim_whitespace),
        "upper": _of_text(_where_ascii(pc.utf8_upper)),
    }
)
METHODS: Mapping[str, Kernel] = MappingProxyType(
    {
        "capitalize": _of_text(_where_ascii(pc.utf8_capitalize), method=True),
        "endswith": _affix(pc.ends_with),
        "lower": _of_text(_where_ascii(pc.utf8_lower), method=True),
        "replace": _replace(method=True),
        "split": _split,
        "startswith": _affix(pc.starts_with),
        "strip": _of_text(pc.utf8_trim_whitespace, method=True),
        "upper": _of_text(_where_ascii(pc.utf8_upper), method=True),
    }
)

# ---- tests, comparisons, `+`


def _has_undefined(value: Value) -> bool | None:
    """Whether a column may hold something undefined; None for values that are no column."""
    if not isinstance(value, Column):
        return None
    return bool(value.array.null_count) and value.null is not None


def _defined(values: Sequence[Value], dialect: Dialect) -> Value | None:
    return Const(True) if _has_undefined(values[0]) is False else None


def _none(values: Sequence[Value], dialect: Dialect) -> Value | None:
    if _has_undefined(values[0]) is False and isinstance(values[0], Column):
        return Column(values[0].array.is_null())
    return None


TESTS: Mapping[str, Kernel] = MappingProxyType({"defined": _defined, "none": _none})


def _comparable(one: Value, other: Value) -> tuple[pa.Array, Any] | None:
    """Two sides of one Arrow type: a column, and a column or a scalar."""
    if not isinstance(one, Column) or (one.array.null_count and one.null is NO_TEXT):
        return None
    kind = one.array.type
    if isinstance(other, Const):
        if type(other.value) is str and pa.types.is_large_string(kind):
            return one.array, pa.scalar(other.value, TEXT)
        if type(other.value) is int and pa.types.is_signed_integer(kind) and abs(other.value) < 2**62:
            return one.array.cast(pa.int64()), pa.scalar(other.value, pa.int64())
        return None
    if isinstance(other, Column) and whole(one) and whole(other) and other.array.type == kind:
        return (one.array, other.array) if pa.types.is_large_string(kind) or pa.types.is_integer(kind) else None
    return None


def _equal(values: Sequence[Value], dialect: Dialect) -> Value | None:
    one, other = values if isinstance(values[0], Column) else reversed(values)
    pair = _comparable(one, other)
    return None if pair is None else Column(pc.fill_null(pc.equal(*pair), False))


def _unequal(values: Sequence[Value], dialect: Dialect) -> Value | None:
    equal = _equal(values, dialect)
    return Column(pc.invert(equal.array)) if isinstance(equal, Column) else None


def _ordered(compare: Callable[..., pa.Array]) -> Kernel:
    def kernel(values: Sequence[Value], dialect: Dialect) -> Value | None:
        pair = _comparable(*values) if whole(values[0]) else None
        return Column(compare(*pair)) if pair is not None and pa.types.is_integer(pair[0].type) else None

    return kernel


def _in(values: Sequence[Value], dialect: Dialect) -> Value | None:
    part, holder = values
    text = _constant(part, str)
    if text and is_text(holder) and whole(holder) and isinstance(holder, Column):
        return Column(holding(holder.array, text))
    items = holder.value if isinstance(holder, Const) and isinstance(holder.value, list | tuple) else ()
    if items and all(type(each) is str for each in items) and is_text(part) and whole(part):
        assert isinstance(part, Column)
        return Column(pc.is_in(part.array, value_set=pa.array(items, TEXT)))
    return None


def _not_in(values: Sequence[Value], dialect: Dialect) -> Value | None:
    found = _in(values, dialect)
    return Column(pc.invert(found.array)) if isinstance(found, Column) else None


COMPARISONS: Mapping[str, Kernel] = MappingProxyType(
    {
        "eq": _equal,
        "ne": _unequal,
        "lt": _ordered(pc.less),
        "lteq": _ordered(pc.less_equal),
        "gt": _ordered(pc.greater),
        "gteq": _ordered(pc.greater_equal),
        "in": _in,
        "notin": _not_in,
    }
)


def add(values: Sequence[Value], dialect: Dialect) -> Value | None:
    """`a + b` of texts."""
    arrays = [
        value.array if is_text(value) and isinstance(value, Column) else _constant(value, str) for value in values
    ]
    if any(each is None for each in arrays) or any(isinstance(v, Column) and not whole(v) for v in values):
        return None
    return text_value(join_made(arrays, max(len(v.array) for v in values if isinstance(v, Column))))
