"""A small catalogue for the tests of eval sets: two splits, wordings of every style, and how sets are read back."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import flanmix as fm
from flanmix.registry import Registry

CHOICES = ["yes", "no", "it depends"]
ROWS = {"train": 40, "validation": 12}

CLAIMS = """\
task: toy/claims
type: nli
source: {files: {train: claims-train.jsonl, validation: claims-validation.jsonl}}
fields: {claim: claim, why: why, choices: ["yes", "no", "it depends"], answer: "{{ choices[label] }}"}
templates:
  - {name: plain, input: "Is it so: {{ claim }}?", target: "{{ answer }}."}
  - name: listed
    input: "{{ claim }}\\n{{ options }}"
    target: "{{ answer }}"
    tags: [options]
  - {name: even, when: "{{ even }}", input: "{{ claim }}", target: "{{ answer }}"}
  - {name: write, input: "Write a claim to which one says {{ answer }}.", target: "{{ claim }}", tags: [inverted]}
  - name: reason
    input: "{{ claim }}? Reason first."
    target: "{{ why }} So I say {{ answer }}, that is {{ answer }}!"
    tags: [cot]
    extract: "(say|is) (?P<answer>yes|no|it depends)"
licence: CC0-1.0
languages: [en]
"""
SUMS = """\
task: toy/sums
type: arithmetic
source: {files: sums.tsv}
fields: {question: q, answer: a}
templates:
  - {name: ask, input: "{{ question }}", target: "{{ answer }}"}
  - {name: polite, input: "Please: {{ question }}", target: " {{ answer }}\\n"}
"""
MIXTURE = """\
mixture: lab/mini
seed: 3
rows: 10
separator: " => "
parts: [{select: "toy/sums"}]
hold_out: ["toy/claims"]
"""


def claim(split: str, number: int) -> dict[str, Any]:
    """A row: its claim is its own, but that some rows of `train` say again what one of `validation` says."""
    text = f"{'validation' if number % 10 == 0 else split} claim {number}"
    return {"claim": text, "label": number % 3, "even": number % 2 == 0, "why": f"Because of {number}."}


def write_catalogue(folder: Path) -> Path:
    """Write the files of the catalogue into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in ROWS.items():
        lines = (json.dumps(claim(split, number)) for number in range(rows))
        (folder / f"claims-{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "claims.yaml").write_text(CLAIMS.replace("why: why,", "why: why, even: even,"), encoding="utf-8")
    (folder / "sums.tsv").write_text("q\ta\n" + "".join(f"{n} + {n}?\t{2 * n}\n" for n in range(20)), encoding="utf-8")
    (folder / "sums.yaml").write_text(SUMS, encoding="utf-8")
    (folder / "mix.yaml").write_text(MIXTURE, encoding="utf-8")
    return folder


def catalogue(folder: Path) -> Registry:
    """The catalogue in a folder, without the bundled one."""
    return fm.load_registry(write_catalogue(folder), bundled=False, plugins=False)


def of_tasks(*tasks: fm.Task) -> Registry:
    """A catalogue of tasks made in Python."""
    return fm.load_registry(specs=tasks, bundled=False, plugins=False)


def table(sets: fm.EvalSets, name: str) -> pa.Table:
    """The rows of a set."""
    return pq.read_table(sets.folder / "data" / f"{name}-00000-of-00001.parquet")


def rows_of(sets: fm.EvalSets, name: str) -> list[dict[str, Any]]:
    """The rows of a set as dicts."""
    rows: list[dict[str, Any]] = table(sets, name).to_pylist()
    return rows
