"""From a mixture and a registry to a plan; the same against a naive mixer; the golden plan."""

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from flanmix.allot import Allotments, Sizes, allot
from flanmix.errors import PlanError, SourceError, TemplateError
from flanmix.examples import Examples
from flanmix.plan import FORMAT, Plan, PlannedTask, PlannedTemplate
from flanmix.planner import Planned, plan_mixture, plan_stages, resolved
from flanmix.recipe import Recipe
from flanmix.registry import Registry, load_registry
from flanmix.report import plan_records, plan_table
from flanmix.spec import FileSource, Limits, Mixture, Part, Stage, Task, Template

GOLDEN = Path(__file__).parent / "golden" / "plan.json"
ASK = Template("ask", input="{{ q }}", target="{{ a }}")
TELL = Template("tell", input="Tell: {{ q }}", target="{{ a }}", tags=["options"])
TURN = Template("turn", input="{{ a }}", target="{{ q }}", when="{{ a != 'a1' }}", tags=["inverted"])


def task(name: str, rows: Any, *templates: Template, **others: Any) -> Task:
    if isinstance(rows, int):
        rows = [{"q": f"q{index}", "a": f"a{index % 3}"} for index in range(rows)]
    return Task(name, type=others.pop("type", "arithmetic"), source=rows, templates=templates or (ASK,), **others)


def registry(*specs: Task | Mixture) -> Registry:
    return load_registry(specs=specs, bundled=False, plugins=False)


# A naive mixer: water levels by sorting, and a mixture as the sorted list of all its draws


class UnsolvableError(Exception):
    pass


class CrossedError(Exception):
    pass


@dataclass
class Basin:
    """A task, a part or a mixture, and what lies inside it."""

    name: str
    weight: Fraction
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(10**9)
    inside: list["Basin"] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.inside:
            self.low = max(self.low, sum((basin.low for basin in self.inside), Fraction(0)))
            self.high = min(self.high, sum((basin.high for basin in self.inside), Fraction(0)))
        if self.low > self.high:
            raise UnsolvableError(self.name)

    def at(self, level: Fraction) -> Fraction:
        return min(max(level * self.weight, self.low), self.high)

    def fill(self, amount: Fraction, count: int) -> Counter[str]:
        """The integers of the tasks inside, where the exact `amount` is the integer `count`."""
        if not self.low <= amount <= self.high:
            raise UnsolvableError(self.name)
        if not self.inside:
            return Counter({self.name: count})
        below = above = Fraction(0)
        for above in sorted(limit / one.weight for one in self.inside if one.weight for limit in (one.low, one.high)):
            if sum(one.at(above) for one in self.inside) >= amount:
                break
            below = above
        floor, ceiling = (sum(one.at(level) for one in self.inside) for level in (below, above))
        level = below + (above - below) * (amount - floor) / (ceiling - floor) if ceiling > floor else below
        exact = [one.at(level) for one in self.inside]
        ranked = sorted(range(len(exact)), key=lambda i: (int(exact[i]) - exact[i], self.inside[i].name, i))
        lucky = ranked[: count - sum(map(int, exact))]
        return sum((one.fill(exact[i], int(exact[i]) + (i in lucky)) for i, one in enumerate(self.inside)), Counter())


def naive_parts(
    parts: list[dict[str, Any]], limits: dict[str, Any], offered: Mapping[str, int], total: int, often: set[str]
) -> list[Basin]:
    """The parts of a recipe as basins; a floor of a task that stands there `often` is of none of them alone."""

    def share(number: float) -> Fraction:
        return Fraction(-(-Fraction(str(number)) * total // 1))

    found = []
    for part in parts:
        here = limits | {key: part[key] for key in part.keys() & {"rate_cap"}}
        names, fixed, inside = sorted(naive_names(part)), part.get("rows"), []
        if "epochs" in part:
            fixed = max(1, round(Fraction(str(part["epochs"])) * sum(offered[name] for name in names)))
        for name in names if "tasks" in part else ():
            weight = Fraction(min(offered[name], here.get("rate_cap", 10**9)))
            low, high = share(here.get("min_share", 0)), Fraction(int(here.get("max_epochs", 10**6) * offered[name]))
            low = Fraction(0) if name in often else low
            if "epochs" in part:
                pinned = Fraction(fixed * offered[name], sum(offered[other] for other in names))
                weight, low, high = Fraction(0), max(low, pinned), min(high, pinned)
            inside.append(Basin(name, weight, low, high))
        inside += naive_parts(part.get("parts", []), here, offered, total, often)
        low, high, weight = share(part.get("min_share", 0)), 10**9, Fraction(str(part.get("weight", 1)))
        if fixed is not None:
            low, high, weight = max(low, fixed), fixed, Fraction(0)
        found.append(Basin(part["name"], weight, Fraction(low), Fraction(high), inside))
    return found


def naive_names(part: dict[str, Any]) -> set[str]:
    return set(part.get("tasks", ())).union(*(naive_names(inner) for inner in part.get("parts", ())))


def naive_counts(recipe: dict[str, Any], offered: Mapping[str, int]) -> dict[str, int]:
    """The integers of every task; raises `UnsolvableError`, or `CrossedError` if a task in two places is off limits."""
    total, limits = recipe["rows"], recipe["defaults"]
    paths = Counter(name for part in recipe["parts"] for name in naive_paths(part))
    often = {name for name, count in paths.items() if count > 1}
    basins = naive_parts(recipe["parts"], limits, offered, total, often)
    found = Basin("", Fraction(1), inside=basins).fill(Fraction(total), total)
    bounds = naive_bounds(limits, offered, total)
    if any(not bounds[name][0] <= found[name] <= bounds[name][1] for name in often):
        raise CrossedError
    return {name: found[name] for name in paths}


def naive_bounds(limits: dict[str, Any], offered: Mapping[str, int], total: int) -> dict[str, tuple[Fraction, int]]:
    """The floor and the ceiling of each task."""
    low = Fraction(str(limits.get("min_share", 0))) * total
    return {name: (low, int(limits.get("max_epochs", 10**6) * size)) for name, size in offered.items()}


def naive_paths(part: dict[str, Any]) -> list[str]:
    return [*part.get("tasks", ()), *(name for inner in part.get("parts", ()) for name in naive_paths(inner))]


def naive_key(*parts: str | int) -> int:
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def naive_word(key: int, counter: int) -> int:
    word = (key + (counter + 1) * 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)


def naive_shuffle(size: int, *key: str | int) -> list[int]:
    return sorted(range(size), key=lambda index: naive_word(naive_key(*key), index))


def naive_mixture(
    counts: Mapping[str, int], offered: Mapping[str, int], usable: Mapping[str, int], seed: int
) -> list[Any]:
    """(task, draw, epoch, row) at every position: all draws sorted by time."""
    timed = []
    for name, rows in sorted(counts.items()):
        sample = naive_shuffle(usable[name], seed, name, "rows")
        for draw in range(rows):
            epoch, place = divmod(draw, offered[name])
            if epoch:
                place = naive_shuffle(offered[name], seed, name, "epoch", epoch)[place]
            chance = Fraction(naive_word(naive_key(seed, name, "time"), draw) >> 32, 2**32)
            timed.append(((draw + chance) / rows, name, draw, epoch, sample[place]))
    return [place[1:] for place in sorted(timed)]


def random_recipe(choice: random.Random) -> tuple[dict[str, Any], dict[str, int]]:
    """A small mixture, most often one that can be had, and the sizes of its tasks."""
    usable = {f"t{index}": choice.randint(1, 40) for index in range(choice.randint(1, 6))}
    some = {"max_rows": lambda: choice.randint(1, 40), "max_epochs": lambda: choice.choice([2, 2.5, 4, 8])}
    some |= {"min_share": lambda: choice.choice([0.001, 0.03, 0.07]), "rate_cap": lambda: choice.randint(1, 30)}
    defaults = {key: make() for key, make in some.items() if choice.random() < 0.25}

    def part(name: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {"name": name}
        if depth and choice.random() < 0.3:
            found["parts"] = [part(f"{name}.{index}", depth - 1) for index in range(choice.randint(1, 2))]
        else:
            found["tasks"] = sorted(choice.sample(sorted(usable), choice.randint(1, len(usable))))
            found["name"] = " ".join(found["tasks"])
        sizes = {"weight": lambda: choice.choice([0.1, 0.29, 1, 2, 3]), "rows": lambda: choice.randint(1, 15)}
        sizes["epochs"] = lambda: choice.choice([0.5, 0.3, 1, 2])
        if choice.random() < 0.6:
            size = choice.choice(["weight", "weight", "rows", "epochs"])
            found[size] = sizes[size]()
        limits = {"min_share": lambda: choice.choice([0.05, 0.1, 0.25]), "rate_cap": lambda: choice.randint(1, 30)}
        return found | {key: make() for key, make in limits.items() if choice.random() < 0.2}

    parts = [part(f"part{index}", 2) for index in range(choice.randint(1, 3))]
    return {"rows": choice.choice([17, 60, 90, 120]), "defaults": defaults, "parts": parts}, usable


def as_specs(recipe: dict[str, Any], name: str = "m") -> list[Mixture]:
    """The recipe as flanmix reads it: the mixture, then those that it holds."""
    parts, others = [], []
    for part in recipe["parts"]:
        rest = {key: value for key, value in part.items() if key not in ("name", "tasks", "parts")}
        if "tasks" in part:
            parts.append(Part(" ".join(part["tasks"]), **rest))
        else:
            parts.append(Part(mixture=part["name"], **rest))
            others += as_specs({"parts": part["parts"]}, part["name"])
    defaults = Limits(**recipe.get("defaults", {}))
    return [Mixture(name, rows=recipe.get("rows"), parts=parts, defaults=defaults), *others]


def test_300_random_mixtures_are_those_of_a_naive_mixer() -> None:
    """Counts, refusals, and the task, draw, epoch and row at every position.

    Where a limit of a task in two places holds what the parts ask for, the naive mixer has no counts: the limits hold.
    """
    wording = (PlannedTemplate("ask", Template("ask", input="{{ q }}", target="{{ a }}"), "plain"),)
    refused, crossed = 0, []
    for seed in range(300):
        recipe, usable = random_recipe(random.Random(seed))
        offered = {name: min(size, recipe["defaults"].get("max_rows", size)) for name, size in usable.items()}
        mixture, *nested = as_specs(recipe)
        found = resolved(mixture, registry(*(task(name, 1) for name in usable), *nested))
        sizes = Sizes({offer: usable[offer.task] for offer in found.offers})
        try:
            counts = naive_counts(recipe, offered)
        except UnsolvableError:
            refused += 1
            with pytest.raises(PlanError):
                allot(found, sizes)
            continue
        except CrossedError:
            crossed.append(crossing(recipe, allotted_or_none(found, sizes), offered))
            continue
        allotted = allot(found, sizes).of
        assert {item.offer.task: item.rows for item in allotted} == counts, seed
        assert {item.offer.task: item.offered for item in allotted} == {name: offered[name] for name in counts}, seed
        tasks = tuple(
            PlannedTask(item.offer.task, "code", item.rows, item.offered, usable[item.offer.task], "", wording, ((0,),))
            for item in allotted
        )
        plan = Plan("m", seed, "train", tasks, {})
        numbers, draws = plan.order.slice(0, plan.rows)
        rows = {number: plan.indices(number, np.arange(item.rows)) for number, item in enumerate(tasks)}
        order = [
            (tasks[number].name, draw, rows[number][0][draw], rows[number][1][draw])
            for number, draw in zip(numbers.tolist(), draws.tolist(), strict=True)
        ]
        assert order == naive_mixture(counts, offered, usable, seed), seed
    assert 30 < refused < 120
    assert crossed.count(True) > 5


def allotted_or_none(found: Recipe, sizes: Sizes) -> Allotments | None:
    try:
        return allot(found, sizes)
    except PlanError:
        return None


def crossing(recipe: dict[str, Any], found: Allotments | None, offered: Mapping[str, int]) -> bool:
    """Whether there are counts; every limit of a task holds in them, and they are the budget."""
    if found is None:
        return False
    bounds = naive_bounds(recipe["defaults"], offered, recipe["rows"])
    for each in found.of:
        low, high = bounds[each.offer.task]
        assert low <= each.rows <= high
    assert sum(each.rows for each in found.of) == recipe["rows"]
    return True


# From mixture and registry to plan


def test_a_plan_holds_its_tasks_by_name_with_what_was_prepared() -> None:
    rows = [{"q": "one", "a": "1"}, {"q": "two", "a": None}, {"q": "three", "a": "3"}, {"q": "", "a": "4"}]
    planned = plan_mixture(
        Mixture("m", parts=[Part("*")], rows=12, seed=5, split="train", styles={"options": 0.5}),
        registry(task("b", 9, type="nli"), task("a", rows, ASK, TELL, drop="{{ q == '' }}")),
    )
    first, second = planned.plan.tasks
    assert (first.name, first.type, second.name, second.type) == ("a", "arithmetic", "b", "nli")
    assert (first.source_rows, first.usable, first.offered, first.rows) == (4, 2, 2, 2)
    assert first.dropped == {"drop rule": 1, "no value for 'a'": 1}
    assert [(item.id, item.style) for item in first.templates] == [("ask", "plain"), ("tell", "options")]
    assert first.guards == ((0, 1),)
    assert second.rows == 10
    assert (planned.plan.seed, planned.plan.styles) == (5, {"options": 0.5})
    assert [bound.task.name for bound in planned.tasks] == ["a", "b"]
    assert all(file.is_file() for file in planned.files)


def test_the_counts_follow_the_usable_rows_and_not_the_rows_of_the_source() -> None:
    half = task("a", 40, drop="{{ q | length == 2 }}")  # q0 … q9
    planned = plan_mixture(Mixture("m", parts=[Part("*")], epochs=1), registry(half, task("b", 20)))
    assert {item.name: item.rows for item in planned.plan.tasks} == {"a": 30, "b": 20}


def test_a_mixture_may_hold_another_of_the_registry() -> None:
    inner = Mixture("inner", parts=[Part("a", weight=3), Part("b")])
    outer = Mixture("m", rows=80, parts=[Part(mixture="inner"), Part("c")])
    planned = plan_mixture(outer, registry(task("a", 5), task("b", 5), task("c", 5), inner))
    assert [item.rows for item in planned.plan.tasks] == [30, 10, 40]


def test_progress_is_told_of_each_task_as_it_is_read() -> None:
    told: list[str] = []
    plan_mixture(Mixture("m", parts=[Part("a b")], rows=5), registry(*(task(n, 5) for n in "cba")), told.append)
    assert told == ["a", "b"]


def test_a_wording_says_where_it_was_written(tmp_path: Path) -> None:
    text = "task: toy\ntype: arithmetic\nsource: {files: rows.jsonl}\n"
    text += "templates:\n  add:\n    - name: ask\n      input: '{{ q }}'\n      target: '{{ a }}'\n"
    (tmp_path / "toy.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text('{"q": "1 + 1", "a": "2"}\n', encoding="utf-8")
    tasks = load_registry(tmp_path, bundled=False, plugins=False)
    (found,) = plan_mixture(Mixture("m", parts=[Part("toy")], rows=1), tasks).plan.tasks
    assert found.templates[0].where == f"{tmp_path / 'toy.yaml'}:6: templates.add[0]"


def test_every_task_whose_source_cannot_be_read_is_told_at_once() -> None:
    missing = [
        Task(name, type="code", source=FileSource(files=f"{name}.jsonl"), templates=[ASK]) for name in ("a", "c")
    ]
    with pytest.raises(SourceError) as caught:
        plan_mixture(
            Mixture("m", parts=[Part("*")], rows=5), registry(*missing, task("b", 5), task("d", 3, drop="{{ q }}"))
        )
    assert [problem.file for problem in caught.value.problems] == ["task a", "task c", "task d"]


def test_every_wording_that_does_not_compile_is_told_before_a_source_is_read() -> None:
    broken = [Template("x", input="{{ q", target="{{ a }}"), Template("y", input="{{ q }}", target="{% if a %}")]
    tasks = [
        task("a", 5, broken[0]),
        Task("b", type="code", source=FileSource(files="no.jsonl"), templates=[broken[1]]),
    ]
    with pytest.raises(TemplateError) as caught:
        plan_mixture(Mixture("m", parts=[Part("*")], rows=5), registry(*tasks))
    assert [(problem.file, problem.key) for problem in caught.value.problems] == [
        ("task a", "templates.add[0].input"),
        ("task b", "templates.add[0].target"),
    ]


def test_every_part_that_selects_nothing_is_told_before_a_source_is_read() -> None:
    with pytest.raises(PlanError) as caught:
        plan_mixture(Mixture("m", parts=[Part("x"), Part("a"), Part("type:y")], rows=5), registry(task("a", [])))
    assert [problem.key for problem in caught.value.problems] == ["parts[0].select", "parts[2].select"]


def test_max_rows_are_drawn_from_all_of_the_source() -> None:
    planned = plan_mixture(Mixture("m", parts=[Part("a", max_rows=50)], rows=100, seed=1), registry(task("a", 1_000)))
    rows = Examples(planned.plan, planned.files).slice(0, 100).table.column("fm_row").to_pylist()
    assert all(count == 2 for count in Counter(rows).values())
    assert len(set(rows)) == 50
    assert {number // 200 for number in rows} == set(range(5))


def test_the_same_specs_give_the_same_plan_and_another_word_in_the_data_another() -> None:
    def digest(word: str) -> str:
        rows = [{"q": "one", "a": "1"}, {"q": word, "a": "2"}]
        return plan_mixture(Mixture("m", parts=[Part("*")], rows=20), registry(task("a", rows))).plan.digest

    assert digest("two") == digest("two") != digest("zwei")


# Stages


def staged(*stages: Stage) -> tuple[Planned, ...]:
    tasks = [task("a", 30), task("b", 10), task("c", 20)]
    return plan_stages(Mixture("m", stages=stages, seed=3), registry(*tasks))


def test_each_stage_has_a_plan_of_its_own() -> None:
    broad, late = staged(Stage("broad", parts=[Part("*")], rows=60), Stage("late", parts=[Part("c")], epochs=2))
    assert (broad.stage, late.stage) == ("broad", "late")
    assert (broad.plan.name, late.plan.name) == ("m/broad", "m/late")
    assert [{item.name: item.rows for item in each.plan.tasks} for each in (broad, late)] == [
        {"a": 30, "b": 10, "c": 20},
        {"c": 40},
    ]
    assert [[bound.task.name for bound in each.tasks] for each in (broad, late)] == [["a", "b", "c"], ["c"]]


def test_a_stage_replays_a_fraction_of_each_task_of_earlier_ones_beside_its_budget() -> None:
    first, second = Stage("one", parts=[Part("a b")], rows=40), Stage("two", parts=[Part("b")], rows=7)
    *_, last = staged(first, second, Stage("three", parts=[Part("b c")], rows=30, replay={"one": 0.29, "two": 0.5}))
    assert {item.name: item.rows for item in last.plan.tasks} == {"a": 8, "b": 10 + 2 + 3, "c": 20}
    assert last.plan.rows == 30 + 8 + 2 + 3
    assert sum(item.share for item in last.plan.tasks) == pytest.approx(1)


def test_what_a_stage_replays_holds_what_that_one_replayed() -> None:
    one = Stage("one", parts=[Part("a")], rows=40)
    two = Stage("two", parts=[Part("b")], rows=10, replay={"one": 0.5})
    *_, last = staged(one, two, Stage("three", parts=[Part("c")], rows=5, replay={"two": 0.1}))
    assert {item.name: item.rows for item in last.plan.tasks} == {"a": 2, "b": 1, "c": 5}


def test_a_replay_of_less_than_one_row_brings_no_task() -> None:
    one = Stage("one", parts=[Part("a b")], rows=40)
    _, last = staged(one, Stage("two", parts=[Part("c")], rows=5, replay={"one": 0.05}))
    assert {item.name: item.rows for item in last.plan.tasks} == {"a": 1, "c": 5}


def test_a_stage_that_cannot_be_had_is_told_in_its_own_numbers() -> None:
    one, two = Stage("one", parts=[Part("a")], rows=40), Stage("two", parts=[Part("c", max_epochs=1)], rows=50)
    with pytest.raises(PlanError, match=r"two' is to give 50 rows, and can give 20 at most .* - ask for 20") as caught:
        staged(one, two.model_copy(update={"replay": {"one": 0.5}}))
    assert caught.value.problems[0].key == "stages[1]"
    with pytest.raises(PlanError, match="the stage has no budget"):
        staged(one, Stage("two", parts=[Part("c")]))


def test_sizes_alone_make_a_plan_that_reads_nothing() -> None:
    sizes = {"x": {"plain": 10, "cot": 30}, "a": 20}
    planned = plan_mixture(Mixture("m", rows=120, sizes=sizes), registry(task("a", [])))
    assert (planned.tasks, planned.files) == ((), ())
    assert [(item.name, item.type, item.rows, item.sized) for item in planned.plan.tasks] == [
        ("a", "arithmetic", 40, True),
        ("x", "", 80, True),
    ]
    assert [(style.name, style.rows) for style in planned.plan.tasks[1].styles] == [("cot", 60), ("plain", 20)]


# The plan as a report


def toy() -> Planned:
    rows = [{"q": f"q{index}", "a": f"a{index % 3}"} for index in range(7)]
    tasks = [task("few", rows, ASK, TELL, TURN), task("many", 900, ASK, TELL, type="nli"), task("rare/one", 2)]
    mixture = Mixture(
        "toy",
        parts=[Part("few many", weight=4), Part("rare/*")],
        defaults=Limits(max_rows=400, rate_cap=30, max_epochs=3),
        rows=150,
        seed=11,
        styles={"options": 0.3, "inverted": 0.2},
    )
    return plan_mixture(mixture, registry(*tasks))


def test_the_records_of_a_plan_say_what_was_asked_and_what_bound_it() -> None:
    records = {(record.pop("task"), record.pop("style")): record for record in plan_records(toy().plan)}
    of_task = {"type": "nli", "source_rows": 900, "usable": 900, "dropped": {}, "offered": 400, "bound": ""}
    of_task |= {"epochs": 123 / 400, "effective_epochs": 123 / 400}
    for style, rows in (("options", 37), ("plain", 86)):
        record = records["many", style]
        part = rows / 123
        shares = {"share_asked": pytest.approx(0.8 * 30 / 37 * part), "share": pytest.approx(0.82 * part)}
        assert record == {**of_task, **shares, "rows": rows}
    rare = records["rare/one", "plain"]
    assert (rare["rows"], rare["bound"], rare["epochs"]) == (6, "max_epochs", 3)
    assert sum(record["share"] for record in records.values()) == pytest.approx(1)
    assert sum(record["rows"] for record in records.values()) == 150


def printed(width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(plan_table(toy().plan))
    return captured.get().splitlines()


def test_the_table_of_a_plan_has_a_line_for_each_task_and_the_sum() -> None:
    lines = printed(160)
    assert lines[0].startswith("toy: 150 rows of 3 tasks, seed 11, plan ")
    (rare,) = [line for line in lines if "rare/one" in line]
    assert " ".join(rare.split()) == "rare/one arithmetic 2 2 20.00% 6 4.00% 3.00 2.88 plain 6 max_epochs"
    assert lines[-2].split()[:3] == ["all", "150", "100%"]


def test_a_narrow_terminal_folds_names_and_cuts_no_number() -> None:
    words = {word for line in printed(80) for word in line.split()}
    tasks = toy().plan.tasks
    assert {f"{task.rows:,}" for task in tasks} <= words
    assert {f"{task.share_asked:.2%}" for task in tasks} <= words
    assert {f"{task.share:.2%}" for task in tasks} <= words


# The golden plan


def golden() -> dict[str, Any]:
    """The counts of the toy mixture, its styles, and what stands at its first 20 positions."""
    planned = toy()
    table = Examples(planned.plan, planned.files).slice(0, 20).table
    columns = [table.column(name).to_pylist() for name in ("fm_task", "fm_row", "fm_epoch", "fm_template")]
    return {
        "format": FORMAT,
        "counts": {item.name: item.rows for item in planned.plan.tasks},
        "styles": {item.name: planned.plan.style_counts(index) for index, item in enumerate(planned.plan.tasks)},
        "positions": [list(place) for place in zip(*columns, strict=True)],
    }


def test_the_rows_of_an_equal_plan_never_change() -> None:
    """A change here is a change of everyone's mixtures: raise `flanmix.plan.FORMAT`, then write the file anew."""
    assert golden() == json.loads(GOLDEN.read_text(encoding="utf-8"))
