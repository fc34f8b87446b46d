"""What in the configuration files beside the shards makes a trainer read or train other than meant."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from flanmix.errors import Problem
from flanmix.exports.batches import Batch
from flanmix.exports.row_traps import several_answers
from flanmix.exports.seen import Seen, batches

INFO = "dataset_info.json"
TAGS = ("role_tag", "content_tag", "user_tag", "assistant_tag", "system_tag", "observation_tag", "function_tag")
"""The tags of LLaMA-Factory's `sharegpt`; where some are given, those that are not become nothing."""


def configs(seen: Seen) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The YAML files beside the shards that hold an object."""
    for file in sorted([*seen.root.glob("*.yaml"), *seen.root.glob("*.yml")]):
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            found = None
        yield file, found if isinstance(found, dict) else {}


def garbled(seen: Seen) -> Iterator[Problem]:
    """YAML files that hold no object."""
    for file, config in configs(seen):
        if not config:
            yield Problem("cannot be read as a YAML object", file=str(file), hint="mend it, or export again")


def dataset_info(seen: Seen) -> Iterator[Problem]:
    """Entries of `dataset_info.json` that drop rows, or change them."""
    file = next((place / INFO for place in (seen.root, seen.folder.parent) if (place / INFO).is_file()), None)
    if file is None or file.parent == seen.folder:
        return
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        entries = None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        yield Problem("is no object of entries", file=str(file), hint="export it again")
        return
    for name, entry in entries.items():
        yield from _entry_problems(seen, file, name, entry)


def _entry_problems(seen: Seen, file: Path, name: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    def problem(what: str, hint: str) -> Problem:
        return Problem(what, file=str(file), key=name, hint=hint)

    if "file_name" not in entry:
        return
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if not (isinstance(entry["file_name"], str) and isinstance(columns, dict) and isinstance(tags, dict)):
        yield problem("is no entry: 'file_name' is a text, 'columns' and 'tags' are objects", "export it again")
        return
    place = file.parent / entry["file_name"]
    if not place.exists():
        yield problem(f"names {entry['file_name']}, which is not there", "name the folder of the shards")
        return
    if entry.get("formatting") == "openai":
        yield problem("has the formatting 'openai', which invents a system prompt", "write 'sharegpt' with all tags")
    if not place.samefile(seen.folder):
        return
    for key, column in columns.items():
        if column is not None and column not in seen.names:
            yield problem(f"names the column '{column}' for {key}, which is not there", "name a column of the shards")
    if entry.get("formatting", "alpaca") == "alpaca":
        lacking = [key for key in ("prompt", "response") if key not in columns]
        if lacking:
            yield problem(f"does not say which column is the {' and the '.join(lacking)}", "add it under 'columns'")
        return
    if lacking := [tag for tag in TAGS if tag not in tags]:
        what = f"lacks the tags {', '.join(lacking)}: every row would be dropped"
        yield problem(what, "write all seven tags")
    if "messages" not in columns:
        yield problem("does not say which column is 'messages'", "add it under 'columns'")
    wanted = (
        ("from", "value", "human", "gpt") if seen.layout == "sharegpt" else ("role", "content", "user", "assistant")
    )
    wrong = [
        f"{tag} is '{tags[tag]}', not '{want}'"
        for tag, want in zip(TAGS, wanted, strict=False)
        if tag in tags and tags[tag] != want
    ]
    if wrong:
        yield problem(f"does not name what is in the turns: {', '.join(wrong)}", "write them as they are in the rows")


def no_dataset_info(seen: Seen) -> Iterator[Problem]:
    """No `dataset_info.json`, without which LLaMA-Factory reads no local folder."""
    tokenised = seen.kind == "disk"
    if not tokenised and not any((place / INFO).is_file() for place in (seen.root, seen.folder.parent)):
        what = f"has no {INFO}, without which LLaMA-Factory does not find it"
        yield Problem(what, file=str(seen.root), hint="'flanmix export --for llama-factory' writes it")


def workers(seen: Seen) -> Iterator[Problem]:
    """LLaMA-Factory: streaming without workers stops at once."""
    for file, config in configs(seen):
        if config.get("streaming") and not config.get("dataloader_num_workers"):
            yield Problem(
                "streams without workers, which stops at once", file=str(file), hint="set dataloader_num_workers: 1"
            )


def streaming(seen: Seen) -> Iterator[Problem]:
    """TRL: streaming needs a number of steps, and refuses fractions."""
    for file, config in configs(seen):
        if not config.get("streaming"):
            continue
        if not config.get("max_steps"):
            yield Problem("streams without 'max_steps'", file=str(file), hint="add max_steps, or set streaming: false")
        entries = config.get("datasets")
        entries = entries if isinstance(entries, list) else []
        if any("fraction" in entry for entry in entries if isinstance(entry, dict)):
            yield Problem("streams with 'fraction', which is refused", file=str(file), hint="leave fraction out")


def every_turn_trained(seen: Seen) -> Iterator[Problem]:
    """TRL: messages train on every turn, unless one says otherwise."""
    if seen.layout != "messages":
        return
    found = list(configs(seen))
    hint = "set assistant_only_loss: true, with a chat template that marks {% generation %}"
    for file, config in found:
        if not config.get("assistant_only_loss"):
            yield Problem("trains on the turns of the user, too", file=str(file), hint=hint)


def every_turn_may_be_trained(seen: Seen) -> Iterator[Problem]:
    """TRL: messages without a file that says on what to train."""
    if seen.layout == "messages" and not list(configs(seen)):
        what = "has messages: TRL trains on the turns of the user, too, unless assistant_only_loss is set"
        yield Problem(what, file=str(seen.folder), hint="'flanmix export --for trl' writes a config")


def cut_rows(seen: Seen) -> Iterator[Problem]:
    """TRL: a `max_length` cuts rows without a word, and 1,024 is what it takes where none is given."""
    for file, config in configs(seen):
        if "datasets" in config and "max_length" not in config:
            hint = "set max_length: null, or the number you want"
            yield Problem("has no 'max_length': rows are cut at 1,024 tokens", file=str(file), hint=hint)


def last_response_only(seen: Seen) -> Iterator[Problem]:
    """llm-foundry: of several answers the last alone is trained, unless one says otherwise."""
    if seen.layout != "messages":
        return
    told = [(file, target) for file, config in configs(seen) for target in _values(config, "target_responses")]
    if told and all(target == "all" for _, target in told):
        return
    number = 0
    for shard in seen.shards:
        for table in batches(shard):
            found = several_answers(Batch(seen, table))
            number += 0 if found is None else int(np.count_nonzero(found))
    if number:
        what = f"trains on the last of several answers alone, and {number:,} rows have several"
        place = told[0][0] if told else seen.folder
        yield Problem(what, file=str(place), hint="set target_responses: all")


def _values(config: Any, key: str) -> Iterator[Any]:
    """What stands under a key, anywhere in a config; `last` where a dataset says nothing."""
    if isinstance(config, dict):
        if "hf_name" in config or key in config:
            yield config.get(key, "last")
        for value in config.values():
            yield from _values(value, key)


def prepared_path(seen: Seen) -> Iterator[Problem]:
    """axolotl: prepared rows are found again by the path, not by what the files hold."""
    plan = str(seen.facts.get("plan", ""))[:12]
    for file, config in configs(seen):
        if "datasets" in config and plan not in str(config.get("dataset_prepared_path")):
            what = f"'dataset_prepared_path' does not name the plan ({plan}): rows prepared before would be trained on"
            yield Problem(what, file=str(file), hint=f"set dataset_prepared_path: prepared/{seen.folder.name}")


def one_row(seen: Seen) -> Iterator[Problem]:
    """open-instruct: a share of `1` is one row, `1.0` all of them."""
    for file in sorted(seen.root.glob("*.sh")):
        if re.search(r"--dataset_mixer_list\s+\S+\s+1(?!\.)\b", file.read_text(encoding="utf-8")):
            yield Problem("takes 1 row of the data", file=str(file), hint="write 1.0 for all rows")


def index(seen: Seen) -> Iterator[Problem]:
    """litData: an `index.json` that tells of other files, or of another number of rows."""
    import pyarrow.parquet as pq

    file = seen.folder / "index.json"
    if not file.is_file() or seen.kind != "parquet":
        return
    try:
        chunks = {
            chunk["filename"]: chunk["chunk_size"] for chunk in json.loads(file.read_text(encoding="utf-8"))["chunks"]
        }
    except (ValueError, KeyError, TypeError):
        yield Problem("is no index of litData", file=str(file), hint="export it again")
        return
    if chunks != {shard.name: pq.read_metadata(shard).num_rows for shard in seen.shards}:
        yield Problem(
            "tells of other shards than those here", file=str(file), hint="remove it and index the folder again"
        )
