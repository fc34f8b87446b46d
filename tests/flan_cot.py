"""The five chain-of-thought sets of ../shared/data/flan_cot as tasks: question, choices, rationale and answer apart.

The files have no header. In them a line break is written as a backslash and an n, the choices of aqua, ecqa and some
rows of creak stand at the end of the question, below "Options:", and the answers of aqua are letters.
"""

from pathlib import Path
from typing import Any

from flanmix.spec import FileSource, Task, TemplateUse

DATA = Path(__file__).parents[2] / "shared" / "data" / "flan_cot"
REASON = f"the five TSV files are not in {DATA}"
"""What a test says that is skipped without them."""

_QUESTION = r'{{ asked.split("\\nOptions:\\n")[0] | replace("\\n", "\n") | trim }}'
_RATIONALE = r'{{ rationale | replace("\\n", "\n") | trim }}'
_OPTIONS = r'asked.split("\\nOptions:\\n")[1]'
_LETTERED = _OPTIONS + "".join(rf' | replace("({letter})", "")' for letter in "ABCDE")
_IN_AQUA = rf'({_LETTERED}).split("\\n") | map("trim")'
_IN_ECQA = rf'{_OPTIONS}[2:].split("\\n- ")'
_TWICE = "{{{{ {} | unique | list | length < 5 }}}}"

_OPEN = {"question": _QUESTION, "rationale": _RATIONALE, "answer": "answer"}
_SETS: dict[str, dict[str, Any]] = {
    "aqua": {
        "type": "math_word_problems",
        "fields": {
            "question": _QUESTION,
            "choices": f"{{{{ {_IN_AQUA} | list }}}}",
            "rationale": _RATIONALE,
            "answer": '{{ choices["ABCDE".index(answer[1])] }}',
        },
        "drop": _TWICE.format(_IN_AQUA),
    },
    "creak": {"type": "commonsense", "fields": {**_OPEN, "choices": ("yes", "no")}},
    "ecqa": {
        "type": "commonsense",
        "fields": {**_OPEN, "choices": f"{{{{ {_IN_ECQA} }}}}"},
        "drop": _TWICE.format(_IN_ECQA),
    },
    "gsm8k": {"type": "math_word_problems", "fields": _OPEN},
    "strategyqa": {"type": "reasoning", "fields": _OPEN},
}


def flan_cot(folder: Path = DATA) -> tuple[Task, ...]:
    """The tasks `cot/aqua` … `cot/strategyqa`, served by the families `reasoning` and `reasoning_with_options`.

    Rows that give one choice twice are dropped; all others are usable.
    """
    return tuple(
        Task(
            f"cot/{name}",
            tags=("english", "cot"),
            source=FileSource(files=str(folder / f"{name}_train.tsv"), columns=("asked", "answer", "rationale")),
            templates=TemplateUse(use=("reasoning_with_options" if "choices" in values["fields"] else "reasoning",)),
            languages=("en",),
            **values,
        )
        for name, values in _SETS.items()
    )
