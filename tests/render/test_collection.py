"""The dialect `promptsource` gives what that tool gives: its own renders over 128 dataset configs, and small cases.

Both engines, byte for byte, rows in which data acts as a separator included. Skipped where the renders are not there.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flanmix.render import Engine, NotColumnar, RowError, explain, render
from flanmix.render.environment import BadTemplate
from flanmix.spec import Template

GOLDEN = Path(__file__).parents[3] / "shared" / "p3" / "golden"
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the promptsource renders are not beside the checkout")
ENGINES: list[Engine] = ["rows", "columns"]
RANDOM = ("choice", "random")


def lines(file: Path) -> Iterator[dict[str, Any]]:
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    for line in data.splitlines():
        yield json.loads(line.decode("utf-8", "surrogatepass"))


def renders() -> list[tuple[Template, pa.Table, list[dict[str, Any]]]]:
    """Each template with a table of its rows, taken from the one table of its dataset, and what it should give."""
    by_dataset: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in lines(GOLDEN / "golden.jsonl.gz"):
        by_dataset[record["dataset"], record["config"]].append(record)
    found = []
    for records in by_dataset.values():
        rows = list({json.dumps(record["row"], sort_keys=True): record["row"] for record in records}.values())
        places = {json.dumps(row, sort_keys=True): place for place, row in enumerate(rows)}
        names = dict.fromkeys(name for row in rows for name in row)
        table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
        by_template: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for record in records:
            by_template[record["template_name"], record["jinja"], record["answer_choices"]].append(record)
        for (name, jinja, choices), own in by_template.items():
            template = Template(name, dialect="promptsource", jinja=jinja, answer_choices=choices)
            chosen = [places[json.dumps(record["row"], sort_keys=True)] for record in own]
            found.append((template, table.take(pa.array(chosen)), own))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_every_golden_render_is_met(engine: Engine) -> None:
    wrong, by_columns, compared = [], 0, 0
    for template, table, records in (found := renders()):
        try:
            made = render(template, table, engine=engine).to_pylist()
        except NotColumnar:
            assert explain(template), f"{template.name}: columns refuse the rows of a template that they can compile"
            continue
        by_columns += 1
        for record, row in zip(records, made, strict=True):
            compared += 1
            wanted = {"parts": record["rendered_parts"], "answer_choices": record["answer_choices_list"]}
            if row != wanted:
                wrong.append((record["dataset"], template.name, row, wanted))
    assert not wrong
    assert by_columns == len(found) if engine == "rows" else by_columns >= 0.95 * len(found)
    assert compared > 6_000


def one_row(row: dict[str, Any]) -> pa.Table:
    """A table of one row; a list of several types becomes a list of a union."""
    columns = {}
    for name, value in row.items():
        try:
            columns[name] = pa.array([value])
        except pa.ArrowException:
            kinds = pa.array(range(len(value)), pa.int8())
            items = pa.UnionArray.from_dense(
                kinds, pa.array([0] * len(value), pa.int32()), [pa.array([v]) for v in value]
            )
            columns[name] = pa.ListArray.from_arrays([0, len(value)], items)
    return pa.table(columns or {"fm_row": [0]})


def small_cases() -> list[Any]:
    if not GOLDEN.is_dir():
        return []
    return [pytest.param(case, id=case["case"]) for case in lines(GOLDEN / "micro.jsonl")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", small_cases())
def test_a_small_case_is_met(case: dict[str, Any], engine: Engine) -> None:
    own = {key: case[key] for key in ("jinja", "answer_choices", "truncate")}
    template = Template("case", dialect="promptsource", **own)
    if "error" in case:
        with pytest.raises((RowError, BadTemplate, NotColumnar, ValueError, TypeError)) as caught:
            render(template, one_row(case["row"]), engine=engine)
        raised = caught.value.__cause__ or caught.value
        assert type(raised).__name__ == case["error"]
        return
    try:
        (row,) = render(template, one_row(case["row"]), engine=engine).to_pylist()
    except NotColumnar:
        assert engine == "columns"
        assert explain(template)
        return
    assert row == {"parts": case["rendered_parts"], "answer_choices": case["answer_choices_list"]}
