"""flanmix turns source datasets into instruction-tuning mixtures.

>>> import flanmix as fm
>>> tasks = fm.load_registry()
>>> mix = fm.Mixture("mini", parts=[fm.Part("geography/*"), fm.Part("type:nli", weight=2)], max_epochs=4)
>>> plan = mix.plan(tasks, rows=300, seed=7)
>>> plan.counts
{'geography/capitals': 100, 'inference/everyday': 200}
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flanmix._version import __version__

if TYPE_CHECKING:
    from flanmix.api import Built, EvalSets, Mixture, Plan, Registry, evalset, load_registry
    from flanmix.errors import (
        BuildError,
        FlanmixError,
        PlanError,
        SourceError,
        SpecError,
        TemplateError,
        UsageError,
    )
    from flanmix.examples import Example
    from flanmix.extracting import extracted
    from flanmix.generators.draw import Draw
    from flanmix.manifest import verify
    from flanmix.spec import (
        Family,
        FileSource,
        GeneratorSource,
        HubSource,
        Limits,
        Part,
        TableSource,
        Task,
        Template,
    )

_HOMES = {
    "flanmix.api": ("Built", "EvalSets", "Mixture", "Plan", "Registry", "evalset", "load_registry"),
    "flanmix.errors": (
        "BuildError",
        "FlanmixError",
        "PlanError",
        "SourceError",
        "SpecError",
        "TemplateError",
        "UsageError",
    ),
    "flanmix.examples": ("Example",),
    "flanmix.extracting": ("extracted",),
    "flanmix.generators.draw": ("Draw",),
    "flanmix.manifest": ("verify",),
    "flanmix.spec": (
        "Family",
        "FileSource",
        "GeneratorSource",
        "HubSource",
        "Limits",
        "Part",
        "TableSource",
        "Task",
        "Template",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 (as in the table above)
    "__version__",
    "Built",
    "EvalSets",
    "Mixture",
    "Plan",
    "Registry",
    "evalset",
    "load_registry",
    "BuildError",
    "FlanmixError",
    "PlanError",
    "SourceError",
    "SpecError",
    "TemplateError",
    "UsageError",
    "Example",
    "extracted",
    "Draw",
    "verify",
    "Family",
    "FileSource",
    "GeneratorSource",
    "HubSource",
    "Limits",
    "Part",
    "TableSource",
    "Task",
    "Template",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import flanmix` loads nothing heavy."""
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'flanmix' has no attribute '{name}'")


def __dir__() -> list[str]:
    return list(__all__)
