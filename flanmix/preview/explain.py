"""How a row of a build, or a position of a plan, came to be: made visible for notebooks and terminals."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import RenderableType

from flanmix.preview.explained import Explained
from flanmix.preview.html import explanation_page
from flanmix.preview.terminal import explanation_coloured, explanation_plain


@dataclass(frozen=True, repr=False)
class Explanation:
    """A row and how it came to be; of a pack, each of its examples.

    A notebook shows it as HTML, rich in colour, `str` as plain text.
    """

    title: str
    examples: tuple[Explained, ...]

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Explained]:
        return iter(self.examples)

    def __getitem__(self, number: int) -> Explained:
        return self.examples[number]

    def __rich__(self) -> RenderableType:
        return explanation_coloured(self.title, self.examples)

    def __repr__(self) -> str:
        return explanation_plain(self.title, self.examples)

    def _repr_html_(self) -> str:
        return explanation_page(self.title, self.examples)
