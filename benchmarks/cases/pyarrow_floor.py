"""pyarrow alone: `take` the rows and write the output table that flanmix writes. Nothing is decided or rendered.

Prepared, outside the clock, from a build by flanmix: its whole output, unpacked and sorted by (task, row), as one
uncompressed Arrow file in one piece, which is what `take` reads fastest; and the row number in it of each row of the
output. The clock covers: mapping that file, `take` of each row group's rows in their final order, and writing them with
the same schema, provenance, codec, level, encodings, checksums, statistics, row groups and files.

This is the strict reading of "take the same rows and write the same output table": one gather of as many bytes as are
written, from warm pages in the order of the sources, and one write; the result is the same table, byte for byte.
`run_sources` is the wide reading: `take` of the same rows' three columns from the eight mapped sources (each made one
piece first, since `take` is much slower on pieces of 10,000 rows), then the write of the finished output, which lies
mapped in its final order.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mixture import SOURCES, TASKS, ZSTD_LEVEL, Work

WORDS = ["fm_task", "fm_type", "fm_source", "fm_split", "fm_template", "fm_style", "fm_epoch", "fm_stage"]
"""The columns of provenance: those whose values Parquet keeps once."""


def run(work: Work) -> dict[str, float]:
    started = time.perf_counter()
    by_source, order = _mapped(work.prepared / "by_source.arrow"), np.load(work.prepared / "order.npy")
    for begin, end, writer in _row_groups(work, by_source.schema):
        writer.write_table(by_source.take(pa.array(order[begin:end])), end - begin)
    return {"plan": 0.0, "build": time.perf_counter() - started}


def run_sources(work: Work) -> dict[str, float]:
    finished = _mapped(work.prepared / "finished.arrow")
    tasks, rows = (np.load(work.prepared / f"{name}.npy") for name in ("tasks", "rows"))
    groups = [(begin, end) for sizes in _sizes(work) for begin, end in sizes]
    wanted = iter([[rows[b:e][tasks[b:e] == number] for number in range(SOURCES)] for b, e in groups])
    started = time.perf_counter()
    streams = [pa.ipc.open_stream(pa.memory_map(str(work.sources / f"source{n}.arrow"))) for n in range(SOURCES)]
    sources = [stream.read_all().combine_chunks() for stream in streams]
    for begin, end, writer in _row_groups(work, finished.schema):
        for source, some in zip(sources, next(wanted), strict=True):
            source.take(pa.array(some))
        writer.write_table(finished.slice(begin, end - begin), end - begin)
    return {"plan": 0.0, "build": time.perf_counter() - started}


def prepare(work: Work) -> dict[str, float]:
    """Build with flanmix into `out`, and keep the result as the floor needs it."""
    from cases import flanmix_build

    flanmix_build.run(work)
    work.prepared.mkdir()
    files = [pq.ParquetFile(file) for file in sorted((work.out / "data").glob("*.parquet"))]
    sizes = [[file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] for file in files]
    np.save(work.prepared / "sizes.npy", np.array([(n, size) for n, groups in enumerate(sizes) for size in groups]))
    table = pa.concat_tables([file.read() for file in files]).unify_dictionaries().combine_chunks()
    names = table["fm_task"].chunk(0)
    tasks = np.array([TASKS.index(name) for name in names.dictionary.to_pylist()])[names.indices.to_numpy()]
    rows = table["fm_row"].to_numpy()
    to_source = np.lexsort((rows, tasks))
    order = np.empty_like(to_source)
    order[to_source] = np.arange(len(order))
    for name, array in (("tasks", tasks), ("rows", rows), ("order", order)):
        np.save(work.prepared / f"{name}.npy", array)
    for name, kept in (("finished", table), ("by_source", table.take(pa.array(to_source)).combine_chunks())):
        with pa.ipc.new_file(str(work.prepared / f"{name}.arrow"), table.schema) as writer:
            writer.write_table(kept)
    return {"plan": 0.0, "build": 0.0}


def _mapped(file: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(file))).read_all()


def _sizes(work: Work) -> Iterator[list[tuple[int, int]]]:
    """The beginnings and ends of the row groups of each file, as in the build by flanmix."""
    files, sizes = np.load(work.prepared / "sizes.npy").T
    ends = np.cumsum(sizes)
    for file in range(int(files[-1]) + 1):
        yield [(int(end - size), int(end)) for end, size in zip(ends[files == file], sizes[files == file], strict=True)]


def _row_groups(work: Work, schema: pa.Schema) -> Iterator[tuple[int, int, Any]]:
    work.out.mkdir()
    for number, groups in enumerate(_sizes(work)):
        with pq.ParquetWriter(
            str(work.out / f"{number:05d}.parquet"),
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=WORDS,
            write_page_checksum=True,
            write_statistics=[*WORDS, "fm_row"],
        ) as writer:
            for begin, end in groups:
                yield begin, end, writer
