"""oumi: hands the columns of Parquet files to TRL; rows of tokens as a `save_to_disk` folder."""

from collections.abc import Mapping

from flanmix.exports import config_traps, traps
from flanmix.exports.disk import store_tokens_on_disk
from flanmix.exports.row_traps import COMMON_ROWS, SEPARATOR
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap


def _write(data: Exported) -> Mapping[str, str]:
    if data.layout == "tokens":
        entry = ["      - dataset_name: tokenized", f"        dataset_path: {data.folder}"]
    else:
        entry = [
            "      - dataset_name: parquet",
            "        split: train",
            f"        dataset_kwargs: {{data_files: {data.shards}}}",
        ]
    lines = [
        "# the part of an oumi config that is about data; run oumi in this folder",
        "data:",
        "  train:",
        "    datasets:",
        *entry,
        "    seed: 42",
        *(["model:", f"  model_max_length: {data.max_length}"] if data.max_length else []),
    ]
    return {"oumi.yaml": "\n".join([*lines, ""])}


TRAINER = Trainer(
    "oumi",
    ("prompt_completion", "conversational", "tokens"),
    _write,
    (
        *traps.COMMON,
        *COMMON_ROWS,
        SEPARATOR,
        FolderTrap(traps.foreign_files, warns=True),
        FolderTrap(config_traps.garbled),
    ),
    bare=frozenset({"tokens"}),
    store=store_tokens_on_disk,
)
