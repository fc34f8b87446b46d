"""OpenRLHF reads exports with its own `blending_datasets` and `SFTDataset`, by the arguments that the export gives."""

import contextlib
import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.builds import (
    EOS,
    answers_in,
    built,
    chat_text,
    pair_of,
    rows_of,
    talks_built,
    talks_in,
    wrapped_tokenizer,
)

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("openrlhf", reason="needs openrlhf")
from openrlhf.datasets import SFTDataset  # noqa: E402
from openrlhf.datasets.utils import blending_datasets  # noqa: E402


class Strategy:
    """Of OpenRLHF's strategy what its datasets use: the arguments, and printing. The whole one needs DeepSpeed."""

    def __init__(self, data: Namespace) -> None:
        self.args = Namespace(data=data, use_ms=False)

    def print(self, *told: object) -> None:
        """Nothing."""

    def is_rank_0(self) -> bool:
        """One process."""
        return False


def arguments(folder: Path) -> Namespace:
    """The arguments of the export's command that begin with `--data.`."""
    words = shlex.split((folder / "openrlhf.sh").read_text(encoding="utf-8"), comments=True)
    given: dict[str, Any] = {"multiturn": False, "output_key": None, "max_len": 2048}
    for name, value in zip(words, [*words[1:], "--"], strict=True):
        if name.startswith("--data."):
            given[name.removeprefix("--data.")] = True if value.startswith("--") else value
    return Namespace(**given)


def read(folder: Path, tokenizer: Any) -> Any:
    """The dataset as `openrlhf.cli.train_sft` makes it, in the export's folder."""
    data = arguments(folder)
    strategy = Strategy(data)
    with contextlib.chdir(folder):
        rows = blending_datasets(data.dataset, None, strategy, dataset_split="train")
        return SFTDataset(rows, tokenizer, data.max_len, strategy, multiturn=data.multiturn, num_processors=1)


def texts_of(dataset: Any, tokenizer: Any) -> list[tuple[str, str]]:
    """The whole text of each row and what the loss is on: its mask stands one token before the token it is for."""
    found = []
    for ids, _, mask in dataset:
        trained = [token for token, on in zip(ids[0, 1:].tolist(), mask[0, :-1].tolist(), strict=True) if on]
        found.append((tokenizer.decode(ids[0]), tokenizer.decode(trained)))
    return found


def test_messages_are_trained_on_the_answer_and_its_end(tmp_path: Path) -> None:
    made, tokenizer = built(tmp_path / "mix", "messages"), wrapped_tokenizer()

    dataset = read(made.export(tmp_path / "out", trainer="openrlhf").folder, tokenizer)

    pairs = [pair_of(row, "messages") for row in rows_of(made.folder)]
    assert len(dataset) == made.rows
    assert texts_of(dataset, tokenizer) == [
        (chat_text([("user", asked), ("assistant", said)]), said + EOS) for asked, said in pairs
    ]


def test_system_and_earlier_turns_are_kept_and_every_answer_is_trained(tmp_path: Path) -> None:
    made, tokenizer = talks_built(tmp_path / "mix", "messages"), wrapped_tokenizer()

    dataset = read(made.export(tmp_path / "out", trainer="openrlhf").folder, tokenizer)

    talks = talks_in(made.folder, "messages")
    assert len(dataset) == made.rows
    assert texts_of(dataset, tokenizer) == [
        (chat_text(turns), "".join(answer + EOS for answer in answers_in(turns))) for turns in talks
    ]


def test_prompts_and_completions_stand_together_with_a_space_before_the_end(tmp_path: Path) -> None:
    """OpenRLHF's own doing: without a chat template it puts a space between the completion and the end."""
    made, tokenizer = built(tmp_path / "mix", "prompt_completion"), wrapped_tokenizer()
    folder = made.export(tmp_path / "out", trainer="openrlhf", layout="prompt_completion").folder

    dataset = read(folder, tokenizer)

    rows = rows_of(made.folder)
    assert len(dataset) == made.rows
    assert [text for text, _ in texts_of(dataset, tokenizer)] == [
        f"{row['prompt']}{row['completion']} {EOS}" for row in rows
    ]
