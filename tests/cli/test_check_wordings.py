"""`flanmix check` looks at wordings: what it finds ends it with 1, at its line; other collections are warned of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Flanmix = Callable[[str], Any]


@pytest.fixture
def spoilt(work: Path) -> Path:
    """The working folder with a fault in a wording, and one that only rows show."""
    sums = (work / "sums.yaml").read_text().replace("Please tell me: {{", "Please tell me:{{")
    (work / "sums.yaml").write_text(sums)
    (work / "colours.jsonl").write_text('{"q": "", "label": 2}\n{"q": "Grass?", "label": 1}\n')
    return work


GLUED = (
    "sums.yaml:12: templates[1].input: glued-to-data: polite: 'me:{{ question }}' has nothing between the words and the"
    " field - put a space or a line break between them"
)
BLANK = (
    "riddles.yaml:6: templates[0].input: blank-field: riddles/choose: {{ question }} is blank in 1 of 2 rows of"
    " toy/colours, first in row 0 - put it and its words into '{% if … %}', keep such rows away with"
    " 'when', or drop them"
)


def test_faults_of_wordings_are_told_in_one_run_and_end_it_with_1(spoilt: Path, flanmix: Flanmix) -> None:
    result = flanmix("check mix.yaml")
    assert (result.code, result.out, result.err.splitlines()) == (1, "", [BLANK, GLUED])


def test_rows_are_left_alone_where_none_are_asked_for(spoilt: Path, flanmix: Flanmix) -> None:
    assert flanmix("check mix.yaml --rows 0").err.splitlines() == [GLUED]


def test_they_are_told_after_problems_of_other_kinds(spoilt: Path, flanmix: Flanmix) -> None:
    (spoilt / "more.yaml").write_text("task: more\ntpye: nli\nsource: {files: a.tsv}\n")
    told = [line.split(" - ")[0] for line in flanmix("check -r . --rows 0").err.splitlines()]
    assert told[-1].startswith("sums.yaml:12: templates[1].input: glued-to-data")
    assert "more.yaml:2: tpye: unknown key 'tpye'" in told[:-1]


def test_as_json_they_have_a_rule_and_a_severity(spoilt: Path, flanmix: Flanmix, good: Flanmix) -> None:
    blank, glued = json.loads(flanmix("check mix.yaml --format json").out)
    assert (blank["rule"], blank["line"], blank["severity"]) == ("blank-field", 6, "problem")
    assert glued["what"] == "'me:{{ question }}' has nothing between the words and the field"
    (spoilt / "sums.yaml").write_text((spoilt / "sums.yaml").read_text().replace("me:{{", "me: {{"))
    assert json.loads(good("check mix.yaml --rows 0 --format json").out) == []


def test_rows_that_cannot_be_read_are_told_and_are_no_problem(work: Path, good: Flanmix) -> None:
    (work / "sums.tsv").unlink()
    told = good("check mix.yaml").err.splitlines()
    assert told[0].startswith("no row was looked at of toy/sums: sums.tsv: no file of that name")
    assert told[-1].endswith(": no problems")


def test_datasets_of_the_hub_are_not_loaded_unless_rows_are_asked_for(work: Path, good: Flanmix) -> None:
    colours = (work / "colours.yaml").read_text().replace('{files: "colours.j*"}', "{path: nowhere/to-be-found}")
    (work / "colours.yaml").write_text(colours)
    told = good("check mix.yaml").err.splitlines()
    assert told[0] == "no row was looked at of toy/colours: a dataset of the Hub, which --rows loads"


def test_a_field_that_does_not_fit_the_rows_is_a_problem(work: Path, flanmix: Flanmix) -> None:
    (work / "sums.yaml").write_text((work / "sums.yaml").read_text().replace("answer: a}", "answer: b}"))
    result = flanmix("check mix.yaml")
    assert result.code == 1
    assert result.err.startswith("sums.yaml:6: fields.answer: ")


IMPORTED = """\
family: theirs
fields: [q]
templates:
  - {name: one, dialect: promptsource, jinja: "Say:{{ q }} ||| {{ q }}"}
  - {name: two, input: "Say:{{ q }}", target: "{{ q | length }}", metadata: {id: 7f1c}}
"""


def test_wordings_of_other_collections_are_warned_of(work: Path, good: Flanmix) -> None:
    (work / "theirs.yaml").write_text(IMPORTED)
    told = good("check -r . --rows 0").err.splitlines()
    assert [line.split(": ")[:4] for line in told[:-1]] == [
        ["warning", "theirs.yaml:4", "templates[0].jinja", "answer-leak"],
        ["warning", "theirs.yaml:4", "templates[0].jinja", "glued-to-data"],
        ["warning", "theirs.yaml:5", "templates[1].input", "glued-to-data"],
    ]


def test_many_warnings_are_counted_by_rule_and_json_has_them_all(work: Path, good: Flanmix) -> None:
    more = "".join(
        IMPORTED.splitlines(keepends=True)[-1].replace("two", f"t{n}").replace("Say", f"Say {n}") for n in range(30)
    )
    (work / "theirs.yaml").write_text(IMPORTED + more)
    told = good("check -r . --rows 0").err.splitlines()
    assert [line.split(" at ")[0] for line in told[:2]] == [
        "warning: 1 time answer-leak, first",
        "warning: 32 times glued-to-data, first",
    ]
    listed = json.loads(good("check -r . --rows 0 --format json").out)
    assert len(listed) == 33
    assert {record["severity"] for record in listed} == {"warning"}


def test_rows_are_not_for_folders_of_shards(work: Path, flanmix: Flanmix) -> None:
    result = flanmix("check --for trl . --rows 5")
    assert (result.code, result.err) == (2, "--for looks at every row - leave --rows out\n")
