"""White space at the edges is taken away, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.importers.edges import trimmed
from flanmix.render.environment import compile_template

ROWS = [
    {"a": a, "b": b, "l": items, "n": n}
    for a in ("", " x\n", "y")
    for b in ("", "\t")
    for items in ([], ["", " z"])
    for n in (0, 1)
]
TEXTS = [
    " {{ a }} ",
    "{{ a }}{{ b }}",
    "{% if n %} {% if a %}\n{{ b }} x {% else %} y {% endif %}{% endif %} ",
    "{% set v = a %} {% if n %} v {% endif %}",
    "{% for x in l %} {{ x }} {% else %} none {% endfor %}",
    "{% if n %}{% endif %} a",
    "a {% if n %} {% endif %}",
    "{{ ['', ' x'][n] }} {{ n }}",
    "{{ {0: 'a ', 1: 'b'}[n] }}",
    "{{ a | trim }} {{ b | trim }}",
    "  {%- if n -%}  x  {%- endif %}  {{- a }}",
    "{# note #} a {# note #}",
    "{{ [a] }} ",
    "{% filter upper %} a {% endfilter %}",
    "{% set v %} a {% endset %} {{ v }}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_renders_the_same_without_its_edges(text: str) -> None:
    for row in ROWS:
        assert compile_template(trimmed(text)).render(row) == compile_template(text).render(row).strip()


@pytest.mark.parametrize("text", TEXTS)
def test_a_trimmed_text_is_trimmed_already(text: str) -> None:
    once: Any = trimmed(text)
    assert [compile_template(trimmed(once)).render(row) for row in ROWS] == [
        compile_template(once).render(row) for row in ROWS
    ]


@given(st.text(st.characters(exclude_characters="{}#%\r", exclude_categories=["Cs"]), min_size=1))
def test_plain_text_is_stripped_as_python_does(text: str) -> None:
    assert trimmed(text) == text.strip()
