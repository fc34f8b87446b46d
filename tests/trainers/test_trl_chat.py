"""TRL's SFTTrainer on built conversations: earlier turns and system texts are read and not trained, answers are.

The other way round too: what TRL makes of the conversations of a build is what the layout `tokens` has of them.
"""

from pathlib import Path
from typing import Any

import pytest

import flanmix as fm
from flanmix.chat.library import chat_templates, load_chat_template
from flanmix.layouts import METADATA
from tests.trainers.sft import (
    labels_of,
    needs_trainers,
    read,
    saved,
    talks,
    tokenizer_of,
    train,
    trained,
    trainer_of,
    untrained,
)

pytestmark = needs_trainers

END = "<|im_end|>"
FOLLOWED = ("chatml", "gemma", "qwen", "zephyr")
"""Templates that write a line break after the end of a turn of the assistant."""
Turns = list[dict[str, str]]


def turns(example: fm.Example) -> Turns:
    """A row of the plan as messages."""
    said = [("system", example.system)] if example.system else []
    for user, assistant in (*example.history, (example.input, example.target)):
        said += [("user", user), ("assistant", assistant)]
    return [{"role": role, "content": content} for role, content in said]


def chatml(said: Turns) -> str:
    """Turns as ChatML, written out by hand."""
    return "".join(f"<|im_start|>{turn['role']}\n{turn['content']}{END}\n" for turn in said)


def built(tmp_path: Path, **options: Any) -> tuple[fm.Built, Any]:
    """A build of the talks, and its rows as a trainer reads them."""
    made = talks().build(tmp_path / "mix", quiet=True, **options)
    return made, read(made, tmp_path / "cache")


def test_conversational_prompts_hold_what_was_said_before_and_the_last_answer_is_trained(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("chatml")
    mix, data = built(tmp_path, layout="conversational")
    assert {*METADATA.names} <= set(data.column_names)

    trainer = trainer_of(data, tokenizer, tmp_path / "out")

    assert len(trainer.train_dataset) == mix.rows == len(talks())
    for example, row, prepared in zip(talks(), data, trainer.train_dataset, strict=True):
        assert row["prompt"] + row["completion"] == turns(example)
        assert tokenizer.decode(prepared["input_ids"]) == chatml(turns(example))
        # the template's line break after the end of the turn belongs to the completion, says TRL
        assert tokenizer.decode(trained(prepared)) == f"{example.target}{END}\n"
        assert tokenizer.decode(untrained(prepared)) == chatml(turns(example)[:-1]) + "<|im_start|>assistant\n"
    train(trainer)


def test_messages_train_on_every_answer_and_its_end_once(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("chatml")
    mix, data = built(tmp_path, layout="messages")

    trainer = trainer_of(data, tokenizer, tmp_path / "out", assistant_only_loss=True)

    assert len(trainer.train_dataset) == mix.rows == len(talks())
    for example, prepared in zip(talks(), trainer.train_dataset, strict=True):
        answers = [turn["content"] for turn in turns(example) if turn["role"] == "assistant"]
        assert tokenizer.decode(trained(prepared)) == "".join(answer + END for answer in answers)
        assert tokenizer.decode(prepared["input_ids"]) == chatml(turns(example))
    train(trainer)


def test_messages_train_on_every_turn_where_a_user_does_not_ask_for_the_assistants_alone(tmp_path: Path) -> None:
    _, data = built(tmp_path, layout="messages")
    trainer = trainer_of(data, tokenizer_of("chatml"), tmp_path / "out")
    assert all(untrained(prepared) == [] for prepared in trainer.train_dataset)


@pytest.mark.parametrize("name", chat_templates())
def test_tokens_are_what_trl_makes_of_the_messages(name: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(name)
    _, messages = built(tmp_path / "messages", layout="messages")
    told = {"layout": "tokens", "tokenizer": saved(tokenizer, tmp_path / "tokenizer")}
    _, ours = built(tmp_path / "tokens", chat_template=name, **told)
    _, own = built(tmp_path / "own", chat_template="tokenizer", **told)

    trainer = trainer_of(messages, tokenizer, tmp_path / "out", assistant_only_loss=True)

    theirs = trainer.train_dataset
    assert len(theirs) == len(ours) == len(talks())
    assert list(ours["input_ids"]) == list(own["input_ids"]) == list(theirs["input_ids"])
    assert list(ours["labels"]) == list(own["labels"]) == [labels_of(row) for row in theirs]


@pytest.mark.parametrize("name", chat_templates())
def test_tokens_with_the_loss_on_the_last_turn_are_what_trl_makes_of_prompt_and_completion(
    name: str, tmp_path: Path
) -> None:
    tokenizer = tokenizer_of(name)
    _, conversational = built(tmp_path / "conversational", layout="conversational")
    told = {"tokenizer": saved(tokenizer, tmp_path / "tokenizer"), "chat_template": name, "loss": "last"}
    _, ours = built(tmp_path / "tokens", layout="tokens", **told)
    own = load_chat_template(name)

    plain = trainer_of(conversational, tokenizer, tmp_path / "a").train_dataset
    marked = trainer_of(conversational, tokenizer, tmp_path / "b", assistant_only_loss=True).train_dataset

    assert list(ours["input_ids"]) == list(plain["input_ids"]) == list(marked["input_ids"])
    assert list(ours["labels"]) == [labels_of(row) for row in marked]
    after = tokenizer.encode("\n", add_special_tokens=False) if name in FOLLOWED else []
    for row, prepared in zip(ours, plain, strict=True):
        assert trained(prepared) == trained(row) + after  # without marks TRL trains what stands behind the end too
        assert tokenizer.decode(trained(row)).count(own.end) == 1


# ---- rows in which a chat template is written already, as prompt_completion and text have them


def test_prompt_completion_by_a_chat_template_ends_once_where_its_end_is_the_tokenizers_eos(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("chatml")
    mix, data = built(tmp_path, layout="prompt_completion", chat_template="chatml")

    trainer = trainer_of(data, tokenizer, tmp_path / "out")

    assert len(trainer.train_dataset) == mix.rows == len(talks())
    for example, prepared in zip(talks(), trainer.train_dataset, strict=True):
        assert tokenizer.decode(trained(prepared)) == example.target + END
        assert tokenizer.decode(untrained(prepared)) == chatml(turns(example)[:-1]) + "<|im_start|>assistant\n"
    train(trainer)


@pytest.mark.parametrize("layout", ["prompt_completion", "text"])
def test_where_it_is_not_trl_appends_its_own_eos_unless_the_end_is_named(layout: str, tmp_path: Path) -> None:
    _, data = built(tmp_path, layout=layout, chat_template="chatml")
    for told, ending in (({}, f"{END}</s>"), ({"eos_token": END}, END)):
        tokenizer = tokenizer_of("chatml", eos="</s>")
        prepared = trainer_of(data, tokenizer, tmp_path / "out", **told).train_dataset
        for example, row in zip(talks(), prepared, strict=True):
            assert tokenizer.decode(trained(row)).endswith(example.target + ending)
            assert tokenizer.decode(trained(row)).count("</s>") == (not told)


def test_text_by_a_chat_template_trains_on_all_of_it(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("chatml")
    mix, data = built(tmp_path, layout="text", chat_template="chatml")

    trainer = trainer_of(data, tokenizer, tmp_path / "out")

    assert len(trainer.train_dataset) == mix.rows == len(talks())
    for example, prepared in zip(talks(), trainer.train_dataset, strict=True):
        assert tokenizer.decode(prepared["input_ids"]) == chatml(turns(example)).removesuffix("\n")
        assert untrained(prepared) == []
    train(trainer)
