"""The YAMLs of lm-evaluation-harness: what is read, how it is asked, how an answer is scored."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import flanmix as fm
from flanmix.errors import TemplateError, UsageError
from flanmix.evalsets.harness import answer_alone
from flanmix.registry import Registry
from tests.evalsets.tasks import catalogue, of_tasks


@pytest.fixture
def tasks(tmp_path: Path) -> Registry:
    return catalogue(tmp_path / "tasks")


class Loader(yaml.SafeLoader):
    """Reads the tag of the harness as a name."""


Loader.add_constructor("!function", lambda loader, node: f"function {node.value}")


def configs(sets: fm.EvalSets) -> dict[str, dict[str, Any]]:
    files = sorted((sets.folder / "lm_eval").glob("*.yaml"))
    return {file.stem: yaml.load(file.read_text(encoding="utf-8"), Loader) for file in files}


def test_a_set_with_choices_is_a_multiple_choice_task(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/claims", shots=2, separator="\n", quiet=True)
    assert configs(sets)["toy__claims_2shot"] == {
        "task": "toy__claims_2shot",
        "dataset_path": "function evalset.FOLDER",
        "dataset_name": "toy__claims_2shot",
        "test_split": "validation",
        "num_fewshot": 0,
        "output_type": "multiple_choice",
        "doc_to_text": "input",
        "doc_to_choice": "answer_choices",
        "doc_to_target": "answer_index",
        "target_delimiter": "\n",
        "metric_list": [
            {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
            {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
        ],
        "metadata": {"version": 1, "task": "toy/claims", "type": "nli", "shots": 2},
    }


def test_a_set_of_free_text_is_a_generation_task(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/sums", quiet=True)
    config = configs(sets)["toy__sums_0shot"]
    assert config["output_type"] == "generate_until"
    assert (config["doc_to_text"], config["doc_to_target"]) == ("{{ input }}\n", "answer")
    limits = {"until": ["\n\n"], "max_gen_toks": 64, "do_sample": False, "temperature": 0.0}
    assert config["generation_kwargs"] == limits
    functions = [{"function": "remove_whitespace"}, {"function": "take_first"}]
    assert config["filter_list"] == [{"name": "answer", "filter": functions}]
    assert [metric["metric"] for metric in config["metric_list"]] == ["exact_match"]


def test_wordings_with_their_own_pattern_are_tasks_of_their_own(tasks: Registry, tmp_path: Path) -> None:
    every = ("plain", "options", "inverted", "cot")
    found = configs(fm.evalset(tasks, tmp_path / "out", select="toy/claims", styles=every, quiet=True))
    assert list(found) == [
        "evalset_0shot",
        "toy__claims_0shot",
        "toy__claims_0shot_generate_1",
        "toy__claims_0shot_generate_2",
    ]
    filters = {name: config.get("dataset_kwargs") for name, config in found.items()}
    assert filters == {
        "evalset_0shot": None,
        "toy__claims_0shot": {"filters": [["answer_index", ">=", 0]]},
        "toy__claims_0shot_generate_1": {"filters": [["answer_index", "<", 0], ["fm_template", "in", ["write"]]]},
        "toy__claims_0shot_generate_2": {"filters": [["answer_index", "<", 0], ["fm_template", "in", ["reason"]]]},
    }
    pattern = "(?:say|is) (?P<answer>yes|no|it depends)"
    assert found["toy__claims_0shot_generate_2"]["filter_list"][0]["filter"] == [
        {"function": "regex", "regex_pattern": pattern, "group_select": -1},
        {"function": "take_first"},
    ]


def test_all_sets_with_as_many_exemplars_are_a_group(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/*", shots=(0, 1), name="lab/all", quiet=True)
    found = configs(sets)
    assert found["lab__all_1shot"]["task"] == ["toy__claims_1shot", "toy__sums_1shot"]
    told = [(each["metric"], each["filter_list"]) for each in found["lab__all_1shot"]["aggregate_metric_list"]]
    assert told == [("acc", ["none"]), ("acc_norm", ["none"]), ("exact_match", ["answer"])]
    assert sets.manifest["harness"] == ["lab__all_0shot", "lab__all_1shot"]


def test_a_group_cannot_be_called_as_a_set(tasks: Registry, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'toy/sums' would name a set and all of them"):
        fm.evalset(tasks, tmp_path / "out", select="toy/*", name="toy/sums", quiet=True)
    assert not (tmp_path / "out").exists()


def test_an_answer_ends_at_an_empty_line_unless_a_right_one_has_one_and_none_is_cut(tmp_path: Path) -> None:
    wording = fm.Template("ask", input="{{ q }}", target="{{ a }}")
    source = [{"q": "a", "a": "é" * 100}, {"q": "b", "a": "one\n\ntwo"}]
    tasks = of_tasks(fm.Task("toy/x", type="translation", source=source, templates=[wording]))
    config = configs(fm.evalset(tasks, tmp_path / "out", select="toy/x", quiet=True))["toy__x_0shot"]
    assert config["generation_kwargs"]["until"] == []
    assert config["generation_kwargs"]["max_gen_toks"] == 200
    assert [metric["metric"] for metric in config["metric_list"]] == ["exact_match", "bleu", "chrf"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"is (?P<answer>\d+)", "it is 1 is 2"),
        (r"(a|b)(?P<x>c)? is (?P<answer>(\d+)(\.\d+)?)", "a is 1, bc is 2.5"),
        (r"(?i:ANSWER) [(](?P<answer>[])(a-z]+)[^](]", "answer (b) or answer (c]."),
        (r"\((?P<answer>\w)\)(?=(.))(?!x)", "(a) (b)x (c)y"),
    ],
)
def test_a_pattern_keeps_only_its_answer_as_a_group(pattern: str, text: str) -> None:
    made = re.compile(answer_alone(pattern))
    assert made.groups == 1
    assert made.findall(text) == [match["answer"] for match in re.finditer(pattern, text)]


@pytest.mark.parametrize(
    "pattern", [r"(a|b) (?P<answer>\1)", r"(?P<x>a) (?P<answer>(?P=x))", r"(a)?(?P<answer>(?(1)b|c))"]
)
def test_a_pattern_that_refers_back_is_refused_with_its_line(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ValueError, match="refers back"):
        answer_alone(pattern)
    wording = fm.Template("ask", input="{{ q }}", target="{{ a }}", extract=pattern)
    tasks = of_tasks(fm.Task("toy/x", type="arithmetic", source=[{"q": "?", "a": "a a ab"}], templates=[wording]))
    with pytest.raises(TemplateError, match=r"extract: the pattern refers back .* - write it with the group 'answer'"):
        fm.evalset(tasks, tmp_path / "out", select="toy/x", quiet=True)
    assert not (tmp_path / "out").exists()
