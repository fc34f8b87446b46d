"""The dataset card: what `load_dataset` needs to read the folder, and what people need to trust it."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from flanmix.spec import Task

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))


def card(manifest: Mapping[str, Any], tasks: Sequence[Task], description: str) -> str:
    """The README.md of a built folder: YAML front matter with the splits, then tables in Markdown."""
    licences = sorted({task.licence.lower() for task in tasks if task.licence})
    languages = sorted({language for task in tasks for language in task.languages})
    rows = manifest["rows"]
    front = {
        "pretty_name": manifest["mixture"],
        "license": licences[0] if len(licences) == 1 and all(task.licence for task in tasks) else "other",
        **({"language": languages} if languages else {}),
        "size_categories": [next((word for limit, word in _SIZES if rows < limit), "n>10M")],
        "tags": ["instruction-tuning", "flanmix"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": manifest["split"], "path": f"data/{manifest['split']}-*.{manifest['format']}"}
                ],
            }
        ],
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{_body(manifest, tasks, description)}"


def _body(manifest: Mapping[str, Any], tasks: Sequence[Task], description: str) -> str:
    lines = [
        f"# {_plain(manifest['mixture'])}",
        "",
        *([_plain(description), ""] if description else []),
        f"{manifest['rows']:,} rows in {len(manifest['shards'])} shards, layout `{manifest['layout']}`, built by "
        f"flanmix {manifest['flanmix']} with seed {manifest['seed']}. Plan `{manifest['plan'][:16]}`.",
        "",
        "```python",
        "import datasets",
        "",
        f'ds = datasets.load_dataset("path/to/this/folder", split="{manifest["split"]}")',
        "```",
        "",
        "## Tasks",
        "",
        "| task | type | rows | share | epochs | dropped |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for task in manifest["tasks"]:
        share = task["written"] / manifest["rows"] if manifest["rows"] else 0
        lines.append(
            f"| {_plain(task['task'])} | {_plain(task['type'])} | {task['written']:,} | {share:.2%} "
            f"| {task['epochs']:.2f} | {sum(task['dropped'].values()):,} |"
        )
    lines += ["", "## Sources", "", "| task | licence | languages | citation |", "|---|---|---|---|"]
    lines += [
        f"| {_plain(task.name)} | {_plain(task.licence or 'not stated')} | {', '.join(task.languages)} "
        f"| {_plain(task.citation or '')} |"
        for task in tasks
    ]
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Text that cannot break out of a Markdown table cell."""
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
    return " ".join(escaped.split())
