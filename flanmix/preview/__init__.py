"""Rendered rows made visible, a card for each row and template: as HTML, in a terminal's colours and as plain text.

Colour and a number say which field a stretch came from; symbols stand for whitespace and for what cannot be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType

from flanmix.bound import BoundTask
from flanmix.preview.cards import Card, Turn, card, make_cards
from flanmix.preview.explain import Explanation
from flanmix.preview.html import page
from flanmix.preview.mask import Mask, mask
from flanmix.preview.terminal import coloured, plain
from flanmix.preview.visible import number_fields

__all__ = ["Card", "Explanation", "Mask", "Preview", "Turn", "card", "mask", "preview"]


@dataclass(frozen=True, repr=False)
class Preview:
    """Cards, and notes on what they leave out. A notebook shows them as HTML, rich in colour, `str` as plain text."""

    cards: tuple[Card, ...]
    notes: tuple[str, ...] = ()

    @property
    def fields(self) -> list[str]:
        """The fields on the cards, in the order in which they are met: that gives each its number and colour."""
        return list(number_fields(self.cards))

    def __len__(self) -> int:
        return len(self.cards)

    def __rich__(self) -> RenderableType:
        return coloured(self.cards, self.notes)

    def __repr__(self) -> str:
        return plain(self.cards, self.notes)

    def _repr_html_(self) -> str:
        return page(self.cards, self.notes)


def preview(
    bound: BoundTask, *, rows: int | Sequence[int] = 3, templates: Sequence[str] | None = None, split: str = "train"
) -> Preview:
    """Render some rows of a task with each template that serves them: one card each, by rows, then by templates.

    `rows` is how many, spread evenly over the usable rows, or which, by their number in the source (`fm_row`).
    `templates` are ids; all by default. Raises `UsageError` for a row or template that is not there, `SourceError` or
    `TemplateError` for a task that cannot be prepared; a template that fails on a row says so on its card.

    >>> from flanmix.registry import Registry
    >>> from flanmix.spec import Task, Template
    >>> ask = Template("ask", input="{{ q }}", target="{{ a }}")
    >>> task = Task("toy/sums", type="arithmetic", source=[{"q": "1 + 1?", "a": "2"}], templates=[ask])
    >>> shown = preview(Registry().with_specs(task)["toy/sums"])
    >>> len(shown), shown.cards[0].turns[1].text
    (1, '2')
    """
    cards, notes = make_cards(bound, rows, templates, split)
    return Preview(tuple(cards), tuple(notes))
