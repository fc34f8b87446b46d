"""Answers to choose from, as builds list them: shuffled by chance, always with the right one, and told by its label."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.examples import Examples
from flanmix.mapped import Mapped
from flanmix.spec import Options, OptionStyle
from tests.toy import built, manifest_of, toy_plan

COLOURS = ["red", "green", "blue", "grey"]
ASK = fm.Template("ask", input="{{ question }}\n{{ options }}", target="{{ answer }}", tags=["options"])
LINES = OptionStyle("barred", labels="capitals", label="{}|")
"""A style whose list is read back without guessing."""


def task(rows: int, wrong: int = 0) -> fm.Task:
    """Questions with four choices; of every `wrong` rows one has an answer that is none of them."""
    number = np.arange(rows)
    answers = np.array(COLOURS)[number * 7 // 3 % 4].tolist()
    if wrong:
        answers = ["pink" if n % wrong == 0 else answer for n, answer in enumerate(answers)]
    source = pa.table({"question": [f"Q{n}" for n in range(rows)], "choices": [COLOURS] * rows, "answer": answers})
    return fm.Task("toy/colours", type="multiple_choice", source=source, templates=[ASK])


def shown(prompt: str) -> dict[str, str]:
    """The options of a prompt by their labels."""
    return dict(line.split("|") for line in prompt.strip().split("\n")[1:])


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for file in sorted((folder / "data").glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def chi_square(counts: list[int]) -> float:
    """How far counts are from equal ones, in standard deviations of what chance gives."""
    expected, freedom = sum(counts) / len(counts), len(counts) - 1
    return (sum((count - expected) ** 2 / expected for count in counts) - freedom) / float(np.sqrt(2 * freedom))


@pytest.mark.slow
def test_every_order_of_100_000_rows_is_as_likely_and_every_place_as_often_the_right_one() -> None:
    plan = toy_plan(task(100_000), rows=100_000, options=Options(LINES, order="shuffled", target="label"))
    found = Examples(plan._planned.plan, plan._planned.files).slice(0, 100_000).table
    orders = Counter(prompt.partition("\n")[2] for prompt in found.column("input").to_pylist())
    assert len(orders) == 24
    assert abs(chi_square(list(orders.values()))) < 5
    labels = Counter(found.column("target").to_pylist())
    assert sorted(labels) == ["A", "B", "C", "D"]
    assert abs(chi_square(list(labels.values()))) < 5


@pytest.mark.parametrize("order", ["kept", "shuffled"])
@pytest.mark.parametrize("shots", [None, 2])
def test_a_label_points_at_the_right_option_in_the_prompt(order: Any, shots: int | None, tmp_path: Path) -> None:
    source = task(200)
    plan = toy_plan(source, rows=200, shots=shots, options=Options(LINES, order=order, target="label"))
    answers = [row["answer"] for row in Mapped(plan._planned.files[0]).table.to_pylist()]
    for row in rows_of(built(plan, tmp_path / "out")):
        *before, own = row["prompt"].strip().split("\n\n")
        assert len(before) == (shots or 0)
        assert sorted(shown(own).values()) == sorted(COLOURS)
        assert shown(own)[row["completion"]] == answers[row["fm_row"]]
        for text, number in zip(before, row["fm_shots"], strict=True):
            asked, _, label = text.rpartition("\n")
            assert asked.startswith(f"Q{number}\n")
            assert shown(asked)[label] == answers[number]


@pytest.mark.parametrize(("target", "expected"), [("text", "{text}"), ("label", "{label}"), ("both", "{label}|{text}")])
def test_the_target_is_what_is_asked_for(target: Any, expected: str) -> None:
    for example in toy_plan(task(40), rows=40, options=Options(LINES, order="shuffled", target=target)):
        right = COLOURS[example.row * 7 // 3 % 4]
        label = next(label for label, text in shown(example.input).items() if text == right)
        assert example.target == expected.format(label=label, text=right)


def test_shares_of_targets_and_styles_are_near_what_is_asked_and_each_row_says_its_style() -> None:
    options = Options({"letters": 1, "bullets": 3}, target={"text": 1, "label": 1})
    rows = Examples(*_parts(toy_plan(task(4_000), rows=4_000, options=options))).slice(0, 4_000).table.to_pylist()
    styles = Counter(row["fm_style"] for row in rows)
    assert set(styles) == {"options:letters", "options:bullets"}
    assert abs(styles["options:letters"] - 1_000) < 150
    labels = [len(row["target"]) == 1 for row in rows if row["fm_style"] == "options:letters"]
    assert abs(sum(labels) - len(labels) / 2) < 80
    assert all(len(row["target"]) > 1 for row in rows if row["fm_style"] == "options:bullets")


def _parts(plan: fm.Plan) -> Any:
    return plan._planned.plan, plan._planned.files


@pytest.mark.parametrize("options", [Options(), Options(LINES, order="shuffled", target="label")])
@pytest.mark.parametrize("shots", [None, 3])
def test_rows_whose_answer_is_no_option_are_dropped_and_counted_and_are_no_exemplars(
    options: Options, shots: int | None, tmp_path: Path
) -> None:
    plan = toy_plan(task(100, wrong=5), rows=100, shots=shots, options=options)
    folder = built(plan, tmp_path / "out")
    (counts,) = manifest_of(folder)["tasks"]
    assert (counts["planned"], counts["written"]) == (100, 80)
    assert counts["dropped"] == {"the answer is not one of the options": 20}
    rows = rows_of(folder)
    assert all(row["fm_row"] % 5 for row in rows)
    assert all(len(row["fm_shots"]) == (shots or 0) and all(n % 5 for n in row["fm_shots"]) for row in rows)


def test_another_epoch_lists_options_in_another_order_and_the_same_seed_in_the_same() -> None:
    def orders(seed: int) -> dict[tuple[int, int], tuple[str, ...]]:
        plan = toy_plan(task(30), rows=60, seed=seed, options=Options(LINES, order="shuffled"))
        return {(example.row, example.epoch): tuple(shown(example.input).values()) for example in plan}

    found = orders(1)
    assert found == orders(1)
    assert found != orders(2)
    assert sum(found[row, 0] != found[row, 1] for row in range(30)) > 20
