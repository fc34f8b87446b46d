"""A random source that is a pure function of (seed, name, row) and stays the same on every Python."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

Row = dict[str, str | int | list[str]]
Generator = Callable[..., Row]

T = TypeVar("T")

_SIZE = 1 << 64
_MASK = _SIZE - 1


class Draw:
    """The random choices of one row: blake2b keys the stream, splitmix64 continues it.

    >>> draw = Draw(1, "dates/weekday", 0)
    >>> again = Draw(1, "dates/weekday", 0)
    >>> [draw.integer(1, 6) for _ in range(4)] == [again.integer(1, 6) for _ in range(4)]
    True
    """

    __slots__ = ("_state", "row")

    def __init__(self, seed: int, name: str, row: int) -> None:
        key = blake2b(f"{seed:d}\0{name}\0{row:d}".encode(), digest_size=32).digest()
        self._state = int.from_bytes(key[:8], "little")
        self.row = row

    def bits(self) -> int:
        """The next 64 random bits as an integer from 0 to 2**64 - 1."""
        self._state = mixed = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included, every one equally likely."""
        span = high - low + 1
        if not 0 < span <= _SIZE:
            raise ValueError(f"there is no range of 1 to 2**64 integers from {low} to {high}")
        limit = _SIZE - _SIZE % span
        value = self.bits()
        while value >= limit:
            value = self.bits()
        return low + value % span

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, which must not be empty."""
        return options[self.integer(0, len(options) - 1)]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Count different positions of the options, in random order (a sparse Fisher-Yates shuffle)."""
        size = len(options)
        if not 0 <= count <= size:
            raise ValueError(f"cannot draw {count} of {size} without replacement")
        moved: dict[int, int] = {}
        chosen = []
        for place in range(count):
            target = self.integer(place, size - 1)
            chosen.append(options[moved.get(target, target)])
            moved[target] = moved.get(place, place)
        return chosen

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All the options in random order."""
        return self.sample(options, len(options))

    def chance(self, numerator: int, denominator: int) -> bool:
        """True with the probability numerator / denominator."""
        if not 0 <= numerator <= denominator:
            raise ValueError(f"{numerator} in {denominator} is not a probability")
        return self.integer(1, denominator) <= numerator
