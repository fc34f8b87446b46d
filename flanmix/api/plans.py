"""Plans: exact counts, any row on demand, and the builds that they make."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from operator import index
from pathlib import Path
from typing import Any

from flanmix import manifest, registry, spec
from flanmix.api.modelling import with_model
from flanmix.build import Options, build, make_job
from flanmix.canonical import canonical_json
from flanmix.changes import changes
from flanmix.errors import UsageError, did_you_mean
from flanmix.examples import Example, Examples
from flanmix.exports.export import Export, export
from flanmix.folder import clear
from flanmix.held import HeldOut, in_words
from flanmix.planner import Planned, plan_mixture, plan_stages
from flanmix.preview import Explanation, Mask, mask
from flanmix.preview.rows import explain_position, explain_row, stage_of
from flanmix.registry import load_registry
from flanmix.report import PlanTable, changes_table, one_below_the_other, plan_facts, plan_records, plan_table, why
from flanmix.shards import Format
from flanmix.stages import claim_stages, write_stages
from flanmix.token_counts import count_tokens, counted, token_facts
from flanmix.tokenizing import Counting, load_tokenizer
from flanmix.weights import write_weights
from flanmix.words import count_of


class Plan:
    """A solved mixture: exact counts per task, and any row of it on demand.

    `plan[k]` renders position k alone; `plan.build(folder)` writes all of them.
    """

    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        self._examples = Examples(planned.plan, planned.files)

    @property
    def name(self) -> str:
        """The mixture's name."""
        return self._planned.plan.name

    @property
    def rows(self) -> int:
        """The number of planned rows."""
        return self._planned.plan.rows

    @property
    def digest(self) -> str:
        """SHA-256 that names the plan: equal digests, equal rows."""
        return self._planned.plan.digest

    @property
    def counts(self) -> dict[str, int]:
        """Planned rows by task."""
        return {task.name: task.rows for task in self._planned.plan.tasks}

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, position: int) -> Example:
        return self._examples.example(self._place(position))

    def __iter__(self) -> Iterator[Example]:
        return (self[position] for position in range(self.rows))

    def __repr__(self) -> str:
        size = f"{count_of(self.rows, 'row')} of {count_of(len(self.counts), 'task')}"
        return f"<Plan of {self.name}: {size}, {self.digest[:12]}>"

    def weights(self) -> dict[str, float]:
        """The share of each task before rounding, by name."""
        return {task.name: task.share for task in self._planned.plan.tasks}

    def write_weights(self, file: str | Path) -> None:
        """Write the shares by name as JSON, in the form of DoReMi."""
        write_weights(self.weights(), file)

    def interleave_probabilities(self) -> tuple[list[str], list[float]]:
        """Names and probabilities for `datasets.interleave_datasets([…], probabilities=…)`, which add up to 1."""
        counts = self.counts
        return list(counts), [rows / self.rows for rows in counts.values()]

    @property
    def held_out(self) -> tuple[HeldOut, ...]:
        """The tasks that are held out, each with the reason."""
        return self._planned.plan.held_out

    def why(self, task: str) -> str:
        """Why a task gives as many rows as it does, or why it is held out, in words; raises `UsageError`."""
        return why(self._planned.plan, task)

    def explain(self, position: int) -> Explanation:
        """How a position comes to be: its task, source row, template and texts, or why it is dropped."""
        self._refuse_sizes()
        return explain_position(self._planned, self._place(position))

    def _place(self, position: int) -> int:
        position = index(position)
        if not -self.rows <= position < self.rows:
            raise IndexError(f"position {position} of a mixture of {self.rows} rows")
        return position % self.rows

    def changes(self, folder: str | Path) -> list[dict[str, Any]]:
        """What building this plan would change in a folder that was built before, task by task, as plain values."""
        return [asdict(change) for change in changes(self._planned.plan, manifest.read(Path(folder)))]

    def against(self, folder: str | Path) -> PlanTable:
        """What building this plan would change in a folder that was built before; raises `BuildError`."""
        return changes_table(self.name, self.changes(folder), str(folder))

    def table(self) -> PlanTable:
        """The plan as a table, one line a task: `print` it, or let a notebook show it."""
        return plan_table(self._planned.plan)

    def records(self) -> list[dict[str, Any]]:
        """The plan as plain values, one record for each task and style."""
        return plan_records(self._planned.plan)

    def facts(self) -> dict[str, Any]:
        """All of the plan as plain values, for JSON."""
        return plan_facts(self._planned.plan)

    def build(
        self,
        out: str | Path,
        *,
        layout: str | None = None,
        separator: str | None = None,
        metadata: bool = True,
        format: Format = "parquet",
        shard_rows: int | None = None,
        max_shard_size: int | str = "500MB",
        num_proc: int = 1,
        replace: bool = False,
        quiet: bool = False,
        **encoding: Any,
    ) -> "Built":
        """Write every row into a folder that `datasets.load_dataset` reads.

        `layout` and `separator` default to the mixture's. Shards are cut by `shard_rows`, or to files of about
        `max_shard_size` bytes. `num_proc` processes give the same bytes as one. A folder with another build in it is
        refused, unless `replace`. For the layouts `tokens` and `packed`, `tokenizer` and the keys of
        `flanmix.spec.EncodingKeys` (`chat_template`, `loss`, `max_length` …) default to the mixture's too. Raises
        `FlanmixError`.
        """
        if num_proc < 1:
            raise UsageError(f"{num_proc} processes", hint="give at least 1")
        planned, mixture = self._planned, self._planned.mixture
        self._refuse_sizes()
        told = Options(
            layout=layout or mixture.layout,
            separator=mixture.separator if separator is None else separator,
            turn_tags=mixture.turn_tags,
            metadata=metadata,
            format=format,
            shard_rows=shard_rows,
            max_shard_size=max_shard_size,
        )
        flagged = "trained" in planned.plan.chat_columns
        options = with_model(told, mixture, encoding, flagged=flagged)
        job = make_job(planned.plan, planned.files, options)
        if replace:
            clear(Path(out))
        tasks = [bound.task for bound in planned.tasks]
        more = partial(_tokens, planned, options)
        build(job, Path(out), tasks, mixture.description, num_proc, quiet=quiet, more=more)
        return Built(Path(out), self)

    def _refuse_sizes(self) -> None:
        """Raise `UsageError` where nothing is known of a task but its size."""
        sized = [task.name for task in self._planned.plan.tasks if task.sized]
        if sized:
            what = f"of {sized[0]} the size is known and no data" + (
                f", and of {len(sized) - 1} more" * (len(sized) > 1)
            )
            raise UsageError(what, hint="such a plan can be read, not built: take 'sizes' out of the mixture")


def _tokens(planned: Planned, options: Options, out: Path, made: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be said of the tokens of a build, where the budget is in tokens."""
    name = planned.mixture.tokenizer
    if planned.tokens is None or name is None:
        return {}
    tokenizer = load_tokenizer(name)
    if options.encoding is not None and options.encoding.tokenizer == tokenizer:
        counts = counted(made)
    else:
        counts = count_tokens(out, tokenizer, Counting.of_layout(options.layout, options.separator))
    return {"tokens": token_facts(counts, tokenizer, planned.tokens, planned.plan.tokens)}


class StagedPlan(Plan):
    """The plans of a mixture's stages, in their order: `plan.stages["broad"]` is a plan of its own.

    Rows, counts and positions are those of one stage after the other.
    """

    def __init__(self, name: str, stages: Mapping[str, Plan]) -> None:
        self._name, self.stages = name, dict(stages)

    @property
    def name(self) -> str:
        """As of a `Plan`."""
        return self._name

    @property
    def rows(self) -> int:
        """As of a `Plan`."""
        return sum(plan.rows for plan in self.stages.values())

    @property
    def digest(self) -> str:
        """As of a `Plan`."""
        digests = {stage: plan.digest for stage, plan in self.stages.items()}
        return hashlib.sha256(canonical_json(digests).encode()).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """As of a `Plan`."""
        total: Counter[str] = Counter()
        for plan in self.stages.values():
            total.update(plan.counts)
        return dict(sorted(total.items()))

    def __getitem__(self, position: int) -> Example:
        place = range(self.rows)[index(position)]
        for plan in self.stages.values():
            if place < plan.rows:
                return replace(plan[place], position=range(self.rows)[index(position)])
            place -= plan.rows
        raise AssertionError

    @property
    def held_out(self) -> tuple[HeldOut, ...]:
        """As of a `Plan`: the same for all stages."""
        return next(iter(self.stages.values())).held_out

    def weights(self) -> dict[str, float]:
        """As of a `Plan`."""
        return {task: rows / self.rows for task, rows in self.counts.items()}

    def why(self, task: str) -> str:
        """As of a `Plan`."""
        having = {stage: plan for stage, plan in self.stages.items() if task in plan.counts}
        first = next(iter(self.stages.values()))
        if task in {each.task for each in first.held_out}:
            return first.why(task)
        if not having:
            hint = did_you_mean(task, self.counts) or "'flanmix plan' lists the tasks"
            raise UsageError(f"no stage has the task '{task}'", hint=hint)
        return "\n\n".join(f"Stage {stage}:\n{plan.why(task)}" for stage, plan in having.items())

    def explain(self, position: int) -> Explanation:
        """As of a `Plan`."""
        place = self._place(position)
        for plan in self.stages.values():
            if place < plan.rows:
                return plan.explain(place)
            place -= plan.rows
        raise AssertionError

    def changes(self, folder: str | Path) -> list[dict[str, Any]]:
        """As of a `Plan`."""
        found = [(stage, plan.changes(Path(folder) / stage)) for stage, plan in self.stages.items()]
        return [{"stage": stage, **change} for stage, of_stage in found for change in of_stage]

    def against(self, folder: str | Path) -> PlanTable:
        """As of a `Plan`."""
        tables = [plan.against(Path(folder) / stage) for stage, plan in self.stages.items()]
        return one_below_the_other(f"{self.name} against {folder}", tuple(self.stages), tables)

    def table(self) -> PlanTable:
        """As of a `Plan`."""
        tables = [plan.table() for plan in self.stages.values()]
        held = "".join(f"\nheld out: {line}" for line in in_words(self.held_out))
        return one_below_the_other(repr(self).strip("<>") + held, tuple(self.stages), tables)

    def facts(self) -> dict[str, Any]:
        """As of a `Plan`, with those of each stage."""
        stages = {stage: plan.facts() for stage, plan in self.stages.items()}
        facts = {"mixture": self.name, "plan": self.digest, "rows": self.rows}
        facts |= {"held_out": [each.facts() for each in self.held_out]}
        return {**facts, "stages": stages, "tasks": self.records()}

    def records(self) -> list[dict[str, Any]]:
        """As of a `Plan`."""
        return [{"stage": stage, **record} for stage, plan in self.stages.items() for record in plan.records()]

    def build(self, out: str | Path, **options: Any) -> "Built":
        """As `Plan.build`: each stage in a folder of its own, and a card that makes each of them a config."""
        for plan in self.stages.values():
            plan._refuse_sizes()
        claim_stages(Path(out), tuple(self.stages), self.digest, replace=options.get("replace", False))
        built = {stage: plan.build(Path(out) / stage, **options) for stage, plan in self.stages.items()}
        facts = {stage: each.manifest for stage, each in built.items()}
        write_stages(Path(out), self.name, self.digest, facts)
        return Built(Path(out), self)


@dataclass(frozen=True)
class Built:
    """A finished build on disk. `plan` is what it was built from, where that is at hand."""

    folder: Path
    plan: Plan | None = field(default=None, repr=False, compare=False)

    @property
    def manifest(self) -> dict[str, Any]:
        """What was built: counts, hashes, reasons for drops."""
        return manifest.read(self.folder)

    @property
    def rows(self) -> int:
        """The number of rows written."""
        return int(self.manifest["rows"])

    def mask(self, rows: int | Sequence[int] = 3, *, tokenizer: str | Path | None = None) -> Mask:
        """Some rows of a build of tokens, with what is trained in them, for notebooks and terminals.

        `rows` is how many, spread evenly, or which, counted from 0. Raises `UsageError` for a build of texts.
        """
        return mask(self.folder, rows, tokenizer=tokenizer)

    def explain(
        self, row: int, *, registry: registry.Registry | None = None, tokenizer: str | Path | None = None
    ) -> Explanation:
        """How a row came to be: its task and share, source row, style, template, exemplars, texts and tokens.

        `row` counts from 0 through all shards, of packs the packs, of stages through all of them. What the build does
        not hold comes from its plan, or from `registry` (by default the bundled catalogue); what cannot be had is said.
        Raises `UsageError`.
        """
        stage, place = stage_of(self.folder, row)
        plan = self.plan.stages.get(stage) if isinstance(self.plan, StagedPlan) else self.plan
        folder = self.folder / stage
        planned = plan._planned if plan is not None and plan.digest == manifest.read(folder)["plan"] else None
        known = load_registry() if registry is None and planned is None else registry
        return explain_row(folder, place, known, planned, tokenizer)

    def verify(self) -> dict[str, Any]:
        """Check every file against the manifest; raises `BuildError` with all that differs."""
        return manifest.verify(self.folder)

    def export(self, out: str | Path, *, trainer: str, layout: str | None = None, strict: bool = False) -> Export:
        """Write the rows into a new folder as a trainer reads them, with its config, and check them against its traps.

        `layout` is one that the trainer reads, in place of the build's own or the trainer's best; `strict` leaves out
        the fm_ columns. Raises `FlanmixError`; then nothing is written.
        """
        return export(self.folder, out, trainer=trainer, layout=layout, strict=strict)


def plan_of(mixture: spec.Mixture, tasks: registry.Registry, *, relax: bool = False) -> "Plan":
    """The plan of a mixture as it is written, or of its stages. Raises `FlanmixError`."""
    if mixture.stages:
        return StagedPlan(mixture.name, {p.stage: Plan(p) for p in plan_stages(mixture, tasks, relax=relax)})
    return Plan(plan_mixture(mixture, tasks, relax=relax))
