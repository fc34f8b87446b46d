"""The dialect `promptsource`: texts that hold `|||`, choices, and data that must not be taken for either.

The semantics are those of bigscience-workshop/promptsource 0.2 as it renders, established by running it; only what is
random there is a function of (seed, task, template, row) here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.order import Ints, Words, key64, keyed_words
from flanmix.render.columns import reason_for_rows, render_columns, render_pieces
from flanmix.render.environment import Program, compile_template
from flanmix.render.kernels import replaced
from flanmix.render.printing import Texts, in_rows, join_texts, refuse_long
from flanmix.render.rows import drawing, each_row, rows_of
from flanmix.render.values import TEXT, Column, Const, Value, column_of, is_text
from flanmix.spec import Template

SEPARATOR = "|||"
PROTECTED = "3ed2dface8203c4c9dfb1a5dc58e41e0"
"""Stands for the separator in data while it is rendered."""
CHOICES = "answer_choices"
_TRUNCATED = " | string | truncate(2048) }}"
TEXTS = pa.list_(TEXT)


@dataclass(frozen=True)
class Programs:
    """A compiled template of the dialect and its choices, and what its random filters are keyed by."""

    jinja: Program
    choices: Program | None
    key: tuple[str | int, ...] = ()

    @property
    def variables(self) -> frozenset[str]:
        """The columns that are read."""
        return (self.jinja.variables - {CHOICES}) | (self.choices.variables if self.choices else frozenset())

    def words(self, program: int, place: int, nth: int, rows: Ints) -> Words:
        """A random word for each row: for a place in the template (program 0) or in its choices (1), the n-th time."""
        return keyed_words(key64(*self.key, program, place, nth), rows)


def compile_dialect(template: Template, key: tuple[str | int, ...] = ()) -> Programs:
    """Compile a template of the dialect; raises `BadTemplate`."""
    jinja = template.jinja or ""
    if template.truncate:
        jinja = jinja.replace("}}", _TRUNCATED)
    choices = template.answer_choices
    compiled = None if choices is None else compile_template(choices, "promptsource")
    return Programs(compile_template(jinja, "promptsource"), compiled, key)


def refuse_names(table: pa.Table) -> None:
    """Raise where a column has a name that the dialect keeps for itself: `ValueError` or `TypeError`, as it does."""
    if CHOICES in table.column_names:
        raise ValueError(f"a column is called '{CHOICES}', which the dialect promptsource makes itself - rename it")
    if "self" in table.column_names:
        raise TypeError("a column is called 'self', which Jinja keeps for itself - rename it")


def explain(programs: Programs) -> str | None:
    """The construct that forces the row path, or None."""
    reason = reason_for_rows(programs.jinja)
    if reason is None and programs.choices is not None:
        inside = reason_for_rows(programs.choices)
        reason = None if inside is None else f"{CHOICES}: {inside}"
    return reason


# ---- by rows


def by_rows(programs: Programs, table: pa.Table, rows: Ints) -> tuple[pa.Array, Value]:
    """Parts and choices of every row, which are rows `rows` of their source; raises `RowError`."""
    draws = [
        drawing(lambda place, nth, program=program: programs.words(program, place, nth, rows))  # type: ignore[misc]
        for program in (0, 1)
    ]

    def make(index: int, row: dict[str, Any]) -> tuple[list[str], list[str] | None]:
        protected = {name: _protect(value) if isinstance(value, str) else value for name, value in row.items()}
        choices = None
        if programs.choices is not None:
            text = programs.choices.render(protected, draws[1](index))
            choices = [_unprotect(choice.strip()) for choice in text.split(SEPARATOR)]
        text = programs.jinja.render({**protected, CHOICES: choices}, draws[0](index))
        return [_unprotect(part).strip() for part in text.split(SEPARATOR)], choices

    made = each_row(rows_of(table, programs.variables), make)
    return pa.array([parts for parts, _ in made], TEXTS), Column(pa.array([choices for _, choices in made], TEXTS))


def _protect(text: str) -> str:
    return text.replace(SEPARATOR, PROTECTED)


def _unprotect(text: str) -> str:
    return text.replace(PROTECTED, SEPARATOR)


# ---- by columns


def by_columns(programs: Programs, table: pa.Table, rows: Ints) -> tuple[list[Texts] | pa.Array, Value]:
    """As `by_rows`, all rows at once: parts as they are cheapest, and choices as a value; raises `NotColumnar`.

    The parts are lists, or a text or array for each part where all rows have the same number of them.
    """
    names = {
        name: _protected(column_of(table.column(name))) for name in table.column_names if name in programs.variables
    }
    choices: Value = Const(None)
    if programs.choices is not None:
        choices = _choices(render_columns(programs.choices, names, len(rows), _words(programs, 1, rows)))
    pieces = render_pieces(programs.jinja, {**names, CHOICES: choices}, len(rows), _words(programs, 0, rows))
    return _parted(pieces), choices


def _words(programs: Programs, program: int, rows: Ints) -> Callable[[int], Words]:
    return lambda place: programs.words(program, place, 0, rows)


def _protected(column: Column) -> Column:
    if not is_text(column) or not _has_pipe(column.array):
        return column
    return Column(replaced(column.array, SEPARATOR, PROTECTED), column.null)


def _has_pipe(array: pa.Array) -> bool:
    """Whether any text holds `|`; looks at bytes, which is far faster than a search text by text."""
    offsets, data = array.buffers()[1:]
    if data is None:
        return False
    start, stop = np.frombuffer(offsets, np.int64)[[array.offset, array.offset + len(array)]]
    return bool((np.frombuffer(data, np.uint8)[start:stop] == ord("|")).any())


def _choices(texts: Texts) -> Value:
    if isinstance(texts, str):
        return Const([_unprotect(choice.strip()) for choice in texts.split(SEPARATOR)])
    return Column(_split(texts))


def _parted(pieces: list[Texts]) -> list[Texts] | pa.Array:
    if any(_has_pipe(piece) for piece in pieces if not isinstance(piece, str)):
        texts = join_texts(pieces)
        return _split(texts) if isinstance(texts, pa.Array) else _parted([texts])
    parts: list[list[Texts]] = [[]]
    for own, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        if own:
            first, *others = "".join(str(piece) for piece in group).split(SEPARATOR)
            parts[-1].append(first)
            parts += [[other] for other in others]
        else:
            parts[-1] += group
    texts = [join_texts(part) for part in parts]
    refuse_long(*texts)
    return [_finished(part) for part in texts]


def _finished(texts: Texts) -> Texts:
    """Stripped, and what was protected put back."""
    if isinstance(texts, str):
        return _unprotect(texts).strip()
    return replaced(pc.utf8_trim_whitespace(texts), PROTECTED, SEPARATOR)


def _split(texts: pa.Array) -> pa.Array:
    """The texts parted at the separators wherever they came from."""
    lists = pc.split_pattern(texts, pattern=SEPARATOR)
    return pa.ListArray.from_arrays(lists.offsets, _finished(lists.flatten()), TEXTS)


def lists(parts: list[Texts] | pa.Array, rows: int) -> pa.Array:
    """Parts as `list<large_string>`."""
    if isinstance(parts, pa.Array):
        return parts
    count = len(parts)
    places = np.arange(count * rows).reshape(count, rows).T.ravel()
    flat = pa.concat_arrays([in_rows(part, rows) for part in parts]).take(pa.array(places))
    return pa.ListArray.from_arrays(pa.array(np.arange(0, count * rows + 1, count, dtype=np.int32)), flat, TEXTS)


def choice_lists(choices: Value, rows: int) -> pa.Array:
    """Choices as `list<large_string>`, null where there are none."""
    if isinstance(choices, Column):
        return choices.array
    assert isinstance(choices, Const)
    return pa.nulls(rows, TEXTS) if choices.value is None else lists(choices.value, rows)


def pair(parts: list[Texts] | pa.Array, rows: int) -> tuple[pa.Array, pa.Array]:
    """Inputs and targets: null in rows that do not have exactly two parts."""
    if isinstance(parts, list):
        found = parts if len(parts) == 2 else [pa.nulls(rows, TEXT)] * 2
        return in_rows(found[0], rows), in_rows(found[1], rows)
    two = np.asarray(pc.equal(pc.list_value_length(parts), 2))
    starts = np.asarray(parts.offsets)[:-1].astype(np.int64)
    sides = (pa.array(starts + side, mask=~two) for side in (0, 1))
    inputs, targets = (parts.values.take(side) for side in sides)
    return inputs, targets
