"""Permutations in indices a second, and slices of orders in seconds and bytes, on one core.

    taskset -c 0 python benchmarks/ordering.py [--rounds 5]

Each number is the best of some rounds. Beside each permutation stands how many times as fast it is as numpy's own
`Generator.permutation` of 10^6 indices, which needs the whole array, measured in turns with it in the same run.
"""

import argparse
import tracemalloc
from collections.abc import Callable
from typing import get_args

import numpy as np
from turns import best

from flanmix.keyed import key64, permute
from flanmix.order import Kind, Order

SIZES = sorted(
    {10**power for power in range(3, 13)}
    | {257, 1 << 10, 1 << 12, 1 << 20, 1 << 40}
    | {(1 << power) + 1 for power in (8, 10, 11, 12, 13, 16, 17, 20, 21, 24, 30, 31, 32, 36, 39)}
)
INDICES = 1_000_000
EIGHT = (1_000_000, 500_000, 200_000, 100_000, 100_000, 50_000, 40_000, 10_000)


def show_permutation(size: int, rounds: int) -> float:
    """Print the speeds of one size; returns the lower one."""
    draw = np.random.default_rng(size)
    in_order, anywhere = np.arange(INDICES) % size, draw.integers(0, size, INDICES)
    first, second, whole = best(
        [
            lambda: permute(in_order, size, key=size),
            lambda: permute(anywhere, size, key=size),
            lambda: draw.permutation(INDICES),
        ],
        rounds,
    )
    speeds = [INDICES / seconds / 1e6 for seconds in (first, second)]
    print(f"{size:22,} {speeds[0]:9.0f} {speeds[1]:9.0f} {whole / max(first, second):8.1f} x", flush=True)
    return min(speeds)


def show_permutations(rounds: int) -> None:
    print(f"{'permute, size':>22} {'in order':>9} {'anywhere':>9} {'of numpy':>10}")
    slowest = min(show_permutation(size, rounds) for size in SIZES)
    few = best([lambda: permute(np.arange(50), 10_007, key=1)], 20 * rounds)[0]
    print(f"million indices a second; the slowest {slowest:.0f}; 50 indices of 10,007 take {few * 1e6:.0f} µs")


def peak(work: Callable[[], object]) -> float:
    """The most megabytes that are held at once while it works."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def show_slice(name: str, counts: tuple[int, ...], kind: Kind, span: range, rounds: int) -> None:
    """Print what it takes to go over positions in steps, with an order just made and with one that was used before."""
    keys = tuple(key64(task) for task in range(len(counts)))

    def walk(order: Order) -> None:
        for low in span:
            order.slice(low, min(low + span.step, span.stop))

    known = Order(counts, keys, kind)
    first, again = best([lambda: walk(Order(counts, keys, kind)), lambda: walk(known)], rounds)
    memory = peak(lambda: walk(Order(counts, keys, kind)))
    rate = len(range(span.start, span.stop)) / again / 1e6
    print(f"{name:28} {kind:10} {first * 1e3:9.1f} {again * 1e3:9.1f} {rate:9.1f} {memory:8.1f}", flush=True)


def show_slices(rounds: int) -> None:
    counts = [250_000 + 250 * (task * 7_919 % 2_000) for task in range(1_999)]
    many, start = (*counts, 10**9 - sum(counts)), 123_456_789
    print(f"\n{'slices':28} {'order':10} {'first, ms':>9} {'again, ms':>9} {'M rows/s':>9} {'peak MB':>8}")
    for name, rows, span in [
        ("100k of 10^9, 2,000 tasks", many, range(start, start + 100_000, 100_000)),
        ("one row of the same", many, range(start, start + 1)),
        ("2M of 8 tasks, at once", EIGHT, range(0, 2_000_000, 2_000_000)),
        ("2M of 8 tasks, by 65,536", EIGHT, range(0, 2_000_000, 65_536)),
        ("2M of 8 tasks, by 20,000", EIGHT, range(0, 2_000_000, 20_000)),
    ]:
        for kind in get_args(Kind):
            show_slice(name, rows, kind, span, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    show_permutations(options.rounds)
    show_slices(options.rounds)


if __name__ == "__main__":
    main()
