"""Natural Instructions from files to a build: definition first, examples that are other rows, caps that cap."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.check import explained
from flanmix.importers.instructions import import_instructions
from flanmix.importers.writing import spec_text, write_files
from flanmix.mapped import Mapped
from flanmix.prepare import prepare
from flanmix.registry import Registry, load_registry
from flanmix.render import render_pair
from tests.instructions import COUNTING, SHARED, around, instances, task, write

FAMILY = load_registry().families["natural_instructions"]
NAMES = [template.name for template in FAMILY.templates]


def registry_of(folder: Path, **tasks: Any) -> Registry:
    """The registry that an import of these tasks writes."""
    found = import_instructions(write(folder / "tasks", tasks), folder / "ours")
    write_files({folder / "ours" / f"{each.task.name}.yaml": spec_text(each.task, "x") for each in found if each.task})
    return load_registry(folder / "ours")


def plan_of(tasks: Registry, **values: Any) -> fm.Plan:
    return fm.Mixture("m", parts=[fm.Part("niv2/*")], **values).plan(tasks)


def written(plan: fm.Plan, out: Path) -> list[dict[str, Any]]:
    built = plan.build(out)
    built.verify()
    return pq.read_table(out / "data").to_pylist()


def prompts(folder: Path, one: dict[str, Any]) -> dict[str, dict[int, str]]:
    """What each wording makes of each row that it serves."""
    bound = registry_of(folder, a=one)["niv2/a"]
    prepared = prepare(bound)
    table = Mapped(prepared.rows).table
    found = {}
    for number, item in enumerate(bound.templates):
        guards = pa.array([guard for guard, serving in enumerate(prepared.guards) if number in serving], pa.int32())
        served = table.filter(pc.is_in(table["fm_guard"], guards))
        texts = render_pair(item.template, served, engine="columns" if len(served) else "auto")[0]
        if len(served):
            found[item.template.name] = dict(zip(served["fm_row"].to_pylist(), texts.to_pylist(), strict=True))
    return found


def test_every_wording_goes_by_columns() -> None:
    tasks = load_registry(specs=[fm.Task("t", type="natural_instructions", source=[{"input": "a"}])])
    assert {explained(item).engine for item in tasks["t"].templates} == {"columns"}


@pytest.mark.parametrize(
    "template", [each for each in FAMILY.templates if "inverted" not in each.tags], ids=lambda t: t.name
)
def test_the_definition_comes_before_examples_and_input(template: fm.Template) -> None:
    text = template.input or ""
    places = [text.index(part) for part in ("{{ definition }}", "example.input", "{{ input }}") if part in text]
    assert places == sorted(places)
    assert len(places) >= 2


def test_each_wording_shows_as_many_examples_as_it_says(tmp_path: Path) -> None:
    more = [{"input": f"p{n}.", "output": f"P{n}", "explanation": f"because {n}"} for n in range(5)]
    wrong = [{"input": f"n{n}.", "output": f"N{n}", "explanation": f"as {n}"} for n in range(5)]
    one = task(
        Positive_Examples=more, Negative_Examples=wrong, Instances=instances(*((f"x{n}", "y") for n in range(40)))
    )
    shown = {}
    for name, texts in prompts(tmp_path, one).items():
        text = next(iter(texts.values()))
        marks = ("p{}.", "n{}.", "because {}", "as {}")
        shown[name] = "".join(str(sum(mark.format(n) in text for n in range(5))) for mark in marks)
    assert shown == {
        "definition-then-input": "0000",
        "definition-input-output": "0000",
        "task-and-case": "0000",
        "handed-over": "0000",
        "follow-the-instructions": "0000",
        "one-example": "1000",
        "two-examples": "2000",
        "three-examples": "3000",
        "one-example-explained": "1010",
        "two-examples-explained": "2020",
        "one-right-one-wrong": "1100",
        "two-right-two-wrong": "2200",
        "two-right-two-wrong-explained": "2222",
        "what-to-avoid": "0202",
        "write-an-input": "0000",
        "guess-the-definition": "2000",
    }


def test_where_there_are_fewer_examples_those_are_shown_and_no_headings_without_any(tmp_path: Path) -> None:
    found = prompts(tmp_path, COUNTING)
    assert found["two-examples"][0] == (
        "Count the tools that the note names, and answer with a number.\n\n"
        "Input: A spade and a rake.\nOutput: 2\n\n"
        "Input: One hoe\nby the gate.\nOutput: 1\n\n"
        "Input: A fork, a hoe and a hose.\nOutput:"
    )
    assert found["two-examples"][2] == (
        "Count the tools that the note names, and answer with a number.\n\n"
        "Input: A spade and a rake.\nOutput: 2\n\n"
        "Input: One hoe by the gate.\nOutput:"
    )
    assert found["two-right-two-wrong-explained"][0] == (
        "Count the tools that the note names, and answer with a number.\n\n"
        "This is how it should be done.\n\n"
        "Input: A spade and a rake.\nOutput: 2\nExplanation: Both are tools.\n\n"
        "Input: One hoe\nby the gate.\nOutput: 1\n\n"
        "This is how it should not be done.\n\n"
        "Input: A rose.\nOutput: 1\nExplanation: A rose is no tool.\n\n"
        "Now do it as it should be done.\n\n"
        "Input: A fork, a hoe and a hose.\nOutput:"
    )
    assert found["what-to-avoid"].keys() == {0, 1, 2}  # row 3 is the only wrong example itself


def test_without_examples_only_the_wordings_without_any_serve(tmp_path: Path) -> None:
    one = task(Positive_Examples=[], Negative_Examples=[])
    assert set(prompts(tmp_path, one)) == {*NAMES[:5], "write-an-input"}


def test_rows_with_faults_are_dropped_and_counted_by_reason(tmp_path: Path) -> None:
    pairs: list[tuple[Any, Any]] = [("sound", ["y"]), ("", ["y"]), ("x", [""]), ("x", ["y", ""]), ("cafÃ©", ["y"])]
    rows = instances(*pairs, ("a\r\nb", ["y"]), (None, ["y"]), ("x", []), ("also sound", ["y"]))
    rows.append({**rows[0], "input": "again"})
    plan = plan_of(registry_of(tmp_path, a=task(Instances=rows)), epochs=1)
    (record,) = plan.records()
    assert (record["source_rows"], record["usable"]) == (10, 2)
    assert record["dropped"] == {
        "drop rule: empty input": 1,
        "drop rule: empty output": 1,
        "drop rule: an empty one among the outputs": 1,
        "drop rule: mojibake": 1,
        "drop rule: CRLF": 1,
        "drop rule: no input": 1,
        "drop rule: no output": 1,
        "drop rule: duplicate id": 1,
    }


def test_a_task_of_which_nothing_is_left_says_why(tmp_path: Path) -> None:
    tasks = registry_of(tmp_path, a=task(Instances=instances(("a\r\nb", "c"))))
    with pytest.raises(fm.FlanmixError, match=r"niv2/a\.yaml:6: source: .*none is usable \(drop rule: CRLF: 1\)"):
        plan_of(tasks, epochs=1)


# ---- a corpus


def own_corpus() -> dict[str, Any]:
    lines = [
        json.dumps(
            {"task": f"t{n}", "definition": f"Do {n}.", "positive_examples": {"input": f"in {n}", "output": "o"}}
        )
        for n in range(12)
    ]
    return around(lines, 6)


def real_corpus() -> dict[str, Any]:
    with SHARED.open(encoding="utf-8") as lines:
        return around([line for _, line in zip(range(300), lines, strict=False)], 9)


CORPORA = [
    pytest.param(own_corpus, id="our own"),
    pytest.param(
        real_corpus,
        id="300 real definitions",
        marks=[pytest.mark.slow, pytest.mark.skipif(not SHARED.is_file(), reason=f"{SHARED} is not there")],
    ),
]


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("most", [4, 100])
def test_no_task_gives_more_than_its_cap_in_plan_and_build(tmp_path: Path, corpus: Any, most: int) -> None:
    tasks = corpus()
    size = min(most, len(next(iter(tasks.values()))["Instances"]))
    plan = plan_of(registry_of(tmp_path, **tasks), epochs=1, defaults=fm.Limits(max_rows=most))
    assert plan.counts == {f"niv2/{name}": size for name in sorted(tasks)}
    rows = written(plan, tmp_path / "out")
    assert Counter(row["fm_task"] for row in rows) == plan.counts
    assert len({(row["fm_task"], row["fm_row"]) for row in rows}) == len(rows) == size * len(tasks)


def test_a_budget_above_all_caps_repeats_rows_and_takes_no_others(tmp_path: Path) -> None:
    plan = plan_of(registry_of(tmp_path, **own_corpus()), rows=12 * 9, defaults=fm.Limits(max_rows=3))
    rows = written(plan, tmp_path / "out")
    assert set(Counter(row["fm_task"] for row in rows).values()) == {9}
    assert len({(row["fm_task"], row["fm_row"]) for row in rows}) == 12 * 3


@pytest.mark.parametrize("corpus", CORPORA)
def test_no_prompt_holds_its_own_answer_through_an_example(tmp_path: Path, corpus: Any) -> None:
    """Row 0 of each task is its first example, with other white space: its input stands in its prompts once."""
    tasks = corpus()
    plan = plan_of(registry_of(tmp_path, **tasks), epochs=6)
    seen = Counter[str]()
    for row in written(plan, tmp_path / "out"):
        one = tasks[row["fm_task"].removeprefix("niv2/")]
        own = " ".join(one["Instances"][row["fm_row"]]["input"].split())
        prompt = " ".join(row["prompt"].split())
        if row["fm_row"] or "write-an-input" in row["fm_template"]:
            continue
        seen[row["fm_template"]] += 1
        for example in one["Positive Examples"]:
            shown = " ".join(f"{example['input']}\nOutput: {example['output']}".split())
            assert shown not in prompt or " ".join(example["input"].split()) != own or "guess" in row["fm_template"]
        assert prompt.count(own) == one["Definition"][0].count(own) + 1
    assert len(seen) > 10


@pytest.mark.skipif(not SHARED.is_file(), reason=f"{SHARED} is not there")
def test_the_worked_examples_of_all_real_tasks_are_rows_of_one_task(tmp_path: Path) -> None:
    (found,) = import_instructions(SHARED, tmp_path)
    assert found.task is not None
    write_files({tmp_path / f"{found.task.name}.yaml": spec_text(found.task, "x")})
    plan = plan_of(load_registry(tmp_path), epochs=1)
    (record,) = plan.records()
    assert (record["source_rows"], record["dropped"]) == (1654, {"drop rule: mojibake": 1})
    assert {row["fm_template"].partition("/")[2] for row in written(plan, tmp_path / "out")} == {
        *NAMES[:5],
        "write-an-input",
    }
