"""The columnar path beside the compiled row path, template by template, in one run.

    python benchmarks/rendering.py [--rows 20000] [--collection-rows 2000] [--rounds 3]

First templates of constants, columns and choices, written for this file, over a table of texts and labels. Then all
templates of the promptsource collection beside the checkout (left out where it is not there) over its golden rows,
repeated; in each repeat every long text, nested ones too, gets a number of its own, so that no value of them comes
twice. Both engines render the same table in turns; processor time counts, the least of the rounds, and the bytes are
compared.
"""

import argparse
import gzip
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanmix.render import Engine, NotColumnar, render
from flanmix.spec import Template

GOLDEN = Path(__file__).parent.parent.parent / "shared" / "p3" / "golden" / "golden.jsonl.gz"
WORDS = [
    "river",
    "stone",
    "window",
    "paper",
    "garden",
    "letter",
    "morning",
    "candle",
    "bridge",
    "market",
    "winter",
    "silver",
    "mountain",
    "harbour",
]
PLAIN = [
    Template("columns", input="Read this.\n\n{{ passage }}\n\n{{ question }}", target="{{ answer }}"),
    Template("label", input="{{ passage }}\nIs that so?", target="{{ ['no', 'maybe', 'yes'][label] }}"),
    Template(
        "choices",
        dialect="promptsource",
        jinja="{{ passage }}\nQuestion: {{ question }} ||| {{ answer_choices[label] }}",
        answer_choices="No ||| Maybe ||| Yes",
    ),
    Template(
        "options",
        dialect="promptsource",
        jinja='{{ passage }} {{ question }} One of {{ answer_choices | join(", ") }}. ||| {{ answer_choices[label] }}',
        answer_choices="No ||| Maybe ||| Yes",
    ),
]


def plain_table(rows: int) -> pa.Table:
    """Passages of about 250 characters, questions, answers, labels."""
    passages = [" ".join(WORDS[(row * 7 + step * (1 + row % 5)) % 14] for step in range(36)) for row in range(rows)]
    return pa.table(
        {
            "passage": passages,
            "question": [f"What comes after {WORDS[row % 14]} number {row}?" for row in range(rows)],
            "answer": [f"{WORDS[(row + 1) % 14]} {row + 1}" for row in range(rows)],
            "label": [row % 3 for row in range(rows)],
        }
    )


def measure(template: Template, table: pa.Table, rounds: int) -> tuple[float, float]:
    """Seconds by rows and by columns, each the best of some rounds, taken in turns; raises `NotColumnar`."""
    seconds: dict[Engine, list[float]] = {"rows": [], "columns": []}
    made = {}
    for _ in range(rounds):
        for engine, taken in seconds.items():
            started = time.process_time()
            made[engine] = render(template, table, engine=engine)
            taken.append(time.process_time() - started)
    assert made["rows"].equals(made["columns"]), template.name
    return min(seconds["rows"]), min(seconds["columns"])


def collection(rows: int) -> Iterator[tuple[str, Template, pa.Table]]:
    """Every template that has golden renders, with a table of its dataset."""
    by_template: dict[tuple[str, ...], dict[str, Any]] = defaultdict(dict)
    with gzip.open(GOLDEN) as lines:
        for line in lines:
            record = json.loads(line.decode("utf-8", "surrogatepass"))
            if "pipe_quirk" not in record["flags"]:
                keys = ("dataset", "config", "template_name", "jinja", "answer_choices")
                seeds = by_template[tuple(record[key] for key in keys)]
                seeds[json.dumps(record["row"], sort_keys=True)] = record["row"]
    for (dataset, config, name, jinja, choices), found in by_template.items():
        seeds = list(found.values())
        made = [numbered(seeds[row % len(seeds)], row) for row in range(rows)]
        table = pa.table({column: pa.array([row[column] for row in made]) for column in seeds[0]})
        template = Template(name, dialect="promptsource", jinja=jinja, answer_choices=choices)
        yield f"{dataset}/{config or ''}", template, table


def numbered(value: Any, number: int) -> Any:
    """A value in which every text of more than 20 characters carries the number."""
    if isinstance(value, str):
        return f"{value} {number}" if len(value) > 20 else value
    if isinstance(value, list):
        return [numbered(each, number) for each in value]
    if isinstance(value, dict):
        return {key: numbered(each, number) for key, each in value.items()}
    return value


def show_plain(rows: int, rounds: int) -> None:
    table = plain_table(rows)
    for template in PLAIN:
        by_rows, by_columns = measure(template, table, rounds)
        rate = rows / by_columns
        print(
            f"{template.name:10} {by_rows / by_columns:6.1f} x the row path ({rate:11,.0f} rows/s by columns)",
            flush=True,
        )


def show_collection(rows: int, rounds: int, worst: int) -> None:
    if not GOLDEN.is_file():
        print("the promptsource collection is not there: left out")
        return
    found: list[tuple[float, float, float, str]] = []
    needing_rows = 0
    for dataset, template, table in collection(rows):
        try:
            by_rows, by_columns = measure(template, table, rounds)
        except NotColumnar as reason:
            needing_rows += 1
            print(f"  by rows: {dataset} {template.name}: {reason}")
            continue
        found.append((by_rows / by_columns, by_rows, by_columns, f"{dataset} {template.name}"))
    ratios = [each[0] for each in found]
    whole = sum(each[1] for each in found) / sum(each[2] for each in found)
    print(f"{len(found)} of {len(found) + needing_rows} templates of the collection are columnar")
    print(f"mean of their ratios {statistics.mean(ratios):.1f} x, median {statistics.median(ratios):.1f} x,")
    print(f"harmonic mean {statistics.harmonic_mean(ratios):.1f} x, all templates one after the other {whole:.1f} x")
    for ratio, by_rows, by_columns, name in sorted(found)[:worst]:
        print(f"  {ratio:5.1f} x  {by_rows * 1e6 / rows:7.2f} and {by_columns * 1e6 / rows:6.2f} µs a row  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--collection-rows", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worst", type=int, default=10, help="how many of the slowest templates to name")
    options = parser.parse_args()
    show_plain(options.rows, options.rounds)
    show_collection(options.collection_rows, options.rounds, options.worst)


if __name__ == "__main__":
    main()
