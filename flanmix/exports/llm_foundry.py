"""llm-foundry: rows with exactly the columns of one layout; the config trains every answer, not the last alone."""

from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.row_traps import COMMON_ROWS, SEPARATOR
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap


def _write(data: Exported) -> Mapping[str, str]:
    lines = [
        "# the part of an llm-foundry config that is about data; run it in this folder",
        "train_loader:",
        "  name: finetuning",
        "  dataset:",
        f"    hf_name: {data.folder}",
        "    split: train",
        *([f"    max_seq_len: {data.max_length}"] if data.max_length else []),
        "    target_prompts: none",
        "    target_responses: all  # llm-foundry's own is the last alone",
    ]
    return {"llm_foundry.yaml": "\n".join([*lines, ""])}


TRAINER = Trainer(
    "llm-foundry",
    ("prompt_completion", "messages"),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        SEPARATOR,
        FolderTrap(traps.foreign_files, warns=True),
        FolderTrap(config_traps.garbled),
        FolderTrap(config_traps.last_response_only),
    ),
    bare=frozenset({"prompt_completion", "messages"}),
)
