"""The formats of exemplars that ship, and what a mixture asks of exemplars."""

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import ClassVar

from flanmix.errors import Problem, SpecError, UsageError, did_you_mean
from flanmix.origin import Origin, Where
from flanmix.shots.shooting import Shooting
from flanmix.spec import Mixture, ShotFormat, Shots, Spec, shares_of
from flanmix.tokenizing import load_tokenizer
from flanmix.yamlio import parse, read_text

FILE = "formats.yaml"
_PYTHON = Where(Origin("a mixture made in Python"), ("shots",))


class _Formats(Spec):
    head: ClassVar[str] = "formats"
    formats: tuple[ShotFormat, ...]


@cache
def shot_formats() -> MappingProxyType[str, ShotFormat]:
    """The formats that ship, by name.

    >>> shot_formats()["qa"].input_prefix
    'Q: '
    """
    raw = (files("flanmix.shots") / FILE).read_bytes()
    return MappingProxyType({each.name: each for each in parse(read_text(raw, FILE), _Formats).formats})


def shot_format(named: str | ShotFormat) -> ShotFormat:
    """A format of that name, or the format itself; raises `UsageError`."""
    if isinstance(named, ShotFormat):
        return named
    known = shot_formats()
    if named not in known:
        hint = did_you_mean(named, known) or f"there are {', '.join(known)}, or write a format of your own"
        raise UsageError(f"no format of exemplars is called '{named}'", hint=hint)
    return known[named]


def _formats(asked: Shots, where: Where) -> list[ShotFormat]:
    found, problems = list[ShotFormat](), list[Problem]()
    for index, named in enumerate(asked.formats):
        try:
            found.append(shot_format(named))
        except UsageError as error:
            problems += [where.at("formats", index).problem(each.what, each.hint) for each in error.problems]
    if problems:
        raise SpecError(problems)
    return found


def shooting_of(mixture: Mixture, where: Where = _PYTHON) -> Shooting:
    """What a mixture asks of exemplars; raises `SpecError`, told where its `shots` stand, or as `load_tokenizer`.

    >>> shooting_of(Mixture("m", sizes={"a": 1}, styles="flan", shots=3)).numbers
    ((3, 1.0),)
    """
    if not shares_of(mixture.styles).get("few_shot", 0.0 if mixture.shots is None else 1.0):
        return Shooting()
    asked = mixture.shots if isinstance(mixture.shots, Shots) else Shots(mixture.shots) if mixture.shots else Shots()
    tokenizer = None
    if asked.max_tokens is not None:
        if mixture.tokenizer is None:
            hint = "name a tokenizer.json, its folder or a Hub id as 'tokenizer', or use 'max_characters'"
            raise SpecError(where.at("max_tokens").problem("exemplars in tokens need a tokenizer", hint))
        tokenizer = load_tokenizer(mixture.tokenizer)
    between = mixture.separator or "\n"
    formats = _formats(asked, where)
    return Shooting(
        tuple(asked.weights.items()),
        asked.balance,
        asked.templates,
        asked.place,
        tuple(each if each.between is not None else each.model_copy(update={"between": between}) for each in formats),
        asked.max_characters,
        asked.max_tokens,
        mixture.tokenizer if tokenizer else None,
        tokenizer.digest if tokenizer else "",
    )
