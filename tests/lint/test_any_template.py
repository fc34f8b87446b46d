"""Whatever template and rows there are, the linter says something sensible of them, and always the same."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from flanmix.check import problems_of
from flanmix.lint import RULES, lint
from flanmix.registry import Registry
from flanmix.render import RowError, render
from flanmix.spec import Task, Template
from tests.render.drawn import Pick, dialect, native, table_for


@pytest.mark.parametrize("make", [native, dialect])
@pytest.mark.parametrize("seed", range(60))
def test_any_template_over_any_rows(make: Callable[[Pick], Template], seed: int) -> None:
    chance = random.Random(seed)

    def pick(items: Sequence[Any]) -> Any:
        return chance.choice(items)

    template = make(pick)
    table = table_for(pick, template)
    if not table.num_columns:
        pytest.skip("it reads no row")
    bound = Registry().with_specs(Task("toy", type="nli", source=table, templates=[template]))["toy"]
    report = lint([bound], {})
    found = [*report.findings, *report.warnings]
    assert {finding.rule for finding in found} <= set(RULES)
    assert found == [*lint([bound], {}).findings, *lint([bound], {}).warnings]
    if problems_of(bound):
        assert found == []
    elif not report.unread and not report.problems:
        assert ("fails-on-row" in {finding.rule for finding in found}) <= fails(template, table)


def fails(template: Template, table: pa.Table) -> bool:
    try:
        render(template, table)
    except RowError:
        return True
    return False
