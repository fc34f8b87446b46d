"""From shares of tokens to rows, and back: the arithmetic of token budgets.

With a budget of B tokens, weights mean shares of **tokens** (as papers with token budgets mean them): a task with the
share s and m tokens in a planned row gives s * B / m rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import fsum, sqrt

from flanmix.errors import PlanError, Problem
from flanmix.plan import Plan

_PLACES = 6
"""Decimals of a token to which a mean is taken: what floats add to it should not move a row."""


@dataclass(frozen=True)
class TaskLength:
    """The tokens of a task's planned rows, as the plan chooses their templates.

    `tokens` and `loss` are means per *planned* row: a row that a build drops (its target is blank) counts as none.
    `error` is the standard error of `tokens`, `deviation` the standard deviation between rows; `measured` rows were
    rendered and encoded, and `whole` says that there are no others. `rows` is how many rows there are, where one
    template serves them all: a pass over all of them then gives the same tokens whenever it is made.
    """

    task: str
    tokens: float
    loss: float
    error: float = 0.0
    deviation: float = 0.0
    measured: int = 0
    whole: bool = False
    rows: int | None = None

    @property
    def exact_tokens(self) -> Fraction:
        """The mean as it is reckoned with: a whole number of millionths."""
        return Fraction(round(self.tokens * 10**_PLACES), 10**_PLACES)

    def drawing(self, number: float) -> float:
        """The variance of the tokens of so many planned rows.

        n rows have n * deviation^2; of m rows that are drawn from all R once, m * deviation^2 * (1 - m / R), and a
        whole pass over them none. Where templates are chosen too, nothing is taken off for passes.
        """
        if self.rows is None:
            return number * self.deviation**2
        left = number % self.rows
        return left * self.deviation**2 * (1 - left / self.rows)


def choice_shares(plan: Plan, task: int) -> tuple[Mapping[int, Fraction], ...]:
    """For each guard of a task, how often the plan gives its rows to each template.

    A style's share goes evenly to those of its templates that serve the row, and to any others where none does. What is
    missing to 1 is dropped by a build.
    """
    planned, found = plan.tasks[task], []
    for guard, serving in enumerate(planned.guards):
        stratum = next(each for each in plan.stylings[task].strata if guard in each.guards)
        shares: dict[int, Fraction] = {}
        for style, share in zip(stratum.styles, stratum.lines.parts, strict=False):
            own = [index for index in serving if index in style.templates]
            for index in (chosen := own or [index for index in serving if index in stratum.templates]) if share else ():
                shares[index] = shares.get(index, Fraction(0)) + share / len(chosen)
        found.append(shares)
    return tuple(found)


def refuse_without_tokens(lengths: Sequence[TaskLength]) -> None:
    """Raise `PlanError` with every task that gives no tokens: no number of its rows meets a budget."""
    hint = "look at it with 'flanmix preview', or leave it out"
    empty = [
        Problem(f"{length.task}: gives no tokens in the {length.measured:,} rows that were measured", hint=hint)
        for length in lengths
        if not length.exact_tokens
    ]
    if empty:
        raise PlanError(empty)


def rows_for_tokens(shares: Sequence[Fraction], lengths: Sequence[TaskLength], budget: int) -> tuple[Fraction, ...]:
    """The exact rows with which each task gives its share of a budget in tokens.

    Nothing is rounded or made to add up: that is the solver's. Raises `PlanError` for tasks that have a share and give
    no tokens.

    >>> lengths = [TaskLength("short", 10.0, 2.0), TaskLength("long", 400.0, 100.0)]
    >>> rows_for_tokens([Fraction(1, 2), Fraction(1, 2)], lengths, 10_000)
    (Fraction(500, 1), Fraction(25, 2))
    """
    refuse_without_tokens([length for share, length in zip(shares, lengths, strict=True) if share])
    return tuple(
        share * budget / length.exact_tokens if share else Fraction(0)
        for share, length in zip(shares, lengths, strict=True)
    )


@dataclass(frozen=True)
class Expected:
    """The tokens that rows are expected to give, and how far off that may be, as standard deviations.

    `sampling` comes from the means, which were taken from a sample; `drawing` from the rows, which are a sample of the
    task's too. No larger sample makes the latter smaller: where it matters, count the planned rows themselves
    (`flanmix.token_counts.PlannedTokens`).
    """

    tokens: float
    loss: float
    sampling: float
    drawing: float

    @property
    def error(self) -> float:
        """The standard error of the tokens that are built."""
        return sqrt(self.sampling**2 + self.drawing**2)

    def within(self, tolerance: float) -> bool:
        """Whether two standard errors are at most this part of the tokens."""
        return 2 * self.error <= tolerance * self.tokens


def expected_tokens(rows: Sequence[int | Fraction], lengths: Sequence[TaskLength]) -> Expected:
    """What so many rows of each task give.

    >>> found = expected_tokens([100, 4], [TaskLength("a", 10.0, 2.0, 0.5, 3.0), TaskLength("b", 400.0, 100.0)])
    >>> found.tokens, found.loss, found.sampling, found.drawing
    (2600.0, 600.0, 50.0, 30.0)
    """
    pairs = [(float(number), length) for number, length in zip(rows, lengths, strict=True)]
    return Expected(
        fsum(number * length.tokens for number, length in pairs),
        fsum(number * length.loss for number, length in pairs),
        sqrt(fsum((number * length.error) ** 2 for number, length in pairs)),
        sqrt(fsum(length.drawing(number) for number, length in pairs)),
    )
