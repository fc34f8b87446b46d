"""Mixtures as values: planned, changed, sampled around."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from flanmix import registry, spec
from flanmix.api.plans import Plan, plan_of
from flanmix.errors import SpecError, UsageError
from flanmix.planner import resolved
from flanmix.registry import load_registry
from flanmix.weights import draw_weights, read_weights


class Mixture(spec.Mixture):
    """A recipe: parts, a budget in `rows`, `tokens` or `epochs`, limits by name or in `defaults`.

    >>> Mixture("mini", parts=[spec.Part("type:nli")], rows=100, max_epochs=4).defaults.max_epochs
    4.0
    """

    @model_validator(mode="before")
    @classmethod
    def _limits_by_name(cls, data: Any) -> Any:
        limits = {key: data[key] for key in spec.Limits.model_fields if key in data}
        if limits and "defaults" in data:
            raise UsageError(f"{', '.join(limits)} is given by name, and 'defaults' too", hint="choose one place")
        rest = {key: value for key, value in data.items() if key not in limits}
        return {**rest, "defaults": limits} if limits else rest

    def plan(
        self,
        tasks: registry.Registry,
        *,
        rows: int | None = None,
        tokens: int | None = None,
        epochs: float | None = None,
        seed: int | None = None,
        split: str | None = None,
        tokenizer: str | None = None,
        relax: bool = False,
    ) -> Plan:
        """Solve the mixture over a registry into exact counts; builds nothing. Raises `FlanmixError`.

        With `relax`, limits that cannot be had give way to the nearest that can, and the plan says which. A mixture
        with stages gives a `StagedPlan`.
        """
        chosen = with_choices(
            self, rows=rows, tokens=tokens, epochs=epochs, seed=seed, split=split, tokenizer=tokenizer
        )
        return plan_of(chosen, tasks, relax=relax)

    def without(self, *selectors: str) -> Self:
        """The same mixture without the tasks that these selectors take: `mixture.without("type:nli")`."""
        return self._changed(exclude=(*self.exclude, *selectors))

    def holding_out(self, *selectors: str) -> Self:
        """The same mixture with these tasks held out, for an evaluation on unseen tasks: `without` them, without those
        related to them, and without any that shares a source with them. The plan says which and why.
        """
        return self._changed(hold_out=(*self.hold_out, *selectors))

    def leave_one_out(self, tasks: registry.Registry | None = None) -> dict[str, Self]:
        """For each task type in the mixture, the mixture without it."""
        known = load_registry() if tasks is None else tasks
        recipes = [resolved(self, known, stage) for stage in self.stages or (None,)]
        types = {subject.type for recipe in recipes for subject in recipe.subjects.values() if subject.type}
        return {name: self.without(f"type:{name}") for name in sorted(types)}

    def weighted(self, weights: Mapping[str, float] | str | Path) -> Self:
        """The same mixture with these shares by task, or those in a JSON file: as learned by others. Limits stay."""
        return self._changed(weights=read_weights(weights) if isinstance(weights, str | Path) else dict(weights))

    def sample(
        self, n: int, alpha: float, seed: int = 0, tasks: registry.Registry | None = None, **choices: Any
    ) -> list[Self]:
        """`n` mixtures with shares drawn from a Dirichlet distribution around this one's, for proxy runs.

        A share p varies by p(1 - p)/(alpha + 1). `choices` are those of `plan`.
        """
        if n < 1 or not 0 < alpha < float("inf"):
            raise UsageError(f"{n} mixtures with alpha {alpha:g}", hint="give at least 1, and an alpha above 0")
        shares = self.plan(load_registry() if tasks is None else tasks, **choices).weights()
        drawn = [draw_weights(shares, alpha, seed, number) for number in range(n)]
        return [
            self._changed(
                name=f"{self.name}-{number}", weights=weights, exclude=(*self.exclude, *sorted({*shares} - {*weights}))
            )
            for number, weights in enumerate(drawn)
        ]

    def _changed(self, **changes: Any) -> Self:
        return type(self)(**({name: getattr(self, name) for name in self.model_fields_set} | changes))


def with_choices(
    mixture: spec.Mixture,
    *,
    rows: int | None = None,
    tokens: int | None = None,
    epochs: float | None = None,
    seed: int | None = None,
    split: str | None = None,
    tokenizer: str | None = None,
) -> spec.Mixture:
    """The mixture with another budget, seed, split or tokenizer than it was written with; raises `UsageError`."""
    budget = {"rows": rows, "tokens": tokens, "epochs": epochs}
    if sum(value is not None for value in budget.values()) > 1:
        raise UsageError("a mixture takes one of rows, tokens, epochs", hint="leave the others out")
    changes: dict[str, Any] = budget if any(value is not None for value in budget.values()) else {}
    others = {"seed": seed, "split": split, "tokenizer": tokenizer}
    changes |= {key: value for key, value in others.items() if value is not None}
    data = {name: getattr(mixture, name) for name in mixture.model_fields_set} | changes
    try:
        return spec.Mixture(**data)
    except SpecError as error:
        raise UsageError(error.problems) from error
