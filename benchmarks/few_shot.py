"""Three-shot prompts by columns beside the same prompts by rows, in one run.

    python benchmarks/few_shot.py [--rows 20000] [--source-rows 50000] [--rounds 3]

One task with three wordings over passages, questions and answers of which no two are equal; another whose wordings list
four options. By columns: everything that a build does before it writes, so rows are drawn, exemplars are drawn, checked
against duplicates, rendered and joined. By rows: the compiled row path renders each row and its exemplars one after the
other and Python joins them; which rows those are is known beforehand, and no time is counted for it. The bytes are
compared. The least of the rounds counts, taken in turns.
"""

import argparse
import random

import pyarrow as pa
from turns import best

import flanmix as fm
from flanmix.examples import Examples
from flanmix.planner import plan_mixture
from flanmix.render.environment import compile_template

WORDS = ["river", "stone", "window", "paper", "garden", "letter", "morning", "candle", "bridge", "market", "winter"]
SEPARATOR = "\n"
PLAIN = [
    fm.Template("read", input="Read this.\n\n{{ passage }}\n\n{{ question }}", target="{{ answer }}"),
    fm.Template("ask", input="{{ question }}\n\n{{ passage }}", target="{{ answer }}"),
    fm.Template("say", input="Text: {{ passage }}\nQuestion: {{ question }}\nAnswer:", target="{{ answer }}"),
]
LISTING = [
    fm.Template(
        "read", input="{{ passage }}\n\n{{ question }}\n{{ options }}", target="{{ answer }}", tags=["options"]
    ),
    fm.Template(
        "pick", input="{{ question }}\n{{ options }}\n\n{{ passage }}", target="{{ answer }}", tags=["options"]
    ),
]


def table(rows: int) -> pa.Table:
    draw = random.Random(7)
    choices = [draw.sample(WORDS, 4) for _ in range(rows)]
    return pa.table(
        {
            "passage": [" ".join(draw.choices(WORDS, k=30)) + f" {number}." for number in range(rows)],
            "question": [f"What is said of number {number}?" for number in range(rows)],
            "choices": choices,
            "answer": [draw.choice(each) for each in choices],
        }
    )


def by_rows(examples: pa.Table, rows: list[dict[str, object]], templates: dict[str, fm.Template]) -> list[str]:
    """The inputs of some examples, each with its exemplars, rendered row by row."""
    programs = {
        name: (compile_template(each.input or ""), compile_template(each.target or ""))
        for name, each in templates.items()
    }
    found = []
    for name, row, shots in zip(
        *(examples[name].to_pylist() for name in ("fm_template", "fm_row", "fm_shots")), strict=True
    ):
        asked, answered = programs[name]
        shown = [asked.render(rows[shot]) + SEPARATOR + answered.render(rows[shot]) + "\n\n" for shot in shots]
        found.append("".join(shown) + asked.render(rows[row]))
        answered.render(rows[row])
    return found


def measure(name: str, source: pa.Table, templates: list[fm.Template], options: argparse.Namespace) -> None:
    """Print how long both take for the rows of one task."""
    task = fm.Task(f"bench/{name}", type="reading_comprehension", source=source, templates=templates)
    registry = fm.load_registry(specs=[task], bundled=False, plugins=False)
    mixture = fm.Mixture(name, parts=[fm.Part("*")], rows=options.rows, shots=3, separator=SEPARATOR)
    planned = plan_mixture(mixture, registry)
    by_id = {each.id: each.template for each in planned.plan.tasks[0].templates}
    rows = source.append_column("options", pa.array(["- " + "\n- ".join(c) for c in source["choices"].to_pylist()]))
    dicts = rows.to_pylist()
    ready = Examples(planned.plan, planned.files, ahead=options.rows)
    examples = ready.slice(0, options.rows).table
    if examples["input"].to_pylist() != by_rows(examples, dicts, by_id):
        raise SystemExit(f"{name}: the bytes differ")

    def columns() -> None:
        Examples(planned.plan, planned.files, ahead=options.rows).slice(0, options.rows)

    took = best([columns, lambda: by_rows(examples, dicts, by_id)], options.rounds)
    megabytes = examples["input"].nbytes / 1e6
    print(f"{name}: {examples.num_rows:,} prompts of 3 exemplars, {megabytes:.0f} MB")
    for what, seconds in zip(("by columns", "by rows"), took, strict=True):
        print(f"  {what:10} {seconds:7.3f} s {examples.num_rows / seconds:12,.0f} prompts/s")
    print(f"  {took[1] / took[0]:.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--source-rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    source = table(options.source_rows)
    measure("plain", source, PLAIN, options)
    measure("options", source, LISTING, options)


if __name__ == "__main__":
    main()
