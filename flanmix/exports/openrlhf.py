"""OpenRLHF: the columns are arguments; without `--data.output_key` every row of prompt and completion is left out."""

from collections.abc import Mapping

from flanmix.exports import traps
from flanmix.exports.row_traps import COMMON_ROWS, SEPARATOR
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap

_COLUMNS = {
    "messages": ["--data.input_key messages", "--data.apply_chat_template", "--data.multiturn"],
    "prompt_completion": ["--data.input_key prompt", "--data.output_key completion"],
}


def _write(data: Exported) -> Mapping[str, str]:
    arguments = [f"--data.dataset {data.folder}", *_COLUMNS[data.layout]]
    if data.max_length:
        arguments.append(f"--data.max_len {data.max_length}")
    lines = ["# arguments for openrlhf.cli.train_sft, run in this folder", "python -m openrlhf.cli.train_sft \\"]
    return {
        "openrlhf.sh": "\n".join(
            [*lines, *(f"  {argument} \\" for argument in arguments[:-1]), f"  {arguments[-1]}", ""]
        )
    }


TRAINER = Trainer(
    "openrlhf",
    ("messages", "prompt_completion"),
    _write,
    (*traps.COMMON, *COMMON_ROWS, SEPARATOR, FolderTrap(traps.foreign_files, warns=True)),
)
