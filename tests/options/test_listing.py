"""What rows list and answer: the choices, all of them, the right one among them, and a label that leads to it."""

from collections import Counter
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix.options.drawing import Chosen, Listing
from flanmix.options.library import listing, option_styles
from flanmix.options.listing import BLANK, NO_ANSWER, NO_OPTIONS, Listed, listed
from flanmix.options.lists import TEXT
from flanmix.options.marks import marks
from flanmix.spec import Options, OptionStyle
from flanmix.spec.axes import OptionTarget
from tests.options.naive import listed_row

TEXTS = pa.list_(TEXT)
STYLES = list(option_styles())
FOUR = ["red", "green", "blue", "grey"]
COLUMNS = ("options", "choices", "answer", "answer_index", "answer_choices")


def shown(
    choices: list[Any],
    answers: list[Any] | None,
    options: Options | Listing | None = None,
    first: int = 0,
    epoch: int = 0,
    **others: Any,
) -> Listed:
    """The options of rows from number `first` on."""
    how = options if isinstance(options, Listing) else listing(options or Options())
    rows, epochs = np.arange(first, first + len(choices)), np.full(len(choices), epoch)
    told = {"seed": 7, "task": "toy", **others}
    return listed(
        pa.array(choices, TEXTS), None if answers is None else pa.array(answers, TEXT), rows, epochs, how, **told
    )


def one(choices: list[Any], answer: Any, style: str | OptionStyle = "bullets", target: OptionTarget = "text") -> Any:
    """The list and the answer of one row."""
    found = shown([choices], [answer], Options(style, target=target))
    return found.options.to_pylist()[0], found.answer.to_pylist()[0]


# Styles


def test_bullets_are_the_lines_that_prepared_rows_have() -> None:
    assert one(["yes", "no"], "no") == ("- yes\n- no", "no")
    assert one(["a\nb", " c "], "a\nb") == ("- a\nb\n-  c ", "a\nb")


@pytest.mark.parametrize(
    ("style", "list_", "label", "both"),
    [
        ("bullets", "- yes\n- no", "no", "no"),
        ("stars", "* yes\n* no", "no", "no"),
        ("dots", "• yes\n• no", "no", "no"),
        ("lines", "yes\nno", "no", "no"),
        ("letters", "(A) yes\n(B) no", "B", "(B) no"),
        ("letters-dot", "A. yes\nB. no", "B", "B. no"),
        ("letters-square", "[A] yes\n[B] no", "B", "[B] no"),
        ("small-letters-bracket", "a) yes\nb) no", "b", "b) no"),
        ("numbers", "1. yes\n2. no", "2", "2. no"),
        ("roman", "i) yes\nii) no", "ii", "ii) no"),
        ("roman-capitals", "I. yes\nII. no", "II", "II. no"),
        ("inline-letters", "(A) yes; (B) no", "B", "(B) no"),
        ("inline-square", "[1: yes; 2: no]", "2", "2: no"),
        ("titled-capitals", "OPTIONS:\n- yes\n- no", "no", "no"),
        ("titled-letters", "Possible answers:\nA. yes\nB. no", "B", "B. no"),
    ],
)
def test_a_style_says_how_options_look_and_what_answers_them(style: str, list_: str, label: str, both: str) -> None:
    # bullets answer with their text whatever is asked, so they are drawn beside a style with labels
    how = Listing((option_styles()[style],), (("label", 1.0),))
    found = shown([["yes", "no"]], ["no"], how)
    assert (found.options[0].as_py(), found.answer[0].as_py()) == (list_, label)
    assert shown([["yes", "no"]], ["no"], Listing(how.styles, (("both", 1.0),))).answer[0].as_py() == both
    assert shown([["yes", "no"]], ["no"], Listing(how.styles)).answer[0].as_py() == "no"


def test_a_style_of_ones_own_may_have_all_of_it() -> None:
    own = OptionStyle("own", labels="roman", label="  <{}> ", separator=" / ", start="pick: ", end=".")
    assert one(["up", "down"], "down", own, "both") == ("pick:   <i> up /   <ii> down.", "<ii> down")


def test_options_that_would_break_a_line_have_lines_of_their_own() -> None:
    assert one(["up", "left\nright"], "up", "inline-letters")[0] == "(A) up\n(B) left\nright"
    assert one(["up; left", "right"], "right", "inline-letters")[0] == "(A) up; left\n(B) right"
    assert one(["up, left", "right"], "right", "inline-letters")[0] == "(A) up, left; (B) right"


def test_one_choice_is_a_list_too() -> None:
    assert one(["yes"], "yes", "inline-square", "label") == ("[1: yes]", "1")


def test_more_than_26_choices_go_on_with_two_letters() -> None:
    texts = [f"text {number}" for number in range(700)]
    options, answer = one(texts, "text 26", "letters-bracket", "label")
    assert answer == "AA"
    assert options.splitlines()[26] == "AA) text 26"
    assert one(texts, "text 27", "small-letters", "both")[1] == "(ab) text 27"


def test_very_long_lists_are_lists() -> None:
    texts = [str(number) for number in range(200_000)]
    found = shown([texts, ["0", "1"]], ["199999", "0"], Options(STYLES, order="shuffled", target="label"))
    assert sorted(found.choices[0].as_py(), key=int) == texts
    place = found.answer_index[0].as_py()
    assert found.choices[0][place].as_py() == "199999"


# The right answer


def test_an_answer_is_found_to_the_letter_before_it_is_found_but_for_white_space() -> None:
    found = shown([[" yes", "yes", "no"], [" yes ", "no"], ["no", "\u00a0yes\x1f"]], ["yes", "yes", "yes\n"])
    assert found.answer_index.to_pylist() == [1, 0, 1]
    assert found.answer.to_pylist() == ["yes", " yes ", "\u00a0yes\x1f"]  # as it stands in the list


@pytest.mark.parametrize("answer", ["Yes", "maybe", "ye", "yes no", None])
def test_a_row_whose_answer_is_none_of_the_choices_is_lost(answer: str | None) -> None:
    found = shown([["yes", "no"], ["yes", "no"]], [answer, "no"], Options("letters", target="label"))
    assert found.lost[NO_ANSWER].tolist() == [True, False]
    assert found.answer_index.to_pylist() == [-1, 1]
    assert found.options.to_pylist() == [None, "(A) yes\n(B) no"]
    assert found.answer.to_pylist() == [None, "B"]


def test_rows_without_choices_or_with_a_null_one_are_lost_as_ever() -> None:
    choices = [[], None, ["yes", None], ["yes"], [None]]
    for options in (Options(), Options("inline-letters", order="shuffled", target="both")):
        found = shown(choices, ["yes"] * 5, options)
        assert found.lost[NO_OPTIONS].tolist() == [True, True, True, False, True]
        assert found.options.is_null().to_pylist() == [True, True, True, False, True]
        assert found.answer.is_null().to_pylist() == [True, True, True, False, True]
        assert [None if each is None else sorted(each, key=str) for each in found.choices.to_pylist()] == [
            None if each is None else sorted(each, key=str) for each in choices
        ]


def test_an_empty_choice_is_listed_and_no_right_answer() -> None:
    found = shown([["", "no"]] * 3, ["no", "", " "], Options("letters", target="both"))
    assert found.options.to_pylist() == ["(A) \n(B) no", None, None]
    assert found.answer.to_pylist() == ["(B) no", None, None]
    assert found.lost[BLANK].tolist() == [False, True, True]


def test_of_equal_choices_the_first_one_shown_is_the_answer() -> None:
    for order in ("kept", "shuffled"):
        found = shown([["a", "b", "b", "c"]] * 50, ["b"] * 50, Options("letters", order=order, target="label"))
        for choices, answer in zip(found.choices.to_pylist(), found.answer.to_pylist(), strict=True):
            assert answer == "ABCD"[choices.index("b")]


def test_without_an_answer_options_are_listed_all_the_same() -> None:
    found = shown([["yes", "no"], []], None)
    assert found.options.to_pylist() == ["- yes\n- no", None]
    assert found.answer_index.to_pylist() == [-1, -1]
    assert not any(NO_ANSWER in reason for reason in found.lost)


def test_answers_of_every_choice_are_there_for_evaluation() -> None:
    found = shown([["yes", "no"], ["a", "b", "c"], []], ["no", "c", "d"], Options("letters", target="label"))
    assert found.answer_choices.to_pylist() == [["A", "B"], ["A", "B", "C"], []]
    assert found.answer_index.to_pylist() == [1, 2, -1]  # as the data have them, where the order is kept
    assert found.answer_index.type == pa.int32()
    both = shown([["yes", "no"]], ["no"], Options("numbers", target="both"))
    assert both.answer_choices.to_pylist() == [["1. yes", "2. no"]]
    assert shown([["yes", "no"]], ["no"]).answer_choices.to_pylist() == [["yes", "no"]]


@pytest.mark.parametrize(
    "choices",
    [
        pa.chunked_array([pa.array([["a", "b"]], TEXTS), pa.array([], TEXTS), pa.array([["c"], None], TEXTS)]),
        pa.array([["x"], ["a", "b"], ["c"], None, ["y"]], pa.list_(pa.string())).slice(1, 3),
        pa.array([["x", "y"], ["a", "b"], ["c"], None], pa.large_list(TEXT)).slice(1),
    ],
    ids=["chunks", "a slice of strings", "a slice of a large list"],
)
def test_columns_may_come_in_chunks_in_slices_and_in_other_types_of_text(choices: Any) -> None:
    answers = pa.chunked_array([["b"], ["c", "d"]], pa.string())
    found = listed(choices, answers, np.arange(3), np.zeros(3), listing(Options("letters")), seed=1, task="t")
    assert found.options.to_pylist() == ["(A) a\n(B) b", "(A) c", None]
    assert found.choices.to_pylist() == [["a", "b"], ["c"], None]
    assert found.answer.to_pylist() == ["b", "c", None]


@pytest.mark.parametrize("choices", [pa.nulls(2), pa.array([None, []]), pa.array([], TEXTS)])
def test_columns_without_a_text_have_no_options(choices: pa.Array) -> None:
    rows, how = np.arange(len(choices)), listing(Options(STYLES, order="shuffled", target={"both": 1, "text": 1}))
    found = listed(choices, pa.nulls(len(choices), TEXT), rows, rows, how, seed=1, task="t")
    assert found.options.to_pylist() == found.answer.to_pylist() == [None] * len(choices)
    assert found.lost[NO_OPTIONS].all()


# Properties, whatever the data


TEXT_OF = st.one_of(
    st.sampled_from(["a", "b", "B", "yes", " yes", "yes ", "", "a; b", "x\ny", "A) x", "1, 2", "é", "ß" * 9, "{}"]),
    st.text(max_size=6),
)
CHOICES = st.one_of(st.none(), st.lists(st.one_of(TEXT_OF, TEXT_OF, TEXT_OF, st.none()), max_size=30))
OWN_STYLES = st.builds(
    lambda labels, start, end, separator, tail: OptionStyle(
        "own",
        labels=labels,
        label="" if labels == "none" else f"{start}{{}}{tail}",
        separator="\n" if labels == "none" else separator,
        start=start,
        end=end,
    ),
    st.sampled_from(get_args(OptionStyle.model_fields["labels"].annotation)),
    st.sampled_from(["", "(", " <"]),
    st.sampled_from(["", ")", "\n."]),
    st.sampled_from([", ", "; ", " ", "\n", "\n\n", "a"]),
    st.sampled_from([")", ". ", ") "]),
)


@st.composite
def hows(draw: st.DrawFn) -> Listing:
    names = draw(st.lists(st.sampled_from(STYLES), max_size=5, unique=True))
    styles = [option_styles()[name].model_copy(update={"weight": draw(st.sampled_from([0.5, 1, 7]))}) for name in names]
    styles += [draw(OWN_STYLES)] if not styles or draw(st.booleans()) else []
    kinds = draw(st.lists(st.sampled_from(get_args(OptionTarget)), min_size=1, max_size=3, unique=True))
    return Listing(
        tuple(styles), tuple((kind, draw(st.sampled_from([1.0, 3.0]))) for kind in kinds), draw(st.booleans())
    )


@st.composite
def rows_of(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    choices = draw(st.lists(CHOICES, max_size=12))
    answers = [draw(st.one_of(st.sampled_from(each or [None]), TEXT_OF, st.none())) for each in choices]
    return choices, answers


def as_rows(found: Listed) -> list[dict[str, Any]]:
    rows = pa.table(found.columns(COLUMNS)).to_pylist()
    return [{**row, "style": found.how.styles[style].name} for row, style in zip(rows, found.styles, strict=True)]


@settings(max_examples=150)
@given(rows_of(), hows(), st.integers(0, 2**40), st.integers(0, 5))
def test_columns_are_what_plain_python_makes_of_each_row(
    data: tuple[list[Any], list[Any]], how: Listing, first: int, epoch: int
) -> None:
    choices, answers = data
    expected = [
        listed_row(each, answer, first + number, epoch, how, 7, "toy")
        for number, (each, answer) in enumerate(zip(choices, answers, strict=True))
    ]
    found = as_rows(shown(choices, answers, how, first, epoch))
    assert [{key: row[key] for key in expected[0]} for row in found] == expected if expected else not found


@settings(max_examples=200)
@given(rows_of(), hows())
def test_options_are_the_choices_with_the_answer_among_them_where_its_label_says(
    data: tuple[list[Any], list[Any]], how: Listing
) -> None:
    found = shown(*data, how)
    lost = np.logical_or.reduce(list(found.lost.values()))
    for number, (row, choices, answer) in enumerate(zip(as_rows(found), *data, strict=True)):
        assert (row["choices"] is None) == (choices is None)
        assert Counter(row["choices"] or []) == Counter(choices or [])
        assert (row["options"] is None) == (row["answer"] is None) == lost[number]
        if lost[number]:
            continue
        place, style = row["answer_index"], how.styles[found.styles[number]]
        assert row["choices"][place].strip() == answer.strip()
        assert row["answer_choices"][place] == row["answer"]
        assert all(text in row["options"] for text in row["choices"])
        target = how.targets[found.chosen.targets[number]][0]
        if style.labels == "none" or target == "text":
            assert row["answer"] == row["choices"][place]
        elif target == "label":
            assert row["answer"] == marks(style.labels, place + 1)[place]
            assert row["answer"].isalnum()
        else:
            assert row["answer"] in row["options"]
            assert row["answer"].endswith(row["choices"][place])


@settings(max_examples=100)
@given(rows_of(), hows(), st.data())
def test_rows_are_the_same_alone_in_any_order_and_together(
    data: tuple[list[Any], list[Any]], how: Listing, pick: st.DataObject
) -> None:
    choices, answers = data
    whole = as_rows(shown(choices, answers, how))
    some = pick.draw(st.lists(st.integers(0, len(choices) - 1), max_size=8)) if choices else []
    rows = np.array(some, np.int64)
    parts = listed(
        pa.array([choices[row] for row in some], TEXTS),
        pa.array([answers[row] for row in some], TEXT),
        rows,
        np.zeros(len(rows), np.int64),
        how,
        seed=7,
        task="toy",
    )
    assert as_rows(parts) == [whole[row] for row in some]


def test_styles_and_targets_may_be_given() -> None:
    how = listing(Options(["letters", "numbers"], target={"text": 1, "label": 1}))
    chosen = Chosen(np.array([1, 0, 1]), np.array([1, 1, 0]))
    found = shown([["yes", "no"]] * 3, ["no"] * 3, how, chosen=chosen)
    assert found.answer.to_pylist() == ["2", "B", "no"]
    assert found.styles.tolist() == [1, 0, 1]


def test_columns_are_those_that_are_asked_for() -> None:
    found = shown([FOUR], ["red"])
    assert list(found.columns({"options", "answer", "question"})) == ["options", "answer"]
