"""Specs are frozen values that refuse what cannot be meant."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flanmix.errors import SpecError
from flanmix.spec import (
    NAME_PATTERN,
    Family,
    FileSource,
    GeneratorSource,
    HubSource,
    Limits,
    Mixture,
    Part,
    Spec,
    TableSource,
    Task,
    Template,
)

ASK = Template("ask", input="{{ q }}", target="{{ a }}")
SOURCE = {"path": "nyu-mll/glue"}


def made(**values: Any) -> Task:
    return Task(**{"task": "toy/sum", "type": "arithmetic", "source": SOURCE, **values})


def mixed(**values: Any) -> Mixture:
    return Mixture(**{"mixture": "mini", "parts": [{"select": "*"}], **values})


# ---- values


def test_the_head_may_be_given_first_and_without_its_name() -> None:
    assert Task("a/b", type="nli", source=SOURCE) == Task(task="a/b", type="nli", source=SOURCE)
    assert Part("type:nli") == Part(select="type:nli")
    assert Template("ask", input="x", target="y").name == "ask"


def test_a_spec_without_a_head_takes_its_values_by_name_only() -> None:
    with pytest.raises(TypeError, match=r"FileSource takes .* by name"):
        FileSource("a.csv")


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        mixed().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "spec", [Template, Family, Task, Part, Mixture, Limits, HubSource, FileSource, TableSource, GeneratorSource]
)
def test_an_unknown_key_is_an_error_everywhere(spec: type[Spec]) -> None:
    with pytest.raises(SpecError, match="wieght: unknown key 'wieght'"):
        spec(**{"wieght": 1})


# ---- names


@given(st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) <= 200))
def test_a_task_name_is_a_path_that_stays_under_its_root(name: str) -> None:
    path = PurePosixPath(made(task=name).name)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert Path("/root", path).is_relative_to("/root")
    assert not any(part.startswith((".", "-")) for part in path.parts)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/.b",
        ".a",
        "a b",
        "a\\b",
        "a\n",
        "a/b\n",
        "é",
        "a\0",
        "~a",
        "a" * 201,
    ],
)
def test_names_that_are_no_safe_paths_are_refused(name: str) -> None:
    for build in (lambda: made(task=name), lambda: mixed(mixture=name)):
        with pytest.raises(SpecError):
            build()


# ---- sources


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"path": "glue", "name": "rte"}, HubSource),
        ({"files": "*.jsonl"}, FileSource),
        ({"files": {"train": ["a.csv", "b.csv"]}}, FileSource),
        ({"generator": "dates/weekday", "rows": 3}, GeneratorSource),
        ([{"a": 1}], TableSource),
        (pd.DataFrame({"a": [1]}), TableSource),
        (pa.table({"a": [1]}), TableSource),
        (FileSource(files="a.csv"), FileSource),
    ],
)
def test_a_source_is_told_by_its_keys_or_by_what_it_is(source: Any, kind: type[Spec]) -> None:
    assert type(made(source=source).source) is kind


@pytest.mark.parametrize("source", [{}, {"name": "rte"}, "glue"])
def test_a_source_that_is_none_says_which_keys_make_one(source: Any) -> None:
    with pytest.raises(SpecError, match="a source needs one of the keys 'path'"):
        made(source=source)


# ---- tasks and templates


def test_a_list_of_templates_is_all_the_templates_there_are() -> None:
    task = made(templates=[ASK])
    assert task.templates.use == ()
    assert task.templates.add == (ASK,)


def test_templates_come_from_the_family_of_the_type_unless_said_otherwise() -> None:
    assert made().templates.use is None


@pytest.mark.parametrize("key", ["input", "target", "when"])
def test_a_template_has_no_empty_text(key: str) -> None:
    with pytest.raises(SpecError):
        Template(**{"name": "x", "input": "i", "target": "t", key: ""})


def test_a_field_is_a_text_or_a_list_of_texts() -> None:
    assert made(fields={"choices": ["yes", "no"]}).fields == {"choices": ("yes", "no")}
    for wrong in ({"a": 1}, {"a": ""}, {"a": [1]}, {"a b": "x"}, {"1a": "x"}, {"_a": "x"}):
        with pytest.raises(SpecError):
            made(fields=wrong)


@pytest.mark.parametrize("key", ["fields", "templates"])
def test_a_family_has_fields_and_templates(key: str) -> None:
    with pytest.raises(SpecError):
        Family(**{"family": "nli", "fields": ["q"], "templates": [ASK], key: []})


# ---- mixtures


@pytest.mark.parametrize("values", [{}, {"select": "*", "mixture": "m"}])
def test_a_part_is_either_a_selector_or_a_mixture(values: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="a part needs either 'select' or 'mixture'"):
        Part(**values)


@pytest.mark.parametrize("values", [{"weight": 1, "rows": 2}, {"rows": 2, "epochs": 1}, {"weight": 1, "epochs": 1}])
def test_a_part_has_one_measure_at_most(values: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=re.escape("at most one of 'weight', 'rows', 'epochs'")):
        Part("*", **values)


def test_a_mixture_has_one_budget_at_most() -> None:
    with pytest.raises(SpecError, match="'rows' or 'epochs', not both"):
        mixed(rows=1, epochs=1)


def test_the_shares_of_styles_add_up_to_one_at_most() -> None:
    assert mixed(styles={"inverted": 0.5, "cot": 0.5}).styles == {"inverted": 0.5, "cot": 0.5}
    with pytest.raises(SpecError, match=re.escape("add up to 1.1, more than 1")):
        mixed(styles={"inverted": 0.5, "cot": 0.6})


@pytest.mark.parametrize(
    "values",
    [
        {"rows": 0},
        {"rows": True},
        {"rows": "5"},
        {"rows": 5.0},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": True},
        {"epochs": 0},
        {"epochs": float("inf")},
        {"epochs": float("nan")},
        {"parts": []},
        {"styles": {"plain": 0.5}},
        {"styles": {"cot": -0.1}},
        {"defaults": {"min_share": 1.5}},
        {"defaults": {"temperature": 0}},
        {"layout": "chat"},
    ],
)
def test_numbers_and_words_that_cannot_be_meant_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        mixed(**values)
