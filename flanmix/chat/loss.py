"""The loss that labels ask for: L = -sum of log P(y_t | x, y_<t) over the labels that are not -100.

Labels are aligned with `input_ids`: `labels[t]` is `input_ids[t]` where that token is trained. The model's scores after
token t - 1 are those for token t, so trainers shift: scores `[:-1]` against labels `[1:]`. The first label of a row is
never reached; no token comes before it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

IGNORED = -100


def loss(logits: npt.NDArray[np.floating[Any]], labels: Sequence[int] | npt.NDArray[np.int64]) -> float:
    """The sum over one row, with `logits` of tokens × vocabulary; trainers mostly divide it by the number of terms.

    >>> round(loss(np.zeros((3, 4)), [-100, 2, 3]), 4)  # 2 log 4
    2.7726
    """
    targets = np.asarray(labels, np.int64)[1:]
    scores = np.asarray(logits, np.float64)[:-1]
    places = np.flatnonzero(targets != IGNORED)
    asked = scores[places]
    highest = asked.max(axis=1, keepdims=True, initial=-np.inf)
    norms = highest[:, 0] + np.log(np.exp(asked - highest).sum(axis=1))
    return float((norms - asked[np.arange(len(places)), targets[places]]).sum())
