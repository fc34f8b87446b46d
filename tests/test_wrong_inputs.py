"""Wrong inputs: each is refused with a line for each problem, which says where it is and what to do.

And it leaves nothing behind.
"""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flanmix.cli import run

Files = Mapping[str, str | bytes]

TASK = """\
task: toy/sums
type: arithmetic
source: {files: sums.tsv}
fields: {question: q, answer: a}
templates:
  - name: plain
    input: "{{ question }}"
    target: "{{ answer }}"
"""
CHOICE = """\
task: toy/colours
type: multiple_choice
source: {files: colours.jsonl}
fields: {question: q, choices: choices, answer: "{{ choices[label] }}"}
templates:
  - name: choose
    input: |-
      {{ question }}
      {{ options }}
    target: "{{ answer }}"
"""
MIXTURE = """\
mixture: mini
rows: 4
parts:
  - {select: "toy/*", weight: 1}
"""
ROWS = "q\ta\n1 + 1?\t2\n2 + 2?\t4\n"
COLOURS = """\
{"q": "Sky?", "choices": ["blue", "red"], "label": 0}
{"q": "Blood?", "choices": ["blue", "red"], "label": 1}
"""
GOOD: Files = {"sums.yaml": TASK, "sums.tsv": ROWS, "mix.yaml": MIXTURE}
GOOD_CHOICE: Files = {"colours.yaml": CHOICE, "colours.jsonl": COLOURS, "mix.yaml": MIXTURE}


TALK = """\
task: toy/talk
type: dialogue
source: {files: talk.jsonl}
conversation:
  messages: turns
  role: from
  content: value
"""
TURNS = '{"turns": [{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": "2"}], "topic": "sums"}\n'
GOOD_TALK: Files = {"talk.yaml": TALK, "talk.jsonl": TURNS, "mix.yaml": MIXTURE}


def but(files: Files, **changes: tuple[str, str] | str | bytes | None) -> dict[str, str | bytes]:
    """Some files, but with a text in one of them replaced, another file, or none; `sums_yaml` stands for sums.yaml."""
    files = dict(files)
    for name, change in changes.items():
        name = ".".join(name.rsplit("_", 1))
        if change is None:
            del files[name]
        elif isinstance(change, tuple):
            text = files[name]
            assert isinstance(text, str)
            assert change[0] in text
            files[name] = text.replace(*change)
        else:
            files[name] = change
    return files


def parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@dataclass(frozen=True)
class Wrong:
    """One wrong input: files, a command line, and what it says, line by line; `…` stands for any text.

    `before` is a command that is run first and goes well; `then` are files that are written after it, changed (a pair
    of texts) or removed (None). `cache` takes the place of the cache folder.
    """

    id: str
    files: Files
    command: str
    says: tuple[str, ...]
    code: int = 1
    before: str = ""
    then: Mapping[str, str | tuple[str, str] | None] = field(default_factory=dict)
    cache: str | None = None


def wrong(id: str, files: Files, command: str, *says: str, **more: object) -> Wrong:
    return replace(Wrong(id, files, command, says), **more)


def talk(keys: str) -> Files:
    """A template with other keys than `input` and `target`."""
    return but(GOOD, sums_yaml=('input: "{{ question }}"\n    target: "{{ answer }}"', keys))


BUILD = "build mix.yaml -o out -q"
PLAN = "plan mix.yaml"
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{c}: &{c} [{','.join(f'*{p}' for _ in range(9))}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)
)
SHARD = "data/train-00000-of-00001.parquet"

CASES = [
    # YAML
    wrong(
        "yaml-tab",
        but(GOOD, mix_yaml=("  - {", "\t- {")),
        PLAN,
        "mix.yaml:4: not YAML: found character '\\t' that cannot start any token - YAML wants spaces instead of tabs",
    ),
    wrong(
        "yaml-duplicate-key",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4\nrows: 5")),
        PLAN,
        "mix.yaml:3: rows: the key 'rows' stands here twice - keep one; the first is on line 2",
    ),
    wrong(
        "yaml-duplicate-key-inside",
        but(GOOD, mix_yaml=("weight: 1", "weight: 1, weight: 2")),
        PLAN,
        "mix.yaml:4: parts[0].weight: the key 'weight' stands here twice - keep one; the first is on line 4",
    ),
    wrong(
        "yaml-unclosed",
        but(GOOD, mix_yaml=("1}", "1")),
        PLAN,
        "mix.yaml:5: not YAML: expected ',' or '}', but got the end of the file - close what opens on line 4, …",
    ),
    wrong(
        "yaml-colon-in-text",
        but(GOOD, mix_yaml=("rows: 4", "description: sums: easy\nrows: 4")),
        PLAN,
        "mix.yaml:2: not YAML: mapping values are not allowed here - text with ':' '{' '#' or quotes …",
    ),
    wrong(
        "yaml-template-without-quotes",
        but(GOOD, sums_yaml=('"{{ question }}"', "{{ question }}")),
        PLAN,
        "sums.yaml:7: templates[0].input: a key must be one word - text that starts with '{' wants quotes",
    ),
    wrong(
        "yaml-python-tag",
        but(GOOD, mix_yaml=("rows: 4", "rows: !!python/object/apply:os.system ['true']")),
        PLAN,
        "mix.yaml:2: rows: the tag '!!python/object/apply:os.system' is not allowed - write a plain value",
    ),
    wrong(
        "yaml-own-tag",
        but(GOOD, mix_yaml=("rows: 4", "rows: !env ROWS")),
        PLAN,
        "mix.yaml:2: rows: the tag '!env' is not allowed - write a plain value",
    ),
    wrong(
        "yaml-alias-bomb",
        but(GOOD, mix_yaml=MIXTURE + ALIASES),
        PLAN,
        "mix.yaml:10: f: more than 200,000 values once its aliases are written … - split the file, or drop the …",
    ),
    wrong(
        "yaml-alias-of-itself",
        but(GOOD, mix_yaml=MIXTURE + "styles: &s {options: *s}\n"),
        PLAN,
        "mix.yaml:5: styles: is nested more than 50 deep - write it flatter",
    ),
    wrong(
        "yaml-unknown-alias",
        but(GOOD, mix_yaml=("rows: 4", "rows: *many")),
        PLAN,
        "mix.yaml:2: not YAML: found undefined alias 'many' - text that starts with '*' or '&' wants quotes",
    ),
    wrong(
        "yaml-not-utf8",
        but(GOOD, mix_yaml=MIXTURE.encode() + "description: café\n".encode("latin-1")),
        PLAN,
        "mix.yaml:5: is not UTF-8 text - save it as UTF-8",
    ),
    wrong(
        "yaml-utf16",
        but(GOOD, mix_yaml=MIXTURE.encode("utf-16")),
        PLAN,
        "mix.yaml:1: is not UTF-8 text - save it as UTF-8",
    ),
    wrong(
        "yaml-nul",
        but(GOOD, mix_yaml=MIXTURE + "description: \0\n"),
        PLAN,
        "mix.yaml:5: not YAML: special characters are not allowed - take out the character U+0000",
    ),
    wrong(
        "yaml-empty",
        but(GOOD, mix_yaml=""),
        PLAN,
        "mix.yaml: is empty - start it with 'task:', 'family:' or 'mixture:'",
    ),
    wrong(
        "yaml-only-comments",
        but(GOOD, mix_yaml="# to do\n"),
        PLAN,
        "mix.yaml: is empty - start it with 'task:', 'family:' or 'mixture:'",
    ),
    wrong(
        "yaml-list-at-top",
        but(GOOD, mix_yaml="- mixture: mini\n"),
        PLAN,
        "mix.yaml:1: must hold 'key: value' lines at its top - start it with 'task:', 'family:' or 'mixture:'",
    ),
    wrong(
        "yaml-text-at-top",
        but(GOOD, mix_yaml="mixture mini\n"),
        PLAN,
        "mix.yaml:1: must hold 'key: value' lines at its top - start it with 'task:', 'family:' or 'mixture:'",
    ),
    wrong(
        "yaml-two-documents",
        but(GOOD, mix_yaml=MIXTURE + "---\n" + MIXTURE),
        PLAN,
        "mix.yaml:5: not YAML: but found another document - a file holds one: take out the '---'",
    ),
    wrong(
        "yaml-deep",
        but(GOOD, mix_yaml=MIXTURE + "styles: " + "[" * 60 + "]" * 60 + "\n"),
        PLAN,
        "mix.yaml:5: styles: is nested more than 50 deep - write it flatter",
    ),
    wrong(
        "yaml-very-deep",
        but(GOOD, mix_yaml=MIXTURE + "styles: " + "[" * 600 + "]" * 600 + "\n"),
        PLAN,
        "mix.yaml: is nested too deeply - write it flatter",
    ),
    wrong(
        "yaml-huge",
        but(GOOD, mix_yaml=MIXTURE + "# " + "x" * 10_000_000 + "\n"),
        PLAN,
        "mix.yaml: is larger than 10,000,000 bytes - a spec is a small file",
    ),
    wrong(
        "yaml-list-as-key",
        but(GOOD, mix_yaml=MIXTURE + "? [a, b]\n: 1\n"),
        PLAN,
        "mix.yaml:5: a key must be one word - write 'key: value'",
    ),
    # keys and types
    wrong(
        "key-of-mixture",
        but(GOOD, mix_yaml=("rows: 4", "row: 4")),
        PLAN,
        "mix.yaml:2: row: unknown key 'row' - did you mean 'rows'?",
    ),
    wrong(
        "key-of-part",
        but(GOOD, mix_yaml=("weight", "wieght")),
        PLAN,
        "mix.yaml:4: parts[0].wieght: unknown key 'wieght' - did you mean 'weight'?",
    ),
    wrong(
        "key-of-defaults",
        but(GOOD, mix_yaml=MIXTURE + "defaults: {max_row: 3}\n"),
        PLAN,
        "mix.yaml:5: defaults.max_row: unknown key 'max_row' - did you mean 'max_rows'?",
    ),
    wrong(
        "key-of-task",
        but(GOOD, sums_yaml=("type: arithmetic", "type: arithmetic\nlicense: MIT")),
        PLAN,
        "sums.yaml:3: license: unknown key 'license' - did you mean 'licence'?",
    ),
    wrong(
        "key-of-source",
        but(GOOD, sums_yaml=("sums.tsv}", "sums.tsv, delimeter: ','}")),
        PLAN,
        "sums.yaml:3: source.delimeter: unknown key 'delimeter' - did you mean 'delimiter'?",
    ),
    wrong(
        "key-of-template",
        but(GOOD, sums_yaml=("    target", "    output")),
        PLAN,
        "sums.yaml:8: templates[0].output: unknown key 'output' - the keys here are answer_choices, …",
    ),
    wrong(
        "key-of-templates",
        but(GOOD, sums_yaml=("templates:\n", "templates:\n adds:\n")),
        PLAN,
        "sums.yaml:6: templates.adds: unknown key 'adds' - did you mean 'add'?",
    ),
    wrong(
        "key-of-family",
        {"f.yaml": "family: riddles\nfield: [q]\ntemplates: []\n"},
        "ls -r .",
        "f.yaml:1: fields: is missing",
        "f.yaml:2: field: unknown key 'field' - did you mean 'fields'?",
        "f.yaml:3: templates: is empty - give one at least",
    ),
    wrong(
        "key-nowhere-near",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4\nzzz: 4")),
        PLAN,
        "mix.yaml:3: zzz: unknown key 'zzz' - the keys here are bos, …",
    ),
    wrong(
        "no-kind",
        {"a.yaml": "name: toy/sums\n"},
        "check -r .",
        "a.yaml:1: needs one of the keys 'task', 'family' or 'mixture' - start it with one of them",
    ),
    wrong(
        "kind-misspelt",
        {"a.yaml": "taks: toy/sums\n"},
        "check -r .",
        "a.yaml:1: needs one of the keys 'task', 'family' or 'mixture' - did you mean 'task'?",
    ),
    wrong(
        "two-kinds",
        {"a.yaml": "task: toy/sums\nmixture: mini\n"},
        "check -r .",
        "a.yaml:1: is both task and mixture - make it two files",
    ),
    wrong(
        "type-rows-text",
        but(GOOD, mix_yaml=("rows: 4", "rows: many")),
        PLAN,
        "mix.yaml:2: rows: should be a whole number, not 'many'",
    ),
    wrong(
        "type-rows-float",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4.5")),
        PLAN,
        "mix.yaml:2: rows: should be a whole number, not 4.5",
    ),
    wrong(
        "type-rows-1e6",
        but(GOOD, mix_yaml=("rows: 4", "rows: 1e6")),
        PLAN,
        "mix.yaml:2: rows: should be a whole number, not 1000000.0 - write 1000000",
    ),
    wrong(
        "type-rows-zero",
        but(GOOD, mix_yaml=("rows: 4", "rows: 0")),
        PLAN,
        "mix.yaml:2: rows: should be 1 or more, not 0",
    ),
    wrong(
        "type-rows-true",
        but(GOOD, mix_yaml=("rows: 4", "rows: true")),
        PLAN,
        "mix.yaml:2: rows: should be a whole number, not true",
    ),
    wrong(
        "type-seed-negative",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4\nseed: -1")),
        PLAN,
        "mix.yaml:3: seed: should be 0 or more, not -1",
    ),
    wrong(
        "type-seed-huge",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4\nseed: 99999999999999999999")),
        PLAN,
        "mix.yaml:3: seed: should be less than 9,223,372,036,854,775,808, not 99999999999999999999",
    ),
    wrong(
        "type-parts-mapping",
        but(GOOD, mix_yaml=("  - {", "  {")),
        PLAN,
        "mix.yaml:3: parts: should be a list, not 'key: value' lines",
    ),
    wrong(
        "type-part-text",
        but(GOOD, mix_yaml=('{select: "toy/*", weight: 1}', "toy/*")),
        PLAN,
        "mix.yaml:4: parts[0]: should be 'key: value' lines, not 'toy/*'",
    ),
    wrong(
        "type-template-number",
        but(GOOD, sums_yaml=('"{{ answer }}"', "42")),
        PLAN,
        "sums.yaml:8: templates[0].target: should be text (put it in quotes), not 42",
    ),
    wrong(
        "type-tags-text",
        but(GOOD, sums_yaml=("type: arithmetic", "type: arithmetic\ntags: easy")),
        PLAN,
        "sums.yaml:3: tags: should be a list, not 'easy'",
    ),
    wrong(
        "type-fields-list",
        but(GOOD, sums_yaml=("{question: q, answer: a}", "[q, a]")),
        PLAN,
        "sums.yaml:4: fields: should be 'key: value' lines, not a list",
    ),
    wrong(
        "type-source-text",
        but(GOOD, sums_yaml=("{files: sums.tsv}", "sums.tsv")),
        PLAN,
        "sums.yaml:3: source: a source needs one of the keys 'path' … - for a file write {files: sums.tsv}",
    ),
    wrong(
        "type-choice-number",
        but(GOOD_CHOICE, colours_yaml=("choices: choices", "choices: [1, 2]")),
        PLAN,
        "colours.yaml:4: fields.choices[0]: should be text (put it in quotes), not 1",
        "colours.yaml:4: fields.choices[1]: should be text (put it in quotes), not 2",
    ),
    wrong("missing-type", but(GOOD, sums_yaml=("type: arithmetic\n", "")), PLAN, "sums.yaml:1: type: is missing"),
    wrong(
        "missing-target",
        but(GOOD, sums_yaml=('    target: "{{ answer }}"\n', "")),
        PLAN,
        "sums.yaml:6: templates[0]: a template needs 'target' - write the text under that key",
    ),
    # Turns, system prompts, type tags
    *(
        wrong(f"turns-{id}", talk(keys), PLAN, *says)
        for id, keys, *says in (
            ("empty", "turns: []", "sums.yaml:7: templates[0].turns: is empty - give one at least"),
            ("no-list", "turns: hi", "sums.yaml:7: templates[0].turns: should be a list, not 'hi'"),
            (
                "assistant-first",
                "turns: [{assistant: hi}]",
                "sums.yaml:7: templates[0].turns: turns[0].assistant is the first to speak - turns are the user's …",
            ),
            (
                "twice-the-user",
                "turns: [{user: a}, {user: b, assistant: c}]",
                "sums.yaml:7: templates[0].turns: after turns[0].user comes turns[1].user - turns are the user's …",
            ),
            (
                "no-answer",
                "turns: [{user: a, assistant: b}, {user: c}]",
                "sums.yaml:7: templates[0].turns: turns[1].user has no answer - end on a turn of the assistant",
            ),
            (
                "answer-before-question",
                "turns: [{assistant: a, user: b}]",
                "sums.yaml:7: templates[0].turns[0]: 'assistant' stands before 'user' - write the user's text first, …",
            ),
            (
                "nobody",
                "turns: [{}]",
                "sums.yaml:7: templates[0].turns[0]: a turn needs 'user' or 'assistant' - write the text under …",
            ),
            (
                "unknown-key",
                "turns: [{usr: a, assistant: b}]",
                "sums.yaml:7: templates[0].turns[0].usr: unknown key 'usr' - did you mean 'user'?",
            ),
            (
                "empty-text",
                "turns: [{user: '', assistant: b}]",
                "sums.yaml:7: templates[0].turns[0].user: is empty - write something, or leave the key out",
            ),
            (
                "number",
                "turns: [{user: 5, assistant: b}]",
                "sums.yaml:7: templates[0].turns[0].user: should be text (put it in quotes), not 5",
            ),
            (
                "and-input",
                "input: a\n    turns: [{user: a, assistant: b}]",
                "sums.yaml:6: templates[0]: 'input' and 'turns' stand for the same - keep one of them",
            ),
            (
                "of-a-dialect",
                "dialect: promptsource\n    jinja: a ||| b\n    turns: [{user: a, assistant: b}]",
                "sums.yaml:6: templates[0]: 'turns' is no key of the dialect promptsource - see 'dialect' in …",
            ),
            (
                "two-problems",
                'turns:\n      - user: |-\n          a\n          {{ qestion }}\n        assistant: "{{ a | uper }}"',
                "sums.yaml:10: templates[0].turns[0].user: 'qestion' is no field of the … - did you mean 'question'?",
                "sums.yaml:11: templates[0].turns[0].assistant: No filter named 'uper'. - did you mean 'upper'?",
            ),
        )
    ),
    *(
        wrong(
            f"template-system-{id}", but(GOOD, sums_yaml=TASK + f"    system: {value}\n"), PLAN, f"sums.yaml:9: {says}"
        )
        for id, value, says in (
            ("empty", "''", "templates[0].system: is empty - write something, or leave the key out"),
            ("no-prompts", "[]", "templates[0].system: is empty - give one at least"),
            ("weight", "[{text: a, weight: 0}]", "templates[0].system[0].weight: should be more than 0, not 0"),
            (
                "key",
                "[{text: a, wieght: 1}]",
                "templates[0].system[0].wieght: unknown key 'wieght' - did you mean 'weight'?",
            ),
            ("without", "[{weight: 2}]", "templates[0].system[0].text: is missing"),
            ("number", "5", "templates[0].system: should be text (put it in quotes) or a list, not 5"),
            ("mapping", "{text: a}", "templates[0].system: should be text or a list, not 'key: value' lines"),
            ("name", '"{{ answr }}"', "templates[0].system: 'answr' is no field of the … - did you mean 'answer'?"),
            ("pool", '[a, {text: "{{ b }}"}]', "templates[0].system[1].text: 'b' is no field of the task …"),
        )
    ),
    *(
        wrong(
            f"mixture-{id}", but(GOOD, mix_yaml=MIXTURE + line + "\n"), PLAN, *(f"mix.yaml:5: {each}" for each in says)
        )
        for id, line, *says in (
            ("system-empty", "system: ''", "system: is empty - write something, or leave the key out"),
            ("system-none", "system: []", "system: is empty - give one at least"),
            ("system-share", "system: {share: 1.5, prompts: [a]}", "system.share: should be 1 or less, not 1.5"),
            ("system-only-share", "system: {share: 0.5}", "system.prompts: is missing"),
            (
                "system-key",
                "system: {shares: 1, prompts: a}",
                "system.shares: unknown key 'shares' - did you mean 'share'?",
            ),
            ("system-weight", "system: [{text: a, weight: 0}]", "system[0].weight: should be more than 0, not 0"),
            (
                "system-jinja",
                "system: [a, 'Be {{ a }}.']",
                "system: a mixture's system prompts are plain text, and one holds '{{' - write Jinja into …",
            ),
            (
                "tag-word",
                "type_tag: prefixed",
                "type_tag: 'prefixed' is not one of 'prefix', … - did you mean 'prefix'?",
            ),
            ("tag-as", "type_tag: {as: sytem}", "type_tag.as: 'sytem' is not one of … - did you mean 'system'?"),
            ("tag-only-share", "type_tag: {share: 0.5}", "type_tag.as: is missing"),
            ("tag-share", "type_tag: {as: prefix, share: 2}", "type_tag.share: should be 1 or less, not 2"),
            ("tag-key", "type_tag: {as: prefix, shar: 1}", "type_tag.shar: unknown key 'shar' - did you mean 'share'?"),
            ("tag-list", "type_tag: [prefix]", "type_tag: should be 'key: value' lines, not a list"),
            ("tag-plural", "type_tags: prefix", "type_tags: unknown key 'type_tags' - did you mean 'type_tag'?"),
        )
    ),
    wrong(
        "turn-fails-on-row",
        talk('turns: [{user: "{{ 4 / (4 - answer | int) }}", assistant: a}, {user: b, assistant: c}]'),
        f"{BUILD} --layout messages",
        "sums.yaml:7: templates[0].turns[0].user: row 1 of the task toy/sums: division by zero - guard the template …",
    ),
    wrong(
        "missing-source-kind",
        but(GOOD, sums_yaml=("{files: sums.tsv}", "{file: sums.tsv}")),
        PLAN,
        "sums.yaml:3: source: a source needs one of the keys 'path' … - did you mean 'files'?",
    ),
    wrong(
        "empty-input",
        but(GOOD, sums_yaml=('"{{ question }}"', '""')),
        PLAN,
        "sums.yaml:7: templates[0].input: is empty - write something, or leave the key out",
    ),
    # data
    wrong(
        "data-missing",
        but(GOOD, sums_tsv=None),
        PLAN,
        "sums.yaml:3: source: sums.tsv: no file of that name below this folder - a path is relative to the folder …",
    ),
    wrong(
        "data-empty-glob",
        but(GOOD, sums_yaml=("sums.tsv", "'data/*.tsv'")),
        PLAN,
        "sums.yaml:3: source: data/*.tsv: no file of that name below this folder - a path is relative to the folder …",
    ),
    wrong(
        "data-is-folder",
        but(GOOD, sums_tsv=None) | {"sums.tsv/x": ""},
        PLAN,
        "sums.yaml:3: source: sums.tsv: no file of that name below this folder - a path is relative to the folder …",
    ),
    wrong(
        "data-empty",
        but(GOOD, sums_tsv=""),
        PLAN,
        "sums.yaml:3: source: sums.tsv: cannot be read: Empty CSV file - repair or leave out the file",
    ),
    wrong(
        "data-header-only",
        but(GOOD, sums_tsv="q\ta\n"),
        PLAN,
        "sums.yaml:3: source: sums.tsv: has no usable rows - it is empty",
    ),
    wrong(
        "data-wrong-column",
        but(GOOD, sums_yaml=("question: q,", "question: questoin,")),
        PLAN,
        "sums.yaml:4: fields.question: no column 'questoin' in sums.tsv - there are q, a",
    ),
    wrong(
        "data-wrong-column-near",
        but(GOOD, sums_yaml=("question: q,", "question: quest,"), sums_tsv=("q\ta", "question\ta")),
        PLAN,
        "sums.yaml:4: fields.question: no column 'quest' in sums.tsv - did you mean 'question'?",
    ),
    wrong(
        "data-wrong-path",
        but(GOOD, sums_yaml=("question: q,", "question: q.text,")),
        PLAN,
        "sums.yaml:4: fields.question: no column 'text' in 'q' - there are none",
    ),
    wrong(
        "data-nested-path",
        but(
            GOOD_CHOICE,
            colours_yaml=("question: q,", "question: meta.titel,"),
            colours_jsonl='{"q": "x", "meta": {"title": "t"}, "choices": ["a"], "label": 0}\n',
        ),
        PLAN,
        "colours.yaml:4: fields.question: no column 'titel' in 'meta' - did you mean 'title'?",
    ),
    wrong(
        "data-wrong-name-in-expression",
        but(GOOD_CHOICE, colours_yaml=("choices[label]", "choices[lable]")),
        PLAN,
        "colours.yaml:4: fields.answer: 'lable' is neither a column nor a … - did you mean 'label'?",
    ),
    wrong(
        "data-wrong-name-in-drop",
        but(GOOD, sums_yaml=("fields:", 'drop: "{{ labl == 1 }}"\nfields:')),
        PLAN,
        "sums.yaml:4: drop: 'labl' is neither a column nor a field above this … - there are a, answer, q, question",
    ),
    wrong(
        "data-drop-not-expression",
        but(GOOD, sums_yaml=("fields:", 'drop: "a == 1"\nfields:')),
        PLAN,
        "sums.yaml:4: drop: is not one '{{ expression }}' - write it as \"{{ … }}\" with nothing around it",
    ),
    wrong(
        "data-broken-json",
        but(GOOD_CHOICE, colours_jsonl=COLOURS + '{"q": "Grass?", "choices": ["green"\n'),
        PLAN,
        "colours.yaml:3: source: colours.jsonl:3: cannot be read: JSON parse error: … - repair or leave out the file",
    ),
    wrong(
        "data-json-array",
        but(GOOD_CHOICE, colours_jsonl='[{"q": 1}]\n'),
        PLAN,
        "colours.yaml:3: source: colours.jsonl:1: cannot be read: … - write each object on a line of its own, …",
    ),
    wrong(
        "data-json-mixed",
        but(GOOD_CHOICE, colours_jsonl=COLOURS + '{"q": 3, "choices": ["green"], "label": 0}\n'),
        PLAN,
        "colours.yaml:3: source: colours.jsonl:3: cannot be read: JSON parse error: … - repair or leave out the file",
    ),
    wrong(
        "data-ragged-tsv",
        but(GOOD, sums_tsv=ROWS + "3 + 3?\t6\tsix\n"),
        PLAN,
        "sums.yaml:3: source: sums.tsv:4: cannot be read: Expected 2 columns, … - repair or leave out the file",
    ),
    wrong(
        "data-ragged-short",
        but(GOOD, sums_tsv=ROWS + "3 + 3?\n"),
        PLAN,
        "sums.yaml:3: source: sums.tsv:4: cannot be read: Expected 2 columns, … - repair or leave out the file",
    ),
    wrong(
        "data-not-utf8",
        but(GOOD, sums_tsv=ROWS.encode() + "wie groß?\t1\n".encode("latin-1")),
        PLAN,
        "sums.yaml:3: source: sums.tsv:4: cannot be read: is not UTF-8 text - repair or leave out the file",
    ),
    wrong(
        "data-not-utf8-json",
        but(GOOD_CHOICE, colours_jsonl=COLOURS.encode() + COLOURS.replace("Sky", "Größe").encode("latin-1")),
        PLAN,
        "colours.yaml:3: source: colours.jsonl:3: cannot be read: is not UTF-8 … - repair or leave out the file",
    ),
    wrong(
        "data-two-columns-alike",
        but(GOOD, sums_tsv=("q\ta", "q\tq")),
        PLAN,
        "sums.yaml:3: source: sums.tsv:1: has two columns called 'q' - rename one, or give 'columns'",
    ),
    wrong(
        "data-no-parquet",
        but(GOOD, sums_yaml=("sums.tsv", "sums.parquet")) | {"sums.parquet": ROWS},
        PLAN,
        "sums.yaml:3: source: sums.parquet: cannot be read: … - repair or leave out the file",
    ),
    wrong(
        "data-cut-parquet",
        but(GOOD, sums_yaml=("sums.tsv", "sums.parquet")) | {"sums.parquet": parquet(q=["x"] * 99, a=["y"] * 99)[:-30]},
        PLAN,
        "sums.yaml:3: source: sums.parquet: cannot be read: … - repair or leave out the file",
    ),
    wrong(
        "data-no-arrow",
        but(GOOD, sums_yaml=("sums.tsv", "sums.arrow")) | {"sums.arrow": ROWS},
        PLAN,
        "sums.yaml:3: source: sums.arrow: cannot be read: it is no Arrow IPC … - repair or leave out the file",
    ),
    wrong(
        "data-no-gzip",
        but(GOOD, sums_yaml=("sums.tsv", "sums.tsv.gz")) | {"sums.tsv.gz": ROWS},
        PLAN,
        "sums.yaml:3: source: sums.tsv.gz: cannot be read: … - repair or leave out the file",
    ),
    wrong(
        "data-unknown-ending",
        but(GOOD, sums_yaml=("sums.tsv", "sums.txt")) | {"sums.txt": ROWS},
        PLAN,
        "sums.yaml:3: source: sums.txt: the files' endings do not tell one … - give 'format': parquet, arrow, …",
    ),
    wrong(
        "data-unknown-format",
        but(GOOD, sums_yaml=("sums.tsv}", "sums.tsv, format: tvs}")),
        PLAN,
        "sums.yaml:3: source.format: 'tvs' is not one of 'parquet', 'arrow', … - did you mean 'tsv'?",
    ),
    wrong(
        "data-delimiter-of-parquet",
        but(GOOD, sums_yaml=("sums.tsv}", "sums.parquet, delimiter: ';'}"))
        | {"sums.parquet": parquet(q=["x"], a=["y"])},
        PLAN,
        "sums.yaml:3: source: sums.parquet: 'columns', 'delimiter' and … - leave them out",
    ),
    wrong(
        "data-every-row-dropped",
        but(GOOD, sums_yaml=("fields:", "drop: \"{{ a != '' }}\"\nfields:")),
        PLAN,
        "sums.yaml:3: source: sums.tsv: has no usable rows - of 2 rows none is usable (drop rule: 2)",
    ),
    wrong(
        "data-labels-outside",
        but(
            GOOD_CHOICE, colours_jsonl=COLOURS.replace('"label": 0', '"label": -1').replace('"label": 1', '"label": 7')
        ),
        PLAN,
        "colours.yaml:3: source: colours.jsonl: has no usable rows - of 2 rows none is usable …",
    ),
    wrong(
        "data-choices-text",
        but(GOOD_CHOICE, colours_yaml=("choices: choices", "choices: q")),
        PLAN,
        "colours.yaml:4: fields.choices: 'choices' is text, where 'options' … - make it a list of texts",
    ),
    wrong(
        "data-choices-numbers",
        but(GOOD_CHOICE, colours_jsonl='{"q": "x", "choices": [1, 2], "label": 0}\n'),
        PLAN,
        "colours.yaml:4: fields.choices: 'choices' is list<item: int64>, where … - make it a list of texts",
    ),
    wrong(
        "data-computed-mixed",
        but(GOOD, sums_yaml=("answer: a", "answer: \"{{ 1 if a == '2' else 'x' }}\"")),
        PLAN,
        "sums.yaml:4: fields.answer: …'x'… - give it one type",
    ),
    wrong(
        "data-no-template-applies",
        but(GOOD, sums_yaml=("    target:", "    when: \"{{ answer == 'x' }}\"\n    target:")),
        PLAN,
        "sums.yaml:3: source: sums.tsv: has no usable rows - of 2 rows none is usable (no …",
    ),
    wrong(
        "data-no-columns-without-fields",
        but(GOOD, sums_yaml=("fields: {question: q, answer: a}\n", "")),
        PLAN,
        "sums.yaml:3: source: no column 'answer' in sums.tsv - there are q, a",
        "sums.yaml:3: source: no column 'question' in sums.tsv - there are q, a",
    ),
    wrong(
        "data-hub-folder",
        but(GOOD, sums_yaml=("{files: sums.tsv}", "{path: ./no_such_folder}")),
        PLAN,
        "sums.yaml:3: source: ./no_such_folder: is no folder - a path is relative to …",
    ),
    # names
    wrong(
        "name-climbs",
        but(GOOD, sums_yaml=("task: toy/sums", "task: ../evil")),
        PLAN,
        "sums.yaml:1: task: '../evil' is not a name: letters, digits, '_', … - write it like my/name",
    ),
    wrong(
        "name-absolute",
        but(GOOD, sums_yaml=("task: toy/sums", "task: /etc/evil")),
        PLAN,
        "sums.yaml:1: task: '/etc/evil' is not a name: letters, digits, '_', … - write it like my/name",
    ),
    wrong(
        "name-space",
        but(GOOD, sums_yaml=("task: toy/sums", "task: toy sums")),
        PLAN,
        "sums.yaml:1: task: 'toy sums' is not a name: letters, digits, '_', … - write it like my/name",
    ),
    wrong(
        "name-empty",
        but(GOOD, sums_yaml=("task: toy/sums", "task: ''")),
        PLAN,
        "sums.yaml:1: task: '' is not a name: letters, digits, '_', '-', '.', … - write it like my/name",
    ),
    wrong(
        "name-null",
        but(GOOD, sums_yaml=("task: toy/sums", "task:")),
        PLAN,
        "sums.yaml:1: task: is empty; it should be text",
    ),
    wrong(
        "name-long",
        but(GOOD, sums_yaml=("task: toy/sums", "task: " + "x" * 300)),
        PLAN,
        "sums.yaml:1: task: has more than 200 characters - shorten it",
    ),
    wrong(
        "name-newline",
        but(GOOD, sums_yaml=("task: toy/sums", 'task: "toy/sums\\n"')),
        PLAN,
        "sums.yaml:1: task: 'toy/sums\\n' is not a name: letters, digits, '_', … - write it like my/name",
    ),
    wrong(
        "name-of-template",
        but(GOOD, sums_yaml=("name: plain", 'name: "a\\nb"')),
        PLAN,
        "sums.yaml:6: templates[0].name: 'a\\nb' is not one line of printable text - write it like my-name",
    ),
    wrong(
        "name-of-field",
        but(GOOD, sums_yaml=("question: q", "2nd-question: q")),
        PLAN,
        "sums.yaml:4: fields.2nd-question: '2nd-question' is not a name: … - write it like my_name",
    ),
    wrong(
        "name-of-split",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4\nsplit: ../up")),
        PLAN,
        "mix.yaml:3: split: '../up' is not a name: letters, digits, '_', '-', … - write it like my-name",
    ),
    wrong(
        "name-reserved-field",
        but(GOOD, sums_yaml=("{question: q,", "{question: q, fm_row: q, options: q,")),
        PLAN,
        "sums.yaml:4: fields.fm_row: 'fm_row' is a name that flanmix gives - call the field something else",
        "sums.yaml:4: fields.options: 'options' is a name that flanmix gives - call the field something else",
    ),
    wrong(
        "name-twice",
        {"one/a.yaml": TASK, "one/sums.tsv": ROWS, "two/b.yaml": TASK},
        "ls -r one -r two",
        "two/b.yaml:1: the task 'toy/sums' is there already - rename one; the other is in one/a.yaml",
    ),
    wrong(
        "name-of-bundled",
        but(GOOD, sums_yaml=("toy/sums", "geography/capitals")),
        PLAN,
        "sums.yaml:1: the task 'geography/capitals' is there already - rename one; the other is in …",
    ),
    wrong(
        "name-template-twice",
        but(GOOD, sums_yaml=TASK + TASK[TASK.index("  - name") :]),
        PLAN,
        "sums.yaml:9: templates[1]: the template 'plain' is there already - rename one",
    ),
    wrong(
        "name-type",
        but(GOOD, sums_yaml=("type: arithmetic", "type: arithmetics")),
        PLAN,
        "sums.yaml:2: type: no task type is called 'arithmetics' - did you mean 'arithmetic'?",
    ),
    wrong(
        "name-family",
        but(GOOD, sums_yaml=("templates:\n", "templates:\n use: [nil]\n add:\n")),
        PLAN,
        "sums.yaml:6: templates.use[0]: no family is called 'nil' - did you mean 'nli'?",
    ),
    wrong(
        "name-without",
        but(GOOD, sums_yaml=TASK[: TASK.index("templates")] + "templates: {use: [nli], without: [does-it-folow]}\n"),
        PLAN,
        "sums.yaml:5: templates.without[0]: no template here is called … - did you mean 'does-it-follow'?",
    ),
    wrong(
        "name-no-templates",
        but(GOOD, sums_yaml=TASK[: TASK.index("templates")] + "templates: {use: []}\n"),
        PLAN,
        "sums.yaml:1: no template serves this task - add some under 'templates', or …",
    ),
    wrong(
        "name-generator",
        but(GOOD, sums_yaml=("{files: sums.tsv}", "{generator: dates/weekdays, rows: 9}")),
        PLAN,
        "sums.yaml:3: source: no generator is called 'dates/weekdays' - did you mean 'dates/weekday'?",
    ),
    wrong(
        "name-generator-args",
        but(GOOD, sums_yaml=("{files: sums.tsv}", "{generator: dates/weekday, rows: 9, args: {laguage: en}}")),
        PLAN,
        "sums.yaml:3: source: generator 'dates/weekday': there is no option … - look at its 'args'",
    ),
    wrong(
        "name-generator-value",
        but(GOOD, sums_yaml=("{files: sums.tsv}", "{generator: sorting/numbers, rows: 9, args: {}}")),
        PLAN,
        "sums.yaml:4: fields.question: no column 'q' in generator … - there are items, order, answer",
        "sums.yaml:4: fields.answer: no column 'a' in generator … - there are items, order, answer",
    ),
    wrong(
        "name-split",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4\nsplit: test")),
        PLAN,
        "sums.yaml:3: source: no files for the split 'test' - write files: {train: …, test: …}",
    ),
    wrong(
        "name-split-known",
        but(
            GOOD,
            sums_yaml=("sums.tsv}", "{train: sums.tsv, validation: sums.tsv}}"),
            mix_yaml=("rows: 4", "rows: 4\nsplit: valid"),
        ),
        PLAN,
        "sums.yaml:3: source: no files for the split 'valid' - there are train, validation",
    ),
    wrong(
        "name-split-option",
        GOOD,
        "plan mix.yaml --split ../x",
        "mixture mini: split: '../x' is not a name: letters, digits, '_', '-', … - write it like my-name",
        code=2,
    ),
    # selectors
    wrong(
        "select-empty",
        but(GOOD, mix_yaml=('"toy/*"', '""')),
        PLAN,
        "mix.yaml:4: parts[0].select: is empty - write something, or leave the key out",
    ),
    wrong(
        "select-blank",
        but(GOOD, mix_yaml=('"toy/*"', '" "')),
        PLAN,
        "mix.yaml:4: parts[0].select: the selector is empty; '*' selects every … - write it like 'type:nli glue/* …",
    ),
    wrong(
        "select-unknown-kind",
        but(GOOD, mix_yaml=('"toy/*"', '"kind:nli"')),
        PLAN,
        "mix.yaml:4: parts[0].select: 'kind:nli' starts with 'kind:', which is … - write it like 'type:nli glue/* …",
    ),
    wrong(
        "select-nothing",
        but(GOOD, mix_yaml=('"toy/*"', '"toys/*"')),
        PLAN,
        "mix.yaml:4: parts[0].select: 'toys/*' selects no task - 'flanmix ls SELECTOR' shows what …",
    ),
    wrong(
        "select-odd",
        but(GOOD, mix_yaml=('"toy/*"', '"toy/{a,b}"')),
        PLAN,
        "mix.yaml:4: parts[0].select: 'toy/{a,b}' is not a pattern of letters, … - * ? [ ] - write it like 'type:nli …",
    ),
    wrong(
        "select-ls",
        {},
        "ls kind:nli",
        "'kind:nli' starts with 'kind:', which is none of type:, tag:, … - write it like 'type:nli glue/* …",
        code=2,
    ),
    wrong(
        "select-ls-empty",
        {},
        "ls ''",
        "the selector is empty; '*' selects every task - write it like 'type:nli glue/* -tag:synthetic'",
        code=2,
    ),
    # mixtures
    wrong(
        "mix-no-budget",
        but(GOOD, mix_yaml=("rows: 4\n", "")),
        PLAN,
        "mix.yaml:1: the mixture has no budget - write 'rows: 10_000' or 'epochs: …",
    ),
    wrong(
        "mix-both-budgets",
        but(GOOD, mix_yaml=("rows: 4", "rows: 4\nepochs: 1")),
        PLAN,
        "mix.yaml:1: a budget is in one of 'rows', 'tokens', 'epochs' - leave the others out",
    ),
    wrong(
        "mix-both-budgets-options",
        GOOD,
        "plan mix.yaml --rows 3 --epochs 1",
        "a mixture takes one of rows, tokens, epochs - leave the others out",
        code=2,
    ),
    wrong(
        "mix-part-both",
        but(GOOD, mix_yaml=("weight: 1", "weight: 1, rows: 3")),
        PLAN,
        "mix.yaml:4: parts[0]: a part takes at most one of 'weight', 'rows', 'tokens', 'epochs'",
    ),
    wrong(
        "mix-part-neither",
        but(GOOD, mix_yaml=('select: "toy/*", ', "")),
        PLAN,
        "mix.yaml:4: parts[0]: a part needs one of 'select', 'mixture', 'parts'",
    ),
    wrong(
        "mix-part-two-kinds",
        but(GOOD, mix_yaml=("weight: 1", "mixture: starter")),
        PLAN,
        "mix.yaml:4: parts[0]: a part needs one of 'select', 'mixture', 'parts'",
    ),
    wrong(
        "mix-too-many-rows",
        but(GOOD, mix_yaml=MIXTURE + "defaults: {max_epochs: 1}\n"),
        PLAN,
        "mix.yaml:1: the mixture 'mini' is to give 4 rows, and can give 2 at … - ask for 2, raise what …",
    ),
    wrong(
        "mix-fixed-rows",
        but(GOOD, mix_yaml=("weight: 1", "rows: 3")),
        PLAN,
        "mix.yaml:1: the mixture 'mini' is to give 4 rows, and can give 3 at … - ask for 3, raise what …",
    ),
    wrong(
        "mix-floors",
        but(
            GOOD,
            mix_yaml=MIXTURE.replace("weight: 1", "min_share: 0.7") + '  - {select: "geography/*", min_share: 0.7}\n',
        ),
        PLAN,
        "mix.yaml:1: the mixture 'mini' is to give 4 rows, and what its … takes 6 … - no number of rows will …",
    ),
    wrong(
        "mix-floor-above-ceiling",
        but(GOOD, mix_yaml=("weight: 1", "min_share: 1, max_epochs: 1")),
        PLAN,
        "mix.yaml:1: the mixture 'mini' is to give 4 rows, and can give 2 … task:toy/sums - ask for 2, raise what …",
        "mix.yaml:4: parts[0]: the part 'toy/*' is to give 4 rows, and can … task:toy/sums - ask for 2, raise what …",
    ),
    wrong(
        "mix-max-rows-twice",
        but(GOOD, mix_yaml=MIXTURE + '  - {select: "toy/*", max_rows: 1}\n'),
        PLAN,
        "mix.yaml:5: parts[1]: the task 'toy/sums' has another max_rows in an … - give both parts the same",
    ),
    wrong(
        "mix-styles-above-1",
        but(GOOD, mix_yaml=MIXTURE + "styles: {cot: 0.6, options: 0.6}\n"),
        PLAN,
        "mix.yaml:1: the shares in 'styles' add up to 1.2, more than 1 - lower some",
    ),
    wrong(
        "mix-style-above-1",
        but(GOOD, mix_yaml=MIXTURE + "styles: {cot: 50}\n"),
        PLAN,
        "mix.yaml:5: styles.cot: should be 1 or less, not 50",
    ),
    wrong(
        "mix-unknown-style",
        but(GOOD, mix_yaml=MIXTURE + "styles: {inversed: 0.5}\n"),
        PLAN,
        "mix.yaml:5: styles.inversed: 'inversed' is not one of 'few_shot', … - did you mean 'inverted'?",
    ),
    wrong(
        "mix-holds-itself",
        but(GOOD, mix_yaml=('select: "toy/*"', "mixture: other"))
        | {"other.yaml": "mixture: other\nparts: [{mixture: mini}]\n"},
        PLAN,
        "other.yaml:2: parts[0].mixture: the mixture 'mini' would hold itself - take it out",
    ),
    wrong(
        "mix-unknown-nested",
        but(GOOD, mix_yaml=('select: "toy/*"', "mixture: startr")),
        PLAN,
        "mix.yaml:4: parts[0].mixture: no mixture is called 'startr' - did you mean 'starter'?",
    ),
    wrong(
        "mix-weight-0",
        but(GOOD, mix_yaml=("weight: 1", "weight: 0")),
        PLAN,
        "mix.yaml:4: parts[0].weight: should be more than 0, not 0",
    ),
    wrong(
        "mix-weight-negative",
        but(GOOD, mix_yaml=("weight: 1", "weight: -1")),
        PLAN,
        "mix.yaml:4: parts[0].weight: should be more than 0, not -1",
    ),
    wrong(
        "mix-weight-nan",
        but(GOOD, mix_yaml=("weight: 1", "weight: .nan")),
        PLAN,
        "mix.yaml:4: parts[0].weight: should be a number, not '.nan'",
    ),
    wrong(
        "mix-weight-inf",
        but(GOOD, mix_yaml=("weight: 1", "weight: .inf")),
        PLAN,
        "mix.yaml:4: parts[0].weight: should be a number, not '.inf'",
    ),
    wrong(
        "mix-weight-1e999",
        but(GOOD, mix_yaml=("weight: 1", "weight: 1e999")),
        PLAN,
        "mix.yaml:4: parts[0].weight: should be a finite number, not inf",
    ),
    wrong(
        "mix-parts-empty",
        but(GOOD, mix_yaml=MIXTURE[: MIXTURE.index("parts")] + "parts: []\n"),
        PLAN,
        "mix.yaml:3: parts: is empty - give one at least",
    ),
    wrong(
        "mix-parts-null",
        but(GOOD, mix_yaml=MIXTURE[: MIXTURE.index("parts")] + "parts:\n"),
        PLAN,
        "mix.yaml:3: parts: is empty; it should be a list",
    ),
    wrong(
        "mix-unknown-layout",
        but(GOOD, mix_yaml=MIXTURE + "layout: message\n"),
        PLAN,
        "mix.yaml:5: layout: 'message' is not one of 'prompt_completion', … - did you mean 'messages'?",
    ),
    wrong(
        "mix-temperature-0",
        but(GOOD, mix_yaml=MIXTURE + "defaults: {temperature: 0}\n"),
        PLAN,
        "mix.yaml:5: defaults.temperature: should be more than 0, not 0",
    ),
    wrong(
        "mix-rows-huge",
        but(GOOD, mix_yaml=("rows: 4", "rows: 99999999999999999999")),
        BUILD,
        "mix.yaml:2: rows: should be 1,000,000,000,000 or less, not 99999999999999999999",
    ),
    # templates
    wrong(
        "template-syntax",
        but(GOOD, sums_yaml=("{{ question }}", "{{ question }")),
        PLAN,
        "sums.yaml:7: templates[0].input: … - compare it with {{ name }} and {% …",
    ),
    wrong(
        "template-syntax-line",
        but(GOOD_CHOICE, colours_yaml=("{{ options }}", "Which?\n      {% if options %}{{ options }}")),
        PLAN,
        "colours.yaml:10: templates[0].input: …'endif'… - compare it with {{ name }} and {% …",
    ),
    wrong(
        "template-syntax-line2",
        but(GOOD_CHOICE, colours_yaml=("{{ options }}", "Which?\n      {{ options | }}")),
        PLAN,
        "colours.yaml:10: templates[0].input: … - compare it with {{ name }} and {% …",
    ),
    wrong(
        "template-undefined",
        but(GOOD_CHOICE, colours_yaml=("{{ options }}", "Which?\n      {{ choises }}")),
        PLAN,
        "colours.yaml:10: templates[0].input: 'choises' is no field of the … - did you mean 'choices'?",
    ),
    wrong(
        "template-unknown-filter",
        but(GOOD, sums_yaml=("{{ question }}", "{{ question | uper }}")),
        PLAN,
        "sums.yaml:7: templates[0].input: No filter named 'uper'. - did you mean 'upper'?",
    ),
    wrong(
        "template-unknown-test",
        but(GOOD, sums_yaml=("{{ question }}", "{{ question is defind }}")),
        PLAN,
        "sums.yaml:7: templates[0].input: No test named 'defind'. - did you mean 'defined'?",
    ),
    wrong(
        "template-removed-filter",
        but(GOOD, sums_yaml=("{{ question }}", "{{ [question] | random }}")),
        PLAN,
        "sums.yaml:7: templates[0].input: No filter named 'random'. - use another filter of Jinja's",
    ),
    wrong(
        "template-private",
        but(GOOD, sums_yaml=("{{ question }}", "{{ question.__class__ }}")),
        PLAN,
        "sums.yaml:7: templates[0].input: the attribute '__class__' is private - use fields, filters and tests",
    ),
    wrong(
        "template-private-index",
        but(GOOD, sums_yaml=("{{ question }}", "{{ question['__class__'] }}")),
        BUILD,
        "sums.yaml:6: templates[0]: row 0 of the task toy/sums: … '__class__' … - guard the template with 'when'",
    ),
    wrong(
        "template-include",
        but(GOOD, sums_yaml=("{{ question }}", "{% include 'x' %}")),
        PLAN,
        "sums.yaml:7: templates[0].input: 'include' is not allowed - write the text out here",
    ),
    wrong(
        "template-when",
        but(GOOD, sums_yaml=("    target:", '    when: "answer"\n    target:')),
        PLAN,
        "sums.yaml:8: templates[0].when: is not one '{{ expression }}' - write it as \"{{ … }}\" with …",
    ),
    wrong(
        "template-fails-on-row",
        but(GOOD, sums_yaml=("{{ answer }}", "{{ 4 / (4 - answer | int) }}")),
        BUILD,
        "sums.yaml:6: templates[0]: row 1 of the task toy/sums: division by zero - guard the template with 'when'",
    ),
    wrong(
        "template-fails-on-row-in-a-worker",
        but(GOOD, sums_yaml=("{{ answer }}", "{{ 4 / (4 - answer | int) }}")),
        BUILD + " --num-proc 2 --shard-rows 1",
        "sums.yaml:6: templates[0]: row 1 of the task toy/sums: division by zero - guard the template with 'when'",
    ),
    wrong(
        "template-range",
        but(GOOD, sums_yaml=("{{ question }}", "{% for i in range(10**9) %}x{% endfor %}")),
        BUILD,
        "sums.yaml:6: templates[0]: row 0 of the task toy/sums: … range… - guard the template with 'when'",
    ),
    wrong(
        "template-repeat",
        but(GOOD, sums_yaml=("{{ question }}", "{{ 'a' * 10**9 }}")),
        BUILD,
        "sums.yaml:6: templates[0]: row 0 of the task toy/sums: '*' would make … - guard the template with 'when'",
    ),
    wrong(
        "template-power",
        but(GOOD, sums_yaml=("{{ question }}", "{{ 10 ** (10 ** 10) }}")),
        BUILD,
        "sums.yaml:6: templates[0]: row 0 of the task toy/sums: an exponent above … - guard the template with 'when'",
    ),
    wrong(
        "template-endless",
        but(
            GOOD,
            sums_yaml=(
                "{{ question }}",
                "{% for i in range(9999) %}{% for j in range(9999) %}{{ question }}{% endfor %}{% endfor %}",
            ),
        ),
        BUILD,
        "sums.yaml:6: templates[0]: row 0 of the task toy/sums: … more than … - guard the template with 'when'",
    ),
    wrong(
        "template-attribute-of-none",
        but(GOOD, sums_yaml=("{{ question }}", "{{ question.lenght }}")),
        BUILD,
        "sums.yaml:6: templates[0]: row 0 of the task toy/sums: … 'lenght' - guard the template with 'when'",
    ),
    wrong(
        "expression-fails",
        but(GOOD, sums_yaml=("answer: a", 'answer: "{{ 4 // (4 - a | int) }}"')),
        PLAN,
        "sums.yaml:4: fields.answer: row 1 of sums.tsv: … division … by zero - guard the expression, or drop …",
    ),
    # options
    wrong(
        "option-unknown",
        GOOD,
        "plan mix.yaml --row 3",
        "flanmix plan: …--row… …--rows… - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "option-no-value",
        GOOD,
        "plan mix.yaml --rows",
        "flanmix plan: …--rows… requires an argument - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "option-bad-value",
        GOOD,
        "plan mix.yaml --rows many",
        "flanmix plan: Invalid value for '--rows': 'many' is not a valid … - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "option-zero",
        GOOD,
        "plan mix.yaml --rows 0",
        "flanmix plan: Invalid value for '--rows': 0 is not in the range x>=1 - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "option-epochs-nan",
        GOOD,
        "plan mix.yaml --epochs nan",
        "mixture mini: epochs: should be a finite number, not nan",
        code=2,
    ),
    wrong(
        "option-epochs-inf",
        GOOD,
        "plan mix.yaml --epochs inf",
        "mixture mini: epochs: should be a finite number, not inf",
        code=2,
    ),
    wrong(
        "option-seed",
        GOOD,
        "plan mix.yaml --seed -1",
        "flanmix plan: Invalid value for '--seed': -1 is not in the range … - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "option-format",
        GOOD,
        "plan mix.yaml --format xml",
        "flanmix plan: Invalid value for '--format': 'xml' is not one of … - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "command-unknown",
        {},
        "biuld",
        "flanmix: no command is called 'biuld' - did you mean 'build'? - see 'flanmix --help'",
        code=2,
    ),
    wrong(
        "command-unknown-far",
        {},
        "frobnicate",
        "flanmix: no command is called 'frobnicate' - there are ls, show, new, import, check, …",
        code=2,
    ),
    wrong(
        "argument-missing",
        {},
        "plan",
        "flanmix plan: Missing argument 'NAME_OR_FILE' - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "argument-too-many",
        GOOD,
        "plan mix.yaml other.yaml",
        "flanmix plan: Got unexpected extra argument (other.yaml) - see 'flanmix plan --help'",
        code=2,
    ),
    wrong(
        "size",
        GOOD,
        BUILD + " --max-shard-size big",
        "'big' is no size - write it like 500MB, 2GiB or a number of bytes",
        code=2,
    ),
    wrong(
        "size-zero",
        GOOD,
        BUILD + " --max-shard-size 0",
        "'0' is no size - write it like 500MB, 2GiB or a number of bytes",
        code=2,
    ),
    wrong(
        "num-proc",
        GOOD,
        BUILD + " --num-proc 0",
        "flanmix build: Invalid value for '--num-proc': 0 is not in the range … - see 'flanmix build --help'",
        code=2,
    ),
    wrong(
        "shard-rows",
        GOOD,
        BUILD + " --shard-rows -1",
        "flanmix build: Invalid value for '--shard-rows': -1 is not in the … - see 'flanmix build --help'",
        code=2,
    ),
    wrong(
        "layout",
        GOOD,
        BUILD + " --layout message",
        "flanmix build: Invalid value for '--layout': 'message' is not one of … - see 'flanmix build --help'",
        code=2,
    ),
    wrong(
        "out-missing",
        GOOD,
        "build mix.yaml",
        "flanmix build: Missing option '-o' / '--out' - see 'flanmix build --help'",
        code=2,
    ),
    wrong("out-empty", GOOD, "build mix.yaml -o ''", "-o names no folder - write it like -o out", code=2),
    wrong("out-file", GOOD | {"out": "x"}, BUILD, "out: is a file - name a folder that is new or empty"),
    wrong(
        "out-in-file",
        GOOD | {"x": "x"},
        "build mix.yaml -o x/out -q",
        "x/out: cannot be written: Not a directory - name another folder",
    ),
    wrong(
        "out-others",
        GOOD | {"out/notes.txt": "x"},
        BUILD,
        "out: holds other files (notes.txt) - name a folder that is new or empty",
    ),
    wrong(
        "out-others-replace",
        GOOD | {"out/notes.txt": "x"},
        BUILD + " --replace",
        "out: holds files that flanmix did not write (notes.txt) - remove them, or name another folder",
    ),
    wrong(
        "out-other-plan",
        GOOD,
        BUILD + " --rows 3",
        "out: holds another plan (…) - add --replace to build there anew, or name another folder",
        before=BUILD,
    ),
    wrong(
        "out-replace-fails",
        but(GOOD, sums_yaml=("{{ answer }}", "{{ 1 / (4 - answer | int) }}")),
        BUILD + " --replace",
        "sums.yaml:6: templates[0]: row 1 of the task toy/sums: division by zero - guard the template with 'when'",
    ),
    wrong(
        "registry-missing",
        GOOD,
        "plan mix.yaml -r tasks",
        "tasks: does not exist - name a folder of task, family or mixture YAML files",
        code=1,
    ),
    wrong(
        "registry-file",
        GOOD,
        "plan mix.yaml -r sums.tsv",
        "sums.tsv: is no folder - name a folder of task, family or mixture YAML files",
        code=1,
    ),
    wrong(
        "mixture-missing",
        {},
        "plan mix.yaml",
        "there is no file mix.yaml - name a mixture's YAML file, or a mixture of 'flanmix ls --mixtures'",
        code=2,
    ),
    wrong("mixture-unknown", {}, "plan startr", "no mixture is called 'startr' - did you mean 'starter'?", code=2),
    wrong(
        "mixture-folder",
        {"x/y": ""},
        "plan x",
        "x is a folder - name a mixture's YAML file, or a mixture of 'flanmix ls --mixtures'",
        code=2,
    ),
    wrong(
        "mixture-without-ending",
        GOOD,
        "plan mix",
        "no mixture is called 'mix' - did you mean the file mix.yaml?",
        code=2,
    ),
    wrong(
        "mixture-no-yaml",
        GOOD,
        "plan sums.tsv",
        "sums.tsv is no YAML file - name a mixture's YAML file, or a mixture of 'flanmix ls --mixtures'",
        code=2,
    ),
    wrong(
        "mixture-is-task", GOOD, "plan sums.yaml", "sums.yaml is no mixture - it should start with 'mixture:'", code=2
    ),
    wrong(
        "mixture-yaml-folder",
        {"x.yaml/y": ""},
        "plan x.yaml",
        "there is no file x.yaml - name a mixture's YAML file, or a mixture of 'flanmix ls --mixtures'",
        code=2,
    ),
    wrong(
        "preview-unknown-task",
        {},
        "preview geografy/capitals",
        "no task is called 'geografy/capitals' - did you mean 'geography/capitals'?",
        code=2,
    ),
    wrong(
        "preview-unknown-template",
        {},
        "preview geography/capitals -t strait",
        "geography/capitals has no template 'strait' - there are …",
        code=2,
    ),
    wrong(
        "preview-unknown-split",
        {},
        "preview geography/capitals --split test",
        "flanmix/task_registry/geography/capitals.yaml:5: source: no files for … - write files: {train: …, test: …}",
    ),
    wrong(
        "preview-html-nowhere",
        {},
        "preview geography/capitals --html no/such/page.html",
        "no/such/page.html is in a folder that is not there - name a file in a folder that is there",
        code=2,
    ),
    wrong(
        "preview-html-folder",
        {"x/y": ""},
        "preview geography/capitals --html x",
        "x is a folder - name a file in a folder that is there",
        code=2,
    ),
    wrong(
        "show-unknown",
        {},
        "show geografy/capitals",
        "nothing is called 'geografy/capitals' - did you mean 'geography/capitals'?",
        code=2,
    ),
    wrong("show-far", {}, "show zzzzzz", "nothing is called 'zzzzzz' - run 'flanmix ls'", code=2),
    wrong(
        "new-kind",
        {},
        "new tsk a",
        "flanmix new: Invalid value for '{task|family|mixture}': 'tsk' is not … - see 'flanmix new --help'",
        code=2,
    ),
    wrong(
        "new-name",
        {},
        "new task ../evil",
        "'../evil' is not a name - up to 100 letters, digits, '_', '-', '.', parted by '/'",
        code=2,
    ),
    wrong(
        "new-name-newline",
        {},
        "new task 'a\n'",
        "'a\\n' is not a name - up to 100 letters, digits, '_', '-', '.', parted by '/'",
        code=2,
    ),
    wrong("new-type", {}, "new task a --type 'x y'", "no task type is called 'x y' - there are arithmetic, …", code=2),
    wrong("new-type-near", {}, "new task a --type nil", "no task type is called 'nil' - did you mean 'nli'?", code=2),
    wrong(
        "new-there",
        {"a.yaml": TASK},
        "new task a",
        "a.yaml is there already - choose another name or remove it",
        code=2,
    ),
    wrong(
        "new-rows-there",
        {"a.tsv": ROWS},
        "new task a",
        "a.tsv is there already - choose another name or remove it",
        code=2,
    ),
    wrong(
        "new-in-file", {"a": ""}, "new task a/b", "a is a file - name a folder with -o, or choose another name", code=2
    ),
    wrong(
        "new-into-file",
        {"x": ""},
        "new task a -o x",
        "x is a file - name a folder with -o, or choose another name",
        code=2,
    ),
    wrong(
        "new-family-slash",
        {},
        "new family a/b",
        "'a/b' is not a name - up to 100 letters, digits, '_', '-', '.'",
        code=2,
    ),
    wrong(
        "verify-missing",
        {},
        "verify out",
        "out/manifest.json: is not there - name a folder that 'flanmix build' has finished",
    ),
    wrong(
        "verify-file",
        {"out": ""},
        "verify out",
        "out/manifest.json: cannot be read: Not a directory - name a folder that 'flanmix build' has finished",
    ),
    wrong(
        "verify-not-built",
        {"out/data/x.parquet": ""},
        "verify out",
        "out/manifest.json: is not there - name a folder that 'flanmix build' has finished",
    ),
    wrong(
        "verify-no-json",
        {"out/manifest.json": "{"},
        "verify out",
        "out/manifest.json: is no manifest - build the folder again",
    ),
    wrong(
        "verify-list",
        {"out/manifest.json": "[]"},
        "verify out",
        "out/manifest.json: is no manifest - build the folder again",
    ),
    wrong(
        "verify-version",
        {"out/manifest.json": '{"schema_version": 99}'},
        "verify out",
        "out/manifest.json: has schema_version 99, where flanmix … knows 1 - use the flanmix that wrote it, or …",
    ),
    wrong(
        "verify-lacks",
        {"out/manifest.json": '{"schema_version": 1, "rows": 3}'},
        "verify out",
        "out/manifest.json: lacks 'shards' - build the folder again",
    ),
    wrong(
        "verify-garbled",
        {"out/manifest.json": '{"schema_version": 1, "rows": 3, "tasks": [], "shards": [7]}'},
        "verify out",
        "out/manifest.json: is garbled - build the folder again",
    ),
    wrong(
        "verify-lost-shard",
        GOOD,
        "verify out",
        "out/data/train-00000-of-00001.parquet: is missing - build the folder again",
        before=BUILD,
        then={f"out/{SHARD}": None},
    ),
    wrong(
        "verify-damaged-shard",
        GOOD,
        "verify out",
        "out/data/train-00000-of-00001.parquet: bytes is 0, where the manifest says … - … build the folder again",
        before=BUILD,
        then={f"out/{SHARD}": ""},
    ),
    wrong(
        "verify-changed-count",
        GOOD,
        "verify out",
        "out/manifest.json: …planned… - build the folder again",
        "out/manifest.json: toy/sums: planned is not written + dropped - build the folder again",
        before=BUILD,
        then={"out/manifest.json": ('"planned": 4,\n   "written"', '"planned": 5,\n   "written"')},
    ),
    wrong(
        "verify-climbs",
        GOOD,
        "verify out",
        "out/manifest.json: names a file outside of out/data: ../sums.tsv - build the folder again",
        "out/data/train-00000-of-00001.parquet: is not in the manifest - move it out: trainers would read it",
        before=BUILD,
        then={"out/manifest.json": (SHARD, "../sums.tsv")},
    ),
    wrong(
        "verify-stranger",
        GOOD,
        "verify out",
        "out/data/extra.parquet: is not in the manifest - move it out: trainers would read it",
        before=BUILD,
        then={"out/data/extra.parquet": ""},
    ),
    # conversations
    wrong(
        "conversation-misspelt",
        but(
            GOOD_TALK,
            talk_yaml=("conversation:\n  messages: turns\n  role: from\n  content: value", "conversation: detec"),
        ),
        PLAN,
        "talk.yaml:4: conversation: should be 'detect', or have one of the keys 'messages', 'prompt' or 'instruction'",
    ),
    wrong(
        "conversation-of-no-form",
        but(GOOD_TALK, talk_yaml=("messages: turns", "turns: turns")),
        PLAN,
        "talk.yaml:4: conversation: should be 'detect', or have one of the keys 'messages', 'prompt' or 'instruction'",
    ),
    wrong(
        "conversation-unknown-key",
        but(GOOD_TALK, talk_yaml=("  role:", "  rol:")),
        PLAN,
        "talk.yaml:6: conversation.rol: unknown key 'rol' - did you mean 'role'?",
    ),
    wrong(
        "conversation-unknown-speaker",
        but(GOOD_TALK, talk_yaml=("  role: from", "  role: from\n  roles: {agent: assistent}")),
        PLAN,
        "talk.yaml:7: conversation.roles.agent: 'assistent' is not one of … - did you mean 'assistant'?",
    ),
    wrong(
        "conversation-without-answers",
        but(GOOD_TALK, talk_yaml=("messages: turns\n  role: from\n  content: value", "instruction: topic")),
        PLAN,
        "talk.yaml:4: conversation.output: is missing",
    ),
    wrong(
        "conversation-unknown-column",
        but(GOOD_TALK, talk_yaml=("messages: turns", "messages: turn")),
        PLAN,
        "talk.yaml:5: conversation.messages: no column 'turn' in talk.jsonl - did you mean 'turns'?",
    ),
    wrong(
        "conversation-unknown-keys-of-turns",
        but(GOOD_TALK, talk_yaml=("role: from\n  content: value", "role: role\n  content: text")),
        PLAN,
        "talk.yaml:6: conversation.role: no key 'role' in the turns of 'turns' - there are from, value",
        "talk.yaml:7: conversation.content: no key 'text' in the turns of 'turns' - there are from, value",
    ),
    wrong(
        "conversation-of-text",
        but(GOOD_TALK, talk_yaml=("messages: turns", "messages: topic")),
        PLAN,
        "talk.yaml:5: conversation.messages: the column 'topic' holds text, not lists of turns - name …",
    ),
    wrong(
        "conversation-not-found",
        but(
            GOOD_TALK,
            talk_yaml=("conversation:\n  messages: turns\n  role: from\n  content: value\n", "conversation: detect\n"),
            talk_jsonl='{"topic": "sums", "n": 1}\n',
        ),
        PLAN,
        "talk.yaml:4: conversation: no conversation is found in talk.jsonl, whose columns are topic (text), n (int64)"
        " - say where the turns stand: …",
    ),
    wrong(
        "conversation-of-a-dialogue-not-found",
        but(
            GOOD_TALK,
            talk_yaml=("conversation:\n  messages: turns\n  role: from\n  content: value\n", ""),
            talk_jsonl='{"topic": "sums"}\n',
        ),
        PLAN,
        "talk.yaml:3: source: no conversation is found in talk.jsonl, whose columns are topic (text)"
        " - say where the turns stand: …",
    ),
    wrong(
        "conversation-found-twice",
        but(
            GOOD_TALK,
            talk_yaml=("conversation:\n  messages: turns\n  role: from\n  content: value\n", "conversation: detect\n"),
            talk_jsonl=TURNS.replace('"topic": "sums"', '"question": "x", "answer": "y"'),
        ),
        PLAN,
        "talk.yaml:4: conversation: more than one thing in talk.jsonl may be the conversation: {messages: turns, …} or"
        " {prompt: question, completion: answer} - write the one that you mean, e.g. conversation: …",
    ),
    wrong(
        "conversation-none-usable",
        but(GOOD_TALK, talk_jsonl=TURNS.replace("human", "customer")),
        PLAN,
        "talk.yaml:3: source: talk.jsonl: has no usable rows - of 1 rows none is usable (a turn of an unknown role: 1)",
    ),
    wrong(
        "conversation-field-of-its-name",
        but(GOOD_TALK, talk_yaml=("conversation:", "fields:\n  prompt: topic\nconversation:")),
        "check -r .",
        "talk.yaml:5: fields.prompt: 'prompt' comes from the conversation - call the field something else",
    ),
    wrong(
        "conversation-unknown-field",
        GOOD_TALK | {"talk.yaml": TALK + "templates: [{name: a, input: '{{ promt }}', target: '{{ response }}'}]\n"},
        "check -r .",
        "talk.yaml:8: templates[0].input: 'promt' is no field of the task toy/talk - did you mean 'prompt'?",
    ),
    # many at once
    wrong(
        "five-problems-in-three-files",
        {
            "mix.yaml": MIXTURE.replace("rows: 4", "rows: none").replace("weight", "wieght"),
            "a.yaml": TASK.replace("type:", "typ:"),
            "b.yaml": TASK.replace("toy/sums", "toy/b").replace("name: plain", 'name: "two\\nlines"'),
        },
        PLAN,
        "mix.yaml:2: rows: should be a whole number, not 'none'",
        "mix.yaml:4: parts[0].wieght: unknown key 'wieght' - did you mean 'weight'?",
        "a.yaml:1: type: is missing",
        "a.yaml:2: typ: unknown key 'typ' - did you mean 'type'?",
        "b.yaml:6: templates[0].name: 'two\\nlines' is not one line of printable text - write it like my-name",
    ),
    wrong(
        "problems-of-check",
        {
            "mix.yaml": MIXTURE.replace("toy/*", "toi/*"),
            "a.yaml": TASK.replace("{{ question }}", "{{ qestion }}"),
            "b.yaml": TASK.replace("toy/sums", "toy/b").replace("{{ answer }}", "{{ answer | uper }}"),
        },
        "check -r .",
        "mix.yaml:4: parts[0].select: 'toi/*' selects no task - 'flanmix ls SELECTOR' shows what …",
        "b.yaml:8: templates[0].target: No filter named 'uper'. - did you mean 'upper'?",
        "a.yaml:7: templates[0].input: 'qestion' is no field of the task toy/sums - did you mean 'question'?",
    ),
    wrong(
        "cache-is-a-file",
        GOOD | {"cache-file": ""},
        PLAN,
        "cache-file: the cache cannot be written: Not a directory - make room, or set FLANMIX_CACHE …",
        cache="cache-file",
    ),
]


class Place:
    """A working folder, a home and a cache, all below one folder."""

    def __init__(self, root: Path, cache: str | None) -> None:
        self.root, self.work = root, root / "work"
        self.work.mkdir()
        (root / "home").mkdir()
        self.environment = {"HOME": str(root / "home"), "FLANMIX_CACHE": cache or str(root / "cache")}

    def write(self, files: Mapping[str, str | bytes | tuple[str, str] | None]) -> None:
        for name, content in files.items():
            file = self.work / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                file.unlink()
            elif isinstance(content, tuple):
                assert content[0] in file.read_text()
                file.write_text(file.read_text().replace(*content))
            else:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def content(self) -> dict[str, bytes | None]:
        """Every folder and every file there is, with what is in it."""
        found = self.root.rglob("*")
        return {str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else None for path in found}


NEXT_STEP = re.compile(" - |should be |is missing$|a mixture takes|a part (takes|needs)")
INTERNALS = re.compile(r"Traceback|pydantic|<class|object at|0x[0-9a-f]{6}|\bNone\b|Error\(|Errno|\x1b")


def assert_told(told: str, says: tuple[str, ...], root: Path) -> None:
    """What was told is what is expected, line by line, and each line can be understood and acted on."""
    lines = told.splitlines()
    assert len(lines) == len(says), told
    for line, expected in zip(lines, says, strict=True):
        pattern = ".*".join(map(re.escape, expected.split("…")))
        assert re.fullmatch(pattern, line), line
        assert NEXT_STEP.search(line), f"no next step: {line}"
        assert not INTERNALS.search(line), line
        assert str(root) not in line, f"a path that nobody wrote: {line}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_wrong_input_is_refused_in_words_and_leaves_nothing_behind(
    case: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, case.cache)
    monkeypatch.chdir(place.work)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    place.write(case.files)
    if case.before:
        assert run(shlex.split(case.before)) == 0
    place.write(case.then)
    capsys.readouterr()
    before = place.content()
    code = run(shlex.split(case.command))
    printed, told = capsys.readouterr()
    assert_told(told, case.says, tmp_path)
    assert code == case.code
    assert printed == ""
    assert place.content() == before


def test_there_are_many_wrong_inputs_and_each_has_its_own_name() -> None:
    assert len(CASES) == len({case.id for case in CASES}) > 200


IN_A_PROCESS = (
    "yaml-duplicate-key",
    "data-wrong-column",
    "data-not-utf8",
    "mix-too-many-rows",
    "template-fails-on-row-in-a-worker",
    "option-unknown",
    "out-other-plan",
    "verify-no-json",
)


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_a_wrong_input_is_refused_in_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.id == name)
    place = Place(tmp_path, case.cache)
    place.write(case.files)

    def flanmix(command: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **place.environment}
        environment.pop("XDG_CACHE_HOME", None)
        command_line = [sys.executable, "-m", "flanmix", *shlex.split(command)]
        return subprocess.run(command_line, cwd=place.work, env=environment, capture_output=True, text=True)

    if case.before:
        assert flanmix(case.before).returncode == 0
    before = place.content()
    done = flanmix(case.command)
    assert_told(done.stderr, case.says, tmp_path)
    assert (done.returncode, done.stdout) == (case.code, "")
    assert place.content() == before
