"""The plan: what stands at every position, as a pure function of its value."""

from collections import Counter
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix.held import HeldOut
from flanmix.options.drawing import Listing
from flanmix.plan import NO_TEMPLATE, Plan, PlannedStyle, PlannedTask, PlannedTemplate, RowLength
from flanmix.prompting import Prompting
from flanmix.shots import Shooting
from flanmix.spec import Prompt, Template
from flanmix.styles import OTHER

PLAIN = ("x", "y", "z")


def wording(name: str, style: str = "plain") -> PlannedTemplate:
    return PlannedTemplate(
        name, Template(name, input=f"{name}: {{{{ q }}}}", target="{{ a }}"), style, f"{name}.yaml:3"
    )


def task(name: str = "a", rows: int = 10, usable: int = 10, **others: Any) -> PlannedTask:
    """A task of three plain wordings that serve every row, and offers all its usable rows."""
    templates = others.pop("templates", tuple(wording(item) for item in PLAIN))
    given = {"type": "qa", "offered": usable, "data": "d1", "guards": (tuple(range(len(templates))),), **others}
    return PlannedTask(name, rows=rows, usable=usable, templates=templates, **given)


def plan(*tasks: PlannedTask, seed: int = 7, styles: dict[str, float] | None = None) -> Plan:
    return Plan("toy", seed, "train", tasks, styles or {})


def drawn(made: Plan, number: int = 0, guard_of: Any = None) -> list[tuple[int, int, int]]:
    """(epoch, row, template) of every draw of one task; `guard_of` gives the guard of each row."""
    draws = np.arange(made.tasks[number].rows)
    epochs, rows = made.indices(number, draws)
    guards = np.zeros(len(rows), np.int32) if guard_of is None else np.asarray(guard_of, np.int32)[rows]
    templates = made.templates(number, draws, epochs, rows, guards)
    return list(zip(epochs.tolist(), rows.tolist(), templates.tolist(), strict=True))


def chosen(made: Plan, number: int = 0, guard_of: Any = None) -> Counter[str]:
    """How often each wording of one task is taken."""
    ids = [template.id for template in made.tasks[number].templates]
    return Counter("none" if t == NO_TEMPLATE else ids[t] for _, _, t in drawn(made, number, guard_of))


def position_of_every_row(made: Plan) -> list[tuple[str, int, int, int]]:
    """(task, epoch, row, template) at every position."""
    by_task = [drawn(made, number) for number in range(len(made.tasks))]
    tasks, draws = made.order.slice(0, made.rows)
    return [(made.tasks[task].name, *by_task[task][draw]) for task, draw in zip(tasks, draws, strict=True)]


# Rows


@given(st.integers(1, 400), st.integers(1, 1_200), st.data())
def test_within_an_epoch_every_offered_row_comes_once(usable: int, rows: int, data: st.DataObject) -> None:
    offered = data.draw(st.integers(1, usable))
    by_epoch: dict[int, list[int]] = {}
    for epoch, row, _ in drawn(plan(task(rows=rows, usable=usable, offered=offered))):
        by_epoch.setdefault(epoch, []).append(row)
    sizes = [len(by_epoch[epoch]) for epoch in sorted(by_epoch)]
    assert sizes == [offered] * (rows // offered) + ([rows % offered] if rows % offered else [])
    assert sorted(by_epoch) == list(range(len(sizes)))
    for found in by_epoch.values():
        assert len(set(found)) == len(found)
        assert set(found) <= set(by_epoch[0])
    assert set(by_epoch[0]) <= set(range(usable))


def test_each_epoch_has_an_order_of_its_own() -> None:
    found = [row for _, row, _ in drawn(plan(task(rows=150, usable=50)))]
    assert len({tuple(found[start : start + 50]) for start in (0, 50, 100)}) == 3


def test_offered_rows_are_a_random_sample_and_not_the_head() -> None:
    """Over 400 seeds each of 20 rows is offered about 100 times; chance passes the chi-square 50.8 once in 10^4."""
    found: Counter[int] = Counter()
    for seed in range(400):
        offered = {row for _, row, _ in drawn(plan(task(rows=5, usable=20, offered=5), seed=seed))}
        assert len(offered) == 5
        found.update(offered)
    assert sum((found[row] - 100) ** 2 / 100 for row in range(20)) < 50.8


def test_tasks_of_one_size_offer_different_rows() -> None:
    made = plan(task("a", 5, 100, offered=5), task("b", 5, 100, offered=5))
    assert [row for _, row, _ in drawn(made, 0)] != [row for _, row, _ in drawn(made, 1)]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_the_rows_of_a_small_mixture_are_among_those_of_a_large_one_with_the_same_wording(
    small: int, more: int, seed: int
) -> None:
    styles = {"options": 0.4, "inverted": 0.25}
    templates = (wording("p"), wording("q"), wording("o", "options"), wording("i", "inverted"))
    few = plan(task("a", small, 20, templates=templates), task("b", 5), seed=seed, styles=styles)
    many = plan(
        task("0", 33), task("a", small + more, 20, templates=templates), task("b", 50), seed=seed, styles=styles
    )
    assert not Counter(drawn(few, 0)) - Counter(drawn(many, 1))
    assert not Counter(drawn(few, 1)) - Counter(drawn(many, 2))


def test_adding_a_task_leaves_the_others_rows_as_they_were() -> None:
    before = position_of_every_row(plan(task("b", 25, 9), task("d", 40, 30)))
    after = position_of_every_row(plan(task("a", 30, 8), task("b", 25, 9), task("c", 7), task("d", 40, 30)))
    assert [place for place in after if place[0] in "bd"] == before


def test_another_seed_is_other_rows_in_another_order() -> None:
    one, other = (position_of_every_row(plan(task("a", 30, 90), task("b", 30, 90), seed=seed)) for seed in (1, 2))
    assert [place[0] for place in one] != [place[0] for place in other]
    assert {place[2] for place in one if place[0] == "a"} != {place[2] for place in other if place[0] == "a"}


# Wordings


def test_wordings_are_taken_equally_often() -> None:
    """Chi-square of 8,000 rows over four wordings: chance passes 21.1 once in 10^4."""
    found = chosen(plan(task(rows=8_000, usable=8_000, templates=tuple(map(wording, "abcd")))))
    assert sum((count - 2_000) ** 2 / 2_000 for count in found.values()) < 21.1


def test_wordings_of_one_style_are_taken_equally_often_whatever_the_share_of_the_style() -> None:
    templates = (wording("p"), *(wording(name, "options") for name in "abc"))
    found = chosen(plan(task(rows=8_000, usable=8_000, templates=templates), styles={"options": 0.75}))
    assert found["p"] == 2_000
    assert sum((found[name] - 2_000) ** 2 / 2_000 for name in "abc") < 18.5


def test_a_row_may_have_another_wording_in_another_epoch() -> None:
    by_row: dict[int, set[int]] = {}
    for _, row, template in drawn(plan(task(rows=400, usable=20))):
        by_row.setdefault(row, set()).add(template)
    assert all(len(templates) == 3 for templates in by_row.values())


def test_tasks_with_the_same_wordings_choose_for_themselves() -> None:
    made, rows = plan(task("a", 90, 90), task("b", 90, 90)), np.arange(90)
    guards = np.zeros(90, np.int32)
    one, other = (made.templates(number, rows, rows * 0, rows, guards) for number in (0, 1))
    assert 15 < int((one == other).sum()) < 50


def test_a_wording_is_chosen_by_the_row_and_not_by_the_number_of_its_draw() -> None:
    made, rows = plan(task(rows=500, usable=500)), np.arange(200)
    epochs, guards = np.zeros(200, np.int64), np.zeros(200, np.int32)
    first = made.templates(0, rows, epochs, rows, guards)
    assert first.tolist() == made.templates(0, rows + 300, epochs, rows, guards).tolist()
    assert first.tolist() != made.templates(0, rows, epochs + 1, rows, guards).tolist()


@pytest.mark.parametrize("guard", [((0, 1, 2), (0, 1, 2, 3)), ((0,), (0, 3))])
def test_a_new_wording_takes_rows_and_moves_none_between_the_others(guard: Any) -> None:
    old = task(rows=900, usable=300, guards=(guard[0],))
    new = replace(old, templates=(*old.templates, wording("new")), guards=(guard[1],))
    moved = [
        (before, after) for before, after in zip(drawn(plan(old)), drawn(plan(new)), strict=True) if before != after
    ]
    share = 1 / len(guard[1])
    assert 0.8 * 900 * share < len(moved) < 1.2 * 900 * share
    assert all(before[:2] == after[:2] and after[2] == 3 for before, after in moved)


def test_a_wording_that_goes_leaves_the_rows_of_the_others_alone() -> None:
    old = task(rows=300, usable=300)
    new = replace(old, templates=old.templates[1:], guards=((0, 1),))
    for before, after in zip(drawn(plan(old)), drawn(plan(new)), strict=True):
        assert before[2] == 0 or after[2] == before[2] - 1


def test_the_order_in_which_wordings_are_written_does_not_matter() -> None:
    there = task(rows=200, usable=200)
    back = replace(there, templates=there.templates[::-1])
    assert chosen(plan(there)) == chosen(plan(back))
    assert [2 - place[2] for place in drawn(plan(back))] == [place[2] for place in drawn(plan(there))]


def test_changing_the_wordings_of_a_task_changes_only_its_rows() -> None:
    other = task("b", 40, 12, templates=(wording("quite"), wording("different", "options")))
    styles = {"options": 0.3}
    before = position_of_every_row(plan(task("a", 30), task("b", 40, 12), styles=styles))
    after = position_of_every_row(plan(task("a", 30), other, styles=styles))
    assert [place[:3] for place in before] == [place[:3] for place in after]
    assert [place for place in before if place[0] == "a"] == [place for place in after if place[0] == "a"]


# Styles

shares = st.sampled_from([0.0, 1.0, 0.5, 0.1, 1 / 3, 0.999999, 1e-06]) | st.floats(0, 1)


@st.composite
def styled(draw: st.DrawFn) -> dict[str, float]:
    """Shares of some styles that add up to 1 at most."""
    left, found = 1.0, {}
    for name in draw(st.lists(st.sampled_from(["inverted", "cot", "options"]), unique=True)):
        found[name] = round(draw(shares) * left, 6)
        left = round(left - found[name], 6)
    return found


@settings(max_examples=300)
@given(
    styled(),
    st.lists(st.sampled_from(["plain", "inverted", "cot", "options"]), min_size=1, max_size=6),
    st.integers(0, 3_000),
)
def test_where_no_guard_binds_the_styles_get_the_counts_that_the_plan_tells(
    styles: dict[str, float], of_templates: list[str], rows: int
) -> None:
    templates = tuple(wording(f"t{index}", style) for index, style in enumerate(of_templates))
    made = plan(task(rows=rows, usable=40, templates=templates), styles=styles)
    told = made.style_counts(0)
    others = {style for style in of_templates if style not in styles}
    other = next(iter(others)) if len(others) == 1 else OTHER
    style_of = [style if style in styles else other for style in of_templates]
    found = Counter(style_of[template] for _, _, template in drawn(made))
    assert sum(told.values()) == rows
    assert found == Counter({name: count for name, count in told.items() if count})


@given(styled(), st.integers(0, 5_000), st.integers(0, 99))
def test_with_all_styles_there_any_number_of_draws_holds_each_within_three_rows_of_its_share(
    styles: dict[str, float], rows: int, seed: int
) -> None:
    """Each of the three lines is within one row; a later style draws from what the earlier ones leave."""
    templates = tuple(wording(style, style) for style in ("plain", "inverted", "cot", "options"))
    made = plan(task(rows=rows, usable=50, templates=templates), seed=seed, styles=styles)
    other = next((name for name in ("plain", "inverted", "cot", "options") if name not in styles), OTHER)
    wanted = {**styles, (other if len(styles) == 3 else OTHER): 1 - sum(styles.values())}
    for name, count in made.style_counts(0).items():
        assert abs(count - wanted[name] * rows) < 3, name


def test_a_style_that_a_task_has_no_wording_of_leaves_its_share_to_the_plain_ones() -> None:
    templates = (wording("p"), wording("o", "options"))
    made = plan(task(rows=100, templates=templates), styles={"options": 0.5, "cot": 0.3})
    assert made.style_counts(0) == {"options": 50, "plain": 50}


def test_without_plain_wordings_the_styles_share_all_in_proportion() -> None:
    templates = (wording("c", "cot"), wording("o", "options"))
    made = plan(task(rows=100, templates=templates), styles={"options": 0.3, "cot": 0.1})
    assert made.style_counts(0) == {"cot": 25, "options": 75}
    made = plan(
        task(rows=100, templates=(*templates, wording("i", "inverted"))),
        styles={"options": 0.2, "cot": 0.1, "inverted": 0.1},
    )
    assert made.style_counts(0) == {"cot": 25, "inverted": 25, "options": 50}


def test_a_style_of_no_share_is_not_used_and_one_of_the_whole_share_is_used_alone() -> None:
    templates = (wording("p"), wording("o", "options"), wording("i", "inverted"))
    assert chosen(plan(task(rows=60, templates=templates), styles={"options": 0})).keys() == {"p", "i"}
    assert chosen(plan(task(rows=60, templates=templates), styles={"options": 1})).keys() == {"o"}


def test_a_task_that_has_nothing_but_a_style_of_no_share_is_served_by_it() -> None:
    made = plan(task(rows=60, templates=(wording("o", "options"),)), styles={"options": 0})
    assert chosen(made) == {"o": 60}


def test_a_style_that_is_not_asked_for_counts_as_any_other() -> None:
    templates = (wording("p"), wording("c", "cot"), wording("o", "options"))
    found = chosen(plan(task(rows=3_000, usable=3_000, templates=templates), styles={"options": 0.5}))
    assert found["o"] == 1_500
    assert 650 < found["p"] < 850


# Guards


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=8, max_size=8), styled(), st.integers(1, 60))
def test_a_wording_is_never_given_a_row_that_it_does_not_serve(
    guard_of: list[int], styles: dict[str, float], rows: int
) -> None:
    templates = (wording("p"), wording("o", "options"), wording("i", "inverted"), wording("c", "cot"))
    guards = ((0, 1, 2, 3), (1, 2), (3,))
    made = plan(task(rows=rows, usable=8, templates=templates, guards=guards), styles=styles)
    for _, row, template in drawn(made, guard_of=guard_of):
        assert template == NO_TEMPLATE or template in guards[guard_of[row]]


def test_where_the_style_of_a_draw_does_not_serve_its_row_another_wanted_one_does() -> None:
    templates = (wording("p"), wording("o", "options"), wording("i", "inverted"))
    guard_of = [0] * 5 + [1] * 5
    made = plan(
        task(rows=1_000, templates=templates, guards=((0, 1, 2), (0, 2))), styles={"options": 0.8, "inverted": 0}
    )
    found = drawn(made, guard_of=guard_of)
    assert {template for _, row, template in found if guard_of[row] == 1} == {0}
    assert {template for _, row, template in found if guard_of[row] == 0} == {0, 1}


def test_a_row_that_only_an_unwanted_style_serves_has_no_wording() -> None:
    templates = (wording("p"), wording("i", "inverted"))
    guard_of = [0] * 7 + [1] * 3
    made = plan(task(rows=20, templates=templates, guards=((0, 1), (1,))), styles={"inverted": 0})
    assert chosen(made, guard_of=guard_of) == {"p": 14, "none": 6}


# The digest

OF_TASKS = {
    "name": "b", "type": "nli", "rows": 11, "offered": 9, "usable": 12, "data": "d2",
    "guards": ((0, 1), (2,)), "templates": (wording("x"), wording("y")),
    "styles": (PlannedStyle("cot", 11, 9, 0.5, 0.5, ""),), "conversation": True, "flagged": True,
    "source": "rows.jsonl", "split": "test", "guard_rows": (9,),
}  # fmt: skip
NOT_OF_TASKS = {
    "source_rows": 99, "dropped": {"drop rule": 3}, "share_asked": 0.7, "share": 0.6, "bound": "max_epochs",
    "length": RowLength(30.0, 5.0), "repaired": {"joined": 2},
}  # fmt: skip
POOLS = ("Be brief.", ("Be brief.", "Be kind."), ("Be brief.", Prompt("Be kind.", weight=2)), ("Be brief.", ""))
OF_TEMPLATES = {
    "id": ["w"],
    "template": [
        Template("p", input="{{ q }}", target="{{ a }}"),
        Template("p", input="p: {{ q }}", target="{{ q }}"),
        *(
            Template("p", dialect="promptsource", jinja="p: {{ q }}", answer_choices="{{ a }}", truncate=cut)
            for cut in (False, True)
        ),
        *(Template("p", input="{{ q }}", target="{{ a }}", system=pool) for pool in POOLS),
        Template("p", turns=[{"user": "{{ q }}", "assistant": "{{ a }}"}] * 2),
        Template("p", turns=[{"user": "{{ q }}", "assistant": "{{ a }}"}] * 2, system="Be brief."),
    ],
    "style": ["cot"],
}
NOT_OF_TEMPLATES = {"where": "elsewhere.yaml:9", "places": {"input": "elsewhere.yaml:10"}}
OF_PLANS = {
    "seed": 8, "split": "test", "styles": {"options": 0.5}, "tasks": (task(), task("b")),
    "wordings": "even", "arrangement": "sequential", "prompting": Prompting(tag="prefix", tag_share=1.0),
    "stage": "broad", "shots": Shooting(((2, 1.0),)), "templates_per_row": 2,
    "options": Listing(shuffled=True),
}  # fmt: skip
NOT_OF_PLANS = {
    "name": "another", "relaxed": ("task 'a': at least 9 became 8",), "tokens": 99.0,
    "held_out": (HeldOut("c", "type:nli", True),),
}  # fmt: skip


def test_the_lists_below_have_every_field() -> None:
    for model, deciding, others in (
        (PlannedTask, OF_TASKS, NOT_OF_TASKS),
        (PlannedTemplate, OF_TEMPLATES, NOT_OF_TEMPLATES),
        (Plan, OF_PLANS, NOT_OF_PLANS),
    ):
        assert {field.name for field in fields(model)} == {*deciding, *others}


@pytest.mark.parametrize("field", OF_PLANS)
def test_the_digest_changes_with_what_decides_a_plan(field: str) -> None:
    assert replace(plan(task()), **{field: OF_PLANS[field]}).digest != plan(task()).digest


@pytest.mark.parametrize("field", OF_TASKS)
def test_the_digest_changes_with_what_decides_a_tasks_rows(field: str) -> None:
    assert plan(replace(task(), **{field: OF_TASKS[field]})).digest != plan(task()).digest


@pytest.mark.parametrize("field", OF_TEMPLATES)
def test_the_digest_changes_with_what_decides_a_wording(field: str) -> None:
    first, *others = task().templates
    wordings = [first, *(replace(first, **{field: value}) for value in OF_TEMPLATES[field])]
    digests = [plan(replace(task(), templates=(wording, *others))).digest for wording in wordings]
    assert len(set(digests)) == len(digests)


def test_the_digest_does_not_change_with_what_only_explains() -> None:
    first, *others = task().templates
    explained = replace(task(), templates=(replace(first, **NOT_OF_TEMPLATES), *others), **NOT_OF_TASKS)
    assert replace(plan(explained), **NOT_OF_PLANS).digest == plan(task()).digest


def test_the_digest_knows_the_decimal_of_a_share_and_not_how_it_is_kept() -> None:
    assert plan(task(), styles={"options": 1}).digest == plan(task(), styles={"options": 1.0}).digest
    assert (
        plan(task(), styles={"cot": 0.1, "options": 0.2}).digest
        == plan(task(), styles={"options": 0.2, "cot": 0.1}).digest
    )
    assert plan(task(), styles={"options": 0.1}).digest != plan(task(), styles={"options": 0.10000000000000002}).digest


def test_the_plan_adds_up_its_rows_and_tells_epochs() -> None:
    made = plan(task("a", 25, 20, offered=10), task("b", 5))
    assert made.rows == 30
    assert [item.epochs for item in made.tasks] == [2.5, 0.5]
