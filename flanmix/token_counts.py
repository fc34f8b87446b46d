"""The tokens that there are: of a built folder's shards, and of the rows of a plan."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flanmix.errors import BuildError, Problem
from flanmix.examples import Examples
from flanmix.mapped import RowFile
from flanmix.order import Ints
from flanmix.plan import Plan
from flanmix.shards import DATA
from flanmix.token_budget import TaskLength
from flanmix.tokenizing import Counting, TokenCounts, Tokenizer

_ROWS = 1 << 12
"""Rows that are read, or rendered, at a time."""
_DROPPED = -1


@dataclass(frozen=True)
class Count:
    """Rows, their tokens (`extra` included) and their loss tokens.

    >>> Count(2, 30, 10) + Count(1, 5, 2)
    Count(rows=3, tokens=35, loss=12)
    """

    rows: int = 0
    tokens: int = 0
    loss: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.rows + other.rows, self.tokens + other.tokens, self.loss + other.loss)


def off_by(planned: float, built: int) -> float:
    """By which part of what was planned the built tokens are off.

    >>> off_by(200_000, 199_000)
    -0.005
    """
    return (built - planned) / planned


def count_tokens(
    built: str | Path | Iterable[Path], tokenizer: Tokenizer, counting: Counting | None = None
) -> dict[str, Count]:
    """The tokens of each task in a built folder, or in shards (Parquet or Arrow) of any layout with texts.

    Of `counting` only `extra` is used: separators are in the prompts already, and turns, or the two texts of a layout
    that has something else between them, are encoded one by one. A
    task's name is "" where the shards say nothing of tasks. Raises `BuildError` for what is no such shard.
    """
    extra = (counting or Counting()).extra
    found: defaultdict[str, Count] = defaultdict(Count)
    for file in _shards(built):
        try:
            for batch in _batches(file):
                for task, count in _of_batch(batch, tokenizer, extra, file):
                    found[task] += count
        except (OSError, pa.ArrowException) as error:
            hint = "run 'flanmix verify', and build the folder again"
            raise BuildError(Problem(f"cannot be read: {error}", file=str(file), hint=hint)) from error
    return dict(sorted(found.items()))


def counted(manifest: Mapping[str, Any]) -> dict[str, Count]:
    """The tokens of each task in a build of tokens, which its manifest has.

    >>> counted({"tasks": [{"task": "a", "written": 2, "tokens": 30, "loss_tokens": 10}]})
    {'a': Count(rows=2, tokens=30, loss=10)}
    """
    return {task["task"]: Count(task["written"], task["tokens"], task["loss_tokens"]) for task in manifest["tasks"]}


def token_facts(
    counts: Mapping[str, Count], tokenizer: Tokenizer, budget: int, planned: float | None
) -> dict[str, Any]:
    """What the manifest of a build with a budget in tokens says: planned and built tokens, by which part it is off."""
    total = sum(counts.values(), Count())
    return {
        "tokenizer": tokenizer.name,
        "tokenizer_sha256": tokenizer.digest,
        "budget": budget,
        "planned": None if planned is None else round(planned),
        "built": total.tokens,
        "loss": total.loss,
        "off_by": round(off_by(budget, total.tokens), 6),
        "tasks": {task: {"tokens": count.tokens, "loss": count.loss} for task, count in sorted(counts.items())},
    }


def _shards(built: str | Path | Iterable[Path]) -> list[Path]:
    if not isinstance(built, str | Path):
        return list(built)
    folder = Path(built) / DATA
    files = [file for file in sorted(folder.glob("*")) if file.suffix in (".parquet", ".arrow")]
    if not files:
        hint = "name a folder that 'flanmix build' has finished"
        raise BuildError(Problem("holds no shards", file=str(folder), hint=hint))
    return files


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    wanted = {*_TURNS, *chain(*_APART), *_BEFORE, "prompt", "completion", "text", "fm_task"}
    if file.suffix == ".parquet":
        with pq.ParquetFile(file) as shard:
            columns = [name for name in shard.schema_arrow.names if name in wanted]
            yield from shard.iter_batches(_ROWS, columns=columns)
        return
    with pa.memory_map(str(file)) as source:
        reader = pa.ipc.open_file(source)
        for index in range(reader.num_record_batches):
            whole = reader.get_batch(index)
            yield from (whole.slice(start, _ROWS) for start in range(0, len(whole), _ROWS))


_TURNS = {"messages": "role", "conversations": "from"}
"""Columns of turns, and the key that says who speaks."""
_APART = (("inputs", "targets"), ("instruction", "output"))
"""Columns of two texts with something of a template between them."""
_BEFORE = ("system", "history")
"""What may stand before those: a text, and the texts of earlier turns in lists of pairs."""


def _of_batch(batch: pa.RecordBatch, tokenizer: Tokenizer, extra: int, file: Path) -> Iterator[tuple[str, Count]]:
    names = set(batch.schema.names)
    counts = _counts(batch, names, tokenizer, extra)
    if counts is None:
        hint = "name shards with prompts and completions, messages, or another layout of texts"
        raise BuildError(Problem("has no column of texts that is known", file=str(file), hint=hint))
    if "fm_task" not in names:
        yield "", _total(counts)
        return
    coded = batch.column("fm_task").dictionary_encode()
    codes = np.asarray(coded.indices)
    for code in np.unique(codes).tolist():
        mine = codes == code
        yield coded.dictionary[code].as_py(), _total(TokenCounts(counts.tokens[mine], counts.loss[mine]))


def _total(counts: TokenCounts) -> Count:
    return Count(len(counts.tokens), int(counts.tokens.sum()), int(counts.loss.sum()))


def _counts(batch: pa.RecordBatch, names: set[str], tokenizer: Tokenizer, extra: int) -> TokenCounts | None:
    for column, role in _TURNS.items():
        if column in names:
            return _of_turns(batch.column(column), role, tokenizer, extra)
    for pair in _APART:
        if names.issuperset(pair):
            tokens, loss = (tokenizer.lengths(batch.column(name).cast(pa.large_string())) for name in pair)
            before = sum(_of_lists(batch.column(name), tokenizer) for name in _BEFORE if name in names)
            return TokenCounts(before + tokens + loss + extra, loss)
    if not names.issuperset(("prompt", "completion")):
        return _of_whole(batch.column("text"), tokenizer, extra) if "text" in names else None
    sides = [batch.column(name) for name in ("prompt", "completion")]
    if pa.types.is_list(sides[0].type):
        put, got = (_of_turns(side, "role", tokenizer, 0) for side in sides)
        return TokenCounts(put.tokens + got.tokens + extra, got.loss)
    return tokenizer.count(*(side.cast(pa.large_string()) for side in sides), extra=extra)


def _of_whole(texts: pa.Array, tokenizer: Tokenizer, extra: int) -> TokenCounts:
    """Prompt and answer are no longer apart, and trainers put the loss on both."""
    tokens = tokenizer.lengths(texts.cast(pa.large_string()))
    return TokenCounts(tokens + extra, tokens)


def _of_lists(values: pa.Array, tokenizer: Tokenizer) -> Ints:
    """The tokens of texts, or of all texts in lists, each encoded alone."""
    if not pa.types.is_list(values.type):
        return tokenizer.lengths(values.cast(pa.large_string()))
    tokens = np.zeros(len(values), np.int64)
    np.add.at(tokens, np.asarray(pc.list_parent_indices(values)), _of_lists(values.flatten(), tokenizer))
    return tokens


def _of_turns(conversations: pa.ListArray, role: str, tokenizer: Tokenizer, extra: int) -> TokenCounts:
    """Each turn is encoded alone; what the assistant says are the loss tokens."""
    turns, owners = pc.list_flatten(conversations), np.asarray(pc.list_parent_indices(conversations))
    said = next(field.name for field in conversations.type.value_type if field.name != role)
    lengths = tokenizer.lengths(pc.struct_field(turns, said).cast(pa.large_string()))
    mine = np.asarray(pc.is_in(pc.struct_field(turns, role), pa.array(["assistant", "gpt"])))
    tokens, loss = np.full(len(conversations), extra, np.int64), np.zeros(len(conversations), np.int64)
    np.add.at(tokens, owners, lengths)
    np.add.at(loss, owners[mine], lengths[mine])
    return TokenCounts(tokens, loss)


class PlannedTokens:
    """Counts the very rows that a plan draws, as a build renders them; for plans that a sample cannot tell exactly.

    A task's first n draws are the same however many are planned, so each draw is counted once, whichever plans are
    asked about: 16 bytes of memory for each.
    """

    def __init__(self, files: Sequence[RowFile], tokenizer: Tokenizer, counting: Counting | None = None) -> None:
        self._files, self._tokenizer, self._counting = tuple(files), tokenizer, counting or Counting()
        self._known: dict[str, _Draws] = {}

    def of(self, plan: Plan) -> tuple[Count, ...]:
        """The rows that a build of the plan would keep, and their tokens, task by task."""
        return tuple(self._of_task(plan, index) for index in range(len(plan.tasks)))

    def lengths(self, plan: Plan, measured: Sequence[TaskLength]) -> tuple[TaskLength, ...]:
        """The means of the planned rows themselves: solved again with them, a plan comes nearer to its budget.

        Tasks of which no rows are planned, or all of them are dropped, keep what was `measured`.
        """
        return tuple(
            replace(before, tokens=count.tokens / task.rows, loss=count.loss / task.rows, error=0.0)
            if count.tokens
            else before
            for task, before, count in zip(plan.tasks, measured, self.of(plan), strict=True)
        )

    def _of_task(self, plan: Plan, index: int) -> Count:
        task = plan.tasks[index]
        if not task.rows:
            return Count()
        simple = len(plan.stylings[index].strata) == 1 and plan.copies(task) == 1
        offered = task.usable if simple and task.rows <= task.offered else task.offered
        key = replace(plan, tasks=(replace(task, rows=0, offered=offered),)).digest
        known = self._known.get(key, _Draws.none())
        if len(known.tokens) < task.rows:
            known = self._known[key] = self._more(replace(plan, tasks=(task,)), self._files[index], known)
        tokens = known.tokens[: task.rows]
        kept = tokens != _DROPPED
        return Count(int(kept.sum()), int(tokens[kept].sum()), int(known.loss[: task.rows].sum()))

    def _more(self, plan: Plan, file: RowFile, known: "_Draws") -> "_Draws":
        """Count the draws of a plan with one task that are not known yet: they stand in their order."""
        examples = Examples(plan, (file,), ahead=4 * _ROWS)
        pieces = [known]
        for start in range(len(known.tokens), plan.rows, _ROWS):
            stop = min(start + _ROWS, plan.rows)
            table = examples.slice(start, stop, plan.rows).table.combine_chunks()
            counts = self._tokenizer.count_examples(table, self._counting)
            piece = _Draws(np.full(stop - start, _DROPPED), np.zeros(stop - start, np.int64))
            places = np.asarray(table.column("position")) - start
            piece.tokens[places], piece.loss[places] = counts.tokens, counts.loss
            pieces.append(piece)
        examples.release()
        return _Draws(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("tokens", "loss")))


@dataclass(frozen=True)
class _Draws:
    """The tokens of a task's first draws; `_DROPPED` for those that a build drops."""

    tokens: Ints
    loss: Ints

    @classmethod
    def none(cls) -> "_Draws":
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))
