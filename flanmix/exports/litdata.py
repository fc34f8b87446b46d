"""litData: a folder with nothing but shards, and the index that litData itself writes."""

import json
from collections.abc import Mapping
from pathlib import Path

from flanmix.durable import write_text
from flanmix.errors import UsageError
from flanmix.exports import config_traps, traps
from flanmix.exports.row_traps import COMMON_ROWS, SEPARATOR
from flanmix.exports.rows import Rows, write_parquet
from flanmix.exports.seen import INDEX
from flanmix.exports.trainer import Exported, Trainer
from flanmix.exports.trap import FolderTrap


def _write(data: Exported) -> Mapping[str, str]:
    lines = [
        '"""The rows as litData streams them; run it in this folder, or give the whole path."""',
        "",
        "import litdata",
        "from litdata.streaming.item_loader import ParquetLoader",
        "",
        f'dataset = litdata.StreamingDataset("{data.folder}", item_loader=ParquetLoader())',
    ]
    return {"litdata_stream.py": "\n".join([*lines, ""])}


def _store(rows: Rows, folder: Path) -> None:
    """Shards and index. litData lists the shards as the disk does, which is no order: they are put in theirs."""
    try:
        import litdata
    except ImportError as error:
        hint = "pip install 'flanmix[litdata]'"
        raise UsageError("litdata, which writes the index, is not installed", hint=hint) from error
    write_parquet(rows, folder)
    litdata.index_parquet_dataset(str(folder), num_workers=1)
    file = folder / INDEX
    index = json.loads(file.read_text(encoding="utf-8"))
    index["chunks"].sort(key=lambda chunk: chunk["filename"])
    write_text(file, json.dumps(index, sort_keys=True))


TRAINER = Trainer(
    "litdata",
    (
        *("prompt_completion", "conversational", "messages", "sharegpt", "alpaca", "inputs_targets"),
        *("text", "tokens", "packed"),
    ),
    _write,
    (*traps.COMMON, *COMMON_ROWS, SEPARATOR, traps.FOREIGN, FolderTrap(config_traps.index)),
    left_out=frozenset({"fm_shots"}),  # its loader stops at lists of several lengths
    store=_store,
    out_of_order=True,
)
