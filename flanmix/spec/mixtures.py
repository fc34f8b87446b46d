"""Mixtures: parts, stages, budgets and limits."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from flanmix.spec.axes import AnyShots, Options, Styles, refuse_too_much
from flanmix.spec.base import Count, Name, Positive, Seed, Share, Slug, Spec, Text, Title
from flanmix.spec.encoding import EncodingKeys
from flanmix.spec.prompts import Place, PromptPool, SystemPrompts, TypeTag, refuse_jinja

Layout = Literal[
    "prompt_completion",
    "conversational",
    "messages",
    "sharegpt",
    "alpaca",
    "inputs_targets",
    "text",
    "tagged",
    "tokens",
    "packed",
]
Preset = Literal["proportional", "equal", "t5", "mt5", "unimax", "flan2021", "t0"]


class Bounds(Spec):
    """The least and the most that some tasks together, or one, get of a mixture: as shares of it, or in rows."""

    min_share: Share | None = None
    max_share: Share | None = None
    min_rows: Count | None = None

    @model_validator(mode="after")
    def _floor_below_ceiling(self) -> Self:
        if self.min_share is not None and self.max_share is not None and self.min_share > self.max_share:
            raise ValueError(f"min_share {self.min_share:g} is above max_share {self.max_share:g} - lower one")
        return self


class Limits(Bounds):
    """What a task counts for, and what bounds its rows.

    `rate`: a named rule of the literature, which stands for some of the keys that follow (`flanmix.rates.PRESETS`).
    `max_rows`: rows a task may offer, drawn at random. `scale`, `rate_cap`, `temperature` T: shares go by
    min(size * scale, rate_cap)^(1/T). `max_epochs`: passes over the offered rows at most. `min_share`, `max_share`,
    `min_rows`: of each task in `defaults`, of the whole part in a part.
    """

    rate: Preset | None = None
    max_rows: Count | None = None
    scale: Positive | None = None
    rate_cap: Positive | None = None
    temperature: Positive | None = None
    max_epochs: Positive | None = None

    @model_validator(mode="after")
    def _rule_takes_keys(self) -> Self:
        told = [name for name in ("scale", "rate_cap", "temperature") if getattr(self, name) is not None]
        if self.rate in ("equal", "unimax") and told:
            raise ValueError(f"the rate '{self.rate}' counts all tasks the same, and takes no '{told[0]}'")
        others = [name for name in told if name != "rate_cap"]
        if self.rate == "t0" and others:
            raise ValueError(f"the rate 't0' counts a task's templates, and takes no '{others[0]}'")
        return self


class Part(Limits):
    """Tasks: those of a selector, of another mixture or of parts of its own; at most one of `weight`, `rows` ….

    >>> Part("type:nli glue/*", weight=2).select
    'type:nli glue/*'
    """

    head: ClassVar[str] = "select"
    name: Title | None = None
    select: Text | None = None
    mixture: Name | None = None
    parts: tuple["Part", ...] | None = Field(default=None, min_length=1)
    weight: Positive | None = None
    rows: Count | None = None
    tokens: Count | None = None
    epochs: Positive | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if sum(value is not None for value in (self.select, self.mixture, self.parts)) != 1:
            raise ValueError("a part needs one of 'select', 'mixture', 'parts'")
        if sum(value is not None for value in (self.weight, self.rows, self.tokens, self.epochs)) > 1:
            raise ValueError("a part takes at most one of 'weight', 'rows', 'tokens', 'epochs'")
        return self

    @property
    def title(self) -> str:
        """What the part is called."""
        return self.name or self.select or self.mixture or "parts"


class Budget(Spec):
    """How much there is to share out: in rows, in tokens or in passes over all offered rows."""

    rows: Count | None = None
    tokens: Count | None = None
    epochs: Positive | None = None

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if sum(value is not None for value in (self.rows, self.tokens, self.epochs)) > 1:
            raise ValueError("a budget is in one of 'rows', 'tokens', 'epochs' - leave the others out")
        return self


_NO_STAGES = ("data", "readme.md", "manifest.json")


class _StageName(Spec):
    """The first key of a stage."""

    head: ClassVar[str] = "name"
    name: Slug


class Stage(Budget, _StageName):
    """One stage of a mixture that is trained on in order: parts and a budget of its own.

    `replay` adds that fraction of the rows that an earlier stage planned of each of its tasks, rounded down.
    """

    parts: tuple[Part, ...] = Field(min_length=1)
    replay: dict[Slug, Share] = Field(default={})


Size = Count | Annotated[dict[Title, Count], Field(min_length=1)]


class TurnTags(Spec):
    """What stands on a line of its own above each turn in the layout `tagged`, and what ends an answer.

    `instruction` is above the first turn of the user, `input` above later ones. `end` follows each answer at once.

    >>> TurnTags(output="### Response:").system
    '<system>'
    """

    system: Title = "<system>"
    instruction: Title = "<instruction>"
    input: Title = "<input>"
    output: Title = "<output>"
    end: Annotated[str, StringConstraints(pattern=r"^[^\n\p{C}]*$", max_length=200)] = ""

    @model_validator(mode="after")
    def _no_two_equal(self) -> Self:
        seen: dict[str, str] = {}
        for name, tag in self:
            if tag.strip() in seen:
                raise ValueError(f"'{seen[tag.strip()]}' and '{name}' are both '{tag.strip()}' - change one")
            seen[tag.strip()] = name
        return self


class _MixtureName(Spec):
    """The first key of a mixture."""

    head: ClassVar[str] = "mixture"
    name: Name = Field(alias="mixture")


class Mixture(EncodingKeys, Budget, _MixtureName):
    """The recipe of a mixture: parts, a budget, limits of tasks, types and tags, shares of styles.

    `types` and `tags` bound all tasks of a type or with a tag together. `weights` gives tasks their shares by name, in
    place of what their sizes make of them. `sizes` are the rows of tasks, or of styles of tasks, so that a plan can be
    made where no data is; the mixture then knows no other tasks. `exclude` takes tasks out again. `tokenizer` counts
    tokens, and makes those of the layouts `tokens` and `packed`, as the keys of `EncodingKeys` say. `system` are
    prompts for rows without one of their own, `type_tag` says where a task's type is told. `shots` are the exemplars
    that go before the share `few_shot` of `styles` (before every row, where that is not told), `options` says how
    answers to choose from are listed. `templates`: each row's wording is drawn for each epoch, wordings are even,
    or each epoch takes the row's next one; `templates_per_row` offers each row in that many wordings. `hold_out` is
    tasks to take out with all that is related to them.

    >>> Mixture("mini", parts=[Part("type:nli", weight=2)], rows=1000).parts[0].weight
    2.0
    """

    description: str = ""
    seed: Seed = 0
    split: Slug = "train"
    parts: tuple[Part, ...] = Field(default=(), min_length=1)
    stages: tuple[Stage, ...] = Field(default=(), min_length=1)
    exclude: tuple[Text, ...] = ()
    defaults: Limits = Limits()
    types: dict[Text, Bounds] = Field(default={})
    tags: dict[Text, Bounds] = Field(default={})
    styles: Styles = Field(default={})
    shots: AnyShots | None = None
    options: Options = Options()
    templates: Literal["drawn", "even", "cycle"] = "drawn"
    templates_per_row: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    hold_out: tuple[Text, ...] = ()
    weights: dict[Title, Positive] = Field(default={})
    sizes: dict[Title, Size] = Field(default={})
    order: Literal["shuffle", "even", "sequential"] = "shuffle"
    tokenizer: Text | None = None
    layout: Layout = "prompt_completion"
    separator: str = "\n"
    turn_tags: TurnTags = TurnTags()
    system: PromptPool | SystemPrompts | None = None
    type_tag: Place | TypeTag = "none"

    @field_validator("system")
    @classmethod
    def _plain_texts(cls, system: PromptPool | SystemPrompts | None) -> PromptPool | SystemPrompts | None:
        refuse_jinja(system)
        return system

    @model_validator(mode="after")
    def _parts_or_stages(self) -> Self:
        if self.parts and self.stages:
            raise ValueError("a mixture has 'parts' or 'stages', not both")
        if not (self.parts or self.stages or self.sizes):
            raise ValueError("a mixture needs 'parts' (or 'stages', or 'sizes')")
        names = [stage.name for stage in self.stages]
        for index, stage in enumerate(self.stages):
            if stage.name.lower() in _NO_STAGES:
                raise ValueError(f"a stage cannot be called '{stage.name}', as a part of a build is - rename it")
            if stage.name in names[:index]:
                raise ValueError(f"two stages are called '{stage.name}' - rename one")
            if unknown := sorted(set(stage.replay) - set(names[:index])):
                raise ValueError(f"the stage '{stage.name}' replays '{unknown[0]}', which is no earlier stage")
        return self

    @model_validator(mode="after")
    def _one_whole(self) -> Self:
        if self.stages and (self.rows, self.tokens, self.epochs) != (None, None, None):
            raise ValueError("a mixture with stages has a budget in each of them - leave its own out")
        in_tokens = any(tokens is not None for tokens in (self.tokens, *(stage.tokens for stage in self.stages)))
        if in_tokens and self.tokenizer is None:
            raise ValueError("a budget in tokens needs 'tokenizer' - name a tokenizer.json, its folder or a Hub id")
        refuse_too_much(self.styles)
        return self
