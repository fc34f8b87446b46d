"""The mixing rules of the literature by name: how the size of a task becomes its rate, and how often it may repeat.

A `Preset` is data: what it sets of `rate_cap`, temperature or alpha, `max_rows` and `max_epochs`. `PRESETS` has them
by the name that a mixture writes after `rate:`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from flanmix.rates.sizes import exact, power, rate
from flanmix.rates.solver import solve
from flanmix.rates.tree import Group, Leaf

REPEAT_CONSTANT = Decimal("15.387756")
"""R* of Muennighoff et al. 2023: how fast a repeated row loses its worth."""

_WORTH = Context(prec=28)
_WORTH_DIGITS = Context(prec=15)


@dataclass(frozen=True)
class Preset:
    """A mixing rule: rate = min(size, rate_cap)^(1/temperature) or ^alpha, or the same for all (`equal`).

    `max_rows` is how many rows of a task may be used, `max_epochs` how often each of them. With `per_template` a task
    counts once for each of its templates, and `rate_cap` is for all of them together.

    >>> PRESETS["flan2021"].rate(400_000), PRESETS["flan2021"].max_rows
    (Fraction(3000, 1), 30000)
    """

    rate_cap: int | None = None
    temperature: float | None = None
    alpha: float | None = None
    equal: bool = False
    max_rows: int | None = None
    max_epochs: float | None = None
    per_template: bool = False

    def rate(self, size: int, templates: int = 1) -> Fraction:
        """The rate of a task of `size` rows; all of its templates together.

        >>> PRESETS["t0"].rate(1_000_000, templates=8), PRESETS["t0"].rate(1_000, templates=8)
        (Fraction(500000, 1), Fraction(8000, 1))
        """
        size = size if self.max_rows is None else min(size, self.max_rows)
        if self.equal:
            return Fraction(1)
        if self.alpha is not None:
            return alpha_rate(size, self.alpha)
        if self.per_template:
            return templates * per_template_rate(size, templates, self.rate_cap)
        return rate(size, self.rate_cap, self.temperature)


def alpha_rate(size: int, alpha: float) -> Fraction:
    """size^alpha: the rate of a language in mT5 (Xue et al. 2021: p(L) ~ |L|^alpha; they take 0.3).

    The same as a temperature of 1/alpha. Rounded to 12 digits.

    >>> alpha_rate(1_000_000, 0.5)
    Fraction(1000, 1)
    """
    return power(Fraction(size), Decimal(repr(alpha)))


def per_template_rate(size: int, templates: int, rate_cap: int | Fraction | None = 500_000) -> Fraction:
    """The rate of one template of a task, after T0 (Sanh et al. 2022, section 5).

    A dataset counts with all of its rows for each of its templates; one of over 500,000 rows counts for
    500,000 / templates for each of them. (The code of T0 rounds that down; the paper, and this, do not.)

    >>> per_template_rate(1_000_000, 8), per_template_rate(400_000, 8)
    (Fraction(62500, 1), Fraction(400000, 1))
    """
    return Fraction(size) if rate_cap is None or size <= rate_cap else Fraction(rate_cap) / templates


def unimax(sizes: Mapping[str, int], rows: int, epochs: float) -> dict[str, Fraction]:
    """Rows per task by UniMax (Chung et al. 2023, Algorithm 1): the same for all, none more often than `epochs`.

    That is water-filling of equal weights with the ceilings epochs * size. A budget above all ceilings is refused
    (the algorithm would leave it unspent).

    >>> unimax({"large": 1000, "small": 10}, rows=100, epochs=2)
    {'large': Fraction(80, 1), 'small': Fraction(20, 1)}
    """
    leaves = tuple(Leaf(name, Fraction(1), high=exact(epochs) * size) for name, size in sizes.items())
    portions = solve(Group("unimax", Fraction(1), leaves), rows).portions
    return {portion.leaf.name: portion.rows for portion in portions}


def replay(size: int, fraction: Fraction) -> int:
    """Rows of an earlier stage that a later one sees again, rounded down, as in DMT (Dong et al. 2024).

    >>> replay(110_142, Fraction(1, 256))
    430
    """
    return int(size * fraction // 1)


def effective_epochs(epochs: Fraction) -> float:
    """What passes over the same rows are worth in passes over new ones (Muennighoff et al. 2023, equation 5).

    1 + R* (1 - e^(-(E - 1)/R*)), R* = 15.387756; up to one pass, each row is new. Taken in decimals, so that it is
    the same on every machine.

    >>> round(effective_epochs(Fraction(4)), 6)
    3.725673
    """
    if epochs <= 1:
        return float(epochs)
    more = _WORTH.divide(Decimal((epochs - 1).numerator), Decimal((epochs - 1).denominator))
    lost = _WORTH.exp(_WORTH.divide(-more, REPEAT_CONSTANT))
    return float(_WORTH_DIGITS.plus(1 + REPEAT_CONSTANT * (1 - lost)))


PRESETS: Mapping[str, Preset] = {
    "equal": Preset(equal=True),
    "proportional": Preset(),
    "t5": Preset(rate_cap=2**19),
    "mt5": Preset(alpha=0.3),
    "unimax": Preset(equal=True, max_epochs=1),
    "flan2021": Preset(rate_cap=3_000, max_rows=30_000),
    "t0": Preset(rate_cap=500_000, per_template=True),
}
"""Each with the numbers of its paper; a mixture may write its own beside the name.

- `t5`: examples-proportional with K = 2^19, with which T5 was trained (Raffel et al. 2020, sections 3.5.2, 3.7).
- `mt5`: alpha = 0.3 (Xue et al. 2021).
- `unimax`: N = 1 (Chung et al. 2023 try 1, 5 and 10).
- `flan2021`: at most 30,000 rows of a task, mixed by size with a rate cap of 3,000 (Wei et al. 2022, section 2.4).
- `t0`: see `per_template_rate`.
"""
