"""A recipe and the sizes of its tasks, solved into integers: how many rows each task gives, and why.

Everything is counted in one unit: rows, or tokens where the budget is in tokens (a task's tokens are its rows times
their mean length, so weights are then shares of tokens).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from flanmix.errors import PlanError, Problem
from flanmix.origin import Where
from flanmix.rates import (
    PRESETS,
    Group,
    InfeasibleError,
    Leaf,
    Portion,
    Quota,
    Relaxed,
    Solution,
    exact,
    per_template_rate,
    power,
    rate,
    solve,
)
from flanmix.recipe import Branch, Crossing, Offer, Recipe
from flanmix.refusals import Asked, number, refusals
from flanmix.spec import Bounds, Limits

MOST = 10**12
"""Rows, or tokens, of a mixture."""


@dataclass(frozen=True)
class Sizes:
    """What is known of the offers of a recipe: usable rows, wordings, and for budgets in tokens the tokens of a row."""

    rows: Mapping[Offer, int]
    templates: Mapping[Offer, int] = field(default_factory=dict)
    tokens: Mapping[Offer, Fraction] = field(default_factory=dict)


@dataclass(frozen=True)
class Allotment:
    """What the recipe gives one offer: `rows` planned, out of `offered` different ones.

    `asked` is the share of the mixture that its weights ask for, before floors and ceilings; `share` the share it has
    before rounding; `bound` names what held it off what was asked.
    """

    offer: Offer
    rows: int
    offered: int
    asked: Fraction
    share: Fraction
    bound: tuple[str, ...] = ()


@dataclass(frozen=True)
class Allotments:
    """All of them, sorted by offer, and what gave way where the recipe asked for more than there is, in words."""

    of: tuple[Allotment, ...]
    relaxed: tuple[str, ...] = ()

    def rows(self) -> dict[Offer, int]:
        """Planned rows."""
        return {each.offer: each.rows for each in self.of}


def allot(recipe: Recipe, sizes: Sizes, *, relax: bool = False) -> Allotments:
    """Solve a recipe: one allotment an offer. Raises `PlanError` with every limit that cannot be had.

    With `relax` the nearest numbers that can be had are taken.
    """
    tree = _Tree(recipe, sizes)
    if tree.total > MOST:
        raise PlanError(tree.where.problem(f"the budget is {tree.total:,}", f"plan {MOST:,} at most"))
    try:
        solution = solve(tree.root, tree.total, tree.quotas, relax=relax)
    except InfeasibleError as error:
        raise PlanError(refusals(tree.asked, error.conflicts)) from None
    if not solution.budget:
        hint = "raise the ceilings (max_share, max_epochs): not even --relax finds rows under these"
        raise PlanError(recipe.where.problem("the limits leave 0 rows", hint))
    return Allotments(tuple(tree.allotments(solution)), tuple(_gave_way(each) for each in solution.relaxed))


class _Tree:
    """A recipe as the solver's tree and quotas, in its unit."""

    def __init__(self, recipe: Recipe, sizes: Sizes, budget: int | None = None) -> None:
        self.recipe, self.sizes, self._other_budget = recipe, sizes, budget
        self.in_tokens = recipe.budget.tokens is not None
        self.offered = self._offered()
        self._refuse_other_unit(recipe.branches)

    def _offered(self) -> dict[Offer, int]:
        """The different rows that each offer may give: its usable ones, `max_rows` at most."""
        found: dict[Offer, int] = {}
        problems: list[Problem] = []
        for branch in self.recipe.leaves:
            for offer in branch.offers:
                usable = self.sizes.rows[offer]
                offered = min(usable, branch.limits.max_rows or usable)
                if found.setdefault(offer, offered) != offered:
                    what = f"the task '{offer.task}' has another max_rows in an earlier part"
                    problems.append(branch.where.problem(what, "give both parts the same"))
        if problems:
            raise PlanError(problems)
        return {**{offer: replayed.offered for offer, replayed in self.recipe.replay.items()}, **found}

    def _refuse_other_unit(self, branches: Iterable[Branch]) -> None:
        problems = []
        bounded: list[tuple[Where, Bounds]] = [(branch.where, branch.part) for branch in _all(branches)]
        bounded += [(crossing.where, crossing.bounds) for crossing in self.recipe.crossings]
        for where, bounds in bounded if self.in_tokens else []:
            if bounds.min_rows is not None:
                hint = "give it 'min_share'"
                problems.append(where.at("min_rows").problem("the budget is in tokens, and this floor in rows", hint))
        for branch in _all(branches):
            if branch.part.rows is not None and self.in_tokens:
                what = "the budget is in tokens, and this part asks for rows"
                problems.append(branch.where.at("rows").problem(what, "give it 'tokens', 'epochs' or 'weight'"))
            if branch.part.tokens is not None and not self.in_tokens:
                what = "the part asks for tokens, and the budget is not in tokens"
                problems.append(
                    branch.where.at("tokens").problem(what, "give the mixture 'tokens' too, or take it out")
                )
        if problems:
            raise PlanError(problems)

    @property
    def where(self) -> Where:
        """Where the mixture, or the stage of it, was written."""
        where, stage = self.recipe.where, self.recipe.stage
        return where if stage is None else where.at("stages", self.recipe.mixture.stages.index(stage))

    def where_of(self, kind: str, name: str) -> Where:
        """Where the limits of a part, a type or a tag are written; else the mixture, or the stage of it."""
        parts = [branch.where for branch in _all(self.recipe.branches) if ("part", branch.part.title) == (kind, name)]
        crossings = [each.where for each in self.recipe.crossings if (each.kind, each.name) == (kind, name)]
        return next(iter([*parts, *crossings]), self.where)

    def unit(self, offer: Offer) -> Fraction:
        """What one row of an offer counts."""
        return self.sizes.tokens[offer] if self.in_tokens else Fraction(1)

    @cached_property
    def replayed(self) -> Fraction:
        """What earlier stages bring along."""
        return sum((rows * self.unit(offer) for offer, (rows, _) in self.recipe.replay.items()), Fraction(0))

    @property
    def asked(self) -> Asked:
        """What is solved, and what would be with another budget."""
        kind, unit = "stage" if self.recipe.stage else "mixture", "tokens" if self.in_tokens else "rows"
        return Asked(self.root, self.total, self.quotas, self.where_of, kind, unit, round(self.replayed), self._with)

    def _with(self, budget: int) -> Asked:
        return _Tree(self.recipe, self.sizes, budget).asked

    @cached_property
    def total(self) -> int:
        """The whole budget, with what is replayed."""
        return self.own + round(self.replayed)

    @cached_property
    def own(self) -> int:
        """The budget of its own."""
        budget = self.recipe.budget
        if self._other_budget is not None:
            return self._other_budget
        if budget.tokens is not None:
            return budget.tokens
        if budget.rows is not None:
            return budget.rows
        if budget.epochs is not None:
            return self._passes(
                budget.epochs, {offer for branch in self.recipe.branches for offer in branch.all_offers()}
            )
        fixed = [self._fixed(branch) for branch in self.recipe.branches]
        if None in fixed:
            hint = "write 'rows: 10_000' or 'epochs: 1'" + ("" if self.recipe.stage else " (or give --rows, --epochs)")
            kind = "stage" if self.recipe.stage else "mixture"
            raise PlanError(self.where.problem(f"the {kind} has no budget", hint))
        return sum(rows for rows in fixed if rows is not None)

    def _passes(self, epochs: float, offers: Iterable[Offer]) -> int:
        """The rows (or tokens) of so many passes, to the nearest whole one, and one at least."""
        return max(1, round(exact(epochs) * sum(self.offered[offer] * self.unit(offer) for offer in offers)))

    def _fixed(self, branch: Branch) -> int | None:
        part = branch.part
        if part.epochs is not None:
            return self._passes(part.epochs, branch.all_offers())
        return part.tokens if self.in_tokens else part.rows

    @cached_property
    def root(self) -> Group:
        """The tree: the parts of the recipe, and beside them what is replayed."""
        children = tuple(self._group(branch) for branch in self.recipe.branches)
        if self.recipe.replay:
            fixed = {offer: rows * self.unit(offer) for offer, (rows, _) in self.recipe.replay.items()}
            leaves = tuple(Leaf(str(offer), Fraction(0), rows, rows) for offer, rows in sorted(fixed.items()))
            children += (Group("replay", Fraction(0), leaves, self.replayed, self.replayed, "part"),)
        return Group(self.recipe.name, Fraction(1), children, kind="stage" if self.recipe.stage else "mixture")

    @cached_property
    def leaves(self) -> list[Offer]:
        """The offer of each leaf of the tree, in the solver's order."""
        found = [offer for branch in self.recipe.branches for offer in _in_order(branch)]
        return [*found, *sorted(self.recipe.replay)]

    def _group(self, branch: Branch) -> Group:
        part, fixed = branch.part, self._fixed(branch)
        children: tuple[Group | Leaf, ...] = tuple(self._group(inner) for inner in branch.inner)
        children += tuple(self._leaf(offer, branch) for offer in branch.offers)
        low, high = self._bounds(part)
        if fixed is not None:
            rows = Fraction(fixed)
            ceiling = rows if high is None else min(rows, high)
            return Group(part.title, Fraction(0), children, max(rows, low), ceiling)
        weight = exact(part.weight or 1)
        if branch.weights:
            weight = sum((child.weight for child in children), Fraction(0))
        return Group(part.title, weight, children, low, high)

    def _leaf(self, offer: Offer, branch: Branch) -> Leaf:
        limits, size, unit = branch.limits, self.offered[offer], self.unit(offer)
        low, high = self._bounds(limits, unit) if self._alone(offer) else (Fraction(0), None)
        label = "max_share"
        if limits.max_epochs is not None:
            most = _ceiling(limits.max_epochs, size) * unit
            if high is None or most <= high:
                high, label = most, "max_epochs"
        if branch.part.epochs is not None:
            of_part = sum(self.offered[other] * self.unit(other) for other in branch.offers)
            rows = Fraction(self._passes(branch.part.epochs, branch.offers) * size) * unit / of_part
            return Leaf(str(offer), Fraction(0), max(rows, low), rows if high is None else min(rows, high))
        return Leaf(str(offer), self._rate(offer, branch), low, high, high_label=label)

    def _rate(self, offer: Offer, branch: Branch) -> Fraction:
        limits, size = branch.limits, self.offered[offer]
        if branch.weights:
            return exact(branch.weights[offer.task]) / self._sharing[id(branch.weights), offer.task]
        try:
            if offer.style:  # one of the task's wordings, by its own size
                return _rate(limits, size, len(self._places[offer.task])) / self._wordings(limits, offer)
            return _rate(limits, size, self.sizes.templates.get(offer, 1))
        except ArithmeticError as error:
            what = f"the temperature {limits.temperature:g} gives the task '{offer.task}' a rate beyond 1e300"
            raise PlanError(branch.where.problem(what, "raise the temperature")) from error

    def _wordings(self, limits: Limits, offer: Offer) -> int:
        """By what the rate of a task is shared out to one of its styles, where the rule counts wordings."""
        return len(self._places[offer.task]) if PRESETS[limits.rate or "proportional"].per_template else 1

    def _bounds(self, bounds: Bounds, unit: Fraction = Fraction(1)) -> tuple[Fraction, Fraction | None]:
        """A floor and a ceiling; both of a share in whole rows, rounded inwards, so that the integers keep it."""
        low = max(_up(exact(bounds.min_share or 0) * self.total), Fraction(bounds.min_rows or 0) * unit)
        high = None if bounds.max_share is None else Fraction(exact(bounds.max_share) * self.total // 1)
        return low, high

    def _alone(self, offer: Offer) -> bool:
        """Whether a task has one leaf."""
        return len(self._places[offer.task]) == 1

    @cached_property
    def _sharing(self) -> Counter[tuple[int, str]]:
        """How many leaves share one weight of a task: several parts may take it, or several of its styles."""
        return Counter((id(branch.weights), offer.task) for branch in self.recipe.leaves for offer in branch.offers)

    @cached_property
    def _takers(self) -> dict[str, list[Branch]]:
        """The parts that take a task themselves."""
        found: dict[str, list[Branch]] = {}
        for branch in self.recipe.leaves:
            for task in dict.fromkeys(offer.task for offer in branch.offers):
                found.setdefault(task, []).append(branch)
        return found

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, offer in enumerate(self.leaves):
            places.setdefault(offer.task, []).append(place)
        return places

    @cached_property
    def quotas(self) -> list[Quota]:
        """What crosses the tree: types, tags, and tasks that have several leaves."""
        found = [self._crossing(each) for each in self.recipe.crossings]
        return [*found, *(quota for task in sorted(self._places) for quota in self._of_task(task))]

    def _crossing(self, crossing: Crossing) -> Quota:
        low, high = self._bounds(crossing.bounds)
        places = frozenset(place for task in crossing.tasks for place in self._places[task])
        return Quota(crossing.name, crossing.kind, places, low, high)

    def _of_task(self, task: str) -> Iterator[Quota]:
        """The limits of a task that several parts take, or several of whose styles: of all of its leaves together."""
        places = self._places[task]
        if len(places) == 1:
            return
        limits = [branch.limits for branch in self._takers.get(task, ())]
        lows, highs = zip(*(self._bounds(limit) for limit in limits), strict=True) if limits else ((), ())
        low, high = max(lows, default=Fraction(0)), _least(highs)
        label = "max_share"
        offers = {self.leaves[place] for place in places}
        if len(offers) == 1 and limits and all(limit.max_epochs is not None for limit in limits):
            (offer,) = offers
            most = max(_ceiling(limit.max_epochs or 0, self.offered[offer]) for limit in limits) * self.unit(offer)
            if high is None or most <= high:
                high, label = most, "max_epochs"
        if low or high is not None:
            yield Quota(task, "task", frozenset(places), low, high, high_label=label)

    def allotments(self, solution: Solution) -> Iterator[Allotment]:
        """What each offer gets, its leaves together."""
        mine: dict[Offer, list[Portion]] = {}
        for offer, portion in zip(self.leaves, solution.portions, strict=True):
            mine.setdefault(offer, []).append(portion)
        for offer, portions in sorted(mine.items()):
            units = sum((portion.rows for portion in portions), Fraction(0))
            count = sum(portion.count for portion in portions)
            yield Allotment(
                offer,
                rows=self._rows(offer, units) if self.in_tokens else count,
                offered=self.offered[offer],
                asked=sum((portion.asked for portion in portions), Fraction(0)) / self.total,
                share=units / solution.budget,
                bound=tuple(dict.fromkeys(word for portion in portions for word in portion.bound)),
            )

    def _rows(self, offer: Offer, tokens: Fraction) -> int:
        return round(tokens / self.unit(offer))


def _rate(limits: Limits, size: int, templates: int) -> Fraction:
    """What a task of some size counts for; raises `ArithmeticError`."""
    preset = PRESETS[limits.rate or "proportional"]
    if preset.equal:
        return Fraction(1)
    if preset.per_template and limits.rate_cap is not None:
        return templates * per_template_rate(size, templates, exact(limits.rate_cap))
    if preset.alpha is not None and limits.temperature is None:
        return power(rate(size, limits.rate_cap, None, limits.scale or 1), Decimal(repr(preset.alpha)))
    return rate(size, limits.rate_cap, limits.temperature, limits.scale or 1)


def _in_order(branch: Branch) -> Iterator[Offer]:
    for inner in branch.inner:
        yield from _in_order(inner)
    yield from branch.offers


def _all(branches: Iterable[Branch]) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from _all(branch.inner)


def _least(numbers: Sequence[Fraction | None]) -> Fraction | None:
    return min((number for number in numbers if number is not None), default=None)


def _ceiling(epochs: float, offered: int) -> int:
    return int(exact(epochs) * offered)


def _up(number: Fraction) -> Fraction:
    return Fraction(-(-number // 1))


def _gave_way(relaxed: Relaxed) -> str:
    side = {"low": "at least", "high": "at most"}.get(relaxed.side, "")
    what = f"{relaxed.node.kind} '{relaxed.node.name}'"
    return " ".join(f"{what}: {side} {number(relaxed.asked)} became {number(relaxed.given)}".split())
