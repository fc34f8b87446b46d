"""A one-off script for DuckDB: one SQL statement from memory-mapped Arrow to zstd Parquet.

As a skilled user would write it, with what was fastest here (../README.md): the sources as pyarrow tables over mapped
files, a row number put beside them without a copy; the columns sorted by hash and the texts joined after the sort;
pieces of wordings looked up in lists instead of ten branches of CASE; files of two row groups, which threads write
side by side.
"""

import time

import duckdb
import numpy as np
import pyarrow as pa
from mixture import GROUP_ROWS, SEED, SHARD_ROWS, TASKS, WORDINGS, ZSTD_LEVEL, Work, epochs, pieces


def run(work: Work) -> dict[str, float]:
    started = time.perf_counter()
    pa.set_cpu_count(work.cores)
    connection = duckdb.connect(config={"threads": work.cores})
    parts = []
    for source, epoch, size in epochs(work):
        mapped = pa.memory_map(str(work.sources / f"source{source}.feather"))
        rows = pa.array(np.arange(size))
        table = pa.ipc.open_file(mapped).read_all()[:size].append_column("fm_row", rows)
        name = f"source{source}_{epoch}"
        connection.register(name, table)
        key = f"hash({SEED << 56} + {(source << 48) + (epoch << 40)} + fm_row)"
        parts.append(f"SELECT *, '{TASKS[source]}' AS fm_task, {key} AS key FROM {name}")
    before, between = zip(*pieces(), strict=True)
    half = WORDINGS // 2
    rendered = f"""
        WITH everything AS ({" UNION ALL ".join(parts)}),
        mixed AS (SELECT *, (key % {WORDINGS})::INTEGER AS wording FROM everything ORDER BY key)
        SELECT concat(
            {_list(before)}[wording + 1], if(wording < {half}, passage, question),
            {_list(between)}[wording + 1], if(wording < {half}, question, passage), chr(10)
        ) AS prompt, answer AS completion, fm_task, 'w' || wording AS fm_template, fm_row
        FROM mixed"""
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {ZSTD_LEVEL}, ROW_GROUP_SIZE {GROUP_ROWS}"
    files = f"ROW_GROUPS_PER_FILE {-(-SHARD_ROWS // GROUP_ROWS)}"
    connection.execute(f"COPY ({rendered}) TO '{work.out}' ({options}, {files})")
    return {"plan": 0.0, "build": time.perf_counter() - started}


def _list(texts: tuple[str, ...]) -> str:
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"
