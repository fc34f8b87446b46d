"""Options listed by columns beside a row at a time: shuffled, in several styles, answered by text, label or both.

    taskset -c 0 python benchmarks/options.py [--rounds 5] [--options 1000000]

Each time is the best of some rounds, and both ways have the same work: the list, the choices in the order shown and the
answer. The rows in Python draw with `random`, as people do.
"""

import argparse
import random
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from turns import best

from flanmix.options.library import listing
from flanmix.options.listing import Listed, listed
from flanmix.options.lists import TEXT
from flanmix.options.marks import marks
from flanmix.spec import Options

STYLES = ["bullets", "letters", "numbers", "roman", "inline-letters", "titled-letters"]
HOWS = {
    "one style, order kept": Options("bullets"),
    "one style, shuffled": Options("letters", order="shuffled"),
    "six styles, three targets, shuffled": Options(STYLES, order="shuffled", target={"text": 2, "label": 1, "both": 1}),
}
SHAPES = {"2 of 5 characters": (2, 5), "4 of 30": (4, 30), "10 of 12": (10, 12), "1,000 of 8": (1_000, 8)}
COLUMNS = ("options", "choices", "answer", "answer_index")


def drawn(rows: int, each: int, characters: int) -> tuple[pa.Array, pa.Array]:
    """Choices of about so many characters, no two alike in a row, and one of each row's as the answer."""
    numbers = np.random.default_rng(1)
    words = [f"{number:x} " * (characters // 3 + 1) for number in numbers.integers(0, 1 << 12, 5_000)]
    texts = [
        f"{words[number][: characters - 2]}{index % each:02}"
        for index, number in enumerate(numbers.integers(0, 5_000, rows * each))
    ]
    right = np.arange(rows) * each + numbers.integers(0, each, rows)
    flat = pa.array(texts, TEXT)
    choices = pa.ListArray.from_arrays(pa.array(np.arange(0, rows * each + 1, each, dtype=np.int32)), flat)
    return choices, flat.take(pa.array(right))


def by_rows(choices: pa.Array, answers: pa.Array, options: Options) -> list[dict[str, object]]:
    """What people write: a loop."""
    how, found, chance = listing(options), [], random.Random(0)
    draws = how.shuffled or len(how.styles) > 1
    for row, (texts, answer) in enumerate(zip(choices.to_pylist(), answers.to_pylist(), strict=True)):
        if draws:
            chance.seed(row)  # what a row gets must not hang on the rows before it
        if how.shuffled:
            chance.shuffle(texts)
        (style,) = chance.choices(how.styles, [style.weight for style in how.styles])
        (target,) = chance.choices(*zip(*how.targets, strict=True))
        signs = marks(style.labels, len(texts))
        items = [style.label.replace("{}", sign) + text for sign, text in zip(signs, texts, strict=True)]
        place = texts.index(answer)
        by_target = {"text": answer, "label": signs[place], "both": items[place].lstrip()}
        shown = style.start + style.separator.join(items) + style.end
        found.append(
            {
                "options": shown,
                "choices": texts,
                "answer": answer if style.labels == "none" else by_target[target],
                "answer_index": place,
            }
        )
    return found


def all_columns(found: Listed) -> dict[str, pa.Array]:
    return found.columns(COLUMNS)


def show(shape: str, name: str, count: int, rounds: int) -> None:
    each, characters = SHAPES[shape]
    rows, options = count // each, HOWS[name]
    choices, answers = drawn(rows, each, characters)
    numbers, epochs, how = np.arange(rows), np.zeros(rows, np.int64), listing(options)
    few = max(1, rows // 10)
    work: list[Callable[[], object]] = [
        lambda: all_columns(listed(choices, answers, numbers, epochs, how, seed=1, task="toy")),
        lambda: by_rows(choices[:few], answers[:few], options),
    ]
    columns, python = best(work, rounds)
    ours, theirs = rows * each / columns / 1e6, few * each / python / 1e6
    print(f"{shape:18} {name:36} {ours:10.2f} {theirs:10.2f} {ours / theirs:8.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--options", type=int, default=1_000_000)
    told = parser.parse_args()
    print(f"{'options a row':18} {'million options a second':36} {'columns':>10} {'rows':>10} {'times':>8}")
    for shape in SHAPES:
        for name in HOWS:
            show(shape, name, told.options, told.rounds)


if __name__ == "__main__":
    main()
