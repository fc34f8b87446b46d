"""NeMo Automodel: `ChatDataset` over messages."""

from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.row_traps import COMMON_ROWS
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap


def _write(data: Exported) -> Mapping[str, str]:
    lines = [
        "# the part of an Automodel config that is about data; run automodel in this folder",
        "dataset:",
        "  _target_: nemo_automodel.components.datasets.llm.chat_dataset.ChatDataset",
        f"  path_or_dataset_id: {data.folder}",
        "  split: train",
        "  mask_generation_prompt: true  # without it the head of the assistant's turn is trained, too",
    ]
    return {"automodel.yaml": "\n".join([*lines, ""])}


TRAINER = Trainer(
    "automodel",
    ("messages",),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        FolderTrap(traps.foreign_files, warns=True),
        FolderTrap(config_traps.garbled),
    ),
)
