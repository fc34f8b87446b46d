"""levanter: a component with the URLs of the shards and the names of the columns."""

from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.row_traps import COMMON_ROWS, SEPARATOR
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap

_FORMATS = {
    "messages": "{type: chat, messages_field: messages}",
    "prompt_completion": "{type: supervised, input_field: prompt, output_field: completion}",
}


def _write(data: Exported) -> Mapping[str, str]:
    lines = [
        "# the part of a levanter config that is about data; run it in this folder",
        "data:",
        "  configs:",
        f"    {data.name}:",
        f"      train_urls: [{data.shards}]",
        f"      format: {_FORMATS[data.layout]}",
        f"  train_weights: {{{data.name}: 1.0}}",
        f"  cache_dir: cache/{data.folder}",
    ]
    return {"levanter.yaml": "\n".join([*lines, ""])}


TRAINER = Trainer(
    "levanter",
    ("messages", "prompt_completion"),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        SEPARATOR,
        FolderTrap(traps.foreign_files, warns=True),
        FolderTrap(config_traps.garbled),
    ),
)
