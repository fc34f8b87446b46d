"""A plan's lengths: as its templates are chosen, and measured until its tokens are known well enough."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import flanmix as fm
from flanmix.examples import Examples
from flanmix.mapped import RowFile
from flanmix.measuring import Solve, measure, settle
from flanmix.plan import Plan
from flanmix.token_budget import expected_tokens, rows_for_tokens
from flanmix.token_counts import PlannedTokens, off_by
from tests.toy_tokens import plain, planned_by_hand, task, tokenizer, tokens_of

NAMES = ("short", "chat", "essay", "book", "mixed")
SHARES = (Fraction(1, 10), Fraction(3, 20), Fraction(1, 4), Fraction(3, 10), Fraction(1, 5))
ASK = fm.Template("ask", input="{{ q }}", target="{{ a }}")
LONG = fm.Template("long", input="Read this with care, and then read it again: {{ q }}", target="{{ a }}", tags=["cot"])
TURN = fm.Template("turn", input="{{ a }}", target="{{ q }}", when="{{ a | length > 2 }}", tags=["inverted"])
Toy = tuple[Plan, tuple[RowFile, ...]]
DIALECT = fm.Template("dialect", dialect="promptsource", jinja="{{ q }}: {{ [a, q] | choice }} ||| {{ a }}")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lengths"


def tasks(rows: int = 4000) -> list[fm.Task]:
    """From 10 to 2,000 tokens a row, with heavy tails; of some rows, only some templates can make use."""
    random = np.random.default_rng(5)
    words = np.array(["dog", "the", "fox", "東京", "🙂", "12", "עולם", "sleeps"])
    made = []
    for name, middle, tail in zip(NAMES, (4, 20, 80, 300, 40), (0.4, 0.9, 1.1, 0.8, 1.3), strict=True):
        lengths = np.clip(random.lognormal(np.log(middle), tail, rows), 2, 1500).astype(int)
        data = [{"q": " ".join(random.choice(words, size)), "a": " ".join(words[: size % 5])} for size in lengths]
        wordings = {"mixed": (ASK, LONG, TURN), "essay": (ASK, DIALECT)}.get(name, (ASK,))
        made.append(task(name, data, *wordings))
    return made


@pytest.fixture(scope="module")
def mixture() -> Toy:
    return planned_by_hand({}, *tasks(), styles={"cot": 0.3})


def with_rows(plan: Plan, rows: Sequence[int | Fraction]) -> Plan:
    """The plan with these numbers of rows, to the nearest integer."""
    counted = [replace(one, rows=round(number)) for one, number in zip(plan.tasks, rows, strict=True)]
    return replace(plan, tasks=tuple(counted))


# ---- means as the plan chooses


def test_all_rows_give_the_mean_of_all_that_the_plan_may_draw() -> None:
    """Over so many epochs that chance does not matter, dropped rows (a blank target) as none."""
    data = [{"q": "dog " * (n % 11 + 1), "a": " " if n % 4 == 0 else "fox " * (n % 5), "n": n} for n in range(60)]
    sometimes = fm.Template("sometimes", input="{{ q }} {{ q }}", target="{{ a }}", when="{{ n % 7 < 3 }}")
    spec = task("toy", data, ASK, LONG, sometimes, TURN)
    plan, files = planned_by_hand({"toy": 60_000}, spec, styles={"cot": 0.3, "inverted": 0.2})
    (length,) = measure(plan, files, tokenizer(), sample=None)
    (count,) = PlannedTokens(files, tokenizer()).of(plan)
    assert length.whole
    assert length.error == 0
    assert length.tokens == pytest.approx(count.tokens / 60_000, rel=0.005)
    assert length.loss == pytest.approx(count.loss / 60_000, rel=0.005)


def test_one_template_and_all_rows_are_exact() -> None:
    data = [{"q": "dog " * n, "a": "fox"} for n in range(1, 40)]
    plan, files = planned_by_hand({}, task("toy", data))
    (length,) = measure(plan, files, tokenizer())
    every = [tokens_of(f"{row['q']}\n{row['a']}") + 1 for row in data]
    assert (length.tokens, length.deviation) == (np.mean(every), pytest.approx(np.std(every)))
    assert (length.measured, length.whole, length.error) == (39, True, 0)


@pytest.mark.slow
def test_samples_are_as_far_off_as_they_say(mixture: Toy) -> None:
    plan, files = mixture
    exact = measure(plan, files, tokenizer(), sample=None)
    off = []
    for seed in range(12):
        drawn = measure(replace(plan, seed=seed), files, tokenizer(), sample=100)
        off += [(one.tokens - other.tokens) / one.error for one, other in zip(drawn, exact, strict=True)]
    assert 0.6 < float(np.sqrt(np.mean(np.square(off)))) < 1.6


# ---- budgets


def solve_for(plan: Plan, budget: int) -> Solve:
    """A solver without limits."""
    return lambda lengths: with_rows(plan, rows_for_tokens(SHARES, lengths, budget))


def built_tokens(plan: Plan, files: tuple[RowFile, ...]) -> int:
    """The tokens of a plan's rows, rendered as a build does and counted text by text."""
    table = Examples(plan, files).slice(0, plan.rows).table
    texts = (f"{row['input']}\n{row['target']}" for row in table.select(["input", "target"]).to_pylist())
    return sum(len(found) + 1 for found in plain("bpe").encode_batch(list(texts), add_special_tokens=False))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_samples_alone_meet_a_budget_of_many_rows_within_one_percent(mixture: Toy, seed: int) -> None:
    plan, files = replace(mixture[0], seed=seed), mixture[1]
    budget = 10_000_000
    lengths = measure(plan, files, tokenizer(), solve=solve_for(plan, budget))
    rows = rows_for_tokens(SHARES, lengths, budget)
    expected = expected_tokens(rows, lengths)
    assert expected.tokens == pytest.approx(budget)
    built = built_tokens(with_rows(plan, rows), files)
    assert abs(built - budget) < 3 * expected.error
    assert abs(off_by(budget, built)) < 0.01


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("budget", [20_000, 200_000, 1_000_000])
def test_where_chance_is_too_large_the_planned_rows_are_counted(mixture: Toy, budget: int, seed: int) -> None:
    plan, files = replace(mixture[0], seed=seed), mixture[1]
    settled = settle(plan, files, tokenizer(), budget=budget, solve=solve_for(plan, budget))
    assert not settled.expected.within(0.005)
    assert settled.counted is not None
    built = built_tokens(settled.plan, files)
    assert settled.tokens == built
    assert abs(off_by(budget, built)) < 0.01
    given = [float(count.tokens / budget) for count in settled.counted]
    assert given == pytest.approx([float(share) for share in SHARES], abs=0.1 if budget < 100_000 else 0.02)


def test_where_it_is_not_nothing_is_counted() -> None:
    plan, files = planned_by_hand({}, *tasks(rows=200))
    settled = settle(plan, files, tokenizer(), budget=10**9, solve=solve_for(plan, 10**9))
    assert settled.counted is None
    assert settled.expected.within(0.005)
    assert settled.tokens == pytest.approx(10**9, rel=1e-4)


def test_rows_too_long_to_meet_a_budget_give_the_nearest_plan() -> None:
    plan, files = planned_by_hand({}, task("toy", [{"q": "dog " * (500 + n), "a": "fox"} for n in range(600)]))

    def solve(lengths):
        return with_rows(plan, rows_for_tokens([Fraction(1)], lengths, 3000))

    settled = settle(plan, files, tokenizer(), budget=3000, solve=solve)
    assert 0.01 < abs(off_by(3000, int(settled.tokens))) < 0.5
    assert settled.tokens == built_tokens(settled.plan, files)


def test_a_budget_of_less_than_a_row_gives_no_rows() -> None:
    plan, files = planned_by_hand({}, task("toy", [{"q": "dog " * (50 + n), "a": "fox"} for n in range(600)]))

    def solve(lengths):
        return with_rows(plan, rows_for_tokens([Fraction(1)], lengths, 3))

    settled = settle(plan, files, tokenizer(), budget=3, solve=solve)
    assert (settled.tokens, settled.plan.rows) == (0, 0)


def test_samples_grow_where_it_matters_and_stay_where_it_does_not(mixture: Toy) -> None:
    plan, files = mixture
    rows = [10**6, 10**6, 10**6, 10**6, 1]
    lengths = measure(plan, files, tokenizer(), sample=64, solve=lambda _: with_rows(plan, rows))
    assert expected_tokens(rows, lengths).within(0.005)
    by_name = {length.task: length.measured for length in lengths}
    assert by_name["book"] > 64
    assert (by_name["short"], by_name["mixed"]) == (64, 3 * 64)
    assert lengths == measure(plan, files, tokenizer(), sample=64, solve=lambda _: with_rows(plan, rows))


def test_samples_grow_to_all_rows_and_no_further() -> None:
    """Of whole passes over a task with one template nothing is left to chance."""
    plan, files = planned_by_hand({}, *tasks(rows=200)[:4])
    rows = [200 * 10**4] * 4

    def solve(_):
        return with_rows(plan, rows)

    lengths = measure(replace(plan, tasks=plan.tasks[:2]), files[:2], tokenizer(), sample=32, tolerance=1e-9,
                      solve=lambda found: with_rows(replace(plan, tasks=plan.tasks[:2]), rows[:2]))  # fmt: skip
    assert [length.measured for length in lengths] == [200, 200]
    assert all(length.whole and not length.error for length in lengths)
    assert expected_tokens(rows[:2], lengths).error == 0
    mixed = measure(plan, files, tokenizer(), sample=32, solve=solve, tolerance=1e-3)
    found = expected_tokens(rows, mixed)
    assert found.sampling <= max(0.0005 * found.tokens, found.drawing / 2)
