"""Families made of the template files of another collection: native templates where they do the same."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flanmix.errors import Problem, SpecError
from flanmix.importers.native import NotNative, fields_of, to_native
from flanmix.importers.promptsource import TemplateFile
from flanmix.render.environment import BadTemplate
from flanmix.render.promptsource import compile_dialect
from flanmix.spec import Family, Template

_LONGEST_NAME = 100
_LONGEST_TITLE = 200
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True)
class Imported:
    """What became of one file: its family (None where nothing is left of it), and why not all of it is native.

    `reasons` holds the names of the templates that keep their dialect, each with the first construct that has no native
    form; `left_out` those that cannot be compiled at all.
    """

    source: TemplateFile
    family: Family | None
    reasons: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def count(self, dialect: str) -> int:
        """How many of its templates are written in a dialect."""
        templates = self.family.templates if self.family else ()
        return sum(template.dialect == dialect for template in templates)


def import_files(
    files: Iterable[TemplateFile], *, keep_dialect: bool = False, taken: Iterable[str] = ()
) -> list[Imported]:
    """A family for each file, under names that are not `taken`; raises `SpecError` where two would share a name."""
    names = {name.lower() for name in taken}
    first: dict[str, TemplateFile] = {}
    found: list[Imported] = []
    problems: list[Problem] = []
    for file in files:
        name = family_name(file.dataset, file.config)
        notes: tuple[str, ...] = ()
        if name.lower() in names:
            notes = (f"{file.file}: a family is called '{name}' already; this one is '{name}_promptsource'",)
            name = f"{name}_promptsource"[-_LONGEST_NAME:]
        other = first.setdefault(name.lower(), file)
        if other is not file:
            what = f"its family would be called '{name}', as that of {other.file}"
            problems.append(Problem(what, file=file.file, hint="import one of the two alone, into another folder"))
        found.append(_imported(file, name, notes, keep_dialect))
    if problems:
        raise SpecError(problems)
    return found


def family_name(dataset: str, config: str | None) -> str:
    """A family's name: the dataset and its config, with `_` for what no name may hold.

    >>> family_name("glue", "mrpc"), family_name("user/set é", None)
    ('glue_mrpc', 'user_set')
    """
    full = dataset if config is None else f"{dataset}_{config}"
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", full).strip("_.-")
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    if not name:
        return f"templates_{digest}"
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 9]}_{digest}"


def _imported(file: TemplateFile, name: str, notes: tuple[str, ...], keep_dialect: bool) -> Imported:
    templates: list[Template] = []
    reasons: list[tuple[str, str]] = []
    left_out: list[tuple[str, str]] = []
    fields: set[str] = set()
    told = [*file.notes, *notes]
    for template in unique(file.templates):
        try:
            compile_dialect(template)
        except BadTemplate as error:
            left_out.append((template.name, f"it cannot be compiled: {error.what}"))
            told.append(f"{file.file}: the template '{template.name}' is left out, {left_out[-1][1]}")
            continue
        if not keep_dialect:
            try:
                template = to_native(template)
            except NotNative as reason:
                reasons.append((template.name, str(reason)))
        templates.append(template)
        fields |= fields_of(template)
    usable = sorted(field for field in fields if _IDENTIFIER.fullmatch(field))
    if len(usable) < len(fields):
        others = ", ".join(sorted(fields - set(usable)))
        told.append(f"{file.file}: columns that 'fields' cannot name are read: {others}")
    if templates and not usable:
        told.append(f"{file.file}: is left out, its templates read no column")
    family = None
    if templates and usable:
        of = file.dataset if file.config is None else f"{file.dataset}, {file.config}"
        family = Family(name, description=f"Templates of {of}.", fields=tuple(usable), templates=tuple(templates))
    return Imported(file, family, tuple(reasons), tuple(left_out), tuple(told))


def unique(templates: Iterable[Template]) -> Iterator[Template]:
    """The templates, each under a name of its own: the second `x` is `x (2)`, whatever comes after it.

    >>> from flanmix.spec import Template
    >>> [t.name for t in unique(Template(n, input="i", target="t") for n in ("x", "x", "x (2)", "x"))]
    ['x', 'x (2)', 'x (2) (2)', 'x (3)']
    """
    seen: set[str] = set()
    for template in templates:
        name, number = template.name, 1
        while name in seen:
            number += 1
            ending = f" ({number})"
            name = template.name[: _LONGEST_TITLE - len(ending)] + ending
        seen.add(name)
        yield template if name == template.name else template.model_copy(update={"name": name})
