"""Whole builds beside other ways to the same rows, in one run: rows per second, peak memory, ratios.

    python benchmarks/build.py [--rounds 3] [--rows 2000000] [--text varied|repeated]
    python benchmarks/build.py --memory

Eight memory-mapped Arrow sources, as many rows together as are built, with ten wordings each, become zstd Parquet of
one level with provenance columns. The contestants are in cases/, each with what it does and why; README.md says how
they are measured. `datasets` is measured on fewer rows, and its time per row is compared. `--memory` instead builds 2
and 20 million rows of the same sources, and 20 of sources as large.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

from equal_work import text_bytes
from mixture import SOURCES, ZSTD_LEVEL
from processes import Case, Result, run_case
from report import row, speeds, table

FLANMIX, FLOOR, PIPELINE = "flanmix_build:run", "pyarrow_floor:run", "datasets_pipeline:run"
_HERE = Path(__file__).parent


def speed_cases(rows: int, pipeline_rows: int) -> list[Case]:
    """What one round runs, in this order."""
    each = rows // SOURCES
    return [
        Case("flanmix", FLANMIX, rows, source_rows=each),
        Case("pyarrow", FLOOR, rows, source_rows=each),
        Case("pyarrow, sources", "pyarrow_floor:run_sources", rows, source_rows=each),
        Case(
            "datasets", PIPELINE, pipeline_rows, sources="small", source_rows=pipeline_rows // SOURCES, codec="SNAPPY"
        ),
        Case("flanmix, 1 core", FLANMIX, rows, cores=1, source_rows=each),
        Case("DuckDB, 1 core", "duckdb_script:run", rows, cores=1, source_rows=each),
        Case("Polars, 1 core", "polars_script:run", rows, cores=1, source_rows=each),
        Case("pyarrow, 1 core", FLOOR, rows, cores=1, source_rows=each),
        Case("flanmix, 2 procs", FLANMIX, rows, cores=2, num_proc=2, source_rows=each),
        Case("DuckDB, 2 cores", "duckdb_script:run", rows, cores=2, source_rows=each),
        Case("Polars, 2 cores", "polars_script:run", rows, cores=2, source_rows=each),
    ]


def memory_cases(rows: int) -> list[Case]:
    few, many = rows // SOURCES, 10 * rows // SOURCES
    builds = [(rows, "sources", few), (10 * rows, "sources", few), (10 * rows, "large", many)]
    return [
        Case(f"flanmix, {procs} proc, {size:,} rows of {sources}", FLANMIX, size, 0, procs, sources, source_rows)
        for procs in (1, 2)
        for size, sources, source_rows in builds
    ]


def make(folder: Path, cases: list[Case], text: str) -> None:
    """The sources, and what the floor needs, by processes that end: this one stays small."""
    for sources, rows in sorted({(case.sources, case.source_rows) for case in cases}):
        kinds = ("arrow", "feather") if sources == "sources" else ("arrow",)
        command = [sys.executable, str(_HERE / "sources.py"), str(folder / sources), str(rows), text, *kinds]
        subprocess.run(command, check=True)
    floors = [case for case in cases if case.run == FLOOR]
    if floors:
        asked = Case("the floor's table", "pyarrow_floor:prepare", floors[0].rows, source_rows=floors[0].source_rows)
        run_case(asked, folder, folder / "out", patience=0)


def measure(cases: list[Case], folder: Path, rounds: int, patience: float) -> dict[str, list[Result]]:
    """Every case once a round, checked after each."""
    found: dict[str, list[Result]] = defaultdict(list)
    sizes: dict[str, float] = {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for case in cases:
            result = run_case(case, folder, folder / "out", patience)
            sizes[case.label] = text_bytes(case, folder, folder / "out")
            found[case.label].append(result)
            print(row(result), flush=True)
    if max(sizes.values()) > 1.02 * min(sizes.values()):
        raise SystemExit(f"the cases wrote texts of different sizes, bytes a row: {sizes}")
    files = {results[0].written for label, results in found.items() if label in ("flanmix", "pyarrow")}
    if max(files, default=0) > 1.01 * min(files, default=0):
        raise SystemExit(f"pyarrow is to write the files that flanmix writes, but they are not as large: {files} bytes")
    least, most = min(sizes.values()), max(sizes.values())
    print(f"every case wrote the rows asked for, {least:.1f} to {most:.1f} bytes of text a row")
    return found


def memory(found: dict[str, list[Result]], rows: int) -> list[str]:
    """Peaks at ten times the rows beside those at `rows`."""
    lines = []
    for procs in (1, 2):
        base = f"flanmix, {procs} proc, {rows:,} rows of sources"
        for sources, said in (("sources", "the same sources"), ("large", "sources ten times as large")):
            label = f"flanmix, {procs} proc, {10 * rows:,} rows of {sources}"
            if label in found and base in found:
                peaks = [min(result.peak for result in found[key]) for key in (label, base)]
                said = f"peak memory at {10 * rows:,} rows of {said}, {procs} proc, beside {rows:,}"
                lines.append(f"{said}: {peaks[0] / peaks[1]:.2f} (at most 1.2 asked)")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="at most 5,000,000: the floor's texts in one piece")
    parser.add_argument("--pipeline-rows", type=int, default=200_000, help="rows that `datasets` is given")
    parser.add_argument("--rounds", type=int, help="3, or 1 with --memory")
    parser.add_argument("--text", choices=["varied", "repeated"], default="varied", help="see sources.py")
    parser.add_argument("--memory", action="store_true", help="peak memory at --rows and ten times as many")
    parser.add_argument("--only", help="only cases with this in their name, such as 'DuckDB'")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for the machine to rest, each case")
    parser.add_argument("--folder", type=Path, help="where to make a folder for the data (some 4 GB; 30 with --memory)")
    options = parser.parse_args()
    if options.rows > 5_000_000:
        parser.error("--rows: at most 5,000,000")
    cases = memory_cases(options.rows) if options.memory else speed_cases(options.rows, options.pipeline_rows)
    cases = [case for case in cases if (options.only or "") in case.label]
    folder = Path(tempfile.mkdtemp(prefix="flanmix-bench-", dir=options.folder))
    tools = ", ".join(f"{tool} {version(tool)}" for tool in ("pyarrow", "datasets", "duckdb", "polars"))
    print(f"{os.cpu_count()} cores; texts {options.text}; zstd level {ZSTD_LEVEL}; {tools}", flush=True)
    try:
        make(folder, cases, options.text)
        found = measure(cases, folder, options.rounds or (1 if options.memory else 3), options.patience)
    finally:
        shutil.rmtree(folder)
    print("\n".join([*table(found), *(memory(found, options.rows) if options.memory else speeds(found))]))


if __name__ == "__main__":
    main()
