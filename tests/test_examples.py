"""Rendered slices of a plan: any position alone is what it is in any slice and in the build."""

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.examples import Example, Examples
from flanmix.planner import Planned, plan_mixture
from flanmix.registry import Registry, load_registry
from flanmix.spec import Mixture, Part, Task, Template

ASK = Template("ask", input="Q: {{ q }}", target="{{ a }}")
TELL = Template("tell", input="Say what {{ q }} is.", target="It is {{ a }}.", tags=["options"])
TURN = Template("turn", input="What is {{ a }}?", target="{{ q }}", when="{{ a | length > 1 }}", tags=["inverted"])


def task(name: str, rows: list[dict[str, Any]] | int, *templates: Template, **others: Any) -> Task:
    if isinstance(rows, int):
        rows = [{"q": f"{name} {index}", "a": str(index)} for index in range(rows)]
    return Task(
        name, type=others.pop("type", "arithmetic"), source=rows, templates=templates or (ASK, TELL, TURN), **others
    )


def registry(*tasks: Task) -> Registry:
    return load_registry(specs=tasks, bundled=False, plugins=False)


def planned(*tasks: Task, rows: int = 100, **others: Any) -> Planned:
    return plan_mixture(Mixture("toy", parts=[Part("*")], rows=rows, **others), registry(*tasks))


def examples(*tasks: Task, **others: Any) -> Examples:
    found = planned(*tasks, **others)
    return Examples(found.plan, found.files)


@pytest.fixture(scope="module")
def toy() -> Examples:
    """300 rows of three tasks, over more than one epoch, with styles."""
    return examples(task("a", 40), task("b/c", 90, type="nli"), task("d", 7), rows=300, styles={"inverted": 0.2})


# One place, one example


def test_one_position_is_a_row_of_any_slice(toy: Examples) -> None:
    whole = toy.slice(0, 300).table.to_pylist()
    assert [row["position"] for row in whole] == list(range(300))
    for position, row in enumerate(whole):
        example = toy.example(position)
        assert example == Example(
            position, row["fm_task"], row["fm_type"], row["fm_template"], row["fm_row"], row["fm_epoch"],
            row["input"], row["target"], source=row["fm_source"], split=row["fm_split"], style=row["fm_style"],
            shots=tuple(row["fm_shots"]), stage=row["fm_stage"],
        )  # fmt: skip


def test_slices_at_random_cuts_join_to_the_whole(toy: Examples) -> None:
    whole = toy.slice(0, 300).table
    choice = random.Random(0)
    for _ in range(20):
        cuts = [0, *sorted(choice.choices(range(301), k=6)), 300]
        pieces = [toy.slice(start, stop).table for start, stop in pairwise(cuts)]
        assert pa.concat_tables(pieces).to_pylist() == whole.to_pylist()


def test_what_is_rendered_ahead_is_what_it_is_alone(toy: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of positions at a time, however they are then asked for."""
    monkeypatch.setattr("flanmix.examples._HELD_BYTES", 0)  # as if the files were too large to be held
    whole = toy.slice(0, 300).table
    choice = random.Random(1)
    for ahead in (1, 7, 64, 1000):
        made = Examples(toy.plan, toy._files, ahead)
        cuts = [0, *sorted(choice.choices(range(301), k=9)), 300]
        pieces = [made.slice(start, stop, until=300).table for start, stop in pairwise(cuts)]
        assert pa.concat_tables(pieces).to_pylist() == whole.to_pylist()
        assert made.slice(3, 5, until=300).table.to_pylist() == whole.slice(3, 2).to_pylist()


def test_rows_are_read_ahead_only_as_far_as_they_will_be_asked_for(
    toy: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flanmix.examples._HELD_BYTES", 0)
    drawn, made = list[tuple[int, int]](), Examples(toy.plan, toy._files, 40)
    draw = made._draw
    monkeypatch.setattr(made, "_draw", lambda start, stop: drawn.append((start, stop)) or draw(start, stop))
    for start in range(0, 100, 10):
        made.slice(start, start + 10, until=100)
    assert drawn == [(0, 40), (40, 80), (80, 100)]


def test_any_row_of_a_plan_is_that_row_of_the_full_build(tmp_path: Path) -> None:
    tasks = fm.load_registry(specs=[task("a", 40), task("b", 90)], bundled=False, plugins=False)
    plan = fm.Mixture("toy", parts=[fm.Part("*")], styles={"options": 0.4}).plan(tasks, rows=250, seed=3)
    plan.build(tmp_path / "out", shard_rows=37, quiet=True)
    files = sorted((tmp_path / "out" / "data").glob("*.parquet"))
    assert len(files) == 7
    built = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert len(built) == 250
    for position in [0, 36, 37, 249, *random.Random(0).sample(range(250), 30)]:
        example, row = plan[position], built[position]
        assert (example.input + "\n", example.target) == (row["prompt"], row["completion"])
        assert (example.task, example.template, example.row, example.epoch) == tuple(
            row[name] for name in ("fm_task", "fm_template", "fm_row", "fm_epoch")
        )


def test_an_example_is_its_source_row_in_its_wording(toy: Examples) -> None:
    texts = {
        "ask": lambda q, a: (f"Q: {q}", a),
        "tell": lambda q, a: (f"Say what {q} is.", f"It is {a}."),
        "turn": lambda q, a: (f"What is {a}?", q),
    }
    for row in toy.slice(0, 300).table.to_pylist():
        q, a = f"{row['fm_task']} {row['fm_row']}", str(row["fm_row"])
        assert (row["input"], row["target"]) == texts[row["fm_template"]](q, a)
        assert row["fm_template"] != "turn" or len(a) > 1
        assert row["fm_type"] == ("nli" if row["fm_task"] == "b/c" else "arithmetic")


def test_the_counts_of_the_plan_are_those_of_the_rows(toy: Examples) -> None:
    found = Counter(toy.slice(0, 300).table.column("fm_task").to_pylist())
    assert found == {task.name: task.rows for task in toy.plan.tasks}


def test_a_row_is_told_by_its_number_in_the_source_and_not_among_the_usable_ones() -> None:
    made = examples(task("a", 50, ASK, drop="{{ (a | int) is even }}"), rows=25)
    rows = made.slice(0, 25).table
    assert sorted(rows.column("fm_row").to_pylist()) == list(range(1, 50, 2))
    assert all(row["target"] == str(row["fm_row"]) for row in rows.to_pylist())


def test_every_slice_has_one_schema_with_all_names_of_the_plan(toy: Examples) -> None:
    whole, one, none = toy.slice(0, 300).table, toy.slice(5, 6).table, toy.slice(7, 7).table
    assert whole.schema == one.schema == none.schema
    assert none.num_rows == 0
    assert one.column("fm_task").combine_chunks().dictionary.to_pylist() == ["a", "b/c", "d"]


def test_pages_that_were_given_back_are_read_again(toy: Examples) -> None:
    before = toy.slice(0, 300).table.to_pylist()
    toy.release()
    assert toy.slice(0, 300).table.to_pylist() == before


def test_a_plan_can_be_indexed_like_a_list() -> None:
    tasks = fm.load_registry(specs=[task("a", 5)], bundled=False, plugins=False)
    plan = fm.Mixture("toy", parts=[fm.Part("*")]).plan(tasks, rows=12)
    assert len(plan) == 12
    assert plan[-1] == plan[11]
    assert list(plan) == [plan[position] for position in range(12)]
    for outside in (12, -13):
        with pytest.raises(IndexError, match="of a mixture of 12 rows"):
            plan[outside]


# Rows that are dropped


def dropped(made: Examples) -> dict[tuple[str, str], int]:
    """What all positions together drop; checked against one position after the other."""
    whole = made.slice(0, made.plan.rows)
    alone = [made.example(position) for position in range(made.plan.rows)]
    assert Counter((item.task, item.dropped) for item in alone if item.dropped) == whole.dropped
    assert [item.position for item in alone if not item.dropped] == whole.table.column("position").to_pylist()
    assert whole.table.num_rows + sum(whole.dropped.values()) == made.plan.rows
    return dict(whole.dropped)


@pytest.mark.parametrize("blank", ["", " ", "\n\t ", "\u00a0\u2003"])
def test_a_row_with_a_blank_target_is_dropped(blank: str) -> None:
    rows = [{"q": "one", "a": "1"}, {"q": "two", "a": blank}, {"q": "three", "a": "3"}]
    assert dropped(examples(task("a", rows, ASK), rows=6)) == {("a", "target is blank"): 2}


def test_a_row_with_a_blank_input_is_dropped_and_counted_once() -> None:
    bare = Template("bare", input="{{ q }}", target="{{ a }}")
    rows = [{"q": "one", "a": "1"}, {"q": "", "a": ""}]
    assert dropped(examples(task("a", rows, bare), rows=4)) == {("a", "input is blank"): 2}


def test_a_row_that_would_print_a_null_is_dropped() -> None:
    first = Template("first", input="{{ q }}", target="{{ answers[0] }}")
    rows = [{"q": "one", "answers": ["1", "I"]}, {"q": "two", "answers": [None, "II"]}]
    assert dropped(examples(task("a", rows, first), rows=4)) == {("a", "target needs a value that is missing"): 2}


def test_a_row_that_only_an_unwanted_style_serves_is_dropped() -> None:
    turn = TURN.model_copy(update={"when": None})
    short = ASK.model_copy(update={"when": "{{ a | length == 1 }}"})
    made = examples(task("a", 15, short, turn), rows=30, styles={"inverted": 0})
    assert dropped(made) == {("a", "no template of a wanted style applies"): 10}


def test_drops_are_counted_for_each_task_and_reason() -> None:
    some = [{"q": "one", "a": ""}, {"q": "two", "a": "2"}, {"q": "three", "a": "3"}]
    bare = Template("bare", input="{{ q }}", target="{{ a }}")
    made = examples(task("a", some, bare), task("b", [{"q": "", "a": "1"}, *some], bare), task("c", 3, bare), rows=20)
    assert dropped(made) == {("a", "target is blank"): 2, ("b", "target is blank"): 2, ("b", "input is blank"): 2}


def test_a_dropped_position_says_which_row_and_wording_it_would_have_been() -> None:
    rows = [{"q": "one", "a": "1"}, {"q": "two", "a": " "}]
    made = examples(task("a", rows, ASK), rows=4)
    found = [item for item in map(made.example, range(4)) if item.dropped]
    assert {(item.task, item.type, item.row, item.template) for item in found} == {("a", "arithmetic", 1, "ask")}
    assert sorted(item.epoch for item in found) == [0, 1]
    assert all(item.input == item.target == "" for item in found)


def test_a_position_with_no_wording_says_which_row_it_would_have_been() -> None:
    turn = TURN.model_copy(update={"when": None})
    never = ASK.model_copy(update={"when": "{{ a == '1' }}"})
    made = examples(task("a", 2, never, turn), rows=2, styles={"inverted": 0})
    (found,) = [item for item in map(made.example, range(2)) if item.dropped]
    assert (found.row, found.template, found.dropped) == (0, "", "no template of a wanted style applies")


def test_a_slice_of_nothing_but_drops_is_empty() -> None:
    made = examples(task("a", [{"q": "one", "a": ""}], ASK), rows=5)
    assert dropped(made) == {("a", "target is blank"): 5}
    assert made.slice(0, 5).table.num_rows == 0


# Rows that fail


def test_a_wording_that_fails_on_a_row_names_the_row_and_its_own_place() -> None:
    divide = Template("divide", input="{{ q }}", target="{{ 10 // (a | int) }}")
    made = examples(task("a", 5, divide), rows=5)
    with pytest.raises(fm.TemplateError) as caught:
        made.slice(0, 5)
    (problem,) = caught.value.problems
    assert problem.what == "row 0 of the task a: integer division or modulo by zero"
    assert problem.file == "task a: templates.add[0]"


# What moves and what does not


def rows_of(made: Examples, name: str) -> list[tuple[Any, ...]]:
    table = made.slice(0, made.plan.rows).table.drop_columns(["position", "fm_shots"]).to_pylist()
    return [tuple(row.values()) for row in table if row["fm_task"] == name]


def parts(*names: str, each: int) -> tuple[Part, ...]:
    return tuple(Part(name, rows=each) for name in names)


def of_parts(*tasks: Task, each: int) -> Examples:
    mixture = Mixture("toy", parts=[Part(task.name, rows=each) for task in tasks], styles={"options": 0.3})
    found = plan_mixture(mixture, registry(*tasks))
    return Examples(found.plan, found.files)


def test_adding_a_task_leaves_the_rows_of_the_others_as_they_were() -> None:
    few = of_parts(task("b", 20), task("d", 30), each=25)
    more = of_parts(task("a", 9), task("b", 20), task("c", 20), task("d", 30), each=25)
    for name in ("b", "d"):
        assert rows_of(few, name) == rows_of(more, name)


def test_the_rows_of_a_small_mixture_are_among_those_of_a_large_one() -> None:
    small, large = of_parts(task("a", 20), task("b", 30), each=25), of_parts(task("a", 20), task("b", 30), each=95)
    for name in ("a", "b"):
        assert not Counter(rows_of(small, name)) - Counter(rows_of(large, name))


def test_changing_the_wordings_of_a_task_changes_only_its_rows() -> None:
    new = Template("new", input="{{ q }} = ?", target="{{ a }}")
    before = of_parts(task("a", 20), task("b", 30), each=60)
    after = of_parts(task("a", 20), task("b", 30, ASK, TELL, TURN, new), each=60)
    assert rows_of(before, "a") == rows_of(after, "a")
    moved = [(old, now) for old, now in zip(rows_of(before, "b"), rows_of(after, "b"), strict=True) if old != now]
    assert {now[6] for _, now in moved} == {"new"}
    assert before.plan.digest != after.plan.digest


def test_a_row_keeps_its_wording_when_others_are_dropped() -> None:
    before = examples(task("a", 60, ASK, TELL), rows=60)
    after = examples(task("a", 60, ASK, TELL, drop="{{ a | length == 1 }}"), rows=50)
    assert set(rows_of(after, "a")) == {row for row in rows_of(before, "a") if row[8] >= 10}


def test_the_cache_does_not_decide_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = examples(task("a", 20), rows=30)
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path))
    there = examples(task("a", 20), rows=30)
    assert any(tmp_path.rglob("*.arrow"))
    assert rows_of(here, "a") == rows_of(there, "a")
    assert here.plan.digest == there.plan.digest


def test_a_row_that_does_not_come_out_in_two_parts_is_dropped() -> None:
    split = Template("split", dialect="promptsource", jinja="{{ q }} {% if q != 'one' %}|||{% endif %} {{ a }}")
    rows = [{"q": "one", "a": "1"}, {"q": "two", "a": "2"}, {"q": "three", "a": " "}]
    made = examples(task("a", rows, split), rows=3)
    assert dropped(made) == {("a", "does not have two parts"): 1, ("a", "target is blank"): 1}
    assert made.slice(0, 3).table.select(["input", "target"]).to_pylist() == [{"input": "two", "target": "2"}]


def test_what_a_template_takes_at_random_hangs_on_the_row_and_not_on_the_slice() -> None:
    dice = Template("dice", dialect="promptsource", jinja="{{ q }} ||| {{ range(1000) | choice }}")
    rows = [{"q": f"q{number}"} for number in range(40)]
    made = examples(task("a", rows, dice), rows=80, seed=3)
    whole = made.slice(0, 80).table.select(["input", "target"]).to_pylist()
    alone = [
        made.slice(position, position + 1).table.select(["input", "target"]).to_pylist()[0] for position in range(80)
    ]
    assert alone == whole
    assert len({row["target"] for row in whole}) > 30
    assert len({tuple(row.values()) for row in whole}) == 40
    other = examples(task("a", rows, dice), rows=80, seed=4)
    assert sorted(row["target"] for row in other.slice(0, 80).table.to_pylist()) != sorted(r["target"] for r in whole)
