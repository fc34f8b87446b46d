"""A small catalogue for the tests of builds, and what such a test looks at in a folder."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

import flanmix as fm
from flanmix.layouts import LAYOUTS, TOKENS

TEXT_LAYOUTS = sorted(set(LAYOUTS) - set(TOKENS))
"""The layouts that take no tokenizer."""
PLAIN = fm.Template("plain", input="{{ question }}", target="{{ answer }}")
LONG = fm.Template("long", input="{% if answer|length > 2 %}Big: {% endif %}{{ question }}\n", target="{{ answer }}.")
SUMS = fm.Task(
    "toy/sums",
    type="arithmetic",
    source=[{"question": f"{n} + {n * n}?", "answer": str(n + n * n)} for n in range(97)],
    templates=[PLAIN, LONG],
    licence="CC0-1.0",
    languages=["en"],
)
NOTES = fm.Task(
    "toy/notes",
    type="summarization",
    source=[{"text": f"Note {n}: " + "näht 日本\n" * (n % 7), "short": " " if n % 3 else "kurz 🙂"} for n in range(41)],
    templates=[fm.Template("shorten", input="{{ text }}", target="{{ short }}")],
)
"""Two of three of its rows are dropped: their target is blank."""
RARE = fm.Task(
    "toy/rare",
    type="closed_book_qa",
    source=[{"question": f"Q{n}", "answer": f"A{n}"} for n in range(5)],
    templates=[PLAIN],
)


def toy_plan(*tasks: fm.Task, rows: int = 400, seed: int = 7, **mixture: Any) -> fm.Plan:
    """A plan over these tasks, or over all three: equal shares, repeated as often as need be."""
    specs = tasks or (SUMS, NOTES, RARE)
    catalogue = fm.load_registry(specs=specs, bundled=False, plugins=False)
    parts = [fm.Part(task.name) for task in specs]
    return fm.Mixture("toy", parts=parts, rows=rows, seed=seed, rate_cap=1, **mixture).plan(catalogue)


def table_task(name: str, columns: dict[str, Any], **template: str) -> fm.Task:
    """A task over columns of Arrow or Python values, with one template."""
    wording = {"input": "{{ question }}", "target": "{{ answer }}", **template}
    return fm.Task(name, type="arithmetic", source=pa.table(columns), templates=[fm.Template("plain", **wording)])


class Seen(NamedTuple):
    """One file as it was."""

    inode: int
    changed: int
    sha256: str


def seen(folder: Path) -> dict[str, Seen]:
    """Every file below a folder (hidden ones too) with its inode, time and content; folders end in a slash."""
    found = {}
    for place in sorted(folder.rglob("*")):
        name, facts = str(place.relative_to(folder)), place.stat()
        if place.is_dir():
            found[f"{name}/"] = Seen(facts.st_ino, 0, "")
        else:
            content = hashlib.sha256(place.read_bytes()).hexdigest()
            found[name] = Seen(facts.st_ino, facts.st_mtime_ns, content)
    return found


def hashes(folder: Path) -> dict[str, str]:
    """Every file below a folder and the hash of its content."""
    return {name: file.sha256 for name, file in seen(folder).items()}


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest as any JSON reader sees it."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def built(plan: fm.Plan, folder: Path, **options: Any) -> Path:
    """Build without a progress bar; gives the folder."""
    return plan.build(folder, quiet=True, **options).folder
