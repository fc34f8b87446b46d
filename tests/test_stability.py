"""What stays as it was when a mixture changes: rows, their wordings, their order."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, get_args

import pyarrow as pa
import pytest

from flanmix.examples import Examples
from flanmix.order import Kind
from flanmix.planner import plan_mixture
from flanmix.registry import load_registry
from flanmix.spec import Limits, Mixture, Part, Task, Template

ASK = Template("ask", input="{{ q }}", target="{{ a }}")
TELL = Template("tell", input="Tell: {{ q }}", target="{{ a }}")
WHY = Template("why", input="Why {{ q }}", target="{{ a }}", tags=["cot"])
HOW = Template("how", input="How {{ q }}", target="{{ a }}", tags=["cot"])
NAME = Template("name", input="Name {{ q }}", target="{{ a }}", tags=["cot"])
TURN = Template("turn", input="{{ a }}", target="{{ q }}", tags=["inverted"])

Row = tuple[int, int]
"""The epoch and the number of a source row."""


def task(name: str, rows: int, *templates: Template, **others: Any) -> Task:
    table = [{"q": f"{name} {row}?", "a": f"{row * row}"} for row in range(rows)]
    return Task(name, type="arithmetic", source=table, templates=templates or (ASK, TELL), **others)


A, B, C = task("a", 5_000), task("b", 700, ASK, WHY, HOW, TURN), task("c", 40, TELL)


def built(tasks: Iterable[Task], rows: int = 3_000, seed: int = 7, **mixture: Any) -> list[dict[str, Any]]:
    """Every row of a mixture of these tasks, in order."""
    made = Mixture("m", parts=mixture.pop("parts", [Part("*")]), rows=rows, seed=seed, **mixture)
    planned = plan_mixture(made, load_registry(specs=[*tasks], bundled=False, plugins=False))
    table: list[dict[str, Any]] = Examples(planned.plan, planned.files).slice(0, rows).table.to_pylist()
    return table


def rows_of(table: Sequence[dict[str, Any]], name: str) -> list[Row]:
    """The rows of a task in the order in which they stand."""
    return [(row["fm_epoch"], row["fm_row"]) for row in table if row["fm_task"] == name]


def wordings_of(table: Sequence[dict[str, Any]], name: str) -> dict[Row, tuple[str, str, str]]:
    """The template and the texts of each of a task's rows."""
    return {
        (row["fm_epoch"], row["fm_row"]): (row["fm_template"], row["input"], row["target"])
        for row in table
        if row["fm_task"] == name
    }


# A larger budget


@pytest.mark.parametrize("max_rows", [None, 600])
@pytest.mark.parametrize("order", get_args(Kind))
@pytest.mark.parametrize("templates", ["drawn", "even"])
def test_a_task_of_a_10k_mixture_gives_a_part_of_what_it_gives_to_100k(
    max_rows: int | None, order: str, templates: str
) -> None:
    limits = Limits(max_rows=max_rows, temperature=2)
    some, more = (
        built([A, B, C], rows, defaults=limits, order=order, templates=templates, styles={"cot": 0.3})
        for rows in (10_000, 100_000)
    )
    for name in "abc":
        small, large = wordings_of(some, name), wordings_of(more, name)
        assert len(small) == len(rows_of(some, name))  # each row at most once an epoch
        assert 0 < len(small) < len(large)
        assert small.items() <= large.items()
        assert rows_of(more, name)[: len(small)] == rows_of(some, name)


def test_every_epoch_holds_all_offered_rows_once_and_each_in_another_order() -> None:
    table = built([A, C], 4_000, defaults=Limits(max_rows=30, temperature=10**9))
    for name in "ac":
        epochs: dict[int, list[int]] = {}
        for epoch, row in rows_of(table, name):
            epochs.setdefault(epoch, []).append(row)
        whole = [tuple(rows) for rows in epochs.values() if len(rows) == 30]
        assert len(whole) >= 66
        assert len({frozenset(rows) for rows in whole}) == 1
        assert len(set(whole)) == len(whole)


def test_more_rows_on_offer_hold_those_that_were_offered_before() -> None:
    few, many = (
        {row for _, row in rows_of(built([A], 900, defaults=Limits(max_rows=most)), "a")} for most in (300, 900)
    )
    assert (len(few), len(many)) == (300, 900)
    assert few < many


# Another task


@pytest.mark.parametrize("order", get_args(Kind))
def test_another_task_leaves_the_rows_of_the_others_and_their_wordings(order: str) -> None:
    """Where they give as many rows as before; where they give fewer, what is left is from before."""
    fixed = [Part("a", rows=1_000), Part("b", rows=1_200)]
    before = built([A, B], 2_200, parts=fixed, order=order, styles={"cot": 0.5})
    after = built([A, B, C], 2_500, parts=[*fixed, Part("c", rows=300)], order=order, styles={"cot": 0.5})
    for name in "ab":
        assert wordings_of(before, name) == wordings_of(after, name)
    shared = built([A, B, C], 2_200, order=order, styles={"cot": 0.5}, defaults=Limits(rate="equal"))
    for name, least in (("a", 700), ("b", 700)):
        kept = wordings_of(shared, name)
        assert least < len(kept) < 1_000
        assert kept.items() <= wordings_of(before, name).items()


@pytest.mark.parametrize("order", ["shuffle", "sequential"])
def test_another_task_leaves_the_others_in_their_order_to_each_other(order: str) -> None:
    parts = [Part("a", rows=1_000), Part("b", rows=1_200)]
    before = built([A, B], 2_200, parts=parts, order=order)
    after = built([A, B, C], 2_500, parts=[*parts, Part("c", rows=300)], order=order)
    without = [row for row in after if row["fm_task"] != "c"]
    assert [row["input"] for row in without] == [row["input"] for row in before]


# Other wordings


@pytest.mark.parametrize("templates", ["drawn", "even"])
def test_other_templates_of_a_task_change_the_wordings_of_its_rows_alone(templates: str) -> None:
    before = built([A, B, C], templates=templates, order="even")
    after = built([A, task("b", 700, TELL, HOW), C], templates=templates, order="even")
    assert [(row["fm_task"], row["fm_epoch"], row["fm_row"]) for row in before] == [
        (row["fm_task"], row["fm_epoch"], row["fm_row"]) for row in after
    ]
    for name in "ac":
        assert wordings_of(before, name) == wordings_of(after, name)
    assert {template for template, *_ in wordings_of(after, "b").values()} == {"tell", "how"}


@pytest.mark.parametrize("rows", [500, 3_000])
def test_one_wording_more_takes_rows_from_the_others_and_moves_none_between_them(rows: int) -> None:
    before = wordings_of(built([task("b", 700, WHY, HOW, ASK)], rows, styles={"cot": 0.6}), "b")
    after = wordings_of(built([task("b", 700, WHY, NAME, HOW, ASK)], rows, styles={"cot": 0.6}), "b")
    moved = {row for row in before if before[row] != after[row]}
    assert moved == {row for row, wording in after.items() if wording[0] == "name"}
    assert all(before[row][0] in ("why", "how") for row in moved)  # none from another style
    assert rows * 0.6 / 3 * 0.75 < len(moved) < rows * 0.6 / 3 * 1.25


def test_wordings_in_another_order_are_the_same() -> None:
    for templates in ("drawn", "even"):
        one, other = (
            built([task("b", 700, *some)], 1_500, templates=templates, styles={"cot": 0.4, "inverted": 0.1})
            for some in ([ASK, WHY, HOW, TURN, TELL], [TELL, TURN, HOW, WHY, ASK])
        )
        assert wordings_of(one, "b") == wordings_of(other, "b")


@pytest.mark.parametrize("rows", [1, 7, 100, 999, 2_150])
@pytest.mark.parametrize("styles", [{}, {"cot": 0.5}, {"cot": 0.29, "inverted": 0.1}])
def test_even_wordings_are_given_as_many_rows_as_the_others_of_their_style(rows: int, styles: dict[str, float]) -> None:
    table = built([task("b", 700, ASK, WHY, HOW, NAME, TURN, TELL)], rows, templates="even", styles=styles)
    given = Counter(row["fm_template"] for row in table)
    kinds = {"cot": ("why", "how", "name"), "inverted": ("turn",), "": ("ask", "tell")}
    named = [kinds[style] for style in styles]
    rest = tuple(name for style, names in kinds.items() if style not in styles for name in names)
    for names in (*named, rest):
        counts = [given[name] for name in names]
        assert max(counts) - min(counts) <= 1
    for style, share in styles.items():
        assert abs(sum(given[name] for name in kinds[style]) - share * rows) <= len(kinds[style])


# Order and slices


def test_every_order_has_the_same_rows() -> None:
    tables = [built([A, B, C], order=order, styles={"cot": 0.3}) for order in get_args(Kind)]
    sorts = [sorted(map(repr, ({**row, "position": 0} for row in table))) for table in tables]
    assert sorts[0] == sorts[1] == sorts[2]
    assert [row["fm_task"] for row in tables[2]] == sorted(row["fm_task"] for row in tables[0])
    assert len({tuple(row["fm_task"] for row in table) for table in tables}) == 3


@pytest.mark.parametrize("order", get_args(Kind))
@pytest.mark.parametrize("templates", ["drawn", "even"])
def test_slices_make_up_the_whole_wherever_they_are_cut(order: str, templates: str) -> None:
    mixture = Mixture("m", parts=[Part("*")], rows=2_000, order=order, templates=templates, styles={"cot": 0.4})
    planned = plan_mixture(mixture, load_registry(specs=[A, B, C], bundled=False, plugins=False))
    whole = Examples(planned.plan, planned.files).slice(0, 2_000).table
    choice = random.Random(5)
    for size in (1_999, 777, 64):
        cuts = sorted({0, 2_000, *range(size, 2_000, size), choice.randint(1, 1_999)})
        pieces = [Examples(planned.plan, planned.files).slice(low, high).table for low, high in pairwise(cuts)]
        assert pa.concat_tables(pieces).to_pylist() == whole.to_pylist()
