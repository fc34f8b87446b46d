"""Which tasks become eval sets, of which split, in which wordings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.check import fields_of
from flanmix.errors import FlanmixError, PlanError, Problem, UsageError
from flanmix.evalsets.options import EvalOptions
from flanmix.keyed import key64, permute
from flanmix.registry import Registry
from flanmix.sources import open_source
from flanmix.sources.naming import name_of
from flanmix.spec import FileSource, HubSource, Source, Template

TRAIN = "train"
_PREFERRED = ("validation", "test", TRAIN)
CHOICES, ANSWER = "choices", "answer"
_LOOK = Template("flanmix", input="{{ choices }}", target="{{ answer }}")
"""Never rendered: it has the choices and the answer prepared, whether or not a wording prints them."""


@dataclass(frozen=True)
class EvalTask:
    """A task to be written: `bound` serves only the wordings in `templates`, and perhaps one that is never rendered.

    `exemplars` is the split that exemplars are taken from. `left_out` are the other wordings, by why.
    """

    bound: BoundTask
    templates: tuple[BoundTemplate, ...]
    split: str
    exemplars: str
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The task's name."""
        return self.bound.task.name

    @property
    def source(self) -> tuple[str, str]:
        """What rows are joined to their source by: its name, and its own name for the split."""
        return name_of(self.bound.task.source, self.split)

    def config(self, shots: int, form: str = "") -> str:
        """What the task's set with so many exemplars is called in folders, cards and harnesses."""
        return f"{self.name.replace('/', '__')}_{shots}shot{'_ranking' if form == 'ranking' else ''}"


def splits_of(source: Source) -> tuple[str, ...]:
    """The splits that a source has, as far as its task says.

    >>> splits_of(HubSource(path="glue", split={"train": "train", "test": "validation"}))
    ('train', 'test')
    """
    match source:
        case HubSource():
            return tuple(source.split)
        case FileSource() if isinstance(source.files, Mapping):
            return tuple(source.files)
    return (TRAIN,)


def choose_tasks(registry: Registry, names: Sequence[str], options: EvalOptions) -> tuple[EvalTask, ...]:
    """Settle splits and wordings of tasks; raises `UsageError` or `PlanError` with every task that cannot be had."""
    problems = [*_without_split(registry, names, options), *_same_names(names)]
    if problems:
        raise UsageError(problems)
    chosen = [_chosen(registry.tasks[name], options) for name in names]
    bare = [task for task in chosen if not task.templates]
    if len(bare) == len(chosen):
        raise PlanError([_bare(task) for task in bare])
    return tuple(chosen)


def _without_split(registry: Registry, names: Iterable[str], options: EvalOptions) -> list[Problem]:
    wanted, found = options.split, []
    for name in names if wanted is not None else ():
        splits = splits_of(registry.tasks[name].task.source)
        if wanted not in splits:
            where = registry.tasks[name].where.at("source")
            hint = f"there {'is' if len(splits) == 1 else 'are'} {', '.join(splits)}"
            found.append(where.problem(f"{name} has no split '{wanted}'", f"{hint}; name one, or none for the best"))
    return found


def _same_names(names: Iterable[str]) -> list[Problem]:
    seen: dict[str, str] = {}
    found = []
    for name in names:
        first = seen.setdefault(name.replace("/", "__"), name)
        if first != name:
            what = f"the sets of {first} and {name} would have the same name"
            found.append(Problem(what, hint="write them into two folders"))
    return found


def _bare(task: EvalTask) -> Problem:
    reasons = ", ".join(dict.fromkeys(task.left_out.values()))
    return task.bound.where.problem(f"no wording of {task.name} is left ({reasons})", "take other styles")


def _chosen(bound: BoundTask, options: EvalOptions) -> EvalTask:
    left_out: dict[str, str] = {}
    kept = []
    for item in bound.templates:
        if item.style not in options.styles:
            left_out[item.id] = f"style {item.style}"
        elif item.template.earlier or item.template.system or bound.conversation is not None:
            left_out[item.id] = "conversations have no place in an eval set"
        else:
            kept.append(item)
    if isinstance(options.templates, int) and options.templates < len(kept):
        order = permute(np.arange(len(kept)), len(kept), key64(options.seed, bound.task.name, "eval templates"))
        drawn = set(order[: options.templates].tolist())
        left_out |= {item.id: "not drawn" for number, item in enumerate(kept) if number not in drawn}
        kept = [item for number, item in enumerate(kept) if number in drawn]
    splits = splits_of(bound.task.source)
    split = options.split or next((name for name in _PREFERRED if name in splits), splits[0])
    exemplars = TRAIN if TRAIN in splits else split
    look = (BoundTemplate("flanmix", _LOOK, bound.where),) if kept and _has_choices(bound, split) else ()
    return EvalTask(replace(bound, templates=(*kept, *look)), tuple(kept), split, exemplars, left_out)


def _has_choices(bound: BoundTask, split: str) -> bool:
    """Whether rows have the fields `choices` and `answer`."""
    known = fields_of(bound)
    if bound.task.fields is None:
        try:
            known = frozenset(open_source(bound.task.source, split, bound.folder).schema.names)
        except FlanmixError:  # told with all others, and the task's line, when rows are prepared
            return False
    return known is not None and {CHOICES, ANSWER} <= known


def selected_tasks(selectors: Iterable[str], registry: Registry) -> tuple[str, ...]:
    """The tasks that any of these selectors takes; raises `UsageError` for one that takes none."""
    found: set[str] = set()
    problems = []
    for selector in selectors:
        names = registry.names(selector)
        if not names:
            problems.append(Problem(f"'{selector}' selects no task", hint="'flanmix ls' lists what there is"))
        found.update(names)
    if problems:
        raise UsageError(problems)
    return tuple(sorted(found))
