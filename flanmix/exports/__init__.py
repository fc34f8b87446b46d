"""Exports: what each trainer reads, one module for each, and the check of a folder against the traps it sets."""

from collections.abc import Mapping
from types import MappingProxyType

from flanmix.errors import UsageError, did_you_mean
from flanmix.exports import (
    automodel,
    axolotl,
    levanter,
    litdata,
    llama_factory,
    llm_foundry,
    mds,
    open_instruct,
    openrlhf,
    oumi,
    trl,
)
from flanmix.exports.trainer import Trainer
from flanmix.words import TRAINERS as NAMES

_ALL = (
    trl.TRAINER,
    axolotl.TRAINER,
    llama_factory.TRAINER,
    open_instruct.TRAINER,
    openrlhf.TRAINER,
    oumi.TRAINER,
    automodel.TRAINER,
    llm_foundry.TRAINER,
    litdata.TRAINER,
    mds.TRAINER,
    levanter.TRAINER,
)
TRAINERS: Mapping[str, Trainer] = MappingProxyType({trainer.name: trainer for trainer in _ALL})


def find_trainer(name: str) -> Trainer:
    """A trainer by its name; raises `UsageError`.

    >>> find_trainer("trl").layouts[0]
    'prompt_completion'
    """
    if name not in TRAINERS:
        hint = did_you_mean(name.lower().replace("_", "-"), NAMES) or f"there are {', '.join(NAMES)}"
        raise UsageError(f"no trainer is called '{name}'", hint=hint)
    return TRAINERS[name]
