"""A small sound catalogue for the tests of the linter, and ways to spoil it."""

from pathlib import Path

from flanmix.lint import Report, lint
from flanmix.registry import load_registry

FAMILY = """\
family: quiz
fields: [passage, question, choices, reason, answer]
templates:
  - name: bare
    input: |-
      {{ passage }}

      {{ question }}
    target: "{{ answer }}"

  - name: listed
    input: |-
      Read this first:
      {{ passage }}

      Question: {{ question }}
      You may reply with:
      {{ options }}
    target: "{{ answer }}"
    tags: [options]

  - name: reasoned
    input: |-
      Think before you reply to "{{ question }}" (one sentence will do).

      {{ passage }}
    target: |-
      {{ reason }}
      The answer is {{ answer }}.
    extract: 'The answer is (?P<answer>.*)\\.'
    tags: [cot]

  - name: inverted
    when: "{{ answer != 'cannot say' }}"
    input: |-
      {{ passage }}

      Write a question about this whose answer is "{{ answer }}".
    target: "{{ question }}"
    tags: [inverted]
"""
TASK = """\
task: toy
type: quiz
source: {files: toy.tsv}
fields:
  passage: passage
  question: question
  choices: ["in May", "in June", "cannot say"]
  reason: reason
  answer: answer
drop: "{{ passage == 'spoilt' }}"
"""
ROWS = """\
passage\tquestion\treason\tanswer
Ann came in May and stayed.\tWhen did Ann come?\tIt says when she came.\tin May
Bob came late in June.\tWhen did Bob come?\tIt says when he came.\tin June
Cleo came and left.\tWhen did Cleo come?\tThe text gives no time.\tcannot say
Dan was here in May as well.\tWhen was Dan here?\tIt says when he was here.\tin May
Eve saw Dan in June.\tWhen did Eve see Dan?\tIt says when she saw him.\tin June
spoilt\tspoilt\tspoilt\tspoilt
"""
FILES = {"quiz.yaml": FAMILY, "toy.yaml": TASK, "toy.tsv": ROWS}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    return folder


def spoilt(file: str, old: str, new: str) -> dict[str, str]:
    """The catalogue with one place changed."""
    assert FILES[file].count(old) == 1, old
    return {**FILES, file: FILES[file].replace(old, new)}


def linted(folder: Path, *, rows: int = 100) -> Report:
    """What the linter finds in a folder and nowhere else."""
    registry = load_registry(folder, bundled=False, plugins=False)
    families = {name: (family, registry.where(family)) for name, family in registry.families.items()}
    return lint(list(registry.tasks.values()), families, rows=rows)


def found(report: Report) -> list[tuple[str, str, int | None]]:
    """The rule, file and line of each finding."""
    assert not report.problems
    assert not report.unread
    return [(each.rule, Path(each.found.file or "").name, each.found.line) for each in report.findings]
