"""Packing in seconds, the fill rate of the packs, and packed columns beside what pyarrow takes to copy the same rows.

    taskset -c 0 python benchmarks/packing.py [--rounds 5] [--sequences 1000000]

Each time is the best of some rounds. "Of least" is the number of packs as a multiple of what any packing needs: as many
as the tokens fill and, where nothing is split, one for each sequence longer than half a pack. Where TRL is installed
(extra `trainers`), its own packing takes turns with ours on the same rows.
"""

import argparse
from collections.abc import Callable
from typing import get_args

import numpy as np
import pyarrow as pa
from turns import best

from flanmix.keyed import Ints
from flanmix.packing import Packs, Strategy, apply, drop_untrained, pack

try:
    from trl.data_utils import _pack_bfd as trl_pack
except ImportError:
    trl_pack = None

CAPACITIES = (2048, 4096, 131_072)
ROWS = 100_000


def draw(name: str, sequences: int, capacity: int) -> Ints:
    """Lengths of 1 … capacity tokens."""
    numbers = np.random.default_rng(1)
    if name == "uniform":
        return numbers.integers(1, capacity + 1, sequences)
    if name == "log-normal":  # instruction data: half of the rows below 245 tokens, a twentieth above 1,270
        lengths = numbers.lognormal(5.5, 1, sequences)
    elif name == "bimodal":  # short answers, and documents of two fifths of a pack
        short = numbers.random(sequences) < 0.7
        lengths = capacity * np.where(
            short, numbers.normal(0.05, 0.02, sequences), numbers.normal(0.4, 0.05, sequences)
        )
    else:  # two of the long ones never fit, and the short ones do not suffice to fill up
        short = numbers.random(sequences) < 0.7
        lengths = capacity * np.where(
            short, numbers.normal(0.08, 0.02, sequences), numbers.normal(0.65, 0.05, sequences)
        )
    return lengths.clip(1, capacity).astype(np.int64)


def fewest(lengths: Ints, capacity: int) -> int:
    """No packing has fewer packs."""
    return max(-(-int(lengths.sum()) // capacity), int((2 * lengths > capacity).sum()))


def show_packs(name: str, lengths: Ints, capacity: int, strategy: Strategy, rounds: int) -> None:
    found: list[Packs] = []
    (seconds,) = best([lambda: found.append(pack(lengths, capacity, strategy))], rounds)
    report = found[-1].report()
    least = fewest(lengths, capacity) if strategy == "best_fit" else -(-int(lengths.sum()) // capacity)
    print(
        f"{name:16} {capacity:>9,} {strategy:15} {seconds:9.3f} {report.packs:11,} {report.fill_rate:8.2%} "
        f"{report.packs / least:9.4f} {report.split:9,}",
        flush=True,
    )


def show_strategies(sequences: int, rounds: int) -> None:
    print(
        f"{f'{sequences:,} lengths':16} {'capacity':>9} {'strategy':15} {'seconds':>9} {'packs':>11} {'fill':>8} "
        f"{'of least':>9} {'split':>9}"
    )
    for name in ("uniform", "log-normal", "bimodal", "mostly too long"):
        for capacity in CAPACITIES:
            show_packs(name, draw(name, sequences, capacity), capacity, "best_fit", rounds)
    half_too_long = 2 * draw("uniform", sequences, 4096)
    for strategy in get_args(Strategy)[1:]:
        show_packs("uniform to 8,192", half_too_long, 4096, strategy, rounds)


def show_shards() -> None:
    """What the smaller shards of a build lose by packing each alone."""
    print(f"\n{'one shard, log-normal':24} {'fill at 2,048':>14} {'at 4,096':>10} {'at 131,072':>11}")
    for sequences in (100, 1_000, 10_000, 100_000):
        fills = [pack(draw("log-normal", sequences, capacity), capacity).report().fill_rate for capacity in CAPACITIES]
        print(f"{f'{sequences:,} sequences':24} {fills[0]:14.2%} {fills[1]:10.2%} {fills[2]:11.2%}", flush=True)


def show_columns(rounds: int) -> None:
    lengths = draw("log-normal", ROWS, 4096)
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    total = int(lengths.sum())
    ids = pa.ListArray.from_arrays(offsets, pa.array(np.arange(total, dtype=np.int32)))
    labels = pa.ListArray.from_arrays(offsets, pa.array(np.arange(total, dtype=np.int64)))
    packs = drop_untrained(pack(lengths, 4096), labels)
    order, table = pa.array(packs.sequence), pa.table({"input_ids": ids, "labels": labels})
    work: dict[str, Callable[[], object]] = {
        "pack": lambda: pack(lengths, 4096),
        "apply: all columns, checked": lambda: apply(packs, ids, labels),
        "pyarrow: two columns taken": lambda: (ids.take(order), labels.take(order)),
    }
    if trl_pack is not None:
        work["TRL: two columns packed"] = lambda: trl_pack(table, 4096)
    print(f"\n{f'{ROWS:,} rows of {total / 1e6:.1f}M tokens, at 4,096':44} {'seconds':>9} {'M tokens/s':>11}")
    for name, seconds in zip(work, best(list(work.values()), rounds), strict=True):
        print(f"{name:44} {seconds:9.3f} {total / seconds / 1e6:11.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sequences", type=int, default=1_000_000)
    options = parser.parse_args()
    show_strategies(options.sequences, options.rounds)
    show_shards()
    show_columns(options.rounds)


if __name__ == "__main__":
    main()
