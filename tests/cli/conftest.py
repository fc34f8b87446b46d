"""A working folder with a small registry, and the command line to run in it."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from flanmix.cli import run

SUMS = """\
task: toy/sums
type: arithmetic
description: Sums of two numbers.
tags: [english, toy]
source: {files: {train: sums.tsv, validation: sums.tsv}}
fields: {question: q, answer: a}
templates:
  - name: plain
    input: "{{ question }}"
    target: "{{ answer }}"
  - name: polite
    input: "Please tell me: {{ question }}"
    target: "{{ answer }}"
languages: [en]
"""
COLOURS = """\
task: toy/colours
type: riddles
tags: [toy]
source: {files: "colours.j*"}
fields: {question: q, choices: [red, green, blue], answer: "{{ choices[label] }}"}
"""
RIDDLES = """\
family: riddles
fields: [question, choices, answer]
templates:
  - name: choose
    input: |-
      {{ question }}
      {{ options }}
    target: "{{ answer }}"
    tags: [options]
"""
MIXTURE = """\
mixture: mini
seed: 7
rows: 12
parts:
  - {select: "type:arithmetic toy/*", weight: 2}
  - {select: "type:riddles"}
"""
FILES = {
    "sums.yaml": SUMS,
    "sums.tsv": "q\ta\n" + "".join(f"{n} + {n}?\t{2 * n}\n" for n in range(10)),
    "colours.yaml": COLOURS,
    "colours.jsonl": '{"q": "Sky?", "label": 2}\n{"q": "Grass?", "label": 1}\n',
    "riddles.yaml": RIDDLES,
    "mix.yaml": MIXTURE,
}


class Result(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


Flanmix = Callable[[str], Result]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small registry in it."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def flanmix(capsys: pytest.CaptureFixture[str]) -> Flanmix:
    """The command line: `flanmix("ls --format json").out`."""

    def command_line(text: str) -> Result:
        capsys.readouterr()
        code = run(shlex.split(text))
        return Result(code, *capsys.readouterr())

    return command_line


@pytest.fixture
def good(flanmix: Flanmix) -> Flanmix:
    """The command line, for commands that go well."""

    def command_line(text: str) -> Result:
        result = flanmix(text)
        assert result.code == 0, result.err
        return result

    return command_line
