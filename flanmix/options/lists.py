"""Lists of texts, one a row, laid side by side: put into a keyed order, and searched for a text."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.keyed import Ints, Words, keyed_words

TEXT = pa.large_string()
Mask = npt.NDArray[np.bool_]

_WHITE = "".join(map(chr, (*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))))
_WHITE += "\u2028\u2029\u202f\u205f\u3000"
"""What Python's `str.strip` takes away."""


@dataclass(frozen=True)
class Lists:
    """The texts of all lists one after the other, how many each has, and which lists are null.

    >>> lists = Lists.of(pa.array([["a", "b"], [], ["c"]], pa.list_(TEXT)))
    >>> lists.lengths.tolist(), lists.owners.tolist(), lists.places.tolist()
    ([2, 0, 1], [0, 0, 2], [0, 1, 0])
    """

    texts: pa.Array
    lengths: Ints
    null: Mask

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> "Lists":
        """Those of a column of lists of texts."""
        array = _one(column).cast(pa.large_list(TEXT))
        lengths = np.asarray(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
        return cls(array.flatten(), lengths, np.asarray(array.is_null()))

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def starts(self) -> Ints:
        """Where each list starts among the texts, and where the last one ends."""
        return np.concatenate(([0], np.cumsum(self.lengths)))

    @cached_property
    def owners(self) -> Ints:
        """The list that each text is in."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def places(self) -> Ints:
        """Where each text stands in its list."""
        return np.arange(len(self.texts)) - self.starts[self.owners]

    @cached_property
    def array(self) -> pa.Array:
        """The lists as a column again: `list<large_string>`."""
        mask = pa.array(self.null) if self.null.any() else None
        return pa.ListArray.from_arrays(pa.array(self.starts.astype(np.int32)), self.texts, mask=mask)

    def any_of(self, texts: Mask) -> Mask:
        """Which lists have a text that is meant."""
        found = np.zeros(len(self), bool)
        found[self.owners[texts]] = True
        return found

    def shuffled(self, keys: Words) -> "Lists":
        """Each list in an order of its own, which is a function of its key and of how many texts it has.

        >>> lists = Lists.of(pa.array([["a", "b", "c"]] * 3, pa.list_(TEXT)))
        >>> lists.shuffled(np.array([1, 2, 1], np.uint64)).array.to_pylist()
        [['a', 'b', 'c'], ['a', 'c', 'b'], ['a', 'b', 'c']]
        """
        chance = keyed_words(keys[self.owners], self.places) >> np.uint64(32)
        by_list = (self.owners.astype(np.uint64) << np.uint64(32)) | chance
        order = np.argsort(by_list, kind="stable")  # of equal ones the first, whichever lists stand around
        return Lists(self.texts.take(pa.array(order)), self.lengths, self.null)

    @property
    def sorted(self) -> "Lists":
        """Each list in the order of its texts.

        >>> Lists.of(pa.array([["b", "a"], ["c"]], pa.list_(TEXT))).sorted.array.to_pylist()
        [['a', 'b'], ['c']]
        """
        table = pa.table({"owner": self.owners, "text": self.texts})
        order = pc.sort_indices(table, sort_keys=[("owner", "ascending"), ("text", "ascending")])
        return Lists(self.texts.take(order), self.lengths, self.null)

    def find(self, wanted: pa.Array) -> Ints:
        """Where each list first has the text that is wanted of it; -1 where it has not, or the text is null.

        Texts that are equal but for white space around them count where none is equal to the letter.

        >>> lists = Lists.of(pa.array([["no", "yes"], [" no ", "yes"], ["no"]], pa.list_(TEXT)))
        >>> lists.find(pa.array(["yes", "no", "No"], TEXT))
        array([ 1,  0, -1])
        """
        found = np.full(len(self), -1, np.int64)
        own, asked = (np.asarray(pc.fill_null(pc.binary_length(texts), -1)) for texts in (self.texts, wanted))
        self._note(found, np.flatnonzero(own == asked[self.owners]), self.texts, wanted)
        missing = (found < 0) & (asked >= 0)
        if missing.any():
            self._note(found, np.flatnonzero(missing[self.owners]), *map(_stripped, (self.texts, wanted)))
        return found

    def _note(self, found: Ints, candidates: Ints, texts: pa.Array, wanted: pa.Array) -> None:
        """Note the first candidates that are wanted."""
        asked = wanted.take(pa.array(self.owners[candidates]))
        equal = candidates[np.asarray(pc.fill_null(pc.equal(texts.take(pa.array(candidates)), asked), False))]
        owners = self.owners[equal]
        first = np.diff(owners, prepend=-1) > 0
        found[owners[first]] = self.places[equal[first]]


def _stripped(texts: pa.Array) -> pa.Array:
    return pc.utf8_trim(texts, characters=_WHITE)


def is_blank(texts: pa.Array) -> Mask:
    """Which texts have no character but white space; a null has none to be blank."""
    return np.asarray(pc.fill_null(pc.equal(pc.binary_length(_stripped(texts)), 0), False))


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return pa.concat_arrays([pa.array([], column.type), *column.chunks])
    return column


def one_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column of texts in one piece: `large_string`."""
    return _one(column).cast(TEXT)
