"""The Python face: registry, mixture, plan, built folder."""

from flanmix.api.evalsets import EvalSets, evalset
from flanmix.api.mixtures import Mixture, with_choices
from flanmix.api.plans import Built, Plan, StagedPlan, plan_of
from flanmix.api.tasks import Registry, Task, load_registry

__all__ = [
    "Built",
    "EvalSets",
    "Mixture",
    "Plan",
    "Registry",
    "StagedPlan",
    "Task",
    "evalset",
    "load_registry",
    "plan_of",
    "with_choices",
]
