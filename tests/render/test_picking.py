"""Rows picked from a table: the same as `take`, whatever the columns hold and however they are cut."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from flanmix.render import render_pair, render_pieces
from flanmix.render.picking import Rows, ViewedTable
from flanmix.render.viewing import Joined, Picked, join
from flanmix.spec import Template

TABLE = pa.concat_tables(
    pa.table(
        {
            "text": [f"row {row}", None, f"a rather long text of row {row}"],
            "number": [row, row + 1, row + 2],
            "list": [["a", str(row)], [], None],
        }
    )
    for row in range(0, 30, 3)
)
ROWS = st.lists(st.integers(0, len(TABLE) - 1), max_size=40).map(lambda rows: np.array(rows, np.int64))


@given(ROWS)
def test_a_copy_of_the_rows_is_what_take_gives(rows):
    assert Rows(ViewedTable(TABLE), rows).table.equals(TABLE.take(pa.array(rows)).combine_chunks())


@given(ROWS)
def test_columns_of_text_are_not_copied_and_others_are(rows):
    names = Rows(ViewedTable(TABLE), rows).names(frozenset({"text", "number"}))
    assert isinstance(names["text"], Picked)
    assert names["text"].array.to_pylist() == TABLE["text"].take(pa.array(rows)).to_pylist()
    assert names["number"].array.to_pylist() == TABLE["number"].take(pa.array(rows)).to_pylist()


def test_a_part_of_picked_rows_is_picked_from_the_table():
    rows = Rows(ViewedTable(TABLE), np.array([5, 3, 8]))
    assert rows.at(np.array([2, 0])).numbers("number").tolist() == [8, 5]


TEMPLATES = [
    Template("plain", input="{{ text }} and {{ text }}", target="{{ number }}"),
    Template("made", input="{{ text | upper }}: {{ list | join(', ') }}", target="{{ text }}{{ text | length }}"),
    Template("branch", input="{% if number > 9 %}{{ text }}{% else %}-{% endif %}", target="{{ text }}"),
    Template("set", input="{% set text = 'x' %}{{ text }}", target="{% set t = text %}{{ t }}{{ text }}"),
    Template("loop", input="{% for x in list %}{{ text }}{% endfor %}", target="{{ text ~ text }}"),
    Template("rows", input="{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(text) }}", target="{{ text }}"),
    Template("parts", dialect="promptsource", jinja="{{ text }} ||| {{ number }}"),
]


@given(st.sampled_from(TEMPLATES), ROWS)
def test_pieces_join_to_the_texts_of_a_rendered_copy(template, rows):
    served = rows[np.asarray(TABLE["list"].is_valid())[rows] & np.asarray(TABLE["text"].is_valid())[rows]]
    pieces = render_pieces(template, Rows(ViewedTable(TABLE), served))
    joined = [join([Joined(np.arange(len(served)), side)], len(served)) for side in pieces.values()]
    for found, expected in zip(joined, render_pair(template, TABLE.take(pa.array(served))), strict=True):
        assert found.to_pylist() == expected.to_pylist()


@given(ROWS)
def test_a_row_without_a_text_is_null_as_in_a_rendered_copy(rows):
    template = TEMPLATES[0]
    pieces = render_pieces(template, Rows(ViewedTable(TABLE), rows))
    joined = join([Joined(np.arange(len(rows)), pieces["input"])], len(rows))
    assert joined.to_pylist() == render_pair(template, TABLE.take(pa.array(rows)))[0].to_pylist()


def test_texts_so_long_that_characters_must_be_counted_are_refused_as_ever():
    long = pa.table({"text": ["é" * 2_100_000]})
    rows = Rows(ViewedTable(long), np.array([0]))
    (texts,) = render_pieces(Template("long", input="{{ text }}", target="a"), rows)["input"]
    assert texts.to_pylist() == ["é" * 2_100_000]


EXAMPLES = pa.list_(pa.struct([("q", pa.large_string()), ("a", pa.large_string())]))
LISTS = pa.array([[{"q": "x", "a": "1"}, {"q": "y", "a": "2"}], [], [{"q": "z", "a": "3"}]], EXAMPLES)
SHARED = pa.table(
    {
        "text": [f"row {row}" for row in range(30)],
        "said": pa.DictionaryArray.from_arrays(pa.array([0, 1, None] * 10, pa.int32()), pa.array(["Do.", "a" * 40])),
        "shown": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 2, 0] * 6, pa.int32()), LISTS),
    }
)
LOOP = Template(
    "loop",
    input="{{ text }}{% for e in shown[:1] %} {{ loop.index }} {{ e.q }}: {{ e.a }}{% endfor %}",
    target="{{ said }}{% if shown %}{{ shown | length }}{% endif %}",
)


@given(st.lists(st.integers(0, 29), min_size=1, max_size=20).map(np.array), st.booleans())
def test_columns_with_a_dictionary_give_what_their_values_give(rows, cut):
    table = pa.concat_tables([SHARED.slice(0, 7), SHARED.slice(7)]) if cut else SHARED
    plain = pa.table(
        {name: SHARED[name].cast(pa.string()) if name == "said" else SHARED[name] for name in SHARED.schema.names}
    )
    picked = Rows(ViewedTable(table), rows)
    assert picked.table.to_pylist() == plain.take(pa.array(rows)).to_pylist()
    pieces = render_pieces(LOOP, picked)
    joined = [join([Joined(np.arange(len(rows)), side)], len(rows)).to_pylist() for side in pieces.values()]
    by_rows = [texts.to_pylist() for texts in render_pair(LOOP, plain.take(pa.array(rows)), engine="rows")]
    by_columns = [texts.to_pylist() for texts in render_pair(LOOP, picked.table, engine="columns")]
    assert joined == by_rows == by_columns


def test_texts_of_a_dictionary_are_not_copied():
    names = Rows(ViewedTable(SHARED), np.arange(10)).names(frozenset({"said"}))
    assert isinstance(names["said"], Picked)


def test_rows_that_a_template_changes_do_not_share_their_values():
    change = Template(
        "change", input="{% set _ = shown.append({'q': 'w', 'a': '4'}) %}{{ shown | length }}", target="a"
    )
    rows = Rows(ViewedTable(SHARED), np.array([0, 0, 4]))
    (texts,) = render_pieces(change, rows)["input"]
    assert texts.to_pylist() == ["3", "3", "3"]
