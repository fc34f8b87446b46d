"""A one-off script for Polars: one lazy query from mapped Arrow files to zstd Parquet.

As a skilled user would write it, with what was fastest here (../README.md): `scan_ipc` with a row index; the columns
sorted by hash and the texts joined after the sort; pieces of wordings looked up, so that one `concat_str` serves all
ten instead of ten branches of `when`, each of which Polars works out for every row; one file, and no statistics.
"""

import os
import time

from mixture import GROUP_ROWS, NAMES, SEED, TASKS, WORDINGS, ZSTD_LEVEL, Work, epochs, pieces


def run(work: Work) -> dict[str, float]:
    os.environ["POLARS_MAX_THREADS"] = str(work.cores)  # read when the library is loaded
    import polars as pl

    def looked_up(texts: list[str]) -> pl.Expr:
        return pl.lit(pl.Series(texts)).gather(pl.col("wording"))

    work.out.mkdir()
    started = time.perf_counter()
    parts = []
    for source, epoch, size in epochs(work):
        scanned = pl.scan_ipc(work.sources / f"source{source}.feather", row_index_name="fm_row").head(size)
        key = (pl.col("fm_row").cast(pl.UInt64) + pl.lit((source << 48) + (epoch << 40), pl.UInt64)).hash(SEED)
        task = pl.lit(TASKS[source], pl.Enum(TASKS))
        parts.append(scanned.with_columns(key.alias("key"), task.alias("fm_task")))
    mixed = pl.concat(parts).sort("key").with_columns((pl.col("key") % WORDINGS).cast(pl.UInt32).alias("wording"))
    before, between = zip(*pieces(), strict=True)
    passage_first = pl.col("wording") < WORDINGS // 2
    prompt = pl.concat_str(
        looked_up(list(before)),
        pl.when(passage_first).then("passage").otherwise("question"),
        looked_up(list(between)),
        pl.when(passage_first).then("question").otherwise("passage"),
        pl.lit("\n"),
    )
    rendered = mixed.select(
        prompt.alias("prompt"),
        pl.col("answer").alias("completion"),
        "fm_task",
        looked_up(NAMES).alias("fm_template"),
        pl.col("fm_row").cast(pl.Int64),
    )
    rendered.sink_parquet(
        work.out / "all.parquet",
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        row_group_size=GROUP_ROWS,
        statistics=False,
        engine="streaming",
    )
    return {"plan": 0.0, "build": time.perf_counter() - started}
