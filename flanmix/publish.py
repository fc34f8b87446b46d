"""The dataset card: what `load_dataset` needs to read the folder, and what people need to trust it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from flanmix.spec import Task
from flanmix.words import count_of

_SIZES = (
    "n<1K",
    "1K<n<10K",
    "10K<n<100K",
    "100K<n<1M",
    "1M<n<10M",
    "10M<n<100M",
    "100M<n<1B",
    "1B<n<10B",
    "10B<n<100B",
)
"""The Hub's words for less than a thousand rows, for ten times as many, and so on."""


def card(manifest: Mapping[str, Any], tasks: Sequence[Task], description: str) -> str:
    """The README.md of a built folder: YAML front matter with the splits, then tables in Markdown."""
    licences = sorted({task.licence.lower() for task in tasks if task.licence})
    languages = sorted({language for task in tasks for language in task.languages})
    rows = manifest["rows"]
    front = {
        "pretty_name": manifest["mixture"],
        "license": licences[0] if len(licences) == 1 and all(task.licence for task in tasks) else "other",
        **({"language": languages} if languages else {}),
        "size_categories": [size_of(rows)],
        "tags": ["instruction-tuning", "flanmix"],
        "configs": [_config(manifest, "default", "data")],
    }
    return f"{front_matter(front)}\n{_body(manifest, tasks, description)}"


def front_matter(front: Mapping[str, Any]) -> str:
    """What stands at the head of a card, between its lines of three dashes.

    >>> front_matter({"license": "mit"})
    '---\\nlicense: mit\\n---\\n'
    """
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n"


def size_of(rows: int) -> str:
    """The Hub's word for so many rows.

    >>> size_of(999), size_of(1000)
    ('n<1K', '1K<n<10K')
    """
    return _SIZES[min(max(len(str(rows)) - 3, 0), len(_SIZES) - 1)]


def _config(manifest: Mapping[str, Any], name: str, folder: str) -> dict[str, Any]:
    """One config of a card. `datasets` caches a local folder by its last name and by what stands here, not by files."""
    path = f"{folder}/{manifest['split']}-*.{manifest['format']}"
    data_files = [{"split": manifest["split"], "path": path}]
    return {"config_name": name, "description": f"build {manifest['build']}", "data_files": data_files}


def card_of_stages(facts: Mapping[str, Any], stages: Mapping[str, Mapping[str, Any]]) -> str:
    """The README.md above the builds of stages: a config for each, in the order in which they are trained on."""
    front = {
        "pretty_name": facts["mixture"],
        "license": "other",
        "size_categories": [size_of(facts["rows"])],
        "tags": ["instruction-tuning", "flanmix"],
        "configs": [_config(manifest, stage, f"{stage}/data") for stage, manifest in stages.items()],
    }
    first, manifest = next(iter(stages.items()))
    lines = [
        f"# {plain(facts['mixture'])}",
        "",
        f"{count_of(facts['rows'], 'row')} in {count_of(len(stages), 'stage')}, to be trained on in this order; each "
        f"folder tells of its own sources and licences. Built by flanmix {facts['flanmix']}.",
        "",
        "```python",
        "import datasets",
        "",
        f'ds = datasets.load_dataset("path/to/this/folder", "{first}", split="{manifest["split"]}")',
        "```",
        "",
        "| stage | rows | tasks |",
        "|---|--:|--:|",
        *(f"| {stage} | {each['rows']:,} | {len(each['tasks'])} |" for stage, each in stages.items()),
        "",
    ]
    return f"{front_matter(front)}\n" + "\n".join(lines)


def _body(manifest: Mapping[str, Any], tasks: Sequence[Task], description: str) -> str:
    encoded = "encoding" in manifest
    size = f"{count_of(manifest['rows'], 'row')} in {count_of(len(manifest['shards']), 'shard')}"
    lines = [
        f"# {plain(manifest['mixture'])}",
        "",
        *([plain(description), ""] if description else []),
        f"{size}, layout `{manifest['layout']}`, built by flanmix {manifest['flanmix']} "
        f"with seed {manifest['seed']}. Plan `{manifest['plan'][:16]}`.",
        "",
        "```python",
        "import datasets",
        "",
        f'ds = datasets.load_dataset("path/to/this/folder", split="{manifest["split"]}")',
        "```",
        "",
        "## Tasks",
        "",
        f"| task | type | rows | share | epochs | dropped |{' tokens | loss tokens |' if encoded else ''}",
        f"|---|---|--:|--:|--:|--:|{'--:|--:|' if encoded else ''}",
    ]
    for task in manifest["tasks"]:
        share = task["written"] / manifest["rows"] if manifest["rows"] else 0
        lines.append(
            f"| {plain(task['task'])} | {plain(task['type'])} | {task['written']:,} | {share:.2%} "
            f"| {task['epochs']:.2f} | {sum(task['dropped'].values()):,} |"
            + (f" {task['tokens']:,} | {task['loss_tokens']:,} |" if encoded else "")
        )
    if encoded:
        encoding = manifest["encoding"]
        lines += ["", f"{encoding['tokens']:,} tokens, {encoding['loss_tokens']:,} of them trained."]
    if "packing" in manifest:
        packing = manifest["packing"]
        lines[-1] += (
            f" {count_of(packing['packs'], 'pack')} of {packing['capacity']:,}, {packing['fill_rate']:.2%} full."
        )
    lines += _held_out(manifest.get("held_out", ()))
    lines += ["", "## Sources", "", "| task | licence | languages | citation |", "|---|---|---|---|"]
    lines += [
        f"| {plain(task.name)} | {plain(task.licence or 'not stated')} | {plain(', '.join(task.languages))} "
        f"| {plain(task.citation or '')} |"
        for task in tasks
    ]
    return "\n".join([*lines, ""])


def _held_out(held: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tasks that are held out, for those who evaluate what is trained on the folder."""
    if not held:
        return []
    rows = (f"| {plain(each['task'])} | {plain(each['reason'])} | {plain(each['because'])} |" for each in held)
    return ["", "## Held out", "", "No row is of these tasks.", "", "| task | reason | |", "|---|---|---|", *rows]


def plain(text: str) -> str:
    """Text as one line of Markdown that shows it as it is: no cell, tag, link, image or terminal code comes of it."""
    line = " ".join("".join(" " if ord(sign) < 32 or ord(sign) == 127 else sign for sign in text).split())
    return re.sub(r"([\\|`\[\]])", r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))
