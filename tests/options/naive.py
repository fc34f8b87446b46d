"""Options a row at a time, in plain Python: what the columns must equal."""

from typing import Any

import numpy as np

from flanmix.keyed import key64, keyed_words
from flanmix.options.drawing import Listing
from flanmix.options.marks import marks
from flanmix.weyl import Arcs


def word(seed: int, task: str, purpose: str, row: int, epoch: int) -> Any:
    return keyed_words(int(keyed_words(key64(seed, task, purpose), [row])[0]), [epoch])


def place_of(answer: str | None, shown: list[str]) -> int:
    """The first that is equal, or else the first that is equal but for white space around it."""
    if answer is None:
        return -1
    bare = [text.strip() for text in shown]
    near = bare.index(answer.strip()) if answer.strip() in bare else -1
    return shown.index(answer) if answer in shown else near


def listed_row(
    choices: list[str | None] | None, answer: str | None, row: int, epoch: int, how: Listing, seed: int, task: str
) -> dict[str, Any]:
    shown = list(choices or [])
    key = int(word(seed, task, "option order", row, epoch)[0])
    if how.shuffled:
        chance = (keyed_words(key, np.arange(len(shown))) >> np.uint64(32)).tolist()
        shown = [shown[place] for place in sorted(range(len(shown)), key=lambda place: (chance[place], place))]
    style = _drawn(how.styles, [each.weight for each in how.styles], word(seed, task, "option style", row, epoch))
    weights = [weight for _, weight in how.targets]
    target, _ = _drawn(how.targets, weights, word(seed, task, "option target", row, epoch))
    made = {"choices": None if choices is None else shown, "style": style.name, "answer_index": -1}
    texts = [text for text in shown if text is not None]
    made["answer_index"] = place = place_of(answer, [text if text is not None else "\0none" for text in shown])
    if not shown or len(texts) < len(shown) or place < 0 or not (answer or "").strip():
        return {**made, "options": None, "answer": None}
    between = style.separator
    if "\n" not in between and any("\n" in text or between in text for text in texts):
        between = "\n"
    signs = marks(style.labels, len(texts))
    items = [style.label.replace("{}", sign) + text for sign, text in zip(signs, texts, strict=True)]
    by_target = {"text": texts[place], "label": signs[place], "both": items[place].lstrip()}
    text = by_target["text" if style.labels == "none" else target]
    return {**made, "options": style.start + between.join(items) + style.end, "answer": text}


def _drawn(items: Any, weights: list[float], words: Any) -> Any:
    from fractions import Fraction

    from flanmix.rates import exact

    return items[int(Arcs.of(Fraction(1), [exact(weight) for weight in weights]).at(words)[0])]
