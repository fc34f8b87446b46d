"""From the size of a task to its rate: numbers as they were written, caps, powers."""

from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

_POWER = Context(prec=28, Emax=300)
_RATE = Context(prec=12, Emax=300)


def exact(number: float) -> Fraction:
    """The decimal that a float was written as, so that 0.29 of 50,000 is 14,500.

    >>> exact(0.29) * 50_000
    Fraction(14500, 1)
    """
    return Fraction(repr(number))


def power(number: Fraction, exponent: Decimal) -> Fraction:
    """A power in decimals, rounded to 12 digits: the same on every machine. Raises `ArithmeticError` beyond 1e300."""
    decimal = _POWER.divide(Decimal(number.numerator), Decimal(number.denominator))
    return Fraction(_RATE.plus(_POWER.power(decimal, exponent)))


@lru_cache(maxsize=1 << 16)
def rate(
    size: int, rate_cap: float | Fraction | None = None, temperature: float | None = None, scale: float = 1
) -> Fraction:
    """min(size * scale, rate_cap)^(1/T), the examples-proportional rate of T5 (Raffel et al. 2020, section 3.5.2).

    The power is taken in decimals and rounded to 12 digits, so that every machine has the same rate; it raises
    `ArithmeticError` beyond 1e300.

    >>> rate(10_000, rate_cap=2_500, temperature=2)
    Fraction(50, 1)
    """
    counted = size * exact(scale)
    if rate_cap is not None:
        counted = min(counted, rate_cap if isinstance(rate_cap, Fraction) else exact(rate_cap))
    if temperature is None or temperature == 1:
        return counted
    return power(counted, _POWER.divide(Decimal(1), Decimal(repr(temperature))))
