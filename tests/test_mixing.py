"""Mixtures as a whole: counts and rows beside a naive mixer, and what is promised of bounds."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise, product
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flanmix.errors import PlanError
from flanmix.even import BOUND
from flanmix.order import Kind
from flanmix.plan import Plan
from flanmix.planner import plan_mixture
from flanmix.registry import Registry, load_registry
from flanmix.spec import Bounds, Limits, Mixture, Part, Task, Template

EMPTY = load_registry(bundled=False, plugins=False)


# A naive mixer: plain lists and fractions. It knows no floors and no quotas.


def naive_rate(size: int, limits: Mapping[str, Any]) -> Fraction:
    counted = size * Fraction(str(limits.get("scale", 1)))
    counted = min(counted, Fraction(str(limits.get("rate_cap", 10**9))))
    if limits.get("temperature") != 2:
        return counted
    root = Context(prec=40).sqrt(Decimal(counted.numerator) / Decimal(counted.denominator))
    return Fraction(Context(prec=12).plus(root))


def naive_ceiling(part: Any, mixture: "Drawn") -> Fraction:
    if isinstance(part, str):
        return Fraction(mixture.sizes[part] * Fraction(str(mixture.limits.get("max_epochs", 10**9))) // 1)
    return sum((naive_ceiling(inner, mixture) for inner in part["inside"]), Fraction(0))


def naive_fill(weights: Sequence[Fraction], ceilings: Sequence[Fraction], rows: Fraction) -> list[Fraction]:
    """In proportion to the weights; what is over a ceiling goes to the siblings."""
    full: dict[int, Fraction] = {}
    while len(full) < len(weights):
        free = [index for index in range(len(weights)) if index not in full]
        level = (rows - sum(full.values())) / sum(weights[index] for index in free)
        over = {index: ceilings[index] for index in free if level * weights[index] > ceilings[index]}
        if not over:
            return [full.get(index, level * weight) for index, weight in enumerate(weights)]
        full |= over
    return [full[index] for index in range(len(weights))]


def naive_counts(part: Mapping[str, Any], rows: Fraction, count: int, mixture: "Drawn") -> Counter[str]:
    """The integers of the tasks of a part, whose exact number is `rows` and whose integer is `count`."""
    inside = part["inside"]
    weights = [
        naive_rate(mixture.sizes[one], mixture.limits) if isinstance(one, str) else Fraction(str(one["weight"]))
        for one in inside
    ]
    exact = naive_fill(weights, [naive_ceiling(one, mixture) for one in inside], rows)
    counts = [int(number) for number in exact]
    names = [one if isinstance(one, str) else one["name"] for one in inside]
    ranked = sorted(range(len(inside)), key=lambda index: (counts[index] - exact[index], names[index], index))
    for index in ranked[: count - sum(counts)]:
        counts[index] += 1
    found: Counter[str] = Counter()
    for one, number, rounded in zip(inside, exact, counts, strict=True):
        found.update({one: rounded} if isinstance(one, str) else naive_counts(one, number, rounded, mixture))
    return found


@dataclass(frozen=True)
class Drawn:
    """A random mixture as plain values."""

    sizes: Mapping[str, int]
    limits: Mapping[str, Any]
    root: Mapping[str, Any]
    rows: int
    order: str
    seed: int

    def spec(self) -> Mixture:
        def part(one: Mapping[str, Any]) -> Part:
            if all(isinstance(inner, str) for inner in one["inside"]):
                return Part(" ".join(one["inside"]), name=one["name"], weight=one["weight"])
            return Part(name=one["name"], weight=one["weight"], parts=[part(inner) for inner in one["inside"]])

        return Mixture(
            "m",
            sizes=dict(self.sizes),
            parts=[part(one) for one in self.root["inside"]],
            rows=self.rows,
            defaults=Limits(**self.limits),
            order=self.order,
            seed=self.seed,
        )


def drawn(seed: int) -> Drawn:
    """Up to eight tasks in parts up to three deep. Where tasks may stand in several parts, they have no ceilings."""
    choice = random.Random(seed)
    sizes = {f"t{index}": choice.randint(1, 60) for index in range(choice.randint(1, 8))}
    some: dict[str, list[float]] = {"scale": [0.5, 3, 0.29], "rate_cap": [7, 12.5, 40]}
    some |= {"temperature": [1, 2], "max_epochs": [1, 1.5, 3]}
    limits = {key: choice.choice(values) for key, values in some.items() if choice.random() < 0.35}
    names, count = sorted(sizes), iter(range(99))

    def group(members: list[str], depth: int) -> dict[str, Any]:
        here = {"name": f"part{next(count)}", "weight": choice.choice([0.1, 0.29, 1, 1, 2, 3.5])}
        if depth == 0 or choice.random() < 0.4:
            return {**here, "inside": sorted(set(members))}
        return {**here, "inside": [group(few, depth - 1) for few in split(members)]}

    def split(members: list[str]) -> list[list[str]]:
        if "max_epochs" not in limits and choice.random() < 0.3:
            return [choice.sample(members, choice.randint(1, len(members))) for _ in range(choice.randint(1, 3))]
        mixed = choice.sample(members, len(members))
        cuts = sorted({0, len(mixed), *(choice.randint(0, len(mixed)) for _ in range(2))})
        return [mixed[low:high] for low, high in pairwise(cuts)]

    root = {"name": "m", "inside": [group(few, 2) for few in split(names)]}
    return Drawn(sizes, limits, root, choice.choice([1, 17, 60, 120, 400]), choice.choice(get_args(Kind)), seed)


def off_by(plan: Plan, order: Sequence[int]) -> Iterator[tuple[float, float, int]]:
    """For each task: by how many rows prefixes are off its share at most, its share, and rows outside of it."""
    places = np.arange(1, plan.rows + 1)
    for number, task in enumerate(plan.tasks):
        share = task.rows / plan.rows
        held = np.cumsum(np.array(order) == number)
        before = sum(other.rows for other in plan.tasks[:number])
        yield np.abs(held - share * places).max(), share, max(before, plan.rows - before - task.rows)


def test_500_random_mixtures_are_those_of_a_naive_mixer() -> None:
    """Counts, refusals, the rows of each epoch, and how far any prefix is off any task's share."""
    refused = 0
    for seed in range(500):
        mixture = drawn(seed)
        most = naive_ceiling(mixture.root, mixture)
        if mixture.rows > most:
            refused += 1
            with pytest.raises(PlanError, match=f"{int(most):,} at most"):
                plan_mixture(mixture.spec(), EMPTY)
            continue
        plan = plan_mixture(mixture.spec(), EMPTY).plan
        assert {task.name: task.rows for task in plan.tasks} == naive_counts(
            mixture.root, Fraction(mixture.rows), mixture.rows, mixture
        ), seed
        tasks, draws = plan.order.slice(0, plan.rows)
        for number, task in enumerate(plan.tasks):
            assert draws[tasks == number].tolist() == list(range(task.rows)), seed
            epochs, rows = plan.indices(number, np.arange(task.rows))
            for epoch in range(-(-task.rows // task.offered)):
                seen = rows[epochs == epoch].tolist()
                left = task.rows - epoch * task.offered
                assert len(seen) == len(set(seen)) == min(left, task.offered), seed
            assert set(rows.tolist()) <= set(range(task.usable)), seed
        for worst, share, outside in off_by(plan, tasks.tolist()):
            bound = {"shuffle": 1 + share * len(plan.tasks), "even": BOUND, "sequential": share * outside}
            assert worst <= bound[plan.arrangement] + 1e-9, seed
    assert 30 < refused < 200


# What is promised of bounds

TYPES, TAGS = ("nli", "code", "logic"), ("x", "y")
TASKS = {
    "aa": ("nli", ("x",)),
    "bb": ("nli", ()),
    "cc": ("code", ("x", "y")),
    "dd": ("logic", ("y",)),
    "ee": ("code", ()),
}


def catalogue() -> Registry:
    """Tasks of these names; their sizes are told by the mixtures."""
    ask = Template("ask", input="{{ q }}", target="{{ a }}")
    rows = [{"q": "?", "a": "!"}]
    specs = [Task(name, type=kind, tags=tags, source=rows, templates=[ask]) for name, (kind, tags) in TASKS.items()]
    return load_registry(specs=specs, bundled=False, plugins=False)


CATALOGUE = catalogue()
SHARES = st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.2, 0.29, 1 / 3, 0.5, 0.75, 1.0])


@st.composite
def bounds(draw: st.DrawFn, most_rows: int) -> dict[str, Any]:
    """At most two of the three bounds, most often none."""
    kind = draw(st.sampled_from(["", "", "low", "high", "rows", "both", "all"]))
    low, high = sorted([draw(SHARES), draw(SHARES)])
    found = {"min_share": low} if kind in ("low", "both", "all") else {}
    found |= {"max_share": high} if kind in ("high", "both", "all") else {}
    return found | ({"min_rows": draw(st.integers(1, most_rows))} if kind in ("rows", "all") else {})


@st.composite
def bounded(draw: st.DrawFn, most_tasks: int = 5, most_rows: int = 200) -> Mixture:
    """A mixture of some of the tasks in parts that hold each of them once, with bounds on anything."""
    names = draw(st.lists(st.sampled_from(sorted(TASKS)), min_size=1, max_size=most_tasks, unique=True))
    rows = draw(st.integers(1, most_rows))
    cut = draw(st.integers(1, len(names)))
    parts = [
        Part(" ".join(some), name=f"part {index}", weight=draw(st.sampled_from([0.3, 1, 2])), **draw(bounds(rows)))
        for index, some in enumerate((names[:cut], names[cut:]))
        if some
    ]
    limits = draw(bounds(rows)) | draw(st.sampled_from([{}, {}, {"max_epochs": 1}, {"max_epochs": 2.5}]))
    kinds = sorted({TASKS[name][0] for name in names})
    marks = sorted({tag for name in names for tag in TASKS[name][1]})
    return Mixture(
        "m",
        sizes={name: draw(st.integers(1, max(2, most_rows // 4))) for name in names},
        parts=parts,
        rows=rows,
        defaults=Limits(**limits),
        types={kind: Bounds(**draw(bounds(rows))) for kind in kinds if draw(st.booleans())},
        tags={mark: Bounds(**draw(bounds(rows))) for mark in marks if draw(st.booleans())},
    )


Counts = Mapping[str, int]


def budget(mixture: Mixture) -> int:
    assert mixture.rows is not None
    return mixture.rows


def broken(mixture: Mixture, counts: Counts, *, floors: bool = True) -> list[str]:
    """The bounds that these integers do not keep, worked out anew from the mixture."""
    groups: list[tuple[str, Any, set[str]]] = [(f"task '{name}'", mixture.defaults, {name}) for name in counts]
    groups += [(f"part '{part.title}'", part, set((part.select or "").split())) for part in mixture.parts]
    for kind, bound in mixture.types.items():
        groups.append((f"type '{kind}'", bound, {name for name in counts if TASKS[name][0] == kind}))
    for tag, bound in mixture.tags.items():
        groups.append((f"tag '{tag}'", bound, {name for name in counts if tag in TASKS[name][1]}))
    found = []
    for what, bound, names in groups:
        rows = sum(counts[name] for name in names)
        low = Fraction(repr(bound.min_share or 0.0)) * budget(mixture)
        high = Fraction(repr(1.0 if bound.max_share is None else bound.max_share)) * budget(mixture)
        if rows > high or (floors and rows < max(low, bound.min_rows or 0)):
            found.append(what)
    passes = mixture.defaults.max_epochs
    for name, count in counts.items():
        if passes is not None and count > passes * mixture.sizes[name]:  # type: ignore[operator]
            found.append(f"task '{name}'")
    return found


def planned(mixture: Mixture, *, relax: bool = False) -> tuple[dict[str, int], tuple[str, ...]]:
    plan = plan_mixture(mixture, CATALOGUE, relax=relax).plan
    return {task.name: task.rows for task in plan.tasks}, plan.relaxed


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(bounded())
def test_bounds_hold_exactly_in_the_integers_or_the_mixture_is_refused_with_numbers(mixture: Mixture) -> None:
    try:
        counts, relaxed = planned(mixture)
    except PlanError as error:
        for problem in error.problems:
            assert re.search(
                r"(is to|may) give [\d,.]+ rows.* (can give|must give|must give takes) [\d,.]+", problem.what
            )
        return
    assert sum(counts.values()) == mixture.rows
    assert not broken(mixture, counts)
    assert not relaxed


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(bounded())
def test_relaxed_it_always_plans_and_names_every_bound_that_gave_way(mixture: Mixture) -> None:
    nothing = dict.fromkeys(mixture.sizes, 0)
    if all(broken(mixture, {**nothing, name: 1}, floors=False) for name in mixture.sizes):
        with pytest.raises(PlanError, match="the limits leave 0 rows"):
            planned(mixture, relax=True)
        return
    counts, relaxed = planned(mixture, relax=True)
    words = " ".join(relaxed)
    lowered = re.search(r"mixture 'm': at least ([\d,]+) became ([\d,]+)", words)
    assert sum(counts.values()) == (int(lowered[2].replace(",", "")) if lowered else mixture.rows)
    for bound in broken(mixture, counts):
        assert bound in words
    try:
        assert planned(mixture) == (counts, ())
    except PlanError:
        assert relaxed


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(bounded(most_tasks=3, most_rows=12))
def test_a_mixture_is_refused_only_where_no_integers_would_do(mixture: Mixture) -> None:
    """All ways to share out the rows are tried."""
    names = sorted(mixture.sizes)
    ways = (
        dict(zip(names, (*some, budget(mixture) - sum(some)), strict=True))
        for some in product(range(budget(mixture) + 1), repeat=len(names) - 1)
        if sum(some) <= budget(mixture)
    )
    possible = any(not broken(mixture, way) for way in ways)
    if possible:
        planned(mixture)
    else:
        with pytest.raises(PlanError):
            planned(mixture)
