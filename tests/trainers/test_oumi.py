"""oumi's own `build_dataset_mixture` reads exports by their config: the columns as they were built, which TRL takes."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.trainers.builds import built, rows_of, talks_built, tokens_built, without_metadata

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("oumi", reason="needs oumi")
from oumi.builders.data import build_dataset_mixture  # noqa: E402
from oumi.core.configs import DatasetSplit, TrainingConfig  # noqa: E402


def read(folder: Path) -> list[dict[str, Any]]:
    """The training data that the export's config asks for, in its folder; all that oumi asks for more is a model."""
    given = yaml.safe_load((folder / "oumi.yaml").read_text(encoding="utf-8"))
    whole = folder.parent / "whole.yaml"
    whole.write_text(yaml.safe_dump({**given, "model": {"model_name": "any", **given.get("model", {})}}))
    with contextlib.chdir(folder):
        config = TrainingConfig.from_yaml(whole)
        found: list[dict[str, Any]] = build_dataset_mixture(config.data, None, DatasetSplit.TRAIN).to_list()
    return found


@pytest.mark.parametrize("layout", ["prompt_completion", "conversational"])
@pytest.mark.parametrize("strict", [False, True])
def test_every_row_of_a_build_comes_out_as_it_was_built(tmp_path: Path, layout: str, strict: bool) -> None:
    made = built(tmp_path / "mix", layout)
    folder = made.export(tmp_path / "out", trainer="oumi", layout=layout, strict=strict).folder

    found = read(folder)

    written = rows_of(made.folder)
    assert len(found) == made.rows
    assert found == (without_metadata(written) if strict else written)


def test_system_and_earlier_turns_are_kept(tmp_path: Path) -> None:
    made = talks_built(tmp_path / "mix", "conversational")

    found = read(made.export(tmp_path / "out", trainer="oumi").folder)

    prompts = [[turn["role"] for turn in row["prompt"]] for row in found]
    assert any(roles[0] == "system" for roles in prompts)
    assert any(roles[-2:] == ["assistant", "user"] for roles in prompts)
    assert found == rows_of(made.folder)


def test_rows_of_tokens_are_read_as_they_are(tmp_path: Path) -> None:
    made = tokens_built(tmp_path / "mix", "tokens")

    found = read(made.export(tmp_path / "out", trainer="oumi").folder)

    assert len(found) == made.rows
    assert found == without_metadata(rows_of(made.folder))
