"""The dataset card of eval sets: a config for each, and what is in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from flanmix.publish import front_matter, plain, size_of
from flanmix.spec import Task
from flanmix.words import count_of


def card(manifest: Mapping[str, Any], tasks: Sequence[Task]) -> str:
    """The README.md of a folder of eval sets."""
    licences = sorted({task.licence.lower() for task in tasks if task.licence})
    languages = sorted({language for task in tasks for language in task.languages})
    sets = [each for each in manifest["tasks"] if each["written"]]
    front = {
        "pretty_name": manifest["evalset"],
        "license": licences[0] if len(licences) == 1 and all(task.licence for task in tasks) else "other",
        **({"language": languages} if languages else {}),
        "size_categories": [size_of(manifest["rows"])],
        "tags": ["evaluation", "flanmix"],
        "configs": [_config(manifest, each) for each in sets],
    }
    return f"{front_matter(front)}\n{_body(manifest, sets, tasks)}"


def _config(manifest: Mapping[str, Any], each: Mapping[str, Any]) -> dict[str, Any]:
    """`datasets` caches a local folder by its last name and by what stands here, not by files."""
    data_files = [{"split": each["split"], "path": f"data/{each['set']}-*.parquet"}]
    return {"config_name": each["set"], "description": f"build {manifest['build']}", "data_files": data_files}


def _body(manifest: Mapping[str, Any], sets: Sequence[Mapping[str, Any]], tasks: Sequence[Task]) -> str:
    first = sets[0]
    lines = [
        f"# {plain(manifest['evalset'])}: eval sets",
        "",
        f"{count_of(manifest['rows'], 'row')} in {count_of(len(sets), 'set')} of {count_of(len(tasks), 'task')}, "
        f"written by flanmix {manifest['flanmix']} with seed {manifest['options']['seed']}. Build "
        f"`{manifest['build'][:16]}`.",
        "",
        "```python",
        "import datasets",
        "",
        f'ds = datasets.load_dataset("path/to/this/folder", "{first["set"]}", split="{first["split"]}")',
        "```",
        "",
        *(_harness(manifest) if manifest["harness"] else []),
        "| set | task | type | split | shots | rows | dropped |",
        "|---|---|---|---|--:|--:|--:|",
        *(
            f"| {each['set']} | {plain(each['task'])} | {plain(each['type'])} | {each['split']} | {each['shots']} "
            f"| {each['written']:,} | {sum(each['dropped'].values()):,} |"
            for each in sets
        ),
        "",
        "## Sources",
        "",
        "| task | licence | languages | citation |",
        "|---|---|---|---|",
        *(
            f"| {plain(task.name)} | {plain(task.licence or 'not stated')} | {plain(', '.join(task.languages))} "
            f"| {plain(task.citation or '')} |"
            for task in tasks
        ),
    ]
    return "\n".join([*lines, ""])


def _harness(manifest: Mapping[str, Any]) -> list[str]:
    groups = ",".join(manifest["harness"])
    return [
        "With [lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness), from any folder:",
        "",
        "```",
        f"lm_eval --include_path path/to/this/folder/lm_eval --tasks {groups} --model …",
        "```",
        "",
    ]
