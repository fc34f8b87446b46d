"""TRL's SFTTrainer reads built folders as they are and trains on what flanmix says is the target: no more, no less.

Two steps of a tiny random model, on the CPU and without a network.
"""

import shutil
from math import isfinite
from pathlib import Path
from typing import Any

import datasets
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import flanmix as fm

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

WHY = "needs the extra 'trainers'"
torch = pytest.importorskip("torch", reason=WHY)
transformers = pytest.importorskip("transformers", reason=WHY)
trl = pytest.importorskip("trl", reason=WHY)

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
ROWS = 64


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
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = [EOS, PAD, USER, ASSISTANT]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([text for example in plan for text in (example.input, example.target)], trainer)
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token=EOS, pad_token=PAD)
    wrapped.chat_template = CHAT
    return wrapped


def read(built: fm.Built, cache: Path) -> datasets.Dataset:
    """A built folder as trainers read it: without flanmix."""
    return datasets.load_dataset(str(built.folder), split="train", cache_dir=str(cache))


def trainer_of(data: datasets.Dataset, tokenizer: Any, out: Path, **options: Any) -> Any:
    """TRL's trainer with a new random model of two layers."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    arguments = trl.SFTConfig(
        output_dir=str(out),
        max_steps=2,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        max_length=None,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        **options,
    )
    model = transformers.LlamaForCausalLM(config)
    return trl.SFTTrainer(model=model, args=arguments, train_dataset=data, processing_class=tokenizer)


def trained_text(row: dict[str, Any], tokenizer: Any) -> str:
    """What the loss is on in a row that TRL has prepared: it says so in `labels`, or in a mask."""
    ids = row["input_ids"]
    if "labels" in row:
        return str(tokenizer.decode([token for token in row["labels"] if token != -100]))
    mask = row.get("completion_mask") or row["assistant_masks"]
    return str(tokenizer.decode([token for token, on in zip(ids, mask, strict=True) if on]))


def train(trainer: Any) -> None:
    """Train, and check that it was training: a finite loss, and no tensor of the model left as it was."""
    before = {name: tensor.detach().clone() for name, tensor in trainer.model.named_parameters()}
    result = trainer.train()
    assert result.global_step == 2
    assert isfinite(result.training_loss)
    assert result.training_loss > 0
    same = [name for name, tensor in trainer.model.named_parameters() if torch.equal(tensor, before[name])]
    assert same == []


def test_prompt_completion_with_metadata_trains_on_the_completion_and_its_end(
    plan: fm.Plan, tokenizer: Any, tmp_path: Path
) -> None:
    built = plan.build(tmp_path / "mix", quiet=True)
    data = read(built, tmp_path / "cache")
    assert {"fm_task", "fm_type", "fm_template", "fm_row", "fm_epoch"} <= set(data.column_names)

    trainer = trainer_of(data, tokenizer, tmp_path / "out")

    assert len(trainer.train_dataset) == built.rows == len(plan)
    for row, prepared in zip(data, trainer.train_dataset, strict=True):
        assert trained_text(prepared, tokenizer) == row["completion"] + EOS
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
        assert trained_text(prepared, tokenizer) == assistant + EOS
        assert tokenizer.decode(prepared["input_ids"]) == f"{USER}{user}{EOS}{ASSISTANT}{assistant}{EOS}"
    train(trainer)
