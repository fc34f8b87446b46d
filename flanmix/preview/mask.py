"""What is trained in the rows of a build of tokens: texts with the trained stretches set apart from the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from flanmix import manifest
from flanmix.errors import UsageError
from flanmix.layouts import TOKENS
from flanmix.preview.cards import spread
from flanmix.preview.html import mask_page
from flanmix.preview.masked import MaskedRow, read_masked
from flanmix.preview.terminal import mask_coloured, mask_plain
from flanmix.tokenizing import load_tokenizer


@dataclass(frozen=True, repr=False)
class Mask:
    """Some rows, and what of them is trained. A notebook shows them as HTML, rich in colour, `str` as plain text."""

    name: str
    rows: tuple[MaskedRow, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __rich__(self) -> RenderableType:
        return mask_coloured(self.rows)

    def __repr__(self) -> str:
        return mask_plain(self.rows)

    def _repr_html_(self) -> str:
        return mask_page(self.name, self.rows)


def mask(folder: str | Path, rows: int | Sequence[int] = 3, *, tokenizer: str | Path | None = None) -> Mask:
    """Some rows of a built folder of the layout `tokens` or `packed`, with what is trained in them.

    `rows` is how many, spread evenly over the build, or which, counted from 0 through all shards. The tokenizer is
    found where the manifest says, or at `tokenizer` if it has moved. Raises `UsageError`, `BuildError`,
    `SourceError`.
    """
    facts = manifest.read(Path(folder))
    if facts["layout"] not in TOKENS:
        hint = "build it with layout='tokens' to see the labels; of texts, each trainer makes its own"
        raise UsageError(f"{folder} has no labels: its layout is {facts['layout']}", hint=hint)
    encoding = facts["encoding"]
    loaded = load_tokenizer(tokenizer or encoding["tokenizer"])
    if loaded.digest != encoding["tokenizer_sha256"]:
        hint = "name the folder in which that one is now as 'tokenizer'"
        raise UsageError(f"{loaded.name} is not the tokenizer that {folder} was built with", hint=hint)
    total = sum(shard["lines"] for shard in facts["shards"])
    chosen = spread(rows, total) if isinstance(rows, int) else list(dict.fromkeys(rows))
    for number in chosen:
        if not 0 <= number < total:
            raise UsageError(f"{folder} has no row {number}", hint=f"there are {total:,}, from 0 to {total - 1}")
    if not chosen:
        raise UsageError("a mask of no rows shows nothing", hint="ask for one or more")
    return Mask(facts["mixture"], tuple(read_masked(Path(folder), facts["shards"], chosen, loaded)))
