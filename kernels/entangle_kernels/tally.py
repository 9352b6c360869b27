"""Counts over pairs of worlds that were played on the same random words.

Each ending of a dispute carries a word of up to 64 bits, one for each question that is asked of it. What two
worlds share is then the bits that both words have, and how often is a count for each bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.jit import jit

BITS = 64
#: Words whose bits are counted before a count of eight bits could overflow.
_CHUNK = 255
_BYTES = np.uint64(0x0101010101010101)
_BYTE = np.uint64(0xFF)


def coincidences(
    cells: NDArray[np.uint16], left: NDArray[np.uint64], right: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Return how often each bit is set for one world's ending and, on the same words, for another's.

    Parameters
    ----------
    cells
        Endings of the same trajectories in each world, shape (worlds, trajectories).
    left, right
        The word of each cell as the first and as the second world of a pair, shape (cells,).

    Returns
    -------
    array of shape (worlds, worlds, 64)
        For each pair a < b, how many trajectories have the bit in ``left[a's cell] & right[b's cell]``; 0
        elsewhere.
    """
    found = np.zeros((len(cells), len(cells), BITS), np.int64)
    _coincidences(cells, left, right, found)
    return found


def changes(
    cells: NDArray[np.uint16],
    others: NDArray[np.uint16],
    chosen: NDArray[np.uint32],
    words: NDArray[np.uint64],
) -> NDArray[np.int64]:
    """Return how often each bit is set in one world alone.

    Parameters
    ----------
    cells, others
        Endings of the same trajectories in both worlds, shape (trajectories,).
    chosen
        The trajectories in which they may differ.
    words
        The word of each cell, shape (cells,).

    Returns
    -------
    array of shape (2, 64)
        Trajectories in which the bit is set in the first world only, and in the second world only.
    """
    found = np.zeros((2, BITS), np.int64)
    _changes(cells, others, chosen, words, found)
    return found


def common_bits(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return how often each bit is set in two worlds' words at once.

    Parameters
    ----------
    words
        A word for each trajectory in each world, shape (worlds, trajectories).

    Returns
    -------
    array of shape (worlds, worlds, 64)
        For each pair a <= b, how many trajectories have the bit in both; 0 elsewhere.
    """
    found = np.zeros((len(words), len(words), BITS), np.int64)
    _common_bits(words, found)
    return found


@jit
def _common_bits(words, found):  # type: ignore[no-untyped-def]
    worlds, n = words.shape
    both = np.empty(_CHUNK, np.uint64)
    for a in range(worlds):
        for b in range(a, worlds):
            for start in range(0, n, _CHUNK):
                size = min(_CHUNK, n - start)
                for i in range(size):
                    both[i] = words[a, start + i] & words[b, start + i]
                add_bits(both[:size], found[a, b])


@jit
def _coincidences(cells, left, right, found):  # type: ignore[no-untyped-def]
    worlds, n = cells.shape
    first = np.empty((worlds, _CHUNK), np.uint64)
    second = np.empty((worlds, _CHUNK), np.uint64)
    both = np.empty(_CHUNK, np.uint64)
    for start in range(0, n, _CHUNK):
        size = min(_CHUNK, n - start)
        for world in range(worlds):
            for i in range(size):
                cell = cells[world, start + i]
                first[world, i] = left[cell]
                second[world, i] = right[cell]
        for a in range(worlds):
            for b in range(a + 1, worlds):
                for i in range(size):
                    both[i] = first[a, i] & second[b, i]
                add_bits(both[:size], found[a, b])


@jit
def add_bits(words, count):  # type: ignore[no-untyped-def]
    """Count, at each position, the words that have the bit set: eight positions side by side in bytes."""
    for shift in range(8):
        by = np.uint64(shift)
        total = np.uint64(0)
        for i in range(words.size):
            total += (words[i] >> by) & _BYTES
        for byte in range(8):
            count[8 * byte + shift] += np.int64((total >> np.uint64(8 * byte)) & _BYTE)


@jit
def _changes(cells, others, chosen, words, found):  # type: ignore[no-untyped-def]
    mine = np.empty(_CHUNK, np.uint64)
    theirs = np.empty(_CHUNK, np.uint64)
    for start in range(0, chosen.size, _CHUNK):
        size = min(_CHUNK, chosen.size - start)
        for i in range(size):
            here = chosen[start + i]
            one, other = words[cells[here]], words[others[here]]
            mine[i] = one & ~other
            theirs[i] = other & ~one
        add_bits(mine[:size], found[0])
        add_bits(theirs[:size], found[1])
