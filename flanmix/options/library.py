"""The library of option styles, and the `options` of a mixture with names looked up in it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from flanmix.errors import Problem, SpecError, did_you_mean
from flanmix.options.drawing import Listing
from flanmix.origin import Origin, Where
from flanmix.spec import Options, OptionStyle
from flanmix.spec.base import Spec
from flanmix.yamlio import Document, parse, read_text

_PYTHON = Where(Origin("options"))


class OptionStyles(Spec):
    """A file of option styles."""

    head: ClassVar[str] = "option_styles"
    option_styles: tuple[OptionStyle, ...] = Field(min_length=1)


@cache
def option_styles() -> Mapping[str, OptionStyle]:
    """The styles that ship, by name.

    >>> option_styles()["letters"].label
    '({}) '
    """
    file = files("flanmix.options") / "styles.yaml"
    return MappingProxyType(styles_of(read_text(file.read_bytes(), "styles.yaml")))


def styles_of(document: Document) -> dict[str, OptionStyle]:
    """The styles of a file, by name; raises `SpecError` with every problem and its line."""
    found = parse(document, OptionStyles).option_styles
    problems = list(_twice([style.name for style in found], Where(document.origin, ("option_styles",))))
    if problems:
        raise SpecError(problems)
    return {style.name: style for style in found}


def listing(options: Options, where: Where = _PYTHON) -> Listing:
    """How a mixture lists options; raises `SpecError` with all that is wrong, told where its `options` stand.

    >>> [style.weight for style in listing(Options({"letters": 3, "numbers": 1})).styles]
    [3.0, 1.0]
    """
    known = option_styles()
    keys = list(options.styles) if isinstance(options.styles, Mapping) else range(len(options.styles))
    places = [_place(where, key) for key in keys]
    styles: list[OptionStyle] = []
    problems: list[Problem] = []
    for style, place in zip(options.styles, places, strict=True):
        if isinstance(style, OptionStyle):
            if style.name in known:
                problems.append(place.problem(f"'{style.name}' is a style that ships", "call yours something else"))
            styles.append(style)
        elif style in known:
            weight = options.styles[style] if isinstance(options.styles, Mapping) else 1.0
            styles.append(known[style].model_copy(update={"weight": weight}))
        else:
            hint = did_you_mean(style, known) or f"there are {', '.join(known)}"
            problems.append(place.problem(f"no option style is called '{style}'", hint))
    problems += _twice([style if isinstance(style, str) else style.name for style in options.styles], where, places)
    if not problems:
        problems += _without_labels(options, styles, where)
    if problems:
        raise SpecError(problems)
    return Listing(tuple(styles), tuple(options.targets.items()), options.order == "shuffled")


def _place(where: Where, key: int | str) -> Where:
    """Where a style is named, however short the form."""
    nearest = (where.at("styles", key), where.at("styles"), where.at(key))
    return next((place for place in nearest if place.path in place.origin.lines), where)


def _twice(names: Sequence[str], where: Where, places: Sequence[Where] | None = None) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            place = places[index] if places else where.at(index, "name")
            yield place.problem(f"the style '{name}' is there already", "leave one out")


def _without_labels(options: Options, styles: Sequence[OptionStyle], where: Where) -> Iterator[Problem]:
    """Answers that no style could give."""
    asked = [target for target in options.targets if target != "text"]
    if asked and all(style.labels == "none" for style in styles):
        shown = ", ".join(f"'{style.name}'" for style in styles)
        what = f"'{asked[0]}' needs labels, and {shown} {'has' if len(styles) == 1 else 'have'} none"
        yield where.at("target").problem(what, "take a style with labels, like 'letters'")
