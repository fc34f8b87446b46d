"""The arithmetic of token budgets: shares of tokens to rows and back, and how sure that is."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix.errors import PlanError
from flanmix.examples import Examples
from flanmix.token_budget import Expected, TaskLength, choice_shares, expected_tokens, rows_for_tokens
from tests.toy_tokens import planned_by_hand, task

means = st.floats(0.5, 1e5)


@given(found=st.lists(st.tuples(st.fractions(0, 1), means), min_size=1, max_size=20), budget=st.integers(1, 10**12))
def test_the_rows_of_shares_give_just_those_shares_of_the_tokens(
    found: list[tuple[Fraction, float]], budget: int
) -> None:
    lengths = [TaskLength(str(index), mean, 0.0) for index, (_, mean) in enumerate(found)]
    rows = rows_for_tokens([share for share, _ in found], lengths, budget)
    given = [number * length.exact_tokens for number, length in zip(rows, lengths, strict=True)]
    assert given == [share * budget for share, _ in found]
    total = float(sum(share for share, _ in found) * budget)
    assert expected_tokens(rows, lengths).tokens == pytest.approx(total, rel=1e-5)


def test_weights_are_shares_of_tokens_and_not_of_rows() -> None:
    lengths = [TaskLength("short", 10.0, 1.0), TaskLength("long", 1000.0, 1.0)]
    assert rows_for_tokens([Fraction(1, 4), Fraction(3, 4)], lengths, 4_000_000) == (100_000, 3_000)


def test_noise_of_floats_moves_no_row() -> None:
    one, other = TaskLength("a", 0.1 + 0.2, 0.0), TaskLength("a", 0.3, 0.0)
    assert rows_for_tokens([Fraction(1)], [one], 300) == rows_for_tokens([Fraction(1)], [other], 300) == (1000,)


def test_tasks_that_give_no_tokens_are_refused_all_at_once() -> None:
    lengths = [
        TaskLength("a", 0.0, 0.0, measured=256),
        TaskLength("b", 1.0, 0.0),
        TaskLength("c", 0.0, 0.0, measured=3),
    ]
    with pytest.raises(PlanError) as caught:
        rows_for_tokens([Fraction(1, 3)] * 3, lengths, 100)
    assert [problem.what for problem in caught.value.problems] == [
        "a: gives no tokens in the 256 rows that were measured",
        "c: gives no tokens in the 3 rows that were measured",
    ]
    assert rows_for_tokens([Fraction(0), Fraction(1), Fraction(0)], lengths, 100) == (0, 100, 0)


def test_the_expected_error_is_that_of_drawn_rows() -> None:
    """Means from samples of 50, then totals of 400 drawn rows, over and over: as far off as was expected."""
    random = np.random.default_rng(0)
    off = []
    for _ in range(400):
        sample = random.lognormal(3, 0.7, 50)
        length = TaskLength("a", sample.mean(), 0.0, sample.std(ddof=1) / 50**0.5, sample.std(ddof=1))
        found = expected_tokens([400], [length])
        off.append((random.lognormal(3, 0.7, 400).sum() - found.tokens) / found.error)
    assert 0.8 < float(np.std(off)) < 1.3


def test_errors_of_tasks_add_as_those_of_independent_samples() -> None:
    found = expected_tokens([100, 100], [TaskLength("a", 10.0, 1.0, 0.3, 4.0), TaskLength("b", 20.0, 2.0, 0.4, 3.0)])
    assert found == Expected(3000.0, 300.0, pytest.approx(50.0), pytest.approx(50.0))
    assert found.error == pytest.approx(5000**0.5)
    assert found.within(0.05)
    assert not found.within(0.04)


def test_a_whole_pass_over_rows_with_one_template_leaves_nothing_to_chance() -> None:
    length = TaskLength("a", 10.0, 1.0, 0.0, 4.0, rows=100)
    drawn = [expected_tokens([number], [length]).drawing for number in (50, 100, 150, 300)]
    assert drawn == [pytest.approx(50**0.5 * 4 * 0.5**0.5), 0, pytest.approx(drawn[0]), 0]


# ---- which template how often


WORDINGS = (
    fm.Template("one", input="{{ q }}", target="{{ a }}"),
    fm.Template("two", input="{{ q }}?", target="{{ a }}", when="{{ n % 2 == 0 }}"),
    fm.Template("cot", input="{{ q }} Think.", target="{{ a }}", tags=["cot"], when="{{ n % 3 == 0 }}"),
    fm.Template("turn", input="{{ a }}", target="{{ q }}", tags=["inverted"]),
    fm.Template("rare", input="{{ a }}!", target="{{ q }}", tags=["options"], when="{{ n % 5 == 0 }}"),
)


@pytest.mark.parametrize(
    "styles",
    [
        {},
        {"cot": 0.3},
        {"cot": 0.3, "inverted": 0.2},
        {"cot": 0.5, "inverted": 0.25, "options": 0.25},
        {"options": 1.0},
    ],
)
def test_the_plan_chooses_templates_as_often_as_is_said(styles: dict[str, float]) -> None:
    data = [{"q": f"q{n}", "a": f"a{n}", "n": n} for n in range(120)]
    plan, files = planned_by_hand({"toy": 24_000}, task("toy", data, *WORDINGS), styles=styles)
    table = Examples(plan, files).slice(0, plan.rows).table
    serving = {
        tuple(sorted(plan.tasks[0].guards[guard])): shares for guard, shares in enumerate(choice_shares(plan, 0))
    }
    whens = ((2, 1), (3, 2), (5, 4))
    expected: Counter[str] = Counter()
    for n in range(120):
        templates = tuple(sorted([0, 3, *(index for divisor, index in whens if n % divisor == 0)]))
        for template, share in serving[templates].items():
            expected[WORDINGS[template].name] += float(share) * 200
    chosen = Counter(table.column("fm_template").to_pylist())
    for wording in WORDINGS:
        (found,) = [count for name, count in chosen.items() if name.endswith(wording.name)] or [0]
        assert found == pytest.approx(expected[wording.name], rel=0.05, abs=1)
    assert sum(expected.values()) == pytest.approx(table.num_rows, rel=0.01)
