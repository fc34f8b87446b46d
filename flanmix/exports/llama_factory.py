"""LLaMA-Factory: a full entry in `dataset_info.json`; rows of tokens as a `save_to_disk` folder."""

import json
from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.disk import store_tokens_on_disk
from flanmix.exports.row_traps import COMMON_ROWS
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap

_TURNS = {
    "messages": ("messages", "role", "content", "user", "assistant", "system", "tool", "function_call"),
    "sharegpt": ("conversations", "from", "value", "human", "gpt", "system", "observation", "function_call"),
}
_ALPACA = {"prompt": "instruction", "query": "input", "response": "output", "system": "system", "history": "history"}
_PAIR = {"prompt": "prompt", "response": "completion"}


def _entry(data: Exported) -> dict[str, object]:
    if data.layout in _TURNS:
        column, role, content, user, assistant, system, observation, function = _TURNS[data.layout]
        values = (role, content, user, assistant, system, observation, function)
        tags = dict(zip(config_traps.TAGS, values, strict=True))
        return {
            "file_name": data.folder,
            "formatting": "sharegpt",
            "columns": {"messages": column},
            "tags": tags,
        }
    columns = _ALPACA if data.layout == "alpaca" else _PAIR
    return {"file_name": data.folder, "formatting": "alpaca", "columns": columns}


def _write(data: Exported) -> Mapping[str, str]:
    name = f"{data.name}_{data.plan[:12]}"
    rest = [
        "template: qwen3  # has to be that of your model",
        "mask_history: false  # true trains on the last turn alone",
        "streaming: false  # true needs dataloader_num_workers: 1 or more",
        *([f"cutoff_len: {data.max_length}"] if data.max_length else []),
    ]
    lines = ["# the part of a LLaMA-Factory config that is about data; run it in this folder", f"dataset: {name}"]
    if data.layout == "tokens":
        lines += [f"tokenized_path: {data.folder}  # read as it is; 'dataset' has to be there, and is not read"]
        return {"llama_factory.yaml": "\n".join([*lines, *rest, ""])}
    info = json.dumps({name: _entry(data)}, indent=2, ensure_ascii=False)
    return {
        config_traps.INFO: f"{info}\n",
        "llama_factory.yaml": "\n".join([*lines, "dataset_dir: .", *rest, ""]),
    }


TRAINER = Trainer(
    "llama-factory",
    ("messages", "sharegpt", "alpaca", "tokens", "prompt_completion"),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        traps.FOREIGN,
        FolderTrap(traps.token_columns),
        FolderTrap(config_traps.garbled),
        FolderTrap(config_traps.dataset_info),
        FolderTrap(config_traps.workers),
        FolderTrap(config_traps.no_dataset_info, warns=True),
    ),
    bare=frozenset({"tokens"}),
    asked=frozenset({"prompt_completion"}),
    store=store_tokens_on_disk,
    out_of_order=True,
)
