"""open-instruct: arguments that take all rows, from a path of their own for every plan."""

from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.row_traps import COMMON_ROWS
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap


def _write(data: Exported) -> Mapping[str, str]:
    lines = [
        "# arguments for open_instruct/finetune.py, run in this folder; 1.0 is all rows, 1 would be one row",
        "python open_instruct/finetune.py \\",
        f"  --dataset_mixer_list {data.folder} 1.0 \\",
        "  --dataset_mixer_list_splits train",
    ]
    return {"open_instruct.sh": "\n".join([*lines, ""])}


TRAINER = Trainer(
    "open-instruct",
    ("messages",),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        FolderTrap(traps.foreign_files, warns=True),
        *traps.STALE,
        FolderTrap(config_traps.one_row),
    ),
)
