"""The real lm-evaluation-harness reads the task YAMLs, from any folder, and asks what the ranking rows ask."""

import json
import shutil
from collections import Counter
from typing import Any

import pytest

import flanmix as fm
from tests.evalsets.tasks import catalogue, rows_of

lm_eval = pytest.importorskip("lm_eval", reason="needs the extra 'lm-eval'")

pytestmark = [pytest.mark.slow]
SHOTS = (0, 3)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> fm.EvalSets:
    folder = tmp_path_factory.mktemp("sets")
    styles = ("plain", "options", "inverted", "cot")
    made = fm.evalset(
        catalogue(folder / "tasks"),
        folder / "there",
        select="toy/*",
        shots=SHOTS,
        styles=styles,
        name="toys",
        quiet=True,
    )
    shutil.move(made.folder, folder / "elsewhere")
    return fm.EvalSets(folder / "elsewhere")


@pytest.fixture(scope="module")
def results(sets: fm.EvalSets, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the harness says of all tasks with its model of random answers, run in a folder that has nothing."""
    from lm_eval.tasks import TaskManager

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        manager = TaskManager(include_path=str(sets.folder / "lm_eval"), include_defaults=False)
        return lm_eval.simple_evaluate(
            model="dummy", tasks=sets.manifest["harness"], task_manager=manager, bootstrap_iters=0
        )


def asked(results: Any, task: str) -> list[dict[str, Any]]:
    """What was asked of a task, in its order."""
    return sorted(results["samples"][task], key=lambda sample: sample["doc_id"])


@pytest.mark.parametrize("shots", SHOTS)
def test_requests_are_the_ranking_rows_to_the_byte(sets: fm.EvalSets, results: Any, shots: int) -> None:
    ranking = rows_of(sets, f"toy__claims_{shots}shot_ranking")
    expected = [(row["input"], row["continuation"]) for row in ranking]
    samples = asked(results, f"toy__claims_{shots}shot")
    assert [tuple(request) for sample in samples for request in sample["arguments"]] == expected
    right = [row["choice"] for row in ranking if row["label"]]
    assert [sample["target"] for sample in samples] == [str(place) for place in right] or (
        [sample["target"] for sample in samples] == right
    )


@pytest.mark.parametrize("shots", SHOTS)
def test_prompts_of_free_text_end_in_the_separator_and_are_compared_with_the_answer(
    sets: fm.EvalSets, results: Any, shots: int
) -> None:
    rows = rows_of(sets, f"toy__sums_{shots}shot")
    samples = asked(results, f"toy__sums_{shots}shot")
    assert [sample["arguments"][0][0] for sample in samples] == [f"{row['input']}\n" for row in rows]
    assert [sample["target"] for sample in samples] == [row["answer"] for row in rows]


@pytest.mark.parametrize("shots", SHOTS)
def test_every_prompt_is_asked_once(sets: fm.EvalSets, results: Any, shots: int) -> None:
    names = [name for name in results["samples"] if f"_{shots}shot" in name]
    found = Counter(
        (sample["doc"]["fm_task"], sample["doc"]["fm_row"], sample["doc"]["fm_template"])
        for name in names
        for sample in results["samples"][name]
    )
    rows = [row for task in ("claims", "sums") for row in rows_of(sets, f"toy__{task}_{shots}shot")]
    assert found == Counter((row["fm_task"], row["fm_row"], row["fm_template"]) for row in rows)


def test_what_a_pattern_finds_in_right_answers_is_right(sets: fm.EvalSets) -> None:
    """The filter of the harness itself, on the targets."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(sets.folder / "lm_eval"), include_defaults=False)
    task = manager.load("toy__claims_0shot_generate_2")["tasks"]["toy__claims_0shot_generate_2"]
    docs = list(task.test_docs())
    filtered = [[f"\n{doc['target']} "] for doc in docs]
    for step in task._filters[0].filters:
        filtered = list(step().apply(filtered, docs))
    assert docs
    assert filtered == [doc["answer"] for doc in docs]
    assert {task.process_results(doc, [found])["exact_match"] for doc, found in zip(docs, filtered, strict=True)} == {
        1.0
    }


def test_groups_and_tasks_have_numbers(sets: fm.EvalSets, results: Any) -> None:
    for shots in SHOTS:
        group = results["results"][f"toys_{shots}shot"]
        assert 0 <= group["acc,none"] <= 1
        assert group["exact_match,answer"] == 0
        assert results["results"][f"toy__claims_{shots}shot"]["acc,none"] == group["acc,none"]
    assert json.dumps(results["results"], default=float)
