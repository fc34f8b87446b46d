"""What a check looks for: in a folder as a whole, or in each of its rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flanmix.errors import Problem
from flanmix.exports.batches import Batch, Flags
from flanmix.exports.seen import Seen


@dataclass(frozen=True)
class FolderTrap:
    """`found` gives what is wrong with names, schemas and files; with `warns` it may still train as meant."""

    found: Callable[[Seen], Iterable[Problem]]
    warns: bool = False


@dataclass(frozen=True)
class RowTrap:
    """`found` flags rows; they are counted for each shard, and told of as "3 rows {what}".

    It gives None where the columns that it looks at are not there.
    """

    what: str
    hint: str
    found: Callable[[Batch], Flags | None]
    warns: bool = False


Trap = FolderTrap | RowTrap
