"""Mixtures with exemplars through the public interface: what is planned, what is built, and that no answer leaks."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.examples import Examples
from flanmix.mapped import Mapped
from flanmix.spec import Options, Shots, Stage
from tests.chat.talk import plain
from tests.flan_cot import DATA, REASON, flan_cot
from tests.toy import PLAIN, SUMS, TEXT_LAYOUTS, built, hashes, manifest_of, toy_plan
from tests.toy_tokens import tokenizer

Row = dict[str, Any]

COLOURS = ["red", "green", "blue", "grey"]
_TWICE = [
    {"question": f"Which of {n // 3}?", "choices": COLOURS[n % 4 :] + COLOURS[: n % 4], "answer": COLOURS[n // 3 % 4]}
    for n in range(90)
]
_STORIES = [
    {"text": f"Story {n}. " * (1 + n % 5), "short": f"The story that has the number {n // 2} is told."}
    for n in range(80)
]
_SUMS = [{"question": f"{n} + {n * n}?", "answer": str(n + n * n)} for n in range(97)]
"""As the rows of `toy.SUMS`."""
TWICE = fm.Task(
    "toy/twice",
    type="multiple_choice",
    source=_TWICE,
    templates=[
        fm.Template("pick", input="{{ question }}\n{{ options }}", target="{{ answer }}", tags=["options"]),
        fm.Template("name", input="{{ question }}", target="It is {{ answer }}."),
    ],
)  # fmt: skip
"""Every question three times, its options each time in another order."""
STORIES = fm.Task(
    "toy/stories",
    type="summarization",
    source=_STORIES,
    templates=[
        fm.Template("tell", input="{{ text }}", target="{{ short }}"),
        fm.Template("back", input="Told short: {{ short }}", target="{{ text }}", tags=["inverted"]),
    ],
)  # fmt: skip
"""Every summary of two texts."""


def rows_of(folder: Path) -> list[Row]:
    """The built rows in their order."""
    return [row for file in sorted((folder / "data").glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def by_number(counts: Mapping[Any, int]) -> dict[Any, int]:
    """Without those of which there are none."""
    return {key: count for key, count in counts.items() if count}


# Which rows go before a row


@pytest.fixture(scope="module", params=["drawn", "balanced, each in its own template", "shuffled labels"])
def twice(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[fm.Plan, list[Row]]:
    """Builds of tasks in which every question comes more than once."""
    how: dict[str, dict[str, Any]] = {
        "drawn": {"shots": Shots({"min": 1, "max": 5})},
        "balanced, each in its own template": {"shots": Shots(4, balance="answers", templates="own")},
        "shuffled labels": {"shots": 3, "options": Options(["letters", "numbers"], order="shuffled", target="label")},
    }
    plan = toy_plan(TWICE, STORIES, SUMS, rows=600, styles={"few_shot": 0.8, "options": 0.5}, **how[request.param])
    return plan, rows_of(built(plan, tmp_path_factory.mktemp("twice") / "out"))


def content(row: Row, number: int) -> Any:
    """What makes a row of a task the same as another."""
    if row["fm_task"] == "toy/twice":
        return number // 3
    return number


def test_no_row_is_among_its_own_exemplars_nor_is_one_that_reads_as_it_does(twice: tuple[fm.Plan, list[Row]]) -> None:
    for row in twice[1]:
        assert row["fm_row"] not in row["fm_shots"]
        assert content(row, row["fm_row"]) not in {content(row, number) for number in row["fm_shots"]}


def test_no_exemplar_comes_twice_nor_two_that_read_alike(twice: tuple[fm.Plan, list[Row]]) -> None:
    for row in twice[1]:
        shown = [content(row, number) for number in row["fm_shots"]]
        assert len(shown) == len(set(shown))


def test_a_long_target_is_in_no_exemplar_of_another_row(twice: tuple[fm.Plan, list[Row]]) -> None:
    """Two stories have one summary: neither goes before the other."""
    stories = [row for row in twice[1] if row["fm_task"] == "toy/stories" and row["fm_template"] == "tell"]
    assert sum(len(row["fm_shots"]) for row in stories) > 100
    assert all(row["completion"] not in row["prompt"] for row in stories)


def test_every_row_has_the_exemplars_that_it_was_planned_with(twice: tuple[fm.Plan, list[Row]]) -> None:
    plan, rows = twice
    for number, task in enumerate(plan._planned.plan.tasks):
        mine = [row for row in rows if row["fm_task"] == task.name]
        planned = by_number(plan._planned.plan.shot_counts(number))
        assert planned == Counter(len(row["fm_shots"]) for row in mine)
        few = sum(count for exemplars, count in planned.items() if exemplars)
        assert abs(few - 0.8 * task.rows) <= 2


def test_exemplars_are_rows_of_the_source_in_the_order_in_which_they_are_told(twice: tuple[fm.Plan, list[Row]]) -> None:
    told = {"toy/twice": "question", "toy/sums": "question", "toy/stories": "text"}
    sources = {"toy/twice": _TWICE, "toy/sums": _SUMS, "toy/stories": _STORIES}
    for row in twice[1]:
        texts = [sources[row["fm_task"]][number][told[row["fm_task"]]] for number in [*row["fm_shots"], row["fm_row"]]]
        if row["fm_template"] == "back":
            continue
        places = [row["prompt"].find(text) for text in texts]
        assert -1 not in places
        if row["fm_task"] != "toy/stories":
            assert places == sorted(places)


def test_balanced_answers_take_turns(tmp_path: Path) -> None:
    task = fm.Task(
        "toy/moods",
        type="sentiment",
        source=[{"question": f"Text {n}", "answer": "good" if n % 5 else "bad"} for n in range(300)],
        templates=[PLAIN],
    )
    plan = toy_plan(task, rows=100, shots=Shots(4, balance="answers"))
    counts = Counter(tuple(sorted(Counter("good" if n % 5 else "bad" for n in row.shots).items())) for row in plan)
    assert counts == {(("bad", 2), ("good", 2)): 100}


def test_a_task_whose_rows_are_all_alike_has_no_exemplars(tmp_path: Path) -> None:
    task = fm.Task("toy/same", type="nli", source=[{"question": "?", "answer": "!"}] * 9, templates=[PLAIN])
    rows = rows_of(built(toy_plan(task, rows=9, shots=3), tmp_path / "out"))
    assert [row["fm_shots"] for row in rows] == [[]] * 9
    assert {row["prompt"] for row in rows} == {"?\n"}


# The same plan, the same bytes


def test_the_same_seed_gives_the_same_bytes_however_it_is_built_and_another_seed_others(tmp_path: Path) -> None:
    def files(name: str, seed: int, **how: Any) -> dict[str, str]:
        plan = toy_plan(TWICE, STORIES, rows=300, seed=seed, styles="flan")
        found = hashes(built(plan, tmp_path / name, shard_rows=70, **how))
        return {file: digest for file, digest in found.items() if file.startswith("data/train")}

    one = files("one", 7)
    assert one == files("again", 7)
    assert one == files("two", 7, num_proc=2)
    assert set(one.values()).isdisjoint(files("other", 8).values())


def test_any_row_of_a_plan_and_any_cut_of_it_is_that_of_the_build(tmp_path: Path) -> None:
    plan = toy_plan(TWICE, STORIES, rows=120, styles="flan", shots=Shots(2, templates="own", formats=["qa", "plain"]))
    whole = rows_of(built(plan, tmp_path / "whole"))
    assert [row for n in (1, 13) for row in [rows_of(built(plan, tmp_path / f"{n}", shard_rows=n * 7))]] == [whole] * 2
    for example, row in zip(plan, whole, strict=True):
        prompt = row["prompt"].removesuffix("\n") if not example.input.endswith("\n") else row["prompt"]
        assert (example.input, example.target) == (prompt, row["completion"])
        assert (list(example.shots), example.style) == (row["fm_shots"], row["fm_style"])


def test_a_build_that_stopped_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan() -> fm.Plan:
        return toy_plan(TWICE, STORIES, rows=200, styles="flan", shots=Shots(3, place="text", max_characters=300))

    whole = hashes(built(plan(), tmp_path / "whole", shard_rows=40))
    slices, made = 0, Examples.slice

    def stopping(self: Any, *places: int) -> Any:
        nonlocal slices
        slices += 1
        if slices == 3:
            raise KeyboardInterrupt
        return made(self, *places)

    monkeypatch.setattr(Examples, "slice", stopping)
    with pytest.raises(KeyboardInterrupt):
        built(plan(), tmp_path / "out", shard_rows=40)
    monkeypatch.undo()
    assert hashes(built(plan(), tmp_path / "out", shard_rows=40)) == whole


# Layouts


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
@pytest.mark.parametrize("place", ["text", "turns"])
def test_every_layout_with_room_for_turns_holds_exemplars(layout: str, place: Any, tmp_path: Path) -> None:
    plan = toy_plan(SUMS, rows=60, shots=Shots(2, place=place))
    told = (
        {} if layout in ("messages", "conversational", "sharegpt", "alpaca", "tagged") else {"chat_template": "chatml"}
    )
    told = told if place == "turns" else {}
    for row, example in zip(rows_of(built(plan, tmp_path / "out", layout=layout, **told)), plan, strict=True):
        text = json.dumps([value for key, value in row.items() if not key.startswith("fm_")], ensure_ascii=False)
        assert row["fm_shots"] == list(example.shots)
        assert len(example.shots) == 2
        assert len(example.history) == (2 if place == "turns" else 0)
        questions = [_SUMS[n]["question"] for n in (*example.shots, example.row)]
        places = [text.index(question) for question in questions]
        assert places == sorted(places) or layout == "alpaca"  # it has the history in its last column
        if layout == "messages":
            assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"] * (3 if place == "turns" else 1)


@pytest.mark.parametrize("layout", ["tokens", "packed"])
@pytest.mark.parametrize("place", ["text", "turns"])
def test_tokens_are_those_of_the_texts(layout: str, place: Any, tmp_path: Path) -> None:
    made, file = plain("bpe", "chatml"), tmp_path / "tokenizer.json"
    made.save(str(file))
    plan = toy_plan(SUMS, rows=40, shots=Shots(2, place=place))
    folder = built(plan, tmp_path / "out", layout=layout, tokenizer=str(file), chat_template="chatml", max_length=2048)
    text = "".join(made.decode(row["input_ids"], skip_special_tokens=False) for row in rows_of(folder))
    for example in plan:
        for user, assistant in example.history:
            assert f"{user}<|im_end|>\n<|im_start|>assistant\n{assistant}<|im_end|>" in text
        assert example.input in text
    assert text.count("<|im_start|>user") == 40 * (3 if place == "turns" else 1)


# Budgets


def test_a_budget_in_characters_keeps_the_nearest(tmp_path: Path) -> None:
    whole = toy_plan(STORIES, rows=40, shots=4)
    small = toy_plan(STORIES, rows=40, shots=Shots(4, max_characters=300))
    kept = Counter(len(row.shots) for row in small)
    assert len(kept) > 2
    for one, other in zip(whole, small, strict=True):
        assert other.shots == one.shots[len(one.shots) - len(other.shots) :]
        assert len(other.input) <= 300 or not other.shots
        assert (other.input == one.input) == (len(one.input) <= 300 or not one.shots)


def test_a_budget_in_tokens_is_one_in_tokens_also_where_rows_have_no_options(tmp_path: Path) -> None:
    made, file = tokenizer("bpe"), tmp_path / "tokenizer.json"
    made.library.save(str(file))
    rows = [{"question": f"{n}?", "choices": ["a", "b"], "answer": "c" if n % 7 == 0 else "a"} for n in range(70)]
    ask = fm.Template("ask", input="{{ question }}\n{{ options }}", target="{{ answer }}")
    task = fm.Task("toy/some", type="nli", source=rows, templates=[ask])
    how = {"shots": Shots(5, max_tokens=60), "options": Options("letters", target="label")}
    plan = toy_plan(task, rows=70, tokenizer=str(file), **how)
    found = list(plan)
    assert sum(example.dropped is not None for example in found) == 10
    assert 0 < max(len(example.shots) for example in found) < 5
    assert all(len(made.library.encode(example.input).ids) <= 60 for example in found if example.dropped is None)


# Whole builds: the starter catalogue and the chain-of-thought sets


def fields_of(plan: fm.Plan) -> dict[str, dict[int, Row]]:
    """The prepared rows of each task by their number in the source."""
    files = zip(plan._planned.plan.tasks, plan._planned.files, strict=True)
    return {task.name: {row["fm_row"]: row for row in Mapped(file).table.to_pylist()} for task, file in files}


def check_whole(plan: fm.Plan, folder: Path, asked: tuple[str, ...]) -> None:
    """Counts as planned, and nothing that gives an answer away."""
    planned, fields, mine = plan._planned.plan, fields_of(plan), defaultdict[str, list[Row]](list)
    for row in rows_of(folder):
        mine[row["fm_task"]].append(row)

    def told(style: str) -> tuple[bool, str]:
        parts = style.partition(":")[0].split("+")
        return "few_shot" in parts, next((name for name in asked if name in parts), "")

    for number, task in enumerate(planned.tasks):
        rows, known = mine[task.name], fields[task.name]
        styles: Counter[tuple[bool, str]] = Counter()
        for style, count in planned.style_counts(number).items():
            styles[told(style)] += count
        assert by_number(styles) == Counter(told(row["fm_style"]) for row in rows)
        assert by_number(planned.shot_counts(number)) == Counter(len(row["fm_shots"]) for row in rows)
        assert len(rows) == task.rows
        for row in rows:
            own, shown = same_row(known[row["fm_row"]]), [same_row(known[shot]) for shot in row["fm_shots"]]
            assert own not in shown
            assert len({*shown}) == len(shown)
            assert len(row["completion"]) <= 32 or not [shot for shot in row["fm_shots"] if holds(known[shot], row)]


def same_row(row: Row) -> str:
    """What a row holds, whatever its number and the order of its options."""
    told = {key: value for key, value in row.items() if not key.startswith("fm_") and key != "options"}
    told |= {"choices": sorted(told["choices"])} if "choices" in told else {}
    return json.dumps(told, default=str, sort_keys=True)


def holds(other: Row, row: Row) -> bool:
    """Whether a field of another row is what a row is to be answered with."""
    return row["completion"].strip() in [value.strip() for value in other.values() if isinstance(value, str)]


@pytest.mark.slow
def test_the_grid_over_the_starter_catalogue_is_as_planned_and_no_prompt_has_its_own_answer(tmp_path: Path) -> None:
    starter = fm.load_registry(plugins=False)
    mixture = fm.Mixture("starter", parts=[fm.Part("*")], rows=12_000, rate_cap=400, styles="flan", seed=3)
    plan = mixture.without("type:dialogue").plan(starter)
    check_whole(plan, built(plan, tmp_path / "out"), ("options",))


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=REASON)
def test_the_grid_over_five_chain_of_thought_sets_is_as_planned_and_no_prompt_has_its_own_answer(
    tmp_path: Path,
) -> None:
    sets = fm.load_registry(specs=flan_cot(), plugins=False)
    styles = {"few_shot": 0.5, "cot": 0.4, "options": 0.2, "inverted": 0.2}
    plan = fm.Mixture("cot", parts=[fm.Part("cot/*")], rows=12_000, styles=styles, seed=3).plan(sets)
    check_whole(plan, built(plan, tmp_path / "out"), ("cot", "options", "inverted"))


# Stages, wordings


def test_stages_have_exemplars_of_their_own_tasks(tmp_path: Path) -> None:
    catalogue = fm.load_registry(specs=[TWICE, SUMS], bundled=False, plugins=False)
    stages = [
        Stage("broad", parts=[fm.Part("*")], rows=120),
        Stage("late", parts=[fm.Part("toy/sums")], rows=60, replay={"broad": 0.25}),
    ]
    plan = fm.Mixture("staged", stages=stages, styles="flan").plan(catalogue)
    folder = built(plan, tmp_path / "out")
    for stage in ("broad", "late"):
        rows = rows_of(folder / stage)
        assert {row["fm_stage"] for row in rows} == {stage}
        few = [row for row in rows if row["fm_shots"]]
        assert abs(len(few) - len(rows) / 2) <= 2
        assert all(row["fm_style"].startswith("few_shot") for row in few)


WAYS = [fm.Template(f"way{n}", input=f"{n}: {{{{ question }}}}", target="{{ answer }}") for n in range(3)]
MANY = fm.Task(
    "toy/many", type="arithmetic", source=[{"question": f"Q{n}", "answer": str(n)} for n in range(23)], templates=WAYS
)


def wordings(plan: fm.Plan) -> dict[tuple[int, int], list[str]]:
    """The wordings that each row has in each epoch."""
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for example in plan:
        found[example.row, example.epoch].append(example.template)
    return found


def test_in_a_cycle_each_epoch_takes_the_rows_next_wording_and_none_again_before_all_were_used() -> None:
    found = wordings(toy_plan(MANY, rows=23 * 7, templates="cycle"))
    for row in range(23):
        used = [template for epoch in range(7) for template in found[row, epoch]]
        assert sorted(used[:3]) == ["way0", "way1", "way2"]
        assert used == (used[:3] * 3)[:7]
    assert len({tuple(found[row, epoch][0] for epoch in range(3)) for row in range(23)}) > 1


def test_rows_drawn_anew_have_a_wording_again_before_all_were_used() -> None:
    found = wordings(toy_plan(MANY, rows=23 * 3))
    assert any(len({found[row, epoch][0] for epoch in range(3)}) < 3 for row in range(23))


@pytest.mark.parametrize("templates", ["drawn", "cycle"])
@pytest.mark.parametrize("copies", [2, 3, 9])
def test_each_row_is_offered_in_so_many_wordings_and_in_none_twice(templates: str, copies: int, tmp_path: Path) -> None:
    each = min(copies, 3)
    plan = toy_plan(MANY, rows=23 * each * 2, templates=templates, templates_per_row=copies)
    found = wordings(plan)
    assert set(found) == {(row, epoch) for row in range(23) for epoch in range(2)}
    assert all(len(used) == len(set(used)) == each for used in found.values())
    assert plan.records()[0]["offered"] == 23 * each
    folder = built(plan, tmp_path / "out")
    (task,) = manifest_of(folder)["tasks"]
    assert task["planned"] == task["written"] + sum(task["dropped"].values())


def iterate(plan: fm.Plan) -> Iterator[fm.Example]:
    """The rows of a plan that are not dropped."""
    return (example for example in plan if example.dropped is None)


# Templates with turns, conversations


def test_templates_with_turns_and_conversations_take_no_exemplars() -> None:
    turns = [{"user": "Ready?"}, {"assistant": "Yes."}, {"user": "{{ question }}"}, {"assistant": "{{ answer }}"}]
    talking = fm.Task("toy/talk", type="arithmetic", source=SUMS.source, templates=[fm.Template("talk", turns=turns)])
    chat = fm.Task(
        "toy/chat",
        type="dialogue",
        conversation="detect",
        source=[
            {"messages": [{"role": "user", "content": f"Hello {n}"}, {"role": "assistant", "content": f"Hi {n}"}] * 2}
            for n in range(20)
        ],
        templates=[fm.Template("as-it-is", input="{{ prompt }}", target="{{ response }}")],
    )
    plan = toy_plan(talking, chat, SUMS, rows=90, shots=Shots(2, place="turns"))
    by_task = defaultdict(set)
    for example in iterate(plan):
        by_task[example.task].add((len(example.shots), len(example.history), example.style))
    assert by_task == {
        "toy/talk": {(0, 1, "plain")},
        "toy/chat": {(0, 1, "plain")},
        "toy/sums": {(2, 2, "few_shot")},
    }
