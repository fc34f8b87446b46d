"""`datasets`: `map` with the same templates compiled once, `interleave_datasets`, `to_parquet`.

It is given no caps, no exact counts and no resume to do. It writes Snappy, which costs less than zstd, and lets nobody
change it.
"""

import time

import datasets
import jinja2
from mixture import NAMES, SEED, TASKS, WEIGHTS, WORDINGS, Work, counts, templates


def run(work: Work) -> dict[str, float]:
    datasets.disable_progress_bars()
    environment = jinja2.Environment()
    compiled = [(environment.from_string(i), environment.from_string(t)) for i, t in templates()]
    work.out.mkdir()
    started = time.perf_counter()
    parts = []
    for number, count in enumerate(counts(work.rows)):
        whole = datasets.Dataset.from_file(str(work.sources / f"source{number}.arrow"))
        part = whole.select([index % len(whole) for index in range(count)])

        def render(row: dict[str, str], index: int, task: str = TASKS[number]) -> dict[str, object]:
            wording = (index * 7919) % WORDINGS
            source, target = compiled[wording]
            return {
                "prompt": source.render(row) + "\n",
                "completion": target.render(row),
                "fm_task": task,
                "fm_template": NAMES[wording],
                "fm_row": index % work.source_rows,
            }

        parts.append(part.map(render, with_indices=True, remove_columns=whole.column_names))
    shares = [weight / sum(WEIGHTS) for weight in WEIGHTS]
    strategy = "all_exhausted_without_replacement"
    mixed = datasets.interleave_datasets(parts, shares, seed=SEED, stopping_strategy=strategy)
    mixed.to_parquet(str(work.out / "all.parquet"))
    return {"plan": 0.0, "build": time.perf_counter() - started}
