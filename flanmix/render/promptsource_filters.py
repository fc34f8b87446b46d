"""The filters that promptsource adds to Jinja's; the random ones draw from a key, and so are the same on every run."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

RANDOM = frozenset({"choice", "random"})
"""Filters that take one item at random: promptsource's own and Jinja's."""


@pass_context  # which also keeps Jinja from choosing once, when it compiles
def _choice(context: Context, items: Sequence[Any], place: int) -> Any:
    if not len(items):
        raise IndexError("a choice from nothing")
    draw: Callable[[int], int] = context.draw  # type: ignore[attr-defined]
    return items[draw(place) % len(items)]


def _most_frequent(items: Any) -> list[Any] | None:
    """All items that are there most often, the first seen first; None of no items."""
    counts = Counter(items)
    most = max(counts.values(), default=0)
    return [item for item, count in counts.items() if count == most] or None


def _highlight(text: str) -> str:
    return "<span style='color: #F08080'>" + text + "</span>"


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"choice": _choice, "random": _choice, "most_frequent": _most_frequent, "highlight": _highlight}
)
