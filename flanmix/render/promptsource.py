"""The dialect `promptsource`: texts that hold `|||`, choices, and data that must not be taken for either.

The semantics are those of bigscience-workshop/promptsource 0.2 as it renders, established by running it; only what is
random there is a function of (seed, task, template, row) here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.order import Ints, Words, key64, keyed_words
from flanmix.render.columns import render_columns, render_pieces
from flanmix.render.environment import Program, compile_template
from flanmix.render.kernels import replaced
from flanmix.render.printing import Texts, copied, in_rows, join_texts, refuse_long
from flanmix.render.rows import arrow_of, drawing, each_row, rows_of
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


def compile_text(template: Template, key: str) -> Program:
    """Compile what a template of the dialect has under `jinja` or `answer_choices`; raises `BadTemplate`."""
    text = template.texts[key]
    truncated = template.truncate and key == "jinja"
    return compile_template(text.replace("}}", _TRUNCATED) if truncated else text, "promptsource")


def compile_dialect(template: Template, key: tuple[str | int, ...] = ()) -> Programs:
    """Compile a template of the dialect; raises `BadTemplate`."""
    choices = None if template.answer_choices is None else compile_text(template, CHOICES)
    return Programs(compile_text(template, "jinja"), choices, key)


def refuse_names(table: pa.Table) -> None:
    """Raise where a column has a name that the dialect keeps for itself: `ValueError` or `TypeError`, as it does."""
    if CHOICES in table.column_names:
        raise ValueError(f"a column is called '{CHOICES}', which the dialect promptsource makes itself - rename it")
    if "self" in table.column_names:
        raise TypeError("a column is called 'self', which Jinja keeps for itself - rename it")


# ---- by rows


Draw: TypeAlias = Callable[[int], int]


def draws_of(programs: Programs, rows: Ints) -> Callable[[int], tuple[Draw, Draw]]:
    """For each of some rows of a source, by its place among them, the numbers for a template and for its choices."""
    of_jinja = drawing(lambda place, nth: programs.words(0, place, nth, rows))
    of_choices = drawing(lambda place, nth: programs.words(1, place, nth, rows))
    return lambda index: (of_jinja(index), of_choices(index))


def seen_by(programs: Programs, row: Mapping[str, Any], draw: Draw) -> dict[str, Any]:
    """What the template sees of a row: texts without separators, and the choices."""
    protected = {name: protect(value) if isinstance(value, str) else value for name, value in row.items()}
    choices = None
    if programs.choices is not None:
        text = programs.choices.render(protected, draw)
        choices = [unprotect(choice.strip()) for choice in text.split(SEPARATOR)]
    return {**protected, CHOICES: choices}


def by_rows(programs: Programs, table: pa.Table, rows: Ints) -> tuple[pa.Array, Value]:
    """Parts and choices of every row, which are rows `rows` of their source; raises `RowError`."""
    draws = draws_of(programs, rows)

    def make(index: int, row: dict[str, Any]) -> tuple[list[str], list[str] | None]:
        draw, draw_choices = draws(index)
        seen = seen_by(programs, row, draw_choices)
        return parts_of(programs.jinja.render(seen, draw)), seen[CHOICES]

    made = each_row(rows_of(table, programs.variables), make)
    parts, choices = (arrow_of([each[side] for each in made], TEXTS) for side in (0, 1))
    return parts, Column(choices)


def parts_of(text: str) -> list[str]:
    """The parts of a rendered text."""
    return [unprotect(part).strip() for part in text.split(SEPARATOR)]


def protect(text: str) -> str:
    """A text of a row in which nothing is taken for a separator."""
    return text.replace(SEPARATOR, PROTECTED)


def unprotect(text: str) -> str:
    """The text as it was before it was protected."""
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
    return _parted([copied(piece) for piece in pieces]), choices


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
        return Const(parts_of(texts))
    return Column(_split(texts))


def _parted(pieces: list[Texts]) -> list[Texts] | pa.Array:
    if _own_pipes_may_meet(pieces) or any(_has_pipe(piece) for piece in pieces if not isinstance(piece, str)):
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


def _own_pipes_may_meet(pieces: list[Texts]) -> bool:
    """Whether two of the template's own texts would make a separator around something that is empty in some row."""
    groups = groupby(pieces, lambda piece: isinstance(piece, str))
    own = [text for text in ("".join(map(str, group)) for is_own, group in groups if is_own) if text]
    return any(one[-1] == other[0] == "|" for one, other in pairwise(own))


def _finished(texts: Texts) -> Texts:
    """Stripped, and what was protected put back."""
    if isinstance(texts, str):
        return unprotect(texts).strip()
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
