"""flanmix: the plan and what it prepares from an empty cache, then the build."""

import time

from mixture import NAMES, SEED, SHARD_ROWS, TASKS, WEIGHTS, Work, templates

from flanmix import Mixture, Part, Task, Template, load_registry


def run(work: Work) -> dict[str, float]:
    wordings = [Template(name, input=i, target=t) for name, (i, t) in zip(NAMES, templates(), strict=True)]
    tasks = [
        Task(
            name,
            type="reading_comprehension",
            source={"files": str(work.sources / f"source{number}.arrow")},
            templates=wordings,
        )
        for number, name in enumerate(TASKS)
    ]
    started = time.perf_counter()
    registry = load_registry(specs=tasks, bundled=False, plugins=False)
    parts = [Part(name, weight=weight) for name, weight in zip(TASKS, WEIGHTS, strict=True)]
    plan = Mixture("bench", parts=parts).plan(registry, rows=work.rows, seed=SEED)
    planned = time.perf_counter()
    plan.build(work.out, num_proc=work.num_proc, quiet=True, shard_rows=SHARD_ROWS)
    return {"plan": planned - started, "build": time.perf_counter() - planned}
