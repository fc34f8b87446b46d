"""Chance in options: every order as often as any other, styles by weight, and none of it hanging on another."""

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency, chisquare

from flanmix.keyed import Ints
from flanmix.options.drawing import Listing
from flanmix.options.library import listing
from flanmix.options.listing import Listed, listed
from flanmix.options.lists import TEXT
from flanmix.spec import Options

ROWS = 100_000
RARE = 1e-4
"""Seeds are fixed, so a test that passes goes on to; by chance one of 10,000 would not."""


def shuffled(texts: list[str], *, seed: int = 3, task: str = "toy", epoch: int = 0, rows: int = ROWS) -> Listed:
    """Rows with the same choices, whose right answers take turns."""
    choices = pa.repeat(pa.scalar(texts, pa.list_(TEXT)), rows)
    answers = pa.array(texts, TEXT).take(pa.array(np.arange(rows) % len(texts)))
    how = listing(Options(["letters", "numbers", "roman"], order="shuffled", target={"text": 1, "label": 3}))
    return listed(choices, answers, np.arange(rows), np.full(rows, epoch), how, seed=seed, task=task)


def orders(found: Listed) -> Ints:
    """The order of each row's four choices "0" … "3", as a number."""
    shown = np.array(found.choices.flatten().to_pylist(), np.int64).reshape(-1, 4)
    known = {order: number for number, order in enumerate(permutations(range(4)))}
    numbers = np.zeros(4**4, np.int64)
    for order, number in known.items():
        numbers[np.dot(order, [64, 16, 4, 1])] = number
    return numbers[shown @ [64, 16, 4, 1]]


@pytest.fixture(scope="module")
def four() -> Listed:
    return shuffled(["0", "1", "2", "3"])


def test_all_orders_of_four_options_come_as_often(four: Listed) -> None:
    assert chisquare(np.bincount(orders(four), minlength=24)).pvalue > RARE


@pytest.mark.parametrize("count", [2, 3, 5, 7, 26])
def test_the_right_answer_stands_in_every_place_as_often(count: int) -> None:
    found = shuffled([str(number) for number in range(count)])
    assert chisquare(np.bincount(found.index, minlength=count)).pvalue > RARE


def test_where_the_answer_stands_does_not_hang_on_where_it_stood(four: Listed) -> None:
    table = np.zeros((4, 4))
    np.add.at(table, (np.arange(ROWS) % 4, four.index), 1)
    assert chi2_contingency(table).pvalue > RARE


@pytest.mark.parametrize("others", [{"epoch": 1}, {"seed": 4}, {"task": "other"}], ids=str)
def test_epochs_seeds_and_tasks_have_orders_and_styles_of_their_own(four: Listed, others: dict[str, int]) -> None:
    other = shuffled(["0", "1", "2", "3"], **others)
    table = np.zeros((24, 24))
    np.add.at(table, (orders(four), orders(other)), 1)
    assert chi2_contingency(table).pvalue > RARE
    table = np.zeros((3, 3))
    np.add.at(table, (four.styles, other.styles), 1)
    assert chi2_contingency(table).pvalue > RARE


def test_style_target_and_order_do_not_hang_together(four: Listed) -> None:
    table = np.zeros((3, 2, 24))
    np.add.at(table, (four.styles, four.chosen.targets, orders(four)), 1)
    assert chi2_contingency(table).pvalue > RARE


def test_neighbouring_rows_have_orders_of_their_own(four: Listed) -> None:
    found, table = orders(four), np.zeros((24, 24))
    np.add.at(table, (found[:-1], found[1:]), 1)
    assert chi2_contingency(table).pvalue > RARE


def test_styles_and_targets_come_by_weight() -> None:
    how = listing(Options({"letters": 1, "numbers": 2, "bullets": 7}, target={"text": 0.3, "both": 0.1}))
    chosen = how.chosen(np.arange(ROWS), np.zeros(ROWS, np.int64), seed=1, task="toy")
    assert chisquare(np.bincount(chosen.styles), np.array([0.1, 0.2, 0.7]) * ROWS).pvalue > RARE
    assert chisquare(np.bincount(chosen.targets), np.array([0.75, 0.25]) * ROWS).pvalue > RARE


def test_a_further_style_moves_no_order() -> None:
    texts, rows = ["0", "1", "2", "3"], np.arange(200)
    choices = pa.repeat(pa.scalar(texts, pa.list_(TEXT)), 200)
    found = [
        listed(choices, None, rows, rows * 0, listing(Options(styles, order="shuffled")), seed=1, task="toy").choices
        for styles in (["letters"], ["letters", "bullets", "numbers"])
    ]
    assert found[0].equals(found[1])


def test_an_order_that_is_kept_is_that_of_the_data() -> None:
    choices = pa.array([["b", "a"], ["z", "y", "x"]], pa.list_(TEXT))
    found = listed(choices, None, np.arange(2), np.zeros(2), Listing(), seed=1, task="toy")
    assert found.choices.equals(choices)


@pytest.mark.parametrize(
    ("read", "misread"),
    [
        (
            {"question", "options", "choices", "label"},
            True,
        ),  # {{ choices[label] }}, where `label` counts in the data's order
        ({"question", "options", "choices", "answer"}, False),
        ({"question", "options", "answer"}, False),
        ({"options", "question"}, False),  # as input inversion has it
        ({"question", "choices", "label"}, False),
    ],
)
def test_templates_that_look_answers_up_are_told_from_those_that_follow(read: set[str], misread: bool) -> None:
    assert listing(Options("letters", order="shuffled")).misread_by(read) == misread
    assert not listing(Options("letters")).misread_by(read)


def test_what_is_drawn_stays_as_it_was() -> None:
    """Rendered bytes are the product: a change here is one of them."""
    found = shuffled(["0", "1", "2", "3"], rows=6)
    assert ["".join(each) for each in found.choices.to_pylist()] == ["1320", "0231", "3012", "1203", "2103", "3120"]
    assert found.styles.tolist() == [1, 2, 0, 0, 0, 0]
    assert found.chosen.targets.tolist() == [1, 1, 0, 1, 1, 1]
