"""Texts taken apart and put together again: nothing is lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.importers.pieces import NotNative, pieces_of, quoted, replaced, split, with_choices, with_plain_newlines
from flanmix.render.environment import BadTemplate, compile_template

TEXTS = [
    "a {{ b }} c",
    "a  {{- b -}}  c",
    "{# x #} {%- if a +%}\n b{% endif -%} \n",
    "{% raw %} {{ {% endraw %}",
    "{{ '}}' }}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_stand_where_they_say_and_leave_out_only_white_space(text: str) -> None:
    place = 0
    for piece in pieces_of(text):
        assert text[piece.start : piece.end] == piece.text
        assert not text[place : piece.start].strip()
        place = piece.end
    assert not text[place:].strip()


def test_a_text_that_is_no_template_is_refused() -> None:
    with pytest.raises(BadTemplate):
        pieces_of("{{ a ]")


def test_every_newline_is_one() -> None:
    assert with_plain_newlines("a\r\nb\rc\nd\n\r") == "a\nb\nc\nd\n\n"


@given(st.lists(st.text(min_size=1, max_size=3)), st.text(max_size=3))
def test_stretches_are_replaced_in_any_order(words: list[str], new: str) -> None:
    text, places = "".join(words), []
    for index, word in enumerate(words):
        start = len("".join(words[:index]))
        places.append((start, start + len(word), f"{new}{index}"))
    assert replaced(text, places[::-1]) == "".join(f"{new}{index}" for index in range(len(words)))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_text_is_read_as_that_text(text: str) -> None:
    assert compile_template("{{ " + quoted(text) + " }}").render({}) == text


def test_the_parts_of_a_text_are_what_stands_around_the_separator() -> None:
    assert split("a {{ b }}|||{# ||| #}\nc") == ("a {{ b }}", "{# ||| #}\nc")
    with pytest.raises(NotNative, match="inside a block"):
        split("{% for x in l %} ||| {% endfor %}")


def test_a_word_of_the_choices_needs_no_braces() -> None:
    choices = ("yes", "", "{x", "a b")
    assert with_choices("{{ answer_choices[0] }} {{answer_choices[3]}}", choices) == "yes a b"
    literal = '["yes", "", "{x", "a b"]'
    for text in (
        "{{ answer_choices[1] }}",
        "{{ answer_choices[2] }}",
        "{{ answer_choices[-1] }}",
        "{{ answer_choices }}",
    ):
        assert with_choices(text, choices) == text.replace("answer_choices", literal)
