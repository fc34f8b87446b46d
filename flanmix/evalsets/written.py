"""One set as files: prompts and ranking rows, row group by row group, and what was counted on the way."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flanmix.evalsets.columns import ranking_of
from flanmix.evalsets.rendering import EvalSet
from flanmix.layouts import REPETITIVE
from flanmix.shards import DATA, file_facts

APART = "\n\n"


@dataclass
class Counted:
    """What is known of the prompts of a set once they are written, by template.

    `ranked` and `generated` are prompts with and without choices. Of those without, `longest` is the most bytes of a
    target, and `parted` are the templates of which a target has an empty line.
    """

    dropped: Counter[str] = field(default_factory=Counter)
    ranked: Counter[str] = field(default_factory=Counter)
    generated: Counter[str] = field(default_factory=Counter)
    choices: Counter[str] = field(default_factory=Counter)
    longest: dict[str, int] = field(default_factory=dict)
    parted: set[str] = field(default_factory=set)

    @property
    def prompts(self) -> int:
        """How many prompts there are."""
        return self.ranked.total() + self.generated.total()

    def add(self, table: pa.Table) -> None:
        """Count some prompts."""
        templates = table.column("fm_template").combine_chunks()
        names, codes = templates.dictionary.to_pylist(), np.asarray(templates.indices)
        index, lengths = (np.asarray(column) for column in (table.column("answer_index"), _lengths(table)))
        bytes_ = np.asarray(pc.binary_length(table.column("target")))
        parted = np.asarray(pc.match_substring(table.column("target"), APART))
        for code in np.unique(codes).tolist():
            own, name = codes == code, names[code]
            free = own & (index < 0)
            self.ranked[name] += int((own & (index >= 0)).sum())
            self.generated[name] += int(free.sum())
            self.choices[name] += int(lengths[own].sum())
            if free.any():
                self.longest[name] = max(self.longest.get(name, 0), int(bytes_[free].max()))
                self.parted |= {name} if parted[free].any() else set()


@dataclass(frozen=True)
class WrittenSet:
    """A set that is on disk: what was counted, and the facts of its files by form (none where it has no rows)."""

    of: EvalSet
    counted: Counted
    shards: dict[str, dict[str, Any]]

    def config(self, form: str) -> str:
        """What the set is called in cards."""
        return self.of.task.config(self.of.shots, form)

    def facts(self, form: str) -> dict[str, Any]:
        """What the manifest says of the set: planned = written + dropped by reason."""
        task, counted, ranking = self.of.task, self.counted, form == "ranking"
        templates = +(counted.choices if ranking else counted.ranked + counted.generated)
        dropped = {} if ranking else {reason: count for reason, count in sorted(counted.dropped.items()) if count}
        return {
            "task": task.name,
            "type": task.bound.task.type,
            "set": self.config(form),
            "form": form,
            "split": task.split,
            "shots": self.of.shots,
            **({"exemplars": task.exemplars} if self.of.shots else {}),
            "planned": templates.total() if ranking else self.of.planned,
            "written": templates.total(),
            "dropped": dropped,
            **({"groups": counted.ranked.total()} if ranking else {"ranked": counted.ranked.total()}),
            "templates": dict(sorted(templates.items())),
            "left_out": dict(sorted(task.left_out.items())),
            "source": {
                "rows": self.of.pool.prepared.source_rows,
                "usable": len(self.of.pool),
                "asked": len(self.of.rows),
                "dropped": dict(self.of.pool.prepared.dropped),
                "prepared": self.of.pool.prepared.digest,
            },
        }


def write_set(of: EvalSet, folder: Path, progress: Callable[[int], object]) -> WrittenSet:
    """Write a set's prompts and ranking rows, as the options ask, below `folder`; raises as rendering does."""
    options, counted = of.options, Counted()
    forms = {"generation": options.prompts, "ranking": options.ranking}
    files = {form: folder / DATA / f"{of.task.config(of.shots, form)}-00000-of-00001.parquet" for form in forms}
    rows: Counter[str] = Counter()
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}

        def write(form: str, table: pa.Table) -> None:
            if forms[form] and len(table):
                if form not in writers:
                    writers[form] = stack.enter_context(_writer(files[form], table.schema))
                writers[form].write_table(table)
                rows[form] += len(table)

        for piece in of.pieces():
            counted.dropped.update(piece.dropped)
            write("generation", piece.table)
            for part in ranking_of(piece.table, options.separator, counted.prompts) if options.ranking else ():
                write("ranking", part)
            counted.add(piece.table)
            progress(len(piece.table) + sum(piece.dropped.values()))
    facts = {form: _facts(of, folder, files[form], rows[form]) for form in rows}
    return WrittenSet(of, counted, facts)


def _writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    repetitive = list(REPETITIVE)
    return pq.ParquetWriter(
        str(file),
        schema,
        compression="zstd",
        use_dictionary=repetitive,
        write_page_checksum=True,
        write_statistics=True,
    )


def _facts(of: EvalSet, folder: Path, file: Path, rows: int) -> dict[str, Any]:
    return {"file": str(file.relative_to(folder)), "rows": rows, **file_facts(file)}


def _lengths(table: pa.Table) -> pa.ChunkedArray:
    return pc.list_value_length(table.column("answer_choices"))
