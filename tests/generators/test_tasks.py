from pathlib import Path
from typing import Any

import pytest
import yaml

from flanmix.generators import GENERATORS, generate

ROOT = Path(__file__).parents[2] / "task_registry"
GROUPS = {
    "arithmetic": "arithmetic",
    "math": "math_word_problems",
    "dates": "dates",
    "units": "units",
    "sorting": "sorting",
    "logic": "logic",
    "strings": "string_manipulation",
}
TASKS = sorted(path for group in GROUPS for path in (ROOT / group).glob("*.yaml"))


def _load(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("path", TASKS, ids=[f"{path.parent.name}/{path.stem}" for path in TASKS])
def test_a_task_fits_its_generator(path: Path) -> None:
    task = _load(path)
    source = task["source"]
    assert task["task"] == f"{path.parent.name}/{path.stem}"
    assert task["type"] == GROUPS[path.parent.name]
    assert "synthetic" in task["tags"]
    assert task["description"].endswith(".")
    assert 2000 <= source["rows"] <= 20_000
    name = source["generator"]
    run = generate(GENERATORS[name], name, source["seed"], range(source["rows"]), source.get("args", {}))
    assert all(set(task["fields"].values()) == set(row) for row in run)
    assert all(field == column for field, column in task["fields"].items())
    distinct = {tuple(map(str, row.values())) for row in run}
    assert len(distinct) / len(run) > 0.97


def test_every_generator_serves_a_task() -> None:
    assert {_load(path)["source"]["generator"] for path in TASKS} == set(GENERATORS)
