"""Mixtures in stages: what each gives, what it replays, and the folder that holds them all."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import flanmix as fm
from flanmix.api import StagedPlan
from flanmix.errors import BuildError, PlanError, SpecError, UsageError
from flanmix.spec import Bounds, Limits, Mixture, Stage
from tests.toy import hashes

ASK = fm.Template("ask", input="{{ q }}", target="{{ a }}")


def task(name: str, rows: int, type: str = "arithmetic") -> fm.Task:
    table = [{"q": f"{name} {row}?", "a": f"{row}"} for row in range(rows)]
    return fm.Task(name, type=type, source=table, templates=[ASK])


TASKS = (task("a", 300), task("b", 90, "nli"), task("c", 11, "code"))
CATALOGUE = fm.load_registry(specs=TASKS, bundled=False, plugins=False)
BROAD = Stage("broad", parts=[fm.Part("a b")], rows=260)
FOCUSED = Stage("focused", parts=[fm.Part("c")], rows=33, replay={"broad": 0.1})


def staged(*stages: Stage, relax: bool = False, **mixture: Any) -> StagedPlan:
    made = fm.Mixture("two", stages=list(stages or (BROAD, FOCUSED)), **mixture)
    plan = made.plan(CATALOGUE, relax=relax)
    assert isinstance(plan, StagedPlan)
    return plan


def counts(plan: StagedPlan) -> dict[str, dict[str, int]]:
    return {name: stage.counts for name, stage in plan.stages.items()}


# What stages give


def test_each_stage_has_its_own_parts_and_budget_and_what_it_replays_comes_on_top() -> None:
    """Of 200 and 60 rows, a tenth is 20 and 6."""
    plan = staged()
    assert counts(plan) == {"broad": {"a": 200, "b": 60}, "focused": {"a": 20, "b": 6, "c": 33}}
    assert plan.counts == {"a": 220, "b": 66, "c": 33}
    assert (plan.rows, len(plan)) == (319, 319)


@pytest.mark.parametrize(
    ("share", "replayed"), [(0.29, (58, 17)), (0.0199, (3, 1)), (0.016, (3, 0)), (1.0, (200, 60)), (0.004, (0, 0))]
)
def test_replayed_rows_are_rounded_down_and_none_is_no_task(share: float, replayed: tuple[int, int]) -> None:
    found = counts(staged(BROAD, FOCUSED.model_copy(update={"replay": {"broad": share}})))["focused"]
    assert found == {**{name: rows for name, rows in zip("ab", replayed, strict=True) if rows}, "c": 33}


def test_a_stage_may_replay_several_and_also_what_they_replayed() -> None:
    last = Stage("last", parts=[fm.Part("a")], rows=50, replay={"broad": 0.05, "focused": 0.5})
    assert counts(staged(BROAD, FOCUSED, last))["last"] == {"a": 50 + 10 + 10, "b": 3 + 3, "c": 16}


def rows_of(plan: fm.Plan, name: str) -> list[tuple[int, int]]:
    return [(row.epoch, row.row) for row in plan if row.task == name]


@pytest.mark.parametrize("limits", [{}, {"max_rows": 15}])
def test_replayed_rows_are_rows_of_the_earlier_stage(limits: dict[str, int]) -> None:
    """Also where that had them in several epochs, and where it offered only some."""
    plan = staged(BROAD, FOCUSED.model_copy(update={"replay": {"broad": 0.4}}), defaults=Limits(**limits))
    for name in "ab":
        before, after = (Counter(row for _, row in rows_of(stage, name)) for stage in plan.stages.values())
        assert after
        assert after <= before


def test_shares_and_budgets_in_epochs_hold_stage_by_stage() -> None:
    once = Stage("once", parts=[fm.Part("a c")], epochs=1)
    plan = staged(BROAD, once, defaults=Limits(max_epochs=1))
    assert counts(plan) == {"broad": {"a": 200, "b": 60}, "once": {"a": 300, "c": 11}}
    capped = staged(types={"nli": Bounds(max_share=0.1)})
    assert counts(capped)["broad"] == {"a": 234, "b": 26}
    with pytest.raises(PlanError, match=r"no task of the mixture has the type 'nli'"):
        staged(BROAD, Stage("focused", parts=[fm.Part("c")], rows=5), types={"nli": Bounds(min_share=0.1)})


def test_weights_hold_in_the_stages_that_have_the_task() -> None:
    plan = staged(weights={"a": 1.0, "b": 3.0, "c": 1.0})
    assert counts(plan) == {"broad": {"a": 65, "b": 195}, "focused": {"a": 6, "b": 19, "c": 33}}


def test_what_is_replayed_does_not_change_the_weights() -> None:
    second = Stage("second", parts=[fm.Part("a b")], rows=100, replay={"broad": 0.1})
    plan = staged(BROAD, second, weights={"a": 1.0, "b": 1.0})
    assert counts(plan) == {"broad": {"a": 130, "b": 130}, "second": {"a": 63, "b": 63}}


def test_what_cannot_be_had_is_told_with_its_stage() -> None:
    short = Stage("short", parts=[fm.Part("c")], rows=40)
    with pytest.raises(PlanError, match=r"two/short' is to give 40 rows, and can give 22 at most"):
        staged(BROAD, short, defaults=Limits(max_epochs=2))
    assert counts(staged(BROAD, short, defaults=Limits(max_epochs=2), relax=True))["short"] == {"c": 22}
    with pytest.raises(PlanError, match="the stage has no budget"):
        staged(BROAD, Stage("open", parts=[fm.Part("c")]))


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([BROAD, BROAD], "two stages are called 'broad'"),
        ([FOCUSED], "replays 'broad', which is no earlier stage"),
        ([FOCUSED.model_copy(update={"replay": {"focused": 0.1}})], "replays 'focused', which is no earlier stage"),
        ([Stage("data", parts=[fm.Part("c")], rows=5)], "cannot be called 'data'"),
        ([Stage("README.md", parts=[fm.Part("c")], rows=5)], "cannot be called 'README.md'"),
    ],
)
def test_stages_that_make_no_sense_are_refused(stages: list[Stage], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Mixture("two", stages=stages)


def test_a_mixture_with_stages_takes_no_budget_of_its_own() -> None:
    with pytest.raises(UsageError, match="has a budget in each of them"):
        fm.Mixture("two", stages=[BROAD, FOCUSED]).plan(CATALOGUE, rows=10)


# Positions and words


def test_positions_go_on_from_one_stage_to_the_next() -> None:
    plan = staged()
    rows = list(plan)
    assert [row.position for row in rows] == list(range(319))
    inner = [row for stage in plan.stages.values() for row in stage]
    assert [(row.task, row.row, row.input) for row in rows] == [(row.task, row.row, row.input) for row in inner]
    assert (plan[-1], plan[260]) == (rows[-1], rows[260])
    for outside in (319, -320):
        with pytest.raises(IndexError):
            plan[outside]


def test_facts_records_table_and_why_tell_of_every_stage() -> None:
    plan = staged()
    assert [(record["stage"], record["task"], record["rows"]) for record in plan.records()] == [
        (stage, name, rows) for stage, found in counts(plan).items() for name, rows in found.items()
    ]
    facts = plan.facts()
    assert (facts["rows"], facts["tasks"], facts["plan"]) == (319, plan.records(), plan.digest)
    assert {stage: found["rows"] for stage, found in facts["stages"].items()} == {"broad": 260, "focused": 59}
    assert [row[:2] for row in plan.table().rows if row[1] != "all"] == [
        (stage, name) for stage, found in counts(plan).items() for name in found
    ]
    assert plan.why("a").startswith("Stage broad:\na gives 200 rows of 260")
    assert "Stage focused:\na gives 20 rows of 59" in plan.why("a")
    with pytest.raises(UsageError, match="no stage has the task 'd'"):
        plan.why("d")
    names, probabilities = plan.interleave_probabilities()
    assert names == ["a", "b", "c"]
    assert sum(probabilities) == pytest.approx(1)
    assert plan.weights() == pytest.approx({"a": 220 / 319, "b": 66 / 319, "c": 33 / 319})


# The folder


def test_each_stage_is_a_config_of_its_own(tmp_path: Path) -> None:
    plan = staged()
    built = plan.build(tmp_path / "out", quiet=True, shard_rows=100)
    assert (built.rows, list(built.manifest["stages"])) == (319, ["broad", "focused"])
    assert datasets.get_dataset_config_names(str(tmp_path / "out")) == ["broad", "focused"]
    for name, stage in plan.stages.items():
        found = datasets.load_dataset(str(tmp_path / "out"), name, split="train")
        assert found["prompt"] == [row.input + "\n" for row in stage]
        assert dict(Counter(found["fm_task"])) == stage.counts


def test_verify_looks_into_every_stage(tmp_path: Path) -> None:
    built = staged().build(tmp_path / "out", quiet=True)
    assert built.verify()["rows"] == 319
    for name in ("broad", "focused"):
        (file,) = (tmp_path / "out" / name / "data").iterdir()
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    with pytest.raises(BuildError) as caught:
        built.verify()
    assert [str(Path(str(problem.file)).parts[-3]) for problem in caught.value.problems] == ["broad", "focused"]


def test_verify_sees_a_stage_of_another_build(tmp_path: Path) -> None:
    built = staged().build(tmp_path / "out", quiet=True)
    staged(seed=5).stages["focused"].build(tmp_path / "out" / "focused", quiet=True, replace=True)
    with pytest.raises(BuildError, match="focused: is another build"):
        built.verify()


def test_a_build_goes_on_after_the_stages_that_are_finished(tmp_path: Path) -> None:
    plan = staged()
    plan.build(tmp_path / "whole", quiet=True)
    plan.stages["broad"].build(tmp_path / "out" / "broad", quiet=True)
    (shard,) = (tmp_path / "out" / "broad" / "data").iterdir()
    before = shard.stat()
    plan.build(tmp_path / "out", quiet=True)
    assert (shard.stat().st_ino, shard.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")
    plan.build(tmp_path / "out", quiet=True)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_a_folder_with_anything_else_in_it_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "thesis.txt").write_text("years")
    others: dict[str, Callable[[Path], object]] = {
        "another plan": lambda out: staged(seed=5).build(out, quiet=True),
        "other stages": lambda out: staged(BROAD, Stage("last", parts=[fm.Part("c")], rows=9)).build(out, quiet=True),
        "no stages": lambda out: staged().stages["broad"].build(out, quiet=True),
        "one stage of another plan": lambda out: staged(seed=5).stages["focused"].build(out / "focused", quiet=True),
        "a file": lambda out: shutil.copytree(thesis, out),
    }
    for name, make in others.items():
        out = tmp_path / name
        make(out)
        before = hashes(out)
        with pytest.raises(BuildError, match=r"holds (another plan|other files)"):
            staged().build(out, quiet=True)
        left = hashes(out)
        assert before.items() <= left.items(), name
        assert not (left.keys() - before.keys()) or name == "one stage of another plan"


def test_replace_takes_the_place_of_other_stages_and_of_a_build_without(tmp_path: Path) -> None:
    plan = staged()
    plan.build(tmp_path / "whole", quiet=True)
    staged(BROAD, Stage("last", parts=[fm.Part("c")], rows=9)).build(tmp_path / "stages", quiet=True)
    plan.stages["broad"].build(tmp_path / "none", quiet=True)
    for name in ("stages", "none"):
        plan.build(tmp_path / name, quiet=True, replace=True)
        assert hashes(tmp_path / name) == hashes(tmp_path / "whole")
    (tmp_path / "none" / "broad" / "thesis.txt").write_text("years")
    with pytest.raises(BuildError, match=r"holds files that flanmix did not write \(thesis.txt\)"):
        staged(seed=5).build(tmp_path / "none", quiet=True, replace=True)
    assert (tmp_path / "none" / "broad" / "thesis.txt").read_text() == "years"


# What would change


def test_against_tells_of_every_stage(tmp_path: Path) -> None:
    staged().build(tmp_path, quiet=True)
    assert {change["what"] for change in staged().changes(tmp_path)} == {"same"}
    later = staged(BROAD, FOCUSED.model_copy(update={"rows": 40}))
    found = {(change["stage"], change["task"]): change for change in later.changes(tmp_path)}
    assert list(found) == [("broad", "a"), ("broad", "b"), ("focused", "a"), ("focused", "b"), ("focused", "c")]
    changed = found["focused", "c"]
    assert (changed["what"], changed["before"], changed["after"], changed["kept"], changed["new"]) == (
        "changed",
        33,
        40,
        33,
        7,
    )
    text = str(later.against(tmp_path))
    assert "focused" in text
    assert "changed" in text


def test_against_a_folder_without_the_stages_says_so(tmp_path: Path) -> None:
    plan = staged()
    plan.stages["broad"].build(tmp_path / "plain", quiet=True)
    with pytest.raises(BuildError, match=r"broad/manifest.json: is not there"):
        plan.changes(tmp_path / "plain")
    plan.build(tmp_path / "stages", quiet=True)
    with pytest.raises(BuildError, match=r"has stages, and the mixture 'two/broad' has none"):
        plan.stages["broad"].changes(tmp_path / "stages")


def test_a_stage_replays_what_a_nested_mixture_told_the_sizes_of() -> None:
    inner = Mixture("inner", sizes={"far": 100, "styled": {"zs": 40, "fs": 60}})
    stages = [
        Stage("one", parts=[fm.Part(mixture="inner")], rows=50),
        Stage("two", parts=[fm.Part(mixture="inner")], rows=10, replay={"one": 0.5}),
    ]
    registry = fm.load_registry(specs=[inner], bundled=False, plugins=False)
    plan = fm.Mixture("m", stages=stages).plan(registry)
    assert isinstance(plan, StagedPlan)
    assert plan.stages["one"].counts == {"far": 25, "styled": 25}
    assert plan.rows == 50 + 10 + 24
