"""TRL's trainer with tiny random models and tokenizers, on the CPU and without a network; the extra 'trainers'."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

import datasets
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import flanmix as fm
from flanmix.chat.library import load_chat_template
from tests.chat.talk import plain

LIBRARIES = ("torch", "transformers", "trl")
MISSING = [name for name in LIBRARIES if find_spec(name) is None]
torch, transformers, trl = (None if MISSING else import_module(name) for name in LIBRARIES)
if torch is not None:
    torch.set_num_threads(1)  # more only wait for one another where matrices are this small

needs_trainers = [
    pytest.mark.trainers,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs the extra 'trainers': there is no {', '.join(MISSING)}"),
]

PAD = "<pad>"
ROWS = 48


@cache
def talks() -> fm.Plan:
    """Rows of several exchanges, some with a system text, beside rows of plain tasks."""
    parts = [fm.Part("dialogue/short_talks", weight=2), fm.Part("arithmetic/add_subtract inference/everyday")]
    plan = fm.Mixture("talks", parts=parts).plan(fm.load_registry(), rows=ROWS)
    assert sum(bool(example.history) for example in plan) >= ROWS // 2
    assert {bool(example.system) for example in plan if example.history} == {True, False}
    return plan


def byte_level(texts: Sequence[str], special: Sequence[str], size: int = 600) -> Tokenizer:
    """A byte-level BPE made of some texts."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return made


def tokenizer_of(name: str, kind: str = "bpe", eos: str | None = None) -> Any:
    """A tokenizer as transformers has it, with a chat template that ships with flanmix, and its tokens."""
    own = load_chat_template(name)
    known = Tokenizer.from_str(plain(kind, name).to_str())
    known.add_special_tokens([own.end, *([eos] if eos else [])])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=known,
        bos_token=own.bos or None,
        eos_token=eos or own.end,
        pad_token=PAD,
        chat_template=own.jinja,
    )


def saved(tokenizer: Any, folder: Path) -> str:
    """The folder in which a build finds the tokenizer."""
    tokenizer.save_pretrained(folder)
    return str(folder)


def read(built: fm.Built, cache: Path) -> datasets.Dataset:
    """A built folder as trainers read it: without flanmix."""
    return datasets.load_dataset(str(built.folder), split="train", cache_dir=str(cache))


def tiny(vocabulary: int, layers: int = 2, **more: Any) -> Any:
    """A new random model, always the same one."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=8192,
        bos_token_id=None,
        **more,
    )
    return transformers.LlamaForCausalLM(config)


def trainer_of(data: datasets.Dataset, tokenizer: Any, out: Path, **options: Any) -> Any:
    """TRL's trainer with a model of two layers; two steps of four rows."""
    told = {
        "output_dir": str(out),
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "max_length": None,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    model = tiny(len(tokenizer), eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    arguments = trl.SFTConfig(**(told | options))
    return trl.SFTTrainer(model=model, args=arguments, train_dataset=data, processing_class=tokenizer)


def labels_of(row: dict[str, Any]) -> list[int]:
    """The labels of a prepared row; older versions of TRL leave them to the collator, and prepare masks."""
    if "labels" in row:
        return list(row["labels"])
    masks = [row[name] for name in ("completion_mask", "assistant_masks") if name in row]
    return [token if all(on) else -100 for token, *on in zip(row["input_ids"], *masks, strict=True)]


def trained(row: dict[str, Any]) -> list[int]:
    """The tokens of a prepared row that the loss is on."""
    return [label for label in labels_of(row) if label != -100]


def untrained(row: dict[str, Any]) -> list[int]:
    """The others."""
    return [token for token, label in zip(row["input_ids"], labels_of(row), strict=True) if label == -100]


def train(trainer: Any) -> None:
    """Train, and check that it was training: a finite loss, and no tensor of the model left as it was."""
    before = {name: tensor.detach().clone() for name, tensor in trainer.model.named_parameters()}
    result = trainer.train()
    assert result.global_step == 2
    assert isfinite(result.training_loss)
    assert result.training_loss > 0
    same = [name for name, tensor in trainer.model.named_parameters() if torch.equal(tensor, before[name])]
    assert same == []
