"""Whole prompts with exemplars beside a version that writes them row by row."""

from typing import Any

import numpy as np
import pytest

from flanmix.examples import Examples
from flanmix.plan import Plan
from flanmix.planner import plan_mixture
from flanmix.registry import load_registry
from flanmix.spec import Mixture, Options, Part, ShotFormat, Shots, Task, Template
from tests.shots.naive import Row, Wording, prompt

OPEN = [
    {"question": f"What is {n % 90}?" + "\n" * (n % 3), "answer": f"It is {n % 7}." * (1 + 3 * (n % 2))}
    for n in range(200)
]
"""Questions that come twice, long answers that several rows share."""
CHOSEN = [
    {
        "question": f"Which of them is {n // 2}?",
        "choices": [["red", "green", "blue"], ["blue", "red", "green"]][n % 2],
        "answer": "grey" if n % 11 == 5 else ["red", "green", "blue"][n // 2 % 3],
    }
    for n in range(120)
]
"""Every question twice, its options in another order; some answers are none of them."""
MANY = [{"question": f"{n} + {n}?", "answer": str(2 * n)} for n in range(700)]

ASK = Template("ask", input="Q: {{ question }}", target="{{ answer }}")
TELL = Template("tell", input="{{ question }} Tell me.", target="Well: {{ answer }}")
PICK = Template("pick", input="{{ question }}\n{{ options }}", target="{{ answer }}", tags=["options"])
CHOOSE = Template("choose", input="Choose.\n{{ options }}\n{{ question }}", target="{{ answer }}!", tags=["options"])
WORDINGS = {
    "open": [
        (ASK, lambda row: (f"Q: {row['question']}", row["answer"])),
        (TELL, lambda row: (f"{row['question']} Tell me.", f"Well: {row['answer']}")),
    ],
    "chosen": [
        (PICK, lambda row: (f"{row['question']}\n{row['options']}", row["answer"])),
        (CHOOSE, lambda row: (f"Choose.\n{row['options']}\n{row['question']}", row["answer"] + "!")),
    ],
}
FORMATS = ["plain", "qa", "rule", ShotFormat("mine", input_prefix="> ", cue=" =", between=" ", separator=" ;; ")]
MIXED = Options(["bullets", "letters", "numbers"], order="shuffled", target={"text": 1, "label": 2, "both": 1})


def planned(kind: str, rows: list[Row], **mixture: Any) -> tuple[Plan, Examples, list[Wording]]:
    templates = [template for template, _ in WORDINGS[kind]]
    task = Task(f"toy/{kind}", type="arithmetic", source=rows, templates=templates)
    registry = load_registry(specs=[task], bundled=False, plugins=False)
    found = plan_mixture(Mixture("toy", parts=[Part("*")], rows=300, seed=11, **mixture), registry)
    wordings = [Wording(template.name, pair) for template, pair in WORDINGS[kind]]
    return found.plan, Examples(found.plan, found.files), wordings


@pytest.mark.parametrize(
    ("kind", "rows", "mixture"),
    [
        ("open", OPEN, {"shots": 3}),
        ("open", OPEN, {"shots": Shots({1: 1, 2: 1, 4: 2}, formats=FORMATS), "styles": {"few_shot": 0.7}}),
        ("open", OPEN, {"shots": Shots({"min": 1, "max": 5}, place="turns", templates="own")}),
        ("open", OPEN, {"shots": Shots(2, templates="own", formats=FORMATS), "separator": " "}),
        ("open", MANY, {"shots": Shots(4, templates="own")}),
        ("chosen", CHOSEN, {"shots": 3, "options": MIXED}),
        ("chosen", CHOSEN, {"shots": Shots(3, place="turns", templates="own"), "options": MIXED}),
        ("chosen", CHOSEN, {"shots": Shots(3, templates="own", formats=FORMATS), "options": MIXED}),
        ("chosen", CHOSEN, {"shots": Shots(3), "options": Options("letters", target="label")}),
    ],
)
def test_every_prompt_is_what_is_written_row_by_row(kind: str, rows: list[Row], mixture: dict[str, Any]) -> None:
    plan, examples, wordings = planned(kind, rows, **mixture)
    tasks, draws = plan.order.slice(0, plan.rows)
    wanted = plan.number_of_shots(0, draws)
    made = {row["position"]: row for row in examples.slice(0, plan.rows).table.to_pylist()}
    epochs, numbers = plan.indices(0, draws)
    taken_in_all = 0
    for position in range(plan.rows):
        row, epoch = int(numbers[position]), int(epochs[position])
        example = examples.example(position)
        own = next(each for each in wordings if each.name == example.template)
        how = (plan.options, plan.shots, plan.seed, plan.tasks[0].name)
        expected = prompt(rows, row, epoch, int(wanted[position]), own, wordings, *how)
        if expected is None:
            assert example.dropped == "the answer is not one of the options"
            assert position not in made
            continue
        text, turns, taken = expected
        found = made[position]
        assert (found["input"], found["fm_shots"]) == (text, taken)
        assert [(pair["user"], pair["assistant"]) for pair in found.get("history", [])] == turns
        assert (example.input, example.shots, list(example.history)) == (text, tuple(taken), turns)
        taken_in_all += len(taken)
    assert taken_in_all == int(wanted[[position in made for position in range(plan.rows)]].sum())
    assert np.all(tasks == 0)
