"""`flanmix new`: a file to start from."""

import re
from pathlib import Path

import click

from flanmix.durable import write_text
from flanmix.errors import UsageError, did_you_mean
from flanmix.spec import NAME_PATTERN, SLUG_PATTERN
from flanmix.words import TASK_TYPES

_TASK = """\
task: {name}
type: {type}
description: One sentence on what the task asks.
tags: [english]
source: {{files: {last}.tsv}}              # or {{path: hub/id, name: config, split: {{train: train}}}}
fields:                                # what the templates use: a column, a list, or "{{{{ an expression }}}}"
  question: question
  answer: answer
# drop: "{{{{ answer == '' }}}}"           # rows to leave out, counted
templates:
  use: []                              # families, e.g. [closed_book_qa]
  add:
    - name: plain
      input: "{{{{ question }}}}"
      target: "{{{{ answer }}}}"
licence: CC-BY-4.0
languages: [en]
"""
_DIALOGUE = """\
task: {name}
type: dialogue
description: One sentence on what the conversations are about.
tags: [english]
source: {{files: {last}.jsonl}}            # or {{path: hub/id, name: config, split: {{train: train}}}}
conversation: detect                   # or {{messages: COLUMN, role: from, content: value}} …
# drop: "{{{{ history | length > 9 }}}}"     # rows to leave out, counted
licence: CC-BY-4.0
languages: [en]
"""
_TALKS = """\
{"messages": [{"role": "user", "content": "How many legs has a spider?"}, {"role": "assistant", "content": "Eight."}]}
{"messages": [{"role": "system", "content": "Use one word."}, \
{"role": "user", "content": "Which planet is closest to the Sun?"}, {"role": "assistant", "content": "Mercury."}, \
{"role": "user", "content": "And the next?"}, {"role": "assistant", "content": "Venus."}]}
"""
_ROWS = "question\tanswer\nHow many legs does a spider have?\teight\nWhich planet is closest to the Sun?\tMercury\n"
_FAMILY = """\
family: {name}
description: What the tasks of this type have in common.
fields: [question, answer]
templates:
  - name: plain
    input: "{{{{ question }}}}"
    target: "{{{{ answer }}}}"
  - name: please-answer
    input: |-
      Please answer this question.

      {{{{ question }}}}
    target: "{{{{ answer }}}}"
"""
_MIXTURE = """\
mixture: {name}
seed: 7
rows: 10_000                           # or epochs: 1
parts:
  - {{select: "type:nli", weight: 2}}
  - {{select: "tag:handwritten -type:nli", weight: 1}}
defaults: {{max_rows: 30_000, rate_cap: 3_000, max_epochs: 20}}
"""


@click.command("new")
@click.argument("kind", type=click.Choice(["task", "family", "mixture"]))
@click.argument("name")
@click.option("--type", "type_", default="closed_book_qa", show_default=True, help="The type of a new task.")
@click.option("-o", "--into", default=".", show_default=True, metavar="DIR", help="The registry folder to write to.")
def command(kind: str, name: str, type_: str, into: str) -> None:
    """Write a commented YAML file for a task (with two rows of data), a family or a mixture."""
    pattern, rule = (SLUG_PATTERN, "") if kind == "family" else (NAME_PATTERN, ", parted by '/'")
    if not re.fullmatch(pattern, name) or len(name) > 100:
        raise UsageError(f"{name!r} is not a name", hint=f"up to 100 letters, digits, '_', '-', '.'{rule}")
    near = did_you_mean(type_, TASK_TYPES)
    if kind == "task" and type_ not in TASK_TYPES and (near or not re.fullmatch(SLUG_PATTERN, type_)):
        raise UsageError(f"no task type is called {type_!r}", hint=near or f"there are {', '.join(sorted(TASK_TYPES))}")
    last = name.rpartition("/")[2]
    file = Path(into, f"{name}.yaml")
    talks = type_ == "dialogue"
    text = {"task": _DIALOGUE if talks else _TASK, "family": _FAMILY, "mixture": _MIXTURE}[kind]
    files = {file: text.format(name=name, type=type_, last=last)}
    if kind == "task":
        files[file.with_name(f"{last}.{'jsonl' if talks else 'tsv'}")] = _TALKS if talks else _ROWS
    there = [path for path in files if path.exists()]
    if there:
        raise UsageError(f"{there[0]} is there already", hint="choose another name or remove it")
    in_the_way = next((place for place in file.parents if place.exists() and not place.is_dir()), None)
    if in_the_way:
        raise UsageError(f"{in_the_way} is a file", hint="name a folder with -o, or choose another name")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            write_text(path, text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", hint="name another folder with -o") from error
    for path in files:
        click.echo(path)
