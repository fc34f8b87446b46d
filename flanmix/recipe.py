"""A mixture and the sizes of its tasks, solved into integers: how many rows each task gives, and why."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from flanmix.errors import PlanError, Problem, UsageError
from flanmix.origin import Where
from flanmix.rates import Conflict, Group, InfeasibleError, Leaf, Poured, exact, floor_of, pour, rate
from flanmix.spec import Limits, Mixture, Part


@dataclass(frozen=True)
class Allotment:
    """What the recipe gives one task: `rows` planned, out of `offered` different ones.

    `asked` is the share of the mixture that its weights ask for, before floors and ceilings; `bound` names what held
    it off that share.
    """

    task: str
    rows: int
    offered: int
    asked: float
    bound: str


@dataclass(frozen=True)
class _Branch:
    """A part with what it selects: task names or the branches of a nested mixture, and the limits that hold there."""

    part: Part
    where: Where
    limits: Limits
    tasks: tuple[str, ...] = ()
    inner: tuple["_Branch", ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A mixture with its selectors resolved to task names. Nothing has been read yet."""

    mixture: Mixture
    where: Where
    branches: tuple[_Branch, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of all tasks in the mixture, sorted."""
        return tuple(sorted({name for branch in self.leaves for name in branch.tasks}))

    @property
    def leaves(self) -> tuple[_Branch, ...]:
        """The parts that select tasks, at any depth."""
        return tuple(leaf for branch in self.branches for leaf in _leaves(branch))


def _leaves(branch: _Branch) -> Iterator[_Branch]:
    if branch.part.select is not None:
        yield branch
    for inner in branch.inner:
        yield from _leaves(inner)


def resolve(
    mixture: Mixture,
    where: Where,
    names: Callable[[str], Sequence[str]],
    nested: Callable[[str], tuple[Mixture, Where]],
) -> Recipe:
    """Resolve a mixture's selectors (through `names`) and nested mixtures (through `nested`).

    Raises `PlanError` with every part that selects nothing, names no mixture, or holds itself.
    """
    problems: list[Problem] = []

    def branches(mixture: Mixture, where: Where, outer: Limits, above: tuple[str, ...]) -> tuple[_Branch, ...]:
        limits = _nearest(outer, mixture.defaults)
        found = []
        for index, part in enumerate(mixture.parts):
            here = where.at("parts", index)
            branch = _Branch(part, here, _nearest(limits, part))
            try:
                if part.select is not None:
                    branch = replace(branch, tasks=tuple(sorted(names(part.select))))
                elif part.mixture in above:
                    what = f"the mixture '{part.mixture}' would hold itself"
                    problems.append(here.at("mixture").problem(what, "take it out"))
                    continue
                elif part.mixture is not None:
                    inner, place = nested(part.mixture)
                    branch = replace(branch, inner=branches(inner, place, branch.limits, (*above, inner.name)))
            except UsageError as error:
                key = "select" if part.select is not None else "mixture"
                problems.extend(here.at(key).problem(problem.what, problem.hint) for problem in error.problems)
                continue
            if part.select is not None and not branch.tasks:
                hint = "'flanmix ls SELECTOR' shows what a selector takes"
                problems.append(here.at("select").problem(f"'{part.select}' selects no task", hint))
            found.append(branch)
        return tuple(found)

    recipe = Recipe(mixture, where, branches(mixture, where, Limits(), (mixture.name,)))
    if problems:
        raise PlanError(problems)
    return recipe


def _nearest(outer: Limits, inner: Limits) -> Limits:
    """Limits of tasks: what is written nearest holds. A floor is of the thing that it is written at."""
    own = {name: getattr(inner, name) for name in Limits.model_fields if getattr(inner, name) is not None}
    if isinstance(inner, Part):
        own.pop("min_share", None)
    return outer.model_copy(update=own)


def allot(recipe: Recipe, usable: Mapping[str, int]) -> tuple[Allotment, ...]:
    """Solve a recipe for the numbers of usable rows: one allotment a task, sorted by name. Raises `PlanError`."""
    offered = _offered(recipe, usable)
    total = _budget(recipe, offered)
    root = _tree(recipe, offered, total)
    try:
        poured = pour(root, total)
    except InfeasibleError as error:
        raise PlanError([_problem(recipe, offered, total, conflict) for conflict in error.conflicts]) from None
    mine: dict[str, list[Poured]] = {name: [] for name in recipe.tasks}
    for leaf in poured:
        mine[leaf.leaf.name].append(leaf)
    problems = list(_too_often(recipe, offered, {name: sum(leaf.count for leaf in mine[name]) for name in mine}))
    if problems:
        raise PlanError(problems)
    return tuple(_allotment(name, mine[name], offered[name], total) for name in mine)


def _allotment(name: str, poured: Sequence[Poured], offered: int, total: int) -> Allotment:
    asked = float(sum(leaf.asked for leaf in poured) / total)
    bound = ", ".join(dict.fromkeys(leaf.bound for leaf in poured if leaf.bound))
    return Allotment(name, sum(leaf.count for leaf in poured), offered, asked, bound)


def _too_often(recipe: Recipe, offered: Mapping[str, int], counts: Mapping[str, int]) -> Iterator[Problem]:
    """The tasks that several parts take, each within its max_epochs, and together more often than any allows."""
    ceilings: dict[str, list[float | None]] = {}
    for branch in recipe.leaves:
        for name in branch.tasks:
            ceilings.setdefault(name, []).append(branch.limits.max_epochs)
    for name, epochs in ceilings.items():
        known = [number for number in epochs if number is not None]
        if len(epochs) == len(known) > 1 and counts[name] > (most := _ceiling(max(known), offered[name])):
            what = f"{len(epochs)} parts take the task '{name}' and want {counts[name]:,} rows of it"
            hint = f"max_epochs allows {most:,}: raise it, or let one part take the task"
            yield recipe.where.problem(what, hint)


def _ceiling(epochs: float, offered: int) -> int:
    return int(exact(epochs) * offered)


def _offered(recipe: Recipe, usable: Mapping[str, int]) -> dict[str, int]:
    """The different rows that each task may give: its usable ones, `max_rows` at most."""
    found: dict[str, int] = {}
    problems: list[Problem] = []
    for branch in recipe.leaves:
        for name in branch.tasks:
            offered = min(usable[name], branch.limits.max_rows or usable[name])
            if found.setdefault(name, offered) != offered:
                what = f"the task '{name}' has another max_rows in an earlier part"
                problems.append(branch.where.problem(what, "give both parts the same"))
    if problems:
        raise PlanError(problems)
    return found


def _budget(recipe: Recipe, offered: Mapping[str, int]) -> int:
    mixture = recipe.mixture
    if mixture.rows is not None:
        return mixture.rows
    if mixture.epochs is not None:
        return _passes(mixture.epochs, offered.values())
    fixed = [_fixed_rows(branch, offered) for branch in recipe.branches]
    if None in fixed:
        hint = "write 'rows: 10_000' or 'epochs: 1' (or give --rows, --epochs)"
        raise PlanError(recipe.where.problem("the mixture has no budget", hint))
    return sum(rows for rows in fixed if rows is not None)


def _passes(epochs: float, offered: Iterable[int]) -> int:
    """The rows of so many passes, to the nearest whole one, and one at least."""
    return max(1, round(exact(epochs) * sum(offered)))


def _fixed_rows(branch: _Branch, offered: Mapping[str, int]) -> int | None:
    if branch.part.epochs is not None:
        return _passes(branch.part.epochs, [offered[name] for name in _names(branch)])
    return branch.part.rows


def _names(branch: _Branch) -> set[str]:
    return {name for leaf in _leaves(branch) for name in leaf.tasks}


def _tree(recipe: Recipe, offered: Mapping[str, int], total: int) -> Group:
    children = tuple(_group(branch, offered, total) for branch in recipe.branches)
    return Group(recipe.mixture.name, Fraction(1), children, kind="mixture")


def _group(branch: _Branch, offered: Mapping[str, int], total: int) -> Group:
    part, fixed = branch.part, _fixed_rows(branch, offered)
    children: tuple[Group | Leaf, ...] = tuple(_group(inner, offered, total) for inner in branch.inner)
    children += tuple(_leaf(name, offered, branch, total) for name in branch.tasks)
    name, floor = part.select or part.mixture or "", _floor(part.min_share, total)
    if fixed is not None:
        return Group(name, Fraction(0), children, max(Fraction(fixed), floor), Fraction(fixed))
    return Group(name, exact(part.weight or 1), children, floor)


def _leaf(task: str, offered: Mapping[str, int], branch: _Branch, total: int) -> Leaf:
    limits, size = branch.limits, offered[task]
    low = _floor(limits.min_share, total)
    high = None if limits.max_epochs is None else Fraction(_ceiling(limits.max_epochs, size))
    if branch.part.epochs is not None:
        all_of_part = sum(offered[other] for other in branch.tasks)
        rows = Fraction(_passes(branch.part.epochs, [all_of_part]) * size, all_of_part)
        return Leaf(task, Fraction(0), max(rows, low), rows if high is None else min(rows, high))
    try:
        weight = rate(size, limits.rate_cap, limits.temperature)
    except ArithmeticError as error:
        what = f"the temperature {limits.temperature:g} gives the task '{task}' a rate beyond 1e300"
        raise PlanError(branch.where.problem(what, "raise the temperature")) from error
    return Leaf(task, weight, low, high)


def _floor(min_share: float | None, total: int) -> Fraction:
    return Fraction(-(-exact(min_share or 0) * total // 1))


def _problem(recipe: Recipe, offered: Mapping[str, int], total: int, conflict: Conflict) -> Problem:
    """A conflict in words, with the nearest number that can be had."""
    name = f"the {conflict.node.kind} '{conflict.node.name}'"
    asked, nearest = _number(conflict.asked), _number(conflict.nearest)
    if conflict.asked > conflict.nearest:
        what = f"{name} is to give {asked} rows, and can give {nearest} at most"
        hint = f"ask for {nearest}, or raise max_epochs or fixed rows"
    else:
        what = f"{name} is to give {asked} rows, and its fixed rows and min_share take {nearest}"
        least = _least(recipe, offered, int(conflict.nearest))
        hint = f"raise the rows to {least:,}, or lower those" if least else "no number of rows will do: lower those"
    return recipe.where.problem(what, hint)


def _number(rows: Fraction) -> str:
    return f"{int(rows):,}" if rows.denominator == 1 else f"{float(rows):,.1f}"


def _least(recipe: Recipe, offered: Mapping[str, int], total: int) -> int | None:
    """The smallest budget from `total` on (but for rounding) that holds its floors, which may grow with it.

    None where there is none.
    """

    def holds(rows: int) -> bool:
        return floor_of(_tree(recipe, offered, rows)) <= rows

    most = total
    while not holds(most):
        most *= 2
        if most > 1 << 60:
            return None
    least = total + bisect_left(range(total, most), True, key=holds)
    try:
        pour(_tree(recipe, offered, least), least)
    except InfeasibleError:
        return None
    return least
