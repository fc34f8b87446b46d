"""mosaicml-streaming writes an export in MDS and reads the rows of the build from it, in their order."""

import itertools
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainers.builds import TOKENS, built, export_tokens, rows_of

pytestmark = [pytest.mark.trainers]

pytest.importorskip("torch", reason="needs torch")
streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")


def streamed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The dataset that the export's own script makes, run in its folder."""
    monkeypatch.chdir(folder)
    return runpy.run_path("mds_stream.py")["dataset"]


@pytest.mark.parametrize("layout", ["prompt_completion", "messages", "conversational", "inputs_targets"])
def test_every_row_of_a_build_comes_back_with_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    made = built(tmp_path / "mix", layout)
    made.export(tmp_path / "out", trainer="mds")

    data = streamed(tmp_path / "out", monkeypatch)

    assert len(data) == made.rows
    for found, row in zip(data, rows_of(made.folder), strict=True):
        own = {name: value for name, value in row.items() if not name.startswith("fm_")}
        assert found == {**own, "task": row["fm_task"]}


def test_tokens_and_labels_come_back_as_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = streamed(export_tokens(tmp_path / "out", "mds"), monkeypatch)

    for found, row in zip(data, TOKENS, strict=True):
        assert {name: array.tolist() for name, array in found.items()} == row
        assert found["labels"].dtype == np.int64


def test_a_folder_for_each_task_lets_the_reader_choose_proportions(tmp_path: Path) -> None:
    """What a user does who wants shares of his own: MDSWriter over the rows of the build, a folder for each task."""
    names = {"prompt": "prompt", "completion": "completion", "fm_task": "task"}
    rows = rows_of(built(tmp_path / "mix", "prompt_completion").folder)
    samples = sorted(({new: row[old] for old, new in names.items()} for row in rows), key=lambda row: row["task"])
    for task, of_task in itertools.groupby(samples, key=lambda sample: sample["task"]):
        columns = dict.fromkeys(names.values(), "str")
        with streaming.MDSWriter(out=str(tmp_path / "mds" / task), columns=columns, size_limit=2048) as writer:
            for sample in of_task:
                writer.write(sample)

    shares = {"toy/sums": 0.75, "toy/notes": 0.25}
    streams = [streaming.Stream(local=str(tmp_path / "mds" / task), proportion=share) for task, share in shares.items()]
    data = streaming.StreamingDataset(streams=streams, batch_size=1, epoch_size=40, shuffle=True, shuffle_seed=3)

    found = [*data]
    assert len(found) == 40
    assert sum(sample["task"] == "toy/sums" for sample in found) == 30
    assert all(sample in samples for sample in found)
