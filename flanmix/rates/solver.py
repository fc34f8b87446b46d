"""One solver for a mixture: a tree of parts and tasks, quotas across it, a budget; exact rows and integers per leaf.

1. The budget is poured into the tree (`tree`): weights, floors and ceilings of parts and tasks, siblings first.
2. Where a quota does not hold, all limits are solved at once (`project`): each leaf starts from its pressure, the rows
   of the water level around it, and each limit that binds scales its leaves by one factor, above 1 for a floor and
   below 1 for a ceiling. The budget is such a limit, so what a ceiling turns away goes to everything else in
   proportion. A group thereby asks for the sum of what its leaves ask for, and a fixed group stays fixed.
3. Integers: the largest remainders in the tree, ties by name; then the exchanges that the quotas need (`whole`).

Exact rows are rational numbers where the limits that bind lie inside or beside each other, and converged to 2^-24 of
a row where they cross; either way they are the same on every machine. Without quotas the exact rows of a leaf never
fall when the budget grows (its limits being numbers of rows). With quotas that cross they must, for any method: of two
ceilings of 10 over {a, b} and {b, c}, 20 rows need b to have none.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import repeat

from flanmix.rates.exactly import binding, rows_of
from flanmix.rates.problem import Problem
from flanmix.rates.project import Projection
from flanmix.rates.quotas import Conflict, InfeasibleError, Owner, Portion, Quota, Relaxed, Solution, named, shortened
from flanmix.rates.settle import Settled, settle
from flanmix.rates.tree import Group, Leaf, Node, Poured, ceiling_of, children_of, floor_of, poured
from flanmix.rates.whole import counts_of, missed


def solve(root: Group, rows: int, quotas: Iterable[Quota] = (), *, relax: bool = False) -> Solution:
    """Solve a mixture of `rows` rows: what each leaf gets, in depth-first order.

    Raises `InfeasibleError` with every limit that cannot be had. With `relax` it takes the nearest numbers that can,
    and says in `Solution.relaxed` which limits gave way.

    >>> third = [Leaf(name, Fraction(1)) for name in "abc"]
    >>> cap = Quota("ab", "type", frozenset({0, 1}), high=Fraction(10))
    >>> [leaf.count for leaf in solve(Group("all", Fraction(1), tuple(third)), 60, [cap]).portions]
    [5, 5, 50]
    """
    problem = Problem(root, rows, tuple(quotas))
    conflicts = [*map(_with_parts, in_tree(root, rows)), *_in_quotas(problem)]
    solution = None if conflicts else _solved(problem, relax=relax)
    if solution is not None:
        return solution
    lowered = _lowered(root)
    assert isinstance(lowered, Group)
    possible = Problem(lowered, rows, problem.quotas)
    settled = settle(possible)
    if not relax:
        told = {named(conflict.node) for conflict in conflicts}
        raise InfeasibleError([*conflicts, *(c for c in settled.conflicts if named(c.node) not in told)])
    relaxed = _relaxed(possible, settled)
    solution = _solved(relaxed, relax=True, sure=True)
    assert solution is not None
    return replace(solution, relaxed=(*_changes(problem, relaxed), *solution.relaxed))


def _with_parts(conflict: Conflict) -> Conflict:
    """The conflict of a group with the floors or ceilings below it that together make it."""
    side = "high" if conflict.asked > conflict.nearest else "low"
    owners: list[Owner] = []
    pending = list(reversed(children_of(conflict.node))) if not isinstance(conflict.node, Quota) else []
    while pending:
        node = pending.pop()
        if getattr(node, side):
            owners.append(node)
        pending += reversed(children_of(node))
    return replace(conflict, among=tuple(shortened(owners)))


def pour(node: Node, rows: int) -> list[Poured]:
    """Pour `rows` into a tree: what each leaf gets, in the order of the leaves. Raises `InfeasibleError`."""
    conflicts = in_tree(node, rows)
    if conflicts:
        raise InfeasibleError(conflicts)
    return poured(node, rows)


def in_tree(node: Node, rows: int) -> list[Conflict]:
    """What the limits of the tree alone do not allow."""
    conflicts = [conflict for child in children_of(node) for conflict in _conflicts(child)]
    low, high = floor_of(node), ceiling_of(node)
    if high is not None and rows > high:
        conflicts.append(Conflict(node, Fraction(rows), high))
    elif rows < low and not conflicts:
        conflicts.append(Conflict(node, Fraction(rows), low))
    return conflicts


def _conflicts(node: Node) -> Iterator[Conflict]:
    """The innermost nodes whose floor lies above their ceiling: what is around them follows from them."""
    inner = [conflict for child in children_of(node) for conflict in _conflicts(child)]
    low, high = floor_of(node), ceiling_of(node)
    if not inner and high is not None and low > high:
        inner = [Conflict(node, low, high)]
    yield from inner


def _in_quotas(problem: Problem) -> Iterator[Conflict]:
    """The quotas that no rows of their leaves can satisfy."""
    for limit in problem.limits:
        if isinstance(limit.owner, Quota):
            highs = [problem.bounds[leaf][1] for leaf in limit.leaves]
            most = None if None in highs else sum((high for high in highs if high is not None), Fraction(0))
            least = sum((problem.bounds[leaf][0] for leaf in limit.leaves), Fraction(0))
            reach = min((high for high in (most, limit.high) if high is not None), default=None)
            if reach is not None and limit.low > reach:
                yield Conflict(limit.owner, limit.low, reach)
            elif limit.high is not None and least > limit.high:
                yield Conflict(limit.owner, limit.high, least)


def _solved(problem: Problem, *, relax: bool, sure: bool = False) -> Solution | None:
    """The solution; None where real numbers do not satisfy the limits (with `sure` they are known to)."""
    base = poured(problem.root, problem.rows)
    exact = [leaf.rows for leaf in base]
    bound = [_bound(leaf) for leaf in base]
    if any(True for _ in problem.off(exact)):
        projection = Projection(problem, base)
        converged = projection.converge()
        if not converged and not sure and settle(problem).conflicts:
            return None
        exact = rows_of(problem, base, projection, converged)
        bound = _bounds(problem, exact, binding(projection))
    counts = counts_of(problem, exact)
    gave = []
    for limit, have in missed(problem, counts):
        side = "low" if have < limit.low else "high"
        gave.append(
            Relaxed(limit.owner, side, limit.low if side == "low" else limit.high or Fraction(0), Fraction(have))
        )
    if gave and not relax:
        raise InfeasibleError([Conflict(item.node, item.asked, item.given, whole=True) for item in gave])
    portions = (
        Portion(leaf.leaf, x, count, leaf.asked, words)
        for leaf, x, count, words in zip(base, exact, counts, bound, strict=True)
    )
    return Solution(tuple(portions), problem.rows, tuple(gave))


def _bound(poured: Poured) -> tuple[str, ...]:
    """What held a leaf in the tree; also where the budget is just what its ceilings allow, or its floors take."""
    leaf = poured.leaf
    if not poured.bound and leaf.weight and poured.rows != poured.asked:
        if poured.rows == leaf.high and poured.rows < poured.asked:
            return (leaf.high_label,)
        if poured.rows == leaf.low and poured.rows > poured.asked:
            return (leaf.low_label,)
    return (poured.bound,) if poured.bound else ()


def _bounds(problem: Problem, rows: Sequence[Fraction], sides: Sequence[str]) -> list[tuple[str, ...]]:
    """For each leaf the labels of its own limit that it stands at and of the limits around it that bind."""
    found = []
    for leaf, x, (low, high), numbers in zip(problem.leaves, rows, problem.bounds, problem.memberships, strict=True):
        own = []
        if leaf.weight and high is not None and x == high:
            own.append(leaf.high_label)
        elif leaf.weight and low and x == low:
            own.append(leaf.low_label)
        own += [problem.limits[number].label(sides[number]) for number in numbers if sides[number]]
        found.append(tuple(dict.fromkeys(own)))
    return found


def _lowered(node: Node) -> Node:
    """The tree with every floor that is above what its node can give lowered to that, from the leaves up."""
    if isinstance(node, Group):
        node = replace(node, children=tuple(_lowered(child) for child in node.children))
    high = ceiling_of(replace(node, weight=Fraction(1)))
    return node if high is None or node.low <= high else replace(node, low=high)


def _relaxed(problem: Problem, settled: Settled) -> Problem:
    """The problem with the limits that can be had together; floors that were lowered are whole numbers."""
    lows = iter(settled.leaf_lows)
    limits = [(limit, _whole(low, limit.low)) for limit, low in zip(problem.limits, settled.lows, strict=True)]
    of_groups = iter([(limit.owner, low) for limit, low in limits if isinstance(limit.owner, Group)])
    upcoming = next(of_groups, None)

    def again(node: Node) -> Node:
        nonlocal upcoming
        if isinstance(node, Leaf):
            return replace(node, low=_whole(next(lows), node.low))
        low = node.low
        if upcoming is not None and upcoming[0] is node:
            low, upcoming = min(low, upcoming[1]), next(of_groups, None)
        children = [again(child) for child in node.children]
        return replace(node, low=low, children=tuple(map(_loose, node.children, children, repeat(_faintest(node)))))

    root = again(problem.root)
    assert isinstance(root, Group)
    quotas = (replace(o, low=low, high=limit.high) for limit, low in limits if isinstance(o := limit.owner, Quota))
    return Problem(root, settled.rows, tuple(quotas))


def _loose(before: Node, now: Node, weight: Fraction) -> Node:
    """What was fixed and is so no more may have up to its old rows, after all others, so that the budget is met."""
    if before.weight or floor_of(before) == floor_of(now):
        return now
    high = floor_of(before) if before.high is None else before.high
    return replace(now, weight=weight, high=high)


def _faintest(group: Group) -> Fraction:
    """A weight next to which all others of a group count for everything."""
    weights = [child.weight for child in group.children if child.weight]
    return min(weights, default=Fraction(1)) / 10**12


def _whole(low: Fraction, before: Fraction) -> Fraction:
    return low if low == before else Fraction(low // 1)


def _changes(before: Problem, after: Problem) -> Iterator[Relaxed]:
    """The budget, then the floors that are lower now, parents first, then the quotas."""
    if before.rows != after.rows:
        yield Relaxed(before.root, "low", Fraction(before.rows), Fraction(after.rows))
    pairs: list[tuple[Node, Node]] = [(before.root, after.root)]
    while pairs:
        old, new = pairs.pop()
        if old.low != new.low:
            yield Relaxed(old, "low", old.low, new.low)
        pairs += reversed(list(zip(children_of(old), children_of(new), strict=True)))
    for one, other in zip(before.quotas, after.quotas, strict=True):
        if -(-one.low // 1) != other.low:
            yield Relaxed(one, "low", one.low, other.low)
