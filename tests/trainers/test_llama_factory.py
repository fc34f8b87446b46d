"""LLaMA-Factory's own loader, with the entries of `dataset_info.json` that flanmix gives, makes the rows that were built.

It reads the shards of a folder in no order, so rows are compared sorted.
"""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from tests.trainers.builds import BOS, EOS, PAD, TALKS, built, pairs_of, rows_of, tokenizer_of, write_talks

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

pytest.importorskip("torch", reason="needs torch")
transformers = pytest.importorskip("transformers", reason="needs transformers")
pytest.importorskip("llamafactory", reason="needs llamafactory")
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.data.loader import _get_merged_dataset  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402

ROLES = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
    "observation_tag": "tool",
    "function_tag": "function_call",
}
FROM = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "system_tag": "system",
    "observation_tag": "observation",
    "function_tag": "function_call",
}
ALPACA = {
    "prompt": "instruction",
    "query": "input",
    "response": "output",
    "system": "system",
    "history": "history",
}
ENTRIES: dict[str, dict[str, Any]] = {
    "messages": {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": ROLES},
    "sharegpt": {"formatting": "sharegpt", "columns": {"messages": "conversations"}, "tags": FROM},
    "alpaca": {"columns": ALPACA},
    "prompt_completion": {"columns": {"prompt": "prompt", "response": "completion"}},
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A byte-level BPE made of the texts of a build, without a chat template: LLaMA-Factory has its own."""
    rows = rows_of(built(tmp_path_factory.mktemp("texts") / "mix", "prompt_completion").folder)
    made = tokenizer_of(row["prompt"] + row["completion"] for row in rows)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token=BOS, eos_token=EOS, pad_token=PAD)


def arguments(place: Path, entry: dict[str, Any], **options: Any) -> Any:
    """LLaMA-Factory's parsed arguments for the folder `place/mix`, with its entry in `place/dataset_info.json`."""
    (place / "dataset_info.json").write_text(json.dumps({"mix": {"file_name": "mix/data", **entry}}))
    return get_train_args(
        {
            "model_name_or_path": str(place),
            "cache_dir": str(place / "cache"),
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "full",
            "dataset": "mix",
            "dataset_dir": str(place),
            "template": "default",
            "output_dir": str(place / "out"),
            "use_cpu": True,
            "report_to": "none",
            **options,
        }
    )


def aligned(place: Path, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows as LLaMA-Factory takes them up: `_prompt`, `_response`, `_system`."""
    model, data, training, _, _ = arguments(place, entry)
    return list(_get_merged_dataset(data.dataset, model, data, training, "sft"))


def prepared(place: Path, entry: dict[str, Any], tokenizer: Any, **options: Any) -> datasets.Dataset:
    """The rows as LLaMA-Factory trains on them: encoded, with labels."""
    model, data, training, _, _ = arguments(place, entry, **options)
    template = get_template_and_fix_tokenizer(tokenizer, data)
    return get_dataset(template, model, data, training, "sft", tokenizer)["train_dataset"]


@pytest.mark.parametrize("layout", list(ENTRIES))
@pytest.mark.parametrize("metadata", [True, False])
def test_every_row_of_a_build_becomes_one_prompt_and_one_response(tmp_path: Path, layout: str, metadata: bool) -> None:
    made = built(tmp_path / "mix", layout, metadata=metadata)

    found = aligned(tmp_path, ENTRIES[layout])

    assert len(found) == made.rows
    assert {len(row["_prompt"]) for row in found} == {len(row["_response"]) for row in found} == {1}
    assert {(row["_prompt"][0]["role"], row["_response"][0]["role"]) for row in found} == {("user", "assistant")}
    texts = sorted((row["_prompt"][0]["content"], row["_response"][0]["content"]) for row in found)
    assert texts == pairs_of(rows_of(made.folder), layout)
    assert {row["_system"] for row in found} == {""}


@pytest.mark.parametrize("layout", ["messages", "sharegpt", "alpaca"])
def test_system_and_history_of_a_conversation_are_kept(tmp_path: Path, layout: str) -> None:
    write_talks(tmp_path / "mix", layout)

    found = aligned(tmp_path, ENTRIES[layout])

    for row, (system, history, asked, answered) in zip(found, TALKS, strict=True):
        turns = [(turn["role"], turn["content"]) for turn in row["_prompt"] + row["_response"]]
        before = [turn for user, assistant in history for turn in (("user", user), ("assistant", assistant))]
        assert turns == [*before, ("user", asked), ("assistant", answered)]
        assert row["_system"] == system


@pytest.mark.parametrize("layout", list(ENTRIES))
def test_the_loss_is_on_the_answer_and_its_end(tmp_path: Path, layout: str, tokenizer: Any) -> None:
    made = built(tmp_path / "mix", layout)

    data = prepared(tmp_path, ENTRIES[layout], tokenizer)

    trained = [tokenizer.decode([token for token in row["labels"] if token != -100]) for row in data]
    assert sorted(trained) == sorted(f"{answer}{EOS}\n" for _, answer in pairs_of(rows_of(made.folder), layout))


def test_a_folder_of_tokens_is_trained_on_as_it_is(tmp_path: Path, tokenizer: Any) -> None:
    built(tmp_path / "mix", "prompt_completion")
    rows = [
        {"input_ids": [*range(n + 2)], "attention_mask": [1] * (n + 2), "labels": [-100] * n + [7, 8]}
        for n in range(30)
    ]
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "tokens"))

    data = prepared(tmp_path, ENTRIES["prompt_completion"], tokenizer, tokenized_path=str(tmp_path / "tokens"))

    assert data.to_list() == rows


def test_some_tags_without_the_others_lose_every_row(tmp_path: Path) -> None:
    """Why the entries are written in full."""
    built(tmp_path / "mix", "messages")
    tags = {"role_tag": "role", "content_tag": "content"}

    found = aligned(tmp_path, {**ENTRIES["messages"], "tags": tags})

    assert all(row["_prompt"] == row["_response"] == [] for row in found)


def test_the_openai_formatting_invents_a_system_prompt(tmp_path: Path) -> None:
    """Why messages are read with the `sharegpt` formatting."""
    built(tmp_path / "mix", "messages")

    found = aligned(tmp_path, {**ENTRIES["messages"], "formatting": "openai"})

    assert {row["_system"] for row in found} == {"detailed thinking off"}


def test_another_file_beside_the_shards_is_refused(tmp_path: Path) -> None:
    """Why the manifest and the card lie beside `data`, not in it."""
    made = built(tmp_path / "mix", "messages")
    (made.folder / "data" / "manifest.json").write_text("{}")

    with pytest.raises(ValueError, match="File types should be identical"):
        aligned(tmp_path, ENTRIES["messages"])
