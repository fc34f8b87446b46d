"""Mixtures over tasks of which only names and sizes matter, resolved and solved."""

from collections.abc import Mapping

import pytest

from flanmix.allot import Allotment, Sizes, allot
from flanmix.errors import PlanError
from flanmix.planner import resolved
from flanmix.recipe import Recipe
from flanmix.registry import Registry, load_registry
from flanmix.spec import Mixture, Stage, Task, Template

ASK = Template("ask", input="{{ q }}", target="{{ a }}")


def registry(sizes: Mapping[str, int], *nested: Mixture) -> Registry:
    """A catalogue of tasks of these names; their type is `nli` if they are called so, else `code`."""
    rows = [{"q": "?", "a": "!"}]
    tasks = [
        Task(name, type="nli" if name.startswith("nli/") else "code", source=rows, templates=[ASK]) for name in sizes
    ]
    return load_registry(specs=[*tasks, *nested], bundled=False, plugins=False)


def recipe_of(mixture: Mixture, sizes: Mapping[str, int], *nested: Mixture, stage: Stage | None = None) -> Recipe:
    """The mixture, or a stage of it, resolved."""
    return resolved(mixture, registry(sizes, *nested), stage)


def allotments(mixture: Mixture, sizes: Mapping[str, int], *nested: Mixture) -> dict[str, Allotment]:
    """What each offer gets, by its name."""
    recipe = recipe_of(mixture, sizes, *nested)
    known = Sizes({offer: recipe.sizes.get(offer) or sizes[offer.task] for offer in recipe.offers})
    return {str(found.offer): found for found in allot(recipe, known).of}


def counts(mixture: Mixture, sizes: Mapping[str, int], *nested: Mixture) -> dict[str, int]:
    """Planned rows by offer."""
    return {name: found.rows for name, found in allotments(mixture, sizes, *nested).items()}


def refusal(mixture: Mixture, sizes: Mapping[str, int], *nested: Mixture) -> list[str]:
    """The problems of a mixture that cannot be solved."""
    with pytest.raises(PlanError) as caught:
        allotments(mixture, sizes, *nested)
    return [str(problem) for problem in caught.value.problems]
