"""Rows picked from a table: the same as `take`, whatever the columns hold and however they are cut."""

import numpy as np
import pyarrow as pa
import pytest
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


# Columns of the rows' own


OWN = {"text": pa.large_string(), "list": pa.list_(pa.large_string()), "new": pa.large_string(), "number": pa.int64()}


def with_own(rows, names):
    """Rows with columns of their own, and the table that they stand for."""
    own = {
        "text": pa.array([f"own {place}" for place in range(len(rows))], OWN["text"]),
        "list": pa.array([[f"own {place}"] * (place % 3) for place in range(len(rows))], OWN["list"]),
        "new": pa.array([f"new {place}" if place % 4 else None for place in range(len(rows))], OWN["new"]),
        "number": pa.array(range(100, 100 + len(rows)), OWN["number"]),
    }
    columns = {name: own[name] for name in names}
    table = TABLE.take(pa.array(rows)).combine_chunks()
    taken = {name: table.column(name) for name in table.column_names}
    return Rows(ViewedTable(TABLE), rows).with_columns(columns), pa.table(taken | columns)


NAMES = st.lists(st.sampled_from(sorted(OWN)), unique=True)


@given(ROWS, NAMES, st.data())
def test_columns_of_their_own_stand_in_place_of_others_and_beside_them(rows, names, data):
    found, expected = with_own(rows, names)
    assert found.table.equals(expected)
    assert [found.column(name).to_pylist() for name in expected.column_names] == list(expected.to_pydict().values())
    assert found.numbers("number").tolist() == expected["number"].to_pylist()
    some = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if len(rows) else []
    places = np.array(some, np.int64)
    assert found.at(places).table.equals(expected.take(pa.array(places)).combine_chunks())
    assert found.at(places).at(places[:0]).table.num_rows == 0


@given(ROWS, NAMES, NAMES)
def test_columns_may_be_given_more_than_once(rows, names, more):
    found, _ = with_own(rows, names)
    later = {name: pa.array([f"later {place}" for place in range(len(rows))], pa.large_string()) for name in more}
    table = found.with_columns(later).table
    for name in table.column_names:
        expected = later[name] if name in later else found.column(name)
        assert table[name].to_pylist() == expected.to_pylist()


def test_texts_of_their_own_are_not_copied():
    rows, _ = with_own(np.array([4, 2]), ["text"])
    names = rows.names(frozenset({"text", "number"}))
    assert isinstance(names["text"], Picked)
    assert names["text"].array.to_pylist() == ["own 0", "own 1"]
    assert names["number"].array.to_pylist() == TABLE["number"].take([4, 2]).to_pylist()


@given(st.sampled_from(TEMPLATES), ROWS, st.lists(st.sampled_from(["text", "list", "number"]), unique=True))
def test_both_engines_see_columns_of_their_own(template, rows, names):
    served = rows[np.asarray(TABLE["list"].is_valid())[rows] & np.asarray(TABLE["text"].is_valid())[rows]]
    found, expected = with_own(served, names)
    pieces = render_pieces(template, found)
    joined = [join([Joined(np.arange(len(served)), side)], len(served)) for side in pieces.values()]
    for texts, side in zip(joined, render_pair(template, expected), strict=True):
        assert texts.to_pylist() == side.to_pylist()


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match="the column 'text' has 1 rows, not 2"):
        Rows(ViewedTable(TABLE), np.array([1, 2])).with_columns({"text": pa.array(["x"])})


def test_rows_without_columns_of_their_own_are_the_same():
    rows = Rows(ViewedTable(TABLE), np.array([1, 2]))
    assert rows.with_columns({}) is rows


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
