"""How a mixture's rows are put beside their wording: worked examples before them, and their answers to choose from."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from flanmix.spec.base import Count, Positive, Share, Slug, Spec, Text

Shares = Mapping[Literal["few_shot", "inverted", "cot", "options"], Share]
Styles = Literal["flan"] | dict[Literal["few_shot", "inverted", "cot", "options"], Share]
"""Shares of the styles of rows, or the name of some (`GRIDS`)."""
GRIDS: Mapping[str, Shares] = MappingProxyType({"flan": MappingProxyType({"few_shot": 0.5, "options": 0.5})})
"""The grid of FLAN: zero- and few-shot, with and without options, a quarter of the rows each."""

ShotCount = Annotated[int, Field(strict=True, ge=1, le=64)]
_Number = BeforeValidator(lambda key: int(key) if isinstance(key, str) and re.fullmatch("0|[1-9][0-9]*", key) else key)
"""YAML keeps the keys of a mapping as texts."""


class ShotRange(Spec):
    """From `min` to `max` exemplars, each number as often as the others."""

    min: ShotCount
    max: ShotCount

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max} - swap them")
        return self


def _kind_of_count(count: Any) -> str:
    """Which member of the union is meant, so that only that one is told of."""
    if isinstance(count, ShotRange) or (isinstance(count, Mapping) and {"min", "max"} & set(count)):
        return "a range"
    return "weights" if isinstance(count, Mapping) else "one number"


_Weights = Annotated[dict[Annotated[ShotCount, _Number], Positive], Field(min_length=1)]
_Count = Annotated[
    Annotated[ShotCount, Tag("one number")]
    | Annotated[ShotRange, Tag("a range")]
    | Annotated[_Weights, Tag("weights")],
    Discriminator(_kind_of_count),
]


class ShotFormat(Spec):
    """What stands around the texts of exemplars, and around the row's own input.

    An exemplar is `input_prefix`, its input, `cue`, `between`, its target, `separator`; the row's own input gets the
    prefix and the cue too. `between` is the mixture's `separator` where it is not told, so that exemplars look as
    prompt and completion do, or a line break where that is empty.

    >>> ShotFormat("qa", input_prefix="Q: ", cue="\\nA:").separator
    '\\n\\n'
    """

    head: ClassVar[str] = "name"
    name: Slug
    input_prefix: str = ""
    cue: str = ""
    between: str | None = None
    separator: str = "\n\n"


class Shots(Spec):
    """Worked examples (exemplars) of the same task that go before a row.

    `count`: how many, a range, or numbers with weights. `balance`: take exemplars with answers by turns, in place of
    any. `templates`: put into the row's own template, or each into one of its own. `place`: written into the input, or
    as earlier turns. `formats`: how they are written into the input, one drawn for each row: names of those that ship
    (`flanmix.shots.library`), or formats of your own. `max_characters`, `max_tokens`: what exemplars and input may
    take; the farthest exemplars are left out until they do.

    >>> Shots({"min": 1, "max": 5}, max_characters=4000).count
    ShotRange(min=1, max=5)
    """

    head: ClassVar[str] = "count"
    count: _Count = ShotRange(min=1, max=5)
    balance: Literal["none", "answers"] = "none"
    templates: Literal["same", "own"] = "same"
    place: Literal["text", "turns"] = "text"
    formats: tuple[Slug | ShotFormat, ...] = Field(default=("plain",), min_length=1)
    max_characters: Count | None = None
    max_tokens: Count | None = None

    @property
    def weights(self) -> dict[int, float]:
        """The numbers of exemplars and how often each is drawn.

        >>> Shots({"min": 2, "max": 4}).weights
        {2: 1.0, 3: 1.0, 4: 1.0}
        """
        if isinstance(self.count, ShotRange):
            return dict.fromkeys(range(self.count.min, self.count.max + 1), 1.0)
        return dict(sorted(self.count.items())) if isinstance(self.count, dict) else {self.count: 1.0}


AnyShots = Annotated[
    Annotated[ShotCount, Tag("one number")] | Annotated[Shots, Tag("shots")],
    Discriminator(lambda asked: "shots" if isinstance(asked, Shots | Mapping) else "one number"),
]
"""Exemplars, or how many of them."""

OptionLabels = Literal["none", "capitals", "letters", "numbers", "roman", "roman_capitals"]


class OptionStyle(Spec):
    """How the answers to choose from are listed.

    `label` is what stands before each, with one mark of `labels` in the place of `{}`; bullets have no `{}` and no
    label that could be an answer. `start` and `end` stand before and after the list, `separator` between its options:
    options without labels have lines of their own. Among several styles one is drawn in proportion to its `weight`.

    >>> OptionStyle("letters", labels="capitals", label="({}) ").start
    ''
    """

    head: ClassVar[str] = "name"
    name: Slug
    labels: OptionLabels = "none"
    label: str = "- "
    separator: Text = "\n"
    start: str = ""
    end: str = ""
    weight: Positive = 1.0

    @model_validator(mode="after")
    def _marked_where_labelled(self) -> Self:
        if (self.labels != "none") != ("{}" in self.label):
            raise ValueError("'labels' and a '{}' in 'label' go together - give both, or neither")
        if self.label.count("{}") > 1:
            raise ValueError("'label' has more than one '{}' - an option has one mark")
        if self.label.endswith("{}"):
            raise ValueError("nothing parts the mark from the option - end 'label' in ') ', '. ' or the like")
        if "\n" in self.label:
            raise ValueError("'label' breaks the line - put the break into 'separator'")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.labels == "none" and "\n" not in self.separator:
            raise ValueError("options on one line need labels to be told apart - give 'labels', or a line break")
        return self


OptionTarget = Literal["text", "label", "both"]


class Options(Spec):
    """How rows list the answers to choose from where their template asks for `options`.

    `styles`: one is drawn for each row, of `flanmix/options/styles.yaml` (with weights, as a mapping) or of your own.
    `order`: as in the data, or shuffled by the seed. `target`: answer with the option's text, its label or both; or
    shares of these by weight. A style, or several, may stand alone: `options: letters`.

    >>> Options(["letters", "numbers"], order="shuffled", target={"text": 1, "label": 1}).order
    'shuffled'
    >>> Options("letters") == Options(["letters"])
    True
    """

    head: ClassVar[str] = "styles"
    styles: Annotated[tuple[Slug | OptionStyle, ...] | dict[Slug, Positive], Field(min_length=1)] = ("bullets",)
    order: Literal["kept", "shuffled"] = "kept"
    target: OptionTarget | Annotated[dict[OptionTarget, Positive], Field(min_length=1)] = "text"

    @model_validator(mode="before")
    @classmethod
    def _styles_alone(cls, data: Any) -> Any:
        """The short form."""
        return {"styles": data} if isinstance(data, str | list | tuple | OptionStyle) else data

    @field_validator("styles", mode="before")
    @classmethod
    def _one_style(cls, styles: Any) -> Any:
        return (styles,) if isinstance(styles, str | OptionStyle) else styles

    @property
    def targets(self) -> dict[OptionTarget, float]:
        """What rows are answered with, and how often each is drawn.

        >>> Options("letters", target="label").targets
        {'label': 1.0}
        """
        return dict(self.target) if isinstance(self.target, dict) else {self.target: 1.0}


def shares_of(styles: Styles) -> Shares:
    """The shares that a mixture asks of styles, by name or each.

    >>> shares_of("flan")["few_shot"]
    0.5
    """
    return GRIDS[styles] if isinstance(styles, str) else styles


def refuse_too_much(styles: Styles) -> None:
    """Raise `ValueError` where the shares of styles that exclude each other add up to more than 1."""
    apart = [share for name, share in shares_of(styles).items() if name != "few_shot"]
    total = sum((Decimal(repr(share)) for share in apart), Decimal(0))
    if total > 1:
        raise ValueError(f"the shares in 'styles' add up to {total}, more than 1 - lower some")
