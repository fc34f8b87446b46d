"""The Python face: registry, mixture, plan, any row, a built folder."""

import operator
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

import flanmix as fm

ASK = fm.Template("ask", input="What is {{ question }}?", target="{{ answer }}")
TELL = fm.Template("tell", input="Tell me: {{ question }}", target="{{ answer }}")
ROWS = [{"question": f"{number} + {number}", "answer": str(2 * number)} for number in range(20)]


def task(name: str = "toy/sums", **changes: Any) -> fm.Task:
    return fm.Task(name, **{"type": "arithmetic", "source": ROWS, "templates": [ASK, TELL], **changes})


def registry(*specs: Any) -> Any:
    return fm.load_registry(specs=specs, bundled=False, plugins=False)


@pytest.fixture
def plan() -> fm.Plan:
    return fm.Mixture("mini", parts=[fm.Part("*")]).plan(registry(task()), rows=50, seed=7)


def problems(make: Callable[[], object], kind: type[fm.FlanmixError]) -> list[str]:
    with pytest.raises(kind) as caught:
        make()
    return str(caught.value).splitlines()


# ---- from a folder to a dataset, as the design has it


def test_from_a_folder_of_files_to_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "sums.yaml").write_text(
        "task: toy/sums\ntype: arithmetic\nsource: {files: sums.tsv}\ntemplates:\n"
        '  - {name: ask, input: "{{ question }}", target: "{{ answer }}"}\n'
    )
    (tmp_path / "sums.tsv").write_text("question\tanswer\n1 + 1?\t2\n2 + 2?\t4\n")
    tasks = fm.load_registry(tmp_path)
    assert len(tasks["toy/sums"].preview(rows=2)) == 2
    mix = fm.Mixture(
        "flan-mini",
        parts=[fm.Part("type:arithmetic toy/*", weight=2), fm.Part("geography/*", min_share=0.3)],
        max_rows=30_000,
        rate_cap=3_000,
    )
    plan = mix.plan(tasks, rows=10, seed=7)
    assert plan.counts == {"geography/capitals": 3, "toy/sums": 7}
    built = plan.build(tmp_path / "out/flan-mini", max_shard_size="500MB", num_proc=2, quiet=True)
    loaded = datasets.load_dataset(str(tmp_path / "out/flan-mini"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["completion"] for row in loaded] == [example.target for example in plan]
    assert [row["fm_task"] for row in loaded] == [example.task for example in plan]
    assert built.verify() == fm.verify(str(tmp_path / "out/flan-mini")) == built.manifest
    assert built.rows == len(plan) == 10


# ---- registries


def test_a_registry_is_a_catalogue_by_name() -> None:
    tasks = registry(task(), task("toy/more"))
    assert list(tasks) == ["toy/more", "toy/sums"]
    assert len(tasks) == 2
    assert "toy/sums" in tasks
    assert "toy/none" not in tasks
    assert tasks["toy/sums"].task.type == "arithmetic"
    assert list(tasks.select("toy/m*")) == ["toy/more"]


def test_a_registry_with_more_in_it_is_a_new_one() -> None:
    tasks = registry(task())
    more = tasks.with_specs(task("toy/more"), fm.Mixture("m", parts=[fm.Part("toy/*")], rows=4))
    assert (len(tasks), len(more)) == (1, 2)
    assert more.mixture("m").plan(more).rows == 4
    assert isinstance(more, fm.Registry)


def test_a_mixture_of_a_registry_can_be_planned() -> None:
    tasks = registry(task(), fm.Mixture("m", parts=[fm.Part("*")], rows=4))
    plan = tasks.mixture("m").plan(tasks)
    assert (plan.name, plan.rows) == ("m", 4)
    assert isinstance(tasks.mixture("m"), fm.Mixture)


def test_the_bundled_catalogue_has_tasks_families_and_a_mixture_to_start_with() -> None:
    tasks = fm.load_registry()
    assert {"geography/capitals", "inference/everyday", "dates/weekday"} < set(tasks)
    assert {"nli", "closed_book_qa"} < set(tasks.families)
    assert "starter" in tasks.mixtures


def test_a_task_is_previewed_in_the_templates_asked_for() -> None:
    shown = registry(task())["toy/sums"].preview([3, 5], templates=["tell"])
    assert [card.fm_row for card in shown.cards] == [3, 5]
    assert "Tell me: 3 + 3" in str(shown)


# ---- rows in memory

TABLES: dict[str, Any] = {
    "dicts": ROWS,
    "tuple of dicts": tuple(ROWS),
    "data frame": pd.DataFrame(ROWS),
    "Arrow table": pa.Table.from_pylist(ROWS),
    "Arrow batch": pa.RecordBatch.from_pylist(ROWS),
    "Dataset": datasets.Dataset.from_list(ROWS),
}


@pytest.mark.parametrize("source", TABLES.values(), ids=TABLES)
def test_rows_in_memory_are_the_same_in_whatever_they_are_kept(source: Any, plan: fm.Plan) -> None:
    same = fm.Mixture("mini", parts=[fm.Part("*")]).plan(registry(task(source=source)), rows=50, seed=7)
    assert same.digest == plan.digest
    assert list(same) == list(plan)


def test_rows_in_memory_are_told_apart_by_what_is_in_them(plan: fm.Plan) -> None:
    other = registry(task(source=[{**row, "answer": "?"} for row in ROWS]))
    assert fm.Mixture("mini", parts=[fm.Part("*")]).plan(other, rows=50, seed=7).digest != plan.digest


def double(draw: fm.Draw, highest: int = 9) -> dict[str, str]:
    number = draw.integer(1, highest)
    return {"question": f"{number} + {number}", "answer": str(2 * number)}


GENERATORS: dict[str, Callable[..., Any]] = {
    "function": double,
    "lambda": lambda draw, highest=9: double(draw, highest),
    "made in a function": (lambda step: lambda draw, highest=9: double(draw, highest + step))(0),
}


@pytest.mark.parametrize("made", GENERATORS.values(), ids=GENERATORS)
def test_generators_made_in_python_need_not_travel_to_workers(made: Any, tmp_path: Path) -> None:
    source = fm.GeneratorSource(generator=made, rows=30, seed=3, args={"highest": 99})
    plan = fm.Mixture("mini", parts=[fm.Part("*")], rows=60).plan(registry(task(source=source)))
    assert len({example.input for example in plan}) > 20
    plan.build(tmp_path / "two", num_proc=2, shard_rows=20, quiet=True)
    plan.build(tmp_path / "one", shard_rows=20, quiet=True)
    for name in ("manifest.json", "data/train-00000-of-00003.parquet", "data/train-00002-of-00003.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_generator_gives_the_same_rows_every_time() -> None:
    sources = [fm.GeneratorSource(generator=double, rows=30, seed=seed) for seed in (3, 3, 4)]
    plans = [fm.Mixture("mini", parts=[fm.Part("*")], rows=30).plan(registry(task(source=each))) for each in sources]
    assert plans[0].digest == plans[1].digest != plans[2].digest


def test_files_and_the_hub_can_be_named_in_python_too(tmp_path: Path) -> None:
    pd.DataFrame(ROWS).to_parquet(tmp_path / "rows.parquet")
    tasks = registry(task(source=fm.FileSource(files=str(tmp_path / "rows.parquet"))))
    assert fm.Mixture("m", parts=[fm.Part("*")], epochs=1).plan(tasks).rows == 20
    assert fm.HubSource(path="acme/sums").split == {"train": "train"}


# ---- mixtures


def test_limits_are_given_by_name_or_in_defaults() -> None:
    by_name = fm.Mixture("m", parts=[fm.Part("*")], max_rows=3, temperature=2)
    assert by_name == fm.Mixture("m", parts=[fm.Part("*")], defaults=fm.Limits(max_rows=3, temperature=2))
    assert by_name.plan(registry(task()), epochs=1).rows == 3


def test_a_plan_may_take_another_budget_and_seed_than_the_mixture(plan: fm.Plan) -> None:
    mix = fm.Mixture("mini", parts=[fm.Part("*")], rows=10, seed=1)
    assert mix.plan(registry(task()), rows=50, seed=7).digest == plan.digest
    assert mix.plan(registry(task()), epochs=2).rows == 40
    assert mix.plan(registry(task())).rows == 10
    assert mix.rows == 10


# ---- plans


def test_any_row_of_a_plan_is_the_row_that_is_built(plan: fm.Plan, tmp_path: Path) -> None:
    plan.build(tmp_path / "out", quiet=True, separator="")
    built = datasets.load_dataset("parquet", data_dir=str(tmp_path / "out"), split="train", cache_dir=str(tmp_path))
    for position in (0, 17, 49):
        example, row = plan[position], built[position]
        assert (example.input, example.target) == (row["prompt"], row["completion"])
        assert (example.task, example.template, example.type) == (row["fm_task"], row["fm_template"], row["fm_type"])
        assert (example.row, example.epoch) == (row["fm_row"], row["fm_epoch"])
        assert example.position == position


def test_positions_count_from_both_ends(plan: fm.Plan) -> None:
    assert plan[-1] == plan[49] == plan[np.int64(49)]
    assert plan[-50] == plan[0]
    assert [example.position for example in plan] == list(range(50))
    for position in (50, -51):
        with pytest.raises(IndexError, match="of a mixture of 50 rows"):
            plan[position]
    with pytest.raises(TypeError):
        plan[1:3]  # type: ignore[index]


def test_a_plan_tells_its_counts(plan: fm.Plan) -> None:
    assert plan.counts == {"toy/sums": 50}
    (record,) = plan.records()
    assert (record["rows"], record["epochs"], record["usable"]) == (50, 2.5, 20)
    assert len(plan.table().rows) == 2
    assert len(plan.digest) == 64


def test_equal_values_give_equal_plans_and_other_values_do_not(plan: fm.Plan) -> None:
    mix = fm.Mixture("mini", parts=[fm.Part("*")])
    assert mix.plan(registry(task()), rows=50, seed=7).digest == plan.digest
    others = [
        mix.plan(registry(task()), rows=51, seed=7),
        mix.plan(registry(task()), rows=50, seed=8),
        mix.plan(registry(task(templates=[ASK])), rows=50, seed=7),
        mix.plan(registry(task(name="toy/other")), rows=50, seed=7),
    ]
    assert len({other.digest for other in others} | {plan.digest}) == 5


def test_a_build_is_left_alone_unless_it_is_to_be_replaced(plan: fm.Plan, tmp_path: Path) -> None:
    plan.build(str(tmp_path), quiet=True)
    smaller = fm.Mixture("mini", parts=[fm.Part("*")]).plan(registry(task()), rows=5)
    (told,) = problems(lambda: smaller.build(tmp_path, quiet=True), fm.BuildError)
    assert "holds another plan" in told
    assert fm.verify(tmp_path)["rows"] == 50
    assert smaller.build(tmp_path, quiet=True, replace=True).rows == 5


# ---- errors


def test_what_is_wrong_with_a_spec_is_told_at_once_and_in_words() -> None:
    assert problems(lambda: fm.Task("toy/sums", typ="nli", source=[]), fm.SpecError) == [
        "task toy/sums: type: is missing",
        "task toy/sums: typ: unknown key 'typ' - did you mean 'type'?",
    ]
    parts = [{"select": "*", "wieght": 2}, fm.Part("toy/*")]
    assert problems(lambda: fm.Mixture("m", parts=parts, rows=1e6, max_epoch=3), fm.SpecError) == [
        "mixture m: rows: should be a whole number, not 1000000.0 - write 1000000",
        "mixture m: parts[0].wieght: unknown key 'wieght' - did you mean 'weight'?",
        "mixture m: max_epoch: unknown key 'max_epoch' - did you mean 'epochs'?",
    ]


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (lambda: fm.Part("x", weight=0), fm.SpecError, "part x: weight: should be more than 0, not 0"),
        (lambda: fm.Part(), fm.SpecError, "part: a part needs one of 'select', 'mixture', 'parts'"),
        (lambda: fm.Limits(min_share=2), fm.SpecError, "limits: min_share: should be 1 or less, not 2"),
        (lambda: task("../evil"), fm.SpecError, "task ../evil: task: '../evil' is not a name: "),
        (lambda: task(source="rows.csv"), fm.SpecError, "- for a file write {files: rows.csv}"),
        (lambda: registry(task(), task()), fm.SpecError, "the task 'toy/sums' is there already - rename one"),
        (lambda: registry(task(type="aritmetic")), fm.SpecError, "did you mean 'arithmetic'?"),
        (
            lambda: registry({"task": "toy/sums"}),
            fm.UsageError,
            "a registry holds tasks, families and mixtures, not dict",
        ),
        (lambda: fm.load_registry("no/such/folder"), fm.SpecError, "no/such/folder: does not exist - name a folder"),
        (lambda: registry(task())["toy/sum"], fm.UsageError, "no task is called 'toy/sum' - did you mean 'toy/sums'?"),
        (lambda: registry(task()).mixture("m"), fm.UsageError, "no mixture is called 'm' - there are none"),
        (lambda: registry(task()).select("kind:x"), fm.UsageError, "'kind:x' starts with 'kind:'"),
        (lambda: registry(task())["toy/sums"].preview(templates=["as"]), fm.UsageError, "toy/sums"),
        (
            lambda: fm.Mixture("m", parts=[fm.Part("*")], max_rows=3, defaults=fm.Limits()),
            fm.UsageError,
            "max_rows is given by name, and 'defaults' too - choose one place",
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_is_made(make: Callable[[], Any], kind: Any, told: str) -> None:
    (line,) = problems(make, kind)
    assert told in line


@pytest.mark.parametrize(
    ("choices", "kind", "told"),
    [
        ({}, fm.PlanError, "mixture m: the mixture has no budget - write 'rows: 10_000'"),
        ({"rows": 3, "epochs": 1}, fm.UsageError, "a mixture takes one of rows, tokens, epochs - leave the others out"),
        ({"rows": 0}, fm.UsageError, "mixture m: rows: should be 1 or more, not 0"),
        ({"rows": 2.5}, fm.UsageError, "mixture m: rows: should be a whole number, not 2.5"),
        ({"epochs": float("nan")}, fm.UsageError, "mixture m: epochs: should be a finite number, not nan"),
        ({"rows": 3, "seed": -1}, fm.UsageError, "mixture m: seed: should be 0 or more, not -1"),
        ({"rows": 3, "split": "test"}, fm.SourceError, "task toy/sums: source: rows in memory have no split 'test'"),
    ],
)
def test_what_cannot_be_planned_is_refused(choices: dict[str, Any], kind: Any, told: str) -> None:
    (line,) = problems(lambda: fm.Mixture("m", parts=[fm.Part("*")]).plan(registry(task()), **choices), kind)
    assert line.startswith(told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_proc": 0}, "0 processes - give at least 1"),
        ({"layout": "message"}, "no layout is called 'message' - there are "),
        ({"format": "csv"}, "no format is called 'csv' - there are parquet and arrow"),
        ({"shard_rows": 0}, "shards of 0 rows - give at least 1"),
        ({"max_shard_size": "big"}, "'big' is no size - write it like 500MB, 2GiB or a number of bytes"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is_written(
    plan: fm.Plan, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    (line,) = problems(lambda: plan.build(tmp_path / "out", **options), fm.UsageError)
    assert line.startswith(told)
    assert not (tmp_path / "out").exists()


def test_what_a_users_own_generator_does_wrong_is_told_as_it_is() -> None:
    def broken(draw: fm.Draw) -> dict[str, str]:
        return {"question": ["a"][draw.integer(5, 6)], "answer": ""}

    source = fm.GeneratorSource(generator=broken, rows=3)
    with pytest.raises(IndexError):
        fm.Mixture("m", parts=[fm.Part("*")], rows=3).plan(registry(task(source=source)))


def test_every_error_is_a_flanmix_error() -> None:
    kinds = (fm.BuildError, fm.PlanError, fm.SourceError, fm.SpecError, fm.TemplateError, fm.UsageError)
    assert all(issubclass(kind, fm.FlanmixError) for kind in kinds)


# ---- what is shown of each thing


def test_everything_public_says_what_it_is(plan: fm.Plan, tmp_path: Path) -> None:
    tasks = registry(task(), fm.Mixture("m", parts=[fm.Part("*")], rows=4))
    assert repr(tasks) == "<Registry of 1 task and 1 mixture>"
    assert repr(tasks["toy/sums"]) == "<Task toy/sums: arithmetic, 2 templates>"
    assert repr(tasks.mixture("m")) == "Mixture(name='m', rows=4, parts=(Part(select='*'),))"
    assert repr(plan) == f"<Plan of mini: 50 rows of 1 task, {plan.digest[:12]}>"
    assert repr(plan.build(tmp_path, quiet=True)) == f"Built(folder={tmp_path!r})"
    assert repr(plan[3]).startswith("Example(position=3, task='toy/sums', type='arithmetic', template='")
    assert repr(fm.Part("type:nli", weight=2)) == "Part(select='type:nli', weight=2.0)"
    assert repr(ASK).startswith("Template(name='ask', input='What is {{ question }}?'")
    assert repr(fm.Limits()) == "Limits()"


def test_a_task_does_not_print_its_rows() -> None:
    shown = repr(fm.Task("toy/sums", type="arithmetic", source=ROWS))
    assert shown == "Task(name='toy/sums', type='arithmetic', source=TableSource())"
    assert len(repr(registry(task(source=ROWS * 1000)))) < 100


def test_the_public_names_are_there_and_no_others() -> None:
    assert {name for name in fm.__all__ if not hasattr(fm, name)} == set()
    assert dir(fm) == sorted(fm.__all__)
    with pytest.raises(AttributeError, match="module 'flanmix' has no attribute 'Mixtures'"):
        fm.Mixtures  # type: ignore[attr-defined]  # noqa: B018


# ---- nothing changes under one's feet

SPECS = [
    fm.Mixture("m", parts=[fm.Part("*")]),
    fm.Part("*"),
    fm.Limits(),
    task(),
    ASK,
    fm.Family("riddles", fields=["a"], templates=[ASK]),
    fm.FileSource(files="x"),
    fm.HubSource(path="x"),
    fm.GeneratorSource(generator="dates/weekday", rows=3),
    fm.TableSource(table=ROWS),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_specs_are_frozen(spec: Any) -> None:
    for name in type(spec).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(spec, name, None)
        with pytest.raises(ValidationError, match="frozen"):
            delattr(spec, name)
    with pytest.raises(ValidationError, match="frozen"):
        spec.something = 1


def test_the_lists_of_specs_are_tuples() -> None:
    mix = fm.Mixture("m", parts=[fm.Part("*")])
    assert isinstance(mix.parts, tuple)
    assert isinstance(task(tags=["a"]).tags, tuple)
    assert isinstance(fm.Family("f", fields=["a"], templates=[ASK]).templates, tuple)


def test_a_registry_cannot_be_written_to() -> None:
    tasks = registry(task())
    for catalogue in (tasks, tasks.tasks, tasks.families, tasks.mixtures):
        with pytest.raises(TypeError):
            operator.setitem(catalogue, "toy/more", task("toy/more"))
        with pytest.raises(TypeError):
            operator.delitem(catalogue, "toy/sums")
    with pytest.raises(AttributeError):
        tasks["toy/sums"].task = task("toy/more")


def test_plans_examples_and_builds_cannot_be_written_to(plan: fm.Plan, tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        plan.rows = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        plan[0].input = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        plan.build(tmp_path, quiet=True).folder = tmp_path  # type: ignore[misc]


def test_specs_travel() -> None:
    for spec in SPECS:
        assert pickle.loads(pickle.dumps(spec)) == spec


# ---- mixtures made of others


def test_leave_one_out_works_where_each_type_is_a_part_of_its_own() -> None:
    tasks = registry(task("a"), task("b", type="nli"), task("c", type="nli"))
    parts = [fm.Part("type:arithmetic"), fm.Part("type:nli", weight=3)]
    found = fm.Mixture("m", parts=parts, rows=40).leave_one_out(tasks)
    assert {name: mixture.plan(tasks).counts for name, mixture in found.items()} == {
        "arithmetic": {"b": 20, "c": 20},
        "nli": {"a": 40},
    }


def test_weights_stay_where_tasks_are_taken_out() -> None:
    tasks = registry(task("a"), task("b"), task("c"))
    mixture = fm.Mixture("m", parts=[fm.Part("*")], rows=40).weighted({"a": 1, "b": 3, "c": 9})
    assert mixture.without("c").plan(tasks).counts == {"a": 10, "b": 30}
