"""Small builds to export, and folders of shards made by hand: good ones, and what is wrong with bad ones."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import flanmix as fm
from flanmix.errors import Problem
from flanmix.exports import find_trainer
from flanmix.exports.checking import Report, check
from flanmix.layouts import METADATA, schema_of
from tests.toy import NOTES, RARE, SUMS, toy_plan

PLAN = "0123456789abcdef" * 4
TOKENS = pa.schema(
    [("input_ids", pa.list_(pa.int32())), ("attention_mask", pa.list_(pa.int8())), ("labels", pa.list_(pa.int64()))]
)
PACKED = pa.schema([*TOKENS, ("position_ids", pa.list_(pa.int32())), ("seq_lengths", pa.list_(pa.int32()))])
TURNS = [("user", "1 + 1?"), ("assistant", "2")]


def build(out: Path, layout: str = "prompt_completion", **options: Any) -> fm.Built:
    """Sums, notes and rare questions, in shards of 60 planned rows."""
    return toy_plan(SUMS, NOTES, RARE, rows=150).build(out, layout=layout, shard_rows=60, quiet=True, **options)


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """The rows of all Parquet files in a folder, in their order, read with Arrow alone."""
    tables = [pq.ParquetFile(file).read() for file in sorted(folder.glob("*.parquet"))]
    found: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist()
    return found


def token_rows(count: int) -> list[dict[str, Any]]:
    """Rows of tokens: of each the last two are trained."""
    return [
        {"input_ids": [*range(n + 3)], "attention_mask": [1] * (n + 3), "labels": [-100] * (n + 1) + [n + 1, n + 2]}
        for n in range(count)
    ]


def packed_rows(count: int) -> list[dict[str, Any]]:
    """Packs of two pieces of three tokens."""
    ids, labels = [5, 6, 7, 8, 9, 4], [-100, 6, 7, -100, -100, 4]
    row = {"input_ids": ids, "attention_mask": [1] * 6, "labels": labels, "position_ids": [0, 1, 2] * 2}
    return [{**row, "seq_lengths": [3, 3]} for _ in range(count)]


def token_build(out: Path, rows: Sequence[dict[str, Any]], layout: str = "tokens", **facts: Any) -> Path:
    """The folder of a build in tokens, as the contract of the manifest has it: two shards with metadata."""
    (out / "data").mkdir(parents=True)
    own = PACKED if layout == "packed" else TOKENS
    schema = pa.schema([*own, METADATA.field("fm_task"), METADATA.field("fm_row")])
    full = [{**row, "fm_task": ("a", "b")[n % 2], "fm_row": n} for n, row in enumerate(rows)]
    half = len(full) // 2
    shards = []
    for number, part in enumerate([full[:half], full[half:]]):
        name = f"data/train-{number:05d}-of-00002.parquet"
        pq.write_table(pa.Table.from_pylist(part, schema), out / name)
        shards.append({"file": name, "rows": len(part), "bytes": (out / name).stat().st_size})
    manifest = {
        "schema_version": 1,
        "mixture": "tokens",
        "plan": PLAN,
        "build": PLAN,
        "layout": layout,
        "separator": "\n",
        "metadata": True,
        "rows": len(full),
        "shards": shards,
        **facts,
    }
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def turns(*said: tuple[str, str | None], keys: tuple[str, str] = ("role", "content")) -> list[dict[str, str | None]]:
    """Turns, as rows of conversations have them."""
    return [dict(zip(keys, turn, strict=True)) for turn in said]


def shards(folder: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema | None = None, number: int = 2) -> Path:
    """A folder of so many shards with these rows, dealt out in turn; its name has a digest in it."""
    place = folder / "rows-0123456789ab"
    place.mkdir(parents=True, exist_ok=True)
    for shard in range(number):
        table = pa.Table.from_pylist([dict(row) for row in rows[shard::number]], schema)
        pq.write_table(table, place / f"train-{shard:05d}-of-{number:05d}.parquet")
    return place


def pairs(count: int = 4, **more: Any) -> list[dict[str, Any]]:
    """Rows of prompt and completion, all with the same further columns."""
    return [{"prompt": f"{n} + {n}?\n", "completion": str(2 * n), **more} for n in range(count)]


def talks(*rows: Sequence[tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Rows of messages."""
    return [{"messages": turns(*row)} for row in rows]


def of_layout(layout: str, folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Shards in a layout's own schema."""
    return shards(folder, rows, schema_of(layout, metadata=False))


def checked(folder: Path, trainer: str) -> Report:
    """The check of a folder for a trainer."""
    return check(folder, find_trainer(trainer))


def told(problems: Sequence[Problem]) -> str:
    """Problems as people read them."""
    return "\n".join(map(str, problems))
