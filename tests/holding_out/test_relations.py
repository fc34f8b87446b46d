"""Clusters of tasks and what is near them, as the data file tells."""

import pytest
import yaml

from flanmix.holding_out.relations import load_relations
from flanmix.registry import BUNDLED, load_registry
from flanmix.select import Subject
from flanmix.words import TASK_TYPES

FLAN_ONLY = {"conversational_qa", "question_classification", "text_formatting"}
"""Clusters of FLAN 2021 that are no task type with a name in the field."""


def related(one: Subject, other: Subject) -> list[tuple[str, str]]:
    return [step[:2] for step in load_relations().between(one, other)]


def of(kind: str, *tags: str) -> Subject:
    return Subject("a task", kind, frozenset(tags))


def test_every_cluster_is_a_task_type_or_one_of_flan_and_every_relation_is_between_clusters_and_has_a_reason() -> None:
    known = load_relations()
    assert {cluster.name for cluster in known.clusters} <= TASK_TYPES.keys() | FLAN_ONLY
    assert len(known.by_name) == len(known.clusters)
    for each in known.near:
        assert set(each.between) <= known.by_name.keys()
        assert len(each.because.split()) > 4
    assert all(cluster.about.endswith(".") for cluster in known.clusters)


@pytest.mark.parametrize(
    "pair", [("nli", "paraphrase"), ("commonsense", "sentence_completion"), ("structure_to_text", "data_to_text")]
)
def test_near_clusters_are_near_both_ways(pair: tuple[str, str]) -> None:
    one, other = pair
    assert related(of(one), of(other)) == [(one, other)]
    assert related(of(other), of(one)) == [(other, one)]


def test_reading_comprehension_with_commonsense_is_related_to_both_and_they_are_not_to_each_other() -> None:
    both = of("reading_comprehension", "commonsense", "english")
    for kind in ("reading_comprehension", "commonsense"):
        assert related(of(kind), both) == [(kind, kind)]
        assert related(both, of(kind))[0] == (kind, kind)
    assert related(of("reading_comprehension"), of("commonsense")) == []


def test_only_tags_that_are_clusters_relate_tasks() -> None:
    assert related(of("code", "english", "reasoning"), of("logic", "english", "reasoning")) == []
    assert related(of("code", "nli"), of("paraphrase")) == [("nli", "paraphrase")]


def test_a_type_of_a_familys_own_is_a_cluster() -> None:
    assert related(of("stock_news"), of("stock_news")) == [("stock_news", "stock_news")]


def test_flan_names_every_task_of_the_bundled_mixture_and_only_tasks_without_a_type_are_taken_for_them() -> None:
    known = load_relations()
    sizes = load_registry().mixture("flan2021").sizes
    assert {name for cluster in known.clusters for name in cluster.flan} == set(sizes)
    assert known.told(Subject("record", "")) == Subject("record", "reading_comprehension", frozenset({"commonsense"}))
    assert known.told(Subject("record", "code")).type == "code"
    assert known.told(Subject("glue/record", "")).type == ""


def test_the_file_ships_and_reads_as_yaml() -> None:
    assert "flanmix.holding_out" not in BUNDLED  # it is no spec of a registry
    from importlib.resources import files

    assert yaml.safe_load((files("flanmix.holding_out") / "relations.yaml").read_text()).keys() == {"clusters", "near"}
