"""A mixture with its selectors resolved: what each part takes, under which limits, and which quotas cross them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from flanmix.errors import PlanError, Problem, UsageError, did_you_mean
from flanmix.held import Held, HeldOut, Holding, hold_out, mixtures_in
from flanmix.origin import Where
from flanmix.rates import PRESETS
from flanmix.select import Subject, choose, parse
from flanmix.spec import Bounds, Budget, Limits, Mixture, Part, Stage


class Offer(NamedTuple):
    """What may be planned alone: a task, or one style of a task whose sizes are told by style."""

    task: str
    style: str = ""

    def __str__(self) -> str:
        return f"{self.task} ({self.style})" if self.style else self.task


@dataclass(frozen=True)
class Branch:
    """A part with what it takes: offers, or the branches of parts in it, and the limits that hold for tasks there.

    `weights` are the shares by task of the mixture that it stands in, or of one around that has them.
    """

    part: Part
    where: Where
    limits: Limits
    weights: Mapping[str, float] = field(default_factory=dict)
    offers: tuple[Offer, ...] = ()
    inner: tuple["Branch", ...] = ()

    def leaves(self) -> Iterator["Branch"]:
        """The branches below, or this one, that take tasks themselves."""
        if self.part.select is not None:
            yield self
        for branch in self.inner:
            yield from branch.leaves()

    def all_offers(self) -> set[Offer]:
        """What is taken at any depth."""
        return {offer for leaf in self.leaves() for offer in leaf.offers}


@dataclass(frozen=True)
class Crossing:
    """Bounds on all tasks of a type or with a tag, wherever the parts are."""

    kind: str
    name: str
    bounds: Bounds
    where: Where
    tasks: frozenset[str]


class Replayed(NamedTuple):
    """Rows of earlier stages that come along, and out of how many different ones those stages drew them."""

    rows: int
    offered: int


@dataclass(frozen=True)
class Recipe:
    """A mixture, or a stage of one, resolved. Nothing has been read yet.

    `sizes` are the rows of the offers that need not be read; `replay` the rows of earlier stages that come along;
    `held_out` all tasks that could have been in the mixture and are held out of it.
    """

    mixture: Mixture
    where: Where
    branches: tuple[Branch, ...]
    subjects: Mapping[str, Subject]
    sizes: Mapping[Offer, int] = field(default_factory=dict)
    crossings: tuple[Crossing, ...] = ()
    stage: Stage | None = None
    replay: Mapping[Offer, "Replayed"] = field(default_factory=dict)
    held_out: tuple[HeldOut, ...] = ()

    @property
    def budget(self) -> Budget:
        """How much there is to share out."""
        return self.stage or self.mixture

    @property
    def name(self) -> str:
        """The mixture's name, and the stage's."""
        return f"{self.mixture.name}/{self.stage.name}" if self.stage else self.mixture.name

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All that is taken, sorted."""
        return tuple(sorted({*self.replay, *(offer for branch in self.branches for offer in branch.all_offers())}))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of all tasks in the mixture, sorted."""
        return tuple(sorted({offer.task for offer in self.offers}))

    @property
    def leaves(self) -> tuple[Branch, ...]:
        """The parts that take tasks, at any depth."""
        return tuple(leaf for branch in self.branches for leaf in branch.leaves())


_RULE = {"scale", "rate_cap", "temperature"}
Nested = Callable[[str], tuple[Mixture, Where]]


def resolve(
    mixture: Mixture,
    where: Where,
    subjects: Mapping[str, Subject],
    nested: Nested,
    holding: Holding,
    stage: Stage | None = None,
    replay: Mapping[Offer, Replayed] | None = None,
) -> Recipe:
    """Resolve a mixture's selectors over the known tasks, and its nested mixtures through `nested`.

    Raises `PlanError` with every part that selects nothing, names no mixture, or holds itself. A part whose tasks were
    all taken out by `exclude` is left out itself. What `hold_out` takes out must not be asked for by name, nor leave a
    part without tasks; `holding` decides what that is.
    """
    held, problems = hold_out(mixtures_in(mixture, where, nested), subjects, holding)
    resolving = _Resolving(subjects, nested, held, problems)
    everything = _Scope({Offer(name): subject for name, subject in subjects.items()}, {})
    scope = resolving.scope(mixture, where, everything)
    parts, at = mixture.parts or (Part("*"),), where.at("parts")
    if stage is not None:
        parts, at = stage.parts, where.at("stages", mixture.stages.index(stage)).at("parts")
    branches = resolving.branches(parts, at, _nearest(Limits(), mixture.defaults), (mixture.name,), scope)
    if not branches and not resolving.problems:
        resolving.problems.append(at.problem("'exclude' takes out every task", "leave some"))
    taken = {offer: resolving.replayed(offer, each, scope) for offer, each in (replay or {}).items()}
    taken |= {offer: resolving.taken[offer] for branch in branches for offer in branch.all_offers()}
    sizes = {offer: size for offer, (_, size) in taken.items() if size is not None}
    seen = {offer.task: subject for offer, (subject, _) in taken.items()}
    resolving.refuse_untold(seen, where)
    recipe = Recipe(mixture, where, branches, seen, sizes, (), stage, dict(replay or {}), held.out)
    gone, in_stages = scope.gone.values(), scope.subjects.values() if stage is not None else ()
    crossings = tuple(resolving.crossings(mixture, where, seen, gone, in_stages))
    elsewhere = {subject.name for subject in (*gone, *in_stages)}
    resolving.problems += _unknown_weights(mixture, where, branches, elsewhere)
    if resolving.problems:
        raise PlanError(list(dict.fromkeys(resolving.problems)))
    return replace(recipe, crossings=crossings)


@dataclass(frozen=True)
class _Scope:
    """What selectors choose from: subjects, and the sizes of those that are told.

    `gone` was taken out: by `exclude` (then it is `excluded`), or as it is held out; `weights` are those of the
    outermost mixture that has some.
    """

    subjects: Mapping[Offer, Subject]
    sizes: Mapping[Offer, int]
    gone: Mapping[Offer, Subject] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    excluded: frozenset[Offer] = frozenset()

    def choose(self, selector: str) -> list[Offer]:
        """What a selector takes, sorted; raises `UsageError`. A plain name is looked up: there may be thousands."""
        return self._by_name.get(selector) or sorted(choose(selector, self.subjects))

    @cached_property
    def _by_name(self) -> dict[str, list[Offer]]:
        found: dict[str, list[Offer]] = {}
        for offer in sorted(self.subjects):
            found.setdefault(offer.task, []).append(offer)
        return found

    def less(self, offers: Iterable[Offer]) -> "_Scope":
        """The same without some; what they were is kept in mind."""
        out = set(offers)
        left = {offer: subject for offer, subject in self.subjects.items() if offer not in out}
        gone = {offer: subject for offer, subject in self.subjects.items() if offer in out}
        return replace(self, subjects=left, gone={**self.gone, **gone})

    @cached_property
    def before(self) -> "_Scope":
        """What there was before anything was taken out."""
        return replace(self, subjects={**self.gone, **self.subjects}, gone={})


class _Resolving:
    """Takes a mixture apart, and notes what is wrong on the way."""

    def __init__(self, known: Mapping[str, Subject], nested: Nested, held: Held, problems: Iterable[Problem]) -> None:
        self._known, self._nested = known, nested
        self._held, self._untold = {each.task: each for each in held.out}, held.untold
        self.problems = list(problems)
        self.taken: dict[Offer, tuple[Subject, int | None]] = {}

    def refuse_untold(self, seen: Iterable[str], where: Where) -> None:
        """Note a problem where tasks of the mixture may be related to what is held out, and nobody knows."""
        untold = sorted(self._untold.intersection(seen))
        if untold:
            more = f" (and of {len(untold) - 1} more)" if len(untold) > 1 else ""
            what = f"of '{untold[0]}'{more} no type is known, so it may be related to what is held out"
            hint = "give the registry a task of that name, which tells its type, or exclude it"
            self.problems.append(where.at("hold_out").problem(what, hint))

    def scope(self, mixture: Mixture, where: Where, outer: _Scope) -> _Scope:
        """What the parts of a mixture choose from: its `sizes`, or what is around it, less what is out."""
        sizes = {Offer(name, style): size for name, style, size in _sizes(mixture)}
        if sizes:
            outer = _Scope({offer: self._subject(offer) for offer in sizes}, sizes, {}, outer.weights)
        out: set[Offer] = set()
        for index, selector in enumerate(mixture.exclude):
            at = where.at("exclude", index)
            try:
                found = outer.before.choose(selector)
            except UsageError as error:
                self.problems.extend(at.problem(problem.what, problem.hint) for problem in error.problems)
                continue
            if not found:
                self.problems.append(at.problem(f"'{selector}' takes no task out", "there is none: leave it out"))
            out.update(found)
        excluded = outer.excluded | out
        held = {offer for offer in outer.before.subjects if offer.task in self._held}
        for name in sorted({offer.task for offer in held - excluded} & set(mixture.weights)):
            at = where.at("weights", name)
            self.problems.append(at.problem(self._is_held(name), "take its weight out"))
        left = outer.less(out | held)
        return replace(left, weights=outer.weights or mixture.weights, excluded=excluded)

    def _is_held(self, name: str) -> str:
        return f"'{name}' is held out ({self._held[name].reason})"

    def _subject(self, offer: Offer) -> Subject:
        known = self._known.get(offer.task, Subject(offer.task, ""))
        return replace(known, styles=frozenset({offer.style})) if offer.style else known

    def replayed(self, offer: Offer, replayed: Replayed, scope: _Scope) -> tuple[Subject, int | None]:
        """What an earlier stage brings along, and its size where none can be read: a nested mixture may tell it."""
        subject = scope.subjects.get(offer) or self._subject(offer)
        read = offer.task in self._known and not offer.style
        return subject, scope.sizes.get(offer, None if read else replayed.offered)

    def branches(
        self, parts: Sequence[Part], where: Where, outer: Limits, above: tuple[str, ...], scope: _Scope
    ) -> tuple[Branch, ...]:
        found = []
        for index, part in enumerate(parts):
            here = where.at(index)
            branch = Branch(part, here, _nearest(outer, part), scope.weights)
            try:
                if part.select is not None:
                    branch = replace(branch, offers=self._offers(part.select, here, scope))
                elif part.parts is not None:
                    inside = self.branches(part.parts, here.at("parts"), branch.limits, above, scope)
                    branch = replace(branch, inner=inside)
                else:
                    branch = replace(branch, inner=self._mixture(part, here, branch.limits, above, scope))
            except UsageError as error:
                key = "select" if part.select is not None else "mixture"
                self.problems.extend(here.at(key).problem(problem.what, problem.hint) for problem in error.problems)
                continue
            if branch.offers or branch.inner:
                found.append(branch)
        return tuple(found)

    def _offers(self, selector: str, where: Where, scope: _Scope) -> tuple[Offer, ...]:
        offers = tuple(scope.choose(selector))
        if not offers and not scope.before.choose(selector):
            hint = "'sizes' holds no such task" if scope.sizes else "'flanmix ls SELECTOR' shows what a selector takes"
            self.problems.append(where.at("select").problem(f"'{selector}' selects no task", hint))
        elif self._held:
            self._refuse_held(selector, where.at("select"), scope, empty=not offers)
        self.taken |= {offer: (scope.subjects[offer], scope.sizes.get(offer)) for offer in offers}
        return offers

    def _refuse_held(self, selector: str, at: Where, scope: _Scope, *, empty: bool) -> None:
        """Note a problem where a selector names a task that is held out, or takes no others; what is excluded may be
        named.
        """
        out = {offer.task for offer in set(scope.before.choose(selector)) - scope.excluded} & self._held.keys()
        named = {term.pattern for term in parse(selector).terms if term.kind == "name" and not term.excludes}
        for name in sorted(out & named):
            self.problems.append(at.problem(self._is_held(name), "take it out of the part"))
        if empty and out - named:
            first = min(out)
            more = f", and so {'are' if len(out) > 2 else 'is'} {len(out) - 1} more" if len(out) > 1 else ""
            what = f"'{selector}' is left without a task: {self._is_held(first)}{more}"
            self.problems.append(at.problem(what, "take the part out, or hold out less"))

    def _mixture(
        self, part: Part, where: Where, limits: Limits, above: tuple[str, ...], scope: _Scope
    ) -> tuple[Branch, ...]:
        assert part.mixture is not None
        if part.mixture in above:
            what = f"the mixture '{part.mixture}' would hold itself"
            self.problems.append(where.at("mixture").problem(what, "take it out"))
            return ()
        inner, place = self._nested(part.mixture)
        if inner.stages:
            raise UsageError(f"'{inner.name}' has stages, and cannot be part of a mixture", hint="name its parts")
        for key in ("types", "tags"):
            if getattr(inner, key):
                what = f"'{inner.name}' has '{key}', which bound a whole mixture, and cannot be part of one"
                raise UsageError(what, hint=f"write '{key}' in the outer mixture, or name the parts of '{inner.name}'")
        within = self.scope(inner, place, scope)
        parts = inner.parts or (Part("*"),)
        found = self.branches(parts, place.at("parts"), _nearest(limits, inner.defaults), (*above, inner.name), within)
        if not scope.weights:
            self.problems += _unknown_weights(inner, place, found, {subject.name for subject in within.gone.values()})
        return found

    def crossings(
        self,
        mixture: Mixture,
        where: Where,
        seen: Mapping[str, Subject],
        gone: Collection[Subject],
        in_stages: Collection[Subject],
    ) -> Iterator[Crossing]:
        """The quotas of types and tags; one of no task of the mixture is a problem.

        It is none where such tasks are `gone`, or where a ceiling is meant for those of other stages.
        """
        for kind, bounds in (("type", mixture.types), ("tag", mixture.tags)):
            for name, bound in bounds.items():
                tasks = frozenset(task for task, subject in seen.items() if name in subject.values(kind))
                at = where.at(f"{kind}s", name)
                others = (*gone, *(() if bound.min_share or bound.min_rows else in_stages))
                if not tasks and any(name in subject.values(kind) for subject in others):
                    continue
                if not tasks:
                    known = sorted({value for subject in seen.values() for value in subject.values(kind) if value})
                    hint = did_you_mean(name, known) or f"there are {', '.join(known) or 'none'}"
                    self.problems.append(at.problem(f"no task of the mixture has the {kind} '{name}'", hint))
                yield Crossing(kind, name, bound, at, tasks)


def _sizes(mixture: Mixture) -> Iterator[tuple[str, str, int]]:
    for name, size in mixture.sizes.items():
        for style, rows in size.items() if isinstance(size, dict) else [("", size)]:
            yield name, style, rows


def _unknown_weights(
    mixture: Mixture, where: Where, branches: Iterable[Branch], elsewhere: Iterable[str]
) -> list[Problem]:
    """Weights of no task of the mixture, unless it is `elsewhere`; tasks without one."""
    if not mixture.weights:
        return []
    problems = []
    tasks = {offer.task for branch in branches for offer in branch.all_offers()}
    for name in sorted(set(mixture.weights) - tasks - set(elsewhere)):
        hint = did_you_mean(name, tasks) or "take the weight out, or let a part select the task"
        problems.append(where.at("weights", name).problem(f"'{name}' is no task of the mixture", hint))
    for name in sorted(tasks - set(mixture.weights)):
        what = f"the task '{name}' has no weight, and others have"
        problems.append(where.at("weights").problem(what, "give every task one, or take 'weights' out"))
    return problems


def _nearest(outer: Limits, inner: Limits) -> Limits:
    """Limits of tasks: what is written nearest holds. Bounds are of the thing that they are written at."""
    own = {name: value for name in Limits.model_fields if (value := getattr(inner, name)) is not None}
    if isinstance(inner, Part):
        own = {name: value for name, value in own.items() if name not in Bounds.model_fields}
    if inner.rate is not None:
        preset = PRESETS[inner.rate]
        rule = {"scale": None, "rate_cap": preset.rate_cap, "temperature": preset.temperature}
        bounds = {"max_rows": preset.max_rows, "max_epochs": preset.max_epochs}
        own = {**rule, **{name: value for name, value in bounds.items() if value is not None}, **own}
    elif outer.rate is not None and own.keys() & _RULE:
        per_template = PRESETS[outer.rate].per_template and own.keys() & {"scale", "temperature"}
        if PRESETS[outer.rate].equal or per_template:
            own["rate"] = None
    return outer.model_copy(update=own)
