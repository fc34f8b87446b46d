"""Specs are frozen values that refuse what cannot be meant."""

import re
from itertools import combinations
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
    Bounds,
    Family,
    FileSource,
    GeneratorSource,
    HubSource,
    Limits,
    Mixture,
    Part,
    Prompt,
    Spec,
    Stage,
    SystemPrompts,
    TableSource,
    Task,
    Template,
    Turn,
    TypeTag,
)
from flanmix.spec.prompts import prompts_of

ASK = Template("ask", input="{{ q }}", target="{{ a }}")
SOURCE = {"path": "nyu-mll/glue"}


def made(**values: Any) -> Task:
    return Task(**{"task": "toy/sum", "type": "arithmetic", "source": SOURCE, **values})


def mixed(**values: Any) -> Mixture:
    return Mixture(**{"mixture": "mini", "parts": [{"select": "*"}], **values})


# ---- conversations


@pytest.mark.parametrize(
    "columns",
    [
        {"messages": "conversations", "role": "from", "content": "value", "system": "system_prompt", "train": "weight"},
        {"messages": "talk", "roles": {"customer": "user", "agent": "assistant"}},
        {"instruction": "i", "input": "x", "output": "o", "system": "s", "history": "h"},
        {"prompt": "p", "completion": "c", "history": "h"},
    ],
)
def test_a_task_says_where_the_turns_of_its_conversations_stand(columns: dict[str, Any]) -> None:
    conversation = made(conversation=columns).conversation
    assert isinstance(conversation, Spec)
    assert conversation.model_dump(exclude_defaults=True) == columns
    assert made(conversation=conversation).conversation == conversation


def test_or_that_they_are_to_be_found() -> None:
    assert made(conversation="detect").conversation == "detect"
    assert made().conversation is None


@pytest.mark.parametrize("wrong", ["detct", 7, [], {}, {"column": "messages"}])
def test_nothing_else_is_a_conversation(wrong: Any) -> None:
    says = "conversation: should be 'detect', or have one of the keys 'messages', 'prompt' or 'instruction'"
    with pytest.raises(SpecError, match=says):
        made(conversation=wrong)


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
    "spec",
    [
        *(Template, Family, Task, Part, Mixture, Stage, Limits, Bounds),
        *(HubSource, FileSource, TableSource, GeneratorSource),
        *(Turn, Prompt, SystemPrompts, TypeTag),
    ],
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


def test_turns_may_be_cut_into_mappings_as_one_likes() -> None:
    one = [{"user": "a"}, {"assistant": "b"}, {"user": "c", "assistant": "d"}]
    other = [{"user": "a", "assistant": "b"}, {"user": "c"}, {"assistant": "d"}]
    for turns in (one, other):
        talk = Template("talk", turns=turns)
        assert list(talk.texts.values()) == ["a", "b", "c", "d"]
        assert [talk.texts[key] for key in talk.pair] == ["c", "d"]
        assert [[talk.texts[key] for key in pair] for pair in talk.earlier] == [["a", "b"]]


def test_the_texts_of_a_template_carry_the_keys_under_which_they_are_written() -> None:
    keys = {
        "system": Template("t", input="i", target="t", system="s"),
        "system[0] system[1].text": Template("t", input="i", target="t", system=["s", {"text": "", "weight": 2}]),
    }
    for names, template in keys.items():
        assert list(template.texts) == [*names.split(), "input", "target"]
        assert template.earlier == ()
    talk = Template("t", turns=[{"user": "u", "assistant": "a"}], system="s")
    assert talk.texts == {"system": "s", "turns[0].user": "u", "turns[0].assistant": "a"}


def test_a_pool_has_the_weights_it_is_given_and_1_otherwise() -> None:
    assert prompts_of(None) == ()
    assert prompts_of("a") == (Prompt("a"),)
    assert [prompt.weight for prompt in prompts_of(("a", Prompt("b", weight=0.5)))] == [1, 0.5]


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


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"select": "*", "mixture": "m"},
        {"select": "*", "parts": [{"select": "a"}]},
        {"mixture": "m", "parts": [{"select": "a"}]},
    ],
)
def test_a_part_is_a_selector_a_mixture_or_parts_of_its_own(values: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="a part needs one of 'select', 'mixture', 'parts'"):
        Part(**values)


@pytest.mark.parametrize("values", list(combinations({"weight": 1, "rows": 2, "tokens": 3, "epochs": 1}.items(), 2)))
def test_a_part_has_one_measure_at_most(values: tuple[tuple[str, int], ...]) -> None:
    with pytest.raises(SpecError, match=re.escape("at most one of 'weight', 'rows', 'tokens', 'epochs'")):
        Part("*", **dict(values))


@pytest.mark.parametrize("values", list(combinations({"rows": 1, "tokens": 1, "epochs": 1}.items(), 2)))
def test_a_mixture_and_a_stage_have_one_budget_at_most(values: tuple[tuple[str, int], ...]) -> None:
    for make in (mixed, staged):
        with pytest.raises(SpecError, match="a budget is in one of 'rows', 'tokens', 'epochs' - leave the others out"):
            make(tokenizer="t.json", **dict(values))


def staged(tokenizer: str = "t.json", **values: Any) -> Mixture:
    """A mixture of one stage, with these values in it."""
    stage = {"name": "one", "parts": [{"select": "*"}], **values}
    return Mixture("mini", stages=[stage], tokenizer=tokenizer)


def test_a_mixture_has_parts_or_stages_and_may_do_with_sizes() -> None:
    with pytest.raises(SpecError, match=re.escape("a mixture needs 'parts' (or 'stages', or 'sizes')")):
        Mixture("mini", rows=1)
    with pytest.raises(SpecError, match="a mixture has 'parts' or 'stages', not both"):
        mixed(stages=[Stage("one", parts=[Part("*")])])
    assert Mixture("mini", rows=1, sizes={"a": 3}).parts == ()


def test_a_mixture_with_stages_has_no_budget_of_its_own() -> None:
    with pytest.raises(SpecError, match="a mixture with stages has a budget in each of them - leave its own out"):
        Mixture("mini", rows=1, stages=[Stage("one", parts=[Part("*")])])


def test_two_stages_have_two_names() -> None:
    with pytest.raises(SpecError, match="two stages are called 'one' - rename one"):
        Mixture("mini", stages=[Stage("one", parts=[Part("*")]), Stage("one", parts=[Part("*")])])


@pytest.mark.parametrize("replay", ["two", "late", "nowhere"])
def test_a_stage_replays_earlier_stages_only(replay: str) -> None:
    stages = [{"name": name, "parts": [{"select": "*"}]} for name in ("one", "two", "late")]
    stages[1]["replay"] = {replay: 0.1}
    with pytest.raises(SpecError, match=f"the stage 'two' replays '{replay}', which is no earlier stage"):
        Mixture("mini", stages=stages)
    stages[1]["replay"] = {"one": 0.1}
    assert Mixture("mini", stages=stages).stages[1].replay == {"one": 0.1}


def test_a_budget_in_tokens_needs_a_tokenizer() -> None:
    stages = [Stage("one", parts=[Part("*")], tokens=10)]
    for make in (lambda: mixed(tokens=10), lambda: Mixture("mini", stages=stages)):
        with pytest.raises(SpecError, match="a budget in tokens needs 'tokenizer' - name a tokenizer"):
            make()
    assert mixed(tokens=10, tokenizer="t.json").tokens == 10


def test_a_floor_is_not_above_its_ceiling() -> None:
    for make in (Bounds, Limits, lambda **values: Part("*", **values)):
        with pytest.raises(SpecError, match=re.escape("min_share 0.5 is above max_share 0.25 - lower one")):
            make(min_share=0.5, max_share=0.25)
        assert make(min_share=0.25, max_share=0.25).max_share == 0.25


@pytest.mark.parametrize("rate", ["equal", "unimax"])
@pytest.mark.parametrize("key", ["scale", "rate_cap", "temperature"])
def test_a_rate_that_counts_all_tasks_the_same_takes_no_rule(rate: Any, key: str) -> None:
    with pytest.raises(SpecError, match=f"the rate '{rate}' counts all tasks the same, and takes no '{key}'"):
        Limits(rate=rate, **{key: 2})
    assert Limits(rate="t5", **{key: 2}).rate == "t5"


def test_the_first_key_of_a_spec_is_the_first_that_is_shown() -> None:
    assert repr(mixed(rows=4)).startswith("Mixture(name='mini', rows=4")
    assert repr(Stage("one", rows=4, parts=[Part("*")])).startswith("Stage(name='one', rows=4")


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
        {"stages": []},
        {"parts": [{"parts": []}]},
        {"weights": {"a": 0}},
        {"sizes": {"a": 0}},
        {"sizes": {"a": {}}},
        {"sizes": {"a": {"plain": 0}}},
        {"sizes": {"a": True}},
        {"types": {"nli": {"max_share": 1.5}}},
        {"types": {"nli": {"max_epochs": 2}}},
        {"templates": "random"},
        {"order": "sorted"},
        {"without": [""]},
        {"defaults": {"rate": "t6"}},
        {"defaults": {"rate_cap": 0}},
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
