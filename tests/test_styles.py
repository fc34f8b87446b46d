"""How a task's draws are shared out to rows of different kinds, to styles and to numbers of exemplars."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.plan import Plan, PlannedTask, PlannedTemplate
from flanmix.rates import exact
from flanmix.shots import Shooting
from flanmix.spec import Template
from flanmix.styles import NO_STYLE, OTHER, Styling, Supply, Wanted, styling_of
from flanmix.words import style_name

NAMES = ("cot", "inverted", "options", "plain")


def supply(
    styles: str, guards: list[tuple[int, ...]] | None = None, rows: list[int] | None = None, **others: object
) -> Supply:
    """A task with templates of these styles; every one serves all of its 100 rows where nothing is said."""
    names = tuple(styles.split())
    whole: dict[str, object] = {
        "name": "toy",
        "styles": names,
        "takes_shots": (True,) * len(names),
        "guards": tuple(guards or [tuple(range(len(names)))]),
        "rows": tuple(rows or [100] * (guards is None)),
    }
    size = sum(rows) if rows else 100
    return Supply(**{**whole, "usable": size, "offered": size, **others})


@st.composite
def supplies(draw: st.DrawFn) -> Supply:
    """Tasks of up to six templates of any styles, whose rows are served by any of them."""
    styles = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6))
    patterns = st.sets(st.integers(0, len(styles) - 1), min_size=1).map(lambda found: tuple(sorted(found)))
    guards = draw(st.lists(patterns, min_size=1, max_size=6, unique=True))
    rows = draw(st.lists(st.integers(1, 60), min_size=len(guards), max_size=len(guards)))
    takes = draw(st.lists(st.sampled_from([True, True, False]), min_size=len(styles), max_size=len(styles)))
    offered = draw(st.one_of(st.just(sum(rows)), st.integers(1, sum(rows))))
    return Supply("toy", tuple(styles), tuple(takes), tuple(guards), tuple(rows), sum(rows), offered)


@st.composite
def wishes(draw: st.DrawFn) -> Wanted:
    """Shares of some styles, and of exemplars."""
    names = draw(st.lists(st.sampled_from(NAMES[:3]), unique=True))
    weights = draw(st.lists(st.integers(0, 20), min_size=len(names), max_size=len(names)))
    whole = max(sum(weights), draw(st.integers(1, 40)))
    few = draw(st.sampled_from(["0", "1/10", "1/2", "9/10", "1"]))
    numbers = draw(st.dictionaries(st.integers(1, 6), st.integers(1, 5), min_size=1, max_size=4))
    shares = {name: float(Fraction(weight, whole)) for name, weight in zip(names, weights, strict=True)}
    total = sum(map(exact, shares.values()))
    shares = {name: share if total <= 1 else 0.0 for name, share in shares.items()}
    return Wanted(shares, Fraction(few), tuple((n, Fraction(w)) for n, w in sorted(numbers.items())))


def told(styling: Styling, draws: int) -> Counter[tuple[str, int]]:
    """What the first draws are given, looked up one by one."""
    placed = styling.at(np.arange(draws))
    pairs = zip(placed.cells.tolist(), styling.shots(placed).tolist(), strict=True)
    return Counter((styling.cells[cell].name, shots) for cell, shots in pairs if cell != NO_STYLE)


def by_style(styling: Styling, draws: int) -> dict[str, int]:
    """How many of the first draws each style is given."""
    found: Counter[str] = Counter()
    for (name, _), count in styling.counts(draws).items():
        found[name] += count
    return dict(found)


def reachable(task: Supply, used: frozenset[str]) -> int:
    """How many rows can take one of some styles; plain ones are not asked for by name."""
    names = [OTHER if style == "plain" else style for style in task.styles]
    served = [{names[index] for index in serving} for serving in task.guards]
    return sum(rows for each, rows in zip(served, task.rows, strict=True) if used & each)


# Planned and drawn


@given(wishes(), supplies(), st.integers(0, 400), st.integers(0, 5))
def test_counts_are_what_draws_are_given(wanted: Wanted, task: Supply, draws: int, seed: int) -> None:
    styling = styling_of(wanted, task, seed)
    assert {pair: count for pair, count in styling.counts(draws).items() if count} == told(styling, draws)


@given(wishes(), supplies(), st.lists(st.integers(0, 10**9), max_size=30))
def test_what_a_draw_is_given_hangs_on_no_other_draw(wanted: Wanted, task: Supply, draws: list[int]) -> None:
    styling = styling_of(wanted, task, 7)
    together = styling.at(np.array(draws, np.int64))
    for place, draw in enumerate(draws):
        alone = styling.at(np.array([draw]))
        for name in ("strata", "ranks", "cells", "within"):
            assert getattr(alone, name)[0] == getattr(together, name)[place]


@given(wishes(), supplies(), st.integers(1, 3))
def test_a_row_is_only_given_styles_that_have_a_template_for_it(wanted: Wanted, task: Supply, epochs: int) -> None:
    styling = styling_of(wanted, task, 7)
    placed = styling.at(np.arange(task.offered * epochs))
    for stratum, cell in {*zip(placed.strata.tolist(), placed.cells.tolist(), strict=True)} - {(0, NO_STYLE)}:
        for guard in styling.strata[stratum].guards:
            assert cell == NO_STYLE or set(styling.cells[cell].templates) & set(task.guards[guard])


@given(wishes(), supplies())
def test_every_guard_is_in_one_stratum_and_strata_have_their_rows(wanted: Wanted, task: Supply) -> None:
    strata = styling_of(wanted, task, 7).strata
    assert sorted(guard for each in strata for guard in each.guards) == list(range(len(task.guards)))
    assert [each.usable for each in strata] == [sum(task.rows[guard] for guard in each.guards) for each in strata]
    assert [each.first for each in strata] == np.cumsum([0, *(each.usable for each in strata)]).tolist()[:-1]
    assert sum(each.offered for each in strata) == task.offered
    for each in strata:
        assert abs(each.offered - Fraction(task.offered * each.usable, task.usable)) < 1


# Shares


@st.composite
def whole_tasks(draw: st.DrawFn) -> tuple[Wanted, Supply]:
    """A task that offers all of its rows, and shares of some styles that may be just as many as can be had, or more."""
    task = draw(supplies())
    task = Supply(task.name, task.styles, task.takes_shots, task.guards, task.rows, task.usable, task.usable)
    names = sorted({*task.styles} - {"plain"})
    return Wanted({name: draw(st.sampled_from([0.0, 0.1, 0.25, 1 / 3])) for name in names}), task


@given(whole_tasks())
def test_shares_are_met_within_the_number_of_cells_wherever_they_can_be(case: tuple[Wanted, Supply]) -> None:
    """They can be met just where no set of styles is asked for more rows than can take one of them (Hall 1935)."""
    wanted, task = case
    asked = {name: exact(share) for name, share in wanted.styles.items()}
    if "plain" in task.styles:
        asked[OTHER] = 1 - sum(asked.values())
    whole = sum(asked.values())
    asked = {name: share / whole if whole else Fraction(1, len(asked)) for name, share in asked.items()}
    used = [name for name, share in asked.items() if share]
    sets = [frozenset(some) for count in range(len(used) + 1) for some in combinations(used, count)]
    over = max(sum(asked[name] for name in each) * task.usable - reachable(task, each) for each in sets)
    styling = styling_of(wanted, task, 7)
    counts = by_style(styling, task.usable)
    lacking = sum((max(asked[name] * task.usable - counts.get(name, 0), Fraction(0)) for name in used), Fraction(0))
    assert over <= lacking + len(styling.cells) + len(styling.strata)
    assert lacking <= over + len(styling.cells) + len(styling.strata)


def test_a_share_that_can_only_just_be_had_is_had_in_full() -> None:
    styling = styling_of(Wanted({"cot": 0.2}), supply("cot plain", [(0, 1), (1,)], [2_000, 8_000]), 7)
    assert styling.counts(10_000) == {("cot", 0): 2_000, (OTHER, 0): 8_000}


def test_a_share_that_cannot_be_had_is_had_as_far_as_there_are_rows() -> None:
    styling = styling_of(Wanted({"cot": 0.5}), supply("cot plain", [(0, 1), (1,)], [2_000, 8_000]), 7)
    assert styling.counts(10_000) == {("cot", 0): 2_000, (OTHER, 0): 8_000}


def test_what_rows_of_one_kind_cannot_take_those_of_another_take_more_of() -> None:
    """A quarter of all rows asks to be inverted, and half of them can: every second one of those is."""
    styling = styling_of(Wanted({"inverted": 0.25}), supply("inverted plain", [(0, 1), (1,)], [500, 500]), 7)
    assert styling.counts(1_000) == {("inverted", 0): 250, (OTHER, 0): 750}


def test_a_style_that_serves_no_row_at_all_is_given_to_none() -> None:
    styling = styling_of(Wanted({"cot": 0.5}), supply("cot plain", [(1,)], [10]), 7)
    assert styling.counts(10) == {(OTHER, 0): 10}


def test_rows_that_no_wanted_style_serves_are_given_none() -> None:
    styling = styling_of(Wanted({"cot": 1.0}), supply("cot plain", [(0, 1), (1,)], [5, 5]), 7)
    assert styling.counts(10) == {("cot", 0): 5}
    placed = styling.at(np.arange(10))
    assert sorted(placed.cells.tolist()) == [NO_STYLE] * 5 + [0] * 5


def test_where_rows_by_guard_are_not_known_guards_bind_no_style() -> None:
    styling = styling_of(Wanted({"cot": 0.5}), supply("cot plain", [(0, 1), (1,)], usable=10, offered=10), 7)
    assert styling.counts(10) == {("cot", 0): 5, (OTHER, 0): 5}


def test_where_a_mixture_says_nothing_of_styles_there_is_one() -> None:
    styling = styling_of(Wanted({}), supply("cot plain inverted", [(0, 1), (2,)], [60, 40]), 7)
    assert [style.name for style in styling.cells] == [OTHER]
    assert styling.counts(90) == {(OTHER, 0): 90}


def test_styles_that_are_not_asked_for_are_one_and_have_the_rest() -> None:
    styling = styling_of(Wanted({"cot": 0.4}), supply("cot plain plain options"), 7)
    assert by_style(styling, 1_000) == {"cot": 400, OTHER: 600}


def test_a_task_of_which_only_the_size_is_known_has_no_styles() -> None:
    styling = styling_of(Wanted({"cot": 0.5}), Supply("toy", (), (), (), (), 100, 100), 7)
    assert styling.counts(100) == {}


# Exemplars


@given(supplies(), st.sampled_from(["1/10", "1/3", "1/2", "9/10"]), st.integers(0, 3))
def test_the_share_of_rows_with_exemplars_is_exact_in_every_cell(task: Supply, few: str, seed: int) -> None:
    numbers = ((1, Fraction(1)), (3, Fraction(2)))
    styling = styling_of(Wanted(dict.fromkeys(NAMES[:3], 0.25), Fraction(few), numbers), task, seed)
    counts, cells = styling.counts(task.offered), Counter(style.name for style in styling.cells)
    for name in cells:
        mine = [style == name or (style == "plain" and name == OTHER) for style in task.styles]
        able = all(takes for takes, own in zip(task.takes_shots, mine, strict=True) if own)
        whole = sum(count for (style, _), count in counts.items() if style == name)
        with_any = sum(count for (style, number), count in counts.items() if style == name and number)
        share = Fraction(few) if able and task.usable > 1 else 0
        assert abs(with_any - whole * share) <= cells[name]
        assert abs(counts.get((name, 3), 0) - whole * share * Fraction(2, 3)) <= 2 * cells[name]


def test_each_number_of_exemplars_has_its_weight() -> None:
    wanted = Wanted({}, Fraction(1, 2), ((1, Fraction(1)), (2, Fraction(1)), (5, Fraction(2))))
    assert styling_of(wanted, supply("plain"), 7).counts(800) == {
        (OTHER, 0): 400, (OTHER, 1): 100, (OTHER, 2): 100, (OTHER, 5): 200
    }  # fmt: skip


@pytest.mark.parametrize("share", [0, 1])
def test_none_or_every_row_has_exemplars(share: int) -> None:
    counts = styling_of(Wanted({}, Fraction(share), ((3, Fraction(1)),)), supply("plain cot"), 7).counts(100)
    assert {number for (_, number), count in counts.items() if count} == {3 * share}


def test_the_flan_grid_is_four_quarters_whatever_the_seed() -> None:
    wanted = Wanted({"options": 0.5}, Fraction(1, 2), ((5, Fraction(1)),))
    for seed in range(10):
        counts = styling_of(wanted, supply("options plain plain"), seed).counts(1_000)
        assert counts == {(style, number): 250 for style in ("options", OTHER) for number in (0, 5)}


def test_a_task_of_one_row_has_none_to_show() -> None:
    wanted = Wanted({}, Fraction(1), ((2, Fraction(1)),))
    assert styling_of(wanted, supply("plain", rows=[1], guards=[(0,)]), 7).counts(5) == {(OTHER, 0): 5}


def test_a_style_one_of_whose_templates_has_turns_of_its_own_takes_none() -> None:
    wanted = Wanted({"cot": 0.5}, Fraction(1), ((2, Fraction(1)),))
    styling = styling_of(wanted, supply("cot cot plain", takes_shots=(True, False, True)), 7)
    assert styling.counts(100) == {("cot", 0): 50, (OTHER, 2): 50}


# In plans


def plan_over(task: Supply, wanted: Wanted, copies: int = 1) -> Plan:
    """A plan of one task with templates of these styles; those that take no exemplars have turns."""
    turns = [{"user": "a"}, {"assistant": "b"}, {"user": "{{ q }}"}, {"assistant": "{{ a }}"}]
    templates = tuple(
        PlannedTemplate(
            str(number), Template(f"t{number}", **({"input": "q", "target": "a"} if takes else {"turns": turns})), style
        )
        for number, (style, takes) in enumerate(zip(task.styles, task.takes_shots, strict=True))
    )
    copies = min(copies, len(templates))
    planned = PlannedTask(
        "toy", "nli", 0, task.offered * copies, task.usable, "d", templates, task.guards, guard_rows=task.rows
    )
    shots = Shooting(tuple((number, float(weight)) for number, weight in wanted.numbers)) if wanted.few else Shooting()
    styles = {**wanted.styles, **({"few_shot": float(wanted.few)} if wanted.few else {})}
    return Plan("toy", 7, "train", (planned,), styles, shots=shots, templates_per_row=copies)


def with_rows(plan: Plan, rows: int, *, conversation: bool = False) -> Plan:
    """The plan with so many rows of its task."""
    return replace(plan, tasks=(replace(plan.tasks[0], rows=rows, conversation=conversation),))


@given(wishes(), supplies(), st.integers(1, 3))
def test_within_an_epoch_every_offered_row_comes_once_whatever_guards_there_are(
    wanted: Wanted, task: Supply, epochs: int
) -> None:
    plan = plan_over(task, wanted)
    epoch, rows = plan.indices(0, np.arange(task.offered * epochs))
    of_epoch = [sorted(rows[epoch == number].tolist()) for number in range(epochs)]
    assert all(len(each) == len(set(each)) == task.offered for each in of_epoch)
    assert all(each == of_epoch[0] for each in of_epoch)
    assert set(rows.tolist()) <= set(range(task.usable))


@given(wishes(), supplies(), st.integers(1, 4), st.integers(1, 2))
def test_within_an_epoch_every_row_comes_in_as_many_wordings_as_are_asked_for(
    wanted: Wanted, task: Supply, copies: int, epochs: int
) -> None:
    whole = Supply(task.name, task.styles, task.takes_shots, task.guards, task.rows, task.usable, task.usable)
    plan = plan_over(whole, wanted, copies)
    copies = plan.templates_per_row
    epoch, rows = plan.indices(0, np.arange(plan.tasks[0].offered * epochs))
    for number in range(epochs):
        assert Counter(rows[epoch == number].tolist()) == dict.fromkeys(range(task.usable), copies)


@given(wishes(), supplies(), st.integers(0, 300))
def test_a_plan_counts_styles_and_exemplars_as_it_draws_them(wanted: Wanted, task: Supply, draws: int) -> None:
    plan = with_rows(plan_over(task, wanted), draws)
    cells = plan.stylings[0].at(np.arange(draws)).cells
    numbers = plan.number_of_shots(0, np.arange(draws))[cells != NO_STYLE].tolist()
    names = [plan.stylings[0].cells[cell].name for cell in cells[cells != NO_STYLE].tolist()]
    others = {template.style for template in plan.tasks[0].templates} - {*plan.styles}
    alone = others.pop() if len(others) == 1 else OTHER
    names = [alone if name == OTHER else name for name in names]
    styles = [style_name(name, shots=number > 0) for name, number in zip(names, numbers, strict=True)]
    assert {number: count for number, count in plan.shot_counts(0).items() if count} == Counter(numbers)
    assert {style: count for style, count in plan.style_counts(0).items() if count} == Counter(styles)


def test_a_task_of_conversations_takes_no_exemplars() -> None:
    plan = plan_over(supply("plain"), Wanted({}, Fraction(1), ((2, Fraction(1)),)))
    talk = with_rows(plan, 9, conversation=True)
    assert (talk.shot_counts(0), talk.style_counts(0)) == ({0: 9}, {"plain": 9})
