"""Pieces of work timed in turns, so that a change of the machine's pace meets all of them."""

import time
from collections.abc import Callable, Sequence


def best(work: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The least seconds of each piece of work, taken in turns."""
    least = [float("inf")] * len(work)
    for _ in range(rounds):
        for number, each in enumerate(work):
            started = time.perf_counter()
            each()
            least[number] = min(least[number], time.perf_counter() - started)
    return least
