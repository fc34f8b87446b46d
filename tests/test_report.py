"""Plans for people: the same numbers in a terminal, in text and in a notebook."""

import re

import pytest

from flanmix.plan import Plan, PlannedTask, PlannedTemplate
from flanmix.report import PlanTable, plan_records, plan_table
from flanmix.spec import Template


@pytest.fixture
def plan() -> Plan:
    template = PlannedTemplate("plain", Template("plain", input="{{ q }}", target="{{ a }}"), "plain")
    lost = {"drop rule": 1_380}
    tasks = [
        PlannedTask(name, "nli", rows, 100, 120, "digest", (template,), ((0,),), 1_500, lost, 0.5, share, bound)
        for name, rows, share, bound in (("a/<b>", 400, 0.2501, "max_epochs"), ("c/d", 1_200, 0.7499, ""))
    ]
    return Plan("mini", 7, "train", tuple(tasks), {})


def cells(html: str) -> list[list[str]]:
    rows = re.findall("<tr>(.*?)</tr>", html)
    return [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_a_record_holds_exact_numbers(plan: Plan) -> None:
    first = plan_records(plan)[0]
    assert (first["task"], first["style"], first["rows"], first["epochs"]) == ("a/<b>", "any", 400, 4.0)
    assert (first["share_asked"], first["share"], first["bound"]) == (0.5, 0.2501, "max_epochs")
    assert (first["source_rows"], first["usable"], first["offered"]) == (1_500, 120, 100)
    assert first["dropped"] == {"drop rule": 1_380}
    assert first["effective_epochs"] == pytest.approx(3.725673, abs=1e-6)  # Muennighoff et al. 2023, equation 5


def test_the_last_row_is_the_sum(plan: Plan) -> None:
    table = plan_table(plan)
    assert [len(row) for row in table.rows] == [len(table.columns)] * 3
    assert table.rows[-1][table.columns.index("planned")] == "1,600"


def test_text_shows_every_cell(plan: Plan) -> None:
    table = plan_table(plan)
    shown = str(table)
    assert table.title in shown
    assert all(cell in shown for row in table.rows for cell in row)
    assert "\x1b" not in shown


def test_a_notebook_gets_the_same_cells_escaped(plan: Plan) -> None:
    table = plan_table(plan)
    shown = cells(table._repr_html_())
    assert shown[0] == list(table.columns)
    assert shown[1][0] == "a/&lt;b&gt;"
    assert shown[2] == list(table.rows[1])


def test_a_table_is_a_value() -> None:
    assert PlanTable("t", ("task",), (("all",),)) == PlanTable("t", ("task",), (("all",),))
