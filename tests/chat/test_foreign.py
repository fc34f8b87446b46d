"""Chat templates of tokenizers: with marks or without, and what cannot be told is refused."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from flanmix.chat.library import load_chat_template
from flanmix.chat.render import render_chat
from flanmix.chat.template import ChatTemplate
from flanmix.errors import SpecError, TemplateError
from tests.chat.talk import NAMES, column, conversations, template

MARK = re.compile(r"\{%-? (?:end)?generation %\}")
TALK = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]
TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>\n{% endfor %}"
ASK = "{% if add_generation_prompt %}<assistant>{% endif %}"


def own(text: str, **more: Any) -> ChatTemplate:
    return ChatTemplate.of_jinja(text, eos="</s>", **more)


def said(used: ChatTemplate, rows: list[object]) -> list[str]:
    rendered = render_chat(used, column(rows))
    return [rendered.texts[i].as_py()[a:b] for i in range(len(rows)) for a, b in rendered.spans.row(i)]


@pytest.mark.parametrize("name", NAMES)
def test_without_marks_the_spans_are_found_by_growing_the_conversation(name: str) -> None:
    rows = conversations(60)
    marked = template(name)
    unmarked = ChatTemplate.of_jinja(MARK.sub("", marked.jinja), bos=marked.bos, eos=marked.eos, end=marked.end)
    ours, theirs = render_chat(marked, column(rows)), render_chat(unmarked, column(rows))
    assert ours.texts.to_pylist() == theirs.texts.to_pylist()
    assert [ours.spans.row(i) for i in range(60)] == [theirs.spans.row(i) for i in range(60)]


def test_marks_may_stand_in_macros_and_captured_blocks() -> None:
    text = (
        "{% macro say(m) %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>{% endgeneration %}"
        "{% else %}{{ m.content }}|{% endif %}{% endmacro %}"
        "{% set all %}{% for m in messages %}{{ say(m) }}{% endfor %}{% endset %}{{ all }}"
    )
    assert said(own(text), [TALK, [*TALK, *TALK]]) == ["2</s>"] * 3


@pytest.mark.parametrize(
    "inside", ["{{ m.content }}", "{{ m.content }}</s>", "{{ m.content }}</s>\n\n", "{{ m.content }}</s>{# none #}"]
)
def test_a_span_reaches_to_the_end_of_turn_and_not_further(inside: str) -> None:
    after = "" if "</s>" in inside else "</s>"
    text = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}IN{% endgeneration %}OUT"
        "{% else %}{{ m.content }}\n{% endif %}{% endfor %}"
    )
    assert said(own(text.replace("IN", inside).replace("OUT", after)), [TALK]) == ["2</s>"]


def test_templates_have_the_helpers_that_trainers_give_them() -> None:
    text = (
        "{{ strftime_now('%d %b %Y') }}{{ messages[0] | tojson }}{{ bos_token }}"
        "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}"
        "{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% break %}{% endfor %}{{ tools is none }}"
    )
    used = own(text, bos="<s>", today=date(2024, 7, 26))
    talk = [{"role": "user", "content": "<é>"}, TALK[1]]
    assert render_chat(used, column([talk])).texts[0].as_py() == (
        '26 Jul 2024{"role": "user", "content": "<é>"}<s>2</s>True'
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{{ strftime_now('%Y') }}" + TURNS + ASK,
            "SecurityError: it asks for today's date, and a build gives the same",
        ),
        ("{{ raise_exception('no system') }}", "RefusedByTemplate: no system"),
        ("{{ messages[0].x.y }}", "UndefinedError: "),
        ("{{ messages.__class__ }}", "the attribute '__class__' is private"),
        ("{{ ''['__class__'] }}", "SecurityError: the attribute '__class__'"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "SecurityError: more than"),
        ("{% for m in messages %}", "Unexpected end of template"),
        ("{% include 'x' %}", "'include' is not allowed"),
        (TURNS, "message 1: what it adds begins with '<assistant>2</s>', which is not what the assistant says"),
        (
            "{{ messages | length }}" + TURNS + ASK,
            "message 1: it does not start with the text that prompts the assistant",
        ),
        (TURNS.replace("</s>", "") + ASK, "'</s>' does not end what the assistant says: give the token that ends"),
        (
            "{% generation %}{{ messages[1].content }}</s>{% endgeneration %}{% generation %}{% endgeneration %}",
            "marks 2 texts",
        ),
        (
            "{% for m in messages %}{% if loop.last %}<think>{% endif %}{{ m.content }}</s>{% endfor %}" + ASK,
            "message 1: ",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(text: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(problem)) as caught:
        render_chat(own(text), column([TALK]))
    assert " - " in str(caught.value)


def test_a_template_that_rewrites_earlier_turns_is_refused_unless_it_is_marked() -> None:
    """As those that leave out what earlier turns thought."""
    text = "{% for m in messages %}<{{ m.role }}>{{ m.content if loop.last else m.content[:1] }}</s>{% endfor %}" + ASK
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "long"}] * 2
    assert said(own(text), [talk[:2]]) == ["long</s>"]
    with pytest.raises(
        TemplateError, match=r"conversation 1: message 1: the text up to it is not how the whole text starts"
    ):
        said(own(text), [talk[:2], talk])


# ---- content that spells what the template writes


def test_content_that_spells_the_end_of_a_turn_does_not_end_it() -> None:
    talk = [{"role": "user", "content": "a</s>\n<assistant>b</s>c"}, {"role": "assistant", "content": "x</s>y"}]
    for used in (own(TURNS + ASK), own(TURNS.replace("<{{ m.role }}>{{ m.content }}</s>", MARKED) + ASK)):
        rendered = render_chat(used, column([talk, TALK]))
        text = rendered.texts[0].as_py()
        assert text.replace("\n", "") == "<user>a</s><assistant>b</s>c</s><assistant>x</s>y</s>"
        assert [text[a:b] for a, b in rendered.spans.row(0)] == ["x</s>y</s>"]
        assert [text[a - 1 : b] for a, b in rendered.verbatim[0]] == ["a</s>", "b</s>", "x</s>"]
        assert 1 not in rendered.verbatim


MARKED = (
    "<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>{% endgeneration %}"
    "{% else %}{{ m.content }}</s>{% endif %}"
)


@pytest.mark.parametrize("change", ["{{ m.content | replace('\\ufdd2', '') }}", "{{ m.content }}{{ m.content }}"])
def test_a_template_that_would_change_such_content_is_refused(change: str) -> None:
    text = MARKED.replace("{{ m.content }}", change)
    text = "{% for m in messages %}" + text + "{% endfor %}"
    talk = [{"role": "user", "content": "a</s>"}, {"role": "assistant", "content": "x"}]
    with pytest.raises(TemplateError, match=r"that holds? one of the tokenizer's special tokens"):
        render_chat(own(text), column([talk]))


def test_marks_give_way_to_content_that_holds_them() -> None:
    content = "".join(chr(code) for code in range(0xFDD0, 0xFDEB))
    text = "{% for m in messages %}" + MARKED + "{% endfor %}"
    talk = [{"role": "user", "content": "</s>"}, {"role": "assistant", "content": content}]
    assert said(own(text), [talk]) == [content + "</s>"]
    talk[0]["content"] = "\ufdeb\ufdec\ufded\ufdee\ufdef"
    with pytest.raises(TemplateError, match="noncharacters"):
        said(own(text), [talk])


# ---- a tokenizer's folder


def test_a_tokenizers_folder_gives_its_template_and_its_tokens(tmp_path: Path) -> None:
    config: dict[str, object] = {"chat_template": TURNS + ASK, "eos_token": {"content": "</s>"}, "bos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert said(load_chat_template(tmp_path), [TALK]) == ["2</s>"]
    (tmp_path / "chat_template.jinja").write_text("x" + TURNS + ASK)
    assert load_chat_template(tmp_path).jinja.startswith("x")
    config["chat_template"] = [{"name": "tools", "template": ""}, {"name": "default", "template": "y"}]
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert load_chat_template(tmp_path).jinja == "y"


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("{", "cannot be read"),
        ("{}", "has no chat_template - use one that ships"),
        ('{"chat_template": "x"}', "has no eos_token"),
        (None, "has no tokenizer_config.json"),
    ],
)
def test_a_folder_without_a_template_is_refused(tmp_path: Path, config: str | None, problem: str) -> None:
    if config is not None:
        (tmp_path / "tokenizer_config.json").write_text(config)
    with pytest.raises(SpecError, match=problem):
        load_chat_template(tmp_path)
