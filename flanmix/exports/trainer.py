"""One trainer: the layouts it reads, what is written beside the data, and the traps that it sets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flanmix.exports.rows import Rows, write_parquet
from flanmix.exports.trap import Trap


@dataclass(frozen=True)
class Exported:
    """What snippets tell of: the rows of one build, in `folder` below the file that names it.

    `max_length` is what the build cut or packed its tokens to; None where it did neither.
    """

    mixture: str
    layout: str
    plan: str
    rows: int
    max_length: int | None = None

    @property
    def folder(self) -> str:
        """The folder of the shards. The plan is in its name, since caches do not look at what local files hold."""
        return f"{self.layout}-{self.plan[:12]}"

    @property
    def name(self) -> str:
        """The mixture's name as one word that no format reads as a number or a truth value."""
        return "fm_" + "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in self.mixture)

    @property
    def shards(self) -> str:
        """The pattern of the shards' names."""
        return f"{self.folder}/train-*.parquet"


@dataclass(frozen=True)
class Trainer:
    """A trainer that `flanmix export` writes for.

    `layouts` are those that it reads, the best first; those of `asked` only where somebody asks for them. In a layout
    of `bare` it stops at columns other than the layout's own, and in any layout at those of `left_out`. `write` gives
    the files beside the data by their names, `store` writes the data. With `out_of_order` it does not read the shards
    in their order.
    """

    name: str
    layouts: tuple[str, ...]
    write: Callable[[Exported], Mapping[str, str]]
    traps: tuple[Trap, ...]
    bare: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    store: Callable[[Rows, Path], None] = field(default=write_parquet)
    out_of_order: bool = False
