"""A mixture and the sizes of its tasks, solved into integers: how many rows each task gives, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from flanmix.errors import PlanError, Problem, UsageError
from flanmix.origin import Where
from flanmix.rates import Group, Infeasible, Leaf, exact, largest_remainder, pour, rate
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
        return tuple(sorted({name for branch in self.branches for name in _names(branch)}))


def _names(branch: _Branch) -> set[str]:
    return set(branch.tasks).union(*(_names(inner) for inner in branch.inner))


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
                    problems.append(here.at("mixture").problem(f"the mixture '{part.mixture}' would hold itself"))
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
    root = Group(
        f"the mixture '{recipe.mixture.name}'",
        Fraction(1),
        tuple(_group(branch, offered, total) for branch in recipe.branches),
    )
    try:
        poured = list(pour(root, Fraction(total)))
    except Infeasible as error:
        raise PlanError(_infeasible(recipe, error)) from error
    counts = largest_remainder([leaf.rows for leaf in poured], [leaf.leaf.name for leaf in poured], total)
    allotments = []
    for name in recipe.tasks:
        mine = [(leaf, count) for leaf, count in zip(poured, counts, strict=True) if leaf.leaf.name == name]
        rows = sum(count for _, count in mine)
        ceilings = {leaf.leaf.high for leaf, _ in mine}
        if len(mine) > 1 and None not in ceilings and rows > max(high for high in ceilings if high is not None):
            what = f"{len(mine)} parts take the task '{name}' and want {rows} rows, more than its max_epochs allows"
            raise PlanError(recipe.where.problem(what, "raise max_epochs, or let one part take the task"))
        bound = ", ".join(dict.fromkeys(leaf.bound for leaf, _ in mine if leaf.bound))
        asked = float(sum(leaf.asked for leaf, _ in mine) / total) if total else 0.0
        allotments.append(Allotment(name, rows, offered[name], asked, bound))
    return tuple(allotments)


def _offered(recipe: Recipe, usable: Mapping[str, int]) -> dict[str, int]:
    """The different rows that each task may give: its usable ones, `max_rows` at most."""
    found: dict[str, int] = {}
    problems: list[Problem] = []

    def visit(branch: _Branch) -> None:
        for name in branch.tasks:
            offered = min(usable[name], branch.limits.max_rows or usable[name])
            if found.setdefault(name, offered) != offered:
                what = f"the task '{name}' has another max_rows in an earlier part"
                problems.append(branch.where.problem(what, "give both parts the same"))
        for inner in branch.inner:
            visit(inner)

    for branch in recipe.branches:
        visit(branch)
    if problems:
        raise PlanError(problems)
    return found


def _budget(recipe: Recipe, offered: Mapping[str, int]) -> int:
    mixture = recipe.mixture
    if mixture.rows is not None:
        return mixture.rows
    if mixture.epochs is not None:
        return max(1, round(exact(mixture.epochs) * sum(offered.values())))
    fixed = [_fixed_rows(branch, offered) for branch in recipe.branches]
    if None in fixed:
        hint = "write 'rows: 10_000' or 'epochs: 1' (or give --rows, --epochs)"
        raise PlanError(recipe.where.problem("the mixture has no budget", hint))
    return round(sum((rows for rows in fixed if rows is not None), Fraction(0)))


def _fixed_rows(branch: _Branch, offered: Mapping[str, int]) -> Fraction | None:
    if branch.part.rows is not None:
        return Fraction(branch.part.rows)
    if branch.part.epochs is not None:
        return exact(branch.part.epochs) * sum(offered[name] for name in _names(branch))
    return None


def _group(branch: _Branch, offered: Mapping[str, int], total: int) -> Group:
    part, fixed = branch.part, _fixed_rows(branch, offered)
    low, high = (fixed, fixed) if fixed is not None else (exact(part.min_share or 0) * total, None)
    children: tuple[Group | Leaf, ...] = tuple(_group(inner, offered, total) for inner in branch.inner)
    for name in branch.tasks:
        children += (_leaf(name, offered[name], branch, total),)
    name = f"the part '{part.select or part.mixture}'"
    return Group(name, Fraction(0) if fixed is not None else exact(part.weight or 1), children, low, high)


def _leaf(name: str, offered: int, branch: _Branch, total: int) -> Leaf:
    limits = branch.limits
    if branch.part.epochs is not None:
        rows = exact(branch.part.epochs) * offered
        return Leaf(name, Fraction(offered), rows, rows)
    high = None if limits.max_epochs is None else Fraction(int(exact(limits.max_epochs) * offered))
    low = Fraction(-(-exact(limits.min_share or 0) * total // 1))
    return Leaf(name, rate(offered, limits.rate_cap, limits.temperature), low, high)


def _infeasible(recipe: Recipe, error: Infeasible) -> Problem:
    nearest = int(error.nearest)
    what = f"{error.node} is asked for {int(error.asked):,} rows, but {error.limit}"
    if "ceiling" in error.limit:
        hint = f"{nearest:,} is the most it can give: lower the rows or raise max_epochs"
    else:
        hint = f"{nearest:,} is the least it can give: raise the rows or lower min_share and fixed rows"
    return recipe.where.problem(what, hint)
