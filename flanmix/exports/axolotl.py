"""axolotl: one entry under `datasets`, and a cache whose path names the plan."""

from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.row_traps import ALPACA_CONTEXT, COMMON_ROWS, SEPARATOR
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap

_SHAREGPT = "field_messages: conversations, message_property_mappings: {role: from, content: value}"
_TRAINED = "roles_to_train: [assistant], train_on_eos: turn"
_PAIR = """\
    type:
      field_instruction: prompt
      field_output: completion
      format: "{instruction}"
      no_input_format: "{instruction}\""""
_ENTRIES = {
    "messages": (f"type: chat_template, split: train, {_TRAINED}",),
    "sharegpt": (f"type: chat_template, split: train, {_SHAREGPT}, {_TRAINED}",),
    "alpaca": ("type: alpaca, split: train",),
    "text": ("type: completion, field: text, split: train",),
    "tokens": ("type: ",),
}


def _write(data: Exported) -> Mapping[str, str]:
    if data.layout == "prompt_completion":
        entry = [f"  - path: {data.folder}", "    split: train", _PAIR]
    else:
        entry = [f"  - {{path: {data.folder}, {', '.join(_ENTRIES[data.layout])}}}"]
    lines = [
        "# the part of an axolotl config that is about data; run axolotl in this folder",
        "datasets:",
        *entry,
        "shuffle_merged_datasets: false  # keeps flanmix's order",
        "excess_length_strategy: truncate  # axolotl's own is to drop rows longer than sequence_len",
        *([f"sequence_len: {data.max_length}"] if data.max_length else []),
        f"dataset_prepared_path: prepared/{data.folder}",
    ]
    return {"axolotl.yaml": "\n".join([*lines, ""])}


TRAINER = Trainer(
    "axolotl",
    ("messages", "sharegpt", "prompt_completion", "text", "tokens", "alpaca"),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        SEPARATOR,
        ALPACA_CONTEXT,
        FolderTrap(traps.foreign_files, warns=True),
        FolderTrap(traps.token_columns),
        FolderTrap(traps.token_types),
        *traps.STALE,
        FolderTrap(config_traps.garbled),
        FolderTrap(config_traps.prepared_path),
    ),
    bare=frozenset({"tokens"}),
)
