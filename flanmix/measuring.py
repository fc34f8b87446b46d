"""The lengths of a plan's tasks: samples that grow until the plan's tokens are known well enough."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import fsum, sqrt

from flanmix.lengths import SAMPLE, Length, Lengths, TaskRows
from flanmix.mapped import RowFile
from flanmix.plan import Plan
from flanmix.token_budget import Expected, TaskLength, choice_shares, expected_tokens
from flanmix.token_counts import Count, PlannedTokens
from flanmix.tokenizing import Counting, Tokenizer

TOLERANCE = 0.005
_TRIES = 8
Solve = Callable[[Sequence[TaskLength]], Plan]
"""From the tasks' lengths to a plan of the same tasks in the same order, with rows that should meet the budget."""


@dataclass(frozen=True)
class Settled:
    """A plan that meets a budget in tokens, and what its tokens are.

    `expected` is reckoned from `lengths`; `counted` are the tokens of the very rows it draws, task by task, where what
    was expected was not sure enough, and else None.
    """

    plan: Plan
    lengths: tuple[TaskLength, ...]
    expected: Expected
    counted: tuple[Count, ...] | None = None

    @property
    def tokens(self) -> float:
        """The tokens that a build will have, as well as they are known."""
        return self.expected.tokens if self.counted is None else sum(count.tokens for count in self.counted)


def settle(
    plan: Plan,
    files: Sequence[RowFile],
    tokenizer: Tokenizer,
    counting: Counting | None = None,
    *,
    budget: int,
    solve: Solve,
    sample: int | None = SAMPLE,
    tolerance: float = TOLERANCE,
) -> Settled:
    """The plan that meets a budget in tokens, as its rows will be built.

    Measures lengths, and solves with them. Where two standard errors of the plan's tokens are more than `tolerance` of
    them, the planned rows are rendered and counted, and the plan is solved again with their own means, until it meets
    the budget within `tolerance`. Where rows are too long for that, one task of shorter rows makes up for the rest.
    After 8 times the nearest plan is taken.
    """
    lengths = measured = measure(plan, files, tokenizer, counting, sample=sample, solve=solve, tolerance=tolerance)
    solved = solve(lengths)
    expected = expected_tokens(_rows(solved), lengths)
    if expected.within(tolerance):
        return Settled(solved, lengths, expected)
    exact = PlannedTokens(files, tokenizer, counting)

    def tried(lengths: tuple[TaskLength, ...]) -> Settled:
        solved = solve(lengths)
        return Settled(solved, lengths, expected_tokens(_rows(solved), lengths), exact.of(solved))

    best = found = tried(lengths)
    for number in range(_TRIES):
        if abs(best.tokens - budget) <= tolerance * budget:
            break
        shared = number < _TRIES // 2
        found = tried(exact.lengths(found.plan, measured) if shared else _made_up(best, budget))
        best = min(best, found, key=lambda one: abs(one.tokens - budget))
    return best


def _made_up(found: Settled, budget: int) -> tuple[TaskLength, ...]:
    """Lengths with which one task makes up for what a plan is off.

    It is the one with the shortest rows of those whose tokens change by a quarter at most, or else the largest.
    """
    counts, gap = found.counted or (), budget - found.tokens
    rows = _rows(found.plan)
    pairs = enumerate(zip(counts, rows, strict=True))
    means = [(count.tokens / number, index) for index, (count, number) in pairs if count.tokens]
    if not means:
        return found.lengths
    fit = [(mean, index) for mean, index in means if counts[index].tokens >= 4 * abs(gap)]
    mean, index = min(fit) if fit else max(means, key=lambda one: counts[one[1]].tokens)
    wanted = max(1.0, rows[index] + gap / mean)
    scaled = replace(found.lengths[index], tokens=found.lengths[index].tokens * rows[index] / wanted)
    return (*found.lengths[:index], scaled, *found.lengths[index + 1 :])


def measure(
    plan: Plan,
    files: Sequence[RowFile],
    tokenizer: Tokenizer,
    counting: Counting | None = None,
    *,
    sample: int | None = SAMPLE,
    solve: Solve | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[TaskLength, ...]:
    """The mean tokens of each task's planned rows, from `sample` rows of each template; None: from all rows.

    The plan's own rows do not count, only its tasks, their templates and the styles. Where `solve` says how many rows
    each task would give, samples are doubled, those first that make the total least certain, until
    two standard errors of it are at most `tolerance` of it, or everything is measured. How far off the drawn rows will
    be no sample tells: where that alone is more, samples only grow until they add little to it, and the planned rows
    themselves are to be counted (`flanmix.token_counts.PlannedTokens`). All of it is a function of the plan, the
    tokenizer and these numbers.
    """
    found = _Measured(plan, files, Lengths(tokenizer, counting, seed=plan.seed, prompting=plan.prompting), sample)
    while True:
        lengths = tuple(task.length for task in found.tasks)
        if sample is None or solve is None:
            return lengths
        rows = _rows(solve(lengths))
        if _known_well(expected_tokens(rows, lengths), tolerance) or not found.grow(rows):
            return lengths


def _rows(plan: Plan) -> list[int]:
    return [task.rows for task in plan.tasks]


def _known_well(expected: Expected, tolerance: float) -> bool:
    wanted = tolerance * expected.tokens / 2
    left = sqrt(max(0.0, wanted**2 - expected.drawing**2))
    return expected.sampling <= max(left, expected.drawing / 2)


class _Measured:
    """The tasks of a plan, measured so far."""

    def __init__(self, plan: Plan, files: Sequence[RowFile], lengths: Lengths, sample: int | None) -> None:
        self.tasks = [
            _Task(TaskRows(planned, file), choice_shares(plan, index), lengths, sample)
            for index, (planned, file) in enumerate(zip(plan.tasks, files, strict=True))
        ]

    def grow(self, rows: Sequence[int]) -> bool:
        """Double the samples that make up at least half of the variance; False where nothing is left to measure."""
        shares = [
            (-((number * part.error) ** 2), index, template)
            for index, (number, task) in enumerate(zip(rows, self.tasks, strict=True))
            for template, part in task.parts.items()
            if part.error > 0 and number
        ]
        half, sum_of_them = sum(share for share, _, _ in shares) / 2, 0.0
        for share, index, template in sorted(shares):
            self.tasks[index].double(template)
            sum_of_them += share
            if sum_of_them <= half:
                break
        return bool(shares)


class _Part:
    """What one template adds to a row of its task: the plan gives it `share` of the rows.

    Rows of a guard with many templates are given to it less often than others, so they count for less in its mean.
    """

    def __init__(self, length: Length, share: float, weights: Mapping[int, float]) -> None:
        self.rows, self.share, self.whole = length.rows, share, length.rows >= length.served
        pairs = [(weights[guard], moments) for guard, moments in length.by_guard.items()]
        total = fsum(weight * moments.rows for weight, moments in pairs) or 1.0
        mean = fsum(weight * moments.tokens for weight, moments in pairs) / total
        self.tokens, self.square = share * mean, share * fsum(w * m.squares for w, m in pairs) / total
        self.loss = share * fsum(weight * moments.loss for weight, moments in pairs) / total
        apart = fsum(w**2 * (m.squares - 2 * mean * m.tokens + mean**2 * m.rows) for w, m in pairs) / total**2
        left = 0.0 if self.whole else (1 - length.rows / length.served) * length.rows / max(length.rows - 1, 1)
        self.error = share * (mean if length.rows == 1 and not self.whole else sqrt(max(apart, 0.0) * left))


class _Task:
    """One task: its templates that are ever chosen, each with its sample."""

    def __init__(
        self,
        rows: TaskRows,
        choices: Sequence[Mapping[int, Fraction]],
        lengths: Lengths,
        sample: int | None,
    ) -> None:
        self._rows, self._choices, self._lengths = rows, choices, lengths
        chosen = sorted({template for shares in choices for template in shares})
        self._samples = dict.fromkeys(chosen, sample)
        self.parts = {template: self._part(template) for template in chosen}

    def _part(self, template: int) -> _Part:
        weights = {guard: float(shares[template]) for guard, shares in enumerate(self._choices) if template in shares}
        counts = self._rows.of_guards
        share = fsum(weight * counts[guard] for guard, weight in weights.items()) / max(int(counts.sum()), 1)
        serving = {guard: weights.get(guard, 0.0) for guard in self._rows.serving(template)}
        return _Part(self._lengths.of(self._rows, template, self._samples[template]), share, serving)

    def double(self, template: int) -> None:
        """Measure twice as many rows of a template."""
        self._samples[template] = 2 * (self._samples[template] or 0)
        self.parts[template] = self._part(template)

    @property
    def length(self) -> TaskLength:
        """What is known of the task so far."""
        parts = self.parts.values()
        tokens = fsum(part.tokens for part in parts)
        deviation = sqrt(max(0.0, fsum(part.square for part in parts) - tokens**2))
        return TaskLength(
            self._rows.planned.name,
            tokens,
            fsum(part.loss for part in parts),
            sqrt(fsum(part.error**2 for part in parts)),
            deviation,
            sum(part.rows for part in parts),
            all(part.whole for part in parts),
            self._rows.planned.usable if len(parts) == 1 else None,
        )
