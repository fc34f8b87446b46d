"""One solver: a tree, quotas across it, a budget; exact rows, integers, refusal, relaxing."""

import importlib.util
from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flanmix.rates import Group, InfeasibleError, Leaf, Quota, Relaxed, Solution, floor_of, pour, solve
from flanmix.rates.tree import leaves_of

GRAIN = Fraction(1, 1000)


def leaf(name: str, weight: int = 1, low: int = 0, high: int | None = None) -> Leaf:
    return Leaf(name, Fraction(weight), Fraction(low), None if high is None else Fraction(high))


def group(name: str, *children: Leaf | Group, weight: int = 1, low: int = 0, high: int | None = None) -> Group:
    return Group(name, Fraction(weight), children, Fraction(low), None if high is None else Fraction(high))


def quota(name: str, *leaves: int, low: float = 0, high: float | None = None, kind: str = "type") -> Quota:
    return Quota(name, kind, frozenset(leaves), Fraction(low), None if high is None else Fraction(high))


def rows(solution: Solution) -> dict[str, Fraction]:
    return {portion.leaf.name: portion.rows for portion in solution.portions}


def counts(solution: Solution) -> list[int]:
    return [portion.count for portion in solution.portions]


ABC = group("all", leaf("a"), leaf("b"), leaf("c"))


# Quotas


def test_without_quotas_it_is_pouring() -> None:
    tree = group("all", group("left", leaf("a", 9, high=10), leaf("b")), group("right", leaf("c")))
    found, before = solve(tree, 101), pour(tree, 101)
    assert [(p.rows, p.count, p.asked) for p in found.portions] == [(p.rows, p.count, p.asked) for p in before]
    assert [p.bound for p in found.portions] == [("max_epochs",), (), ()]
    assert found.budget == 101
    assert found.relaxed == ()


def test_a_quota_that_holds_anyway_changes_nothing() -> None:
    assert solve(ABC, 60, [quota("x", 0, 1, low=40, high=40)]) == solve(ABC, 60)


def test_what_a_type_is_turned_away_goes_to_everything_else_in_proportion() -> None:
    """Not to its siblings first, as with the limits of the tree: a type is not a place in the tree."""
    tree = group("all", group("left", leaf("a"), leaf("b")), group("right", leaf("c"), weight=2))
    found = solve(tree, 120, [quota("nli", 0, high=15)])
    assert rows(found) == {"a": 15, "b": 21, "c": 84}
    assert [portion.bound for portion in found.portions] == [("type:nli max_share",), (), ()]


def test_a_floor_is_shared_as_the_tasks_of_the_type_were() -> None:
    tree = group("all", leaf("a", 1), leaf("b", 2), leaf("c", 7))
    assert rows(solve(tree, 100, [quota("math", 0, 1, low=60)])) == {"a": 20, "b": 40, "c": 40}


def test_the_numbers_are_exact_where_nothing_crosses() -> None:
    tree = group("all", *(leaf(name, weight) for name, weight in zip("abcd", (1, 2, 3, 5), strict=True)))
    inside = [quota("ab", 0, 1, high=14), quota("abc", 0, 1, 2, low=70, kind="tag")]
    assert rows(solve(tree, 100, inside)) == {"a": Fraction(14, 3), "b": Fraction(28, 3), "c": 56, "d": 30}
    assert rows(solve(ABC, 50_000, [quota("x", 1, high=14_500)]))["a"] == 17_750


def test_binding_sets_that_cross_scale_their_leaves_by_one_factor_each() -> None:
    """The table of four cells with its margins given: iterative proportional fitting keeps the cross ratio."""
    tree = group("all", *(leaf(name, weight) for name, weight in zip("abcd", (1, 2, 3, 4), strict=True)))
    found = rows(solve(tree, 1000, [quota("row", 0, 1, low=600, high=600), quota("col", 0, 2, low=300, high=300)]))
    assert found["a"] + found["b"] == pytest.approx(600, abs=1e-4)
    assert found["a"] + found["c"] == pytest.approx(300, abs=1e-4)
    ratio = found["a"] * found["d"] / (found["b"] * found["c"])
    assert float(ratio) == pytest.approx(1 * 4 / (2 * 3), rel=1e-6)


def test_a_leaf_at_its_ceiling_stays_there_while_its_type_still_asks_for_more() -> None:
    tree = group("all", leaf("a", 1000, high=10), leaf("b", 10), leaf("c", 10))
    assert rows(solve(tree, 100, [quota("x", 0, 1, high=40)])) == {"a": 10, "b": 30, "c": 60}


def test_what_is_fixed_stays_fixed() -> None:
    fixed = group("fixed", leaf("a"), leaf("b"), weight=0, low=40, high=40)
    found = rows(solve(group("all", fixed, leaf("c"), leaf("d")), 100, [quota("x", 0, 2, high=30)]))
    assert found["a"] + found["b"] == pytest.approx(40, abs=1e-6)
    assert found["a"] + found["c"] == pytest.approx(30, abs=1e-6)


def test_a_task_on_two_paths_has_one_ceiling() -> None:
    tree = group("all", group("one", leaf("t", 3), leaf("a", 1)), group("two", leaf("t", 1), leaf("b", 3)))
    found = solve(tree, 80, [Quota("t", "task", frozenset({0, 2}), high=Fraction(20), high_label="max_epochs")])
    assert found.portions[0].count + found.portions[2].count == 20
    assert found.portions[0].bound == found.portions[2].bound == ("max_epochs",)


def test_a_quota_is_in_whole_rows_rounded_inwards() -> None:
    found = solve(ABC, 10, [quota("x", 0, high=2.9), quota("y", 1, low=5.1)])
    assert counts(found) == [2, 6, 2]


def test_rows_are_exchanged_where_the_largest_remainders_break_a_quota() -> None:
    """10/3 each is 4, 3, 3 by name; of b and c together at least 7 asks for one of a's."""
    assert counts(solve(ABC, 10)) == [4, 3, 3]
    assert counts(solve(ABC, 10, [quota("x", 1, 2, low=6.6)])) == [3, 4, 3]


def test_leaves_that_can_have_nothing_have_nothing() -> None:
    """At the edge no finite factors do: two ceilings that fill the budget leave none for what both count."""
    assert counts(solve(ABC, 20, [quota("ab", 0, 1, high=10), quota("bc", 1, 2, high=10)])) == [10, 0, 10]


# Refusal and relaxing


def refused(tree: Group, budget: int, *quotas: Quota) -> dict[str, tuple[int, int]]:
    with pytest.raises(InfeasibleError) as caught:
        solve(tree, budget, quotas)
    return {c.node.name: (int(c.asked), int(c.nearest)) for c in caught.value.conflicts}


def relaxed(tree: Group, budget: int, *quotas: Quota) -> tuple[list[int], dict[str, tuple[int, int]]]:
    found = solve(tree, budget, quotas, relax=True)
    assert sum(counts(found)) == found.budget
    return counts(found), {gave.node.name: (int(gave.asked), int(gave.given)) for gave in found.relaxed}


def test_a_floor_above_what_its_tasks_can_give() -> None:
    tree = group("all", leaf("a", high=400), leaf("b", high=500), leaf("c"))
    translation = quota("translation", 0, 1, low=2_000)
    assert refused(tree, 10_000, translation) == {"translation": (2_000, 900)}
    assert relaxed(tree, 10_000, translation) == ([400, 500, 9_100], {"translation": (2_000, 900)})


def test_floors_that_together_exceed_the_budget_are_all_named_and_scaled_in_proportion() -> None:
    asked = quota("x", 0, low=80), quota("y", 1, low=40)
    assert refused(ABC, 90, *asked) == {"x": (80, 50), "y": (40, 10), "all": (90, 120)}
    assert relaxed(ABC, 90, *asked) == ([60, 30, 0], {"x": (80, 60), "y": (40, 30)})


def test_ceilings_that_together_are_below_the_budget() -> None:
    asked = quota("x", 0, 1, high=30), quota("y", 2, high=40)
    assert refused(ABC, 100, *asked) == {"x": (30, 60), "y": (40, 70), "all": (100, 70)}
    assert relaxed(ABC, 100, *asked) == ([15, 15, 40], {"all": (100, 70)})


def test_sets_that_only_together_conflict_are_all_named() -> None:
    asked = quota("x", 0, low=30), quota("y", 1, low=30), quota("z", 0, 1, high=40, kind="tag")
    assert refused(ABC, 100, *asked) == {"x": (30, 10), "y": (30, 10), "z": (40, 60)}
    with pytest.raises(InfeasibleError) as caught:
        solve(ABC, 100, asked)
    assert {c.node.name: set(c.among) for c in caught.value.conflicts}["z"] == {"type:x", "type:y"}
    assert relaxed(ABC, 100, *asked) == ([20, 20, 60], {"x": (30, 20), "y": (30, 20)})


def test_two_conflicts_are_told_at_once_and_a_limit_outside_them_is_kept() -> None:
    tree = group("all", leaf("a", high=5), leaf("b", high=6), leaf("c"), leaf("d"))
    asked = quota("x", 0, low=10), quota("y", 1, low=10), quota("z", 2, low=50)
    assert refused(tree, 100, *asked) == {"x": (10, 5), "y": (10, 6)}
    found, gave = relaxed(tree, 100, *asked)
    assert found[:3] == [5, 6, 50]
    assert gave == {"x": (10, 5), "y": (10, 6)}


def test_where_only_whole_rows_are_lacking_it_says_so() -> None:
    """Three pairs of one row each: half a row for each of three leaves, and nothing in whole ones."""
    tree = group("all", leaf("a"), leaf("b"), leaf("c"), leaf("d", 100))
    pairs = [quota("ab", 0, 1, low=1, high=1), quota("bc", 1, 2, low=1, high=1), quota("ac", 0, 2, low=1, high=1)]
    with pytest.raises(InfeasibleError) as caught:
        solve(tree, 100, pairs)
    assert caught.value.conflicts
    assert all(conflict.whole for conflict in caught.value.conflicts)
    assert sum(counts(solve(tree, 100, pairs, relax=True))) == 100


def test_a_budget_above_the_ceilings_of_the_tree_becomes_their_sum() -> None:
    tree = group("all", leaf("a", high=10), leaf("b", high=20))
    assert refused(tree, 31) == {"all": (31, 30)}
    assert relaxed(tree, 31) == ([10, 20], {"all": (31, 30)})
    assert [portion.bound for portion in solve(tree, 31, relax=True).portions] == [("max_epochs",), ()]


def test_what_is_fixed_gives_way_in_proportion_and_the_budget_is_met() -> None:
    tree = group("all", *(leaf(name, 0, 50, 50) for name in "abc"))
    found = solve(tree, 100, relax=True)
    assert counts(found) == [34, 33, 33]
    assert found.relaxed == tuple(Relaxed(child, "low", Fraction(50), Fraction(33)) for child in tree.children)


# Properties


@st.composite
def trees(draw: st.DrawFn, depth: int = 2) -> Group:
    children: list[Leaf | Group] = []
    for index in range(draw(st.integers(1, 4))):
        if depth and draw(st.booleans()):
            children.append(draw(trees(depth=depth - 1)))
        else:
            low = draw(st.sampled_from([0, 0, 0, 5, 20]))
            high = draw(st.none() | st.integers(low, 10**5))
            children.append(leaf(f"t{depth}{index}", draw(st.integers(1, 1000)), low, high))
    low = draw(st.sampled_from([0, 0, 30]))
    return group(
        f"g{depth}", *children, weight=draw(st.integers(1, 20)), low=low, high=draw(st.none() | st.integers(low, 10**5))
    )


@st.composite
def problems(draw: st.DrawFn) -> tuple[Group, int, list[Quota]]:
    """A tree of up to three levels, a budget, disjoint types and overlapping tags."""
    tree = draw(trees())
    tree = group("root", *tree.children)
    budget = draw(st.integers(1, 10**6) | st.integers(1, 60))
    size = len(list(leaves_of(tree)))
    kinds = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    sets = [frozenset(place for place in range(size) if kinds[place] == kind) for kind in range(3)]
    sets += draw(st.lists(st.frozensets(st.integers(0, size - 1), min_size=1), max_size=3))
    found = []
    for number, leaves in enumerate(sets):
        low = Fraction(draw(st.integers(0, 100)) * budget, 300) if draw(st.booleans()) else Fraction(0)
        high = low + Fraction(draw(st.integers(0, 100)) * budget, 100) if draw(st.booleans()) else None
        found.append(Quota(str(number), "type" if number < 3 else "tag", leaves, low, high))
    return tree, budget, found


def groups(node: Group, start: int = 0) -> Iterator[tuple[Group, range]]:
    yield node, range(start, start + len(list(leaves_of(node))))
    for child in node.children:
        if isinstance(child, Group):
            yield from groups(child, start)
        start += len(list(leaves_of(child)))


def holds(low: Fraction, number: Fraction | int, high: Fraction | None, slack: Fraction = Fraction(0)) -> bool:
    return low - slack <= number and (high is None or number <= high + slack)


@settings(max_examples=300, deadline=None)
@given(problems())
def test_every_limit_holds_in_every_mixture_that_is_not_refused(problem: tuple[Group, int, list[Quota]]) -> None:
    tree, budget, quotas = problem
    try:
        found = solve(tree, budget, quotas)
    except InfeasibleError:
        return
    numbers = counts(found)
    assert sum(numbers) == sum(portion.rows for portion in found.portions) == budget
    for portion in found.portions:
        assert holds(portion.leaf.low, portion.count, portion.leaf.high)
        assert holds(portion.leaf.low, portion.rows, portion.leaf.high)
        assert abs(portion.count - portion.rows) < 1 or quotas
    for node, places in groups(tree):
        assert holds(node.low, sum(numbers[place] for place in places), node.high)
    for asked in quotas:
        assert holds(asked.low, sum(numbers[place] for place in asked.leaves), asked.high)
        assert holds(asked.low, sum(found.portions[place].rows for place in asked.leaves), asked.high, GRAIN)
    assert solve(tree, budget, quotas, relax=True) == found


@settings(max_examples=300, deadline=None)
@given(problems())
def test_relaxing_always_returns_within_what_there_is(problem: tuple[Group, int, list[Quota]]) -> None:
    tree, budget, quotas = problem
    found = solve(tree, budget, quotas, relax=True)
    assert sum(counts(found)) == sum(portion.rows for portion in found.portions) == found.budget <= budget
    given_way = {(gave.node.kind, gave.node.name, gave.side): gave.given for gave in found.relaxed}
    for portion, asked in zip(found.portions, leaves_of(tree), strict=True):
        assert holds(portion.leaf.low, portion.count, asked.high)
    for asked_quota in quotas:
        have = sum(counts(found)[place] for place in asked_quota.leaves)
        low = given_way.get((asked_quota.kind, asked_quota.name, "low"), asked_quota.low)
        high = given_way.get((asked_quota.kind, asked_quota.name, "high"), asked_quota.high)
        assert holds(low, have, high)


@settings(max_examples=200, deadline=None)
@given(problems())
def test_it_refuses_just_what_no_whole_numbers_satisfy(problem: tuple[Group, int, list[Quota]]) -> None:
    """Against an independent solver of integer programs (HiGHS, through scipy)."""
    if importlib.util.find_spec("scipy") is None:
        pytest.skip("needs scipy (the extra 'dev')")
    tree, budget, quotas = problem
    assume(budget < 10**5)
    expected = satisfiable(tree, budget, quotas)
    try:
        solve(tree, budget, quotas)
    except InfeasibleError:
        assert not expected
    else:
        assert expected


def satisfiable(tree: Group, budget: int, quotas: Sequence[Quota]) -> bool:
    from scipy.optimize import Bounds, LinearConstraint, milp

    leaves = list(leaves_of(tree))
    sets: list[tuple[Sequence[int], Fraction | int, Fraction | None]] = [
        (range(len(leaves)), budget, Fraction(budget)),
        *((places, node.low, node.high) for node, places in groups(tree)),
        *((sorted(asked.leaves), asked.low, asked.high) for asked in quotas),
    ]
    matrix = [[float(place in members) for place in range(len(leaves))] for members, _, _ in sets]
    top = float("inf")
    lows = [float(-(-low // 1)) for _, low, _ in sets]
    highs = [top if high is None else float(high // 1) for _, _, high in sets]
    bounds = Bounds(
        [float(one.low) for one in leaves], [top if one.high is None else float(one.high) for one in leaves]
    )
    if any(low > high for low, high in zip(lows, highs, strict=True)):
        return False
    found = milp([0.0] * len(leaves), constraints=LinearConstraint(matrix, lows, highs), bounds=bounds, integrality=1)
    assert found.status in (0, 2)
    return bool(found.status == 0)


# Growing budgets


@settings(max_examples=200, deadline=None)
@given(trees(), st.integers(1, 10**4), st.integers(1, 50))
def test_without_quotas_no_leaf_loses_when_the_budget_grows(tree: Group, budget: int, more: int) -> None:
    """Exact rows never fall, so an integer falls by one row at most, and not at all where a whole row was gained."""
    try:
        before, after = solve(tree, budget), solve(tree, budget + more)
    except InfeasibleError:
        return
    for less, now in zip(before.portions, after.portions, strict=True):
        assert now.rows >= less.rows
        assert now.count >= less.count - 1
        assert now.count >= less.count or now.rows < less.rows + 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 2)), min_size=3, max_size=9), st.integers(60, 300), st.data()
)
def test_disjoint_quotas_over_a_flat_mixture_keep_that(
    tasks: list[tuple[int, int]], budget: int, data: st.DataObject
) -> None:
    tree = group("all", *(leaf(str(index), weight) for index, (weight, _) in enumerate(tasks)))
    quotas = []
    for kind in range(3):
        places = [place for place, (_, of) in enumerate(tasks) if of == kind]
        low = data.draw(st.integers(0, 20))
        quotas.append(
            quota(str(kind), *places, low=low if places else 0, high=data.draw(st.none() | st.integers(low, 90)))
        )
    try:
        before, after = solve(tree, budget, quotas), solve(tree, budget + 7, quotas)
    except InfeasibleError:
        return
    assert all(now.rows >= less.rows - GRAIN for less, now in zip(before.portions, after.portions, strict=True))


def test_with_quotas_that_cross_a_leaf_must_lose_for_a_larger_budget() -> None:
    """No method can do otherwise: of 20 rows, a and c have all that both ceilings allow."""
    crossing = [quota("ab", 0, 1, high=10), quota("bc", 1, 2, high=10)]
    assert [counts(solve(ABC, budget, crossing))[1] for budget in (6, 15, 20)] == [2, 5, 0]


def test_the_largest_remainder_has_the_alabama_paradox() -> None:
    """Largest remainder is the rule that is asked for; its known price: the smallest of 6:6:2 loses one at 11 rows."""
    tree = group("all", leaf("a", 6), leaf("b", 6), leaf("c", 2))
    assert counts(solve(tree, 10)) == [4, 4, 2]
    assert counts(solve(tree, 11)) == [5, 5, 1]


def test_a_fixed_floor_is_more_than_its_ceiling_only_by_its_children() -> None:
    tree = group("all", group("fixed", leaf("a", low=9), weight=0, low=5, high=5), leaf("b"))
    assert floor_of(tree) == 9
    assert refused(tree, 20) == {"fixed": (9, 5)}
