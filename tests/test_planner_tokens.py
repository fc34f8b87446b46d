"""Budgets in tokens, from a mixture to its plan."""

from pathlib import Path

import pytest

import flanmix as fm
from tests.toy_tokens import tokenizer

TEMPLATES = [fm.Template("t", input="{{ q }}", target="{{ a }}")]


def planned(rows: list[dict[str, str]], tmp_path: Path) -> fm.Plan:
    file = tmp_path / "tokenizer.json"
    file.write_text(tokenizer().text, encoding="utf-8")
    good = [{"q": f"dog {number}", "a": "fox"} for number in range(50)]
    tasks = [fm.Task(name, type="nli", source=some, templates=TEMPLATES) for name, some in (("a", good), ("b", rows))]
    registry = fm.load_registry(specs=tasks, bundled=False, plugins=False)
    return fm.Mixture("m", parts=[fm.Part("*")], tokens=500, tokenizer=str(file)).plan(registry)


def test_a_budget_in_tokens_is_met_and_told(tmp_path: Path) -> None:
    plan = planned([{"q": "dog dog", "a": f"fox {number}"} for number in range(50)], tmp_path)
    assert plan.facts()["tokens"] == pytest.approx(500, rel=0.02)
    assert sum(record["share_tokens"] for record in plan.records()) == pytest.approx(1)


def test_a_task_whose_rows_are_all_dropped_gives_no_tokens_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(fm.PlanError, match=r"b: gives no tokens in the .* rows that were measured - look at it"):
        planned([{"q": f"dog {number}", "a": " "} for number in range(50)], tmp_path)
