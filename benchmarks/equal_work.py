"""Whether a case did the work that was asked: checked after it, outside of its clock."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from mixture import NAMES, SOURCES, TASKS, WORDINGS, counts, pieces
from processes import Case

_SAMPLE = 500


def text_bytes(case: Case, folder: Path, out: Path) -> float:
    """The bytes of text in a row on average; raises `SystemExit` with all that is not as asked.

    Asked are the rows of each source to within one, each wording in a tenth of them to within chance, the codec of
    every column, and the very text of 500 rows of each of some files, worked out here from the sources.
    """
    files = sorted(out.rglob("*.parquet"))
    wrong = [] if files else ["no Parquet files"]
    per_task: Counter[str] = Counter()
    per_template: Counter[str] = Counter()
    size = 0
    for file in files:
        opened = pq.ParquetFile(file)
        wrong += _codecs(opened, case.codec)
        for batch in opened.iter_batches(
            batch_size=1 << 16, columns=["prompt", "completion", "fm_task", "fm_template"]
        ):
            size += sum(pc.sum(pc.binary_length(batch.column(name))).as_py() for name in ("prompt", "completion"))
            for column, tally in (("fm_task", per_task), ("fm_template", per_template)):
                for pair in batch.column(column).value_counts().to_pylist():
                    tally[pair["values"]] += pair["counts"]
    for task, count in zip(TASKS, counts(case.rows), strict=True):
        if abs(per_task[task] - count) > 1:
            wrong.append(f"{per_task[task]:,} rows of {task}, asked for {count:,}")
    for name in NAMES:
        even = case.rows / WORDINGS
        if abs(per_template[name] - even) > 6 * even**0.5:
            wrong.append(f"{per_template[name]:,} rows of the wording {name}, asked for about {even:,.0f}")
    for file in files[:: max(1, len(files) // 8)]:
        wrong += _texts(file, folder / case.sources)
    if sum(per_task.values()) != case.rows:
        wrong.append(f"{sum(per_task.values()):,} rows, asked for {case.rows:,}")
    if wrong:
        raise SystemExit("\n".join([f"{case.label} did other work than was asked:", *wrong[:20]]))
    return size / case.rows


def _codecs(opened: pq.ParquetFile, asked: str) -> list[str]:
    first = opened.metadata.row_group(0)
    columns = [first.column(number) for number in range(first.num_columns)]
    found = [(column.path_in_schema, column.compression) for column in columns if column.compression != asked]
    return [f"{name} is compressed with {codec}, not {asked}" for name, codec in found]


def _texts(file: Path, sources: Path) -> list[str]:
    """Rows of a file that are not what their source and wording make."""
    wanted = ["prompt", "completion", "fm_task", "fm_template", "fm_row"]
    batches = pq.ParquetFile(file).iter_batches(batch_size=_SAMPLE, columns=wanted)
    rows = [row for batch in islice(batches, 1) for row in batch.to_pylist()]
    mapped = [pa.memory_map(str(sources / f"source{number}.arrow")) for number in range(SOURCES)]
    tables = dict(zip(TASKS, (pa.ipc.open_stream(one).read_all() for one in mapped), strict=True))
    wrong = []
    for row in rows:
        (source,) = tables[row["fm_task"]].slice(row["fm_row"], 1).to_pylist()
        wording = NAMES.index(row["fm_template"])
        before, between = pieces()[wording]
        columns = ["passage", "question"] if wording < WORDINGS // 2 else ["question", "passage"]
        prompt = f"{before}{source[columns[0]]}{between}{source[columns[1]]}\n"
        if (row["prompt"], row["completion"]) != (prompt, source["answer"]):
            wrong.append(f"{file.name}: row {row['fm_row']} of {row['fm_task']} is {row['prompt']!r}, not {prompt!r}")
    return wrong
