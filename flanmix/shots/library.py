"""The formats of exemplars that ship, and what a mixture asks of exemplars."""

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import ClassVar

from flanmix.errors import UsageError, did_you_mean
from flanmix.shots.shooting import Shooting
from flanmix.spec import Mixture, ShotFormat, Shots, Spec, shares_of
from flanmix.tokenizing import load_tokenizer
from flanmix.yamlio import parse, read_text

FILE = "formats.yaml"


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
        hint = did_you_mean(named, known) or f"there are {', '.join(known)}"
        raise UsageError(f"no format of exemplars '{named}'", hint=f"{hint}; or write a format of your own")
    return known[named]


def shooting_of(mixture: Mixture) -> Shooting:
    """What a mixture asks of exemplars; raises `UsageError`, or as `load_tokenizer`.

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
            raise UsageError("'max_tokens' of shots needs a tokenizer", hint=hint)
        tokenizer = load_tokenizer(mixture.tokenizer)
    between = mixture.separator or "\n"
    formats = [shot_format(named) for named in asked.formats]
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
