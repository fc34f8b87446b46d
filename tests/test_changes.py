"""What a plan would change in a build, beside the rows of the two plans themselves."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flanmix as fm
from flanmix import manifest
from flanmix.build import Options, make_job
from flanmix.changes import Change, changes
from flanmix.errors import BuildError
from flanmix.examples import Examples
from flanmix.planner import Planned, plan_mixture
from flanmix.spec import Limits, Mixture, Part

ASK = fm.Template("ask", input="{{ q }}", target="{{ a }}")
TELL = fm.Template("tell", input="Tell: {{ q }}", target="{{ a }}")
WHY = fm.Template("why", input="Why: {{ q }}", target="{{ a }}", tags=["cot"])


def task(name: str, rows: int, *templates: fm.Template) -> fm.Task:
    table = [{"q": f"{name} {row}?", "a": f"{row}"} for row in range(rows)]
    return fm.Task(name, type="arithmetic", source=table, templates=templates or (ASK, TELL))


def planned(tasks: list[fm.Task], rows: int, **mixture: Any) -> Planned:
    catalogue = fm.load_registry(specs=tasks, bundled=False, plugins=False)
    return plan_mixture(Mixture("m", parts=[Part("*")], rows=rows, **mixture), catalogue)


def manifest_of(made: Planned) -> dict[str, Any]:
    """The manifest of a build of this plan, without the build."""
    return manifest.make(make_job(made.plan, made.files, Options(shard_rows=1_000)), [])


def change(before: Planned, after: Planned) -> dict[str, Change]:
    return {found.task: found for found in changes(after.plan, manifest_of(before))}


Draws = dict[str, list[tuple[int, int, str, str]]]


def rows_of(made: Planned) -> Draws:
    """Epoch, source row, input and target of each draw of each task."""
    found: Draws = {task.name: [] for task in made.plan.tasks}
    for row in Examples(made.plan, made.files).slice(0, made.plan.rows).table.to_pylist():
        found[row["fm_task"]].append((row["fm_epoch"], row["fm_row"], row["input"], row["target"]))
    return found


def compared(before: Draws, after: Draws, name: str) -> tuple[int, int]:
    """How many draws of a task give the same row in both, and how many of them in the same words."""
    pairs = list(zip(before.get(name, []), after.get(name, []), strict=False))
    return sum(one[:2] == other[:2] for one, other in pairs), sum(one == other for one, other in pairs)


# By hand


def test_a_plan_that_is_built_changes_nothing() -> None:
    made = planned([task("a", 40), task("b", 9)], 200)
    for found in change(made, made).values():
        assert (found.what, found.before, found.kept) == ("same", found.after, found.after)
        assert (found.reworded, found.new, found.gone) == (0, 0, 0)


def test_a_larger_budget_keeps_the_rows_that_are_there() -> None:
    tasks = [task("a", 40), task("b", 10)]
    assert change(planned(tasks, 50), planned(tasks, 75)) == {
        "a": Change("a", "changed", 40, 60, 0.8, 0.8, kept=40, reworded=0, new=20, gone=0),
        "b": Change("b", "changed", 10, 15, 0.2, 0.2, kept=10, reworded=0, new=5, gone=0),
    }
    assert change(planned(tasks, 75), planned(tasks, 50)) == {
        "a": Change("a", "changed", 60, 40, 0.8, 0.8, kept=40, reworded=0, new=0, gone=20),
        "b": Change("b", "changed", 15, 10, 0.2, 0.2, kept=10, reworded=0, new=0, gone=5),
    }


def test_a_task_added_and_one_removed() -> None:
    found = change(planned([task("a", 40), task("b", 10)], 50), planned([task("a", 40), task("c", 10)], 50))
    assert found == {
        "a": Change("a", "same", 40, 40, 0.8, 0.8, kept=40, reworded=0, new=0, gone=0),
        "b": Change("b", "removed", 10, 0, 0.2, 0.0, kept=0, reworded=0, new=0, gone=10),
        "c": Change("c", "added", 0, 10, 0.0, 0.2, kept=0, reworded=0, new=10, gone=0),
    }


def test_other_templates_reword_the_rows_and_other_rows_are_new() -> None:
    before = planned([task("a", 40), task("b", 10)], 50)
    assert change(before, planned([task("a", 40, ASK, WHY), task("b", 10)], 50)) == {
        "a": Change("a", "changed", 40, 40, 0.8, 0.8, kept=0, reworded=40, new=0, gone=0),
        "b": Change("b", "same", 10, 10, 0.2, 0.2, kept=10, reworded=0, new=0, gone=0),
    }
    found = change(before, planned([task("a", 41), task("b", 10)], 51))["a"]
    assert (found.kept, found.reworded, found.new, found.gone) == (0, 0, 41, 40)


@pytest.mark.parametrize("mixture", [{"seed": 1}])
def test_another_seed_changes_every_row(mixture: dict[str, Any]) -> None:
    tasks = [task("a", 40)]
    found = change(planned(tasks, 50), planned(tasks, 50, **mixture))["a"]
    assert (found.what, found.kept, found.new, found.gone) == ("changed", 0, 50, 50)


def test_another_order_changes_no_row() -> None:
    tasks = [task("a", 40), task("b", 10)]
    found = change(planned(tasks, 50), planned(tasks, 50, order="even"))
    assert {each.what for each in found.values()} == {"same"}


def test_a_build_with_stages_is_not_compared_with_a_plan_without() -> None:
    stages = {"schema_version": 1, "mixture": "two", "stages": {"broad": {}, "focused": {}}}
    with pytest.raises(BuildError, match="name the folder of one of them: broad, focused"):
        changes(planned([task("a", 4)], 4).plan, stages)


def test_the_manifest_of_a_build_is_read_from_its_folder(tmp_path: Path) -> None:
    catalogue = fm.load_registry(specs=[task("a", 40)], bundled=False, plugins=False)
    mixture = fm.Mixture("m", parts=[fm.Part("*")])
    mixture.plan(catalogue, rows=30).build(tmp_path, quiet=True)
    (found,) = mixture.plan(catalogue, rows=50).changes(tmp_path)
    assert (found["what"], found["kept"], found["new"]) == ("changed", 30, 20)
    with pytest.raises(BuildError, match="is not there"):
        mixture.plan(catalogue, rows=50).changes(tmp_path / "nowhere")


# By comparison of all rows

SOME_TASKS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([7, 30]), st.sampled_from([(ASK, TELL), (ASK, TELL, WHY)])),
    min_size=1,
    max_size=3,
    unique_by=lambda found: found[0],
)
OPTIONS = st.fixed_dictionaries(
    {"rows": st.sampled_from([40, 90])},
    optional={
        "seed": st.just(3),
        "templates": st.just("even"),
        "styles": st.just({"cot": 0.5}),
        "order": st.just("even"),
        "defaults": st.sampled_from([Limits(max_rows=5), Limits(max_rows=20), Limits(rate="equal")]),
    },
)


@settings(max_examples=150)
@given(SOME_TASKS, OPTIONS, SOME_TASKS, OPTIONS)
def test_what_is_told_is_what_the_rows_say(
    tasks: list[Any], options: dict[str, Any], other_tasks: list[Any], other_options: dict[str, Any]
) -> None:
    """Kept rows are there before and after; where the wordings may differ, all are told as reworded."""
    before, after = (
        planned([task(name, rows, *templates) for name, rows, templates in some], **how)
        for some, how in ((tasks, options), (other_tasks, other_options))
    )
    old, new = rows_of(before), rows_of(after)
    found = change(before, after)
    assert list(found) == sorted({*old, *new})
    for name, told in found.items():
        assert (told.before, told.after) == (len(old.get(name, [])), len(new.get(name, [])))
        assert told.before == told.kept + told.reworded + told.gone
        assert told.after == told.kept + told.reworded + told.new
        assert told.share_before == pytest.approx(told.before / before.plan.rows)
        assert told.share_after == pytest.approx(told.after / after.plan.rows)
        same_row, same_words = compared(old, new, name)
        data = {task.data for made in (before, after) for task in made.plan.tasks if task.name == name}
        if before.plan.seed == after.plan.seed and len(data) == 1 and name in old and name in new:
            firsts = min(task.offered for made in (before, after) for task in made.plan.tasks if task.name == name)
            assert told.kept + told.reworded >= min(same_row, firsts)
        assert told.kept + told.reworded <= same_row
        assert told.kept <= same_words
        if told.kept:
            assert told.reworded == 0
        expected = "removed" if name not in new else "added" if name not in old else "same"
        if name in old and name in new and not told.kept == told.before == told.after:
            expected = "changed"
        assert told.what == expected
