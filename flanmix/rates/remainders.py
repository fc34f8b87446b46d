"""Largest remainders: exact numbers to integers that add up."""

from collections.abc import Sequence
from fractions import Fraction


def largest_remainder(rows: Sequence[Fraction], names: Sequence[str], total: int) -> list[int]:
    """Integers that add up to `total`, each the floor or the ceiling of its exact number (Hamilton's method).

    The rows left over after rounding down go to the largest remainders; equal remainders go by name.

    No rule that gives each task the floor or the ceiling of its exact number by remainders alone also grows with
    the total everywhere (the Alabama paradox): 6:6:2 gives 4, 4, 2 of 10 and 5, 5, 1 of 11. What holds is this:
    exact numbers never fall when the total grows, so an integer never falls by more than one row, and it never
    falls where the exact number has grown by one row or more.

    >>> largest_remainder([Fraction(10, 3)] * 3, ["b", "a", "c"], 10)
    [3, 4, 3]
    """
    counts = [number.numerator // number.denominator for number in rows]
    remainders = [number - count for number, count in zip(rows, counts, strict=True)]
    by_remainder = sorted(range(len(rows)), key=lambda index: (-remainders[index], names[index], index))
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts
