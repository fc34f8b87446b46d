"""mosaicml-streaming writes a build into MDS shards, one folder for a task, and reads the same rows from them."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainers.builds import built, rows_of, tokenizer_of

pytestmark = [pytest.mark.trainers]

pytest.importorskip("torch", reason="needs torch")
streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming", exc_type=ImportError)

TEXT = {"prompt": "str", "completion": "str", "task": "str", "row": "int64"}
TOKENS = {"input_ids": "ndarray:int64", "labels": "ndarray:int64", "task": "str"}


def write(out: Path, columns: dict[str, str], samples: list[dict[str, Any]]) -> None:
    """Shards of about 2 kB through the library's own writer, so that there are several."""
    with streaming.MDSWriter(out=str(out), columns=columns, hashes=["xxh64"], size_limit=2048) as writer:
        for sample in samples:
            writer.write(sample)


def samples_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a `prompt_completion` build under the names of `TEXT`."""
    names = {"prompt": "prompt", "completion": "completion", "fm_task": "task", "fm_row": "row"}
    return [{new: row[old] for old, new in names.items()} for row in rows]


def test_texts_come_back_in_their_order(tmp_path: Path) -> None:
    samples = samples_of(rows_of(built(tmp_path / "mix", "prompt_completion").folder))
    write(tmp_path / "mds", TEXT, samples)
    assert len([*(tmp_path / "mds").glob("*.mds")]) > 1

    data = streaming.StreamingDataset(local=str(tmp_path / "mds"), batch_size=1, shuffle=False)

    assert len(data) == len(samples)
    assert [*data] == samples


def test_a_folder_for_each_task_lets_the_reader_choose_proportions(tmp_path: Path) -> None:
    samples = samples_of(rows_of(built(tmp_path / "mix", "prompt_completion").folder))
    samples.sort(key=lambda sample: sample["task"])
    for task, of_task in itertools.groupby(samples, key=lambda sample: sample["task"]):
        write(tmp_path / "mds" / task, TEXT, [*of_task])

    streams = [
        streaming.Stream(local=str(tmp_path / "mds" / task), proportion=proportion)
        for task, proportion in [("toy/sums", 0.75), ("toy/notes", 0.25)]
    ]
    data = streaming.StreamingDataset(streams=streams, batch_size=1, epoch_size=40, shuffle=True, shuffle_seed=3)

    found = [*data]
    assert len(found) == 40
    assert sum(sample["task"] == "toy/sums" for sample in found) == 30
    assert all(sample in samples for sample in found)


def test_tokens_and_labels_come_back_as_arrays(tmp_path: Path) -> None:
    rows = rows_of(built(tmp_path / "mix", "prompt_completion").folder)
    tokenizer = tokenizer_of(row["prompt"] + row["completion"] for row in rows)
    samples = []
    for row in rows:
        ids = np.array(tokenizer.encode(row["prompt"] + row["completion"]).ids)
        trained = np.arange(len(ids)) >= len(ids) // 2
        samples.append({"input_ids": ids, "labels": np.where(trained, ids, -100), "task": row["fm_task"]})
    write(tmp_path / "mds", TOKENS, samples)

    data = streaming.StreamingDataset(local=str(tmp_path / "mds"), batch_size=1, shuffle=False)

    for sample, written in zip(data, samples, strict=True):
        assert sample["task"] == written["task"]
        for name in ("input_ids", "labels"):
            assert sample[name].dtype == np.int64
            np.testing.assert_array_equal(sample[name], written[name])
