"""The first rows of a task, as its wordings see them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flanmix.bound import BoundTask
from flanmix.errors import SourceError
from flanmix.fields import GUARD, FieldMaker
from flanmix.sources import open_source
from flanmix.spec import FileSource, GeneratorSource, HubSource


@dataclass(frozen=True)
class Sample:
    """The usable rows among the first of a task's source; `whole` says whether these are all it has.

    `serves[k]` says which of the rows the task's template k serves.
    """

    task: str
    table: pa.Table
    whole: bool
    serves: tuple[npt.NDArray[np.bool_], ...]

    def of_template(self, index: int) -> pa.Table:
        """The rows that one of the task's templates serves."""
        return self.table.filter(pa.array(self.serves[index]))


class NotAtHand(Exception):
    """A source that is not looked into; its text says why."""


def sample(bound: BoundTask, most: int, *, split: str | None = None, from_hub: bool = False) -> Sample:
    """Up to `most` rows from the beginning of a task's source.

    Raises `NotAtHand` where the source cannot be read, or is to be loaded from the Hub without `from_hub`; and
    `SourceError` where what the task says does not fit its rows.
    """
    source = bound.task.source
    if isinstance(source, HubSource) and not from_hub:
        raise NotAtHand("a dataset of the Hub, which --rows loads")
    cut = isinstance(source, GeneratorSource) and source.rows > most
    if cut:
        source = source.model_copy(update={"rows": most})
    try:
        rows = open_source(source, split or _split_of(bound), bound.folder)
        batches = iter(rows.batches())
    except SourceError as error:
        raise NotAtHand(str(error)) from error
    maker = FieldMaker(bound, rows.schema, rows.shown)
    made: list[pa.RecordBatch] = []
    seen, whole = 0, not cut
    for batch in batches:
        if seen >= most:
            whole = False
            break
        whole = whole and len(batch) <= most - seen
        made.append(maker.usable(batch.slice(0, most - seen), seen))
        seen += min(len(batch), most - seen)
    table = _joined(bound, made)
    return Sample(bound.task.name, table, whole, _serving(table, maker.guards, len(bound.templates)))


def _split_of(bound: BoundTask) -> str:
    """The split `train`, or the first that the source names."""
    source = bound.task.source
    named: Collection[str] = ()
    if isinstance(source, FileSource):
        named = source.files if isinstance(source.files, dict) else ()
    elif isinstance(source, HubSource):
        named = source.split
    return "train" if "train" in named or not named else next(iter(named))


def _joined(bound: BoundTask, batches: list[pa.RecordBatch]) -> pa.Table:
    tables = [pa.Table.from_batches([batch]) for batch in batches if len(batch)]
    if not tables:
        return pa.table({GUARD: pa.array([], pa.int32())})
    try:
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except pa.ArrowException as error:
        what = f"its rows have other types in other places: {error}"
        raise SourceError(bound.where.at("fields").problem(what, "give each field one type")) from error


def _serving(
    table: pa.Table, guards: Mapping[tuple[int, ...], int], templates: int
) -> tuple[npt.NDArray[np.bool_], ...]:
    numbers = np.asarray(table.column(GUARD)).astype(np.int64)
    return tuple(
        np.isin(numbers, [number for serving, number in guards.items() if index in serving])
        for index in range(templates)
    )
