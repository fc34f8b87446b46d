"""Whole builds beside the same work in a `datasets` pipeline, in one run: rows per second, peak memory, ratios.

    python benchmarks/build.py [--rows 200000 2000000] [--pipeline-rows 200000]

Eight memory-mapped Arrow sources with ten wordings each become zstd Parquet with provenance columns. Every case runs
in a fresh process, so that its peak memory is its own. `datasets` does `map` with the same templates compiled once,
`interleave_datasets` and `to_parquet`; it is given no caps, no exact counts and no resume to do.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCES, WORDINGS = 8, 10
WORDS = ["river", "stone", "window", "paper", "garden", "letter", "morning", "candle", "bridge", "market", "winter"]
WORDS += ["silver", "mountain", "harbour", "forest"]


def passage(row: int, number: int) -> str:
    """36 words that differ from row to row."""
    return " ".join(WORDS[(row * 7 + number + step * (1 + row % 5)) % 15] for step in range(36))


def make_sources(folder: Path, rows: int) -> None:
    """Eight Arrow files of `rows` rows: a passage of about 250 characters, a question, an answer."""
    import pyarrow as pa

    folder.mkdir()
    for number in range(SOURCES):
        schema = pa.schema([("passage", pa.string()), ("question", pa.string()), ("answer", pa.string())])
        with pa.ipc.new_stream(str(folder / f"source{number}.arrow"), schema) as writer:
            for start in range(0, rows, 10_000):
                block = range(start, min(start + 10_000, rows))
                columns = [
                    [passage(row, number) for row in block],
                    [f"What comes after {WORDS[row % 15]} number {row}?" for row in block],
                    [f"{WORDS[(row + 1) % 15]} {row + 1}" for row in block],
                ]
                writer.write_batch(pa.record_batch([pa.array(column) for column in columns], schema=schema))


def templates() -> list[tuple[str, str]]:
    """Ten wordings: input and target."""
    openings = ["Read this.", "Here is a text.", "Passage:", "Consider the following.", "A short text follows."]
    shapes = ["{o}\n\n{{{{ passage }}}}\n\n{{{{ question }}}}", "{{{{ question }}}}\n\n{o}\n{{{{ passage }}}}"]
    return [(shape.format(o=opening), "{{ answer }}") for shape in shapes for opening in openings]


def flanmix_case(sources: Path, out: Path, rows: int, num_proc: int) -> dict[str, float]:
    import flanmix as fm

    wordings = [fm.Template(f"w{n}", input=i, target=t) for n, (i, t) in enumerate(templates())]
    tasks = [
        fm.Task(
            f"bench/s{n}",
            type="reading_comprehension",
            source={"files": str(sources / f"source{n}.arrow")},
            templates=wordings,
        )
        for n in range(SOURCES)
    ]
    started = time.perf_counter()
    registry = fm.load_registry(specs=tasks, bundled=False, plugins=False)
    mixture = fm.Mixture("bench", parts=[fm.Part(f"bench/s{n}", weight=1 + n % 3) for n in range(SOURCES)])
    plan = mixture.plan(registry, rows=rows, seed=1)
    planned = time.perf_counter()
    plan.build(out, num_proc=num_proc, quiet=True, shard_rows=100_000)
    return {"plan": planned - started, "build": time.perf_counter() - planned}


def datasets_case(sources: Path, out: Path, rows: int, num_proc: int) -> dict[str, float]:
    import datasets
    import jinja2

    datasets.disable_progress_bars()
    environment = jinja2.Environment()
    compiled = [(environment.from_string(i), environment.from_string(t)) for i, t in templates()]
    weights = [1 + n % 3 for n in range(SOURCES)]
    started = time.perf_counter()
    parts = []
    for number, weight in enumerate(weights):
        whole = datasets.Dataset.from_file(str(sources / f"source{number}.arrow"))
        count = round(rows * weight / sum(weights))
        part = whole.select([index % len(whole) for index in range(count)])

        def render(row: dict[str, str], index: int, task: str = f"bench/s{number}") -> dict[str, object]:
            wording = (index * 7919) % WORDINGS
            source, target = compiled[wording]
            return {
                "prompt": source.render(row) + "\n",
                "completion": target.render(row),
                "fm_task": task,
                "fm_template": f"w{wording}",
                "fm_row": index,
            }

        workers = num_proc if num_proc > 1 else None
        parts.append(part.map(render, with_indices=True, remove_columns=whole.column_names, num_proc=workers))
    shares = [weight / sum(weights) for weight in weights]
    strategy = "all_exhausted_without_replacement"
    mixed = datasets.interleave_datasets(parts, shares, seed=1, stopping_strategy=strategy)
    mixed.to_parquet(str(out))
    return {"plan": 0.0, "build": time.perf_counter() - started}


CASES = {"flanmix": flanmix_case, "datasets": datasets_case}


def run_case(case: str, sources: Path, rows: int, num_proc: int) -> dict[str, float]:
    """One case in a fresh process with fresh caches."""
    with tempfile.TemporaryDirectory(dir=sources) as scratch:
        environment = {**os.environ, "FLANMIX_CACHE": f"{scratch}/cache", "HF_HOME": f"{scratch}/hf"}
        command = [
            sys.executable,
            __file__,
            "--case",
            case,
            str(sources / str(rows)),
            f"{scratch}/out",
            str(rows),
            str(num_proc),
        ]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return result


def show(case: str, rows: int, num_proc: int, result: dict[str, float]) -> float:
    seconds = result["plan"] + result["build"]
    rate = rows / seconds
    print(
        f"{case:9} {rows:>9,} rows {num_proc} proc: {rate:>9,.0f} rows/s "
        f"(plan {result['plan']:.1f} s, build {result['build']:.1f} s), peak {result['peak'] / 1e6:.0f} MB",
        flush=True,
    )
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=[200_000, 2_000_000])
    parser.add_argument("--pipeline-rows", type=int, default=200_000)
    parser.add_argument("--case", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case, sources, out, rows, num_proc = options.case
        result = CASES[case](Path(sources), Path(out), int(rows), int(num_proc))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({**result, "peak": peak}))
        return
    folder = Path(tempfile.mkdtemp(prefix="flanmix-bench-"))
    try:
        small, large = options.rows
        for rows in {small, large, options.pipeline_rows}:
            make_sources(folder / str(rows), rows // SOURCES)
        pipeline = show("datasets", options.pipeline_rows, 1, run_case("datasets", folder, options.pipeline_rows, 1))
        results = {rows: run_case("flanmix", folder, rows, 1) for rows in (small, large)}
        rates = {rows: show("flanmix", rows, 1, result) for rows, result in results.items()}
        two = show("flanmix", large, 2, run_case("flanmix", folder, large, 2))
        print(f"flanmix at {small:,} rows is {rates[small] / pipeline:.1f} x datasets at {options.pipeline_rows:,}")
        print(f"flanmix at {large:,} rows is {rates[large] / pipeline:.1f} x datasets at {options.pipeline_rows:,}")
        peaks = results[large]["peak"] / results[small]["peak"]
        print(f"peak memory at {large:,} rows is {peaks:.2f} x that at {small:,}")
        print(f"two processes are {two / rates[large]:.2f} x one")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
