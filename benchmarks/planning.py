"""Planning a large mixture from known sizes, and slices of its shards: seconds and peak memory in fresh processes.

    taskset -c 0 python benchmarks/planning.py [--tasks 2000] [--rows 1000000000] [--runs 3]

No row is read or rendered. Seconds are those of the work alone; "bound" is how many tasks a limit holds. "start" is the
memory that the imports and the mixture take, "peak" the most that the process held until the plan was made. A slice is
that of one shard of 100,000 rows in the middle: tasks and draws, then the epoch and the row of each draw. Each number
is the best of some processes.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from flanmix.plan import Plan
from flanmix.planner import plan_mixture
from flanmix.registry import Registry, load_registry
from flanmix.spec import Bounds, Limits, Mixture, Part, Task, Template

TYPES = (
    "nli",
    "code",
    "logic",
    "dates",
    "grammar",
    "lexical",
    "sentiment",
    "paraphrase",
    "summarization",
    "arithmetic",
)
SHARD = 100_000


def sizes_of(tasks: int, rows: int) -> dict[str, int]:
    """Sizes between a half and one and a half of the mean, which give the rows together."""
    mean = rows // tasks
    return {f"task-{number:05d}": mean // 2 + mean * (number * 7_919 % tasks) // tasks for number in range(tasks)}


def plain(sizes: dict[str, int], rows: int) -> tuple[Mixture, Registry]:
    """All tasks in one part, by size."""
    return Mixture("plain", sizes=sizes, rows=rows), load_registry(bundled=False, plugins=False)


def epochs(sizes: dict[str, int], rows: int) -> tuple[Mixture, Registry]:
    """The same with a temperature, and `max_epochs` that hold about half of the tasks."""
    mixture, registry = plain(sizes, rows)
    return mixture.model_copy(update={"defaults": Limits(max_epochs=1.1, temperature=4)}), registry


def parts(sizes: dict[str, int], rows: int) -> tuple[Mixture, Registry]:
    """Each task by name in a part of its own."""
    mixture, registry = plain(sizes, rows)
    named = tuple(Part(name, weight=1 + number % 7) for number, name in enumerate(sizes))
    return mixture.model_copy(update={"parts": named}), registry


def bounded(sizes: dict[str, int], rows: int) -> tuple[Mixture, Registry]:
    """All tasks under bounds of 10 types and 20 overlapping tags, of which about half bind, and `max_epochs`."""
    ask, row = Template("ask", input="{{ q }}", target="{{ a }}"), [{"q": "?", "a": "!"}]
    specs = [
        Task(
            name,
            type=TYPES[number % 10],
            tags=[f"tag{number % 7}", f"tag{7 + number % 13}"],
            source=row,
            templates=[ask],
        )
        for number, name in enumerate(sizes)
    ]
    types = {name: Bounds(max_share=0.08) if place < 3 else Bounds(min_share=0.11) for place, name in enumerate(TYPES)}
    tags = {f"tag{number}": Bounds(min_share=0.13, max_share=0.16) for number in range(7)}
    tags |= {f"tag{number}": Bounds(max_share=0.0775) for number in range(7, 20)}
    mixture = Mixture("bounded", sizes=sizes, rows=rows, types=types, tags=tags, defaults=Limits(max_epochs=4))
    return mixture, load_registry(specs=specs, bundled=False, plugins=False)


Recipe = Callable[[dict[str, int], int], tuple[Mixture, Registry]]
RECIPES: dict[str, Recipe] = {
    "plain": plain,
    "epochs": epochs,
    "parts": parts,
    "bounded": bounded,
}


def slice_of(plan: Plan, start: int, stop: int) -> int:
    """Where every row of these positions comes from; gives how many there are."""
    tasks, draws = plan.order.slice(start, stop)
    by_task = np.argsort(tasks, kind="stable")
    cuts = np.flatnonzero(np.diff(tasks[by_task])) + 1
    return sum(len(plan.indices(int(tasks[some[0]]), draws[some])[1]) for some in np.split(by_task, cuts))


def held() -> float:
    """The most megabytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def run(name: str, tasks: int, rows: int) -> dict[str, Any]:
    """Plan one mixture and take one slice, here and now."""
    mixture, registry = RECIPES[name](sizes_of(tasks, rows), rows)
    found: dict[str, Any] = {"start": held()}
    started = time.perf_counter()
    plan = plan_mixture(mixture, registry).plan
    found |= {"plan": time.perf_counter() - started, "peak": held()}
    assert plan.rows == rows
    found["bound"] = sum(bool(task.bound) for task in plan.tasks)
    started = time.perf_counter()
    assert slice_of(plan, rows // 2, rows // 2 + SHARD) == SHARD
    return found | {"slice": time.perf_counter() - started, "peak_slice": held()}


def best(name: str, tasks: int, rows: int, runs: int) -> dict[str, Any]:
    """The least of each number over some fresh processes."""
    command = [sys.executable, __file__, "--one", name, "--tasks", str(tasks), "--rows", str(rows)]
    outputs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(runs)]
    found = [json.loads(output) for output in outputs]
    return {key: min(each[key] for each in found) for key in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=10**9)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", choices=RECIPES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(options.one, options.tasks, options.rows)))
        return
    print(f"{options.tasks:,} tasks, {options.rows:,} rows")
    print(f"{'mixture':10} {'plan, s':>8} {'bound':>6} {'slice, s':>9} {'start':>8} {'peak':>8} {'with slice':>11}")
    for name in RECIPES:
        found = best(name, options.tasks, options.rows, options.runs)
        memory = f"{found['start']:5.0f} MB {found['peak']:5.0f} MB {found['peak_slice']:8.0f} MB"
        print(f"{name:10} {found['plan']:8.2f} {found['bound']:6,} {found['slice']:9.3f} {memory}", flush=True)


if __name__ == "__main__":
    main()
