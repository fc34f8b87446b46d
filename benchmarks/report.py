"""What the cases took, as lines of text: a line a run, a table of bests and medians, the ratios."""

from collections.abc import Mapping, Sequence
from statistics import median

from processes import Result

Found = Mapping[str, Sequence[Result]]

_DISTURBED = 0.1
"""Cores that others may keep busy before a run is marked."""


def row(result: Result) -> str:
    """One run; marked with `*` where others used the machine meanwhile."""
    mark = "*" if result.others > _DISTURBED else " "
    return (
        f"  {result.case.label:<42} {result.case.rows / result.seconds:>9,.0f} rows/s (plan {result.plan:.2f} s, "
        f"build {result.build:.2f} s, CPU {result.cpu:.2f} s), peak {result.peak / 1e6:,.0f} MB, "
        f"wrote {result.written / 1e6:,.0f} MB, others {result.others:.2f} cores{mark}"
    )


def table(found: Found) -> list[str]:
    """The best run and the median of each case: rows a second, and CPU seconds for a million rows."""
    width = max(map(len, found))
    heads = ("rows", "best", "median", "plan", "CPU/M rows", "peak MB", "calm runs")
    lines = ["", f"{'rows a second':<{width}}" + "".join(f" {head:>11}" for head in heads)]
    for label, results in found.items():
        rows, calm = results[0].case.rows, calm_runs(results)
        runs = calm or results
        best = min(runs, key=lambda result: result.seconds)
        cells = (
            f"{rows:,}",
            f"{rows / best.seconds:,.0f}",
            f"{rows / median(result.seconds for result in runs):,.0f}",
            f"{best.plan:.2f} s" if best.plan else "",
            f"{min(result.cpu for result in runs) / rows * 1e6:.2f} s",
            f"{max(result.peak for result in results) / 1e6:,.0f}",
            f"{len(calm)} of {len(results)}",
        )
        lines.append(f"{label:<{width}}" + "".join(f" {cell:>11}" for cell in cells))
    return [*lines, ""]


def calm_runs(results: Sequence[Result]) -> Sequence[Result]:
    """The runs that had the machine to themselves."""
    return [result for result in results if result.others <= _DISTURBED]


def speeds(found: Found) -> list[str]:
    """The ratios that are asked for, of the cases that were run: what, one, other, the wish."""
    times = [
        ("time of flanmix / pyarrow's take and write", "flanmix", "pyarrow", "at most 1.5 asked"),
        ("the same, pyarrow taking from the sources", "flanmix", "pyarrow, sources", ""),
        ("the same, both on one core", "flanmix, 1 core", "pyarrow, 1 core", ""),
    ]
    rates = [
        ("speed of flanmix / datasets", "flanmix", "datasets", "at least 20 asked"),
        ("speed of flanmix, 2 procs / 1", "flanmix, 2 procs", "flanmix", "at least 1.7 asked"),
        ("speed of flanmix, 2 procs / 1 on 1 core", "flanmix, 2 procs", "flanmix, 1 core", ""),
    ]
    for tool in ("DuckDB", "Polars"):
        said = f"speed of flanmix / {tool}"
        rates.append((f"{said}, 1 core", "flanmix, 1 core", f"{tool}, 1 core", "at least 1 asked"))
        rates.append((f"{said}, 2 cores", "flanmix, 2 procs", f"{tool}, 2 cores", "at least 1 asked"))
        rates.append((f"{said}, 2 cores, 1 proc", "flanmix", f"{tool}, 2 cores", ""))
    asked = [*times, *((said, other, one, wish) for said, one, other, wish in rates)]
    return [
        f"{said:<48} {_ratios(found[one], found[other])}{wish and f'  ({wish})'}"
        for said, one, other, wish in asked
        if one in found and other in found
    ]


def _ratios(one: Sequence[Result], other: Sequence[Result]) -> str:
    """The time a row takes in one case over that in another, of calm runs if both have some, or else marked `*`."""
    both = [calm_runs(one), calm_runs(other)]
    mark = "" if all(both) else " *"
    runs, beside = both if all(both) else (one, other)
    best = min(result.per_row for result in runs) / min(result.per_row for result in beside)
    middle = median(result.per_row for result in runs) / median(result.per_row for result in beside)
    cpu = min(result.cpu_per_row for result in runs) / min(result.cpu_per_row for result in beside)
    return f"{best:6.2f} of bests, {middle:6.2f} of medians, {cpu:6.2f} of CPU{mark}"
