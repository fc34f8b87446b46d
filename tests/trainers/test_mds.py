"""mosaicml-streaming writes an export in MDS and reads the rows of the build from it, in their order."""

import itertools
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainers.builds import built, rows_of, talks_built, tokens_built

pytestmark = [pytest.mark.trainers]

pytest.importorskip("torch", reason="needs torch")
streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")


def streamed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The dataset that the export's own script makes, run in its folder."""
    monkeypatch.chdir(folder)
    return runpy.run_path("mds_stream.py")["dataset"]


def with_task(row: dict[str, Any]) -> dict[str, Any]:
    """A row as MDS has it."""
    return {**{name: row[name] for name in row if not name.startswith("fm_")}, "task": row["fm_task"]}


@pytest.mark.parametrize("layout", ["prompt_completion", "messages", "conversational", "inputs_targets"])
def test_every_row_of_a_build_comes_back_with_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    made = built(tmp_path / "mix", layout)
    made.export(tmp_path / "out", trainer="mds")

    data = streamed(tmp_path / "out", monkeypatch)

    assert len(data) == made.rows
    assert [*data] == [with_task(row) for row in rows_of(made.folder)]


@pytest.mark.parametrize("layout", ["messages", "conversational"])
def test_system_and_earlier_turns_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    made = talks_built(tmp_path / "mix", layout)
    made.export(tmp_path / "out", trainer="mds")

    assert [*streamed(tmp_path / "out", monkeypatch)] == [with_task(row) for row in rows_of(made.folder)]


@pytest.mark.parametrize("layout", ["tokens", "packed"])
def test_tokens_and_packs_come_back_as_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    made = tokens_built(tmp_path / "mix", layout)
    done = made.export(tmp_path / "out", trainer="mds")

    data = streamed(done.folder, monkeypatch)

    assert len(data) == done.rows
    kinds = {"input_ids": np.int32, "attention_mask": np.int8, "labels": np.int64}
    for found, row in zip(data, rows_of(made.folder), strict=True):
        assert {name: found[name].dtype for name in kinds} == kinds
        values = {name: value if name == "task" else value.tolist() for name, value in found.items()}
        assert values == with_task(row)


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
