"""Values as the texts that a template prints, and pieces of text joined row by row."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.order import Ints
from flanmix.render.environment import NullPrinted, text_of
from flanmix.render.limits import MAX_OUTPUT
from flanmix.render.values import NO_TEXT, TEXT, Column, Const, NotColumnar, Value, objects, refuse_large, used
from flanmix.render.viewing import Picked, Piece
from flanmix.spec import Dialect

Texts: TypeAlias = str | pa.Array
"""One text for all rows, or a `large_string` array, null where a row has no text."""

_EMPTY = pa.scalar("", TEXT)


def print_value(value: Value, dialect: Dialect, rows: int) -> Texts:
    """What `{{ value }}` prints in every row."""
    if isinstance(value, Const):
        text = _text(value.value, dialect)
        return pa.nulls(rows, TEXT) if text is None else text
    if isinstance(value, Column):
        array = _printed_column(value, dialect)
        if array is not None:
            return array
        value = objects(value)
    value = used(value)
    printed = [_text(each, dialect) for each in value.values]
    refuse_large(sum(len(text) for text in printed if text))
    texts = pa.array(printed, TEXT)
    return texts if value.codes is None else _repeated(texts, value.codes)


def _repeated(texts: pa.Array, codes: Ints) -> pa.Array:
    if len(codes) > len(texts):
        refuse_large(longest(texts) * len(codes))
    return texts.take(pa.array(codes))


def _text(value: Any, dialect: Dialect) -> str | None:
    try:
        return value if type(value) is str else text_of(value, dialect)
    except NullPrinted:
        return None


def _printed_column(column: Column, dialect: Dialect) -> pa.Array | None:
    """A column's texts, where Arrow prints its type as Python does."""
    kind = column.array.type
    if pa.types.is_large_string(kind):
        array = column.array
    elif pa.types.is_integer(kind):
        array = column.array.cast(TEXT)
    elif pa.types.is_boolean(kind):
        array = pc.if_else(column.array, pa.scalar("True", TEXT), pa.scalar("False", TEXT))
    else:
        return None
    if not array.null_count or column.null is NO_TEXT:
        return array
    text = _text(column.null, dialect)
    return array if text is None else array.fill_null(text)


def join_texts(pieces: Sequence[Piece]) -> Texts:
    """The pieces of every row, one after the other: null where any of them is. Raises `NotColumnar`."""
    joined: list[Texts] = []
    for piece in map(copied, pieces):
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif not isinstance(piece, str) or piece:
            joined.append(piece)
    if not joined:
        return ""
    made = joined[0]
    if len(joined) > 1:
        made = pc.binary_join_element_wise(
            *(pa.scalar(piece, TEXT) if isinstance(piece, str) else piece for piece in joined), _EMPTY
        )
    if not isinstance(made, str):
        refuse_long(made)
    return made


def copied(piece: Piece) -> Texts:
    """A piece as texts of its own."""
    return piece.array if isinstance(piece, Picked) else piece


def join_made(pieces: Sequence[Piece], rows: int) -> Texts:
    """As `join_texts`, for text that is made on the way to that of a row; raises `TooLarge` where it is very much."""
    texts = [copied(piece) for piece in pieces]
    refuse_large(sum(len(text) * rows if isinstance(text, str) else text.nbytes for text in texts))
    return join_texts(texts)


def longest(texts: Piece) -> int:
    """The bytes of the longest text, or more where it is not known."""
    if isinstance(texts, Picked):
        return texts.of.longest
    return len(texts.encode()) if isinstance(texts, str) else pc.max(pc.binary_length(texts)).as_py() or 0


def bytes_at_most(pieces: Sequence[Piece]) -> int:
    """Bytes that no text made of these pieces exceeds."""
    return sum(map(longest, pieces))


def refuse_long(*texts: Piece) -> None:
    """Raise `NotColumnar` where texts have, together, more bytes than one may have characters: they must be counted."""
    if bytes_at_most(texts) > MAX_OUTPUT:
        raise NotColumnar("a text is so long that its characters must be counted")


def in_rows(texts: Texts, rows: int) -> pa.Array:
    """The texts as an array."""
    return pa.repeat(pa.scalar(texts, TEXT), rows) if isinstance(texts, str) else texts


def scatter(parts: Sequence[tuple[Any, Texts]], rows: int) -> Texts:
    """The texts of several groups of rows (indices and texts; together all rows) in the order of the rows."""
    if len(parts) == 1 and isinstance(parts[0][1], str):
        return parts[0][1]
    if all(isinstance(texts, str) for _, texts in parts):
        codes = np.empty(rows, np.int64)
        for number, (places, _) in enumerate(parts):
            codes[places] = number
        return pa.array([texts for _, texts in parts], TEXT).take(pa.array(codes))
    back = np.empty(rows, np.int64)
    back[np.concatenate([places for places, _ in parts])] = np.arange(rows)
    return pa.concat_arrays([in_rows(texts, len(places)) for places, texts in parts]).take(pa.array(back))


def text_value(texts: Texts) -> Value:
    """Texts as a value that expressions can use."""
    return Const(texts) if isinstance(texts, str) else Column(texts, NO_TEXT)
