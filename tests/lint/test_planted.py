"""Faults planted one by one into a sound catalogue: each is found by its own rule, in its line, and nothing else is."""

from pathlib import Path
from typing import NamedTuple

import pytest

from flanmix.lint import RULES
from tests.lint.catalogue import FILES, found, linted, spoilt, write


class Fault(NamedTuple):
    """`old` in a file becomes `new`; the fault stands where `at` begins."""

    rule: str
    old: str
    new: str
    at: str
    file: str = "quiz.yaml"


BARE = """\
  - name: bare
    input: |-
      {{ passage }}

      {{ question }}
    target: "{{ answer }}"
"""
LISTED = "  - name: listed\n"
LONG = """\
  - name: {}
    input: |-
      {}ead what is written below with care, and then tell me in a few plain words, no more, how you would answer.

      {{{{ question }}}}
      {{{{ passage }}}}
    target: "{{{{ answer }}}}"
"""
OWN = """\
templates:
  use: [quiz]
  add:
    - name: own
      input: |-
        {{ passage }}
        {{ question }}
      target: "{{ answer }}"
"""
THINK = '      Think before you reply to "{{ question }}" (one sentence will do).'


GUARD = """\
      when: "{{ answer == 'cannot tell' }}"
"""
TALK = """\
  - name: talk
    turns:
    - user: TODO say hello
      assistant: Hello! What is it?
    - user: "{{ passage }} {{ question }}"
      assistant: "{{ answer }}"
"""


def think(text: str) -> tuple[str, str, str]:
    """The first line of a wording's input in other words, which is where the fault stands."""
    return THINK, f"      {text}", text.split("\n")[0]


FAULTS = [
    # fields
    Fault("unused-field", "reason, answer]", "reason, hint, answer]", "reason, hint"),
    Fault("unused-field", "  answer: answer\n", "  answer: answer\n  note: reason\n", "  note: reason", "toy.yaml"),
    Fault(
        "ignores-row",
        "      {{ passage }}\n\n      {{ question }}\n",
        "      Tell me something.\n",
        "    input: |-\n      Tell",
    ),
    Fault("constant-target", BARE, BARE.replace('"{{ answer }}"', "in May"), "    target: in May"),
    # leftovers
    Fault("jinja-marks", *think('Think about "{% raw %}{{ question }}{% endraw %}" and {{ question }}')),
    Fault("jinja-marks", *think('Think about "{{ question }}" and say }} why.')),
    Fault("todo", *think('Think about "{{ question }}". TODO better words.')),
    Fault("todo", *think('Lorem ipsum dolor sit: "{{ question }}"')),
    Fault("placeholder", *think('Think about "{question}" and "{{ question }}".')),
    Fault("placeholder", *think('Think about "{{ question }}" and $answer.')),
    Fault("placeholder", *think('Think about "{{ question }}" and reply with <answer>.')),
    Fault("placeholder", *think('Think about "{{ question }}". [INSERT HINT]')),
    Fault("placeholder", *think('Think about "{{ question }}" and write ____ here.')),
    Fault("placeholder", *think('Think about "{{ question }}" and about %s.')),
    Fault("separator", *think('Think about "{{ question }}" ||| in a sentence.')),
    Fault("markup", *think("Think about &quot;{{ question }}&quot; in a sentence.")),
    Fault("markup", *think('Think about "{{ question }}"<br>in a sentence.')),
    Fault("mojibake", *think("Think about â€œ{{ question }} in a sentence.")),
    Fault("escaped-newline", *think(r'Think about this.\n\n"{{ question }}"')),
    # punctuation
    Fault("unbalanced", *think('Think before you reply to "{{ question }}" (one sentence will do.')),
    Fault("unbalanced", *think('Think before you reply to "{{ question }} in a sentence.')),
    Fault("unbalanced", *think("Think before you reply to “{{ question }} in a sentence.")),
    Fault("doubled-punctuation", *think('Think about "{{ question }}" in a sentence..')),
    Fault("doubled-punctuation", *think("Think about the question {{ question }}.")),
    Fault(
        "label-punctuation", BARE, BARE.replace('"{{ answer }}"', '"{{ answer }})."'), '    target: "{{ answer }})."'
    ),
    # options
    Fault("options-untagged", "    tags: [options]\n", "", "    input: |-\n      Read this first"),
    Fault("options-missing", "      {{ options }}\n", "", "    input: |-\n      Read this first"),
    Fault("option-words", *think('Choose from the options: "{{ question }}"')),
    Fault("option-words", *think('"{{ question }}" Which of these is right?')),
    Fault("option-words", *think('Answer yes or no: "{{ question }}"')),
    Fault("option-words", *think('"{{ question }}" Is it in May or in June?')),
    Fault("option-words", *think('Options: a day\n\n      "{{ question }}"')),
    # white space
    Fault(
        "edge-space",
        "      {{ question }}\n    target",
        "      {{ question }}\n      Answer: \n    target",
        "      Answer: ",
    ),
    Fault("edge-space", BARE, BARE.replace("|-", "|"), "      {{ question }}\n    target: "),
    Fault("edge-space", BARE, BARE.replace('"{{ answer }}"', '" {{ answer }}"'), '    target: " {{ answer }}"'),
    Fault("line-space", *think('Think about "{{ question }}" \n      in a sentence.')),
    Fault("doubled-space", *think('Think about  "{{ question }}" in a sentence.')),
    Fault("blank-lines", "do).\n\n      {{ passage }}", "do).\n\n\n      {{ passage }}", THINK),
    Fault("odd-character", *think('Think about\u00a0"{{ question }}" in a sentence.')),
    Fault("odd-character", *think('Think about\u200b "{{ question }}" in a sentence.')),
    # instruction and data
    Fault("glued-to-data", *think("Think about this:{{ question }}")),
    Fault("glued-to-data", *think("Think about this.{{ question }}")),
    Fault("glued-to-data", *think("Think about{{ question }}")),
    Fault("glued-to-data", *think("{{ question }}Think about it.")),
    Fault("glued-to-data", *think('Think about:"{{ question }}"')),
    Fault("glued-to-data", *think('"{{ question }}"Think about it.')),
    Fault(
        "glued-to-data", BARE, BARE.replace("\n\n      {{ question", "{{ question"), "      {{ passage }}{{ question }}"
    ),
    # answers in the prompt
    Fault("answer-leak", *think('"{{ question }}" The answer is {{ answer }}; say why.')),
    Fault("answer-leak", *think('{% set a = answer %}"{{ question }}" Is it {{ a | upper }}?')),
    Fault("answer-leak", BARE, BARE.replace("{{ answer", "{{ question"), "      {{ question }}\n    target"),
    # wordings
    Fault(
        "duplicate-wording",
        "  - name: listed\n",
        BARE.replace("bare", "again") + "\n  - name: listed\n",
        '    input: |-\n      {{ passage }}\n\n      {{ question }}\n    target: "{{ answer }}"\n\n  - name: listed',
    ),
    Fault(
        "duplicate-wording",
        LISTED,
        LONG.format("one", "R") + LONG.format("two", "Now r") + LISTED,
        "    input: |-\n      Now",
    ),
    Fault("duplicate-wording", "drop:", OWN + "drop:", "      input: |-", "toy.yaml"),
    # system prompts and turns
    Fault("edge-space", BARE, BARE + "    system: 'Be brief. '\n", "    system:"),
    Fault("answer-leak", BARE, BARE + "    system: 'It is {{ answer }}, be sure.'\n", "    system:"),
    Fault("todo", LISTED, TALK + LISTED, "    - user: TODO"),
    # conditions and patterns
    Fault(
        "dead-guard",
        "drop:",
        OWN.replace("{{ passage", "Read. {{ passage") + GUARD + "drop:",
        "      when:",
        "toy.yaml",
    ),
    Fault("constant-guard", "answer != 'cannot say'", "1 == 1", "    when:"),
    Fault("extract-misses", "'The answer is (?P<answer>.*)\\.'", "'Answer: (?P<answer>.*)'", "    extract:"),
    Fault("extract-misses", "(?P<answer>.*)\\.'", "(?P<answer>.*)'", "    extract:"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{each.rule}-{number}" for number, each in enumerate(FAULTS)])
def test_a_planted_fault_is_found_by_its_rule_in_its_line(tmp_path: Path, fault: Fault) -> None:
    files = spoilt(fault.file, fault.old, fault.new)
    assert files[fault.file].count(fault.at) == 1
    line = files[fault.file].partition(fault.at)[0].count("\n") + 1
    assert found(linted(write(tmp_path, files))) == [(fault.rule, fault.file, line)]


def test_the_catalogue_they_are_planted_into_is_sound(tmp_path: Path) -> None:
    assert found(linted(write(tmp_path, FILES))) == []


class RowFault(NamedTuple):
    """A wording that is sound over the rows `sound`, and not over `rows`; the fault stands in its line `key`."""

    rule: str
    input: str
    target: str
    rows: list[tuple[str, str]]
    sound: list[tuple[str, str]]
    key: str = "input"


PLAIN = [("Who wrote it?", "Ann"), ("Who read it?", "Bob"), ("Who lost it?", "Cleo")]
SENTENCES = [("Ann came in.", "Bob went out."), ("Dan sat down.", "Eve stood up."), ("It rained.", "It snowed.")]
NAMES = [("Ann Lee", "Bob Hill"), ("Dan Po", "Eve Roe")]
ASKED = ("'{{ a }}'", "'{{ b }}'")

ROW_FAULTS = [
    RowFault("blank-target", *ASKED, [*PLAIN, ("Who?", " ")], PLAIN, "target"),
    RowFault("blank-input", *ASKED, [*PLAIN, ("", "Dan")], PLAIN),
    RowFault("blank-field", "'Question: {{ a }} Well?'", "'{{ b }}'", [*PLAIN, ("", "Dan")], PLAIN),
    RowFault("missing-value", *ASKED, [*PLAIN, ("Who?", "nan")], PLAIN, "target"),
    RowFault("missing-value", *ASKED, [*PLAIN, ("Who?", "['Dan', 'Eve']")], PLAIN, "target"),
    RowFault("missing-value", *ASKED, [*PLAIN, ("Who?", "None")], PLAIN, "target"),
    RowFault("same-text", *ASKED, [("Ann", "Ann"), ("Bob", "Bob"), ("Cleo", "Dan")], PLAIN, "target"),
    RowFault(
        "answer-leak", *ASKED, [("Ann Lee.", "Ann Lee"), ("Mr Bob Hill", "Bob Hill"), ("Cleo Po?", "Cleo Po")], PLAIN
    ),
    RowFault("answer-leak", *ASKED, [("Who wrote it? I say Ann.", "Ann"), ("Who read it? I say Bob.", "Bob")], PLAIN),
    RowFault("label-punctuation", *ASKED, [("Who?", "B)."), ("What?", "A)."), ("Why?", "C).")], PLAIN, "target"),
    RowFault("label-punctuation", *ASKED, [("Who?", "B."), ("What?", "A."), ("Why?", "C.")], PLAIN, "target"),
    RowFault("doubled-punctuation", "'Explain {{ a }}.'", "'{{ b }}'", PLAIN, [("tides", "x"), ("rain", "y")]),
    RowFault("glued-to-data", "'{{ a }}{{ b }}'", "'{{ a | length }}'", SENTENCES, [("12", "4"), ("3", "8")]),
    RowFault("glued-to-data", "'{{ a }},{{ b }}'", "'{{ a | length }}'", NAMES, [("12", "4"), ("3", "8")]),
    RowFault(
        "fails-on-row",
        "'{{ 100 // (a | int) }}'",
        "'{{ b }}'",
        [("3", "x"), ("0", "y")],
        [("3", "x"), ("2", "y")],
        "name",
    ),
]
TASK = """\
task: toy
type: arithmetic
source: {{files: toy.tsv}}
fields: {{a: a, b: b}}
templates:
  - name: ask
    input: {0}
    target: {1}
"""
LINES = {"name": 6, "input": 7, "target": 8}


@pytest.mark.parametrize("fault", ROW_FAULTS, ids=[f"{each.rule}-{number}" for number, each in enumerate(ROW_FAULTS)])
def test_a_fault_of_the_rows_is_found_and_only_there(tmp_path: Path, fault: RowFault) -> None:
    def linted_over(rows: list[tuple[str, str]]) -> list[tuple[str, str, int | None]]:
        table = "".join(f"{a}\t{b}\n" for a, b in [("a", "b"), *rows])
        return found(linted(write(tmp_path, {"toy.yaml": TASK.format(fault.input, fault.target), "toy.tsv": table})))

    assert linted_over(fault.rows) == [(fault.rule, "toy.yaml", LINES[fault.key])]
    assert linted_over(fault.sound) == []


def test_every_rule_is_planted() -> None:
    assert {each.rule for each in [*FAULTS, *ROW_FAULTS]} == set(RULES)
    assert len(FAULTS) + len(ROW_FAULTS) >= 40
