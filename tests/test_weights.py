"""Shares by name: as JSON, drawn around a plan's own, and as probabilities for `datasets`."""

import json
from collections import Counter
from pathlib import Path
from statistics import fmean, pvariance
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix.errors import PlanError, SpecError, UsageError
from flanmix.weights import draw_weights, read_weights, write_weights

ASK = fm.Template("ask", input="{{ q }}", target="{{ a }}")


def task(name: str, rows: int, type: str = "arithmetic") -> fm.Task:
    return fm.Task(name, type=type, source=[{"q": f"{row}?", "a": f"{row}"} for row in range(rows)], templates=[ASK])


CATALOGUE = fm.load_registry(
    specs=[task("a", 60), task("b", 30, "nli"), task("c", 10, "code")], bundled=False, plugins=False
)
MIXTURE = fm.Mixture("m", parts=[fm.Part("*")], rows=1_000)
SHARES = {"a": 0.6, "b": 0.3, "c": 0.1}

# JSON

NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters="\n"), min_size=1, max_size=30)


@given(st.dictionaries(NAMES, st.floats(5e-324, 1e308), min_size=1, max_size=6))
def test_weights_come_back_from_a_file_as_they_were(weights: dict[str, float]) -> None:
    with TemporaryDirectory() as folder:
        write_weights(weights, Path(folder) / "weights.json")
        assert read_weights(Path(folder) / "weights.json") == weights


def test_both_forms_of_json_are_read(tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text('{"a": 0.5, "b": 2}')
    (tmp_path / "doremi.json").write_text(
        '{"train_domain_weights": {"a": 0.5, "b": 2}, "eval_domain_weights": {"a": 1}}'
    )
    for file in ("plain.json", "doremi.json"):
        assert read_weights(tmp_path / file) == {"a": 0.5, "b": 2.0}


def test_weights_are_written_as_doremi_publishes_them(tmp_path: Path) -> None:
    write_weights({"b": 0.1, "a": 1 / 3}, tmp_path / "w.json")
    named = {"a": 1 / 3, "b": 0.1}
    assert json.loads((tmp_path / "w.json").read_text()) == {
        "train_domain_weights": named,
        "eval_domain_weights": named,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("{'a': 1}", "is no JSON"),
        ("[" * 200_000, "is no JSON"),
        ("{}", "holds no weights"),
        ("[1, 2]", "holds no weights"),
        ('{"train_domain_weights": {}}', "holds no weights"),
        ('{"a": 0}', "a: is 0"),
        ('{"a": -1.5}', "a: is -1.5"),
        ('{"a": NaN}', "a: is nan"),
        ('{"a": Infinity}', "a: is inf"),
        ('{"a": 1e999}', "a: is inf"),
        ('{"a": 1' + "0" * 400 + "}", "a: is 1000"),
        ('{"a": true}', "a: is True"),
        ('{"a": "1"}', "a: is '1'"),
        ('{"a": {"b": 1}}', "a: is {'b': 1}"),
        ('{"a": null}', "a: is None"),
    ],
)
def test_what_is_no_weight_is_told(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(text)
    with pytest.raises(SpecError) as caught:
        read_weights(tmp_path / "w.json")
    assert f"{tmp_path / 'w.json'}: {said}" in str(caught.value)


def test_every_wrong_weight_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text('{"a": 0, "b": 1, "c": null}')
    with pytest.raises(SpecError) as caught:
        read_weights(tmp_path / "w.json")
    assert [problem.key for problem in caught.value.problems] == ["a", "c"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes('{"ä": 1}'.encode("latin-1"))
    for name in ("nowhere.json", ".", "latin.json"):
        with pytest.raises(SpecError, match=r"cannot be read|is no JSON"):
            read_weights(tmp_path / name)


# A mixture with weights


def test_weights_take_the_place_of_what_sizes_make(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text('{"train_domain_weights": {"a": 1, "b": 1, "c": 2}}')
    for weights in ({"a": 0.25, "b": 0.25, "c": 0.5}, str(tmp_path / "w.json"), tmp_path / "w.json"):
        assert MIXTURE.weighted(weights).plan(CATALOGUE).counts == {"a": 250, "b": 250, "c": 500}


def test_limits_stay_with_weights() -> None:
    capped = fm.Mixture("m", parts=[fm.Part("*")], rows=100, max_epochs=2).weighted({"a": 1, "b": 1, "c": 2})
    assert capped.plan(CATALOGUE).counts == {"a": 40, "b": 40, "c": 20}


def test_what_a_plan_writes_gives_the_same_plan(tmp_path: Path) -> None:
    plan = fm.Mixture("m", parts=[fm.Part("*", max_share=0.9), fm.Part("b")], rows=997, temperature=3).plan(CATALOGUE)
    plan.write_weights(tmp_path / "w.json")
    again = MIXTURE.weighted(tmp_path / "w.json").plan(CATALOGUE, rows=997)
    assert again.counts == plan.counts
    assert again.weights() == pytest.approx(plan.weights(), rel=1e-12)


def test_weights_and_tasks_must_fit_each_other() -> None:
    with pytest.raises(PlanError) as caught:
        MIXTURE.weighted({"a": 1, "d": 1}).plan(CATALOGUE)
    assert [(problem.key, problem.what) for problem in caught.value.problems] == [
        ("weights.d", "'d' is no task of the mixture"),
        ("weights", "the task 'b' has no weight, and others have"),
        ("weights", "the task 'c' has no weight, and others have"),
    ]


def test_weights_of_a_mixture_within_another_hold_inside_of_it() -> None:
    inner = fm.Mixture("inner", parts=[fm.Part("a b", weight=7), fm.Part("c")], weights={"a": 1, "b": 2, "c": 1})
    tasks = CATALOGUE.with_specs(inner)
    outer = fm.Mixture("m", parts=[fm.Part(mixture="inner"), fm.Part("a", weight=3)], rows=400)
    assert outer.plan(tasks).counts == {"a": 25 + 300, "b": 50, "c": 25}
    assert outer.weighted({"a": 2, "b": 1, "c": 1}).plan(tasks).counts == {"a": 200, "b": 100, "c": 100}
    wrong = fm.Mixture("inner", parts=[fm.Part("a b")], weights={"a": 1})
    with pytest.raises(PlanError, match=r"mixture inner: weights: the task 'b' has no weight"):
        outer.plan(CATALOGUE.with_specs(wrong))


# Ablations


def test_without_takes_tasks_out_and_the_parts_that_are_empty_then() -> None:
    mixture = fm.Mixture("m", parts=[fm.Part("type:nli", weight=3), fm.Part("a"), fm.Part("c")], rows=90)
    assert mixture.without("type:nli").plan(CATALOGUE).counts == {"a": 45, "c": 45}
    assert mixture.without("type:nli", "c").plan(CATALOGUE).counts == {"a": 90}
    weighted = mixture.weighted({"a": 1, "b": 1, "c": 2}).without("b")
    assert weighted.plan(CATALOGUE).counts == {"a": 30, "c": 60}
    with pytest.raises(PlanError, match="'exclude' takes out every task"):
        mixture.without("*").plan(CATALOGUE)


def test_each_type_is_left_out_in_turn() -> None:
    bounded = fm.Mixture(
        "m",
        parts=[fm.Part("type:nli"), fm.Part("type:code"), fm.Part("type:arithmetic")],
        rows=60,
        types={"nli": {"max_share": 0.1}},
    )
    found = {name: mixture.plan(CATALOGUE).counts for name, mixture in bounded.leave_one_out(CATALOGUE).items()}
    assert found == {"arithmetic": {"b": 6, "c": 54}, "code": {"a": 54, "b": 6}, "nli": {"a": 30, "c": 30}}


@pytest.mark.parametrize(
    ("selector", "said"),
    [("type:nlii", "takes no task out"), ("kind:nli", "which is none of"), ("d", "takes no task out")],
)
def test_without_that_takes_nothing_out_is_told(selector: str, said: str) -> None:
    with pytest.raises(PlanError, match=rf"exclude\[0\]: '{selector}' .*{said}"):
        MIXTURE.without(selector).plan(CATALOGUE)


# Dirichlet


@pytest.mark.parametrize("alpha", [2.0, 20.0, 500.0])
def test_drawn_shares_have_the_mean_and_the_variance_that_are_stated(alpha: float) -> None:
    """Mean p; variance p(1 - p) / (alpha + 1)."""
    draws = [draw_weights(SHARES, alpha, seed=3, number=number) for number in range(4_000)]
    assert all(abs(sum(drawn.values()) - 1) < 1e-9 for drawn in draws)
    for name, share in SHARES.items():
        values = [drawn.get(name, 0.0) for drawn in draws]
        variance = share * (1 - share) / (alpha + 1)
        assert fmean(values) == pytest.approx(share, abs=5 * (variance / len(draws)) ** 0.5)
        assert pvariance(values) == pytest.approx(variance, rel=0.2)


def test_draws_go_by_seed_and_number_alone() -> None:
    drawn = {(seed, number): draw_weights(SHARES, 5.0, seed, number) for seed in range(3) for number in range(20)}
    assert all(draw_weights(SHARES, 5.0, *key) == found for key, found in drawn.items())
    assert len({tuple(found.values()) for found in drawn.values()}) == 60


def test_a_mixture_is_sampled_around_its_own_shares() -> None:
    found = MIXTURE.sample(40, alpha=50.0, seed=1, tasks=CATALOGUE)
    assert [mixture.name for mixture in found] == [f"m-{number}" for number in range(40)]
    assert found == MIXTURE.sample(40, alpha=50.0, seed=1, tasks=CATALOGUE)
    assert found[:3] == MIXTURE.sample(3, alpha=50.0, seed=1, tasks=CATALOGUE)
    counts = [mixture.plan(CATALOGUE).counts for mixture in found]
    assert {sum(some.values()) for some in counts} == {1_000}
    for name, share in SHARES.items():
        assert fmean(some[name] for some in counts) == pytest.approx(1_000 * share, abs=45)


def test_a_share_that_is_nothing_takes_the_task_out() -> None:
    """Where alpha is small, some tasks of a draw have less than a float can tell."""
    sampled = MIXTURE.sample(30, alpha=0.01, seed=2, tasks=CATALOGUE)
    assert any(len(mixture.plan(CATALOGUE).counts) < 3 for mixture in sampled)
    assert {sum(mixture.plan(CATALOGUE).counts.values()) for mixture in sampled} == {1_000}


@pytest.mark.parametrize(
    ("n", "alpha"), [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -2.0), (1, float("nan")), (1, float("inf"))]
)
def test_what_cannot_be_sampled_is_told(n: int, alpha: float) -> None:
    with pytest.raises(UsageError, match="give at least 1, and an alpha above 0"):
        MIXTURE.sample(n, alpha, tasks=CATALOGUE)


# Probabilities


def test_probabilities_are_those_that_datasets_takes() -> None:
    """They stop with the first or the last source that is empty, so the size is chance; the shares are the plan's."""
    names, probabilities = MIXTURE.plan(CATALOGUE, rows=977).interleave_probabilities()
    assert (names, sum(probabilities)) == (["a", "b", "c"], 1.0)
    sources = [datasets.Dataset.from_dict({"task": [name] * 3_000}) for name in names]
    mixed = datasets.interleave_datasets(
        sources, probabilities=probabilities, seed=5, stopping_strategy="first_exhausted"
    )
    counts: Counter[Any] = Counter(mixed["task"])
    for name, probability in zip(names, probabilities, strict=True):
        assert counts[name] / len(mixed) == pytest.approx(probability, abs=0.03)
