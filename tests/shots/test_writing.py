"""Exemplars as texts: to the byte as a format says, and in no more room than there is."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.keyed import Ints
from flanmix.render.viewing import join
from flanmix.shots import NONE, Chosen, Room, around, written
from flanmix.shots.library import shot_formats
from flanmix.spec import ShotFormat
from tests.toy_tokens import KINDS, LINES, tokenizer

TEXT = pa.large_string()
texts = st.text(st.characters(codec="utf-8"), max_size=12)
Lengths = Callable[[pa.Array], Ints]


def characters(found: pa.Array) -> Ints:
    return np.asarray(pc.utf8_length(found)).astype(np.int64)


@st.composite
def chosen(draw: st.DrawFn, some: st.SearchStrategy[str] = texts) -> tuple[Chosen, list[str]]:
    """Exemplars of up to five rows, the farthest ones missing, and the rows' own inputs."""
    pairs = draw(st.lists(st.tuples(some, some), min_size=1, max_size=6))
    own = draw(st.lists(some, min_size=1, max_size=5))
    width = draw(st.integers(0, 4))
    rows = []
    for _ in own:
        places = draw(st.lists(st.integers(0, len(pairs) - 1), max_size=width))
        rows.append([NONE] * (width - len(places)) + places)
    at = np.array(rows, np.int64).reshape(len(own), width)
    inputs, targets = (pa.array([pair[side] for pair in pairs], TEXT) for side in (0, 1))
    return Chosen(at, inputs, targets, np.arange(100, 100 + len(pairs))), own


def naive(found: Chosen, own: str, row: int, form: ShotFormat) -> str:
    """One row's prompt, written from left to right."""
    places = [place for place in found.at[row].tolist() if place != NONE]
    if not places:
        return own
    text = ""
    for place in places:
        text += form.input_prefix + found.inputs[place].as_py() + form.cue + (form.between or "")
        text += found.targets[place].as_py() + form.separator
    return text + form.input_prefix + own + form.cue


own_formats = st.builds(ShotFormat, st.just("own"), input_prefix=texts, cue=texts, between=texts, separator=texts)
formats = st.lists(own_formats, min_size=1, max_size=3)


# Formats


@given(chosen(), formats, st.data())
def test_prompts_are_to_the_byte_what_a_format_says(
    case: tuple[Chosen, list[str]], forms: list[ShotFormat], data: st.DataObject
) -> None:
    found, own = case
    number = np.array([data.draw(st.integers(0, len(forms) - 1)) for _ in own])
    parts = list(written(found, pa.array(own, TEXT), np.arange(len(own)), forms, number))
    expected = [naive(found, text, row, forms[number[row]]) for row, text in enumerate(own)]
    assert join(parts, len(own)).to_pylist() == expected


def test_rows_stand_where_they_are_told_to() -> None:
    found = Chosen(np.array([[0], [NONE]]), pa.array(["q"], TEXT), pa.array(["a"], TEXT), np.array([7]))
    form = ShotFormat("own", input_prefix="Q: ", cue=" A:", between=" ", separator=" | ")
    parts = written(found, pa.array(["x", "y"], TEXT), np.array([3, 1]), [form], np.zeros(2, np.int64))
    assert join(list(parts), 4).to_pylist() == [None, "y", None, "Q: q A: a | Q: x A:"]


@pytest.mark.parametrize("name", shot_formats())
def test_a_format_that_ships_parts_all_texts(name: str) -> None:
    """Were texts numbers, one could still tell where each ends; and the prompt ends as an exemplar's input does."""
    form = shot_formats()[name].model_copy(update={"between": "\n"})
    found = Chosen(np.array([[0, 1]]), pa.array(["1", "3"], TEXT), pa.array(["2", "4"], TEXT), np.array([0, 1]))
    parts = list(written(found, pa.array(["5"], TEXT), np.arange(1), [form], np.zeros(1, np.int64)))
    (text,) = join(parts, 1).to_pylist()
    digits = [place for place, sign in enumerate(text) if sign.isdigit()]
    between = [text[one + 1 : other] for one, other in pairwise(digits)]
    assert [text[place] for place in digits] == list("12345")
    assert between[0] == between[2] == form.cue + "\n"
    assert between[1] == between[3] == form.separator + form.input_prefix
    assert len(form.separator) > 1
    assert text.startswith(form.input_prefix)
    assert text.endswith("5" + form.cue)
    assert not text.endswith((" ", "\n"))


@given(chosen())
def test_turns_and_numbers_are_those_of_the_exemplars(case: tuple[Chosen, list[str]]) -> None:
    found, own = case
    rows = [[place for place in row if place != NONE] for row in found.at.tolist()]
    pairs = [(user.as_py(), assistant.as_py()) for user, assistant in zip(found.inputs, found.targets, strict=True)]
    told = [[(turn["user"], turn["assistant"]) for turn in turns] for turns in found.turns.to_pylist()]
    assert told == [[pairs[place] for place in row] for row in rows]
    assert found.numbers.to_pylist() == [[100 + place for place in row] for row in rows]
    assert found.counts.tolist() == [len(row) for row in rows]
    assert len(own) == len(rows)


# Room


def of_tokens(kind: str) -> Lengths:
    return tokenizer(kind).lengths


def in_all(found: Chosen, own: str, row: int, form: ShotFormat, lengths: Lengths, count: int) -> int:
    """The length of the prompt with the nearest exemplars, each text measured alone."""
    places = [place for place in found.at[row].tolist() if place != NONE]
    parts = [own]
    if count:
        parts += [form.input_prefix, form.cue]
    for place in places[len(places) - count :]:
        parts += [form.input_prefix, found.inputs[place].as_py(), form.cue + (form.between or "")]
        parts += [found.targets[place].as_py(), form.separator]
    return int(lengths(pa.array(parts, TEXT)).sum())


def check_fitted(found: Chosen, own: list[str], form: ShotFormat, lengths: Lengths, most: int) -> None:
    """The longest row of nearest exemplars that fits is kept, and no other."""
    of_each, of_own = (np.full(len(own), length) for length in around(form, lengths))
    kept = Room(most, lengths).fitted(found, pa.array(own, TEXT), of_each, of_own)
    for row, text in enumerate(own):
        before = [place for place in found.at[row].tolist() if place != NONE]
        after = [place for place in kept.at[row].tolist() if place != NONE]
        fitting = [n for n in range(1, len(before) + 1) if in_all(found, text, row, form, lengths, n) <= most]
        assert after == before[len(before) - max(fitting, default=0) :]


@given(chosen(), formats, st.integers(0, 120))
def test_as_many_of_the_nearest_exemplars_stay_as_characters_allow(
    case: tuple[Chosen, list[str]], forms: list[ShotFormat], most: int
) -> None:
    check_fitted(*case, forms[0], characters, most)


@pytest.mark.parametrize("kind", KINDS)
@given(chosen(st.sampled_from(LINES)), st.integers(0, 150))
def test_as_many_of_the_nearest_exemplars_stay_as_tokens_allow(
    kind: str, case: tuple[Chosen, list[str]], most: int
) -> None:
    check_fitted(*case, ShotFormat("qa", input_prefix="Q: ", cue="\nA:", between=" "), of_tokens(kind), most)


@given(chosen(), formats, st.integers(0, 120))
def test_a_prompt_with_exemplars_is_within_its_room_and_one_that_fits_is_unchanged(
    case: tuple[Chosen, list[str]], forms: list[ShotFormat], most: int
) -> None:
    found, own = case
    of_each, of_own = (np.full(len(own), length) for length in around(forms[0], characters))
    kept = Room(most, characters).fitted(found, pa.array(own, TEXT), of_each, of_own)
    for row, text in enumerate(own):
        whole, now = (naive(each, text, row, forms[0]) for each in (found, kept))
        assert now == text or len(now) <= most
        assert now == whole or len(whole) > most


def test_budgets_of_a_row_hang_on_no_other_row() -> None:
    found = Chosen(np.array([[0, 1], [1, 0]]), pa.array(["aa", "b"], TEXT), pa.array(["c", "d"], TEXT), np.arange(2))
    own = pa.array(["x", "yyyyyyy"], TEXT)
    kept = Room(8, characters).fitted(found, own, np.zeros(2, np.int64), np.zeros(2, np.int64))
    assert kept.at.tolist() == [[0, 1], [NONE, NONE]]
