"""The crisis simulator: blocks of disputes, each decided by its own random words.

A block is a pure function of (seed, first trajectory, size, tables): whoever computes it, in whatever
order, gets the same counts and the same ending of every trajectory.

On a processor with AVX-512 blocks are played by :mod:`entangle_kernels.wide`, with the same endings. What
follows is how they are played on any other, and in small numbers.

Disputes that go on are kept side by side in lanes and take each round together. Words for all lanes are then
made by vector instructions, and a round has no branch that the processor could guess wrong: an ended dispute
plays on to the end of the round, where nothing moves it. One dispute at a time was 9 times slower; all four
stages in one loop, a fifth: the chain of look-ups for one lane is too long to overlap with the next.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels import vectors, wide
from entangle_kernels.exact import CELLS
from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    END_SHIFT,
    ENDS,
    MARK_SHIFT,
    MARKS,
    OUTCOMES,
    STALEMATE,
    STATE_MASK,
    STATES,
)
from entangle_kernels.philox import ENTRY, TYPES, philox
from entangle_kernels.quantise import Tables
from entangle_kernels.vectors import BEYOND

#: Disputes side by side: their lanes take 300 KB. A quarter as many cost 10 % of the speed.
_LANES: Final = 4096
#: Disputes, and chosen ones, from which on laying out tables for vector instructions is worth while.
MANY, _FEW = 4096, 1024

_HALF = np.uint64(32)
_STATE = np.uint32(STATE_MASK)
_END_SHIFT = np.uint32(END_SHIFT)
_END = np.uint32(7 << END_SHIFT)
_MARK_SHIFT = np.uint32(MARK_SHIFT)
_MARK = np.uint32(MARKS - 1)
#: Above the bits of a packed step: origin and scope of the dispute, and which rivals chose otherwise.
_PLACE_SHIFT = np.uint32(14)
_PLACE = np.uint32(3)
_SCOPE = np.uint32(1)
_PARTED_SHIFT = np.uint32(16)
_BY_PROTEGE, _BY_DEFENDER = np.uint32(1), np.uint32(2)
_ONE, _TWO, _THREE, _FOUR = (np.uint64(i) for i in range(1, 5))
_OUTCOMES = np.uint64(OUTCOMES)
_STAGE: Final = STATES * OUTCOMES
_BY_SCOPE = np.uint64(4 * _STAGE)
_MEMORY = ~(_STATE | _END)  # what a step leaves as it was, but for marks that it adds
_STATES, _MARKS = np.uint64(STATES), np.uint64(MARKS)
_BY_PLACE = np.uint64(ENDS * STATES * MARKS)
_EVERY = np.empty(0, np.uint32)


class _Lanes(NamedTuple):
    """Disputes that go on.

    Parameters
    ----------
    trajectory
        Index of the trajectory, shape (lanes,).
    rows
        Where the thresholds of challenger, protégé and defender begin in the flattened `Tables.cut`, for
        round 0 and state 0, and those of nature in the flattened `Tables.nature`, shape (4, lanes).
    packed
        State, how it ended or 0, marks, as in a packed step; above them ``origin * 2 + scope`` and which
        rivals have chosen otherwise, shape (lanes,).
    """

    trajectory: NDArray[np.uint64]
    rows: NDArray[np.uint32]
    packed: NDArray[np.uint32]


class Endings(NamedTuple):
    """How every trajectory of a block ended.

    Parameters
    ----------
    cells
        Index into the flattened :data:`entangle_kernels.exact.CELLS`, shape (size,).
    counts
        How many ended in each cell, of shape :data:`~entangle_kernels.exact.CELLS`.
    parted
        Where one of the rivals would have chosen otherwise: the protégé's (1), the defender's (2), both (3);
        shape (size,), all 0 without rivals.
    """

    cells: NDArray[np.uint16]
    counts: NDArray[np.int64]
    parted: NDArray[np.uint8]


class Rivals(NamedTuple):
    """The same crisis with another policy of the protégé, and with another policy of the defender.

    Each differs from the crisis itself in nothing but `cut` and `enter`.
    """

    protege: Tables
    defender: Tables


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
    layout = wide.laid_out(tables) if size >= MANY else None
    if layout is not None:
        return wide.simulate(tables, layout, seed=seed, first=first, size=size, year=year)
    return simulate_plainly(tables, seed=seed, first=first, size=size, year=year)


def simulate_plainly(tables: Tables, *, seed: int, first: int, size: int, year: int = 0) -> NDArray[np.int64]:
    """Do what :func:`simulate` does on any processor, without vector instructions by name."""
    counts = np.zeros(CELLS, np.int64)
    cells, parted = np.empty(_LANES, np.uint16), np.empty(0, np.uint8)
    where = np.uint64(seed), np.uint64(first), size, np.uint64(year)
    _block(tables, tables, tables, *where, _EVERY, new_lanes(), counts, cells, parted)
    return counts


def endings(
    tables: Tables,
    *,
    seed: int,
    first: int,
    size: int,
    year: int = 0,
    rivals: Rivals | None = None,
    into: Endings | None = None,
) -> Endings:
    """Return how each of the disputes `first` ... `first + size - 1` ended; as :func:`simulate`.

    Parameters
    ----------
    rivals
        Note where one of them would have chosen otherwise.
    into
        Memory to write `cells` and `parted` into, and to add to `counts`; fresh if not given.
    """
    if into is None:
        into = Endings(np.empty(size, np.uint16), np.zeros(CELLS, np.int64), np.empty(size, np.uint8))
    cells, counts, parted = into
    layout = wide.laid_out(tables) if size >= MANY else None
    ready = wide.watch(tables, layout, rivals) if layout is not None else None
    if ready is not None:
        own, theirs = ready
        if rivals is None:
            parted[:] = 0
        wide.simulate(
            tables,
            own,
            seed=seed,
            first=first,
            size=size,
            year=year,
            theirs=theirs,
            cells=cells,
            parted=parted,
            counts=counts,
        )
        return into
    parted[:] = 0
    watched, noted = (rivals, parted) if rivals is not None else ((tables, tables), parted[:0])
    where = np.uint64(seed), np.uint64(first), size, np.uint64(year)
    _block(tables, *watched, *where, _EVERY, new_lanes(), counts, cells, noted)
    return into


def replayed(
    tables: Tables,
    cells: NDArray[np.uint16],
    chosen: NDArray[np.uint32],
    *,
    seed: int,
    first: int,
    year: int = 0,
    into: NDArray[np.uint16] | None = None,
) -> NDArray[np.uint16]:
    """Return `cells` with the endings of the `chosen` trajectories as they are under `tables`.

    Parameters
    ----------
    cells
        Endings of the trajectories from `first` on, shape (size,).
    chosen
        Which of them to play again, as offsets from `first`.
    into
        Memory for what is returned, shape (size,); fresh if not given.
    """
    found = np.empty_like(cells) if into is None else into
    found[:] = cells
    layout = wide.laid_out(tables) if chosen.size >= _FEW else None
    if layout is not None:
        order = np.sort(chosen) if (chosen[1:] < chosen[:-1]).any() else chosen
        size = int(order[-1]) + 1
        wide.simulate(tables, layout, seed=seed, first=first, size=size, year=year, chosen=order, cells=found)
    elif chosen.size:
        where = np.uint64(seed), np.uint64(first), chosen.size, np.uint64(year)
        counts, parted = np.zeros(CELLS, np.int64), np.empty(0, np.uint8)
        _block(tables, tables, tables, *where, chosen, new_lanes(), counts, found, parted)
    return found


def parted_by(
    parted: NDArray[np.uint8], rival: int, *, into: NDArray[np.uint32] | None = None
) -> NDArray[np.uint32]:
    """Return the offsets of the trajectories in which a rival (0 the protégé's, 1 the defender's) parts.

    Parameters
    ----------
    into
        Memory to write them into, :data:`BEYOND` longer than `parted` at least; fresh if not given.
    """
    found = np.empty(parted.size + BEYOND, np.uint32) if into is None else into
    if vectors.AVAILABLE and parted.size >= MANY:
        return wide.positions(parted, 1 << rival, found)
    return found[: _positions(parted, np.uint8(1 << rival), found)]


@jit
def _positions(parted, bit, found):  # type: ignore[no-untyped-def]
    n = np.int64(0)
    for i in range(parted.size):
        found[n] = i
        n += np.int64((parted[i] & bit) != 0)
    return n


def new_lanes() -> _Lanes:
    """Return lanes for a batch, without disputes."""
    return _Lanes(np.empty(_LANES, np.uint64), np.zeros((4, _LANES), np.uint32), np.empty(_LANES, np.uint32))


@jit
def _block(tables, protege, defender, seed, first, size, year, chosen, lanes, counts, cells, parted):  # type: ignore[no-untyped-def]
    """Play `size` trajectories: those chosen, or all from `first` on.

    Without rivals `parted` is empty. Where all are played, `cells` may be a buffer for one batch of lanes.
    """
    batch = lanes.trajectory.size
    types = np.empty((4, batch), np.uint32)
    words = np.empty((4, batch), np.uint32)
    tally = counts.ravel()
    for start in range(0, size, batch):
        n = min(batch, size - start)
        base, ends, noted = first, cells, parted  # `base` is the trajectory that the arrays begin with
        if chosen.size > 0:
            for i in range(n):
                lanes.trajectory[i] = first + np.uint64(chosen[start + i])
        else:
            base = first + np.uint64(start)
            noted = parted[start:]
            if cells.size > batch:
                ends = cells[start:]
            for i in range(n):
                lanes.trajectory[i] = base + np.uint64(i)
        philox(lanes.trajectory[:n], year, TYPES, seed, types)
        philox(lanes.trajectory[:n], year, ENTRY, seed, words)
        if noted.size > 0:
            _part_at_entry(tables, protege, types, words, n, noted)
        n = _open(tables, types, words, n, lanes, tally, base, ends)
        for t in range(tables.rounds):
            if n == 0:
                break
            philox(lanes.trajectory[:n], year, np.uint64(t), seed, words)
            n = play_round(tables, protege, defender, t, words, n, lanes, types, tally, base, ends, noted)
        for i in range(n):
            now = lanes.packed[i] | np.uint32(STALEMATE << END_SHIFT)
            end(now, lanes.trajectory[i] - base, tally, ends, noted)


@jit
def _part_at_entry(tables, protege, types, words, n, noted):  # type: ignore[no-untyped-def]
    """Note the disputes that the protégé and its rival would not both have opened, or both let be."""
    number, sets = np.uint64(tables.types), np.uint64(tables.cut.shape[4])
    t0, t1, t3 = types[0], types[1], types[3]
    w0, w1, w2 = words[0], words[1], words[2]
    hit = np.zeros(tables.types, np.uint64)
    if tables.estimates == 2:
        hit[:] = tables.hit
    own, other = tables.enter[1].ravel(), protege.enter[1].ravel()
    by_origin, by_area = tables.origin, tables.scope
    for i in range(n):
        estimate = number if np.uint64(t3[i]) < hit[(np.uint64(t0[i]) * number) >> _HALF] else np.uint64(0)
        at = np.uint64(np.uint64(w1[i]) < by_area) * sets + estimate + ((np.uint64(t1[i]) * number) >> _HALF)
        parts = ((w2[i] > own[at]) != (w2[i] > other[at])) & (np.uint64(w0[i]) >= by_origin)
        noted[i] = np.uint8(parts) * np.uint8(_BY_PROTEGE)


@jit
def _open(tables, types, words, n, lanes, tally, base, ends):  # type: ignore[no-untyped-def]
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
        ends[trajectory[i] - base] = place * _BY_PLACE  # unless it opens
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
        tally[np.uint64(corner) * _BY_PLACE] += np.int64(here)
    return kept


@jit
def play_round(tables, protege, defender, t, words, n, lanes, spare, tally, base, ends, noted):  # type: ignore[no-untyped-def]
    """Play a round in the first `n` lanes, count what ended, close the ranks; return how many go on."""
    trajectory, packed = lanes.trajectory[:n], lanes.packed[:n]
    rows = lanes.rows
    ended, slot = spare[0], spare[1]
    cut, step, nature = tables.cut.ravel(), tables.step.ravel(), tables.nature.ravel()
    sets = np.uint32(3 * tables.cut.shape[4])
    start = np.uint32(3 * t * STATES) * sets
    _move(packed, words[0], rows[0], cut, step, start, sets, np.uint32(0))
    if noted.size > 0:
        theirs = protege.cut.ravel()
        _watch(packed, words[1], rows[1], cut, theirs, step, start, sets, np.uint32(_STAGE), _BY_PROTEGE)
        theirs = defender.cut.ravel()
        _watch(packed, words[2], rows[2], cut, theirs, step, start, sets, np.uint32(2 * _STAGE), _BY_DEFENDER)
    else:
        _move(packed, words[1], rows[1], cut, step, start, sets, np.uint32(_STAGE))
        _commit(packed, words[2], rows[2], cut, step, start, sets, np.uint32(2 * _STAGE))
    _chance(packed, words[3], rows[3], nature, step, np.uint32(3 * _STAGE))
    row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
    kept = gone = np.int64(0)
    for i in range(n):
        now = packed[i]
        # write it to both lists; only the one that it belongs to grows
        ended[gone] = now
        slot[gone] = trajectory[i] - base
        trajectory[kept] = trajectory[i]
        row0[kept] = row0[i]
        row1[kept] = row1[i]
        row2[kept] = row2[i]
        row3[kept] = row3[i]
        packed[kept] = now
        over = np.int64((now & _END) != 0)
        gone += over
        kept += 1 - over
    for i in range(gone):
        end(ended[i], np.uint64(slot[i]), tally, ends, noted)
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
def _watch(packed, word, row, cut, other, step, start, sets, stage, flag):  # type: ignore[no-untyped-def]
    """Let the protégé or the defender move in every lane, and flag where its rival chooses otherwise.

    For the protégé the third threshold is the second one again.
    """
    for i in range(packed.size):
        now = packed[i]
        state = now & _STATE
        at = start + row[i] + state * sets
        w = word[i]
        chosen = np.uint32(w >= cut[at]) + np.uint32(w > cut[at + _ONE])
        passed = np.uint32(w > cut[at + _TWO])
        theirs = np.uint32(w >= other[at]) + np.uint32(w > other[at + _ONE]) + np.uint32(w > other[at + _TWO])
        parts = np.uint32((chosen + passed != theirs) & ((now & _END) == 0))
        if flag == _BY_DEFENDER:
            chosen += passed
        packed[i] = _after(now, step[_at(now, stage, state, chosen)]) | (parts * flag) << _PARTED_SHIFT


@jit
def _chance(packed, word, row, nature, step, stage):  # type: ignore[no-untyped-def]
    """Let nature move in every lane."""
    for i in range(packed.size):
        now = packed[i]
        state = now & _STATE
        at = row[i] + _FOUR * state
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
def end(now, slot, tally, ends, noted):  # type: ignore[no-untyped-def]
    """Count an ended dispute, and write down how it ended."""
    place = np.uint64((now >> _PLACE_SHIFT) & _PLACE)
    end = np.uint64((now & _END) >> _END_SHIFT)
    marks = np.uint64((now >> _MARK_SHIFT) & _MARK)
    cell = place * _BY_PLACE + (end * _STATES + np.uint64(now & _STATE)) * _MARKS + marks
    tally[cell] += 1
    ends[slot] = cell
    if noted.size > 0:
        noted[slot] |= now >> _PARTED_SHIFT
