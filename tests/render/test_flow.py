"""What an expression prints of a row."""

import pytest

from flanmix.render.flow import Flow, flow_of, made_of


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("answer", {"answer"}),
        ("answer | trim | upper", {"answer"}),
        ("answers.text[0]", {"answers['text'][0]"}),
        ("answers['text'] [0]", {"answers['text'][0]"}),
        ("a ~ ', ' ~ b", {"a", "b"}),
        ("a + b", {"a", "b"}),
        ("a if b else c", {"a", "c"}),
        ("'yes' if a else 'no'", set()),
        ("a or b", {"a", "b"}),
    ],
)
def test_values_are_the_parts_of_what_is_printed(expression: str, values: set[str]) -> None:
    assert flow_of(expression).values == values


def test_a_choice_is_between_alternatives() -> None:
    assert flow_of("a ~ (b if c else d)").alternatives == {"b", "d"}
    assert flow_of("a ~ b").alternatives == set()


def test_an_item_is_not_the_whole_list() -> None:
    assert flow_of("choices[label]").whole == {"label"}
    assert flow_of("choices[1:]").whole == {"choices"}
    assert flow_of("choices | join(', ')").whole == {"choices"}
    assert flow_of("choices[label]").index == (("choices", "label"),)


def test_words_of_its_own() -> None:
    assert flow_of("' not' if a else ''").words
    assert not flow_of("a[0] | upper").words
    assert flow_of("a") == Flow(frozenset({"a"}), whole=frozenset({"a"}))


def test_names_that_a_text_makes() -> None:
    text = "{% set a = b ~ c %}{% for x, y in d %}{{ x }}{% endfor %}{% set a = e %}"
    assert made_of(text) == {"a": {"b", "c", "e"}, "x": {"d"}, "y": {"d"}}
