"""A mixture with its selectors resolved: what each part takes, under which limits, and what is refused."""

from typing import Any

import pytest

from flanmix.rates import PRESETS
from flanmix.recipe import Offer
from flanmix.spec import Bounds, Limits, Mixture, Part, Stage
from tests.recipes import allotments, counts, recipe_of, refusal


def limits_of(part: Part, **defaults: Any) -> Limits:
    """The limits of tasks in a part of a mixture with these defaults."""
    (leaf,) = recipe_of(Mixture("m", rows=9, parts=[part], defaults=Limits(**defaults)), {"a": 9}).leaves
    return leaf.limits


# What is refused


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
        "mixture outer: parts[4].select: 'kind:x' starts with 'kind:', which is none of type:, tag:, language:, style:",
    ]


def test_a_mixture_that_holds_itself_is_refused() -> None:
    (problem,) = refusal(Mixture("m", rows=9, parts=[Part(mixture="m"), Part("a")]), {"a": 5})
    assert "the mixture 'm' would hold itself" in problem


# Limits: the nearest holds


@pytest.mark.parametrize("name", PRESETS)
def test_a_rate_stands_for_the_keys_of_its_preset(name: Any) -> None:
    preset, found = PRESETS[name], limits_of(Part("a"), rate=name)
    assert found.rate == name
    assert (found.rate_cap, found.temperature) == (preset.rate_cap, preset.temperature)
    assert (found.max_rows, found.max_epochs) == (preset.max_rows, preset.max_epochs)


def test_a_key_beside_a_rate_goes_before_what_the_rate_says() -> None:
    found = limits_of(Part("a"), rate="flan2021", max_rows=50, rate_cap=40)
    assert (found.max_rows, found.rate_cap) == (50, 40)
    assert limits_of(Part("a", rate_cap=7), rate="flan2021").rate_cap == 7
    assert limits_of(Part("a", max_rows=7), rate="flan2021").rate_cap == 3_000


def test_a_rate_in_a_part_goes_before_the_rule_of_the_defaults() -> None:
    found = limits_of(Part("a", rate="t5"), rate_cap=5, temperature=2, scale=3, max_epochs=4)
    assert (found.rate, found.rate_cap, found.temperature, found.scale) == ("t5", 2**19, None, None)
    assert found.max_epochs == 4  # which t5 says nothing of


def test_a_rule_in_a_part_goes_before_a_rate_that_takes_none() -> None:
    assert limits_of(Part("a", temperature=2), rate="equal").rate is None
    assert limits_of(Part("a", max_epochs=2), rate="equal").rate == "equal"


def test_an_equal_rate_counts_all_tasks_the_same_where_it_is_written() -> None:
    sizes = {"a": 10, "b": 30, "c": 10, "d": 30}
    parts = [Part("a b"), Part("c d", rate="proportional")]
    assert counts(Mixture("m", rows=80, parts=parts, defaults=Limits(rate="equal")), sizes) == {
        "a": 20, "b": 20, "c": 10, "d": 30,
    }  # fmt: skip


def test_unimax_is_one_pass_at_most_unless_it_says_more() -> None:
    sizes = {"a": 10, "b": 100, "c": 100}
    assert counts(Mixture("m", rows=90, parts=[Part("*")], defaults=Limits(rate="unimax")), sizes) == {
        "a": 10, "b": 40, "c": 40,
    }  # fmt: skip
    twice = Limits(rate="unimax", max_epochs=2)
    assert counts(Mixture("m", rows=90, parts=[Part("*")], defaults=twice), sizes) == {"a": 20, "b": 35, "c": 35}


def test_bounds_of_a_part_are_not_those_of_each_task_in_it() -> None:
    found = limits_of(Part("a", min_share=0.1, max_share=0.2, min_rows=3), min_share=0.01)
    assert (found.min_share, found.max_share, found.min_rows) == (0.01, None, None)


# Parts of parts


def test_parts_in_a_part_share_what_it_gets() -> None:
    inner = [Part("a", weight=3), Part("b c", weight=1)]
    mixture = Mixture("m", rows=160, parts=[Part(parts=inner, weight=1), Part("d")])
    assert counts(mixture, dict.fromkeys("abcd", 9)) == {"a": 60, "b": 10, "c": 10, "d": 80}


def test_parts_in_a_part_take_its_limits_and_know_where_they_stand() -> None:
    part = Part(parts=[Part("a"), Part("nothing/*"), Part(parts=[Part("b", max_rows=3)])], max_rows=5)
    (problem,) = refusal(Mixture("m", rows=9, parts=[part]), {"a": 9, "b": 9})
    assert problem.startswith("mixture m: parts[0].parts[1].select: 'nothing/*' selects no task")
    found = allotments(
        Mixture("m", rows=9, parts=[Part(parts=[part.parts[0], part.parts[2]], max_rows=5)]), {"a": 9, "b": 9}
    )  # type: ignore[index]
    assert (found["a"].offered, found["b"].offered) == (5, 3)


def test_a_share_of_a_part_with_parts_is_of_all_of_it() -> None:
    parts = [Part(parts=[Part("a"), Part("b")], max_share=0.2), Part("c")]
    found = allotments(Mixture("m", rows=100, parts=parts), dict.fromkeys("abc", 9))
    assert {name: item.rows for name, item in found.items()} == {"a": 10, "b": 10, "c": 80}
    assert found["a"].bound == ("max_share",)


# Types and tags


def test_bounds_of_a_type_hold_in_all_parts_together() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("nli/a c"), Part("nli/b d")], types={"nli": Bounds(max_share=0.2)})
    found = allotments(mixture, {"nli/a": 9, "nli/b": 9, "c": 9, "d": 9})
    assert {name: item.rows for name, item in found.items()} == {"nli/a": 10, "nli/b": 10, "c": 40, "d": 40}
    assert found["nli/a"].bound == ("type:nli max_share",)


@pytest.mark.parametrize("kind", ["type", "tag"])
def test_bounds_of_a_type_or_tag_that_no_task_has_are_refused(kind: str) -> None:
    bounds: dict[str, Any] = {f"{kind}s": {"nil": Bounds(max_share=0.5)}}
    (problem,) = refusal(Mixture("m", rows=9, parts=[Part("*")], **bounds), {"nli/a": 9})
    assert problem.startswith(f"mixture m: {kind}s.nil: no task of the mixture has the {kind} 'nil'")
    assert problem.endswith("did you mean 'nli'?" if kind == "type" else "there are none")


# Weights


def test_weights_are_relative_shares_by_task_wherever_it_stands() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("a b"), Part("c")], weights={"a": 0.2, "b": 0.2, "c": 0.6})
    assert counts(mixture, {"a": 10, "b": 1_000, "c": 1}) == {"a": 20, "b": 20, "c": 60}


def test_limits_hold_what_weights_ask_for() -> None:
    mixture = Mixture("m", rows=100, parts=[Part("*")], weights={"a": 8, "b": 1, "c": 1}, defaults=Limits(max_epochs=2))
    found = allotments(mixture, {"a": 10, "b": 90, "c": 90})
    assert {name: item.rows for name, item in found.items()} == {"a": 20, "b": 40, "c": 40}
    assert found["a"].bound == ("max_epochs",)


def test_a_weight_of_no_task_and_a_task_of_no_weight_are_refused() -> None:
    mixture = Mixture("m", rows=9, parts=[Part("*")], weights={"alpha": 1, "betta": 1, "x": 1})
    assert refusal(mixture, {"alpha": 9, "beta": 9}) == [
        "mixture m: weights.betta: 'betta' is no task of the mixture - did you mean 'beta'?",
        "mixture m: weights.x: 'x' is no task of the mixture - take the weight out, or let a part select the task",
        "mixture m: weights: the task 'beta' has no weight, and others have"
        " - give every task one, or take 'weights' out",
    ]


# Without


def test_what_is_taken_out_is_taken_out_of_all_parts() -> None:
    inner = Mixture("inner", parts=[Part("a b")])
    mixture = Mixture("m", rows=90, parts=[Part("*"), Part(mixture="inner")], exclude=["b", "nli/*"])
    assert counts(mixture, {"a": 9, "b": 9, "c": 9, "nli/d": 9}, inner) == {"a": 68, "c": 22}


def test_a_part_of_which_nothing_is_left_goes_with_it() -> None:
    parts = [Part("type:nli", rows=50), Part("a"), Part(parts=[Part("nli/*")])]
    limits: dict[str, Any] = {"types": {"nli": Bounds(max_share=0.1)}, "weights": {"nli/x": 1, "a": 1}}
    mixture = Mixture("m", rows=90, parts=parts, exclude=["type:nli"], **limits)
    assert counts(mixture, {"a": 9, "nli/x": 9}) == {"a": 90}


def test_a_mixture_of_which_nothing_is_left_is_refused() -> None:
    (problem,) = refusal(Mixture("m", rows=90, parts=[Part("a")], exclude=["*"]), {"a": 9})
    assert problem == "mixture m: parts: 'exclude' takes out every task - leave some"


def test_what_is_to_be_taken_out_must_be_there() -> None:
    mixture = Mixture("m", rows=90, parts=[Part("*")], exclude=["type:nli", "nli/x", "nil/x", "kind:x"])
    assert [line.split(" - ")[0] for line in refusal(mixture, {"a": 9, "nli/x": 9})] == [
        "mixture m: exclude[2]: 'nil/x' takes no task out",
        "mixture m: exclude[3]: 'kind:x' starts with 'kind:', which is none of type:, tag:, language:, style:",
    ]


# Sizes


def test_sizes_are_all_that_a_mixture_knows() -> None:
    mixture = Mixture("m", rows=40, sizes={"x": 10, "y": 30})
    assert counts(mixture, {"a": 9}) == {"x": 10, "y": 30}
    (problem,) = refusal(mixture.model_copy(update={"parts": (Part("a"),)}), {"a": 9})
    assert problem == "mixture m: parts[0].select: 'a' selects no task - 'sizes' holds no such task"


def test_sizes_by_style_are_offers_of_their_own_that_selectors_tell_apart() -> None:
    sizes = {"x": {"plain": 10, "cot": 30}, "y": 20}
    parts = [Part("style:cot", weight=3), Part("* -style:cot")]
    assert counts(Mixture("m", rows=120, parts=parts, sizes=sizes), {}) == {"x (cot)": 90, "x (plain)": 10, "y": 20}
    recipe = recipe_of(Mixture("m", rows=120, sizes=sizes), {})
    assert recipe.sizes == {Offer("x", "plain"): 10, Offer("x", "cot"): 30, Offer("y"): 20}
    assert recipe.tasks == ("x", "y")


def test_a_task_that_is_known_keeps_its_type_where_its_size_is_told() -> None:
    mixture = Mixture("m", rows=40, parts=[Part("type:nli")], sizes={"nli/x": 10, "y": 30})
    assert counts(mixture, {"nli/x": 999}) == {"nli/x": 40}


def test_limits_of_a_task_hold_for_all_its_styles_together() -> None:
    mixture = Mixture("m", rows=100, sizes={"x": {"a": 50, "b": 50}, "y": 900}, defaults=Limits(min_share=0.2))
    found = allotments(mixture, {})
    assert {name: item.rows for name, item in found.items()} == {"x (a)": 10, "x (b)": 10, "y": 80}


def test_a_nested_mixture_may_have_sizes_of_its_own() -> None:
    inner = Mixture("inner", sizes={"x": 10, "y": 30})
    mixture = Mixture("m", rows=80, parts=[Part(mixture="inner"), Part("a")])
    assert counts(mixture, {"a": 9}, inner) == {"x": 10, "y": 30, "a": 40}
    assert recipe_of(mixture, {"a": 9}, inner).sizes == {Offer("x"): 10, Offer("y"): 30}


# Stages


def test_a_mixture_with_stages_cannot_be_part_of_another() -> None:
    inner = Mixture("inner", stages=[Stage("one", parts=[Part("a")], rows=5)])
    (problem,) = refusal(Mixture("m", rows=9, parts=[Part(mixture="inner")]), {"a": 9}, inner)
    assert (
        problem == "mixture m: parts[0].mixture: 'inner' has stages, and cannot be part of a mixture - name its parts"
    )


def test_a_stage_is_resolved_alone() -> None:
    stages = [Stage("one", parts=[Part("a")], rows=5), Stage("two", parts=[Part("b")], epochs=1)]
    mixture = Mixture("m", stages=stages)
    recipe = recipe_of(mixture, {"a": 9, "b": 9}, stage=stages[1])
    assert (recipe.name, recipe.tasks, recipe.budget) == ("m/two", ("b",), stages[1])
