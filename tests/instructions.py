"""Natural Instructions in their public form: tasks of our own, and files made around real definitions."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2] / "shared" / "data" / "niv2" / "tasks.jsonl"
COUNTING = {
    "Contributors": ["Somebody"],
    "Source": ["garden_notes"],
    "URL": ["https://example.org/garden"],
    "Categories": ["Question Answering"],
    "Reasoning": ["Numerical Reasoning"],
    "Definition": ["Count the tools that the note names, and answer with a number."],
    "Input_language": ["English"],
    "Output_language": ["English"],
    "Instruction_language": ["English"],
    "Domains": ["Nature", "Home"],
    "Positive Examples": [
        {"input": "A spade and a rake.", "output": "2", "explanation": "Both are tools."},
        {"input": "One hoe\nby the gate.", "output": "1", "explanation": "-"},
    ],
    "Negative Examples": [{"input": "A rose.", "output": "1", "explanation": "A rose is no tool."}],
    "Instances": [
        {"id": "garden-1", "input": "A fork, a hoe and a hose.", "output": ["3", "three"]},
        {"id": "garden-2", "input": "  A spade  and a rake. ", "output": ["2"]},
        {"id": "garden-3", "input": "One hoe by the gate.", "output": ["1"]},
        {"id": "garden-4", "input": "A rose.", "output": ["0"]},
    ],
    "Instance License": ["CC BY 4.0"],
}
"""A task in the public form. Three of its four instances are examples too."""


def task(**changes: Any) -> dict[str, Any]:
    """A task in the public form, with other values under some keys (`Positive_Examples` for 'Positive Examples')."""
    names = {key.replace(" ", "_"): key for key in COUNTING}
    return {**COUNTING, **{names[key]: value for key, value in changes.items()}}


def instances(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    """Instances of these inputs and outputs, each with an id of its own."""
    return [{"id": f"i{number}", "input": text, "output": output} for number, (text, output) in enumerate(pairs)]


def write(folder: Path, tasks: Mapping[str, Any]) -> Path:
    """Write tasks to files of their names; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in tasks.items():
        (folder / f"{name}.json").write_text(json.dumps(value, indent=4, ensure_ascii=False), encoding="utf-8")
    return folder


def around(lines: Iterable[str], rows: int) -> dict[str, Any]:
    """Tasks made of real definitions and examples, with `rows` made-up instances; the first is the example itself."""
    made = {}
    for number, line in enumerate(lines):
        told = json.loads(line)
        example = told["positive_examples"]
        others = [{"input": f"Another, {each}: {number}", "output": f"O{each}"} for each in range(number % 4)]
        wrong = [{"input": f"Wrong, {each}: {number}", "output": f"W{each}"} for each in range(number % 3)]
        pairs = [(f" {example['input']}\n", [example["output"]])]
        pairs += [(f"Case {each} of {number}: {example['input'][:80]}", [f"Answer {each}"]) for each in range(1, rows)]
        made[told["task"]] = task(
            Definition=[told["definition"]],
            Positive_Examples=[example, *others],
            Negative_Examples=wrong or [{"input": "-", "output": "-", "explanation": "-"}],
            Instances=instances(*pairs),
        )
    return made
