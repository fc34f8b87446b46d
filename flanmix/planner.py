"""From a mixture and a registry to a plan: check, prepare, solve. Nothing is rendered."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from flanmix.allot import Allotment, Allotments, Sizes, allot
from flanmix.bound import BoundTask, BoundTemplate
from flanmix.check import refuse_problems, variables_of_template
from flanmix.encoding import counting_of
from flanmix.errors import FlanmixError, PlanError, Problem, SourceError, TemplateError
from flanmix.holding_out import HoldingOut
from flanmix.layouts import TOKENS
from flanmix.mapped import RowFile
from flanmix.measuring import measure, settle
from flanmix.options.drawing import Listing
from flanmix.options.library import listing
from flanmix.origin import Where
from flanmix.plan import Plan, PlannedStyle, PlannedTask, PlannedTemplate, RowLength
from flanmix.prepare import Prepared, prepare
from flanmix.prompting import Prompting
from flanmix.rates import exact
from flanmix.rates import replay as replayed_rows
from flanmix.recipe import Offer, Recipe, Replayed, resolve
from flanmix.registry import Registry
from flanmix.shots.library import shooting_of
from flanmix.sources.naming import name_of
from flanmix.spec import Mixture, Stage, shares_of
from flanmix.token_budget import TaskLength, refuse_without_tokens
from flanmix.tokenizing import load_tokenizer
from flanmix.undo import takes_back


@dataclass(frozen=True)
class Planned:
    """A plan with what is needed to build it: its tasks and where their usable rows lie, in the plan's order.

    There is neither where sizes are all that is known.
    """

    plan: Plan
    mixture: Mixture
    tasks: tuple[BoundTask, ...]
    files: tuple[RowFile, ...]
    stage: str = ""
    offers: Mapping[Offer, Replayed] = field(default_factory=dict)
    tokens: int | None = None
    """The budget in tokens, if it is in tokens."""


def resolved(
    mixture: Mixture, registry: Registry, stage: Stage | None = None, replay: Mapping[Offer, Replayed] | None = None
) -> Recipe:
    """The mixture, or a stage of it, with its selectors resolved in a registry; raises `PlanError`."""

    def nested(name: str) -> tuple[Mixture, Where]:
        inner = Registry.mixture(registry, name)
        return inner, registry.where(inner)

    holding = HoldingOut(registry.tasks)
    return resolve(mixture, registry.where(mixture), registry.subjects, nested, holding, stage, replay)


@takes_back()
def plan_mixture(
    mixture: Mixture,
    registry: Registry,
    progress: Callable[[str], None] = lambda name: None,
    *,
    relax: bool = False,
) -> Planned:
    """Resolve, check and prepare a mixture's tasks, and solve it into integers.

    Raises `FlanmixError` with every problem of every task at once; with `relax`, limits that cannot be had give way to
    the nearest that can. `progress` is told each task's name as it is read.
    """
    return _planned(resolved(mixture, registry), registry, progress, relax)


@takes_back()
def plan_stages(
    mixture: Mixture,
    registry: Registry,
    progress: Callable[[str], None] = lambda name: None,
    *,
    relax: bool = False,
) -> tuple[Planned, ...]:
    """As `plan_mixture`, for each stage of a mixture in its order, with what it replays of earlier ones."""
    found: dict[str, Planned] = {}
    for stage in mixture.stages:
        replay: dict[Offer, Replayed] = {}
        for name, share in stage.replay.items():
            for offer, (rows, offered) in found[name].offers.items():
                before = replay.get(offer, Replayed(0, 0))
                rows = before.rows + replayed_rows(rows, exact(share))
                replay[offer] = Replayed(rows, max(before.offered, offered))
        replay = {offer: replayed for offer, replayed in replay.items() if replayed.rows}
        found[stage.name] = _planned(resolved(mixture, registry, stage, replay), registry, progress, relax)
    return tuple(found.values())


def _planned(recipe: Recipe, registry: Registry, progress: Callable[[str], None], relax: bool) -> Planned:
    mixture = recipe.mixture
    read = sorted({offer.task for offer in recipe.offers if offer not in recipe.sizes})
    tasks = {name: registry.tasks[name] for name in read}
    refuse_problems(tasks.values())
    _refuse_misreading(tasks.values(), _listing(recipe))
    lengthened = bool(shooting_of(mixture, recipe.where.at("shots"))) or not _listing(recipe).as_in_data
    if recipe.budget.tokens is not None and lengthened:
        what = "a budget in tokens counts neither exemplars nor options listed in another way than in the data"
        raise PlanError(recipe.where.at("tokens").problem(what, "give it 'rows' or 'epochs'"))
    prepared = _prepared(tasks.values(), mixture.split, progress)
    templates = {offer: len(tasks[offer.task].templates) for offer in recipe.offers if offer.task in tasks}
    copies = {offer: min(mixture.templates_per_row, number) for offer, number in templates.items()}
    rows = {offer: recipe.sizes.get(offer) or prepared[offer.task].usable * copies[offer] for offer in recipe.offers}
    making = _Making(recipe, tasks, prepared, Sizes(rows, templates), relax)
    measured = recipe.budget.tokens is not None or not (mixture.layout in TOKENS or lengthened)
    if mixture.tokenizer is not None and measured and not recipe.sizes:
        return making.in_tokens(mixture.tokenizer)
    if recipe.budget.tokens is not None:
        what = "a budget in tokens needs the tasks' rows, and sizes are all that is known of some"
        raise PlanError(recipe.where.at("tokens").problem(what, "give it 'rows' or 'epochs'"))
    return making.planned(allot(recipe, making.sizes, relax=relax))


def _listing(recipe: Recipe) -> Listing:
    return listing(recipe.mixture.options, recipe.where.at("options"))


def _refuse_misreading(tasks: Iterable[BoundTask], how: Listing) -> None:
    """Raise `TemplateError` for templates that would look answers up in the order of the data, and list another."""
    hint = "print 'answer', which follows the order, or keep it: options: {order: kept}"
    problems = [
        item.where.problem(f"{item.id} looks its answer up in 'choices', whose order the mixture shuffles", hint)
        for task in tasks
        for item in task.templates
        if how.misread_by(variables_of_template(item.template))
    ]
    if problems:
        raise TemplateError(list(dict.fromkeys(problems)))


def _prepared(tasks: Iterable[BoundTask], split: str, progress: Callable[[str], None]) -> dict[str, Prepared]:
    prepared: dict[str, Prepared] = {}
    problems: list[Problem] = []
    for bound in tasks:
        progress(bound.task.name)
        try:
            prepared[bound.task.name] = prepare(bound, split)
        except FlanmixError as error:
            problems.extend(error.problems)
    if problems:
        raise SourceError(list(dict.fromkeys(problems)))
    return prepared


@dataclass(frozen=True)
class _Making:
    """Makes plans of one recipe."""

    recipe: Recipe
    tasks: Mapping[str, BoundTask]
    prepared: Mapping[str, Prepared]
    sizes: Sizes
    relax: bool

    def in_tokens(self, tokenizer: str) -> Planned:
        """A plan whose rows are measured with a tokenizer; it meets a budget in tokens, if there is one."""
        mixture = self.recipe.mixture
        counting = counting_of(mixture)
        loaded = load_tokenizer(tokenizer)
        first = self.planned(self._all_once())
        budget = self.recipe.budget.tokens
        if budget is None:
            made = self.planned(allot(self.recipe, self.sizes, relax=self.relax))
            lengths = measure(made.plan, made.files, loaded, counting)
            return replace(made, plan=_with_lengths(made.plan, lengths))

        def solve(lengths: Sequence[TaskLength]) -> Plan:
            return _with_lengths(self.planned(self._in_units_of(lengths)).plan, lengths)

        settled = settle(first.plan, first.files, loaded, counting, budget=budget, solve=solve)
        plan = _with_lengths(settled.plan, settled.lengths)
        return replace(first, plan=replace(plan, tokens=settled.tokens), offers=_offers(plan), tokens=budget)

    def _all_once(self) -> Allotments:
        """Every row once: what lengths can be measured of before anything is solved."""
        rows = self.sizes.rows
        return Allotments(
            tuple(Allotment(offer, rows[offer], rows[offer], Fraction(0), Fraction(0)) for offer in self.recipe.offers)
        )

    def _in_units_of(self, lengths: Sequence[TaskLength]) -> Allotments:
        refuse_without_tokens(lengths)
        tokens = {Offer(length.task): length.exact_tokens for length in lengths}
        return allot(self.recipe, replace(self.sizes, tokens=tokens), relax=self.relax)

    def planned(self, allotments: Allotments) -> Planned:
        """The plan of these rows."""
        mixture, by_task = self.recipe.mixture, _by_task(allotments)
        tasks = tuple(self._task(name, by_task[name]) for name in sorted(by_task))
        plan = Plan(
            self.recipe.name,
            mixture.seed,
            mixture.split,
            tasks,
            {name: float(share) for name, share in shares_of(mixture.styles).items()},
            mixture.templates,
            mixture.order,
            allotments.relaxed,
            prompting=Prompting.of(mixture),
            shots=shooting_of(mixture, self.recipe.where.at("shots")),
            templates_per_row=mixture.templates_per_row,
            options=_listing(self.recipe),
            stage=self.recipe.stage.name if self.recipe.stage else "",
            held_out=self.recipe.held_out,
        )
        whole = not any(task.sized for task in tasks)
        return Planned(
            plan,
            mixture,
            tuple(self.tasks[task.name] for task in tasks) if whole else (),
            tuple(self.prepared[task.name].rows for task in tasks) if whole else (),
            plan.stage,
            {each.offer: Replayed(each.rows, each.offered) for each in allotments.of},
        )

    def _task(self, name: str, allotments: Sequence[Allotment]) -> PlannedTask:
        task = self._read(name, allotments) if name in self.prepared else self._sized(name, allotments)
        return replace(
            task,
            share_asked=float(sum((each.asked for each in allotments), Fraction(0))),
            share=float(sum((each.share for each in allotments), Fraction(0))),
            bound=", ".join(dict.fromkeys(word for each in allotments for word in each.bound)),
        )

    def _sized(self, name: str, allotments: Sequence[Allotment]) -> PlannedTask:
        size = sum(self.sizes.rows[each.offer] for each in allotments)
        return PlannedTask(
            name,
            self.recipe.subjects[name].type if name in self.recipe.subjects else "",
            rows=sum(each.rows for each in allotments),
            offered=sum(each.offered for each in allotments),
            usable=size,
            data="",
            templates=(),
            guards=(),
            source_rows=size,
            styles=tuple(_style(each) for each in allotments if each.offer.style),
        )

    def _read(self, name: str, allotments: Sequence[Allotment]) -> PlannedTask:
        bound, found, (allotment,) = self.tasks[name], self.prepared[name], allotments
        source, split = name_of(bound.task.source, self.recipe.mixture.split)
        return PlannedTask(
            name,
            bound.task.type,
            rows=allotment.rows,
            offered=allotment.offered,
            usable=found.usable,
            data=found.digest,
            templates=tuple(map(_template, bound.templates)),
            guards=found.guards,
            guard_rows=found.guard_rows,
            source_rows=found.source_rows,
            dropped=found.dropped,
            conversation=found.talks or "trained" in found.carried,
            flagged="trained" in found.carried,
            repaired=found.repaired,
            source=source,
            split=split,
        )


def _template(item: BoundTemplate) -> PlannedTemplate:
    keys = [key for key in item.template.texts if item.template.turns or item.template.system]
    places = {key: item.where.at_text(key).place for key in keys}
    return PlannedTemplate(item.id, item.template, item.style, item.where.place, places)


def _by_task(allotments: Allotments) -> dict[str, list[Allotment]]:
    found: dict[str, list[Allotment]] = {}
    for each in allotments.of:
        found.setdefault(each.offer.task, []).append(each)
    return found


def _style(each: Allotment) -> PlannedStyle:
    bound = ", ".join(each.bound)
    return PlannedStyle(each.offer.style, each.rows, each.offered, float(each.asked), float(each.share), bound)


def _with_lengths(plan: Plan, lengths: Sequence[TaskLength]) -> Plan:
    """The plan, with what is known of its rows' tokens."""
    known = {length.task: RowLength(length.tokens, length.loss) for length in lengths}
    return replace(plan, tasks=tuple(replace(task, length=known.get(task.name)) for task in plan.tasks))


def _offers(plan: Plan) -> dict[Offer, Replayed]:
    return {Offer(task.name): Replayed(task.rows, task.offered) for task in plan.tasks}
