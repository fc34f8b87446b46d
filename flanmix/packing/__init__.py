"""Packing: several short sequences share one row, so that little of it is padding."""

from flanmix.packing.loss import TaskTokens, drop_untrained, loss_tokens, tokens_by_task
from flanmix.packing.packs import PackReport, Packs
from flanmix.packing.strategies import Strategy, pack
from flanmix.packing.tables import PACKED, apply

__all__ = [
    "PACKED",
    "PackReport",
    "Packs",
    "Strategy",
    "TaskTokens",
    "apply",
    "drop_untrained",
    "loss_tokens",
    "pack",
    "tokens_by_task",
]
