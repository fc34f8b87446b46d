"""A mixture and the sizes of its tasks, solved into integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.allot import Sizes, allot
from flanmix.recipe import Offer
from flanmix.spec import Bounds, Limits, Mixture, Part
from tests.recipes import allotments, counts, recipe_of, refusal

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
        assert item.offered == sizes[item.offer.task]
        assert item.bound == ()


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
    assert {name: item.bound for name, item in found.items()} == {"a": ("max_epochs",), "b": (), "c": ()}


def test_a_full_part_spills_over_to_the_other_parts() -> None:
    mixture = Mixture("m", rows=300, parts=[Part("a b"), Part("c"), Part("d")], defaults=Limits(max_epochs=1))
    found = allotments(mixture, {"a": 10, "b": 20, "c": 500, "d": 500})
    assert {name: item.rows for name, item in found.items()} == {"a": 10, "b": 20, "c": 135, "d": 135}
    assert found["a"].asked == pytest.approx(1 / 9)
    assert found["a"].bound == found["b"].bound == ("max_epochs",)


@pytest.mark.parametrize(("epochs", "most"), [(1, 7), (1.5, 10), (0.4, 2), (3, 21)])
def test_a_ceiling_in_fractions_of_an_epoch_is_never_passed(epochs: float, most: int) -> None:
    parts = [Part("a", max_epochs=epochs, weight=100), Part("b")]
    assert counts(Mixture("m", rows=50, parts=parts), {"a": 7, "b": 7}) == {"a": most, "b": 50 - most}


def test_min_share_in_defaults_is_a_floor_of_each_task() -> None:
    found = allotments(
        Mixture("m", rows=100, parts=[Part("*")], defaults=Limits(min_share=0.1)), {"a": 1, "b": 30, "c": 60}
    )
    assert {name: item.rows for name, item in found.items()} == {"a": 10, "b": 30, "c": 60}
    assert {name: item.bound for name, item in found.items()} == {"a": ("min_share",), "b": (), "c": ()}


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
    assert {name: (float(item.asked), item.rows) for name, item in found.items()} == {
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


def test_a_task_that_two_parts_want_more_often_than_max_epochs_gives_what_it_can() -> None:
    mixture = Mixture("m", rows=36, parts=[Part("a b"), Part("a c")], defaults=Limits(max_epochs=2))
    assert counts(mixture, {"a": 9, "b": 9, "c": 9}) == {"a": 18, "b": 9, "c": 9}
    found = allotments(mixture, {"a": 5, "b": 5, "c": 30})
    assert found["a"].rows == 10
    assert sum(item.rows for item in found.values()) == 36
    assert found["a"].bound == ("max_epochs",)


def test_a_task_that_two_parts_take_is_refused_where_its_rows_are_needed_more_often() -> None:
    mixture = Mixture("m", parts=[Part("a", rows=9), Part("a", rows=9)], defaults=Limits(max_epochs=2))
    problem, *parts = refusal(mixture, {"a": 5})
    assert (
        "the mixture 'm' is to give 18 rows, and can give 10 at most because of task:a - no number of rows will do"
        in problem
    )
    assert all("the part 'a' is to give 9 rows together with mixture:m" in part for part in parts)
    shared = Mixture("m", rows=36, parts=[Part("a b"), Part("a c")], defaults=Limits(max_epochs=2))
    assert len(refusal(shared, {"a": 5, "b": 5, "c": 5})) == 1


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
        "mixture m: the mixture 'm' is to give 100 rows, and can give 38 at most because of task:a, task:b"
        " - ask for 38, raise what holds it (max_epochs, max_share, fixed rows), or give --relax"
    ]
    assert counts(mixture.model_copy(update={"rows": 38}), {"a": 10, "b": 9}) == {"a": 20, "b": 18}


def test_more_rows_of_a_part_than_max_epochs_allows() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("a", rows=50), Part("b")], defaults=Limits(max_epochs=4))
    assert refusal(mixture, {"a": 10, "b": 900}) == [
        "mixture m: parts[0]: the part 'a' is to give 50 rows, and can give 40 at most because of task:a"
        " - ask for 40, raise what holds it (max_epochs, max_share, fixed rows), or give --relax"
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
    assert "the mixture 'm' is to give 100 rows, and what its tasks must give takes 120" in problem
    assert "raise it to 120, lower what takes it (fixed rows, min_share, min_rows), or give --relax" in problem


def test_fixed_rows_that_are_less_than_the_budget_with_nothing_to_fill_it() -> None:
    (problem,) = refusal(Mixture("m", rows=100, parts=[Part("a", rows=70)]), {"a": 9})
    assert "is to give 100 rows, and can give 70 at most" in problem


def test_floors_that_grow_with_the_budget_are_counted_at_the_number_that_is_named() -> None:
    mixture = Mixture("m", rows=150, parts=[Part("a", min_share=0.5), Part("b", rows=100)])
    (problem,) = refusal(mixture, {"a": 90, "b": 90})
    assert "what its tasks must give takes 175" in problem
    assert "raise it to 200," in problem
    assert counts(mixture.model_copy(update={"rows": 200}), {"a": 90, "b": 90}) == {"a": 100, "b": 100}
    assert refusal(mixture.model_copy(update={"rows": 199}), {"a": 90, "b": 90})


def test_shares_that_are_more_than_the_whole_can_be_had_of_no_number_of_rows() -> None:
    parts = [Part("a", min_share=0.6), Part("b", min_share=0.6)]
    (problem,) = refusal(Mixture("m", rows=10, parts=parts), {"a": 90, "b": 90})
    assert "no number of rows will do" in problem


@pytest.mark.parametrize("rows", [100, 1_000])
def test_ceilings_that_shrink_with_the_budget_are_counted_at_the_number_that_is_named(rows: int) -> None:
    """At 1,000 rows there are 540, and at 540 there are fewer."""
    mixture = Mixture("m", rows=rows, parts=[Part("a", max_share=0.5), Part("b", max_epochs=1)])
    sizes = {"a": 9, "b": 40}
    (problem,) = refusal(mixture, sizes)
    assert f"is to give {rows} rows" in problem.replace(",", "")
    assert "- ask for 80, raise what holds it" in problem
    assert counts(mixture.model_copy(update={"rows": 80}), sizes) == {"a": 40, "b": 40}
    assert refusal(mixture.model_copy(update={"rows": 82}), sizes)


def test_ceilings_that_are_less_than_the_whole_can_be_had_of_no_number_of_rows() -> None:
    parts = [Part("a", max_share=0.5), Part("b", max_share=0.4)]
    (problem,) = refusal(Mixture("m", rows=1_000, parts=parts), {"a": 9, "b": 9})
    assert "can give 900 at most because of part:a, part:b - no number of rows will do: raise what holds it" in problem


def test_a_ceiling_that_crosses_parts_and_floors_above_it_are_told_with_the_number_that_they_take() -> None:
    parts = [Part("nli/a", rows=30), Part("nli/b", rows=30), Part("c")]
    mixture = Mixture("m", rows=100, parts=parts, types={"nli": Bounds(max_share=0.5)})
    (problem,) = refusal(mixture, {"nli/a": 9, "nli/b": 9, "c": 9})
    assert (
        "the type 'nli' may give 50 rows at most, and part:nli/a, part:nli/b must give 60 - raise it to 60" in problem
    )


def test_a_floor_in_rows_is_of_each_task_in_defaults_and_of_all_of_a_part() -> None:
    sizes = {"a": 1, "b": 10, "c": 89}
    each = Mixture("m", rows=100, parts=[Part("*")], defaults=Limits(min_rows=5))
    assert counts(each, sizes)["a"] == 5
    part = Mixture("m", rows=100, parts=[Part("a b", min_rows=66), Part("c", weight=9)])
    assert counts(part, sizes) == {"a": 6, "b": 60, "c": 34}


def test_what_cannot_be_had_gives_way_where_it_may() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("*")], defaults=Limits(max_epochs=2))
    recipe = recipe_of(mixture, {"a": 10, "b": 9})
    found = allot(recipe, Sizes({offer: {"a": 10, "b": 9}[offer.task] for offer in recipe.offers}), relax=True)
    assert found.rows() == {Offer("a"): 20, Offer("b"): 18}
    assert found.relaxed == ("mixture 'm': at least 100 became 38",)
