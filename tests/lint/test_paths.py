"""The ways through a text: what stands beside what, and in which line it was written."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flanmix.lint.paths import GAP, SLOT, paths_of
from flanmix.render import RowError, render_text
from flanmix.render.environment import BadTemplate, compile_template
from flanmix.spec import Template
from tests.render.drawn import native, table_for


def texts(text: str) -> list[str]:
    return [path.text.replace(SLOT, "_").replace(GAP, "…") for path in paths_of(text)]


def test_a_text_without_tags_is_one_way() -> None:
    assert texts("Hi {{ name }}!") == ["Hi _!"]


def test_every_branch_is_a_way_and_none_where_there_is_no_else() -> None:
    text = "{% if a %}A{% elif b %}B{{ b }}{% endif %}."
    assert texts(text) == ["A.", "B_.", "."]
    assert texts("{% if a %}A{% else %}B{% endif %}{% if c %}C{% endif %}") == ["AC", "A", "BC", "B"]


def test_a_loop_is_a_gap_and_what_is_in_it_a_way_of_its_own() -> None:
    assert texts("x{% for a in b %}{{ a }}, {% else %}none{% endfor %}y") == ["x…y", "…_, …none…"]


def test_comments_raw_text_and_taken_white_space() -> None:
    assert texts("a {# TODO #}b{% raw %}{{ c }}{% endraw %} {%- set d = 1 -%} e") == ["a b{{ c }}e"]


def test_blocks_are_unknown() -> None:
    assert texts("{% set a | title | default(value='x') %}b{% endset %}c{% macro m(x) %}{{ x }}{% endmacro %}") == [
        "…c…",
        "…b…",
        "…_…",
    ]


def test_ways_are_no_more_than_64() -> None:
    assert len(paths_of("{% if a %}a{% endif %}" * 20)) <= 64


def test_a_place_has_its_line_and_its_field() -> None:
    (path,) = paths_of("one\n{%- set a = 1 %}\n\nfour {{ b }}\nfive")
    assert [path.line(path.text.index(word)) for word in ("one", "four", "five")] == [1, 4, 5]
    assert path.slot(path.text.index(SLOT)).source == "b"
    assert path.slots[0].line == 4
    assert path.near(path.text.index("four")) == "one⏎⏎four {{ b }}⏎five"


def test_parts_keep_their_lines_and_fields() -> None:
    (path,) = paths_of("{{ a }}\n{{ b }} ||| {{ c }}\nlast ||| x")
    first, second, third = path.split("|||")
    assert [slot.source for slot in (*first.slots, *second.slots, *third.slots)] == ["a", "b", "c"]
    assert second.line(second.text.index("last")) == 3
    assert second.line(0) == 2


def test_what_stands_in_a_condition_is_not_always_printed() -> None:
    path = paths_of("{{ a }}{% if b %}{{ b }}{% endif %}")[0]
    assert [(slot.source, slot.always) for slot in path.slots] == [("a", True), ("b", False)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Template, pa.Table]:
    """A template, and a table for it."""

    def pick(items: Sequence[Any]) -> Any:
        return draw(st.sampled_from(items))

    template = native(pick)
    return template, table_for(pick, template)


@given(cases())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_rendered_goes_one_of_the_ways(case: tuple[Template, pa.Table]) -> None:
    """Whatever stands for fields and gaps: the words of one way stand in every rendered text, in their order."""
    template, table = case
    text = template.input or ""
    try:
        compile_template(text)
    except BadTemplate:
        assume(False)
    ways = paths_of(text)
    assume(len(ways) < 64)
    patterns = [re.compile(re.escape(way.text).replace(SLOT, "(?s:.*)").replace(GAP, "(?s:.*)")) for way in ways]
    try:
        rendered = render_text(text, table)
    except RowError:
        assume(False)
    for made in rendered.to_pylist():
        assert made is None or any(pattern.fullmatch(made) for pattern in patterns)
