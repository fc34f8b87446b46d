"""LLaMA-Factory's own loader, run on exports with their own config, makes the rows that were built.

It lists the shards of a folder in no order, so rows are compared sorted.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.trainers.builds import (
    END,
    EOS,
    Turn,
    answers_in,
    built,
    pair_of,
    rows_of,
    talks_built,
    talks_in,
    tokens_built,
    trained_text,
    without_metadata,
    wrapped_tokenizer,
)

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("transformers", reason="needs transformers")
pytest.importorskip("llamafactory", reason="needs llamafactory")
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.data.loader import _get_merged_dataset  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402

LAYOUTS = ["messages", "sharegpt", "alpaca", "prompt_completion"]


def arguments(folder: Path) -> Any:
    """LLaMA-Factory's parsed arguments from an export's config and what else it asks for.

    Its template `default`: the one that the config names is that of a model that is not here.
    """
    config = yaml.safe_load((folder / "llama_factory.yaml").read_text(encoding="utf-8"))
    rest = {"model_name_or_path": ".", "stage": "sft", "do_train": True, "finetuning_type": "full"}
    here = {"template": "default", "cache_dir": "../cache", "output_dir": "../trained"}
    return get_train_args({**config, **rest, **here, "use_cpu": True, "report_to": "none"})


def aligned(folder: Path) -> list[dict[str, Any]]:
    """The rows as LLaMA-Factory, run in the export's folder, takes them up: `_prompt`, `_response`, `_system`."""
    with contextlib.chdir(folder):
        model, data, training, _, _ = arguments(folder)
        return list(_get_merged_dataset(data.dataset, model, data, training, "sft"))


def prepared(folder: Path, tokenizer: Any) -> list[dict[str, Any]]:
    """The rows as LLaMA-Factory, run in the export's folder, trains on them: encoded, with labels."""
    with contextlib.chdir(folder):
        model, data, training, _, _ = arguments(folder)
        template = get_template_and_fix_tokenizer(tokenizer, data)
        module = get_dataset(template, model, data, training, "sft", tokenizer)
        found: list[dict[str, Any]] = module["train_dataset"].to_list()
    return found


def change_entry(folder: Path, **changes: Any) -> None:
    """Write other values into the one entry of an export's `dataset_info.json`."""
    entries = json.loads((folder / "dataset_info.json").read_text())
    for entry in entries.values():
        entry.update(changes)
    (folder / "dataset_info.json").write_text(json.dumps(entries))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("strict", [False, True])
def test_every_row_of_a_build_becomes_one_prompt_and_one_response(tmp_path: Path, layout: str, strict: bool) -> None:
    made = built(tmp_path / "mix", layout)
    folder = made.export(tmp_path / "out", trainer="llama-factory", layout=layout, strict=strict).folder

    found = aligned(folder)

    assert len(found) == made.rows
    assert {len(row["_prompt"]) for row in found} == {len(row["_response"]) for row in found} == {1}
    assert {(row["_prompt"][0]["role"], row["_response"][0]["role"]) for row in found} == {("user", "assistant")}
    texts = sorted((row["_prompt"][0]["content"], row["_response"][0]["content"]) for row in found)
    assert texts == sorted(pair_of(row, layout) for row in rows_of(made.folder))
    assert {row["_system"] for row in found} == {""}


@pytest.mark.parametrize("layout", ["messages", "sharegpt", "alpaca"])
def test_system_and_history_of_a_conversation_are_kept(tmp_path: Path, layout: str) -> None:
    made = talks_built(tmp_path / "mix", layout)
    folder = made.export(tmp_path / "out", trainer="llama-factory", layout=layout).folder

    found = aligned(folder)

    def told(row: dict[str, Any]) -> list[Turn]:
        pairs = [(turn["role"], turn["content"]) for turn in row["_prompt"] + row["_response"]]
        return [("system", row["_system"]), *pairs] if row["_system"] else pairs

    assert len(found) == made.rows
    assert sorted(map(told, found)) == sorted(talks_in(made.folder, layout))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_loss_is_on_the_answer_and_its_end(tmp_path: Path, layout: str) -> None:
    made = built(tmp_path / "mix", layout)
    folder = made.export(tmp_path / "out", trainer="llama-factory", layout=layout).folder
    tokenizer = wrapped_tokenizer()

    trained = [trained_text(tokenizer, row["labels"]) for row in prepared(folder, tokenizer)]

    assert sorted(trained) == sorted(f"{pair_of(row, layout)[1]}{EOS}\n" for row in rows_of(made.folder))


def test_every_answer_of_a_conversation_is_trained(tmp_path: Path) -> None:
    made, tokenizer = talks_built(tmp_path / "mix", "messages"), wrapped_tokenizer()
    folder = made.export(tmp_path / "out", trainer="llama-factory").folder

    trained = [trained_text(tokenizer, row["labels"]) for row in prepared(folder, tokenizer)]

    answers = [answers_in(turns) for turns in talks_in(made.folder, "messages")]
    assert sorted(trained) == sorted("".join(f"{answer}{EOS}\n" for answer in said) for said in answers)


def test_rows_of_tokens_are_trained_on_as_they_are(tmp_path: Path) -> None:
    """Through `tokenized_path`: the tokens and labels of the build, and so each answer with its end."""
    made, tokenizer = tokens_built(tmp_path / "mix", "tokens"), wrapped_tokenizer()

    found = prepared(made.export(tmp_path / "out", trainer="llama-factory").folder, tokenizer)

    assert len(found) == made.rows
    assert found == without_metadata(rows_of(made.folder))
    talks = talks_in(talks_built(tmp_path / "talks", "messages").folder, "messages")
    assert [trained_text(tokenizer, row["labels"]) for row in found] == [
        "".join(answer + END for answer in answers_in(turns)) for turns in talks
    ]


def test_some_tags_without_the_others_lose_every_row(tmp_path: Path) -> None:
    """Why the entries are written in full."""
    folder = built(tmp_path / "mix", "messages").export(tmp_path / "out", trainer="llama-factory").folder

    change_entry(folder, tags={"role_tag": "role", "content_tag": "content"})

    assert all(row["_prompt"] == row["_response"] == [] for row in aligned(folder))


def test_the_openai_formatting_invents_a_system_prompt(tmp_path: Path) -> None:
    """Why messages are read with the formatting `sharegpt`."""
    folder = built(tmp_path / "mix", "messages").export(tmp_path / "out", trainer="llama-factory").folder

    change_entry(folder, formatting="openai")

    assert {row["_system"] for row in aligned(folder)} == {"detailed thinking off"}


def test_another_file_beside_the_shards_is_refused(tmp_path: Path) -> None:
    """Why nothing but shards lies in their folder."""
    folder = built(tmp_path / "mix", "messages").export(tmp_path / "out", trainer="llama-factory").folder
    shard = next(folder.rglob("train-*.parquet"))

    (shard.parent / "manifest.json").write_text("{}")

    with pytest.raises(ValueError, match="File types should be identical"):
        aligned(folder)
