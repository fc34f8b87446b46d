"""What a build does with models: chat templates and tokens, as the mixture says or as the call does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flanmix import spec
from flanmix.build import Options
from flanmix.encoding import make_encoding, make_template
from flanmix.errors import SpecError, UsageError, did_you_mean
from flanmix.layouts import LAYOUTS, TOKENS


def with_model(options: Options, mixture: spec.Mixture, chosen: Mapping[str, Any], *, flagged: bool) -> Options:
    """The same options with what makes text for a model of a row, or tokens, as the layout needs it."""
    names = spec.EncodingKeys.model_fields
    if unknown := sorted(chosen.keys() - {*names, "tokenizer"}):
        hint = did_you_mean(unknown[0], names) or f"of an encoding there are tokenizer, {', '.join(names)}"
        raise UsageError(f"a build has no option '{unknown[0]}'", hint=hint)
    _refuse_idle(options.layout, chosen)
    tokenizer = chosen.get("tokenizer", mixture.tokenizer)
    try:
        keys = spec.EncodingKeys(**{name: chosen.get(name, getattr(mixture, name)) for name in names})
    except SpecError as error:
        raise UsageError(error.problems) from error
    if options.layout in TOKENS:
        packed = options.layout == "packed"
        made = make_encoding(keys, tokenizer, separator=options.separator, packed=packed, flagged=flagged)
        return replace(options, encoding=made)
    if options.layout in LAYOUTS and not LAYOUTS[options.layout].ROOM:
        return replace(options, chat=make_template(keys, tokenizer))
    return options


def _refuse_idle(layout: str, chosen: Mapping[str, Any]) -> None:
    """Raise `UsageError` for options of this call that would decide nothing in the layout."""
    if layout in TOKENS or layout not in LAYOUTS:
        return
    of_texts = set() if LAYOUTS[layout].ROOM else {"chat_template", "bos", "eos"}
    idle = sorted(name for name, value in chosen.items() if value is not None and name not in {"tokenizer", *of_texts})
    if idle:
        what = f"{' and '.join(idle)} would do nothing in the layout '{layout}'"
        raise UsageError(what, hint=f"leave {'them' if len(idle) > 1 else 'it'} out, or take {' or '.join(TOKENS)}")
