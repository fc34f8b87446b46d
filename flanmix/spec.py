"""What people write down, as frozen values: tasks, families, mixtures."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from flanmix.complaints import complaints
from flanmix.errors import SpecError
from flanmix.origin import Origin

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _ModelMetaclass
else:
    _ModelMetaclass = type(BaseModel)

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$"
SLUG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
TITLE_PATTERN = r"^[^\n\p{C}]*[^\s\p{C}][^\n\p{C}]*$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=200)]
"""Slash-separated slugs, so that it is a safe path under any root: `glue/rte`."""
Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=100)]
Title = Annotated[str, StringConstraints(pattern=TITLE_PATTERN, max_length=200)]
"""One line of printable text."""
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1, le=10**12)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


Dialect = Literal["native", "promptsource"]
_KEYS: Mapping[Dialect, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "native": (("input", "target"), ("jinja", "answer_choices", "truncate")),
    "promptsource": (("jinja",), ("input", "target")),
}
"""The keys that a template of a dialect needs, and those that it may not have."""


class _Told(_ModelMetaclass):
    """Lets specs be made by hand with `head` in front, and makes a `SpecError` of what pydantic finds wrong then.

    Pydantic itself calls no class, so what is wrong inside a spec is told with the whole of it.
    """

    def __call__(self, *head: Any, **data: Any) -> Any:
        model: Any = self
        if len(head) > (model.head is not None):
            raise TypeError(f"{self.__name__} takes {'its other values' if model.head else 'all values'} by name")
        if head and head[0] is not None:
            data[model.head] = head[0]
        try:
            return super().__call__(**data)
        except ValidationError as error:
            name = data.get(model.head, data.get("name", ""))
            origin = Origin(f"{self.__name__.lower()} {name if isinstance(name, str) else ''}".rstrip())
            raise SpecError(complaints(error, model, data, origin)) from None


class Spec(BaseModel, metaclass=_Told):
    """Base of all specs: frozen, and an unknown key is an error.

    The key named by `head` may be given first and without its name: `Task("glue/rte", type="nli", …)`. Raises
    `SpecError` with all that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)
    head: ClassVar[str | None] = None

    if TYPE_CHECKING:

        def __init__(self, head: Any = None, /, **data: Any) -> None: ...

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Only what differs from the defaults."""
        fields = type(self).model_fields
        return ((name, value) for name, value in super().__repr_args__() if fields[str(name)].default != value)


class HubSource(Spec):
    """A dataset that `datasets.load_dataset` reads, under its own argument names.

    `split` maps flanmix's split names to the dataset's: `{train: train, validation: test}`.
    """

    path: Text
    name: str | None = None
    revision: str | None = None
    data_dir: str | None = None
    data_files: str | tuple[str, ...] | dict[str, str | tuple[str, ...]] | None = None
    split: dict[Slug, Text] = Field(default={"train": "train"}, min_length=1)


class FileSource(Spec):
    """Local files, by path or glob, relative to the folder of the file that names them.

    `format` is read off the names' ending where it is not given. `columns` names the columns of a CSV or TSV
    without a header line; all its columns are text. A TSV has no quoting; a CSV has `"`, unless `quoting: false`.
    """

    files: Text | tuple[Text, ...] | dict[Slug, Text | tuple[Text, ...]]
    format: Literal["parquet", "arrow", "jsonl", "csv", "tsv"] | None = None
    columns: tuple[Text, ...] | None = None
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    quoting: bool | None = None


class TableSource(Spec):
    """Rows in memory: a list of dicts, a pandas data frame or an Arrow table. Only from Python."""

    table: Any = Field(repr=False)


class GeneratorSource(Spec):
    """Rows made by a seeded generator: a bundled one by name, or (from Python) any function of a `Draw`."""

    generator: Any
    rows: Count
    seed: Seed = 0
    args: dict[Identifier, Any] = {}


def _kind_of_source(value: Any) -> str | None:
    if isinstance(value, Spec):
        return type(value).__name__
    kinds = {"files": "FileSource", "generator": "GeneratorSource", "table": "TableSource", "path": "HubSource"}
    return next((kinds[key] for key in kinds if isinstance(value, Mapping) and key in value), None)


Source = Annotated[
    Annotated[HubSource, Tag("HubSource")]
    | Annotated[FileSource, Tag("FileSource")]
    | Annotated[TableSource, Tag("TableSource")]
    | Annotated[GeneratorSource, Tag("GeneratorSource")],
    Discriminator(
        _kind_of_source,
        custom_error_type="source",
        custom_error_message="a source needs one of the keys 'path' (load_dataset), 'files' or 'generator'",
    ),
]


class TemplateMetadata(Spec):
    """What a collection of templates says of one beside its text; it decides nothing.

    `original_task`: whether it asks for what the dataset was made for. `choices_in_prompt`: whether the input names the
    answers to choose from. `reference`: where the wording comes from.
    """

    id: str = ""
    original_task: bool | None = None
    choices_in_prompt: bool | None = None
    metrics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    reference: str = ""


class Template(Spec):
    """One wording: how a row becomes an input and a target.

    `when` is a Jinja expression; the template serves only rows for which it holds.

    In the dialect `promptsource`, `jinja` makes both texts at once with `|||` between them, and reads the list that
    `answer_choices` makes with `|||` between its items. `truncate` cuts what is printed at 2,048 characters, as P3 was
    made.

    >>> Template("ask", input="{{ question }}", target="{{ answer }}").name
    'ask'
    >>> Template("ask", dialect="promptsource", jinja="{{ question }} ||| {{ answer }}").texts
    {'jinja': '{{ question }} ||| {{ answer }}'}
    """

    head: ClassVar[str] = "name"
    name: Title
    input: Text | None = None
    target: Text | None = None
    when: Text | None = None
    tags: tuple[Slug, ...] = ()
    dialect: Dialect = "native"
    jinja: Text | None = None
    answer_choices: str | None = None
    truncate: bool = False
    metadata: TemplateMetadata | None = None

    @model_validator(mode="after")
    def _keys_of_the_dialect(self) -> Self:
        needed, others = _KEYS[self.dialect]
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a template needs {' and '.join(map(repr, missing))} - write the text under that key")
        foreign = [key for key in others if getattr(self, key)]
        if foreign:
            raise ValueError(f"'{foreign[0]}' is no key of the dialect {self.dialect} - see 'dialect' in docs/files.md")
        return self

    @property
    def texts(self) -> dict[str, str]:
        """What is compiled, by its key: `input` and `target`, or `jinja` and `answer_choices`."""
        keys = ("input", "target", "jinja", "answer_choices")
        return {key: text for key in keys if (text := getattr(self, key)) is not None}


class Family(Spec):
    """The templates that serve every task of one type, and the fields they may use."""

    head: ClassVar[str] = "family"
    name: Slug = Field(alias="family")
    description: str = ""
    fields: tuple[Identifier, ...] = Field(min_length=1)
    templates: tuple[Template, ...] = Field(min_length=1)


class TemplateUse(Spec):
    """Which templates serve a task: those of the families in `use`, less `without`, and those in `add`."""

    use: tuple[Slug, ...] | None = None
    without: tuple[Slug, ...] = ()
    add: tuple[Template, ...] = ()


class Task(Spec):
    """A source dataset wrapped for instruction tuning.

    `fields` maps canonical fields to a column, a nested path (`answers.text`), a constant list, or a Jinja
    expression; without it the templates use the columns as they are. Rows for which `drop` holds are left out
    and counted.

    >>> Task("toy/sum", type="arithmetic", source=[{"question": "1 + 1?", "answer": "2"}]).name
    'toy/sum'
    """

    head: ClassVar[str] = "task"
    name: Name = Field(alias="task")
    type: Slug
    description: str = ""
    tags: tuple[Slug, ...] = ()
    source: Source
    fields: dict[Identifier, Text | tuple[str, ...]] | None = None
    drop: Text | None = None
    templates: TemplateUse = TemplateUse()
    licence: str | None = None
    citation: str | None = None
    languages: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        if isinstance(data.get("templates"), list | tuple):
            data["templates"] = {"use": (), "add": tuple(data["templates"])}
        source = data.get("source")
        if source is not None and not isinstance(source, str | Mapping | Spec):
            data["source"] = TableSource(table=source)
        return data


class Limits(Spec):
    """What bounds a task's rows.

    `max_rows`: rows a task may offer, drawn at random. `rate_cap`: the size it counts for when shares are worked
    out. `temperature` T: shares go by size^(1/T). `max_epochs`: passes over the offered rows at most.
    `min_share`: the share of the mixture it gets at least (of each task in `defaults`, of the whole part in a part).
    """

    max_rows: Count | None = None
    rate_cap: Count | None = None
    temperature: Positive | None = None
    max_epochs: Positive | None = None
    min_share: Share | None = None


class Part(Limits):
    """A selector (or another mixture) and at most one of `weight`, `rows`, `epochs`.

    >>> Part("type:nli glue/*", weight=2).select
    'type:nli glue/*'
    """

    head: ClassVar[str] = "select"
    select: Text | None = None
    mixture: Name | None = None
    weight: Positive | None = None
    rows: Count | None = None
    epochs: Positive | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.select is None) == (self.mixture is None):
            raise ValueError("a part needs either 'select' or 'mixture'")
        if sum(value is not None for value in (self.weight, self.rows, self.epochs)) > 1:
            raise ValueError("a part takes at most one of 'weight', 'rows', 'epochs'")
        return self


class Mixture(Spec):
    """The recipe of a mixture: parts, a budget in rows or epochs, limits, shares of styles.

    >>> Mixture("mini", parts=[Part("type:nli", weight=2)], rows=1000).parts[0].weight
    2.0
    """

    head: ClassVar[str] = "mixture"
    name: Name = Field(alias="mixture")
    description: str = ""
    seed: Seed = 0
    rows: Count | None = None
    epochs: Positive | None = None
    split: Slug = "train"
    parts: tuple[Part, ...] = Field(min_length=1)
    defaults: Limits = Limits()
    styles: dict[Literal["inverted", "cot", "options"], Share] = {}
    layout: Literal["prompt_completion", "messages"] = "prompt_completion"
    separator: str = "\n"

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.rows is not None and self.epochs is not None:
            raise ValueError("a mixture takes 'rows' or 'epochs', not both")
        shares = sum((Decimal(repr(share)) for share in self.styles.values()), Decimal(0))
        if shares > 1:
            raise ValueError(f"the shares in 'styles' add up to {shares}, more than 1 - lower some")
        return self
