"""Conversations as plain rows: the texts of the chat template, cut where the last answer begins and ends."""

import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.chat.conversations import HISTORY, Conversations
from flanmix.chat.flat import flatten, markers
from flanmix.chat.render import render_chat
from flanmix.chat.template import ChatTemplate
from flanmix.errors import TemplateError
from flanmix.layouts import Writing, lay_out
from tests.chat.talk import NAMES, column, conversations, template

MARK = re.compile(r"\{%-? (?:end)?generation %\}")
TALK = {"system": "Be brief.", "history": [{"user": "1 + 1?", "assistant": "2"}], "input": "2 + 2?", "target": "4"}


def rows_of(*rows: dict[str, Any]) -> pa.Table:
    text = pa.large_string()
    kinds = {"input": text, "target": text, "system": text, "history": HISTORY, "fm_row": pa.int64()}
    numbered = [{"system": "", "history": [], "fm_row": number, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, pa.schema(list(kinds.items())))


def ways(name: str) -> dict[str, ChatTemplate]:
    """A template of ours, and its Jinja text as that of a tokenizer, with marks of what is generated and without."""
    own = template(name)
    tokens = {"bos": own.bos, "eos": own.eos, "end": own.end}
    unmarked = MARK.sub("", own.jinja)
    return {
        "ours": own,
        "marked": ChatTemplate.of_jinja(own.jinja, **tokens),
        "unmarked": ChatTemplate.of_jinja(unmarked, **tokens),
    }


def flat(rows: pa.Table, used: ChatTemplate, **options: Any) -> list[dict[str, Any]]:
    return list(flatten(rows, used, **options).examples.to_pylist())


def test_the_target_is_the_last_answer_with_its_end_and_the_input_all_before_it() -> None:
    asked = (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1 + 1?<|im_end|>\n"
        "<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert flat(rows_of(TALK), template("chatml")) == [{"input": asked, "target": "4<|im_end|>", "fm_row": 0}]


def test_the_start_is_left_to_the_tokenizer_and_the_answer_keeps_what_leads_it() -> None:
    asked = "[INST] Be brief.\n\n1 + 1?[/INST] 2</s>[INST] 2 + 2?[/INST]"
    assert flat(rows_of(TALK), template("mistral")) == [{"input": asked, "target": " 4</s>", "fm_row": 0}]


def test_for_two_texts_that_are_encoded_apart_the_target_stays_as_it_is() -> None:
    (together,), (apart,) = (flat(rows_of(TALK), template("mistral"), apart=way) for way in (False, True))
    assert apart == together | {"target": "4"}


@pytest.mark.parametrize("way", ["ours", "marked", "unmarked"])
@pytest.mark.parametrize("name", NAMES)
def test_input_and_target_are_the_whole_text_of_the_template_up_to_the_end_of_turn(name: str, way: str) -> None:
    empty = {"role": "system", "content": ""}  # is no turn in examples
    talks = [talk[1:] if talk[0] == empty else talk for talk in conversations(60)]
    used = ways(name)[way]
    found = flat(Conversations.of(column(talks)).examples(), used)
    asked = render_chat(template(name), column([talk[:-1] for talk in talks]), add_generation_prompt=True)
    for row, talk, prompt in zip(found, talks, asked.texts.to_pylist(), strict=True):
        assert row["input"] == prompt.removeprefix(used.bos)
        said = talk[-1]["content"]
        assert row["target"].endswith(used.end)
        assert row["target"].removesuffix(used.end).strip() == said.strip()
        assert row["target"].count(used.end) == 1


@pytest.mark.parametrize("name", NAMES)
def test_plain_rows_in_slices_and_none_at_all(name: str) -> None:
    rows = pa.table({"input": ["1 + 1?", "", "é\n"], "target": ["2", "b", ""]})
    whole = flatten(rows, template(name)).examples
    assert whole.column_names == ["input", "target"]
    assert flatten(rows.slice(1), template(name)).examples.equals(whole.slice(1))
    none = flatten(rows.slice(3), template(name))
    assert (none.examples.num_rows, none.examples.schema, len(none.spelled)) == (0, whole.schema, 0)


# ---- texts that spell a marker


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["system", "earlier user", "earlier answer", "input", "target"])
def test_a_row_that_spells_a_marker_is_left_out_and_told(name: str, place: str) -> None:
    for marker in sorted(markers(template(name))):
        said = {place: f"say {marker} now"}
        pairs = [{"user": said.get("earlier user", "a"), "assistant": said.get("earlier answer", "b")}]
        row = {"system": said.get("system", ""), "history": pairs}
        row |= {"input": said.get("input", "c"), "target": said.get("target", "d")}
        for used in ways(name).values():
            found = flatten(rows_of(TALK, row, TALK), used)
            assert found.spelled.tolist() == [False, True, False]
            assert found.examples["fm_row"].to_pylist() == [0, 2]


def test_every_mark_that_a_template_writes_is_known() -> None:
    known = {
        "alpaca": ["</s>"],
        "chatml": ["<|im_end|>", "<|im_start|>"],
        "gemma": ["<bos>", "<end_of_turn>", "<start_of_turn>"],
        "llama3": ["<|begin_of_text|>", "<|end_header_id|>", "<|eot_id|>", "<|start_header_id|>"],
        "mistral": ["</s>", "<s>", "[/INST]", "[INST]"],
        "plain": ["</s>"],
        "qwen": ["<|im_end|>", "<|im_start|>"],
        "vicuna": ["</s>", "<s>"],
        "zephyr": ["</s>", "<|assistant|>", "<|system|>", "<|user|>"],
    }
    assert {name: sorted(markers(template(name))) for name in NAMES} == known


def test_more_texts_may_be_guarded_and_all_rows_may_go() -> None:
    found = flatten(rows_of({"input": "a <tool>", "target": "b"}), template("chatml"), guarded=["<tool>"])
    assert (found.examples.num_rows, found.spelled.tolist()) == (0, [True])
    assert flatten(rows_of({"input": "a <tool>", "target": "b"}), template("chatml")).examples.num_rows == 1


def test_a_template_that_fails_on_a_row_says_so() -> None:
    used = ChatTemplate.of_jinja("{{ raise_exception('no systems') }}", eos="</s>")
    with pytest.raises(TemplateError, match="no systems"):
        flatten(rows_of(TALK), used)


# ---- what trainers make of them

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(texts, texts, texts), max_size=4), st.sampled_from(NAMES))
def test_layouts_write_flat_rows_to_the_byte(rows: list[tuple[str, str, str]], name: str) -> None:
    """Prompt and completion together, and `text`, are what the template writes; each ends with one end of turn."""
    used = template(name)
    given_rows = rows_of(*({"system": a, "input": b, "target": c} for a, b, c in rows))
    found = flatten(given_rows, used).examples
    pairs, whole = (
        lay_out(found, layout, Writing(""), metadata=False).to_pylist() for layout in ("prompt_completion", "text")
    )
    turns = Conversations.of_examples(given_rows)
    assert [row["prompt"] + row["completion"] for row in pairs] == [row["text"] for row in whole]
    told = zip(turns.names.to_pylist(), turns.contents.to_pylist(), strict=True)
    messages = [{"role": role, "content": text} for role, text in told]
    parts = [messages[a:b] for a, b in zip(turns.offsets, turns.offsets[1:], strict=False)]
    rendered = render_chat(used, column(parts)).texts.to_pylist() if parts else []
    for text, row in zip(rendered, whole, strict=True):
        assert text.rstrip("\n").removeprefix(used.bos) == row["text"]
