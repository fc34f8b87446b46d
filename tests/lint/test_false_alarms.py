"""What people write on purpose is no fault: the linter has no switches, so it has to leave these alone."""

from typing import Any

import pytest

from flanmix.lint import lint
from flanmix.registry import Registry
from flanmix.spec import Task, Template

ROWS = [
    {"q": "Who wrote it?", "a": "Ann", "n": 3, "hour": "7", "minute": "30", "text": "Ann Lee wrote it in May."},
    {"q": "Who read it?", "a": "Bob", "n": 4, "hour": "9", "minute": "15", "text": "Bob Hill read it (all of it)."},
    {"q": "Who lost it?", "a": "Cleo", "n": 5, "hour": "8", "minute": "45", "text": "Cleo Po lost it, she said."},
]


def rules(input: str, target: str = "{{ a }}", *, rows: Any = ROWS, **values: Any) -> list[str]:
    template = Template("ask", input=input, target=target, **values)
    bound = Registry().with_specs(Task("toy", type="nli", source=rows, templates=[template]))["toy"]
    return [str(finding.problem) for finding in lint([bound], {}).findings]


@pytest.mark.parametrize(
    "text",
    [
        # fields that touch words, as people write them
        "What is the {{ n }}th letter of this? {{ q }}",
        "{{ q }} (It has {{ n }}km, or {{ n }} km.)",
        "It is {{ hour }}:{{ minute }}. {{ q }}",
        "See pages {{ n }}-{{ hour }}: {{ q }}",
        "{{ a[0] }}.{{ minute }} is a number. {{ q }}",
        "It is {{ a[0] }}'s book. {{ q }}",
        "({{ q }})",
        "“{{ q }}” she asked.",
        'She asked, "{{ q }}"',
        "See https://example.org/{{ n }}. {{ q }}",
        "#{{ n }} @{{ n }} ${{ n }}: {{ q }}",
        "이름은 {{ n }}입니다. {{ q }}",
        "问题：{{ q }}",
        "问题{{ q }}回答",
        "{{ q }}{{ ' Please.' if n > 3 else '' }}",
        "Is it{{ ' not' if n > 3 else '' }} so? {{ q }}",
        # brackets and quotation marks
        "a) {{ q }}\nb) {{ text }}",
        "A) {{ q }}\nB) {{ text }}",
        "{{ n }}) {{ q }}",
        "Do it :) {{ q }} ;-)",
        'A 5" nail: {{ q }}',
        'Reply as JSON: {"name": "…"}. {{ q }}',
        "„{{ q }}“",
        "It's the boys' book: {{ q }}",
        # marks
        "Well... {{ q }}",
        "Really?! {{ q }}",
        "Put your reply between <answer> and </answer>: {{ q }}",
        "It costs $5, or \\frac{1}{2} of it: {{ q }}",
        "100% sure? {{ q }}",
        "Fill the gap: ____ wrote it. {{ q }}",
        "[MASK] wrote it. {{ q }}",
        "None of it is known. {{ q }}",
        "Do the following: {{ q }}",
        "{{ q }}\nDoes the first of these follow from the second?",
        "Which of the two? {{ q }}",
        # conditions and loops
        "{% if n > 3 %}{{ text }}\n\n{% endif %}{{ q }}",
        "{% for word in text.split() %}{{ word }}{% if not loop.last %}, {% endif %}{% endfor %}\n{{ q }}",
        "{% for word in text.split() %}{{ loop.index }}. {{ word }}\n{% endfor %}{{ q }}",
        "{%- set asked = q -%}\n{{ asked }}",
        "{# TODO: another #}{{ q }}",
        "{{ q }} {{ text }}",
    ],
)
def test_nothing_is_wrong_with_an_input(text: str) -> None:
    assert rules(text) == []


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("{{ q }}", "{{ text }}\nThe answer is {{ a }}."),
        ("{{ q }} It is {{ a }}. Why?", "{{ text }}"),
        ("{{ q }}", "{{ q }} {{ a }}"),
        ("Which word is number {{ n }} of this? {{ text }}", "{{ text.split()[n] }}"),
        ("Is it {{ a }} or {{ hour }}? {{ q }}", "{{ a if n > 3 else hour }}"),
        ("Is it {{ a }} or {{ hour }}? {{ q }}", "{% if n > 3 %}{{ a }}{% else %}{{ hour }}{% endif %}"),
        ("{{ text }}\n{{ q }}", "{{ text.split()[0] }}"),
        ("{{ q }}", "{{ 'long' if a | length > 3 else 'short' }}"),
        ("{{ q }}", "({{ a }})"),
        ("{{ q }}", "{{ n }}."),
    ],
)
def test_nothing_is_wrong_with_a_target(text: str, target: str) -> None:
    assert rules(text, target) == []


def test_a_choice_that_the_input_prints_is_no_leak() -> None:
    rows = [{**row, "choices": ["Ann", "Bob", "Cleo"], "label": at} for at, row in enumerate(ROWS)]
    text = "{{ q }}\n{% for choice in choices %}- {{ choice }}\n{% endfor %}Who?"
    assert rules(text, "{{ choices[label] }}", rows=rows, tags=("options",)) == []
    assert rules("{{ q }}\n{{ options }}\nWho?", "{{ choices[label] }}", rows=rows, tags=("options",)) == []
    assert rules("Write a question about {{ choices[label] }}.", "{{ q }}", rows=rows) == []


def test_options_may_be_written_out_where_the_tag_says_so() -> None:
    assert rules("{{ q }} Yes or no?", "{{ 'yes' if n > 3 else 'no' }}", tags=("options",)) == []


def test_a_condition_may_choose_the_target() -> None:
    assert rules("{{ q }}", "It is Ann.", when="{{ a == 'Ann' }}") == []


def test_an_answer_may_be_none_now_and_then() -> None:
    rows = [{"q": f"What is left of {n}?", "a": "None" if n == 7 else str(n)} for n in range(200)]
    assert rules("{{ q }}", rows=rows) == []


def test_a_copy_of_some_rows_is_no_leak() -> None:
    rows = [{"q": f"Sentence {n}", "a": f"Sentence {n}" if n % 3 == 0 else f"Phrase {n}"} for n in range(30)]
    assert rules("{{ q }}", rows=rows) == []


def test_another_order_of_the_same_words_is_another_wording() -> None:
    one = Template("one", input="Text: {{ text }}\nQuestion: {{ q }}", target="{{ a }}")
    other = Template("other", input="Question: {{ q }}\nText: {{ text }}", target="{{ a }}")
    task = Task("toy", type="nli", source=ROWS, templates=[one, other])
    assert lint([Registry().with_specs(task)["toy"]], {}).findings == ()
