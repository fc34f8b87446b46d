"""TRL's SFTTrainer on rows that are tokens already: it takes ids and labels as they are, one by one or in packs."""

from pathlib import Path
from typing import Any

import pytest

import flanmix as fm
from flanmix.layouts import METADATA
from tests.trainers.sft import (
    labels_of,
    needs_trainers,
    read,
    saved,
    talks,
    tokenizer_of,
    torch,
    train,
    trained,
    trainer_of,
    trl,
)

pytestmark = needs_trainers

END = "<|im_end|>"
FM = {*METADATA.names}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tokenizer_of("chatml")


def built(tokenizer: Any, tmp_path: Path, layout: str, **options: Any) -> tuple[fm.Built, Any]:
    """A build of the talks, and its rows as a trainer reads them."""
    told = {"tokenizer": saved(tokenizer, tmp_path / "tokenizer"), "chat_template": "chatml"}
    made = talks().build(tmp_path / "mix", layout=layout, quiet=True, **(told | options))
    return made, read(made, tmp_path / "cache")


def losses(model: Any, ids: list[int], labels: list[int]) -> Any:
    """The sum of -log P over the labels of one sequence, run alone."""
    scores = model(input_ids=torch.tensor([ids])).logits[0, :-1]
    return torch.nn.functional.cross_entropy(scores, torch.tensor(labels[1:]), ignore_index=-100, reduction="sum")


# ---- tokens


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("more", [{}, {"remove_unused_columns": False}], ids=["default", "all-columns"])
def test_tokens_go_through_as_they_are_with_metadata_beside_them_or_not(
    metadata: bool, more: dict[str, Any], tokenizer: Any, tmp_path: Path
) -> None:
    mix, data = built(tokenizer, tmp_path, "tokens", metadata=metadata)
    assert (set(data.column_names) >= FM) == metadata

    trainer = trainer_of(data, tokenizer, tmp_path / "out", **more)

    assert len(trainer.train_dataset) == mix.rows == len(talks())
    assert list(trainer.train_dataset["input_ids"]) == list(data["input_ids"])
    assert [labels_of(row) for row in trainer.train_dataset] == list(data["labels"])
    for example, row in zip(talks(), data, strict=True):
        answers = [*(said for _, said in example.history), example.target]
        assert tokenizer.decode(trained(row)) == "".join(answer + END for answer in answers)
    batch = next(iter(trainer.get_train_dataloader()))
    assert set(batch) == {"input_ids", "labels", "attention_mask"}
    train(trainer)


def test_trl_cuts_rows_of_tokens_at_its_own_max_length_unless_that_is_set(tokenizer: Any, tmp_path: Path) -> None:
    _, data = built(tokenizer, tmp_path, "tokens")
    longest = max(map(len, data["input_ids"]))
    cut = trainer_of(data, tokenizer, tmp_path / "out", max_length=longest - 1).train_dataset
    assert max(map(len, cut["input_ids"])) == longest - 1
    assert trl.SFTConfig(output_dir=str(tmp_path / "default"), use_cpu=True, bf16=False).max_length == 1024


# ---- packs


@pytest.fixture
def packs(tokenizer: Any, tmp_path: Path) -> Any:
    mix, data = built(tokenizer, tmp_path, "packed", max_length=700)
    assert mix.rows == len(talks()) > len(data) == mix.manifest["packing"]["packs"] > 4
    assert max(map(len, data["seq_lengths"])) > 1
    return data


def test_packs_train_without_padding_as_if_their_pieces_were_alone(packs: Any, tokenizer: Any, tmp_path: Path) -> None:
    """On a CPU the model is run by torch's own attention, which takes the ends of pieces from `position_ids`."""
    trainer = trainer_of(packs, tokenizer, tmp_path / "out", padding_free=True)
    assert len(trainer.train_dataset) == len(packs)
    assert trainer.model.config._attn_implementation == "sdpa"
    rows = [packs[number] for number in range(4)]

    batch = trainer.data_collator(rows)

    assert batch["input_ids"].tolist() == [[token for row in rows for token in row["input_ids"]]]
    assert batch["labels"].tolist() == [[label for row in rows for label in row["labels"]]]
    assert batch["position_ids"].tolist() == [[place for row in rows for place in row["position_ids"]]]
    assert batch["cu_seq_lens_q"].diff().tolist() == [length for row in rows for length in row["seq_lengths"]]
    assert "attention_mask" not in batch
    alone = trainer.model.eval()
    with torch.no_grad():
        wanted = sum(losses(alone, *piece) for row in rows for piece in pieces(row))
        count = sum(label != -100 for row in rows for label in row["labels"])
        found = trainer.compute_loss(alone, dict(batch))
    assert found.item() == pytest.approx(wanted.item() / count, abs=1e-5)
    train(trainer)


def test_without_that_setting_pieces_would_see_those_before_them(packs: Any, tokenizer: Any, tmp_path: Path) -> None:
    """What a user must not do: TRL says nothing, and the loss is another."""
    trainer = trainer_of(packs, tokenizer, tmp_path / "out")
    row = max((packs[number] for number in range(len(packs))), key=lambda row: len(row["seq_lengths"]))

    batch = trainer.data_collator([row])

    assert "position_ids" not in batch
    assert batch["attention_mask"].tolist() == [[1] * len(row["input_ids"])]
    alone = trainer.model.eval()
    with torch.no_grad():
        wanted = sum(losses(alone, *piece) for piece in pieces(row))
        found = trainer.compute_loss(alone, dict(batch)) * sum(label != -100 for label in row["labels"])
    assert abs(found.item() - wanted.item()) > 1e-3


def test_trl_refuses_to_cut_packs(packs: Any, tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`max_length` is not enforced"):
        trainer_of(packs, tokenizer, tmp_path / "out", padding_free=True, max_length=1024)


def pieces(row: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """The tokens and labels of each piece of a pack."""
    ends = [sum(row["seq_lengths"][: number + 1]) for number in range(len(row["seq_lengths"]))]
    starts = [0, *ends[:-1]]
    return [(row["input_ids"][a:b], row["labels"][a:b]) for a, b in zip(starts, ends, strict=True)]
