"""Digests of stretches of a run, so that a part of it can be played again and compared, bit for bit.

A run keeps sums over all its trajectories, and no sum tells which trajectories were wrong. Beside them it
keeps, for every stretch of neighbouring blocks, 64 bits for what the stretch added. A digest of counts is

    sum over i of count[i] * w(i, salt)  modulo 2^64,

with the outputs of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA, 453-472), made odd, for the weights w: a
count that changes, by whatever it is, changes the digest, and the digest of a sum is the sum of the
digests. So the order in which stretches are played does not matter, two neighbours can be told as one, and
the digests of all stretches add up to that of the counts in the file. Two different tables agree by chance
with 2^-64. It guards against accidents; it is no signature.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

#: Most digests in a file; longer runs tell neighbouring stretches as one.
MOST: Final = 4096

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def digest(counts: NDArray[np.int64], *, salt: int = 0) -> int:
    """Return the digest of whole numbers, of any shape."""
    flat = np.ascontiguousarray(counts, np.int64).reshape(-1).view(np.uint64)
    return int(np.dot(flat, weights(flat.size, salt)))


@lru_cache(maxsize=64)
def weights(number: int, salt: int) -> Words:
    """Return the first weights of a salt, shape (number,)."""
    z = np.arange(1, number + 1, dtype=np.uint64) * _STEP + np.uint64(salt << 48)
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    found: Words = (z ^ (z >> np.uint64(31))) | np.uint64(1)
    found.setflags(write=False)
    return found


def hashed(*arrays: NDArray[Any]) -> int:
    """Return the first 64 bits of the BLAKE2b hash of arrays, down to the last bit."""
    hasher = hashlib.blake2b(digest_size=8)
    for array in arrays:
        plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        hasher.update(f"{plain.dtype.str}{array.shape}".encode())
        hasher.update(plain.tobytes())
    return int.from_bytes(hasher.digest(), "little")


class Digests:
    """The digests of a run as its stretches come in, in any order and any number of pieces.

    Parameters
    ----------
    columns
        Digests of each stretch.
    """

    def __init__(self, columns: int) -> None:
        self._sums = np.zeros((0, columns), np.uint64)
        #: Stretches told as one.
        self.together = 1

    def add(self, first: int, words: Words) -> None:
        """Add what stretches from number `first` on were given, shape (stretches, columns)."""
        while first + len(words) > 2 * MOST * self.together:
            self._halve()
        places = (first + np.arange(len(words))) // self.together
        missing = int(places.max(initial=-1)) + 1 - len(self._sums)
        if missing > 0:
            more = np.zeros((missing, self._sums.shape[1]), np.uint64)
            self._sums = np.concatenate([self._sums, more])
        np.add.at(self._sums, places, words)

    def merged(self, other: Digests) -> Digests:
        """Return the digests of both."""
        found = Digests(self._sums.shape[1])
        found._sums, found.together = self._sums.copy(), self.together
        theirs = Digests(self._sums.shape[1])
        theirs._sums, theirs.together = other._sums.copy(), other.together
        while found.together < theirs.together:
            found._halve()
        while theirs.together < found.together:
            theirs._halve()
        longer, shorter = sorted([found._sums, theirs._sums], key=len, reverse=True)
        longer[: len(shorter)] += shorter
        found._sums = longer
        return found

    def total(self) -> Words:
        """Return the digests of all stretches together, shape (columns,)."""
        found: Words = self._sums.sum(axis=0, dtype=np.uint64)
        return found

    def told(self) -> tuple[Words, int]:
        """Return at most :data:`MOST` digests, shape (told, columns), and how many stretches each tells."""
        found = self.merged(Digests(self._sums.shape[1]))
        while len(found._sums) > MOST:
            found._halve()
        return found._sums, found.together

    def _halve(self) -> None:
        if len(self._sums) % 2:
            none = np.zeros((1, self._sums.shape[1]), np.uint64)
            self._sums = np.concatenate([self._sums, none])
        self._sums = self._sums[0::2] + self._sums[1::2]
        self.together *= 2
