"""Conversations as texts: the published formats, columns equal to Jinja, and the spans of what the assistant says."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from flanmix.chat.form import ChatForm
from flanmix.chat.library import chat_templates, load_chat_template
from flanmix.chat.render import render_chat, render_pairs
from flanmix.chat.rendered import Rendered
from flanmix.chat.template import ChatTemplate
from flanmix.errors import SourceError, SpecError, TemplateError, UsageError
from tests.chat.talk import NAMES, column, conversations, template

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "1 + 1?"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": "And 2 + 2?"},
    {"role": "assistant", "content": "4"},
]
PUBLISHED = {
    "alpaca": (
        "Be brief.\n\n### Instruction:\n1 + 1?\n\n### Response:\n2</s>\n\n### Instruction:\n"
        "And 2 + 2?\n\n### Response:\n4</s>"
    ),
    "chatml": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1 + 1?<|im_end|>\n"
        "<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user\nAnd 2 + 2?<|im_end|>\n"
        "<|im_start|>assistant\n4<|im_end|>\n"
    ),
    "gemma": (
        "<bos><start_of_turn>user\nBe brief.\n\n1 + 1?<end_of_turn>\n<start_of_turn>model\n"
        "2<end_of_turn>\n<start_of_turn>user\nAnd 2 + 2?<end_of_turn>\n<start_of_turn>model\n"
        "4<end_of_turn>\n"
    ),
    "llama3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n1 + 1?<|eot_id|><|start_header_id|>"
        "assistant<|end_header_id|>\n\n2<|eot_id|><|start_header_id|>"
        "user<|end_header_id|>\n\nAnd 2 + 2?<|eot_id|><|start_header_id|>"
        "assistant<|end_header_id|>\n\n4<|eot_id|>"
    ),
    "mistral": ("<s>[INST] Be brief.\n\n1 + 1?[/INST] 2</s>[INST] And 2 + 2?[/INST] 4</s>"),
    "plain": ("Be brief.\n\n1 + 1?\n2</s>\nAnd 2 + 2?\n4</s>"),
    "vicuna": ("<s>Be brief. USER: 1 + 1? ASSISTANT: 2</s>USER: And 2 + 2? ASSISTANT: 4</s>"),
    "zephyr": (
        "<|system|>\nBe brief.</s>\n<|user|>\n1 + 1?</s>\n<|assistant|>\n2</s>\n<|user|>\n"
        "And 2 + 2?</s>\n<|assistant|>\n4</s>\n"
    ),
}
PUBLISHED["qwen"] = PUBLISHED["chatml"]
LEAD = {"mistral": " ", "vicuna": " "}


def as_jinja(name: str) -> ChatTemplate:
    """The same template, as another would use its Jinja text."""
    own = template(name)
    return ChatTemplate.of_jinja(own.jinja, bos=own.bos, eos=own.eos, end=own.end)


def said(rendered: Rendered, row: int) -> list[str]:
    text = rendered.texts[row].as_py()
    return [text[start:stop] for start, stop in rendered.spans.row(row)]


# ---- the templates that ship


@pytest.mark.parametrize("name", NAMES)
def test_a_template_writes_the_published_format(name: str) -> None:
    rendered = render_chat(template(name), column([TALK]))
    assert rendered.texts[0].as_py() == PUBLISHED[name]
    lead, end = LEAD.get(name, ""), template(name).end
    assert said(rendered, 0) == [f"{lead}2{end}", f"{lead}4{end}"]
    assert rendered.spans.turns.tolist() == [2, 4]


@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_columns_write_what_the_sandboxed_jinja_writes(name: str, prompt: bool) -> None:
    rows = conversations()
    rows += [[{"role": "assistant", "content": " says so \x1c\u2028"}], [{"role": "user", "content": "\u200b\u3000x"}]]
    rows += [[*rows[0], {"role": "assistant", "content": "more"}, {"role": "assistant", "content": ""}]]
    guarded = ("🙂", "東京は")
    ours = render_chat(template(name), column(rows), add_generation_prompt=prompt, guarded=guarded)
    theirs = render_chat(as_jinja(name), column(rows), add_generation_prompt=prompt, guarded=guarded)
    assert ours.texts.to_pylist() == theirs.texts.to_pylist()
    for part in ("offsets", "turns", "starts", "stops", "byte_starts", "byte_stops"):
        assert getattr(ours.spans, part).tolist() == getattr(theirs.spans, part).tolist(), part
    assert ours.verbatim == theirs.verbatim
    assert len(ours.verbatim) > 20


@pytest.mark.parametrize("name", NAMES)
def test_what_prompts_the_assistant_is_how_the_whole_text_goes_on(name: str) -> None:
    rows = conversations(50)
    asked = render_chat(template(name), column([row[:-1] for row in rows]), add_generation_prompt=True)
    whole = render_chat(template(name), column(rows))
    for row, (before, text) in enumerate(zip(asked.texts.to_pylist(), whole.texts.to_pylist(), strict=True)):
        assert text[: whole.spans.row(row)[-1][0]] == before


@pytest.mark.parametrize("name", NAMES)
def test_spans_hold_the_text_and_its_end_in_characters_and_in_bytes(name: str) -> None:
    rows = conversations()
    rendered = render_chat(template(name), column(rows))
    spans = rendered.spans
    for number, (row, text) in enumerate(zip(rows, rendered.texts.to_pylist(), strict=True)):
        spoken = [turn["content"] for turn in row if turn["role"] == "assistant"]
        if name in ("gemma", "llama3"):
            spoken = [content.strip() for content in spoken]
        assert said(rendered, number) == [LEAD.get(name, "") + content + template(name).end for content in spoken]
        for at in range(spans.offsets[number], spans.offsets[number + 1]):
            inside = text.encode()[spans.byte_starts[at] : spans.byte_stops[at]].decode()
            assert inside == text[spans.starts[at] : spans.stops[at]]


def test_parts_of_tables_are_read_as_what_they_are() -> None:
    rows = conversations(20)
    whole = render_chat(template("chatml"), column(rows))
    part = render_chat(template("chatml"), column(rows).slice(5, 7))
    chunks = render_chat(template("chatml"), pa.chunked_array([column(rows[:3]), column(rows[3:])]))
    large = render_chat(template("chatml"), column(rows).cast(pa.large_list(column(rows).type.value_type)))
    assert part.texts.to_pylist() == whole.texts.to_pylist()[5:12]
    assert [part.spans.row(i) for i in range(7)] == [whole.spans.row(i) for i in range(5, 12)]
    assert chunks.texts.equals(whole.texts)
    assert large.texts.equals(whole.texts)
    assert render_chat(template("chatml"), column([])).texts.to_pylist() == []


def test_the_tokens_of_a_tokenizer_take_the_place_of_the_usual_ones() -> None:
    own = template("zephyr").with_tokens(eos="[SEP]")
    rendered = render_chat(own, column([TALK[1:3]]))
    assert rendered.texts[0].as_py() == "<|user|>\n1 + 1?[SEP]\n<|assistant|>\n2[SEP]\n"
    assert own.end == "[SEP]"
    assert own.digest != template("zephyr").digest


def test_the_digest_is_of_all_that_decides_the_text() -> None:
    own = as_jinja("zephyr")
    others = [replace(own, **{key: "x"}) for key in ("jinja", "bos", "eos", "end")] + [
        replace(own, today=date(2024, 1, 1))
    ]
    assert len({each.digest for each in [own, *others]}) == 6
    assert replace(own, name="x", source="x").digest == own.digest
    assert len(template("chatml").digest) == 64


def test_every_template_says_where_its_format_is_from_and_whether_it_has_system_turns() -> None:
    assert all(template(name).source for name in NAMES)
    assert [name for name in NAMES if not template(name).supports_system] == ["gemma", "mistral"]
    assert {name for name in NAMES if template(name).bos} == {"gemma", "llama3", "mistral", "vicuna"}


def test_a_default_system_text_stands_where_there_is_none() -> None:
    assert render_chat(template("vicuna"), column([TALK[1:3]])).texts[0].as_py() == (
        "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user's questions. USER: 1 + 1? ASSISTANT: 2</s>"
    )


# ---- what no template takes


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([TALK, []], "a conversation without messages (1 conversations: 1) - drop it before"),
        ([TALK, None], "a conversation without messages (1 conversations: 1) - drop it before"),
        ([[{"role": "user", "content": None}]] * 5, "a text is null (5 conversations: 0, 1, 2 …) - drop such"),
        ([[{"role": None, "content": "x"}]], "a role is null (1 conversations: 0)"),
        (
            [TALK, [{"role": "tool", "content": "x"}]],
            "a role that 'NAME' does not know (1 conversations: 1) - the roles",
        ),
        ([[*TALK, TALK[0]]], "a system turn that is not the first (1 conversations: 0)"),
    ],
)
@pytest.mark.parametrize("name", ["chatml", "gemma"])
def test_a_conversation_that_cannot_be_written_is_refused(name: str, rows: list[object], problem: str) -> None:
    with pytest.raises(SourceError, match=re.escape(problem.replace("NAME", name))):
        render_chat(template(name), column(rows))


@pytest.mark.parametrize("rows", [[TALK[:1]], [[TALK[0], TALK[2]]], [TALK[:1], TALK]])
def test_a_system_text_that_no_user_turn_can_take_is_refused(rows: list[object]) -> None:
    with pytest.raises(SourceError, match=r"a system turn without a user turn after it, into which 'mistral'"):
        render_chat(template("mistral"), column(rows))
    assert render_chat(template("chatml"), column(rows)).texts.null_count == 0
    with pytest.raises(TemplateError, match="after a system turn comes one of the user"):
        render_chat(as_jinja("mistral"), column(rows))


def test_another_column_is_refused() -> None:
    with pytest.raises(SourceError, match=r"conversations are list<struct<role, content>>, not string"):
        render_chat(template("chatml"), pa.array(["x"]))


# ---- prompts and completions


def test_pairs_are_joined_with_nothing_between_them() -> None:
    prompts, completions = pa.array(["a 🙂\n\n", ""]), pa.array(["東", ""])
    rendered = render_pairs(prompts, completions, eos="</s>", bos="<s>")
    assert rendered.texts.to_pylist() == ["<s>a 🙂\n\n東</s>", "<s></s>"]
    assert [said(rendered, row) for row in (0, 1)] == [["東</s>"], ["</s>"]]


# ---- files


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no chat template 'chatlm' - did you mean 'chatml'\?; or name a YAML file"):
        load_chat_template("chatlm")


def test_a_file_of_ones_own_is_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    body = 'chat_template: mine\nsource: me\neos: "<e>"\nsystem: {}\nuser: {after: "|"}\nassistant: {}\n'
    file.write_text(body)
    assert render_chat(load_chat_template(file), column([TALK[1:3]])).texts[0].as_py() == "1 + 1?|2<e>"
    for change, problem in (
        ("asistant: {}\n", "did you mean 'assistant'"),
        ("fold: x\n", "give either 'system' or 'fold'"),
        ("start: '{{ messages }}'\n", "holds no other Jinja"),
    ):
        file.write_text(body + change)
        with pytest.raises(SpecError, match=re.escape(problem)):
            load_chat_template(file)


def test_all_files_are_read() -> None:
    assert chat_templates() == NAMES
    assert all(isinstance(template(name).form, ChatForm) for name in NAMES)
