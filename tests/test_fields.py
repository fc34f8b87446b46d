"""From columns to fields: paths, constants and expressions; drop rules, guards, and a count for every row left out."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.errors import FlanmixError, SourceError
from flanmix.fields import GUARD, ROW, FieldMaker
from flanmix.registry import Registry
from flanmix.sources.memory import table_of_rows
from flanmix.sources.rows import fit, normal_schema
from flanmix.spec import Task, Template

Rows = list[dict[str, Any]]


def maker_of(rows: Rows | pa.Table, *texts: str | Template, **values: Any) -> tuple[FieldMaker, pa.RecordBatch]:
    """A maker for a task whose templates print these texts, and the rows as one batch."""
    table = rows if isinstance(rows, pa.Table) else table_of_rows(rows)
    schema = normal_schema(table.schema)
    templates = [
        text if isinstance(text, Template) else Template(f"t{index}", input=text, target="x")
        for index, text in enumerate(texts or ["{{ q }} {{ a }}"])
    ]
    task = Task("toy", type="nli", source=[{}], templates=templates, **values)
    maker = FieldMaker(Registry().with_specs(task)["toy"], schema, "the rows")
    return maker, fit(table.combine_chunks().to_batches()[0], schema)


def made(rows: Rows | pa.Table, *texts: str | Template, **values: Any) -> Rows:
    """The usable rows, without guards."""
    maker, batch = maker_of(rows, *texts, **values)
    return [{k: v for k, v in row.items() if k != GUARD} for row in maker.usable(batch, 0).to_pylist()]


def dropped(rows: Rows, *texts: str | Template, **values: Any) -> dict[str, int]:
    maker, batch = maker_of(rows, *texts, **values)
    usable = maker.usable(batch, 0)
    assert len(usable) + sum(maker.dropped.values()) == len(rows)
    return dict(maker.dropped)


def refused(rows: Rows, *texts: str | Template, **values: Any) -> str:
    with pytest.raises(FlanmixError) as caught:
        made(rows, *texts, **values)
    return str(caught.value)


# ---- where fields come from


def test_without_a_map_the_fields_are_the_columns_that_templates_use() -> None:
    assert made([{"q": "x", "a": 1, "more": "y"}]) == [{"q": "x", "a": 1, ROW: 0}]


def test_a_field_is_a_column_under_another_name() -> None:
    assert made([{"q": "x", "a": "y"}], fields={"q": "a", "a": "q"}) == [{"q": "y", "a": "x", ROW: 0}]


def test_a_field_is_a_path_into_nested_columns() -> None:
    rows = [{"q": {"text": {"en": "x"}}, "a": "y"}]
    assert made(rows, fields={"q": "q.text.en", "a": "a"}) == [{"q": "x", "a": "y", ROW: 0}]


def test_a_column_whose_name_holds_a_dot_is_taken_before_a_path() -> None:
    assert made([{"q.x": "dot", "q": {"x": "path"}}], "{{ q }}", fields={"q": "q.x"}) == [{"q": "dot", ROW: 0}]


def test_a_field_is_a_constant_list() -> None:
    rows = [{"q": "x"}, {"q": "y"}]
    assert [row["c"] for row in made(rows, "{{ q }} {{ c }}", fields={"q": "q", "c": ["n", "y"]})] == [["n", "y"]] * 2


def test_a_field_is_an_expression_that_keeps_its_type() -> None:
    fields = {"n": "{{ a + 1 }}", "l": "{{ [q, q] }}", "t": "{{ q }} and {{ a }}", "b": "{{ a == 1 }}"}
    (row,) = made([{"q": "x", "a": 1}], "{{ n }}{{ l }}{{ t }}{{ b }}", fields=fields)
    assert row == {"n": 2, "l": ["x", "x"], "t": "x and 1", "b": True, ROW: 0}


def test_a_batch_without_a_usable_row_gives_none() -> None:
    assert made([{"q": None}], "{{ q }} {{ c }}", fields={"q": "q", "c": ["n", "y"]}) == []


def test_an_expression_sees_columns_fields_and_the_expressions_above_it() -> None:
    fields = {"p": "q", "c": ["n", "y"], "one": "{{ c[a] }}", "two": "{{ one }}{{ p }}{{ q }}"}
    (row,) = made([{"q": "x", "a": 1}], "{{ two }}", fields=fields)
    assert row["two"] == "yxx"


def test_a_row_keeps_its_number_in_the_source() -> None:
    maker, batch = maker_of([{"q": "x", "a": "y"}, {"q": None, "a": "y"}, {"q": "z", "a": "y"}])
    assert maker.usable(batch, 1000).column(ROW).to_pylist() == [1000, 1002]


@pytest.mark.parametrize("name", ["range", "dict", "namespace", "loop", "context", "result", "options"])
def test_a_column_may_be_called_as_something_of_jinja_or_ours(name: str) -> None:
    assert made([{name: "x"}], f"{{{{ {name} }}}}") == [{name: "x", ROW: 0}]
    assert made([{name: "x"}], "{{ f }}", fields={"f": f"{{{{ {name} }}}}"}) == [{"f": "x", ROW: 0}]


@pytest.mark.parametrize("name", [ROW, GUARD])
def test_a_column_of_a_name_that_flanmix_gives_is_passed_over(name: str) -> None:
    assert made([{"q": "x", "a": "y", name: 7}]) == [{"q": "x", "a": "y", ROW: 0}]
    assert f"no column '{name}'" in refused([{"q": "x", name: 7}], f"{{{{ {name} }}}}")


def test_an_expression_that_changes_its_list_changes_it_for_no_other_row_or_field() -> None:
    rows = [{"q": "x", "l": ["p", "r"]}] * 3
    fields = {"q": "q", "c": ["n", "y"], "a": "{{ l.pop() }}", "b": "{{ l.pop() }}", "d": "{{ c.pop() }}"}
    for row in made(rows, "{{ a }}{{ b }}{{ d }}{{ c }}", fields=fields):
        assert (row["a"], row["b"], row["d"], row["c"]) == ("r", "r", "y", ["n", "y"])


# ---- options


def test_options_are_the_choices_one_a_line() -> None:
    (row,) = made([{"q": "x", "choices": ["a", "b\nc"]}], "{{ q }} {{ options }}")
    assert row["options"] == "- a\n- b\nc"


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.string(), 2)])
def test_options_come_of_any_kind_of_list_of_texts(kind: pa.DataType) -> None:
    (row,) = made(pa.table({"choices": pa.array([["a", "b"]], kind)}), "{{ options }}")
    assert row["options"] == "- a\n- b"


def test_a_row_without_all_its_choices_has_no_options() -> None:
    rows = [{"choices": choices} for choices in (["a"], None, [], ["a", None])]
    assert dropped(rows, "{{ options }}") == {"no value for 'choices'": 1, "no value for 'options'": 2}


def test_options_of_computed_choices_stand_a_batch_that_has_none() -> None:
    fields = {"q": "q", "choices": "{{ q.split() }}"}
    assert dropped([{"q": None}], "{{ options }}", fields=fields) == {"no value for 'q'": 1}
    assert made([{"q": "a b"}], "{{ options }}", fields=fields) == [
        {"choices": ["a", "b"], "options": "- a\n- b", ROW: 0}
    ]


def test_choices_that_are_no_texts_give_no_options() -> None:
    assert "'choices' is list<item: int64>, where 'options' needs a list of texts" in refused(
        [{"choices": [1, 2]}], "{{ options }}"
    )


# ---- rows left out, by reason


def test_a_null_is_no_value() -> None:
    rows = [{"q": "x", "a": "y"}, {"q": None, "a": "y"}, {"q": "x", "a": None}, {"q": None, "a": None}]
    counts = dropped(rows)
    assert Counter(counts) == Counter({"no value for 'a'": 2, "no value for 'q'": 1})


def test_a_null_on_the_way_of_a_path_is_no_value() -> None:
    rows = [{"q": {"t": {"u": "x"}}}, {"q": None}, {"q": {"t": None}}, {"q": {"t": {"u": None}}}]
    assert dropped(rows, "{{ q }}", fields={"q": "q.t.u"}) == {"no value for 'q'": 3}


def test_an_expression_that_gives_nothing_is_no_value() -> None:
    rows = [{"q": "x"}, {"q": "y"}]
    assert dropped(rows, "{{ a }}", fields={"a": "{{ q if q == 'x' else none }}"}) == {"no value for 'a'": 1}


def test_an_expression_that_would_print_a_null_says_so() -> None:
    rows = [{"q": "x", "n": "y"}, {"q": "x", "n": None}]
    assert dropped(rows, "{{ a }}", fields={"a": "{{ q }} {{ n }}"}) == {"'a' holds a null": 1}
    assert dropped(rows, "{{ a }}", fields={"a": "{{ q ~ n }}"}) == {"'a' holds a null": 1}


@pytest.mark.parametrize("label", [-1, 2, None])
def test_a_label_outside_its_choices_is_never_another_choice(label: int | None) -> None:
    rows = [{"label": 1}, {"label": label}]
    fields = {"c": ["n", "y"], "a": "{{ c[label] }}"}
    assert made(rows, "{{ a }}", fields=fields) == [{"a": "y", ROW: 0}]
    assert dropped(rows, "{{ a }}", fields=fields) == {"'a' looks outside its list": 1}


def test_a_drop_rule_leaves_out_the_rows_for_which_it_holds() -> None:
    rows = [{"q": "x", "n": n} for n in (1, 2, 3)]
    assert dropped(rows, "{{ q }}", drop="{{ n > 1 }}") == {"drop rule": 2}


def test_a_drop_rule_that_gives_a_text_gives_the_reason() -> None:
    rows = [{"q": "a", "n": n} for n in range(5)]
    rule = "{{ 'too many' if n > 2 else 'one' if n == 1 else '' }}"
    assert dropped(rows, "{{ q }}", drop=rule) == {"drop rule: too many": 2, "drop rule: one": 1}
    assert dropped([{"q": "a", "n": "x y\n" * 99}], "{{ q }}", drop="{{ n }}") == {"drop rule": 1}
    many = [{"q": f"row {n}"} for n in range(50)]
    assert dropped(many, "{{ q }}", drop="{{ q }}") == {"drop rule": 50}  # data, and no reason


def test_a_drop_rule_that_cannot_tell_drops_with_its_reason() -> None:
    rows = [{"l": ["x"]}, {"l": ["x", "y"]}]
    assert dropped(rows, "{{ l }}", drop="{{ l[1] == 'z' }}") == {"drop rule: looks outside its list": 1}


def test_a_dropped_row_is_not_looked_at_again() -> None:
    rows = [{"n": 0}, {"n": 2}]
    assert made(rows, "{{ a }}", drop="{{ n == 0 }}", fields={"a": "{{ 4 // n }}"}) == [{"a": 2, ROW: 1}]


VALUES = st.none() | st.sampled_from(["x", "y"])


@given(st.lists(st.fixed_dictionaries({"q": VALUES, "a": VALUES, "label": st.none() | st.integers(-1, 3)}), min_size=1))
def test_usable_rows_and_dropped_rows_are_all_rows(rows: Rows) -> None:
    table = pa.Table.from_pylist(rows, pa.schema([("q", pa.string()), ("a", pa.string()), ("label", pa.int64())]))
    fields = {"q": "q", "c": ["n", "y"], "z": "{{ c[label] }}"}
    maker, batch = maker_of(table, "{{ q }}{{ z }}", fields=fields, drop="{{ a == 'y' }}")
    usable = maker.usable(batch, 0).to_pylist()

    expected: list[tuple[int, str]] = []
    reasons: Counter[str] = Counter()
    for number, row in enumerate(rows):
        if row["a"] == "y":
            reasons["drop rule"] += 1
        elif row["q"] is None:
            reasons["no value for 'q'"] += 1
        elif row["label"] not in (0, 1):
            reasons["'z' looks outside its list"] += 1
        else:
            expected.append((number, ["n", "y"][row["label"]]))
    assert [(row[ROW], row["z"]) for row in usable] == expected
    assert maker.dropped == reasons


# ---- guards

EASY = Template("easy", input="{{ n }}", target="x", when="{{ n < 3 }}")
EVEN = Template("even", input="{{ n }}", target="x", when="{{ n % 2 == 0 }}")
ANY = Template("any", input="{{ n }}", target="x")


def serving(rows: Rows, *templates: Template) -> dict[int, tuple[int, ...]]:
    maker, batch = maker_of(rows, *templates)
    usable = maker.usable(batch, 0).to_pylist()
    sets = {number: guard for guard, number in maker.guards.items()}
    return {row["n"]: sets[row[GUARD]] for row in usable}


def test_a_row_is_served_by_the_templates_whose_guard_holds() -> None:
    rows = [{"n": n} for n in (1, 2, 3, 4)]
    assert serving(rows, EASY, EVEN) == {1: (0,), 2: (0, 1), 4: (1,)}
    assert serving(rows, EASY, ANY) == {1: (0, 1), 2: (0, 1), 3: (1,), 4: (1,)}
    assert serving(rows, ANY) == dict.fromkeys((1, 2, 3, 4), (0,))


def test_a_row_that_no_template_serves_is_left_out() -> None:
    assert dropped([{"n": n} for n in (1, 2, 3)], EASY, EVEN) == {"no template applies": 1}


def test_a_guard_that_looks_outside_its_list_does_not_hold() -> None:
    second = Template("second", input="{{ l }}", target="x", when="{{ l[1] == 'y' }}")
    assert dropped([{"l": ["x"]}, {"l": ["x", "y"]}], second) == {"no template applies": 1}


def test_guards_are_numbered_as_they_are_met_over_all_batches() -> None:
    maker, _ = maker_of([{"n": 1}], EASY, EVEN)
    numbers = [maker.usable(pa.record_batch({"n": [n]}), n).column(GUARD).to_pylist() for n in (4, 2, 1, 4)]
    assert numbers == [[0], [1], [2], [0]]
    assert list(maker.guards) == [(1,), (0, 1), (0,)]


# ---- what is refused


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"q": "qq"}, "fields.q: no column 'qq' in the rows - did you mean 'q'?"),
        ({"q": "d.kk"}, "fields.q: no column 'kk' in 'd' - did you mean 'k'?"),
        ({"q": "q.x"}, "fields.q: no column 'x' in 'q' - there are none"),
        ({"q": "{{ qq }}"}, "fields.q: 'qq' is neither a column nor a field above this one - did you mean 'q'?"),
        ({"q": "{{ z }}", "z": "{{ d.k }}"}, "fields.q: 'z' is neither a column nor a field above this one"),
    ],
)
def test_a_column_that_is_not_there_is_refused_with_the_nearest(fields: dict[str, str], problem: str) -> None:
    assert problem in refused([{"q": "x", "d": {"k": 1}}], "{{ q }}", fields=fields)


def test_every_column_that_is_not_there_is_told() -> None:
    text = refused([{"q": "x"}], "{{ one }} {{ two }}", drop="{{ three }}")
    assert [line.split("'")[1] for line in text.splitlines()] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"fields": {"q": "{{ 1 // n }}"}}, "fields.q: row 1 of the rows: ZeroDivisionError"),
        ({"drop": "{{ 1 // n }}"}, "drop: row 1 of the rows: ZeroDivisionError"),
        ({"fields": {"q": "{{ d.zz }}"}}, "fields.q: row 0 of the rows: UndefinedError"),
        ({"fields": {"q": "{{ 'x' if n else 1 }}"}}, "fields.q: "),
        ({"fields": {"q": "{{ [d.zz] }}"}}, "fields.q: "),
        ({"fields": {"q": "{{ range(3) }}"}}, "fields.q: "),
    ],
)
def test_an_expression_that_fails_names_the_row(values: dict[str, Any], problem: str) -> None:
    assert problem in refused([{"n": 1, "q": "x", "d": {}}, {"n": 0, "q": "x", "d": {}}], "{{ q }}", **values)


def test_a_guard_that_fails_names_the_row_of_the_source() -> None:
    guarded = Template("t", input="{{ n }}", target="x", when="{{ 1 // n }}")
    with pytest.raises(SourceError, match=r"templates.add\[0\].when: row 2 of the rows: ZeroDivisionError"):
        made([{"n": 1}, {"n": None}, {"n": 0}], guarded)


# ---- templates of the dialect promptsource

PRINTS_NULLS = Template("p", dialect="promptsource", jinja="{{ q }} ||| {{ a }}")


def test_a_null_is_a_value_where_only_templates_read_it_that_print_it() -> None:
    rows: Rows = [{"q": "x", "a": None}, {"q": None, "a": "y"}]
    assert made(rows, PRINTS_NULLS) == [{"q": "x", "a": None, ROW: 0}, {"q": None, "a": "y", ROW: 1}]
    assert dropped(rows, PRINTS_NULLS, "{{ a }}") == {"no value for 'a'": 1}
    assert dropped(rows, PRINTS_NULLS, fields={"q": "q", "a": "a"}) == {"no value for 'q'": 1, "no value for 'a'": 1}


def test_their_choices_are_no_column_and_what_they_read_is_one() -> None:
    template = Template(
        "p", dialect="promptsource", jinja="{{ q }} ||| {{ answer_choices[0] }}", answer_choices="{{ a }}"
    )
    assert made([{"q": "x", "a": "y", "b": "z"}], template) == [{"q": "x", "a": "y", ROW: 0}]


def test_a_column_that_is_not_there_is_refused_for_them_too() -> None:
    assert "no column 'qq' in the rows - did you mean 'q'?" in refused(
        [{"q": "x"}], Template("p", dialect="promptsource", jinja="{{ qq }} ||| {{ zip }}")
    )


# ---- conversations


def talk(*texts: str, **more: Any) -> dict[str, Any]:
    """A row whose turns are these texts, the user's first."""
    turns = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]
    return {"messages": turns, **more}


SAY = ("{{ prompt }}", "{{ response }}")


def test_a_conversation_has_the_fields_of_its_turns_whatever_templates_use() -> None:
    assert made([talk("q", "a", "r", "b")], "{{ prompt }}", conversation="detect") == [
        {"prompt": "r", "response": "b", "system": "", "history": [{"user": "q", "assistant": "a"}], ROW: 0}
    ]


def test_flags_of_a_source_are_kept() -> None:
    turns = [
        {**turn, "weight": weight}
        for turn, weight in zip(talk("q", "a", "r", "b")["messages"], (None, 0, None, 1), strict=True)
    ]
    maker, batch = maker_of([{"messages": turns}], *SAY, conversation="detect")
    assert maker.carried == ("prompt", "response", "system", "history", "trained")
    assert maker.usable(batch, 0).column("trained").to_pylist() == [[False, True]]


def test_fields_of_other_columns_stand_beside_the_turns() -> None:
    rows = [talk("q", "a", topic="t"), talk("q", "a", topic=None), talk("q"), talk("r", "b", topic="u")]
    fields = {"about": "topic", "both": "{{ topic }}: {{ prompt }}"}
    maker, batch = maker_of(rows, "{{ about }} {{ both }} {{ prompt }}", conversation="detect", fields=fields)
    usable = maker.usable(batch, 10).to_pylist()
    assert [(row["about"], row["both"], row[ROW]) for row in usable] == [("t", "t: q", 10), ("u", "u: r", 13)]
    assert maker.dropped == {"no turn of the assistant": 1, "no value for 'about'": 1}


def test_turns_hide_columns_of_their_names() -> None:
    rows = [talk("q", "a", prompt="p", system=7, history="h")]
    (row,) = made(rows, *SAY, conversation={"messages": "messages"}, fields={"p": "{{ prompt }}"})
    assert (row["prompt"], row["system"], row["history"]) == ("q", "", [])


def test_drop_rules_and_guards_see_the_turns_and_the_columns() -> None:
    rows = [talk("q", "a", n=1), talk("long question", "a", n=1), talk("q", "a", n=2), talk("q", "a", "r", "b", n=1)]
    later = Template("later", input="{{ prompt }}", target="{{ response }}", when="{{ history | length > 0 }}")
    drop = "{{ n == 2 or prompt | length > 5 or messages | length > 4 }}"
    maker, batch = maker_of(rows, later, conversation="detect", drop=drop)
    assert maker.usable(batch, 0).column(ROW).to_pylist() == [3]
    assert maker.dropped == {"drop rule": 2, "no template applies": 1}


def test_repairs_are_counted_beside_what_is_left_out() -> None:
    rows = [talk("q", "a"), talk("q", "a", "more"), talk("q", "", "r"), {"messages": None}]
    maker, batch = maker_of(rows, *SAY, conversation="detect")
    maker.usable(batch, 0)
    assert maker.usable(batch, 4).column(ROW).to_pylist() == [4, 5]
    assert maker.dropped == {"no turns": 2, "a turn without text": 2}
    assert maker.repaired == {"last turns of the user taken off": 2}


def test_rows_of_conversations_are_never_read_where_they_lie() -> None:
    rows = [{"prompt": "q", "completion": "a", "system": "", "history": "", "response": "b"}]
    assert maker_of(rows, "{{ prompt }}")[0].plain == {"prompt": "prompt"}
    written = {"prompt": "prompt", "completion": "completion"}
    assert maker_of(rows, "{{ prompt }}", conversation=written)[0].plain is None


@pytest.mark.parametrize("rows", [[talk("q")], [{"messages": None}, talk("q", "a")]])
def test_a_batch_without_a_conversation_gives_no_rows(rows: Rows) -> None:
    maker, batch = maker_of(rows, *SAY, conversation={"messages": "messages"})
    usable = maker.usable(batch.slice(0, 1), 0)
    assert len(usable) == 0
    assert maker.usable(batch.slice(0, 0), 0).schema.names == usable.schema.names


def test_where_no_conversation_is_found_the_place_and_the_columns_are_told() -> None:
    said = refused([{"text": "x"}], *SAY, conversation="detect")
    assert said.startswith(
        "task toy: conversation: no conversation is found in the rows, whose columns are text (text)"
    )


def test_an_unknown_field_is_a_column_or_not_there() -> None:
    said = refused([talk("q", "a")], *SAY, "{{ about }}", conversation="detect", fields={"about": "topic"})
    assert "fields.about: no column 'topic' in the rows" in said
