"""NeMo Automodel's `ChatDataset` reads exports by the config that the export gives."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.trainers.builds import (
    EOS,
    answers_in,
    built,
    chat_text,
    pair_of,
    rows_of,
    talks_built,
    talks_in,
    trained_text,
    wrapped_tokenizer,
)

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("nemo_automodel", reason="needs nemo-automodel")
from nemo_automodel.components.datasets.llm import chat_dataset  # noqa: E402


def read(folder: Path, tokenizer: Any) -> Any:
    """The dataset that the export's config asks for, in its folder."""
    config = yaml.safe_load((folder / "automodel.yaml").read_text(encoding="utf-8"))["dataset"]
    module, name = config.pop("_target_").rsplit(".", 1)
    assert module == chat_dataset.__name__
    with contextlib.chdir(folder):
        return getattr(chat_dataset, name)(tokenizer=tokenizer, **config)


def texts_of(dataset: Any, tokenizer: Any) -> list[tuple[str, str]]:
    """The whole text of each row and what the loss is on: labels stand one place before their tokens."""
    rows = [dataset[number] for number in range(len(dataset))]
    return [(str(tokenizer.decode(row["input_ids"])), trained_text(tokenizer, row["labels"])) for row in rows]


def test_messages_are_trained_on_the_answer_and_its_end(tmp_path: Path) -> None:
    made, tokenizer = built(tmp_path / "mix", "messages"), wrapped_tokenizer()

    dataset = read(made.export(tmp_path / "out", trainer="automodel").folder, tokenizer)

    pairs = [pair_of(row, "messages") for row in rows_of(made.folder)]
    assert len(dataset) == made.rows
    assert [trained for _, trained in texts_of(dataset, tokenizer)] == [said + EOS for _, said in pairs]


def test_system_and_earlier_turns_are_kept_and_every_answer_is_trained(tmp_path: Path) -> None:
    made, tokenizer = talks_built(tmp_path / "mix", "messages"), wrapped_tokenizer()

    dataset = read(made.export(tmp_path / "out", trainer="automodel").folder, tokenizer)

    assert len(dataset) == made.rows
    talks = talks_in(made.folder, "messages")
    for (text, trained), turns in zip(texts_of(dataset, tokenizer), talks, strict=True):
        assert chat_text(turns).startswith(text)
        assert trained == "".join(answer + EOS for answer in answers_in(turns))
