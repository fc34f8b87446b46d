"""Columns are rows: whatever template and table are drawn, both engines give the same bytes or fail on the same row."""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flanmix.render import Engine, NotColumnar, RowError, explain, render, values
from flanmix.render.environment import BadTemplate
from flanmix.spec import Template
from tests.render.drawn import Pick, dialect, native, table_for

DATA_REASONS = ("a value that can be read only once is kept",)  # a generator, as in `{% set x = l | map('upper') %}`
"""Why columns may refuse rows of a template that they can compile, though no row raises.

In a native template they may also do so where some row gives null: by rows, the rest of that row's template is left
out, and there something may raise.
"""


@st.composite
def cases(draw: st.DrawFn, make: Callable[[Pick], Template]) -> tuple[Template, pa.Table]:
    """A template, and a table for it."""

    def pick(items: Sequence[Any]) -> Any:
        return draw(st.sampled_from(items))

    template = make(pick)
    return template, table_for(pick, template)


# ---- what both engines must agree on


def outcome(template: Template, table: pa.Table, engine: Engine) -> Any:
    """The rows made, or how the rendering failed."""
    try:
        return render(template, table, engine=engine)
    except RowError as error:
        return "row", error.index, re.sub(r" at 0x\w+", "", str(error)), type(error.__cause__)


def agree(template: Template, table: pa.Table) -> bool:
    """Assert that all engines agree; gives whether columns rendered it."""
    reason = explain(template)
    by_rows, auto = outcome(template, table, "rows"), outcome(template, table, "auto")
    assert same(auto, by_rows)
    try:
        by_columns = render(template, table, engine="columns")
    except NotColumnar as error:
        refused = str(error)
    else:
        assert reason is None
        assert same(by_columns, by_rows)
        return True
    if reason is None and isinstance(by_rows, pa.Table):
        without_text = template.dialect == "native" and any(column.null_count for column in by_rows.columns)
        assert without_text or refused in DATA_REASONS
    return False


def same(one: Any, other: Any) -> bool:
    if isinstance(one, pa.Table) and isinstance(other, pa.Table):
        return one.schema == other.schema and one.to_pylist() == other.to_pylist()
    return bool(one == other)


def agree_if_compiled(template: Template, table: pa.Table) -> None:
    try:
        agree(template, table)
    except BadTemplate:
        assume(False)


# ---- proofs

SOME = settings(max_examples=120, suppress_health_check=list(HealthCheck))


@SOME
@given(cases(native))
def test_native_templates_give_the_same_by_columns(case: tuple[Template, pa.Table]) -> None:
    agree_if_compiled(*case)


@SOME
@given(cases(dialect))
def test_templates_of_the_dialect_give_the_same_by_columns(case: tuple[Template, pa.Table]) -> None:
    agree_if_compiled(*case)


@pytest.mark.slow
@pytest.mark.parametrize("make", [native, dialect])
@pytest.mark.parametrize("sample", [2, 512])
def test_thousands_of_templates_give_the_same_by_columns(
    make: Callable[[Pick], Template], sample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "_SAMPLE", sample)  # few rows are then enough to leave distinct values uncoded
    found = Counter()
    for seed in range(2000):
        pick = random.Random(seed).choice
        template = make(pick)
        try:
            found[agree(template, table_for(pick, template))] += 1
        except BadTemplate:
            found[None] += 1
    assert found[True] > found[False] > 0


TRICKY_TABLE = pa.table(
    {
        "t": ["", "|", "x|", None, "a b"],
        "n": pa.array([0, 1, -1, 7, None], pa.int64()),
        "big": pa.array([0, 1, 2**64 - 1, 2, 1], pa.uint64()),
        "b": [True, False, True, None, True],
        "f": [float("nan"), 0.0, -0.0, 1e-7, None],
        "l": [["a", "b"], [], ["", "|"], [None, "a"], ["b", "b"]],
        "fl": [[float("nan")], [0.0, -0.0], [], [1.0], [1e20]],
        "d": [
            {"k": "x", "items": "i"},
            {"k": None, "items": ""},
            {"k": "|||", "items": "i"},
            None,
            {"k": "", "items": "z"},
        ],
        "id": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef"] * 5, pa.binary(16))),
        "fm_block": ["f", "m", "b", "", "k"],
        "range": [1, 2, 3, 4, 5],
        "loop": [1, 2, 3, 4, 5],
    }
)
TRICKY = [
    # what is set, and never used, may still leave a native row without text
    "{% set x = t ~ 'b' %}hello",
    "{% set x %}{{ t }}{% endset %}hello",
    "{% set x = ['no', 'yes'][n] %}hello",
    "{% if n %}{% set x = t ~ n %}{% endif %}hello",
    "{% with x = ['no', 'yes'][n] %}hello{% endwith %}",
    "{% filter default('z') %}{{ t }}{% endfilter %}",
    "{{ f | default(['a'][n]) }}",
    "{{ ['no', 'yes'][b] }}{{ ['no'][b] }}",
    "{{ ['no', 'yes'][big] }}{{ l[big] }}",
    # values that are their own equal only as the same object
    "{{ f in [f] }}{{ f == f }}{{ fl[0] in fl }}{% for x in fl %}{{ x in fl }}{{ x in [x] }}{% endfor %}",
    "{{ t is sameas t }}{{ t is sameas none }}{{ b is sameas true }}",
    "{{ id }}{{ [id] }}",
    # what is not evaluated raises nothing
    "{{ 1 < n < (1 // n) }}{{ n and 1 // n }}{{ 1 // n if n else 0 }}{{ not n or 7 // n > 1 }}",
    # scopes as Jinja has them
    "{% for x in l %}{{ t }}{% endfor %}{% set t = 'set' %}{{ t }}",
    "{% filter upper %}{{ t }}{% endfilter %}{% set t = 'set' %}{{ t }}",
    "{% for x in l %}{% for y in l %}{{ t }}{% endfor %}{% set t = x %}{{ t }}{% endfor %}{{ t }}",
    "{% for x in l %}{{ y }}{% set y = x %}{{ y }}{% endfor %}{{ y }}",
    "{% if n %}{% set y = 1 %}{% endif %}{{ y }}{% if n %}{% set t = 2 %}{% endif %}{{ t }}",
    "{% for t in l %}{{ t }}{% endfor %}{{ t }}{% for x in [t] if x %}{{ loop.last }}{% else %}{{ loop }}{% endfor %}",
    "{% for x in l %}{% for y in l if loop.first %}{{ y }}{% else %}{{ loop.last }}{% endfor %}{% endfor %}{{ loop }}",
    "{% filter replace('a', fm_block) %}aaa{{ fm_block }}{% endfilter %}{{ range }}",
    "{% filter length %}abc{% endfilter %}",
    "{% filter first %}{% endfilter %}",
    # arguments that a kernel does not know
    "{{ l | join(',', 0) }}{{ l | join(attribute=0) }}{{ t | default('x', true) }}{{ t | trim('|') }}",
    "{{ t.split() }}{{ t.split('|') }}{{ t.split('|', 1)[0] }}",
    "{{ t | replace('', '-') }}{{ t | replace('|', '\\\\1\\\\0') }}",
    # values that can be read only once
    "{% set g = l | map('string') %}{{ g | join }}{{ g | join }}",
    "{% for x in l | map('upper') %}{{ x }}{% endfor %}{{ l | map('length') | sum }}",
    # keys that are equal, and texts that are marked
    "{{ {1: 'i', true: 'b', 1.0: 'f'}[n] }}{{ {n: 1, b: 2} }}",
    "{{ (t | e) + '<' }}{{ (t | e) ~ '<' }}{{ ('<' | e) + t }}{{ l | tojson + '<' }}",
    "{{ 9223372036854775807 + n }}{{ n * 2 ** 70 }}{{ big + 1 }}{{ d.items }}{{ d['items'] }}{{ d.k }}",
    "{{ 'a' ~ ('x'[1]) }}",
]
TRICKY_PARTS = [
    "|{{ t }}||",
    "||{% if n %}x{% endif %}|",
    "{{ t }}|{{ t }}||{{ t }}|",
    "|{{ '' }}||",
    "{{ answer_choices[n] }}|||{{ answer_choices[b] }}|||{{ answer_choices[big] }}",
    "{% for x in l if x == (['a', 'b'] | choice) %}{{ x }}{% endfor %}",
    "{{ l | choice }}",
    "{{ [t, n] | choice }}{{ 'abc' | choice }}{{ range | string }}",
    "{{ {'a': 1} | choice }}",
    "{{ ['a'] | map('upper') | choice }}",
]


@pytest.mark.parametrize("text", TRICKY)
def test_tricky_native_templates_give_the_same_by_columns(text: str) -> None:
    for start in range(TRICKY_TABLE.num_rows):
        agree(Template("t", input=text, target="{{ l }}"), TRICKY_TABLE.slice(start, 1))
    agree(Template("t", input=text, target="{{ l }}"), TRICKY_TABLE)


@pytest.mark.parametrize("text", TRICKY + TRICKY_PARTS)
@pytest.mark.parametrize("choices", [None, "no ||| yes", "{{ t }}|||{{ n }}"])
def test_tricky_templates_of_the_dialect_give_the_same_by_columns(text: str, choices: str | None) -> None:
    template = Template("t", dialect="promptsource", jinja=text, answer_choices=choices)
    for start in range(TRICKY_TABLE.num_rows):
        agree(template, TRICKY_TABLE.slice(start, 1))
    agree(template, TRICKY_TABLE)


# ---- rows are independent


@SOME
@given(cases(dialect), st.randoms(use_true_random=False))
def test_a_row_gives_the_same_wherever_it_stands(case: tuple[Template, pa.Table], order: random.Random) -> None:
    template, table = case
    numbered = table.append_column("fm_row", pa.array(range(table.num_rows), pa.int64()))
    places = list(range(table.num_rows))
    order.shuffle(places)
    try:
        made = render(template, numbered).to_pylist()
    except (BadTemplate, RowError):
        assume(False)
    if not any(pa.types.is_string_view(field.type) for field in table.schema):  # Arrow cannot take those
        assert render(template, numbered.take(pa.array(places, pa.int64()))).to_pylist() == [made[i] for i in places]
    assert render(template, numbered.slice(1)).to_pylist() == made[1:]


@pytest.mark.parametrize("engine", ["columns", "rows"])
def test_a_choice_belongs_to_its_row_and_takes_each_item_about_as_often(engine: Engine) -> None:
    template = Template("t", dialect="promptsource", jinja="{{ ['a', 'b', 'c'] | choice }}{{ l | choice }}")
    rows = pa.table({"l": [["x", "y"]] * 6000, "fm_row": range(6000)})
    made = [row["parts"][0] for row in render(template, rows, engine=engine).to_pylist()]
    counts = Counter(made)
    assert counts.keys() == {one + other for one in "abc" for other in "xy"}
    assert all(850 < count < 1150 for count in counts.values())
    backwards = rows.take(pa.array(range(5999, -1, -1)))
    assert [row["parts"][0] for row in render(template, backwards, engine=engine).to_pylist()] == made[::-1]
    assert [row["parts"][0] for row in render(template, rows, engine=engine, seed=1).to_pylist()] != made
