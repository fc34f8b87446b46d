"""The families of reasoning: all ways to turn question, reasoning and answer round, on our own tables and real sets."""

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flanmix.bound import BoundTask
from flanmix.check import templates_of
from flanmix.extracting import extracted
from flanmix.mapped import GUARD, Mapped
from flanmix.prepare import Prepared, prepare
from flanmix.registry import load_registry
from flanmix.render import names_read, render
from tests.flan_cot import DATA, REASON, flan_cot

SETS = ("cot/aqua", "cot/creak", "cot/ecqa", "cot/gsm8k", "cot/strategyqa")
OURS = ("reasoning/short_questions", "reasoning/with_choices")
FAMILIES = ("reasoning", "reasoning_with_options")
REGISTRY = load_registry(plugins=False, specs=flan_cot())

ANSWER_ASKED = {"q>a", "q>ra", "q>ar", "q>r", "qr>a", "qa>r"}
QUESTION_ASKED = {"ra>q", "r>qa", "a>q", "a>qr", "r>q"}
INVERSIONS_OF_FLAN = {"qa>r", "ra>q", "a>qr", "r>qa"}
"""Those of its tasks `cot_input_inversion_…`, besides q>ra and q>ar of its chain-of-thought tasks."""

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=REASON)


def wordings(family: str) -> Iterator[Any]:
    return iter(templates_of(REGISTRY.families[family], REGISTRY.where(REGISTRY.families[family])))


def way(item: Any) -> str:
    """What a wording gives and what it asks for: `qa>r`; in a target in the order in which they stand there."""
    given = names_read(item.template, "input")
    asked = re.findall(r"\{\{ (\w+) \}\}", item.template.target)
    return (
        "".join(name[0] for name in ("question", "rationale", "answer") if name in given)
        + ">"
        + "".join(name[0] for name in asked)
    )


def options_in(item: Any) -> bool:
    return "options" in item.template.tags


# ---- the families


def test_the_open_family_has_every_way_in_several_wordings() -> None:
    counts = Counter(map(way, wordings("reasoning")))
    assert set(counts) == ANSWER_ASKED | QUESTION_ASKED
    assert set(counts) > INVERSIONS_OF_FLAN
    assert min(counts.values()) >= 2


def test_the_family_of_choices_has_every_way_with_the_options_but_from_reasoning_alone() -> None:
    counts = Counter(way(item) for item in wordings("reasoning_with_options") if options_in(item))
    assert set(counts) == (ANSWER_ASKED | QUESTION_ASKED) - {"r>q"}


def test_the_family_of_choices_has_every_way_without_the_options_but_to_reasoning_alone() -> None:
    counts = Counter(way(item) for item in wordings("reasoning_with_options") if not options_in(item))
    assert set(counts) == (ANSWER_ASKED | QUESTION_ASKED) - {"q>r"}


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_asks_for_the_question_is_inverted_and_nothing_else_is(family: str) -> None:
    for item in wordings(family):
        assert (item.style == "inverted") == (way(item) in QUESTION_ASKED), item.id


# ---- rows


def prepared(bound: BoundTask) -> tuple[Prepared, pa.Table]:
    found = prepare(bound)
    return found, Mapped(found.rows).table


def served(bound: BoundTask) -> Iterator[tuple[Any, pa.Table, pa.Table]]:
    """Each wording of a task, the rows that it serves, and what they become."""
    found, table = prepared(bound)
    for index, item in enumerate(bound.templates):
        guards = [guard for guard, serving in enumerate(found.guards) if index in serving]
        rows = table.filter(pc.is_in(table.column(GUARD), pa.array(guards, pa.int32())))
        yield item, rows, render(item.template, rows)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_the_answer_of_a_real_row_is_found_in_every_target_that_holds_it(name: str) -> None:
    """Asked for are 99.9% of the rows; it is all of them."""
    checked = 0
    for item, rows, texts in served(REGISTRY[name]):
        if item.template.extract is not None:
            found = extracted(item.template, texts.column("target"))
            assert pc.all(pc.equal(found, rows.column("answer").combine_chunks()), min_count=0).as_py(), item.id
            checked += len(rows)
    assert checked > 20_000


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_no_text_of_a_real_row_is_blank_or_shows_the_notation_of_the_files(name: str) -> None:
    for item, _, texts in served(REGISTRY[name]):
        for column in texts.columns:
            for text in column.to_pylist():
                assert text == text.strip() != "", item.id
                assert "\\n" not in text


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_an_input_that_asks_for_reasoning_does_not_hold_it_and_one_without_options_points_at_none(name: str) -> None:
    """Where it is more than a copy of the question or of a choice."""
    for item, rows, texts in served(REGISTRY[name]):
        if way(item) in ("q>a", "q>ra", "q>ar", "q>r"):
            inputs = texts.column("input").to_pylist()
            for row, input_ in zip(rows.to_pylist(), inputs, strict=True):
                shown = row["question"] + "\n" + row.get("options", "")
                assert row["rationale"] not in input_ or row["rationale"] in shown, item.id
                if not options_in(item) and "options" in row:
                    pointing = r"of (?:these|the following)|among the following|\boptions?\b"
                    assert not re.search(pointing, row["question"], re.IGNORECASE)


@needs_data
def test_the_real_sets_are_used_whole_but_for_questions_that_give_a_choice_twice() -> None:
    found = {name: prepare(REGISTRY[name]) for name in SETS}
    assert {name: (each.usable, dict(each.dropped)) for name, each in found.items()} == {
        "cot/aqua": (2_663, {"drop rule": 65}),
        "cot/creak": (6_915, {}),
        "cot/ecqa": (7_015, {"drop rule": 97}),
        "cot/gsm8k": (7_473, {}),
        "cot/strategyqa": (2_061, {}),
    }


@needs_data
@pytest.mark.parametrize("name", SETS[:3])
def test_the_answer_of_a_real_row_is_one_of_its_choices(name: str) -> None:
    _, table = prepared(REGISTRY[name])
    for row in table.select(["options", "answer"]).to_pylist():
        choices = [line[2:] for line in row["options"].split("\n")]
        assert choices.count(row["answer"]) == 1
        assert len(choices) == (2 if name == "cot/creak" else 5)
        assert all(choices)


# ---- our own tables


def table_of(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = prepared(REGISTRY[name])[1].to_pylist()
    return rows


@pytest.mark.parametrize("name", OURS)
def test_a_table_of_reasoning_holds_no_question_twice_and_reasons_long_enough_to_tell_what_was_asked(name: str) -> None:
    rows = table_of(name)
    assert len({row["question"] for row in rows}) == len(rows) >= 30
    for row in rows:
        assert row["question"].endswith("?")
        assert row["rationale"].endswith(".")
        assert len(row["rationale"]) >= 60
        assert not row["answer"].endswith(".")


@pytest.mark.parametrize("name", OURS)
def test_every_calculation_of_a_table_of_reasoning_comes_out_as_it_says(name: str) -> None:
    checked = 0
    for row in table_of(name):
        for left, right in re.findall(r"((?:[\d.]+ [-+×÷] )+[\d.]+) = ([\d.]*\d)", row["rationale"]):
            assert value(left) == Fraction(right), row
            checked += 1
    assert checked >= 10


def value(terms: str) -> Fraction:
    """What a row of sums and products comes to, products first."""
    total, product, sign, divide = Fraction(0), None, 1, False
    for token in terms.split():
        if token in "+-":
            total, product, sign = total + sign * (product or 0), None, 1 if token == "+" else -1
        elif token in "×÷":
            divide = token == "÷"
        elif product is None:
            product = Fraction(token)
        else:
            product = product / Fraction(token) if divide else product * Fraction(token)
    return total + sign * (product or 0)


def test_numbers_that_are_answers_are_reached_by_the_reasoning() -> None:
    for name in OURS:
        for row in table_of(name):
            if row["answer"].replace(":", "").isdigit():
                assert re.search(rf"(?<![\d.]){row['answer']}(?![\d:])", row["rationale"]), row


def test_the_right_choice_stands_in_each_place_and_is_never_there_twice() -> None:
    places = Counter[int]()
    for row in table_of("reasoning/with_choices"):
        choices = [line[2:] for line in row["options"].split("\n")]
        assert len(choices) == len(set(choices)) == 4
        places[choices.index(row["answer"])] += 1
    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) <= len(table_of("reasoning/with_choices")) * 0.4
