"""TRL's SFTTrainer: reads the default build as it is; the config says where the loss is, and that no row is cut."""

from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.row_traps import COMMON_ROWS, SEPARATOR
from flanmix.exports.seen import OWN
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap

_SETTINGS = {
    "messages": {"assistant_only_loss": "true  # the chat template has to mark {% generation %}"},
    "packed": {"padding_free": "true  # the model has to run with FlashAttention 2 or 3"},
    "text": {"dataset_text_field": "text"},
}


def _write(data: Exported) -> Mapping[str, str]:
    settings = _SETTINGS.get(data.layout, {})
    length = data.max_length if data.layout == "tokens" and data.max_length else "null"
    columns = ", ".join(OWN[data.layout])
    lines = [
        "# trl sft --config trl.yaml, in this folder",
        "datasets:",
        f"  - {{path: parquet, data_files: {data.shards}, split: train, columns: [{columns}]}}",
        "streaming: false  # true needs max_steps",
        f"max_length: {length}  # a number cuts rows, without a word",
        *(f"{key}: {value}" for key, value in settings.items()),
    ]
    told = {"max_length": str(length), **settings}
    options = ", ".join(f"{key}={_python(value)}" for key, value in told.items())
    script = [
        '"""The rows and the settings for SFTTrainer; run it in this folder, or give the whole path."""',
        "",
        "from datasets import load_dataset",
        "from trl import SFTConfig",
        "",
        f'dataset = load_dataset("parquet", data_files="{data.shards}", split="train")',
        f"args = SFTConfig({options})",
    ]
    return {"trl.yaml": "\n".join([*lines, ""]), "trl_sft.py": "\n".join([*script, ""])}


def _python(value: str) -> str:
    word = value.split("  #")[0]
    return word if word.isdecimal() else {"true": "True", "null": "None"}.get(word, f'"{word}"')


TRAINER = Trainer(
    "trl",
    ("prompt_completion", "conversational", "messages", "tokens", "packed", "text"),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        SEPARATOR,
        FolderTrap(traps.foreign_files, warns=True),
        FolderTrap(config_traps.garbled),
        FolderTrap(config_traps.streaming),
        FolderTrap(config_traps.cut_rows),
        FolderTrap(config_traps.every_turn_trained),
        FolderTrap(config_traps.every_turn_may_be_trained, warns=True),
    ),
)
