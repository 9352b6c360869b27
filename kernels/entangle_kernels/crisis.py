"""The crisis simulator: blocks of disputes, each decided by its own random words.

A block is a pure function of (seed, first trajectory, size, tables): whoever computes it, in whatever
order, gets the same counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.exact import CELLS
from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    END_SHIFT,
    MARK_SHIFT,
    NO_CRISIS,
    STALEMATE,
    STATE_MASK,
)
from entangle_kernels.philox import ENTRY, TYPES, philox
from entangle_kernels.quantise import Tables

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_YEAR = np.uint64(0)  # a single dispute has no calendar


def simulate(tables: Tables, *, seed: int, first: int, size: int) -> NDArray[np.int64]:
    """Return how many of the disputes `first` ... `first + size - 1` ended in each way.

    Parameters
    ----------
    seed
        Key of the random numbers, 0 to 2^64 - 1.
    first
        Index of the first trajectory, 0 to 2^64 - 1.
    size
        Number of trajectories.

    Returns
    -------
    array of shape :data:`entangle_kernels.exact.CELLS`
        Counts, summing to `size`.
    """
    counts = np.zeros(CELLS, np.int64)
    _block(tables, np.uint64(seed), np.uint64(first), size, counts)
    return counts


@jit
def _block(tables, seed, first, size, counts):  # type: ignore[no-untyped-def]
    k0 = seed & _LOW
    k1 = seed >> _HALF
    for i in range(size):
        trajectory = first + np.uint64(i)
        low = trajectory & _LOW
        high = trajectory >> _HALF
        origin, scope, end, state, marks = play(tables, low, high, _YEAR, k0, k1)
        counts[origin, scope, end, state, marks] += 1


@jit
def play(tables, low, high, year, k0, k1):  # type: ignore[no-untyped-def]
    """Play one dispute; return (origin, scope, end, state, marks).

    Parameters
    ----------
    low, high
        The trajectory's index, its lower and upper 32 bits, as uint64.
    year
        The year of the trajectory, as uint64.
    k0, k1
        The key, as uint64 below 2^32.
    """
    w0, w1, w2, w3 = philox(low, high, year, TYPES, k0, k1)
    types = np.uint64(tables.types)
    challenger = np.int64((w0 * types) >> _HALF)
    estimate = np.int64(0)
    if tables.estimates == 2 and w3 < tables.hit[challenger]:
        estimate = np.int64(tables.types)
    protege = estimate + np.int64((w1 * types) >> _HALF)
    defender = estimate + np.int64((w2 * types) >> _HALF)

    w0, w1, w2, w3 = philox(low, high, year, ENTRY, k0, k1)
    origin = 0 if w0 < tables.origin else 1
    scope = 1 if w1 < tables.scope else 0
    opener = challenger if origin == 0 else protege
    if w2 <= tables.enter[origin, scope, opener]:
        return origin, scope, NO_CRISIS, 0, 0

    step_of = tables.step[scope]
    state = tables.start[origin]
    marks = np.int64(step_of[0, state, 1]) >> MARK_SHIFT
    for t in range(tables.rounds):
        w0, w1, w2, w3 = philox(low, high, year, np.uint64(t), k0, k1)
        cut = tables.cut[scope, t]

        move = cut[0, state, challenger]
        step = np.int64(step_of[0, state, np.int64(w0 >= move[0]) + np.int64(w0 > move[1])])
        marks |= step >> MARK_SHIFT
        end = (step >> END_SHIFT) & 7
        state = step & STATE_MASK
        if end != 0:
            return origin, scope, end, state, marks

        move = cut[1, state, protege]
        step = np.int64(step_of[1, state, np.int64(w1 >= move[0]) + np.int64(w1 > move[1])])
        marks |= step >> MARK_SHIFT
        end = (step >> END_SHIFT) & 7
        state = step & STATE_MASK
        if end != 0:
            return origin, scope, end, state, marks

        move = cut[2, state, defender]
        chosen = np.int64(w2 >= move[0]) + np.int64(w2 > move[1]) + np.int64(w2 > move[2])
        step = np.int64(step_of[2, state, chosen])
        marks |= step >> MARK_SHIFT
        state = step & STATE_MASK

        move = tables.nature[state]
        chosen = (
            np.int64(w3 >= move[0])
            + np.int64(w3 >= move[1])
            + np.int64(w3 > move[2])
            + np.int64(w3 > move[3])
        )
        step = np.int64(step_of[3, state, chosen])
        marks |= step >> MARK_SHIFT
        end = (step >> END_SHIFT) & 7
        state = step & STATE_MASK
        if end != 0:
            return origin, scope, end, state, marks
    return origin, scope, STALEMATE, state, marks
