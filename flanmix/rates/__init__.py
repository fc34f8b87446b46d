"""Sizes to shares to integers: how many rows each task gives.

`sizes` has the rate of a task, `tree` the parts and tasks that share a budget, `quotas` what is asked across them,
`solver` solves them, `presets` the mixing rules of the literature by name.
"""

from flanmix.rates.presets import PRESETS, effective_epochs, per_template_rate, replay
from flanmix.rates.quotas import Conflict, InfeasibleError, Portion, Quota, Relaxed, Solution, named
from flanmix.rates.remainders import largest_remainder
from flanmix.rates.sizes import exact, power, rate
from flanmix.rates.solver import pour, solve
from flanmix.rates.tree import Group, Leaf, Node, Poured, ceiling_of, floor_of

__all__ = [
    "PRESETS",
    "Conflict",
    "Group",
    "InfeasibleError",
    "Leaf",
    "Node",
    "Portion",
    "Poured",
    "Quota",
    "Relaxed",
    "Solution",
    "ceiling_of",
    "effective_epochs",
    "exact",
    "floor_of",
    "largest_remainder",
    "named",
    "per_template_rate",
    "pour",
    "power",
    "rate",
    "replay",
    "solve",
]
