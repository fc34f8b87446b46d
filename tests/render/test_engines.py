"""Two engines, one text: columns give byte for byte what rows give, or say why they cannot."""

import pickle
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.render import Engine, NotColumnar, RowError, explain, render, render_text
from flanmix.render.columns import reason_for_rows
from flanmix.render.environment import compile_template
from flanmix.render.limits import MAX_OUTPUT
from flanmix.spec import Template

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = [(pa.int8(), 7), (pa.int16(), 15), (pa.int32(), 31), (pa.int64(), 63)]
NAMES = ["a", "b", "with_underscore", "X1"]

TEXT_COLUMNS = st.tuples(st.sampled_from([pa.string(), pa.large_string()]), st.just(TEXTS))
INTEGER_COLUMNS = st.sampled_from([(kind, st.integers(-(2**bits), 2**bits - 1)) for kind, bits in INTEGERS])


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A table of texts and integers, in chunks."""
    size = draw(st.integers(0, 5))
    columns = {}
    for name in NAMES:
        kind, values = draw(TEXT_COLUMNS | INTEGER_COLUMNS)
        made = draw(st.lists(values, min_size=size, max_size=size))
        cut = draw(st.integers(0, size))
        columns[name] = pa.chunked_array([pa.array(made[:cut], kind), pa.array(made[cut:], kind)], kind)
    start = draw(st.integers(0, size))
    return pa.table(columns).slice(start)


CONSTANTS = TEXTS.filter(lambda text: "{" not in text).map(lambda text: ("constant", text))
PIECES = st.lists(CONSTANTS | st.sampled_from(NAMES).map(lambda name: ("name", name)))


def written(pieces: list[tuple[str, str]]) -> str:
    return "".join(f"{{{{ {text} }}}}" if kind == "name" else text for kind, text in pieces)


@given(PIECES, tables())
def test_columns_and_rows_give_the_same_bytes(pieces: list[tuple[str, str]], table: pa.Table) -> None:
    text = written(pieces)
    by_columns = render_text(text, table, engine="columns")
    by_rows = render_text(text, table, engine="rows")
    assert by_columns.type == by_rows.type == pa.large_string()
    assert isinstance(by_columns, pa.Array)
    assert by_columns.to_pylist() == by_rows.to_pylist()
    assert render_text(text, table).equals(by_columns)


@given(PIECES, tables())
def test_both_print_what_python_prints(pieces: list[tuple[str, str]], table: pa.Table) -> None:
    def constant(text: str) -> str:
        return text.replace("\r\n", "\n").replace("\r", "\n")  # line ends of templates, never of data

    merged: list[tuple[str, str]] = []
    for kind, text in pieces:
        if kind == "constant" and merged and merged[-1][0] == "constant":
            merged[-1] = (kind, merged[-1][1] + text)
        else:
            merged.append((kind, text))
    expected = [
        "".join(str(row[text]) if kind == "name" else constant(text) for kind, text in merged)
        for row in table.to_pylist()
    ]
    assert render_text(written(pieces), table).to_pylist() == expected


LOGIC = [
    "{{ a | upper }}",
    "{% if b %}{{ a }}{% else %}none{% endif %}",
    "{{ a ~ b }}{{ X1 }}",
    "{% for x in [a, b] %}{{ x }},{% endfor %}",
    "{{ '%s' | format(a) }}\n{{ a }}",
]
BY_ROWS = ["{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(a) }}", "{% set ns = namespace(x=b) %}{{ ns.x }}"]


@given(st.lists(st.sampled_from(LOGIC), min_size=1), tables())
def test_logic_is_rendered_by_columns_too(texts: list[str], table: pa.Table) -> None:
    text = "".join(texts)
    assert render_text(text, table, engine="columns").equals(render_text(text, table, engine="rows"))


@given(st.lists(st.sampled_from(LOGIC)), st.sampled_from(BY_ROWS), tables())
def test_the_engine_is_chosen_without_a_change_of_text(texts: list[str], by_rows: str, table: pa.Table) -> None:
    text = "".join([*texts, by_rows])
    assert render_text(text, table).equals(render_text(text, table, engine="rows"))
    with pytest.raises(NotColumnar):
        render_text(text, table, engine="columns")


# ---- why columns will not do

TABLE = pa.table(
    {
        "t": ["x", "y"],
        "null": ["x", None],
        "f": [0.5, 1.0],
        "b": [True, False],
        "u": pa.array([1, 2], pa.uint8()),
        "l": [["x"], []],
        "d": pa.array([1, 2], pa.int32()).cast(pa.date32()),
        "c": pa.array(["x", "y"]).dictionary_encode(),
    }
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{% macro m() %}{% endmacro %}", "line 1: 'macro'"),
        ("{{ t }}\n{% set ns = namespace() %}", "line 2: a call of 'namespace'"),
        ("{% set ns.x = t %}", "line 1: a namespace, which remembers"),
        ("{% set x | upper %}{{ t }}{% endset %}", "line 1: 'set' with a filter around a block"),
        ("{{ l.append(t) }}", "line 1: a call of 'append', which may change what it is given"),
        ("{% for x in l %}{{ loop.previtem }}{% endfor %}", "line 1: 'loop.previtem'"),
        ("{% for x in l %}{{ loop }}{% endfor %}", "line 1: the 'loop' object as a value"),
        ("{% for x in l recursive %}{% endfor %}", "line 1: a recursive loop"),
        ("{{ t is sameas b }}", "line 1: 'sameas', which asks whether two values are one object"),
        ("{% for x in l %}\n{{ t }}{% endfor %}{% set t = 1 %}", "line 2: 't' is used before it is set"),
    ],
)
def test_a_template_that_needs_rows_says_why(text: str, reason: str) -> None:
    found = reason_for_rows(compile_template(text))
    assert str(found).startswith(reason)
    assert str(explain(Template("t", input="{{ t }}", target=text))) == f"target: {found}"
    with pytest.raises(NotColumnar) as caught:
        render_text(text, TABLE, engine="columns")
    assert str(caught.value) == str(found)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ zz }}", "a row raises UndefinedError: 'zz' is undefined"),
        ("{{ 1 // (u - 1) }}", "a row raises ZeroDivisionError"),
        ("{{ [null ~ 'x', t][1] }}", "a value that has no text is used"),
        ("{% set g = l | map('upper') %}{{ g | join }}", "a value that can be read only once is kept"),
    ],
)
def test_rows_that_need_rows_say_why(text: str, reason: str) -> None:
    assert explain(Template("t", input=text, target="x")) is None
    with pytest.raises(NotColumnar, match=re.escape(reason)):
        render_text(text, TABLE, engine="columns")


def test_a_template_that_needs_none_gives_no_reason() -> None:
    assert reason_for_rows(compile_template("x {{ t }}{% for x in l %}{{ x | upper }}{% endfor %}")) is None
    assert explain(Template("t", dialect="promptsource", jinja="{{ t }}", answer_choices="a ||| b")) is None
    choices = Template("t", dialect="promptsource", jinja="{{ t }}", answer_choices="{% macro m() %}{% endmacro %}")
    assert str(explain(choices)) == "answer_choices: line 1: 'macro'"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("{{ f }}|{{ b }}|{{ u }}|{{ l }}", ["0.5|True|1|['x']", "1.0|False|2|[]"]),
        ("{{ d }}", ["1970-01-02", "1970-01-03"]),
        ("{{ c }}", ["x", "y"]),
        ("{{ null }}", ["x", None]),
        ("{{ null or '-' }}", ["x", "-"]),
        ("no names", ["no names", "no names"]),
        ("", ["", ""]),
    ],
)
@pytest.mark.parametrize("engine", ["columns", "rows"])
def test_both_print_what_python_prints_and_null_where_a_null_would_be_printed(
    text: str, printed: list[str | None], engine: Engine
) -> None:
    assert render_text(text, TABLE, engine=engine).to_pylist() == printed


ENGINES: list[Engine] = ["auto", "columns", "rows"]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows_are_no_texts(engine: Engine) -> None:
    for text in ("{{ t }}", "constant", ""):
        found = render_text(text, TABLE.slice(2), engine=engine)
        assert found.equals(pa.array([], pa.large_string()))


@pytest.mark.parametrize("engine", ENGINES)
def test_input_and_target_are_rendered_apart_and_nothing_is_stripped(engine: Engine) -> None:
    template = Template("t", input="  {{ t }}\n", target="\n{{ t }} ")
    table = render(template, TABLE.select(["t"]), engine=engine)
    assert table.schema == pa.schema([("input", pa.large_string()), ("target", pa.large_string())])
    assert table.to_pylist()[0] == {"input": "  x\n", "target": "\nx "}


# ---- rows that fail


def test_a_failing_row_is_named_by_its_place_in_the_table() -> None:
    with pytest.raises(RowError, match="division") as caught:
        render_text("{{ 1 // n }}", pa.table({"n": [1, 2, 0, 3]}))
    assert caught.value.index == 2


def test_a_failing_row_survives_the_way_back_from_a_worker() -> None:
    error = RowError(7, ValueError("no"))
    back: Any = pickle.loads(pickle.dumps(error))
    assert (type(back), back.index, str(back)) == (RowError, 7, "no")


@pytest.mark.parametrize("engine", ["auto", "rows"])
def test_both_engines_refuse_a_text_that_is_too_long(engine: Engine) -> None:
    long = "é" * (MAX_OUTPUT // 2)
    table = pa.table({"a": ["x", long]})
    assert len(render_text("{{ a }}{{ a }}", table, engine=engine)[1].as_py()) == MAX_OUTPUT
    with pytest.raises(RowError, match="more than 4,000,000 characters") as caught:
        render_text("{{ a }}{{ a }}x", table, engine=engine)
    assert caught.value.index == 1
