"""Numbers that are a function of a key alone, without state: keys, 64-bit words, permutations."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FEW = 1 << 10
_CHUNK = 1 << 15  # keeps the intermediate arrays in the cache
_ROUNDS = 6


def key64(*parts: str | int) -> int:
    """A 64-bit key that is a function of its parts alone.

    >>> key64(7, "glue/rte") == key64(7, "glue/rte") != key64(8, "glue/rte")
    True
    """
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def mix64(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection of 64-bit words."""
    words = words ^ (words >> np.uint64(30))  # an array of its own from here on
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def keyed_words(keys: Words | int, counters: npt.ArrayLike) -> Words:
    """One 64-bit word for each counter, as from a SplitMix64 stream that starts at its key."""
    words = np.asarray(counters).astype(np.uint64)  # an array of its own
    words += np.uint64(1)
    words *= _GOLDEN
    return mix64(words + np.asarray(keys, np.uint64))


def permute(indices: Ints, size: int, key: int) -> Ints:
    """Where a keyed permutation of range(size) sends each index; `indices` lie in [0, size), `size` is at most 2^62.

    The same (size, key) is a bijection of range(size). Up to 1,024 indices are sorted by keyed words. More go through a
    Feistel network over two digits (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"): an index is
    high * 2^b + low, with 2^b near the root of `size`, and `high` has no more values than are needed. So the network
    permutes fewer than 2^b numbers too many; an index sent to one of those is sent on until it is in range.

    >>> sorted(permute(np.arange(5), 5, key=1).tolist())
    [0, 1, 2, 3, 4]
    """
    if size <= _FEW:
        return np.argsort(keyed_words(key, np.arange(size)), kind="stable").astype(np.int64, copy=False)[indices]
    network, out = _Network.of(size, key), np.empty(len(indices), np.int64)
    for start in range(0, len(indices), _CHUNK):
        out[start : start + _CHUNK] = network.send(indices[start : start + _CHUNK])
    walking = np.flatnonzero(out >= size)
    while len(walking):
        further = out[walking] = network.send(out[walking])
        walking = walking[further >= size]
    return out


@dataclass(frozen=True)
class _Network:
    """A bijection of the numbers high * 2^bits + low with high < `highs`.

    Each round adds a function of one digit to the other, which can be undone whatever the function is. Six rounds, for
    with four the images of indices with an equal digit are too often as far apart as they were.
    """

    bits: int
    highs: int
    rounds: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, size: int, key: int) -> "_Network":
        bits = (size - 1).bit_length() // 2
        text = hashlib.shake_128(str(key).encode()).digest(_ROUNDS * 12)
        rounds = np.frombuffer(text, "<u4").reshape(_ROUNDS, 3).astype(np.uint32)
        rounds[:, :2] |= np.uint32(1)
        return cls(bits, -(-size >> bits), rounds)

    def send(self, indices: Ints) -> Ints:
        low = (indices & ((1 << self.bits) - 1)).astype(np.uint32)
        high = (indices >> self.bits).astype(np.uint32)
        mixed, spare, wide = np.empty_like(low), np.empty_like(low), np.empty(len(low), np.uint64)
        for number, (odd, other, add) in enumerate(self.rounds):
            np.multiply(high if number % 2 else low, odd, out=mixed)
            mixed += add
            np.right_shift(mixed, np.uint32(15), out=spare)
            mixed ^= spare
            mixed *= other
            if number % 2:
                mixed >>= np.uint32(32 - self.bits)
                low ^= mixed
            else:
                wide[:] = mixed  # mixed * highs / 2^32 lies in [0, highs)
                wide *= np.uint64(self.highs)
                wide >>= np.uint64(32)
                spare[:] = wide
                high += spare
                np.subtract(high, np.uint32(self.highs), out=spare)  # wraps to a large number where high is in range
                np.minimum(high, spare, out=high)
        wide[:] = high
        wide <<= np.uint64(self.bits)
        wide |= low
        return wide.view(np.int64)
