"""litData streams an export: every row of the build, whole, in every layout, in batches of torch."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.builds import SHARD_ROWS, built, rows_of, talks_built, tokens_built, without_metadata

pytestmark = [pytest.mark.trainers]

pytest.importorskip("torch", reason="needs torch")
litdata = pytest.importorskip("litdata", reason="needs litdata")
pytest.importorskip("polars", reason="litdata's reader of Parquet needs polars")


def streamed(folder: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Any:
    """The dataset that the export's own script makes, run in its folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DATA_OPTIMIZER_CACHE_FOLDER", str(cache))
    return runpy.run_path("litdata_stream.py")["dataset"]


def without_shots(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Its loader stops at lists of several lengths, so `fm_shots` is left out."""
    return [{name: row[name] for name in row if name != "fm_shots"} for row in rows]


@pytest.mark.parametrize(
    "layout", ["prompt_completion", "conversational", "messages", "sharegpt", "alpaca", "inputs_targets"]
)
@pytest.mark.parametrize("strict", [False, True])
def test_every_row_of_a_build_comes_out_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, strict: bool
) -> None:
    made = built(tmp_path / "mix", layout)
    made.export(tmp_path / "out", trainer="litdata", strict=strict)
    written = without_shots(rows_of(made.folder))

    found = list(streamed(tmp_path / "out", monkeypatch, tmp_path / "cache"))

    assert len(found) == made.rows > 2 * SHARD_ROWS
    assert found == (without_metadata(written) if strict else written)


@pytest.mark.parametrize("layout", ["conversational", "messages", "sharegpt", "alpaca"])
def test_system_and_earlier_turns_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    made = talks_built(tmp_path / "mix", layout)
    made.export(tmp_path / "out", trainer="litdata")

    assert list(streamed(tmp_path / "out", monkeypatch, tmp_path / "cache")) == without_shots(rows_of(made.folder))


def test_the_index_that_litdata_writes_into_a_folder_is_not_in_the_build(tmp_path: Path) -> None:
    made = built(tmp_path / "mix", "messages")
    made.export(tmp_path / "out", trainer="litdata")

    (index,) = (tmp_path / "out").rglob("index.json")

    chunks = json.loads(index.read_text())["chunks"]
    assert [chunk["chunk_size"] for chunk in chunks] == [shard["rows"] for shard in made.manifest["shards"]]
    assert not [*made.folder.rglob("index.json")]
    made.verify()


def test_a_shuffled_loader_gives_each_row_once(tmp_path: Path) -> None:
    made = built(tmp_path / "mix", "prompt_completion")
    made.export(tmp_path / "out", trainer="litdata")
    (index,) = (tmp_path / "out").rglob("index.json")
    loader = litdata.streaming.item_loader.ParquetLoader()
    data = litdata.StreamingDataset(
        str(index.parent), item_loader=loader, shuffle=True, cache_dir=str(tmp_path / "cache")
    )

    batches = list(litdata.StreamingDataLoader(data, batch_size=16, num_workers=0))

    found = [pair for batch in batches for pair in zip(batch["fm_task"], batch["fm_row"].tolist(), strict=True)]
    written = [(row["fm_task"], row["fm_row"]) for row in rows_of(made.folder)]
    assert len(batches) == -(-len(written) // 16)
    assert sorted(found) == sorted(written)
    assert found != written


@pytest.mark.parametrize("layout", ["tokens", "packed"])
@pytest.mark.parametrize("strict", [False, True])
def test_tokens_and_packs_come_out_with_their_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, strict: bool
) -> None:
    made = tokens_built(tmp_path / "mix", layout)
    done = made.export(tmp_path / "out", trainer="litdata", strict=strict)
    written = without_shots(rows_of(made.folder))

    found = list(streamed(done.folder, monkeypatch, tmp_path / "cache"))

    assert len(found) == done.rows
    assert found == (without_metadata(written) if strict else written)
