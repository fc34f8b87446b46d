"""Conversations of a plan: what rows bring along, what the mixture adds; the same however they are asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flanmix.assembling import CHAT_COLUMNS
from flanmix.chat.conversations import HISTORY, Conversations
from flanmix.errors import PlanError, TemplateError
from flanmix.examples import Example, Examples
from flanmix.plan import Plan, PlannedTask, PlannedTemplate
from flanmix.planner import plan_mixture
from flanmix.prompting import Prompting, chosen_texts, system_offset, tag_offset
from flanmix.registry import load_registry
from flanmix.render.environment import compile_template
from flanmix.spec import Family, Mixture, Part, Prompt, Task, Template
from flanmix.spec.prompts import prompts_of

POOL = ["", "You know {{ q }}.", Prompt("Be {{ a | upper }}.", weight=2)]
TALK = Template(
    "talk",
    turns=[
        {"user": "{{ q }}?"},
        {"assistant": "{{ a }}"},
        {"user": "Sure?", "assistant": "{% if n % 2 %}Yes{% else %}No{% endif %}"},
        {"user": "Why {{ n }}?", "assistant": "{{ why }}"},
    ],
    system=POOL,
)
ASK = Template("ask", input="Q: {{ q }}", target="{{ a }}")
TOLD = Template("told", input="{{ q }}", target="{{ a }}", system="A reader of {{ n }}.", tags=["cot"])
LAST = {"user": "And?", "assistant": "{{ why }}"}
ROWWISE = Template(
    "rowwise",
    turns=[{"user": "{% macro m() %}{{ q }}{% endmacro %}{{ m() }}", "assistant": "{{ a }}"}, LAST],
    tags=["cot"],
)
DIALECT = Template("dialect", dialect="promptsource", jinja="{{ q }}! ||| {{ a }}")
ALL = (TALK, ASK, TOLD, ROWWISE, DIALECT)
MIXTURES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "system": {"system": {"share": 0.5, "prompts": ["Help.", {"text": "Be brief.", "weight": 2}, ""]}},
    "prefix": {"type_tag": {"as": "prefix", "share": 0.3}},
    "tag in system": {"type_tag": {"as": "system", "share": 0.6}, "system": ["Help."], "styles": {"cot": 0.5}},
    "all prefixed": {"type_tag": "prefix", "system": "Help."},
}


SHORT = [{"q": f"c {n}", "a": f"a{n}"} for n in range(7)]


def task(name: str, rows: int, *templates: Template, **others: Any) -> Task:
    source = [{"q": f"{name} {n}", "a": f"a{n}", "why": f"w{n}", "n": n} for n in range(rows)]
    return Task(name, type=others.pop("type", "nli"), source=source, templates=templates or ALL, **others)


def planned(*tasks: Task | Family, rows: int = 300, **mixture: Any) -> Examples:
    registry = load_registry(specs=tasks, bundled=False, plugins=False)
    found = plan_mixture(Mixture("toy", parts=[Part("*")], rows=rows, seed=3, **mixture), registry)
    return Examples(found.plan, found.files)


def said(text: str, row: Mapping[str, Any]) -> str:
    return compile_template(text).render(row)


def by_hand(plan: Plan, position: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row should be, text by text: the reference, by the row engine and plain Python."""
    (task_,), (draw,) = (array.tolist() for array in plan.order.slice(position, position + 1))
    spec = plan.tasks[task_]
    item = next(item for item in spec.templates if item.id == row["fm_template"])
    template, source = item.template, {"q": f"{spec.name} {row['fm_row']}", "a": f"a{row['fm_row']}"}
    source |= {"why": f"w{row['fm_row']}", "n": row["fm_row"]}
    draws, asked = np.array([draw]), plan.prompting
    if template.dialect == "promptsource":
        texts = [f"{source['q']}!", source["a"]]
    else:
        keys = [*(key for pair in template.earlier for key in pair), *template.pair]
        texts = [said(template.texts[key], source) for key in keys]
    system = ""
    if template.system is not None:
        (chosen,) = chosen_texts(template, draws, seed=plan.seed, task=spec.name, name=item.id)
        system = said(prompts_of(template.system)[chosen].text, source)
    elif asked.prompts:
        offset = np.array([system_offset(plan.seed, spec.name)], np.uint64)
        (chosen,) = asked.chosen_prompts(draws, offset)
        system = [*(prompt.text for prompt in asked.prompts), ""][chosen]
    tag = {"nli": "Task: natural language inference", "own_kind": "Task: own kind"}[spec.type]
    tagged = asked.tag != "none" and asked.tagged(draws, np.array([tag_offset(plan.seed, spec.name)], np.uint64))[0]
    if tagged and asked.tag == "prefix":
        texts[0] = f"{tag}\n\n{texts[0]}"
    elif tagged:
        system = f"{tag}\n\n{system}" if system else tag
    *earlier, question, answer = texts
    history = [
        {"user": user, "assistant": assistant} for user, assistant in zip(earlier[::2], earlier[1::2], strict=True)
    ]
    whole = {"input": question, "target": answer, "system": system, "history": history}
    return {name: whole[name] for name in ("input", "target", *plan.chat_columns)}


@pytest.fixture(scope="module", params=MIXTURES)
def made(request: pytest.FixtureRequest) -> Examples:
    plain = Template("plain", input="{{ q }}", target="{{ a }}")
    own = Family("own_kind", fields=["q", "a"], templates=[plain, DIALECT])
    others = (task("b", 90, ASK), Task("c", type="own_kind", source=SHORT))
    return planned(own, task("a", 80), *others, **MIXTURES[request.param])


# Rows


def test_every_row_is_what_it_is_by_hand(made: Examples) -> None:
    table = made.slice(0, 300).table
    rows = table.to_pylist()
    assert len(rows) == 300
    for position, row in enumerate(rows):
        assert {name: row[name] for name in ("input", "target", *made.plan.chat_columns)} == by_hand(
            made.plan, position, row
        )
    assert {row["fm_template"] for row in rows} == {*(item.name for item in ALL), "own_kind/plain", "own_kind/dialect"}


def test_one_position_is_a_row_of_any_slice(made: Examples) -> None:
    rows = made.slice(0, 300).table.to_pylist()
    for position in range(0, 300, 7):
        row, example = rows[position], made.example(position)
        history = tuple((pair["user"], pair["assistant"]) for pair in row["history"])
        assert (example.input, example.target) == (row["input"], row["target"])
        assert (example.system, example.history) == (row["system"], history)


def test_slices_join_to_the_whole_however_far_ahead_they_are_drawn(
    made: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made.slice(0, 300).table
    monkeypatch.setattr("flanmix.examples._HELD_BYTES", 0)
    for ahead, cuts in ((1, [0, 1, 77, 78, 300]), (64, [0, 3, 40, 41, 130, 300]), (1000, [0, 150, 299, 300])):
        other = Examples(made.plan, made._files, ahead)
        pieces = [other.slice(start, stop, until=300).table for start, stop in pairwise(cuts)]
        assert pa.concat_tables(pieces).to_pylist() == whole.to_pylist()
        assert {piece.schema for piece in pieces} == {whole.schema}


def test_columns_are_of_their_types_and_never_null(made: Examples) -> None:
    table = made.slice(0, 300).table
    for name in made.plan.chat_columns:
        assert table.schema.field(name).type == CHAT_COLUMNS[name]
        assert table.column(name).null_count == 0
    assert table.schema.field("history").type == HISTORY
    empty = made.slice(5, 5).table
    assert (empty.num_rows, empty.schema) == (0, table.schema)


def test_the_rows_are_conversations_in_normal_form(made: Examples) -> None:
    table = made.slice(0, 300).table
    talk = Conversations.of_examples(table)
    assert talk.normal.all()
    assert (
        talk.examples()
        .select(["input", "target", *made.plan.chat_columns])
        .equals(table.select(["input", "target", *made.plan.chat_columns]).combine_chunks())
    )


# Columns only where they are needed


@pytest.mark.parametrize(
    ("templates", "mixture", "columns"),
    [
        ((ASK,), {}, ()),
        ((ASK, DIALECT), {"type_tag": "prefix"}, ()),
        ((ASK,), {"type_tag": "system"}, ("system",)),
        ((ASK,), {"system": "Help."}, ("system",)),
        ((ASK, TOLD), {}, ("system",)),
        ((ASK, ROWWISE), {}, ("history",)),
        ((Template("one", turns=[{"user": "{{ q }}", "assistant": "{{ a }}"}]),), {"type_tag": "prefix"}, ()),
        ((TALK,), {}, ("system", "history")),
        ((ASK, ROWWISE), {"system": ["Help."]}, ("system", "history")),
    ],
)
def test_a_plan_knows_the_columns_of_its_examples(
    templates: Sequence[Template], mixture: dict[str, Any], columns: tuple[str, ...]
) -> None:
    made = planned(task("a", 20, *templates), rows=20, **mixture)
    assert made.plan.chat_columns == columns
    names = made.slice(0, 20).table.column_names
    assert names[: 2 + len(columns)] == ["input", "target", *columns]
    assert not {"system", "history", "trained"} & set(names[2 + len(columns) :])
    example = made.example(3)
    assert isinstance(example, Example)
    assert example.history == () or "history" in columns


def test_two_turns_are_an_input_and_a_target() -> None:
    turns = Template("ask", turns=[{"user": "Q: {{ q }}"}, {"assistant": "{{ a }}"}])
    one, other = (planned(task("a", 20, each), rows=20).slice(0, 20).table for each in (turns, ASK))
    assert one.equals(other)


# Rows that are left out


def lost(*templates: Template, rows: list[dict[str, Any]], **mixture: Any) -> dict[tuple[str, str], int]:
    spec = Task("a", type="nli", source=rows, fields=None, templates=templates)
    return dict(planned(spec, rows=len(rows), **mixture).slice(0, len(rows)).dropped)


def test_an_earlier_turn_without_a_text_drops_the_row_with_its_reason() -> None:
    rows = [{"q": f"q{n}", "a": [f"a{n}"] if n % 4 else [], "blank": " " if n % 5 == 0 else "x"} for n in range(20)]
    turns = [{"user": "{{ q }}", "assistant": "{{ a[0] }}"}, {"user": "{{ blank }}", "assistant": "y"}]
    talk = Template("talk", turns=[*turns, {"user": "{{ q }}", "assistant": "z"}])
    for mixture in ({}, {"type_tag": "prefix"}, {"system": "Help."}):
        assert lost(talk, rows=rows, **mixture) == {
            ("a", "an earlier turn needs a value that is missing"): 5,
            ("a", "an earlier turn is blank"): 3,
        }


def test_a_blank_input_is_blank_with_a_tag_before_it_too() -> None:
    rows = [{"q": "q" if n % 2 else " ", "a": "a"} for n in range(10)]
    assert lost(ASK.model_copy(update={"input": "{{ q }}"}), rows=rows, type_tag="prefix") == {
        ("a", "input is blank"): 5
    }


def test_a_system_text_without_a_value_drops_the_row_and_a_blank_one_is_none() -> None:
    rows = [{"q": f"q{n}", "a": [f"a{n}"] if n % 4 else []} for n in range(20)]
    told = Template("told", input="{{ q }}", target="x", system="{{ a[0] }}")
    assert lost(told, rows=rows) == {("a", "system needs a value that is missing"): 5}
    blank = Template("blank", input="{{ q }}", target="x", system="  \n{{ '' }}")
    made = planned(task("a", 10, blank), rows=10, system="Help.")
    assert made.slice(0, 10).table.column("system").to_pylist() == [""] * 10


def test_only_the_text_that_is_drawn_can_drop_a_row() -> None:
    rows = [{"q": f"q{n}", "a": [f"a{n}"] if n % 2 else []} for n in range(400)]
    told = Template("told", input="{{ q }}", target="x", system=["{{ a[0] }}", "Help."])
    ((reason, count),) = lost(told, rows=rows).items()
    assert reason == ("a", "system needs a value that is missing")
    assert 70 < count < 130


@pytest.mark.parametrize(("key", "line"), [("turns[0].assistant", 12), ("system[1].text", 9), ("turns[1].user", 15)])
def test_a_text_that_fails_on_a_row_is_told_with_its_own_line(tmp_path: Path, key: str, line: int) -> None:
    texts = dict.fromkeys(("turns[0].assistant", "system[1].text", "turns[1].user"), "fine")
    texts[key] = "{{ 1 // (n - 3) }}"
    (tmp_path / "a.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(8)))
    (tmp_path / "a.yaml").write_text(
        "task: a\ntype: nli\nsource: {files: a.jsonl}\ntemplates:\n  - name: talk\n    system:\n      - Help.\n"
        f'      - weight: 1000000000\n        text: "{texts["system[1].text"]}"\n    turns:\n      - user: hi\n'
        f'        assistant: "{texts["turns[0].assistant"]}"\n      # the second pair\n      -\n'
        f'        user: "{texts["turns[1].user"]}"\n        assistant: bye\n'
    )
    registry = load_registry(str(tmp_path), bundled=False, plugins=False)
    found = plan_mixture(Mixture("m", parts=[Part("a")], rows=8), registry)
    with pytest.raises(TemplateError, match="row 3 of the task a: ") as error:
        Examples(found.plan, found.files).slice(0, 8)
    assert str(error.value).startswith(f"{tmp_path}/a.yaml:{line}: templates[0].{key}: ")


# Shares


def test_shares_of_styles_tags_and_systems_meet_as_independent_ones_do() -> None:
    cot = ASK.model_copy(update={"name": "why", "tags": ("cot",)})
    rows, half = 20_000, {"share": 0.5}
    made = planned(
        *(task(name, 3_000, ASK, cot) for name in "ab"),
        rows=rows,
        styles={"cot": 0.5},
        type_tag={"as": "prefix", **half},
        system={"prompts": ["x", "y"], **half},
    )
    table = made.slice(0, rows).table
    for name in "ab":
        met = Counter(
            (row["fm_template"] == "why", row["input"].startswith("Task: "), row["system"])
            for row in table.to_pylist()
            if row["fm_task"] == name
        )
        count = sum(met.values())
        for (_, _, system), found in met.items():
            assert abs(found / count - (1 / 8 if system == "" else 1 / 16)) < 0.002
        assert len(met) == 12


def test_a_smaller_plan_gives_its_rows_what_a_larger_one_does() -> None:
    both = {}
    for rows in (100, 700):
        made = planned(
            task("a", 900), task("b", 900), rows=rows, **MIXTURES["system"], type_tag=MIXTURES["prefix"]["type_tag"]
        )
        both[rows] = {
            (row["fm_task"], row["fm_row"]): {**row, "position": 0} for row in made.slice(0, rows).table.to_pylist()
        }
    assert both[100].items() <= both[700].items()


def test_other_styles_and_wordings_leave_systems_and_tags_where_they_are() -> None:
    def told(*templates: Template, **styles: Any) -> list[tuple[str, bool]]:
        made = planned(task("a", 400, *templates), rows=300, system={"share": 0.5, "prompts": "x"}, **styles,
                       type_tag={"as": "prefix", "share": 0.4})  # fmt: skip
        rows = made.slice(0, 300).table.to_pylist()
        return [(row["fm_row"], row["system"], row["input"].startswith("Task: ")) for row in rows]

    cot = ASK.model_copy(update={"name": "why", "tags": ("cot",)})
    assert told(ASK) == told(ASK, cot, styles={"cot": 0.3}) == told(cot, ASK, templates="even")


# Conversation tasks: rows that bring turns along


def conversations(file: Path, rows: Sequence[Mapping[str, Any]], *, flagged: bool = False) -> PlannedTask:
    """A task of conversations over a file that is prepared by hand."""
    columns = {
        "input": pa.array([row["input"] for row in rows], pa.string()),
        "target": pa.array([row["target"] for row in rows], pa.string()),
        "system": pa.array([row.get("system", "") for row in rows], pa.large_string()),
        "history": pa.array([row.get("history", []) for row in rows], HISTORY),
        "fm_row": pa.array(range(len(rows)), pa.int64()),
        "fm_guard": pa.array([0] * len(rows), pa.int32()),
    }
    if flagged:
        columns["trained"] = pa.array([row["trained"] for row in rows], pa.list_(pa.bool_()))
    table = pa.table(columns)
    with pa.ipc.new_file(str(file), table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    template = PlannedTemplate("talk", Template("talk", input="{{ input }}", target="{{ target }}"), "plain")
    count = len(rows)
    return PlannedTask(
        "chat", "dialogue", count, count, count, "d", (template,), ((0,),), conversation=True, flagged=flagged
    )


def pairs(*texts: str) -> list[dict[str, str]]:
    return [{"user": user, "assistant": assistant} for user, assistant in zip(texts[::2], texts[1::2], strict=True)]


ROWS = [
    {"input": f"i{n}", "target": f"t{n}", "system": f"s{n}" if n % 3 == 0 else "",
     "history": pairs(*(f"h{n}.{m}" for m in range(2 * (n % 4)))),
     "trained": [bool((n + m) % 2) for m in range(n % 4 + 1)]}
    for n in range(11)
]  # fmt: skip


def rows_of(tmp_path: Path, prompting: Prompting | None = None, *, flagged: bool = False) -> dict[int, dict[str, Any]]:
    spec = conversations(tmp_path / "chat.arrow", ROWS, flagged=flagged)
    plan = Plan("toy", 7, "train", (spec,), {}, prompting=prompting or Prompting())
    table = Examples(plan, (tmp_path / "chat.arrow",)).slice(0, len(ROWS)).table
    assert table.num_rows == len(ROWS)
    return {row["fm_row"]: row for row in table.to_pylist()}


def test_a_row_of_a_conversation_keeps_its_system_its_turns_and_its_flags(tmp_path: Path) -> None:
    for number, row in rows_of(tmp_path, flagged=True).items():
        assert {name: row[name] for name in ROWS[number]} == ROWS[number]
    assert "trained" not in rows_of(tmp_path)[0]


def test_a_mixtures_system_goes_to_conversations_without_one(tmp_path: Path) -> None:
    for number, row in rows_of(tmp_path, Prompting((Prompt("Help."),), 1.0)).items():
        assert row["system"] == (f"s{number}" if number % 3 == 0 else "Help.")


def test_a_tag_goes_before_the_first_turn_of_a_conversation(tmp_path: Path) -> None:
    for number, row in rows_of(tmp_path, Prompting(tag="prefix", tag_share=1.0)).items():
        first, *others = [*(text for pair in row["history"] for text in pair.values()), row["input"], row["target"]]
        expected = [*(f"h{number}.{m}" for m in range(2 * (number % 4))), f"i{number}", f"t{number}"]
        assert [first, *others] == [f"Task: dialogue\n\n{expected[0]}", *expected[1:]]
        assert row["system"] == ROWS[number]["system"]


def test_a_tag_in_the_system_text_goes_before_what_is_there(tmp_path: Path) -> None:
    for number, row in rows_of(tmp_path, Prompting(tag="system", tag_share=1.0)).items():
        assert row["system"] == ("Task: dialogue" if number % 3 else f"Task: dialogue\n\ns{number}")


def test_rows_without_flags_train_every_answer_beside_rows_with_flags(tmp_path: Path) -> None:
    chat = conversations(tmp_path / "chat.arrow", ROWS, flagged=True)
    other = planned(task("a", 12, TALK, ASK), rows=12)
    plan = Plan("toy", 7, "train", (*other.plan.tasks, chat), {})
    assert plan.chat_columns == ("system", "history", "trained")
    rows = Examples(plan, (*other._files, tmp_path / "chat.arrow")).slice(0, plan.rows).table.to_pylist()
    for row in rows:
        flags = [True] * (len(row["history"]) + 1) if row["fm_task"] == "a" else ROWS[row["fm_row"]]["trained"]
        assert row["trained"] == flags


def test_turns_of_a_template_do_not_go_with_conversations(tmp_path: Path) -> None:
    spec = conversations(tmp_path / "chat.arrow", ROWS)
    talk = replace(spec.templates[0], template=TALK, where="a.yaml:3")
    with pytest.raises(PlanError, match=r"a\.yaml:3: talk: has 'turns', and the rows of chat are conversations"):
        Examples(Plan("toy", 7, "train", (replace(spec, templates=(talk,)),), {}), (tmp_path / "chat.arrow",))


def test_a_templates_system_goes_to_conversations_without_one(tmp_path: Path) -> None:
    spec = conversations(tmp_path / "chat.arrow", ROWS)
    told = spec.templates[0].template.model_copy(update={"system": "About {{ input }}."})
    plan = Plan("toy", 7, "train", (replace(spec, templates=(replace(spec.templates[0], template=told),)),), {})
    for row in Examples(plan, (tmp_path / "chat.arrow",)).slice(0, len(ROWS)).table.to_pylist():
        number = row["fm_row"]
        assert row["system"] == (f"About i{number}." if number % 3 else f"s{number}")
