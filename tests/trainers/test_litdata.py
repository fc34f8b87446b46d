"""litData streams a copy of the shard folder: every row of the build, whole, in every layout, in batches of torch."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.trainers.builds import SHARD_ROWS, built, rows_of, write_shard

pytestmark = [pytest.mark.trainers]

torch = pytest.importorskip("torch", reason="needs torch")
litdata = pytest.importorskip("litdata", reason="needs litdata")
pytest.importorskip("polars", reason="litdata's reader of Parquet needs polars")
from litdata.streaming.item_loader import ParquetLoader  # noqa: E402


def streamed(folder: Path, cache: Path, **options: Any) -> Any:
    """What a user writes to stream a folder of shards: an index, then the dataset."""
    litdata.index_parquet_dataset(str(folder))
    return litdata.StreamingDataset(str(folder), item_loader=ParquetLoader(), cache_dir=str(cache), **options)


@pytest.mark.parametrize("layout", ["prompt_completion", "messages", "sharegpt", "alpaca", "inputs_targets"])
@pytest.mark.parametrize("metadata", [True, False])
def test_every_row_of_a_build_comes_out_as_it_was_written(tmp_path: Path, layout: str, metadata: bool) -> None:
    made = built(tmp_path / "mix", layout, metadata=metadata)
    copy = Path(shutil.copytree(made.folder / "data", tmp_path / "copy"))

    found = list(streamed(copy, tmp_path / "cache"))

    def key(row: dict[str, Any]) -> str:
        return json.dumps(row, sort_keys=True)

    assert len(found) == made.rows > 2 * SHARD_ROWS
    assert sorted(found, key=key) == sorted(rows_of(made.folder), key=key)


def test_the_index_is_written_into_the_folder_so_it_is_a_copy_that_is_handed_over(tmp_path: Path) -> None:
    made = built(tmp_path / "mix", "messages")
    copy = Path(shutil.copytree(made.folder / "data", tmp_path / "copy"))

    litdata.index_parquet_dataset(str(copy))

    index = json.loads((copy / "index.json").read_text())
    shards = {f"data/{chunk['filename']}": chunk["chunk_size"] for chunk in index["chunks"]}
    assert shards == {shard["file"]: shard["rows"] for shard in made.manifest["shards"]}
    made.verify()


def test_a_shuffled_loader_gives_each_row_once(tmp_path: Path) -> None:
    folder = built(tmp_path / "mix", "prompt_completion").folder
    copy = Path(shutil.copytree(folder / "data", tmp_path / "copy"))
    data = streamed(copy, tmp_path / "cache", shuffle=True)

    batches = list(litdata.StreamingDataLoader(data, batch_size=16, num_workers=0))

    found = [pair for batch in batches for pair in zip(batch["fm_task"], batch["fm_row"].tolist(), strict=True)]
    written = [(row["fm_task"], row["fm_row"]) for row in rows_of(folder)]
    assert len(batches) == -(-len(written) // 16)
    assert sorted(found) == sorted(written)
    assert found != written


def test_rows_of_tokens_come_out_with_their_labels(tmp_path: Path) -> None:
    kinds = {"input_ids": pa.int32(), "attention_mask": pa.int8(), "labels": pa.int64()}
    schema = pa.schema([(name, pa.list_(pa.field("element", kind))) for name, kind in kinds.items()])
    rows = [
        {"input_ids": [*range(n + 2)], "attention_mask": [1] * (n + 2), "labels": [-100] * n + [7, 8]}
        for n in range(30)
    ]
    for shard in range(2):
        write_shard(tmp_path / "data" / f"train-{shard:05}-of-00002.parquet", rows[shard::2], schema)

    found = list(streamed(tmp_path / "data", tmp_path / "cache"))

    assert sorted(found, key=lambda row: len(row["labels"])) == rows
