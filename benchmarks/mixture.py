"""The work that every contestant does: eight sources, ten wordings, and how the results are written."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

SOURCES, WORDINGS, SEED = 8, 10, 1
SHARD_ROWS, GROUP_ROWS, ZSTD_LEVEL = 100_000, 1 << 16, 1
"""Rows of a Parquet file; rows of a row group at most, as flanmix chooses here; pyarrow's own level of zstd."""

TASKS = [f"bench/s{number}" for number in range(SOURCES)]
NAMES = [f"w{number}" for number in range(WORDINGS)]
WEIGHTS = [1 + number % 3 for number in range(SOURCES)]
OPENINGS = ["Read this.", "Here is a text.", "Passage:", "Consider the following.", "A short text follows."]


@dataclass(frozen=True)
class Work:
    """What a case is asked for: rows of a mixture of the sources in a folder, written to another.

    `cores` are those the process is pinned to, 0 for no pinning; `prepared` holds what was made for the floor.
    """

    sources: Path
    source_rows: int
    out: Path
    rows: int
    cores: int
    num_proc: int
    prepared: Path


def counts(rows: int) -> list[int]:
    """How many rows of the mixture each source gives."""
    ends = [total * rows // sum(WEIGHTS) for total in accumulate(WEIGHTS, initial=0)]
    return [end - start for start, end in pairwise(ends)]


def epochs(work: Work) -> list[tuple[int, int, int]]:
    """(source, epoch, rows of this epoch): all rows of a source, as often as it takes, then its first rows."""
    found = []
    for source, count in enumerate(counts(work.rows)):
        whole, rest = divmod(count, work.source_rows)
        sizes = [work.source_rows] * whole + ([rest] if rest else [])
        found += [(source, epoch, size) for epoch, size in enumerate(sizes)]
    return found


def templates() -> list[tuple[str, str]]:
    """Ten wordings: input and target."""
    shapes = ["{o}\n\n{{{{ passage }}}}\n\n{{{{ question }}}}", "{{{{ question }}}}\n\n{o}\n{{{{ passage }}}}"]
    return [(shape.format(o=opening), "{{ answer }}") for shape in shapes for opening in OPENINGS]


def pieces() -> list[tuple[str, str]]:
    r"""The ten wordings for string concatenation: what stands before the first column, and between the two.

    The first five begin with the passage, the others with the question. A line break ends each, as flanmix ends
    prompts.
    """
    return [(f"{opening}\n\n", "\n\n") for opening in OPENINGS] + [("", f"\n\n{opening}\n") for opening in OPENINGS]
