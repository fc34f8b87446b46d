"""Tasks that a mixture holds out: what is taken with them, what is refused, and where it is said."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flanmix as fm
from flanmix.errors import PlanError, UsageError
from flanmix.holding_out import HeldOut, held_out
from flanmix.holding_out.relations import load_relations
from flanmix.holding_out.sources import HeldSources
from flanmix.planner import resolved
from flanmix.recipe import Offer, Replayed
from flanmix.registry import Registry, load_registry
from flanmix.select import Subject, parse
from flanmix.spec import Bounds, Mixture, Part, Stage, Task, Template
from tests.cli.conftest import flanmix as flanmix  # the fixture

ASK = Template("ask", input="{{ q }}", target="{{ a }}")


def rows(word: str, number: int = 4) -> list[dict[str, str]]:
    return [{"q": f"{word} {n}?", "a": str(n)} for n in range(number)]


def task(name: str, kind: str, *tags: str, source: Any = None) -> Task:
    return Task(name, type=kind, tags=tags, source=rows(name) if source is None else source, templates=[ASK])


SHARED = rows("shared")
TASKS = (
    task("glue/rte", "nli", "english"),
    task("glue/mnli", "nli"),
    task("glue/mrpc", "paraphrase"),
    task("mrpc/write", "code", source=SHARED),
    task("paws", "paraphrase", source=SHARED),
    task("squad", "reading_comprehension"),
    task("cosmos", "reading_comprehension", "commonsense"),
    task("copa", "commonsense"),
    task("sst2", "sentiment"),
)


def registry(*specs: Task | Mixture) -> Registry:
    return load_registry(specs=specs or TASKS, bundled=False, plugins=False)


def reasons(*selectors: str, among: Registry | None = None) -> dict[str, str]:
    return {each.task: each.reason for each in held_out(among or registry(), selectors)}


# What is held out


def test_a_selector_takes_its_tasks_their_near_relations_and_what_shares_a_source_with_either() -> None:
    assert held_out(registry(), ["type:nli"]) == (
        HeldOut("glue/mnli", "type:nli", True),
        HeldOut("glue/mrpc", "near nli: paraphrase", False, load_relations().near_to["nli"]["paraphrase"]),
        HeldOut("glue/rte", "type:nli", True),
        HeldOut("mrpc/write", "shares its source with paws", False, "Both have the same rows in memory."),
        HeldOut("paws", "near nli: paraphrase", False, load_relations().near_to["nli"]["paraphrase"]),
    )


def test_a_task_that_is_held_out_by_name_takes_its_cluster_along() -> None:
    found = held_out(registry(), ["glue/rte"])
    assert [each.task for each in found if each.direct] == ["glue/rte"]
    assert reasons("glue/rte")["glue/mnli"] == "nli, as glue/rte is"
    assert reasons("glue/rte").keys() == reasons("type:nli").keys()


def test_relations_go_one_step() -> None:
    """Paraphrase is near NLI; what is near paraphrase for another reason than NLI is not near NLI."""
    tagged = registry(*TASKS, task("both", "paraphrase", "sentiment"))
    assert "sst2" in reasons("both", among=tagged)
    assert "both" in reasons("type:nli", among=tagged)
    assert "sst2" not in reasons("type:nli", among=tagged)


def test_reading_comprehension_with_commonsense_is_held_out_with_either_and_takes_both() -> None:
    assert reasons("copa") == {"copa": "copa", "cosmos": "commonsense, as copa is"}
    assert reasons("type:reading_comprehension -tag:commonsense") == {
        "squad": "type:reading_comprehension -tag:commonsense",
        "cosmos": "reading_comprehension, as squad is",
    }
    assert reasons("cosmos").keys() == {"cosmos", "copa", "squad"}
    assert reasons("type:reading_comprehension").keys() == {"cosmos", "copa", "squad"}  # cosmos would be evaluated on


def test_several_selectors_are_a_union_and_the_first_that_takes_a_task_is_its_reason() -> None:
    both = reasons("glue/rte", "type:nli", "sst2")
    assert (both["glue/rte"], both["glue/mnli"]) == ("glue/rte", "type:nli")
    assert both.keys() == {*reasons("type:nli"), *reasons("sst2")}


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("type:nil", "'type:nil' holds no task out - did you mean 'type:nli'?"),
        ("glue/rt", "'glue/rt' holds no task out - did you mean 'glue/rte'?"),
        ("nli", "'nli' holds no task out - did you mean 'type:nli'?"),
        ("language:de", "'language:de' holds no task out - of no task a language is known"),
        ("type:nli squad", "'type:nli squad' holds no task out - each of its terms takes tasks, and no task fits them"),
        ("cluster:nli", "'cluster:nli' starts with 'cluster:', which is none of type:, tag:, language:, style:"),
        ("", "the selector is empty"),
    ],
)
def test_a_selector_that_takes_nothing_says_what_to_write(selector: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        held_out(registry(), ["type:code", selector])
    assert str(caught.value).startswith(says)


def test_the_bundled_catalogue() -> None:
    catalogue = load_registry()
    assert reasons("type:paraphrase", among=catalogue) == {
        "similarity/sentences": "type:paraphrase",
        "inference/everyday": "near paraphrase: nli",
    }
    assert reasons("translation/*", among=catalogue).keys() == {
        "translation/english_to_french",
        "translation/french_to_english",
    }
    assert reasons("type:logic", among=catalogue).keys() == {"logic/comparisons", "logic/syllogisms"}
    assert reasons("reading/*", among=catalogue).keys() == {"reading/short_passages"}
    assert held_out(catalogue, []) == ()


# Properties

KINDS = ("nli", "paraphrase", "commonsense", "reading_comprehension", "sentence_completion", "code")
POOL = [rows(f"source {number}", 1 + number // 2) for number in range(6)]
A_TASK = st.tuples(
    st.sampled_from(KINDS), st.sets(st.sampled_from([*KINDS, "english"]), max_size=2), st.integers(0, len(POOL) - 1)
)


def random_registry(tasks: Sequence[tuple[str, set[str], int]], copied: bool) -> Registry:
    sources = [list(map(dict, POOL[at])) if copied else POOL[at] for _, _, at in tasks]
    specs = [task(f"t{n}", kind, *tags, source=sources[n]) for n, (kind, tags, _) in enumerate(tasks)]
    return registry(*specs)


def selectors_for(tasks: Sequence[tuple[str, set[str], int]]) -> st.SearchStrategy[list[str]]:
    words = [f"type:{kind}" for kind, _, _ in tasks] + [f"t{number}" for number in range(len(tasks))]
    words += [f"tag:{tag}" for _, tags, _ in tasks for tag in sorted(tags)]
    return st.lists(st.sampled_from(words), min_size=1, max_size=3)


@settings(max_examples=60)
@given(st.data(), st.lists(A_TASK, min_size=1, max_size=9), st.booleans())
def test_what_is_left_matches_nothing_is_related_to_nothing_and_shares_no_source(
    data: st.DataObject, tasks: list[tuple[str, set[str], int]], copied: bool
) -> None:
    known, selectors = random_registry(tasks, copied), data.draw(selectors_for(tasks))
    found = {each.task: each for each in held_out(known, selectors)}
    left = [name for name in known if name not in found]
    direct = [known.subjects[name] for name, each in found.items() if each.direct]
    assert {subject.name for subject in direct} == {name for text in selectors for name in known.names(text)}
    by_source = [name for name, each in found.items() if each.reason.startswith("shares")]
    sources = HeldSources(known.tasks[name] for name in found if name not in by_source)
    for name in left:
        assert not any(parse(text).matches(known.subjects[name]) for text in selectors)
        assert not any(list(load_relations().between(known.subjects[name], other)) for other in direct)
        assert sources.shared_with(known.tasks[name]) is None
    for name in by_source:
        assert sources.shared_with(known.tasks[name])


@settings(max_examples=50)
@given(st.data(), st.lists(A_TASK, min_size=1, max_size=9))
def test_neither_the_order_of_selectors_nor_that_of_tasks_matters(
    data: st.DataObject, tasks: list[tuple[str, set[str], int]]
) -> None:
    known, selectors = random_registry(tasks, False), data.draw(selectors_for(tasks))
    turned = registry(*(item.task for item in reversed(known.tasks.values())))
    first = {each.task: each.direct for each in held_out(known, selectors)}
    assert first == {each.task: each.direct for each in held_out(turned, [*reversed(selectors), *selectors])}


@settings(max_examples=50)
@given(st.data(), st.lists(A_TASK, min_size=2, max_size=9))
def test_holding_out_again_takes_nothing_more(data: st.DataObject, tasks: list[tuple[str, set[str], int]]) -> None:
    """Where the same tasks are held out among fewer, those that were left are still left."""
    known, selectors = random_registry(tasks, False), data.draw(selectors_for(tasks))
    found = held_out(known, selectors)
    direct = {each.task for each in found if each.direct}
    gone = {each.task for each in found} - direct
    fewer = registry(*(item.task for name, item in known.tasks.items() if name not in gone))
    assert {each.task for each in held_out(fewer, sorted(direct))} == direct


# Mixtures


def plan_of(mixture: Mixture, *specs: Task | Mixture) -> dict[str, int]:
    return (
        fm.Mixture(**{key: getattr(mixture, key) for key in mixture.model_fields_set})
        .plan(registry(*(specs or TASKS)))
        .counts
    )


def refused(mixture: Mixture, *specs: Task | Mixture) -> list[str]:
    with pytest.raises(PlanError) as caught:
        resolved(mixture, registry(*(specs or TASKS)))
    return [str(problem) for problem in caught.value.problems]


def test_a_mixture_has_no_row_of_what_is_held_out() -> None:
    assert set(plan_of(Mixture("m", rows=40, parts=[Part("*")], hold_out=["type:nli"]))) == {
        "copa",
        "cosmos",
        "squad",
        "sst2",
    }


def test_what_is_left_decides_the_plan() -> None:
    held = fm.Mixture("m", rows=40, parts=[Part("*")]).holding_out("type:nli").plan(registry())
    alone = fm.Mixture("m", rows=40, parts=[Part("copa cosmos squad sst2")]).plan(registry())
    assert held.digest == alone.digest
    assert held.held_out == held_out(registry(), ["type:nli"])
    assert alone.held_out == ()


def test_selectors_that_take_nothing_are_told_at_their_places(tmp_path: Path) -> None:
    (tmp_path / "mixture.yaml").write_text(
        "mixture: m\nrows: 9\nparts: [{select: '*'}]\nhold_out:\n  - type:nil\n  - squad\n  - squid\n"
    )
    known = load_registry(tmp_path, specs=TASKS, bundled=False, plugins=False)
    with pytest.raises(PlanError) as caught:
        resolved(known.mixture("m"), known)
    assert str(caught.value).replace(str(tmp_path), "") == (
        "/mixture.yaml:5: hold_out[0]: 'type:nil' holds no task out - did you mean 'type:nli'?\n"
        "/mixture.yaml:7: hold_out[2]: 'squid' holds no task out - did you mean 'squad'?"
    )


def test_a_part_that_is_left_without_a_task_is_refused_with_its_place() -> None:
    parts = [Part("type:nli"), Part("*"), Part(parts=[Part("type:paraphrase"), Part("sst2")])]
    assert refused(Mixture("m", rows=9, parts=parts, hold_out=["type:nli"])) == [
        "mixture m: parts[0].select: 'type:nli' is left without a task: 'glue/mnli' is held out (type:nli), and so is "
        "1 more - take the part out, or hold out less",
        "mixture m: parts[2].parts[0].select: 'type:paraphrase' is left without a task: 'glue/mrpc' is held out "
        "(near nli: paraphrase), and so is 1 more - take the part out, or hold out less",
    ]


def test_a_part_that_names_a_held_out_task_is_refused_even_if_it_takes_others() -> None:
    parts = [Part("sst2 glue/rte mrpc/write"), Part("glue/mrpc")]
    assert refused(Mixture("m", rows=9, parts=parts, hold_out=["type:nli"])) == [
        "mixture m: parts[0].select: 'glue/rte' is held out (type:nli) - take it out of the part",
        "mixture m: parts[0].select: 'mrpc/write' is held out (shares its source with paws) - take it out of the part",
        "mixture m: parts[1].select: 'glue/mrpc' is held out (near nli: paraphrase) - take it out of the part",
    ]


def test_weights_of_a_held_out_task_are_refused() -> None:
    mixture = Mixture("m", rows=9, parts=[Part("s*")], weights={"sst2": 1, "squad": 1, "copa": 1}, hold_out=["copa"])
    assert refused(mixture) == ["mixture m: weights.copa: 'copa' is held out (copa) - take its weight out"]


def test_what_is_excluded_too_may_be_named() -> None:
    mixture = Mixture(
        "m",
        rows=8,
        parts=[Part("type:nli"), Part("glue/mrpc"), Part("sst2")],
        exclude=["type:nli", "glue/mrpc"],
        weights={"sst2": 1, "glue/rte": 1},
        hold_out=["type:nli"],
    )
    assert plan_of(mixture) == {"sst2": 8}


def test_a_mixture_all_of_which_is_held_out_is_refused() -> None:
    (problem,) = refused(Mixture("m", rows=9, parts=[Part("*")], hold_out=["*"]))
    assert "'*' is left without a task" in problem


def test_a_quota_of_a_type_that_is_held_out_bounds_nothing() -> None:
    mixture = Mixture("m", rows=8, parts=[Part("*")], types={"nli": Bounds(max_share=0.1)}, hold_out=["type:nli"])
    assert sum(plan_of(mixture).values()) == 8


# Mixtures in mixtures, stages


def test_what_a_nested_mixture_holds_out_is_held_out_of_the_whole() -> None:
    inner = Mixture("inner", parts=[Part("s*")], hold_out=["copa"])
    middle = Mixture("middle", parts=[Part(mixture="inner")], hold_out=["glue/rte"])
    outer = Mixture("outer", rows=40, parts=[Part(parts=[Part(mixture="middle")]), Part("*")])
    recipe = resolved(outer, registry(*TASKS, inner, middle))
    assert recipe.tasks == ("squad", "sst2")
    assert {each.task for each in recipe.held_out if each.direct} == {"copa", "glue/rte"}


def test_parts_and_weights_of_nested_mixtures_are_refused_where_they_are_written() -> None:
    inner = Mixture("inner", parts=[Part("sst2 copa")], weights={"sst2": 1, "copa": 1})
    outer = Mixture("outer", rows=9, parts=[Part(mixture="inner")], hold_out=["type:commonsense"])
    assert refused(outer, *TASKS, inner) == [
        "mixture inner: weights.copa: 'copa' is held out (type:commonsense) - take its weight out",
        "mixture inner: parts[0].select: 'copa' is held out (type:commonsense) - take it out of the part",
    ]


def test_a_mixture_that_is_nowhere_is_told_once() -> None:
    outer = Mixture("outer", rows=9, parts=[Part(mixture="nowhere"), Part("sst2")], hold_out=["copa"])
    (problem,) = refused(outer)
    assert "no mixture is called 'nowhere'" in problem


STAGED = Mixture(
    "staged",
    stages=[
        Stage("broad", parts=[Part("*")], rows=40),
        Stage("narrow", parts=[Part("s*")], rows=20, replay={"broad": 0.5}),
    ],
    hold_out=["type:nli"],
)


def test_what_is_held_out_is_out_of_every_stage_and_is_not_replayed(tmp_path: Path) -> None:
    plan = fm.Mixture(**{key: getattr(STAGED, key) for key in STAGED.model_fields_set}).plan(registry())
    out = {each.task for each in plan.held_out}
    assert out == reasons("type:nli").keys()
    for stage in plan.stages.values():
        assert not out & stage.counts.keys()
        assert stage.held_out == plan.held_out
    assert set(plan.stages["narrow"].counts) == {"copa", "cosmos", "squad", "sst2"}
    assert "held out: type:nli: glue/mnli, glue/rte" in repr(plan.table())
    assert plan.why("paws").startswith("paws is held out: near nli: paraphrase.")
    assert [each["task"] for each in plan.facts()["held_out"]] == sorted(out)
    built = plan.build(tmp_path / "out", quiet=True)
    assert built.manifest["held_out"] == plan.facts()["held_out"]


def test_what_one_stages_mixture_holds_out_is_out_of_the_stages_before() -> None:
    inner = Mixture("inner", parts=[Part("sst2")], hold_out=["copa"])
    stages = [Stage("one", parts=[Part("*")], rows=9), Stage("two", parts=[Part(mixture="inner")], rows=9)]
    mixture = Mixture("staged", stages=stages)
    assert "copa" not in resolved(mixture, registry(*TASKS, inner), stages[0]).tasks


def test_a_replay_of_tasks_that_only_sizes_know_knows_no_held_out_one() -> None:
    mixture = Mixture("m", stages=STAGED.stages, sizes={"rte": 9, "sst2": 9, "squad_v1": 9}, hold_out=["type:nli"])
    replay = {Offer("sst2"): Replayed(3, 9)}
    assert resolved(mixture, registry(), STAGED.stages[1], replay).tasks == ("squad_v1", "sst2")


# Tasks of which sizes are all that is known

ENTAILMENT = {
    *("anli_r1", "anli_r2", "anli_r3", "cb", "mnli_matched", "mnli_mismatched", "qnli", "rte", "snli", "wnli"),
}
PARAPHRASE = {"glue_mrpc", "glue_qqp", "paws_wiki", "stsb"}


def test_flan_2021_is_held_out_by_its_clusters() -> None:
    known = fm.load_registry()
    mixture = known.mixture("flan2021")
    plan = mixture.holding_out("type:nli").plan(known)
    out = {each.task: each.direct for each in plan.held_out}
    assert out == dict.fromkeys(ENTAILMENT, True) | dict.fromkeys(PARAPHRASE, False)
    assert plan.counts.keys() == mixture.sizes.keys() - out.keys()
    assert {each.task for each in mixture.holding_out("type:paraphrase").plan(known).held_out} == out.keys()
    both = {each.task for each in mixture.holding_out("record").plan(known).held_out}
    assert {"cosmos_qa", "copa", "squad_v1", "record"} <= both
    assert not both & ENTAILMENT


def test_a_registry_tells_the_types_of_sizes() -> None:
    mixture = Mixture("m", rows=9, sizes={"glue/rte": 9, "paws": 9, "sst2": 9, "mrpc/write": 5}, hold_out=["type:nli"])
    assert plan_of(mixture) == {"sst2": 9}
    (problem,) = refused(mixture.model_copy(update={"hold_out": ("glue/mnli",)}))
    assert "hold_out[0]: 'glue/mnli' holds no task out" in problem  # which the mixture does not know


def test_styles_of_a_held_out_task_are_out_together() -> None:
    sizes: dict[str, Any] = {"rte": {"cot": 3, "plain": 5}, "sst2": {"cot": 3, "plain": 5}}
    recipe = resolved(Mixture("m", rows=9, sizes=sizes, hold_out=["type:nli"]), registry())
    assert recipe.offers == (Offer("sst2", "cot"), Offer("sst2", "plain"))


def test_tasks_of_no_known_type_are_refused_where_their_type_matters() -> None:
    mixture = Mixture("m", rows=9, sizes={"rte": 9, "mine": 9, "yours": 9}, hold_out=["type:nli"])
    assert refused(mixture) == [
        "mixture m: hold_out: of 'mine' (and of 1 more) no type is known, so it may be related to what is held out - "
        "give the registry a task of that name, which tells its type, or exclude it"
    ]
    assert plan_of(mixture.model_copy(update={"exclude": ("yours",), "hold_out": ("mine",)})) == {"rte": 9}
    with pytest.raises(PlanError, match="of no task a type is known"):
        resolved(Mixture("m", rows=9, sizes={"mine": 9}, hold_out=["type:nli"]), registry())


# Where it is said


@pytest.fixture
def plan() -> fm.Plan:
    return fm.Mixture("m", rows=8, parts=[Part("*")], hold_out=["type:nli"]).plan(registry())


def test_the_table_tells_every_reason_with_its_tasks(plan: fm.Plan) -> None:
    assert plan.table().title.splitlines()[1:] == [
        "held out: type:nli: glue/mnli, glue/rte",
        "held out: near nli: paraphrase: glue/mrpc, paws",
        "held out: shares its source with paws: mrpc/write",
    ]


def test_facts_tell_of_each_task(plan: fm.Plan) -> None:
    assert json.loads(json.dumps(plan.facts()))["held_out"][3] == {
        "task": "mrpc/write",
        "reason": "shares its source with paws",
        "direct": False,
        "because": "Both have the same rows in memory.",
    }


def test_why_tells_of_a_held_out_task(plan: fm.Plan) -> None:
    assert plan.why("glue/rte") == "glue/rte is held out: type:nli. It is what the mixture is to be evaluated on."
    assert plan.why("glue/mrpc").startswith("glue/mrpc is held out: near nli: paraphrase. Two texts that mean the same")
    assert plan.why("sst2").startswith("sst2 gives ")
    with pytest.raises(UsageError, match="did you mean 'glue/mrpc'"):
        plan.why("glue/mrp")


def test_a_builds_manifest_and_card_tell_it_and_a_later_build_of_the_same_rows_tells_it_anew(tmp_path: Path) -> None:
    parts = [Part("sst2")]
    first = fm.Mixture("m", rows=8, parts=parts).plan(registry()).build(tmp_path / "out", quiet=True)
    assert first.manifest["held_out"] == []
    assert "## Held out" not in (tmp_path / "out" / "README.md").read_text()
    shards = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "data").iterdir()}
    held = fm.Mixture("m", rows=8, parts=parts).holding_out("type:nli").plan(registry())
    again = held.build(tmp_path / "out", quiet=True)
    assert again.manifest["held_out"] == held.facts()["held_out"]
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "data").iterdir()} == shards
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| glue/rte | type:nli |" in card
    assert "| mrpc/write | shares its source with paws | Both have the same rows in memory. |" in card
    assert again.verify()["rows"] == 8


def test_the_command_line_holds_out_more_than_the_mixture(tmp_path: Path, flanmix: Any) -> None:
    (tmp_path / "m.yaml").write_text(
        "mixture: m\nrows: 90\nparts: [{select: 'tag:handwritten'}]\nhold_out: ['type:nli']\n"
    )
    found = flanmix(f"plan {tmp_path / 'm.yaml'} --hold-out type:sorting --hold-out reviews/everyday --format json")
    assert found.code == 0
    facts = json.loads(found.out)
    assert [each["task"] for each in facts["held_out"] if each["direct"]] == [
        "inference/everyday",
        "reviews/everyday",
        "sorting/dates",
        "sorting/numbers",
        "sorting/words",
    ]
    assert not {each["task"] for each in facts["held_out"]} & {each["task"] for each in facts["tasks"]}
    why = flanmix(f"plan {tmp_path / 'm.yaml'} --why similarity/sentences")
    assert why.out.startswith("similarity/sentences is held out: near nli: paraphrase.")
    wrong = flanmix(f"plan {tmp_path / 'm.yaml'} --hold-out type:nil")
    assert wrong.code == 1
    assert "m.yaml:4: hold_out[1]: 'type:nil' holds no task out - did you mean 'type:nli'?" in wrong.err


def test_a_subject_without_a_type_is_in_no_cluster() -> None:
    assert load_relations().clusters_of(Subject("mine", "")) == ()
