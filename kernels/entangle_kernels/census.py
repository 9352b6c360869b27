"""Counts over many histories: how often, when first, how high, and what became of the pact.

All are whole numbers, sums of levels included (in fixed point), so that merging is exact in any order. A
history is never held longer than its batch: memory does not grow with their number.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels import decades
from entangle_kernels.exact import CELLS
from entangle_kernels.jit import jit
from entangle_kernels.peace import CAUSES, Contexts, Peace
from entangle_kernels.tally import BITS, add_bits

Counts = NDArray[np.int64]

#: Histograms of the levels: bins of equal width from -REACH to REACH, what lies beyond in the outermost.
BINS: Final = 512
REACH: Final = 4.0
#: Fixed point: a level of 1 counts as this many in a sum, and in a sum of squares.
UNIT: Final = 2.0**20

_CELLS: Final = CELLS[0] * CELLS[1] * CELLS[2] * CELLS[3] * CELLS[4]
_BATCH: Final = 4096
_BY_ORIGIN: Final = _CELLS // CELLS[0]


class Census(NamedTuple):
    """Counts over a block of histories; Y years, N contexts.

    Parameters
    ----------
    cells
        Disputes by year and by ending, shape (Y, cells).
    visits
        Disputes by year, origin, whether the defender is steadfast, and context, shape (Y, 2, 2, N).
    firsts
        Histories in which a bit of the endings' words was set for the first time, by year, shape (Y, 64).
    status, causes
        Histories by the pact's status, and by why it ended if it has, at the end of each year, shapes (Y, 3)
        and (Y, 6).
    bins
        Histories by level, year and value, shape (7, Y, 512).
    sums
        Sum and sum of squares of each level [2^-20], shape (7, Y, 2).
    ever
        For each history the bits that were set in any of its years, shape (histories,).
    """

    cells: Counts
    visits: Counts
    firsts: Counts
    status: Counts
    causes: Counts
    bins: Counts
    sums: Counts
    ever: NDArray[np.uint64]


def census(
    contexts: Contexts,
    peace: Peace,
    words: NDArray[np.uint64],
    *,
    seed: int,
    first: int,
    size: int,
    years: int,
) -> Census:
    """Return the counts over histories `first` ... `first + size - 1`.

    Parameters
    ----------
    words
        The word of each cell, one bit for each question, shape (cells,).
    seed, first, size, years
        As for :func:`entangle_kernels.decades.record`.
    """
    number = contexts.enter.shape[0]
    found = Census(
        cells=np.zeros((years, _CELLS), np.int64),
        visits=np.zeros((years, 2, 2, number), np.int64),
        firsts=np.zeros((years, BITS), np.int64),
        status=np.zeros((years, 3), np.int64),
        causes=np.zeros((years, CAUSES), np.int64),
        bins=np.zeros((decades.LEVELS, years, BINS), np.int64),
        sums=np.zeros((decades.LEVELS, years, 2), np.int64),
        ever=np.zeros(size, np.uint64),
    )
    for start in range(0, size, _BATCH):
        stop = min(start + _BATCH, size)
        kept = decades.record(contexts, peace, seed=seed, first=first + start, size=stop - start, years=years)
        _count(kept, words, found, found.ever[start:stop])
    return found


@jit
def _count(kept, words, found, ever):  # type: ignore[no-untyped-def]
    n, years, _ = kept.levels.shape
    half = found.visits.shape[3] // 2
    scale = found.bins.shape[2] / (2.0 * REACH)
    new = np.empty(255, np.uint64)
    for year in range(years):
        for start in range(0, n, 255):
            size = min(255, n - start)
            for j in range(size):
                i = start + j
                new[j] = 0
                cell = kept.events[i, year, 2]
                if cell >= 0:
                    context = kept.events[i, year, 0] + kept.events[i, year, 1] * half
                    found.cells[year, cell] += 1
                    found.visits[year, cell // _BY_ORIGIN, kept.steadfast[i], context] += 1
                    new[j] = words[cell] & ~ever[i]
                    ever[i] |= words[cell]
            add_bits(new[:size], found.firsts[year])
        for i in range(n):
            found.status[year, kept.events[i, year, 5]] += 1
            found.causes[year, kept.events[i, year, 6]] += 1
        for level in range(kept.levels.shape[2]):
            total = square = np.int64(0)
            bins = found.bins[level, year]
            for i in range(n):
                value = kept.levels[i, year, level]
                whole = np.int64(np.rint(value * UNIT))
                total += whole
                square += np.int64(np.rint(value * value * UNIT))
                bins[np.int64(min(max((value + REACH) * scale, 0.0), bins.size - 1.0))] += 1
            found.sums[level, year, 0] += total
            found.sums[level, year, 1] += square
