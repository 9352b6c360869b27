"""The crisis simulator: blocks of disputes, each decided by its own random words.

A block is a pure function of (seed, first trajectory, size, tables): whoever computes it, in whatever
order, gets the same counts.

Disputes that go on are kept side by side in lanes and take each round together. Words for all lanes are then
made by vector instructions, and a round has no branch that the processor could guess wrong: an ended dispute
plays on to the end of the round, where nothing moves it. One dispute at a time was 9 times slower; all four
stages in one loop, a fifth: the chain of look-ups for one lane is too long to overlap with the next.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.exact import CELLS
from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    END_SHIFT,
    MARK_SHIFT,
    MARKS,
    NO_CRISIS,
    OUTCOMES,
    STALEMATE,
    STATE_MASK,
    STATES,
)
from entangle_kernels.philox import ENTRY, TYPES, philox
from entangle_kernels.quantise import Tables

#: Disputes side by side: their lanes take 300 KB. A quarter as many cost 10 % of the speed.
_LANES: Final = 4096

_HALF = np.uint64(32)
_STATE = np.uint32(STATE_MASK)
_END_SHIFT = np.uint32(END_SHIFT)
_END = np.uint32(7 << END_SHIFT)
_MARK_SHIFT = np.uint32(MARK_SHIFT)
_MARK = np.uint32(MARKS - 1)
#: Above the bits of a packed step: origin and scope of the dispute.
_PLACE_SHIFT = np.uint32(14)
_SCOPE = np.uint32(1)
_ONE, _TWO, _THREE, _FOUR = (np.uint64(i) for i in range(1, 5))
_OUTCOMES = np.uint64(OUTCOMES)
_STAGE: Final = STATES * OUTCOMES
_BY_SCOPE = np.uint64(4 * _STAGE)
_MEMORY = ~(_STATE | _END)  # what a step leaves as it was, but for marks that it adds


class _Lanes(NamedTuple):
    """Disputes that go on.

    Parameters
    ----------
    trajectory
        Index of the trajectory, shape (lanes,).
    rows
        Where the thresholds of challenger, protégé and defender begin in the flattened `Tables.cut`,
        for round 0 and state 0, shape (3, lanes).
    packed
        State, how it ended or 0, marks, as in a packed step; above them
        ``origin * 2 + scope``, shape (lanes,).
    """

    trajectory: NDArray[np.uint64]
    rows: NDArray[np.uint32]
    packed: NDArray[np.uint32]


def simulate(tables: Tables, *, seed: int, first: int, size: int, year: int = 0) -> NDArray[np.int64]:
    """Return how many of the disputes `first` ... `first + size - 1` ended in each way.

    Parameters
    ----------
    seed
        Key of the random numbers, 0 to 2^64 - 1.
    first
        Index of the first trajectory, 0 to 2^64 - 1.
    size
        Number of trajectories.
    year
        Year of the trajectories in which the disputes arise, 0 to 2^32 - 1.

    Returns
    -------
    array of shape :data:`entangle_kernels.exact.CELLS`
        Counts, summing to `size`.
    """
    counts = np.zeros(CELLS, np.int64)
    lanes = _Lanes(np.empty(_LANES, np.uint64), np.empty((3, _LANES), np.uint32), np.empty(_LANES, np.uint32))
    _block(tables, np.uint64(seed), np.uint64(first), size, np.uint64(year), lanes, counts)
    return counts


@jit
def _block(tables, seed, first, size, year, lanes, counts):  # type: ignore[no-untyped-def]
    types = np.empty((4, lanes.trajectory.size), np.uint32)
    words = np.empty((4, lanes.trajectory.size), np.uint32)
    for start in range(0, size, lanes.trajectory.size):
        n = min(lanes.trajectory.size, size - start)
        for i in range(n):
            lanes.trajectory[i] = first + np.uint64(start + i)
        philox(lanes.trajectory[:n], year, TYPES, seed, types)
        philox(lanes.trajectory[:n], year, ENTRY, seed, words)
        n = _open(tables, types, words, n, lanes, counts)
        for t in range(tables.rounds):
            if n == 0:
                break
            philox(lanes.trajectory[:n], year, np.uint64(t), seed, words)
            n = _round(tables, t, words, n, lanes, types[0], counts)
        for i in range(n):
            _count(lanes.packed[i] | np.uint32(STALEMATE << END_SHIFT), counts)


@jit
def _open(tables, types, words, n, lanes, counts):  # type: ignore[no-untyped-def]
    """Keep the disputes that become a crisis in the first lanes; return how many."""
    trajectory, packed = lanes.trajectory, lanes.packed
    row0, row1, row2 = lanes.rows[0], lanes.rows[1], lanes.rows[2]
    t0, t1, t2, t3 = types[0], types[1], types[2], types[3]
    w0, w1, w2 = words[0], words[1], words[2]
    number = np.uint64(tables.types)
    sets = np.uint64(tables.cut.shape[4])
    by_actor = np.uint64(3 * STATES) * sets
    by_scope = np.uint64(tables.rounds * 3) * by_actor
    opening = np.empty(4, np.uint32)  # the packed word of a crisis that opens, by origin and scope
    for corner in range(4):
        state = tables.start[corner >> 1]
        # its marks are those that holding in the opening state leaves
        marks = tables.step[corner & 1, 0, state, 1] >> _MARK_SHIFT
        opening[corner] = np.uint32((corner << _PLACE_SHIFT) | (marks << _MARK_SHIFT) | state)
    hit = np.zeros(tables.types, np.uint64)
    if tables.estimates == 2:
        hit[:] = tables.hit
    enter = tables.enter.ravel()
    by_origin, by_area = tables.origin, tables.scope
    quiet = np.uint64(0)  # disputes without a crisis, 16 bits for each origin and scope
    kept = np.int64(0)
    for i in range(n):
        challenger = (np.uint64(t0[i]) * number) >> _HALF
        estimate = number if np.uint64(t3[i]) < hit[challenger] else np.uint64(0)
        protege = estimate + ((np.uint64(t1[i]) * number) >> _HALF)
        defender = estimate + ((np.uint64(t2[i]) * number) >> _HALF)
        origin = np.uint64(np.uint64(w0[i]) >= by_origin)
        scope = np.uint64(np.uint64(w1[i]) < by_area)
        place = origin * _TWO + scope
        opener = challenger if origin == 0 else protege
        first = scope * by_scope
        trajectory[kept] = trajectory[i]
        row0[kept] = first + _THREE * challenger
        row1[kept] = first + by_actor + _THREE * protege
        row2[kept] = first + _TWO * by_actor + _THREE * defender
        packed[kept] = opening[place]
        opens = np.uint64(w2[i] > enter[place * sets + opener])
        kept += np.int64(opens)
        quiet += (_ONE - opens) << (place << _FOUR)
    for corner in range(4):
        here = (quiet >> np.uint64(16 * corner)) & np.uint64(0xFFFF)
        counts[corner >> 1, corner & 1, NO_CRISIS, 0, 0] += np.int64(here)
    return kept


@jit
def _round(tables, t, words, n, lanes, ended, counts):  # type: ignore[no-untyped-def]
    """Play a round in the first `n` lanes, count what ended, close the ranks; return how many go on."""
    trajectory, packed = lanes.trajectory[:n], lanes.packed[:n]
    rows = lanes.rows
    cut, step, nature = tables.cut.ravel(), tables.step.ravel(), tables.nature.ravel()
    sets = np.uint32(3 * tables.cut.shape[4])
    start = np.uint32(3 * t * STATES) * sets
    _move(packed, words[0], rows[0], cut, step, start, sets, np.uint32(0))
    _move(packed, words[1], rows[1], cut, step, start, sets, np.uint32(_STAGE))
    _commit(packed, words[2], rows[2], cut, step, start, sets, np.uint32(2 * _STAGE))
    _chance(packed, words[3], nature, step, np.uint32(3 * _STAGE))
    row0, row1, row2 = rows[0], rows[1], rows[2]
    kept = gone = np.int64(0)
    for i in range(n):
        now = packed[i]
        # write it to both lists; only the one that it belongs to grows
        ended[gone] = now
        trajectory[kept] = trajectory[i]
        row0[kept] = row0[i]
        row1[kept] = row1[i]
        row2[kept] = row2[i]
        packed[kept] = now
        over = np.int64((now & _END) != 0)
        gone += over
        kept += 1 - over
    for i in range(gone):
        _count(ended[i], counts)
    return kept


@jit
def _move(packed, word, row, cut, step, start, sets, stage):  # type: ignore[no-untyped-def]
    """Let the challenger or the protégé move in every lane."""
    for i in range(packed.size):
        now = packed[i]
        state = now & _STATE
        at = start + row[i] + state * sets
        chosen = np.uint32(word[i] >= cut[at]) + np.uint32(word[i] > cut[at + _ONE])
        packed[i] = _after(now, step[_at(now, stage, state, chosen)])


@jit
def _commit(packed, word, row, cut, step, start, sets, stage):  # type: ignore[no-untyped-def]
    """Let the defender move in every lane, and the vote pass or fail."""
    for i in range(packed.size):
        now = packed[i]
        state = now & _STATE
        at = start + row[i] + state * sets
        chosen = (
            np.uint32(word[i] >= cut[at])
            + np.uint32(word[i] > cut[at + _ONE])
            + np.uint32(word[i] > cut[at + _TWO])
        )
        packed[i] = _after(now, step[_at(now, stage, state, chosen)])


@jit
def _chance(packed, word, nature, step, stage):  # type: ignore[no-untyped-def]
    """Let nature move in every lane."""
    for i in range(packed.size):
        now = packed[i]
        state = now & _STATE
        at = _FOUR * state
        chosen = (
            np.uint32(word[i] >= nature[at])
            + np.uint32(word[i] >= nature[at + _ONE])
            + np.uint32(word[i] > nature[at + _TWO])
            + np.uint32(word[i] > nature[at + _THREE])
        )
        packed[i] = _after(now, step[_at(now, stage, state, chosen)])


@jit
def _at(now, stage, state, chosen):  # type: ignore[no-untyped-def]
    """Return where the step of an outcome stands in the flattened `Tables.step`."""
    scope = (now >> _PLACE_SHIFT) & _SCOPE
    return scope * _BY_SCOPE + stage + state * _OUTCOMES + chosen


@jit
def _after(now, step):  # type: ignore[no-untyped-def]
    """Return the packed word after a step; nothing moves a dispute that has ended."""
    moved = (now & _MEMORY) | np.uint32(step)
    return now if (now & _END) != 0 else moved


@jit
def _count(now, counts):  # type: ignore[no-untyped-def]
    place = np.uint64(now >> _PLACE_SHIFT)
    end = np.uint64((now & _END) >> _END_SHIFT)
    marks = np.uint64((now >> _MARK_SHIFT) & _MARK)
    counts[place >> _ONE, place & _ONE, end, np.uint64(now & _STATE), marks] += 1
