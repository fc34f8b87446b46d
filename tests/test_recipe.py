"""A mixture and the sizes of its tasks, solved into integers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.errors import PlanError
from flanmix.planner import resolved
from flanmix.recipe import Allotment, allot
from flanmix.registry import Registry, load_registry
from flanmix.spec import Limits, Mixture, Part, Task, Template

VECTORS = Path(__file__).parents[2] / "shared" / "facts" / "mixing_vectors.json"
ASK = Template("ask", input="{{ q }}", target="{{ a }}")


def registry(sizes: Mapping[str, int], *nested: Mixture) -> Registry:
    """A catalogue of tasks of these names; their type is the first part of the name."""
    rows = [{"q": "?", "a": "!"}]
    tasks = [
        Task(name, type="nli" if name.startswith("nli/") else "code", source=rows, templates=[ASK]) for name in sizes
    ]
    return load_registry(specs=[*tasks, *nested], bundled=False, plugins=False)


def allotments(mixture: Mixture, sizes: Mapping[str, int], *nested: Mixture) -> dict[str, Allotment]:
    recipe = resolved(mixture, registry(sizes, *nested))
    return {found.task: found for found in allot(recipe, sizes)}


def counts(mixture: Mixture, sizes: Mapping[str, int], *nested: Mixture) -> dict[str, int]:
    return {name: found.rows for name, found in allotments(mixture, sizes, *nested).items()}


def refusal(mixture: Mixture, sizes: Mapping[str, int], *nested: Mixture) -> list[str]:
    with pytest.raises(PlanError) as caught:
        allotments(mixture, sizes, *nested)
    return [str(problem) for problem in caught.value.problems]


# The budget


def test_tasks_share_a_part_by_size() -> None:
    assert counts(Mixture("m", rows=60, parts=[Part("*")]), {"a": 10, "b": 20, "c": 30}) == {"a": 10, "b": 20, "c": 30}


@given(
    st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(1, 10**6), min_size=1, max_size=8),
    st.integers(1, 10**7),
    st.none() | st.floats(0.3, 20),
)
def test_the_counts_add_up_to_the_budget(sizes: dict[str, int], rows: int, temperature: float | None) -> None:
    mixture = Mixture("m", rows=rows, parts=[Part("*")], defaults=Limits(temperature=temperature))
    found = allotments(mixture, sizes)
    assert sum(item.rows for item in found.values()) == rows
    for item in found.values():
        assert abs(item.rows - item.asked * rows) < 1 + rows * 1e-9
        assert item.offered == sizes[item.task]
        assert item.bound == ""


def test_029_of_50_000_is_14_500() -> None:
    parts = [Part("a", weight=0.29), Part("b", weight=0.71)]
    assert counts(Mixture("m", rows=50_000, parts=parts), {"a": 5, "b": 5}) == {"a": 14_500, "b": 35_500}


def test_rows_that_are_left_over_go_to_the_largest_remainders_then_by_name() -> None:
    assert counts(Mixture("m", rows=8, parts=[Part("*")]), {"z": 1, "y": 1, "x": 1}) == {"x": 3, "y": 3, "z": 2}
    assert counts(Mixture("m", rows=10, parts=[Part("*")]), {"a": 1, "b": 2, "c": 4}) == {"a": 1, "b": 3, "c": 6}


@pytest.mark.parametrize(("epochs", "expected"), [(1, 60), (2, 120), (0.5, 30), (1.25, 75), (0.001, 1)])
def test_a_budget_in_epochs_is_so_many_passes_over_all_offered_rows(epochs: float, expected: int) -> None:
    mixture = Mixture("m", epochs=epochs, parts=[Part("*")], defaults=Limits(max_rows=30))
    assert sum(counts(mixture, {"a": 10, "b": 20, "c": 9_000}).values()) == expected


def test_parts_of_fixed_rows_and_epochs_need_no_budget() -> None:
    mixture = Mixture("m", parts=[Part("a b", rows=99), Part("c", epochs=2)])
    assert counts(mixture, {"a": 50, "b": 100, "c": 7}) == {"a": 33, "b": 66, "c": 14}


def test_a_mixture_without_a_budget_is_refused() -> None:
    (problem,) = refusal(Mixture("m", parts=[Part("a", rows=5), Part("b")]), {"a": 9, "b": 9})
    assert "the mixture has no budget" in problem
    assert "'rows: 10_000' or 'epochs: 1'" in problem


# Weights, caps, temperature


def test_weights_share_out_what_fixed_parts_leave() -> None:
    parts = [Part("a", weight=3), Part("b"), Part("c", rows=40), Part("d", epochs=1)]
    found = counts(Mixture("m", rows=100, parts=parts), {"a": 9, "b": 9, "c": 9, "d": 20})
    assert found == {"a": 30, "b": 10, "c": 40, "d": 20}


def test_the_rate_cap_is_the_size_that_a_task_counts_for_and_holds_back_no_rows() -> None:
    mixture = Mixture("m", rows=400, parts=[Part("*")], defaults=Limits(rate_cap=100))
    found = allotments(mixture, {"a": 50, "b": 100, "c": 10_000})
    assert {name: item.rows for name, item in found.items()} == {"a": 80, "b": 160, "c": 160}
    assert found["c"].offered == 10_000


def test_with_a_temperature_shares_go_by_its_root() -> None:
    mixture = Mixture("m", rows=111, parts=[Part("*")], defaults=Limits(temperature=2))
    assert counts(mixture, {"a": 1, "b": 100, "c": 10_000}) == {"a": 1, "b": 10, "c": 100}


def test_the_cap_comes_before_the_root() -> None:
    mixture = Mixture("m", rows=60, parts=[Part("*")], defaults=Limits(temperature=2, rate_cap=2_500))
    assert counts(mixture, {"a": 100, "b": 1_000_000}) == {"a": 10, "b": 50}


def test_max_rows_is_what_a_task_offers_and_so_what_it_counts_for() -> None:
    found = allotments(Mixture("m", rows=90, parts=[Part("*")], defaults=Limits(max_rows=60)), {"a": 30, "b": 5_000})
    assert {name: (item.rows, item.offered) for name, item in found.items()} == {"a": (30, 30), "b": (60, 60)}


def test_a_limit_in_a_part_goes_before_the_same_one_in_defaults() -> None:
    parts = [Part("a", max_rows=5, rate_cap=7), Part("b")]
    found = allotments(Mixture("m", rows=10, parts=parts, defaults=Limits(max_rows=50)), {"a": 100, "b": 100})
    assert (found["a"].offered, found["b"].offered) == (5, 50)


def test_a_temperature_that_leaves_no_number_is_refused() -> None:
    mixture = Mixture("m", rows=9, parts=[Part("a")], defaults=Limits(temperature=0.001))
    (problem,) = refusal(mixture, {"a": 9_000})
    assert "parts[0]: the temperature 0.001 gives the task 'a' a rate beyond 1e300" in problem


# Ceilings and floors


def test_no_task_passes_max_epochs_and_the_rest_goes_to_its_siblings_first() -> None:
    mixture = Mixture("m", rows=200, parts=[Part("a b"), Part("c")], defaults=Limits(max_epochs=2))
    sizes = {"a": 10, "b": 90, "c": 100}
    assert counts(mixture, sizes) == {"a": 10, "b": 90, "c": 100}
    held = Mixture("m", rows=200, parts=[Part("a b", rate_cap=10), Part("c")], defaults=Limits(max_epochs=2))
    found = allotments(held, sizes)
    assert {name: item.rows for name, item in found.items()} == {"a": 20, "b": 80, "c": 100}
    assert {name: item.bound for name, item in found.items()} == {"a": "max_epochs", "b": "", "c": ""}


def test_a_full_part_spills_over_to_the_other_parts() -> None:
    mixture = Mixture("m", rows=300, parts=[Part("a b"), Part("c"), Part("d")], defaults=Limits(max_epochs=1))
    found = allotments(mixture, {"a": 10, "b": 20, "c": 500, "d": 500})
    assert {name: item.rows for name, item in found.items()} == {"a": 10, "b": 20, "c": 135, "d": 135}
    assert found["a"].asked == pytest.approx(1 / 9)
    assert found["a"].bound == found["b"].bound == "max_epochs"


@pytest.mark.parametrize(("epochs", "most"), [(1, 7), (1.5, 10), (0.4, 2), (3, 21)])
def test_a_ceiling_in_fractions_of_an_epoch_is_never_passed(epochs: float, most: int) -> None:
    parts = [Part("a", max_epochs=epochs, weight=100), Part("b")]
    assert counts(Mixture("m", rows=50, parts=parts), {"a": 7, "b": 7}) == {"a": most, "b": 50 - most}


def test_min_share_in_defaults_is_a_floor_of_each_task() -> None:
    found = allotments(
        Mixture("m", rows=100, parts=[Part("*")], defaults=Limits(min_share=0.1)), {"a": 1, "b": 30, "c": 60}
    )
    assert {name: item.rows for name, item in found.items()} == {"a": 10, "b": 30, "c": 60}
    assert {name: item.bound for name, item in found.items()} == {"a": "min_share", "b": "", "c": ""}


def test_min_share_in_a_part_is_a_floor_of_the_part_as_a_whole() -> None:
    found = counts(
        Mixture("m", rows=100, parts=[Part("a b", min_share=0.4), Part("c", weight=9)]), {"a": 1, "b": 3, "c": 9}
    )
    assert found == {"a": 10, "b": 30, "c": 60}


@pytest.mark.parametrize("rows", [3, 7, 10, 11, 97])
def test_a_floor_is_met_in_whole_rows(rows: int) -> None:
    mixture = Mixture("m", rows=rows, parts=[Part("a", min_share=0.25, weight=0.01), Part("b")])
    assert counts(mixture, {"a": 5, "b": 5})["a"] >= 0.25 * rows


def test_fixed_rows_are_met_exactly_whatever_the_other_parts_round_to() -> None:
    sizes = {f"a/{index}": 100 for index in range(7)} | {"b": 1_000, "c": 1_000}
    found = counts(Mixture("m", rows=201, parts=[Part("a/*", rows=100), Part("b c")]), sizes)
    assert sum(rows for name, rows in found.items() if name.startswith("a/")) == 100


@pytest.mark.parametrize(("epochs", "expected"), [(1, (5, 8)), (3, (15, 24)), (0.5, (2, 4)), (2.5, (12, 20))])
def test_epochs_of_a_part_are_passes_over_each_of_its_tasks(epochs: float, expected: tuple[int, int]) -> None:
    found = counts(Mixture("m", rows=100, parts=[Part("a b", epochs=epochs), Part("c")]), {"a": 5, "b": 8, "c": 50})
    assert (found["a"], found["b"]) == expected


@pytest.mark.parametrize("size", range(1, 9))
def test_half_an_epoch_of_any_size_can_be_had_alone(size: int) -> None:
    assert abs(counts(Mixture("m", parts=[Part("a", epochs=0.5)]), {"a": size})["a"] - size / 2) <= 0.5


def test_what_is_asked_for_is_told_before_floors_and_ceilings() -> None:
    parts = [Part("a", weight=8), Part("b", weight=2), Part("c", rows=50)]
    found = allotments(Mixture("m", rows=100, parts=parts, defaults=Limits(max_epochs=1)), {"a": 10, "b": 90, "c": 60})
    assert {name: (item.asked, item.rows) for name, item in found.items()} == {
        "a": (0.4, 10),
        "b": (0.1, 40),
        "c": (0.5, 50),
    }


# Nested mixtures


def test_shares_multiply_down() -> None:
    inner = Mixture("inner", parts=[Part("a", weight=3), Part("b")])
    found = counts(Mixture("m", rows=80, parts=[Part(mixture="inner"), Part("c")]), {"a": 9, "b": 9, "c": 9}, inner)
    assert found == {"a": 30, "b": 10, "c": 40}


def test_a_nested_mixture_is_read_at_any_depth() -> None:
    inmost = Mixture("inmost", parts=[Part("a"), Part("b")])
    inner = Mixture("inner", parts=[Part(mixture="inmost"), Part("c")])
    outer = Mixture("m", rows=80, parts=[Part(mixture="inner"), Part("d")])
    assert counts(outer, dict.fromkeys("abcd", 5), inmost, inner) == {"a": 10, "b": 10, "c": 20, "d": 40}


def test_the_same_mixture_may_stand_in_two_places_that_do_not_hold_each_other() -> None:
    inner = Mixture("inner", parts=[Part("a"), Part("b", weight=3)])
    outer = Mixture("m", rows=80, parts=[Part(mixture="inner"), Part(mixture="inner")])
    assert counts(outer, {"a": 5, "b": 5}, inner) == {"a": 20, "b": 60}


def test_a_nested_mixtures_own_limits_go_before_those_around_it() -> None:
    inner = Mixture("inner", parts=[Part("a")], defaults=Limits(max_rows=7))
    outer = Mixture("m", rows=80, parts=[Part(mixture="inner", max_rows=50), Part("b")], defaults=Limits(max_rows=60))
    found = allotments(outer, {"a": 100, "b": 100}, inner)
    assert (found["a"].offered, found["b"].offered) == (7, 60)


def test_the_limits_around_a_nested_mixture_hold_where_it_has_none() -> None:
    inner = Mixture("inner", parts=[Part("a")])
    outer = Mixture("m", rows=80, parts=[Part(mixture="inner", max_rows=50), Part("b")], defaults=Limits(max_epochs=2))
    found = allotments(outer, {"a": 100, "b": 20}, inner)
    assert (found["a"].offered, found["a"].rows, found["b"].rows) == (50, 40, 40)


def test_fixed_rows_inside_a_nested_mixture_are_met() -> None:
    inner = Mixture("inner", parts=[Part("a", rows=60), Part("b")])
    outer = Mixture("m", rows=100, parts=[Part(mixture="inner"), Part("c", weight=3)])
    found = allotments(outer, dict.fromkeys("abc", 50), inner)
    assert {name: item.rows for name, item in found.items()} == {"a": 60, "b": 0, "c": 40}
    assert all(item.asked >= 0 for item in found.values())


# One task on two paths


def test_a_task_on_two_paths_adds_up() -> None:
    assert counts(Mixture("m", rows=40, parts=[Part("a b"), Part("b c")]), dict.fromkeys("abc", 9)) == {
        "a": 10,
        "b": 20,
        "c": 10,
    }


def test_two_fixed_parts_of_one_task_add_up() -> None:
    assert counts(Mixture("m", parts=[Part("a", epochs=1), Part("a", epochs=2), Part("a", rows=4)]), {"a": 7}) == {
        "a": 25
    }


def test_a_task_that_two_parts_want_more_often_than_max_epochs_is_refused() -> None:
    mixture = Mixture("m", rows=36, parts=[Part("a b"), Part("a c")], defaults=Limits(max_epochs=2))
    problem, other = refusal(mixture, {"a": 5, "b": 5, "c": 5}), refusal(mixture, {"a": 5, "b": 4, "c": 4})
    assert problem == [
        "mixture m: 2 parts take the task 'a' and want 18 rows of it"
        " - max_epochs allows 10: raise it, or let one part take the task"
    ]
    assert "20 rows" in other[0]
    assert counts(mixture, {"a": 9, "b": 9, "c": 9})["a"] == 18


def test_a_part_without_max_epochs_may_take_a_task_as_often_as_it_wants() -> None:
    twice = Part("a", max_epochs=2)
    assert counts(Mixture("m", rows=30, parts=[twice, twice, Part("a")]), {"a": 5}) == {"a": 30}


def test_two_parts_cannot_offer_another_number_of_rows_of_one_task() -> None:
    problems = refusal(
        Mixture("m", rows=9, parts=[Part("a b", max_rows=5), Part("a", max_rows=6), Part("b")]), {"a": 9, "b": 9}
    )
    assert problems == [
        "mixture m: parts[1]: the task 'a' has another max_rows in an earlier part - give both parts the same",
        "mixture m: parts[2]: the task 'b' has another max_rows in an earlier part - give both parts the same",
    ]


# What cannot be had is refused, with the nearest number that can


def test_more_rows_than_max_epochs_allows() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("*")], defaults=Limits(max_epochs=2))
    assert refusal(mixture, {"a": 10, "b": 9}) == [
        "mixture m: the mixture 'm' is to give 100 rows, and can give 38 at most"
        " - ask for 38, or raise max_epochs or fixed rows"
    ]
    assert counts(mixture.model_copy(update={"rows": 38}), {"a": 10, "b": 9}) == {"a": 20, "b": 18}


def test_more_rows_of_a_part_than_max_epochs_allows() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("a", rows=50), Part("b")], defaults=Limits(max_epochs=4))
    assert refusal(mixture, {"a": 10, "b": 900}) == [
        "mixture m: the part 'a' is to give 50 rows, and can give 40 at most"
        " - ask for 40, or raise max_epochs or fixed rows"
    ]


def test_more_epochs_of_a_part_than_its_own_max_epochs() -> None:
    (problem,) = refusal(
        Mixture("m", rows=100, parts=[Part("a", epochs=5), Part("b")], defaults=Limits(max_epochs=2)),
        {"a": 10, "b": 900},
    )
    assert "the task 'a' is to give 50 rows, and can give 20 at most" in problem


def test_a_share_that_max_epochs_does_not_allow() -> None:
    parts = [Part("a", min_share=0.5), Part("b")]
    (problem,) = refusal(Mixture("m", rows=100, parts=parts, defaults=Limits(max_epochs=1)), {"a": 10, "b": 900})
    assert "the part 'a' is to give 50 rows, and can give 10 at most" in problem


def test_a_share_of_each_task_that_max_epochs_does_not_allow() -> None:
    limits = Limits(max_epochs=1, min_share=0.3)
    problems = refusal(Mixture("m", rows=100, parts=[Part("*")], defaults=limits), {"a": 10, "b": 900, "c": 20})
    assert len(problems) == 2
    assert "the task 'a' is to give 30 rows, and can give 10 at most" in problems[0]
    assert "the task 'c' is to give 30 rows, and can give 20 at most" in problems[1]


def test_a_share_of_each_task_that_the_epochs_of_its_part_do_not_give() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("a", epochs=1), Part("b")], defaults=Limits(min_share=0.3))
    (problem,) = refusal(mixture, {"a": 10, "b": 900})
    assert "the task 'a' is to give 30 rows, and can give 10 at most" in problem


def test_a_share_larger_than_the_fixed_rows_of_its_part() -> None:
    (problem,) = refusal(Mixture("m", rows=100, parts=[Part("a", rows=10, min_share=0.2), Part("b")]), {"a": 9, "b": 9})
    assert "the part 'a' is to give 20 rows, and can give 10 at most" in problem


def test_fixed_rows_that_are_more_than_the_budget() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("a", rows=70), Part("b", rows=50), Part("c")])
    (problem,) = refusal(mixture, dict.fromkeys("abc", 90))
    assert "the mixture 'm' is to give 100 rows, and its fixed rows and min_share take 120" in problem
    assert "raise the rows to 120, or lower those" in problem


def test_fixed_rows_that_are_less_than_the_budget_with_nothing_to_fill_it() -> None:
    (problem,) = refusal(Mixture("m", rows=100, parts=[Part("a", rows=70)]), {"a": 9})
    assert "is to give 100 rows, and can give 70 at most" in problem


def test_floors_that_grow_with_the_budget_are_counted_at_the_number_that_is_named() -> None:
    mixture = Mixture("m", rows=150, parts=[Part("a", min_share=0.5), Part("b", rows=100)])
    (problem,) = refusal(mixture, {"a": 90, "b": 90})
    assert "fixed rows and min_share take 175" in problem
    assert "raise the rows to 200" in problem
    assert counts(mixture.model_copy(update={"rows": 200}), {"a": 90, "b": 90}) == {"a": 100, "b": 100}
    assert refusal(mixture.model_copy(update={"rows": 199}), {"a": 90, "b": 90})


def test_shares_that_are_more_than_the_whole_can_be_had_of_no_number_of_rows() -> None:
    parts = [Part("a", min_share=0.6), Part("b", min_share=0.6)]
    (problem,) = refusal(Mixture("m", rows=10, parts=parts), {"a": 90, "b": 90})
    assert "no number of rows will do" in problem


def test_every_part_that_cannot_be_resolved_is_told_at_once_with_its_place() -> None:
    inner = Mixture("inner", parts=[Part("nothing/here"), Part(mixture="outer")])
    outer = Mixture(
        "outer",
        rows=9,
        parts=[Part("type:nil"), Part(mixture="inner"), Part(mixture="iner"), Part("a"), Part("kind:x")],
    )
    problems = refusal(outer, {"a": 5, "nli/b": 5}, inner, outer)
    assert [problem.split(" - ")[0] for problem in problems] == [
        "mixture outer: parts[0].select: 'type:nil' selects no task",
        "mixture inner: parts[0].select: 'nothing/here' selects no task",
        "mixture inner: parts[1].mixture: the mixture 'outer' would hold itself",
        "mixture outer: parts[2].mixture: no mixture is called 'iner'",
        "mixture outer: parts[4].select: 'kind:x' starts with 'kind:', which is none of type:, tag:, language:",
    ]


def test_a_mixture_that_holds_itself_is_refused() -> None:
    (problem,) = refusal(Mixture("m", rows=9, parts=[Part(mixture="m"), Part("a")]), {"a": 5})
    assert "the mixture 'm' would hold itself" in problem


# Mixtures of others, from their tests, papers and cards

GLUE = {
    "cola": 8_551, "sst2": 67_349, "mrpc": 3_668, "qqp": 363_849,
    "stsb": 5_749, "mnli": 392_702, "qnli": 104_743, "rte": 2_490,
}  # fmt: skip
COT = {
    "cot_gsm8k": 7_470, "cot_strategyqa": 2_060, "cot_creak": 6_910, "cot_qasc": 1_080, "cot_esnli": 36_170,
    "cot_ecqa": 7_110, "cot_sensemaking": 6_070, "stream_aqua": 2_715, "stream_qed": 5_145,
}  # fmt: skip
TULU3 = [
    10_983, 89_982, 9_500, 7_132, 149_960, 49_980, 34_999, 20_000, 29_980,
    64_312, 50_000, 50_000, 240, 100_000, 100_000, 5_000, 10_000, 107_276,
]  # fmt: skip


def test_t5_examples_proportional() -> None:
    # t5/data/glue_utils.py @2e5842e (sizes), T5 section 3.5.2: p is proportional to e
    found = allotments(Mixture("glue", epochs=1, parts=[Part("*")]), GLUE)
    assert sum(item.rows for item in found.values()) == 949_101
    assert {name: item.rows for name, item in found.items()} == GLUE
    assert found["mnli"].asked == pytest.approx(0.41376207590130026)


def test_t5_artificial_limit() -> None:
    # the same, p is proportional to min(e, K) with K = 65536
    found = allotments(Mixture("glue", rows=282_602, parts=[Part("*")], defaults=Limits(rate_cap=65_536)), GLUE)
    assert {name: item.rows for name, item in found.items()} == {name: min(size, 65_536) for name, size in GLUE.items()}
    assert found["rte"].asked == pytest.approx(0.008810977983170678)


def test_seqio_nested() -> None:
    # seqio/dataset_providers_test.py:1459-1470: rates 0.5, 0.5, 1
    another = Mixture("another", parts=[Part("a", weight=1), Part("b", weight=1)])
    outer = Mixture("super", rows=400, parts=[Part(mixture="another", weight=1), Part("c", weight=1)])
    assert counts(outer, dict.fromkeys("abc", 7), another) == {"a": 100, "b": 100, "c": 200}


def test_seqio_nested_with_a_task_on_two_paths() -> None:
    # seqio README.md:429-471: 1/24 + 1/3, 7/24, 1/3
    mix1 = Mixture("mix1", parts=[Part("task1", weight=1), Part("task2", weight=7)])
    mix3 = Mixture("mix3", rows=24, parts=[Part(mixture="mix1"), Part("task1"), Part("task3")])
    sizes = {"task1": 9, "task2": 9, "task3": 9}
    assert counts(mix3, sizes, mix1) == {"task1": 9, "task2": 7, "task3": 8}


def test_flan_2022_chain_of_thought() -> None:
    # flan/v2/constants.py:48, flan/v2/mixtures.py:27-44, 71-94: CoT at 1 and its inversion at 0.3, each task capped
    inverted = {f"inverted/{name}": size for name, size in COT.items()}
    parts = [Part("cot_* stream_*", weight=1), Part("inverted/*", weight=0.3)]
    found = allotments(Mixture("cot", rows=97_149, parts=parts, defaults=Limits(rate_cap=100_000)), COT | inverted)
    assert sum(COT.values()) == 74_730
    assert found["cot_gsm8k"].asked == pytest.approx(2490 / 32383)
    assert {name: found[name].rows for name in COT} == COT
    assert found["inverted/cot_gsm8k"].rows == 2_241


def test_tulu_flan_v1() -> None:
    # open-instruct scripts/data/sft_v1_v2/resample_flan_v2.py:19-34, 59: counts = p * N, N = 100000
    groups = {"flan": (4, 0.1), "t0": (4, 0.08), "niv2": (2, 0.1), "cot": (2, 0.025), "dialog": (2, 0.015)}
    weights = {f"{name}/{index}": p for name, (number, p) in groups.items() for index in range(number)}
    mixture = Mixture("tulu", rows=100_000, parts=[Part(name, weight=weight) for name, weight in weights.items()])
    expected = {"flan": 10_000, "t0": 8_000, "niv2": 10_000, "cot": 2_500, "dialog": 1_500}
    assert counts(mixture, dict.fromkeys(weights, 10**6)) == {name: expected[name.split("/")[0]] for name in weights}


def test_tulu_3_as_its_card_lists_it_lacks_50_000_rows() -> None:
    # allenai/tulu-3-sft-mixture: the parts add up to 889,344, the card says 939,344
    sizes = {f"part{index:02}": size for index, size in enumerate(TULU3)}
    mixture = Mixture("tulu3", parts=[Part(name, rows=size) for name, size in sizes.items()])
    assert sum(counts(mixture, sizes).values()) == 889_344
    (problem,) = refusal(mixture.model_copy(update={"rows": 939_344}), sizes)
    assert "is to give 939,344 rows, and can give 889,344 at most" in problem


def test_dmt_replay() -> None:
    # DMT arXiv:2310.05492v4 Tables 1 and 2: 1/256 of a source
    sizes = {"gsm8k_rft": 110_142, "code_alpaca": 20_022, "sharegpt": 86_060}
    parts = [Part("gsm8k_rft", epochs=1 / 256), Part("code_alpaca", epochs=1 / 256), Part("sharegpt", epochs=1)]
    found = allotments(Mixture("stage2", parts=parts), sizes)
    assert {name: item.rows for name, item in found.items()} == {
        "gsm8k_rft": 430,
        "code_alpaca": 78,
        "sharegpt": 86_060,
    }
    assert found["gsm8k_rft"].asked + found["code_alpaca"].asked == pytest.approx(0.0058682192034007945)


@pytest.mark.parametrize(
    ("rows", "weights", "expected"),
    [
        # NeMo-Curator tests/test_blend_datasets.py:71-85 (where ceil gives ten rows of eight) and documentdataset.rst
        (8, (1, 2, 3, 4), (1, 2, 2, 3)),
        (1_000, (5, 2, 1), (625, 250, 125)),
        # streaming docs/source/dataset_configuration/mixing_data_sources.md:48-75
        (300, (0.25, 0.75), (75, 225)),
        (400, (0.25, 0.75), (100, 300)),
        # Megatron-LM megatron/core/datasets/helpers.cpp @298c71d
        (20, (0.5, 0.3, 0.2), (10, 6, 4)),
        # trl/scripts/utils.py:458-474
        (200, (0.5, 0.5), (100, 100)),
    ],
)
def test_weights_of_other_mixers(rows: int, weights: tuple[float, ...], expected: tuple[int, ...]) -> None:
    names = "abcd"[: len(weights)]
    parts = [Part(name, weight=weight) for name, weight in zip(names, weights, strict=True)]
    found = counts(Mixture("m", rows=rows, parts=parts), dict.fromkeys(names, 100))
    assert tuple(found.values()) == expected


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, {"a": 100, "b": 10, "c": 250, "d": 40}), (5, {"a": 117, "b": 50, "c": 117, "d": 116})],
)
def test_unimax_is_a_rate_cap_of_one_with_a_ceiling(epochs: int, expected: dict[str, int]) -> None:
    # UniMax arXiv:2304.09151 algorithm 1: budget 400 over 100, 10, 1000 and 40 rows
    limits = Limits(rate_cap=1, max_epochs=epochs)
    mixture = Mixture("unimax", rows=400, parts=[Part("*")], defaults=limits)
    assert counts(mixture, {"a": 100, "b": 10, "c": 1_000, "d": 40}) == expected


def test_the_figures_above_are_those_that_were_collected() -> None:
    if not VECTORS.is_file():
        pytest.skip(f"the collected figures are not beside this repository ({VECTORS.name})")
    found: dict[str, Any] = {item["id"]: item for item in json.loads(VECTORS.read_text(encoding="utf-8"))}
    assert found["t5-glue-proportional"]["input"] == GLUE
    assert found["t5-glue-proportional"]["expect"]["p"]["mnli"] == 0.41376207590130026
    assert found["t5-glue-K65536"]["expect"]["sum"] == 282_602
    assert {name: size for name, size in found["flan2022-cot_zsopt"]["input"].items() if "inversion" not in name} == COT
    assert found["flan2022-cot_zsopt"]["expect"]["p_exact_cot_gsm8k"] == "2490/32383"
    assert found["tulu3-audit"]["input"] == TULU3
    assert found["tulu3-audit"]["expect"]["sum"] == 889_344
    assert found["dmt-replay"]["expect"]["stage2_share"] == 0.0058682192034007945
    assert found["unimax"]["expect"][1]["d"] == "350/3"
    assert found["seqio-nested-readme"]["expect"]["task1"] == "1/24+1/3=3/8"
