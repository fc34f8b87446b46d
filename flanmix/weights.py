"""Shares of tasks by name, read and written as JSON, and drawn around those that a plan has."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flanmix.durable import write_text
from flanmix.errors import Problem, SpecError
from flanmix.order import key64

_TRAIN, _EVAL = "train_domain_weights", "eval_domain_weights"
_DIGITS = 12
_MOST = sys.float_info.max


def read_weights(file: str | Path) -> dict[str, float]:
    """Weights by name: a JSON object, or one with such an object under `train_domain_weights`, as DoReMi publishes.

    Raises `SpecError` with every value that is no weight. Weights are relative: they need not add up to 1.
    """
    shown = str(file)
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        hint = "name a JSON file with weights by task"
        raise SpecError(Problem(f"cannot be read: {error.strerror}", file=shown, hint=hint)) from error
    except (ValueError, RecursionError) as error:
        raise SpecError(Problem(f"is no JSON: {error}", file=shown, hint="write it like {'task': 0.5}")) from error
    if isinstance(found, dict) and isinstance(found.get(_TRAIN), dict):
        found = found[_TRAIN]
    if not isinstance(found, dict) or not found:
        raise SpecError(Problem("holds no weights", file=shown, hint="write it like {'task': 0.5}"))
    wrong = [name for name, weight in found.items() if not _is_weight(weight)]
    if wrong:
        hint = "a weight is a number above 0: leave out tasks that are to have none"
        raise SpecError([Problem(f"is {found[name]!r}", file=shown, key=name, hint=hint) for name in wrong])
    return {name: float(weight) for name, weight in found.items()}


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MOST


def write_weights(weights: Mapping[str, float], file: str | Path) -> None:
    """Write weights by name in the form that DoReMi publishes and reads."""
    named = dict(sorted(weights.items()))
    write_text(Path(file), json.dumps({_TRAIN: named, _EVAL: named}, indent=1, ensure_ascii=False) + "\n")


def draw_weights(shares: Mapping[str, float], alpha: float, seed: int, number: int) -> dict[str, float]:
    """Shares drawn from a Dirichlet distribution around these, the `number`-th of a seed.

    Its parameters are alpha times the shares, so the mean of each share p is p and its variance p(1 - p)/(alpha + 1).

    >>> drawn = draw_weights({"a": 0.5, "b": 0.5}, alpha=1e9, seed=7, number=0)
    >>> round(drawn["a"], 3), round(sum(drawn.values()), 9)
    (0.5, 1.0)
    """
    names = sorted(name for name, share in shares.items() if share > 0)
    draw = np.random.Generator(np.random.PCG64(key64(seed, "weights", number)))
    drawn = draw.dirichlet([alpha * shares[name] for name in names])
    rounded = {name: float(f"{weight:.{_DIGITS}g}") for name, weight in zip(names, drawn.tolist(), strict=True)}
    return {name: weight for name, weight in rounded.items() if weight > 0}
