"""Pieces of text joined through views: what a loop over rows would write, whatever the arrays look like."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.render import viewing
from flanmix.render.viewing import Joined, Picked, Viewed, join

TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=40)), min_size=1, max_size=20)
KINDS = [pa.string(), pa.large_string(), pa.string_view()]


@st.composite
def arrays(draw):
    """An array of texts with nulls, perhaps a slice of another, perhaps in chunks; and the same as a list."""
    texts, kind = draw(TEXTS), draw(st.sampled_from(KINDS))
    first = draw(st.integers(0, len(texts) - 1))
    array = pa.array(texts, kind)[first:]
    cut = draw(st.integers(0, len(array)))
    return draw(st.sampled_from([array, pa.chunked_array([array[:cut], array[cut:]])])), texts[first:]


@st.composite
def parts(draw):
    """Rows dealt out to parts, each of a few pieces; and the text that every row should have."""
    rows = draw(st.integers(0, 12))
    owner = draw(st.lists(st.integers(-1, 2), min_size=rows, max_size=rows))
    expected: list[str | None] = [None] * rows
    found = []
    for number in range(3):
        places = np.flatnonzero(np.array(owner, np.int64) == number)
        pieces, lists = [], []
        for _ in range(draw(st.integers(0, 3))):
            array, texts = draw(arrays())
            chosen = draw(st.lists(st.integers(0, len(texts) - 1), min_size=len(places), max_size=len(places)))
            values = [texts[row] for row in chosen]
            made = draw(st.sampled_from(["constant", "picked", "array"]))
            if made == "constant":
                values = [draw(st.text(max_size=20))] * len(places)
                pieces.append(values[0] if values else "")
            else:
                whole = pa.array(values, pa.large_string())
                pieces.append(Picked(Viewed(array), np.array(chosen, np.int64)) if made == "picked" else whole)
            lists.append(values)
        found.append(Joined(places, pieces))
        for index, place in enumerate(places):
            of_row = [values[index] for values in lists]
            expected[place] = None if None in of_row else "".join(of_row)
    return found, rows, expected


@given(parts())
def test_every_row_is_its_pieces_side_by_side_and_null_where_one_is(drawn):
    found, rows, expected = drawn
    joined = join(found, rows)
    joined.validate(full=True)
    assert joined.type == pa.large_string()
    assert joined.to_pylist() == expected


@given(parts(), st.data())
def test_a_stretch_of_the_rows_is_a_slice_of_the_whole(drawn, data):
    found, rows, expected = drawn
    start = data.draw(st.integers(0, rows))
    stop = data.draw(st.integers(start, rows))
    assert join([part.between(start, stop) for part in found], stop - start).to_pylist() == expected[start:stop]


@given(arrays(), st.data())
def test_texts_are_picked_in_any_order_and_as_often_as_wanted(drawn, data):
    array, texts = drawn
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=30))
    viewed = Viewed(array)
    assert viewed.texts(np.array(rows, np.int64)).to_pylist() == [texts[row] for row in rows]
    assert viewed.longest == max(len((text or "").encode()) for text in texts)


def test_an_array_too_large_for_32_bits_is_viewed_in_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(viewing, "_VIEW_BYTES", 100)
    texts = [f"a text that is longer than twelve bytes, number {number}" for number in range(9)]
    viewed = Viewed(pa.array(texts, pa.large_string()))
    assert len(viewed.data) > 1
    assert viewed.texts(np.arange(8, -1, -1)).to_pylist() == texts[::-1]


def test_nothing_is_copied_until_it_is_joined():
    array = pa.array(["a text that is longer than twelve bytes"] * 3, pa.large_string())
    assert [buffer.address for buffer in Viewed(array).data if buffer.size] == [array.buffers()[2].address]
