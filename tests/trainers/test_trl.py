"""TRL's SFTTrainer reads built folders of texts as they are and trains on what flanmix says is the target: no more, no
less.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

import flanmix as fm
from flanmix.layouts import METADATA
from tests.trainers.sft import (
    ROWS,
    byte_level,
    labels_of,
    needs_trainers,
    read,
    train,
    trained,
    trainer_of,
    transformers,
)

pytestmark = needs_trainers

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "flan_cot"
EOS, PAD, USER, ASSISTANT = "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>"
CHAT = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}"
    f"{ASSISTANT}{{% generation %}}{{{{ message.content }}}}{EOS}{{% endgeneration %}}"
    "{% else %}"
    f"{USER}{{{{ message.content }}}}{EOS}"
    "{% endif %}"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{ASSISTANT}{{% endif %}}"
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> fm.Plan:
    """Some rows of the example flan_cot, or, where its data are not at hand, of the bundled starter mixture."""
    if not DATA.is_dir():
        registry = fm.load_registry()
        return registry.mixture("starter").plan(registry, rows=ROWS)
    folder = tmp_path_factory.mktemp("example") / "flan_cot"
    shutil.copytree(ROOT / "examples" / "flan_cot", folder, ignore=shutil.ignore_patterns("data", "out"))
    (folder / "data").symlink_to(DATA)
    registry = fm.load_registry(folder)
    return registry.mixture("flan-cot").plan(registry, rows=ROWS)


@pytest.fixture(scope="module")
def tokenizer(plan: fm.Plan) -> Any:
    """A byte-level BPE made of the plan's own texts, with a chat template that marks what the assistant says."""
    texts = [text for example in plan for text in (example.input, example.target)]
    made = byte_level(texts, [EOS, PAD, USER, ASSISTANT])
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token=EOS, pad_token=PAD)
    wrapped.chat_template = CHAT
    return wrapped


def test_prompt_completion_with_metadata_trains_on_the_completion_and_its_end(
    plan: fm.Plan, tokenizer: Any, tmp_path: Path
) -> None:
    built = plan.build(tmp_path / "mix", quiet=True)
    data = read(built, tmp_path / "cache")
    assert {*METADATA.names} <= set(data.column_names)

    trainer = trainer_of(data, tokenizer, tmp_path / "out")

    assert len(trainer.train_dataset) == built.rows == len(plan)
    for row, prepared in zip(data, trainer.train_dataset, strict=True):
        assert tokenizer.decode(trained(prepared)) == row["completion"] + EOS
        assert tokenizer.decode(prepared["input_ids"]) == row["prompt"] + row["completion"] + EOS
    train(trainer)


def test_messages_train_on_the_assistant_alone_with_a_marked_chat_template(
    plan: fm.Plan, tokenizer: Any, tmp_path: Path
) -> None:
    built = plan.build(tmp_path / "mix", layout="messages", quiet=True)
    data = read(built, tmp_path / "cache")

    trainer = trainer_of(data, tokenizer, tmp_path / "out", assistant_only_loss=True)

    assert len(trainer.train_dataset) == built.rows == len(plan)
    for row, prepared in zip(data, trainer.train_dataset, strict=True):
        user, assistant = (message["content"] for message in row["messages"])
        assert tokenizer.decode(trained(prepared)) == assistant + EOS
        assert tokenizer.decode(prepared["input_ids"]) == f"{USER}{user}{EOS}{ASSISTANT}{assistant}{EOS}"
    train(trainer)


def test_text_trains_on_all_of_it_and_on_one_end(plan: fm.Plan, tokenizer: Any, tmp_path: Path) -> None:
    built = plan.build(tmp_path / "mix", layout="text", quiet=True)
    data = read(built, tmp_path / "cache")

    trainer = trainer_of(data, tokenizer, tmp_path / "out")

    assert len(trainer.train_dataset) == built.rows == len(plan)
    for row, prepared in zip(data, trainer.train_dataset, strict=True):
        assert tokenizer.decode(prepared["input_ids"]) == row["text"] + EOS
        assert labels_of(prepared) == prepared["input_ids"]
    train(trainer)
