"""The crisis simulator in vector instructions, for processors with AVX-512: the same endings, bit for bit.

:mod:`entangle_kernels.crisis` says what is played and plays it on any processor; here 32 disputes take a step
in one register. It is laid out so that a step is arithmetic on registers, and memory is touched in order.

**A batch.** Its trajectories have the upper half of their index in common, so that the first three rounds
of Philox are mostly the same for all. The words of the entry come first: where not even the readiest opener
would open on its word, private information is never drawn, for two in five.

**A lane.** A crisis is a key of 32 bits, the offset of its trajectory and each actor's information set, and
16 bits of what changes: state, marks, place, how it ended. Keys and changes lie in two arrays. After a
round those that go on close ranks in both (`vpcompress`), and the others are counted.

**A round.** A tile of 512 lanes takes one step after another, each a loop: words are drawn; thresholds of
the challenger, the protégé and the defender are fetched and it moves; nature moves. In one loop over all
steps the look-ups of a lane wait for one another, and there is little else to do meanwhile.

**Thresholds** are compared by their upper 16 bits, so that two or three come with one look-up. Where the
upper half of a word equals a threshold's (1 in 65 536), the lane plays the round again with whole words
(:func:`_exactly`). They are fetched one by one: the processor's gather takes longer, and nothing runs
beside it.

**Steps.** A crisis goes on in 64 states only, and a table of 64 times 16 bits fills two registers: steps
and nature's thresholds are looked up by permutation (`vpermi2w`), without touching memory. Only five
outcomes need a table; the others add a mark or an ending to whatever state they meet. :func:`laid_out`
checks that it is so, and that thresholds are in order; tables for which it is not are played by
:mod:`entangle_kernels.crisis`.

**Rivals** are asked in the same step, on the same word, with a second look-up; two bits of the key remember
who would have chosen otherwise.
"""

from __future__ import annotations

import threading
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from entangle_kernels import vectors
from entangle_kernels.exact import CELLS
from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    ACCIDENT,
    BACK_DOWN,
    BLOCKED_VOTE,
    COMPROMISE,
    CONCESSION,
    COOL,
    DEFEAT,
    END_SHIFT,
    ENDS,
    ESCALATE,
    HOLD,
    LOST,
    MARK_SHIFT,
    MARKS,
    NOTHING,
    PASSED,
    STALEMATE,
    STATE_MASK,
    STATES,
    VICTORY,
    VOTE_BLOCKED,
    WITHDRAWAL,
    WON,
)
from entangle_kernels.memory import aligned
from entangle_kernels.philox import ENTRY, TYPES, philox
from entangle_kernels.quantise import Tables
from entangle_kernels.vectors import (
    BEYOND,
    Vector,
    data,
    every,
    first_lanes,
    intrinsic,
    lanes,
    load,
    load_every,
    store,
)

#: Disputes that arise together.
BATCH: Final = 1 << 15
#: Lanes that take a stage together: what they need stays in the nearest cache.
TILE: Final = 512
#: States in which a crisis goes on: those below the highest rung.
LIVE: Final = 64
#: Most types of an actor: three bits of the key each.
MOST_TYPES: Final = 8

# A key on entry: these bits, and the offset in the batch. From then on it has each actor's own 5 bits (scope,
# estimate, type) in the place of all that, so that one shift finds them.
ORIGIN, SCOPE = 31, 30
OFFSET: Final = BATCH - 1
SET: Final = (15, 20, 25)
PARTED: Final = 30  # which rivals have chosen otherwise: the protégé's, the defender's
_OWN_SCOPE, _OWN_ESTIMATE = 4, 3

# What changes: state (7), marks (4), in scope (1), arose for the protégé (1), how it ended (3).
_MARK: Final = 7
_INSIDE, _BY_PROTEGE = 1 << 11, 1 << 12
_END: Final = 13
_ENDED: Final = 7 << _END
_PLACE: Final = 11
_KEPT: Final = 0x1F80  # what a step leaves as it was, but for marks that it adds

#: Outcomes that lead elsewhere: stage and outcome of each table of steps.
_ELSEWHERE: Final = np.array([(0, ESCALATE), (1, ESCALATE), (2, BACK_DOWN), (2, PASSED), (3, ACCIDENT)])
_UP_CHALLENGER, _UP_PROTEGE, _DOWN, _UP_DEFENDER, _ACCIDENT = range(5)
#: Outcomes that add something to any state: stage, outcome, and what they add.
_ADDING: Final = np.array(
    [
        (0, BACK_DOWN, WITHDRAWAL << _END),
        (0, HOLD, 0),
        (1, BACK_DOWN, CONCESSION << _END),
        (1, HOLD, 0),
        (2, HOLD, 0),
        (2, BLOCKED_VOTE, VOTE_BLOCKED << _MARK),
        (3, COOL, COMPROMISE << _END),
        (3, WON, VICTORY << _END),
        (3, NOTHING, 0),
        (3, LOST, DEFEAT << _END),
    ]
)

#: Counters of each cell, so that one need not wait for another's sum.
SUMS: Final = 2
_CELLS: Final = int(np.prod(CELLS))
BY_PLACE: Final = _CELLS // 4
#: Counters that are looked at together.
_LINE: Final = 256

#: This thread's room, and the layouts of the last tables: fresh memory and laying out take time.
_OWN = threading.local()
_KNOWN: dict[tuple[int, int], tuple[Tables, Layout | None]] = {}
_MOST_KNOWN: Final = 64

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
HALF: Final = 0xFFFFFFFF
_ADDRESS: Final = 24
_INT: Final = ir.IntType(64)


class Layout(NamedTuple):
    """The tables of a crisis as vectors want them.

    Parameters
    ----------
    moves
        Upper halves of the two thresholds of challenger and protégé, the first in the lower half, shape
        (rounds, 2 actors, 2 scopes, 2 estimates, 8 types, 64 states).
    votes
        Those of the defender's three, shape (rounds, 2 scopes, 2 estimates, 8 types, 64 states).
    nature
        Upper halves, shape (4, 64).
    steps
        Shape (2 scopes, 5, 64).
    bounds
        Shape (11, 16): one less than the words of origin and scope, and whether there are any, the least
        threshold of `enter` by place; one less than `hit` by type, and whether there are any; `enter` of each
        place in four rows; the first 16 bits of a crisis by place; in two rows `enter` of the protégé's
        rival, where the dispute arose for the protégé.
    """

    moves: NDArray[np.uint32]
    votes: NDArray[np.uint64]
    nature: NDArray[np.uint16]
    steps: NDArray[np.uint16]
    bounds: NDArray[np.uint32]


class Room(NamedTuple):
    """What a batch needs.

    Parameters
    ----------
    keys, now
        Of the lanes: disputes that may still open, then crises that go on.
    words
        Of the entry, for those that may open.
    over, over_keys
        Cells of the crises that ended in a round, and their keys.
    parting
        Disputes that stay quiet and would not, were the protégé its rival.
    few
        Those to be played, where not all are, by offset in the batch.
    cells, parted
        By offset in the batch.
    address
        Rows of :func:`addresses`.
    halves, places, found, theirs, wide, wide_theirs, after, unsure
        Of a tile in the middle of a round: words, places of thresholds, thresholds of the challenger or the
        protégé and of its rival, of the defender and of its rival, what has changed, flags.
    sums
        How often each cell occurred, by two counters in turn, all 0 between blocks, shape (SUMS, cells).
    """

    keys: NDArray[np.uint32]
    now: NDArray[np.uint16]
    words: NDArray[np.uint32]
    over: NDArray[np.uint16]
    over_keys: NDArray[np.uint32]
    parting: NDArray[np.uint32]
    few: NDArray[np.uint32]
    cells: NDArray[np.uint16]
    parted: NDArray[np.uint8]
    address: NDArray[np.uint32]
    halves: NDArray[np.uint16]
    places: NDArray[np.uint32]
    found: NDArray[np.uint32]
    wide: NDArray[np.uint64]
    wide_theirs: NDArray[np.uint64]
    after: NDArray[np.uint16]
    unsure: NDArray[np.uint32]
    sums: NDArray[np.uint32]


def room_for(rounds: int) -> Room:
    """Return this thread's room for a batch of crises of so many rounds."""
    room: Room | None = getattr(_OWN, "room", None)
    if room is None or room.address.shape[0] < rounds + 2:
        room = _OWN.room = _new_room(rounds)
    return room


def _new_room(rounds: int) -> Room:
    most = BATCH + BEYOND
    return Room(
        keys=aligned((most,), np.uint32),
        now=aligned((most,), np.uint16),
        words=aligned((most,), np.uint32),
        over=aligned((most,), np.uint16),
        over_keys=aligned((most,), np.uint32),
        parting=aligned((most,), np.uint32),
        few=aligned((most,), np.uint32),
        cells=aligned((most,), np.uint16),
        parted=aligned((most,), np.uint8),
        address=aligned((rounds + 2, _ADDRESS), np.uint32),
        halves=aligned((4 * TILE,), np.uint16),
        places=aligned((TILE,), np.uint32),
        found=aligned((TILE,), np.uint32),
        wide=aligned((TILE,), np.uint64),
        wide_theirs=aligned((TILE,), np.uint64),
        after=aligned((TILE,), np.uint16),
        unsure=aligned((TILE // 32,), np.uint32),
        sums=aligned((SUMS, _CELLS + 16), np.uint32),
    )


def laid_out(tables: Tables) -> Layout | None:
    """Return the tables of a crisis as vectors want them; None if there is no such processor or layout.

    The last few are kept: tables never change once they are made.
    """
    if not vectors.AVAILABLE:
        return None
    key = id(tables.cut), id(tables.enter)
    known = _KNOWN.get(key)
    if known is not None and all(own is other for own, other in zip(known[0], tables, strict=True)):
        return known[1]
    found = _lay_out(tables)
    _KNOWN[key] = tables, found  # which also keeps the arrays, so that no other gets their place
    for old in list(_KNOWN)[:-_MOST_KNOWN]:  # a list, since other threads add to it
        _KNOWN.pop(old, None)
    return found


def _lay_out(tables: Tables) -> Layout | None:
    if tables.types > MOST_TYPES or tables.estimates > 2 or tables.rounds < 1:
        return None
    if (tables.start >= LIVE).any():
        return None
    found = Layout(
        moves=aligned((tables.rounds, 2, 2, 2, MOST_TYPES, LIVE), np.uint32),
        votes=aligned((tables.rounds, 2, 2, MOST_TYPES, LIVE), np.uint64),
        nature=aligned((4, LIVE), np.uint16),
        steps=aligned((2, len(_ELSEWHERE), LIVE), np.uint16),
        bounds=_bounds(tables),
    )
    cuts = tables.nature[:LIVE].astype(np.int64)
    ordered = (cuts[:, 0] <= cuts[:, 1]) & (cuts[:, 1] <= cuts[:, 2] + 1) & (cuts[:, 2] <= cuts[:, 3])
    found.nature[:] = (tables.nature[:LIVE] >> np.uint32(16)).T
    if not (ordered.all() and _steps(tables, found.steps) and _halves(tables, found.moves, found.votes)):
        return None
    return found


def _codes(steps: NDArray[Any]) -> NDArray[np.uint16]:
    """Return packed steps as 16 bits of what changes."""
    wide = steps.astype(np.uint32)
    marks, ends = wide >> MARK_SHIFT, (wide >> END_SHIFT) & (ENDS - 1)
    return ((wide & STATE_MASK) | (marks << _MARK) | (ends << _END)).astype(np.uint16)


def _steps(tables: Tables, found: NDArray[np.uint16]) -> bool:
    """Fill in the steps that lead elsewhere; return whether all are as this module relies on."""
    code = _codes(tables.step[:, :, :LIVE])
    state = np.arange(LIVE, dtype=np.uint16)
    standing = code[:, 0, :, HOLD] & ~np.uint16(STATE_MASK)  # marks that a crisis in a state has anyway
    stages, outcomes, adds = _ADDING.T
    stays = code[:, stages, :, outcomes] | standing
    if (stays != (state | standing | adds.astype(np.uint16)[:, np.newaxis, np.newaxis])).any():
        return False
    stages, outcomes = _ELSEWHERE.T
    leads = code[:, stages, :, outcomes]
    goes_on, target = leads < (1 << _END), leads & STATE_MASK
    at = np.minimum(target, LIVE - 1)
    lacks = standing[np.arange(2)[:, np.newaxis], at] & ~leads
    found[:] = leads.swapaxes(0, 1)
    return not (goes_on & ((target >= LIVE) | (lacks != 0))).any()


def _bounds(tables: Tables) -> NDArray[np.uint32]:
    found = aligned((11, 16), np.uint32)
    sets = tables.types * tables.estimates
    for i, words in enumerate((tables.origin, tables.scope)):
        found[0, i], found[0, 2 + i] = (int(words) - 1) & HALF, words > 0
    found[1, :4] = tables.enter.reshape(4, sets).min(axis=1)
    found[2, : tables.types] = (tables.hit - np.uint64(1)) & np.uint64(HALF)
    found[3, : tables.types] = (tables.hit > 0) & (tables.estimates == 2)
    found[4:8, :sets] = tables.enter.reshape(4, sets)
    for place in range(4):
        state = tables.start[place >> 1]
        marks = _codes(tables.step[place & 1, 0, state, HOLD]) & ~np.uint16(STATE_MASK)
        found[8, place] = int(state) | int(marks) | (place & 1) * _INSIDE | (place >> 1) * _BY_PROTEGE
    found[9:] = found[6:8]
    return found


@jit
def _halves(tables, moves, votes):  # type: ignore[no-untyped-def]
    """Fill in the upper halves of thresholds; return whether they are in order, so that each counts alone."""
    low, high, half = np.uint32(16), np.uint32(0xFFFF0000), np.uint64(32)
    disorder = np.uint32(0)
    for scope in range(2):
        for t in range(tables.rounds):
            for actor in range(3):
                for own in range(tables.cut.shape[4]):
                    estimate, kind = own // tables.types, own % tables.types
                    cut = tables.cut[scope, t, actor, :LIVE, own]
                    if actor < 2:
                        to = moves[t, actor, scope, estimate, kind]
                        for state in range(LIVE):
                            a, b = cut[state, 0], cut[state, 1]
                            disorder |= (a > b) & (a - b != 1)
                            to[state] = (a >> low) | (b & high)
                    else:
                        vote = votes[t, scope, estimate, kind]
                        for state in range(LIVE):
                            a, b, c = cut[state, 0], cut[state, 1], cut[state, 2]
                            disorder |= ((a > b) & (a - b != 1)) | (b > c)
                            vote[state] = np.uint64((a >> low) | (b & high)) | np.uint64(c >> low) << half
    return disorder == 0


_tuple: Any = types.UniTuple


# -- random words ----------------------------------------------------------------------------------


@jit
def addresses(address, high, year, rounds, seed):  # type: ignore[no-untyped-def]
    """Fill in what is the same for all trajectories whose indices have the upper half `high` in common.

    That is the round keys, and what the first three rounds make of the year and the purpose. The rows are the
    rounds of the crisis, then the entry, then the types.
    """
    half, mask = np.uint64(32), np.uint64(HALF)
    for row in range(rounds + 2):
        at = address[row]
        purpose = np.uint64(row)
        if row == rounds:
            purpose = ENTRY
        elif row > rounds:
            purpose = TYPES
        for i in range(10):
            at[4 + i] = ((seed & mask) + np.uint64(i) * np.uint64(0x9E3779B9)) & mask
            at[14 + i] = ((seed >> half) + np.uint64(i) * np.uint64(0xBB67AE85)) & mask
        right = np.uint64(_M1) * year
        left = np.uint64(_M0) * ((right >> half) ^ high ^ at[4])
        at[0] = purpose ^ at[14]
        at[1] = (right & mask) ^ at[5]
        at[2] = (left >> half) ^ at[15]
        at[3] = (left & mask) ^ at[16]


def philox_of(builder: Any, address: Any, low: Vector) -> list[Vector]:
    """Return the four words of 16 trajectories, given the lower halves of their indices.

    Products of 32 bits fill 64. The even lanes are multiplied where they are, the odd ones a half further
    down; what lies in the upper half of a lane on the way is read by nothing.
    """

    def key(i: int) -> Vector:
        return load_every(builder, address, i, 32, 16).as_lanes(64)

    def times(x: Vector, factor: int) -> Vector:
        return (x & HALF) * factor

    even = low.as_lanes(64)
    ways = []
    for a in (even, even >> 32):
        p = times(a, _M0)
        c = (p >> 32) ^ key(0)
        q = times(c, _M1)
        a, b, c = (q >> 32) ^ key(1), q, p ^ key(2)
        p, q = times(a, _M0), times(c, _M1)
        a, b, c, d = (q >> 32) ^ b ^ key(6), q, (p >> 32) ^ key(3), p
        for i in range(3, 10):
            p, q = times(a, _M0), times(c, _M1)
            a, b, c, d = (q >> 32) ^ b ^ key(4 + i), q, (p >> 32) ^ d ^ key(14 + i), p
        ways.append((a, b, c, d))
    order = [i + 15 if i % 2 else i for i in range(16)]
    return [x.as_lanes(32).mixed(y.as_lanes(32), order) for x, y in zip(*ways, strict=True)]


def _tops(first: Vector, second: Vector) -> Vector:
    """Return the upper halves of the lanes of two registers."""
    return first.as_lanes(16).mixed(second.as_lanes(16), range(1, 64, 2))


def _bottoms(first: Vector, second: Vector) -> Vector:
    """Return the lower halves of the lanes of two registers."""
    return first.as_lanes(16).mixed(second.as_lanes(16), range(0, 64, 2))


# -- how disputes arise ------------------------------------------------------------------------------

_FOUR: Final = _tuple(types.int64, 4)


@intrinsic
def _arise(typingctx, i, n, base, chosen, some_chosen, address, bounds, keys, words, cells, maybe):  # type: ignore[no-untyped-def]
    """Draw how 32 disputes arise, and keep those that might open; count by place."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, n, base, chosen, some_chosen, address, bounds, keys, words, cells, maybe = values_of(
            context, b, signature, values
        )
        lowest = load(b, bounds, 16, 32, 16)
        some = [load_every(b, bounds, 2 + k, 32, 16).differs(0) for k in range(2)]
        last = [load_every(b, bounds, k, 32, 16) for k in range(2)]
        offset = []
        for j in range(2):
            one_by_one = every(b, b.trunc(i, ir.IntType(32)), 16) + lanes(b, range(16 * j, 16 * j + 16), 32)
            listed = load(b, chosen, plus(b, i, 16 * j), 32, 16)
            offset.append(Vector(b, b.select(some_chosen, listed.value, one_by_one.value)))
        drawn = [philox_of(b, address, some_ + every(b, base, 16)) for some_ in offset]
        valid = first_lanes(b, b.sub(n, i), 32)
        found = []
        for j, w in enumerate(drawn):
            here = valid.part(16 * j, 16)
            theirs = ~((w[0] <= last[0]) & some[0]) & here
            inside = (w[1] <= last[1]) & some[1] & here
            key = (offset[j] | (1 << ORIGIN)).where(theirs, offset[j])
            key = (key | (1 << SCOPE)).where(inside, key)
            may = (w[2] > (key >> SCOPE).looked_up(lowest)) & here
            store(b, keys, maybe, key.packed(may))
            store(b, words, maybe, w[2].packed(may))
            store(b, cells, plus(b, i, 16 * j), ((key >> SCOPE) * BY_PLACE).narrowed(16))
            maybe = b.add(maybe, may.number())
            found.append((theirs, inside, theirs & inside))
        counts = [maybe, *(first.joined(second).number() for first, second in zip(*found, strict=True))]
        return context.make_tuple(b, signature.return_type, counts)

    return _FOUR(i, n, base, chosen, some_chosen, address, bounds, keys, words, cells, maybe), emit


@intrinsic
def _open(typingctx, i, n, base, number, address, bounds, keys, words, now, kept, parting, parts):  # type: ignore[no-untyped-def]
    """Draw the private information of 32 disputes, and keep those that open; count by place.

    Keep apart those that stay quiet and would not, were the protégé its rival.
    """

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, n, base, number, address, bounds, keys, words, now, kept, parting, parts = values_of(
            context, b, signature, values
        )
        keys_ = [load(b, keys, plus(b, i, 16 * j), 32, 16) for j in range(2)]
        drawn = [philox_of(b, address, (key & OFFSET) + every(b, base, 16)) for key in keys_]
        k = every(b, number, 8) & HALF
        shift = every(b, b.trunc(number, ir.IntType(32)), 16)
        valid = first_lanes(b, b.sub(n, i), 32)

        def row(place: int) -> Vector:
            return load(b, bounds, 16 * place, 32, 16)

        rows = [row(place) for place in range(11)]
        said = [load(b, words, plus(b, i, 16 * j), 32, 16) for j in range(2)]
        found = []
        for j, (key, w) in enumerate(zip(keys_, drawn, strict=True)):
            challenger, protege, defender = (kind_of(word, k) for word in w[:3])
            theirs, inside = key.has(1 << ORIGIN), key.has(1 << SCOPE)
            here = valid.part(16 * j, 16)
            own, opens, otherwise = opening(
                rows, shift, (challenger, protege), (said[j], w[3]), (theirs, inside), here
            )
            own = own | (challenger << SET[0]) | (protege << SET[1]) | (defender << SET[2])
            store(b, keys, kept, ((key & OFFSET) | own).packed(opens))
            store(b, now, kept, (key >> SCOPE).looked_up(rows[8]).narrowed(16).packed(opens))
            kept = b.add(kept, opens.number())
            quiet = otherwise & ~opens
            store(b, parting, parts, key.packed(quiet))
            parts = b.add(parts, quiet.number())
            found.append((opens & theirs, opens & inside, opens & theirs & inside))
        counts = [kept, *(first.joined(second).number() for first, second in zip(*found, strict=True)), parts]
        return context.make_tuple(b, signature.return_type, counts)

    result = _tuple(types.int64, 5)
    return result(i, n, base, number, address, bounds, keys, words, now, kept, parting, parts), emit


def kind_of(word: Vector, number: Vector) -> Vector:
    """Return the type that a word gives, of as many as every lane of 64 bits says."""
    even = word.as_lanes(64)
    p, q = ((x & HALF) * number for x in (even, even >> 32))
    return p.as_lanes(32).mixed(q.as_lanes(32), [j + 16 if j % 2 else j + 1 for j in range(16)])


def opening(
    rows: list[Vector],
    shift: Vector,
    types: tuple[Vector, Vector],
    words: tuple[Vector, Vector],
    place: tuple[Vector, Vector],
    here: Vector,
) -> tuple[Vector, Vector, Vector]:
    """Return what disputes add to their keys, which of them open, and in which the protégé's rival parts.

    Parameters
    ----------
    rows
        `bounds` of the layout.
    shift
        Number of types.
    types
        Of challenger and protégé.
    words
        What decides whether a crisis opens, and the estimate.
    place
        Whether they arose for the protégé, and inside the treaty area.
    here
        Which lanes are disputes.
    """
    (challenger, protege), (said, guess), (theirs, inside) = types, words, place
    sharp = (guess <= challenger.looked_up(rows[2])) & challenger.looked_up(rows[3]).differs(0)
    opener = (protege + shift).where(sharp, protege).where(theirs, challenger)
    at = (opener + 16).where(inside, opener)
    cut = at.looked_up(rows[6], rows[7]).where(theirs, at.looked_up(rows[4], rows[5]))
    opens = (said > cut) & here
    # the protégé's rival might have done otherwise
    otherwise = (said > at.looked_up(rows[9], rows[10])) & theirs & here
    otherwise = otherwise.differs(opens & theirs)
    # scope and estimate in the bits of all three
    thrice = sum(1 << bit for bit in SET)
    none = challenger & 0
    own = (none | (thrice << _OWN_SCOPE)).where(inside, none)
    own = (own | (thrice << _OWN_ESTIMATE)).where(sharp, own)
    return (own | (1 << PARTED)).where(otherwise, own), opens, otherwise


def plus(builder: Any, position: Any, number: int) -> Any:
    """Return a position further on."""
    return builder.add(position, ir.Constant(_INT, number))


def values_of(context: Any, builder: Any, signature: Any, values: Any) -> list[Any]:
    """Return an intrinsic's arguments: numbers as they are, of arrays where their elements lie."""
    return [
        data(context, builder, kind, value) if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, values, strict=True)
    ]


# -- a round ---------------------------------------------------------------------------------------
# Each step is a loop of its own over a tile of lanes, so that the look-ups of one register overlap with the
# next's; in one loop over all steps they hardly do. Thresholds are fetched one by one: the processor's gather
# takes longer, and nothing runs beside it.


def flags_at(builder: Any, flags: Any, at: Any, row: int = 0) -> Any:
    """Return where the flags of 32 lanes of a tile lie."""
    offset = builder.add(builder.lshr(at, ir.Constant(_INT, 3)), ir.Constant(_INT, row * TILE // 8))
    return builder.bitcast(builder.gep(flags, [offset]), ir.IntType(32).as_pointer())


class _Lanes:
    """32 lanes in the middle of a round, and what is known of them, while code is being written."""

    def __init__(self, builder: Any, at: Any, now: Vector, words: Any, steps: Any) -> None:
        self.builder, self.at, self.now, self.words, self.steps = builder, at, now, words, steps
        self.unsure = lanes(builder, [0] * 32, 1)
        self.turn(0)

    def turn(self, stage: int) -> None:
        """Take the words of a stage."""
        at = self.builder.add(self.at, ir.Constant(_INT, stage * TILE))
        self.word = load(self.builder, self.words, at, 16, 32)
        self.live = ~self.now.has(_ENDED)

    def table(self, base: Any, row: int) -> Vector:
        """Look up the state of each lane in a row of a table."""
        low, high = (load(self.builder, base, LIVE * row + 32 * i, 16, 32) for i in range(2))
        return self.now.looked_up(low, high)

    def step(self, which: int) -> Vector:
        """Return what a step that leads elsewhere makes of each lane."""
        outside, inside = (self.table(self.steps, len(_ELSEWHERE) * scope + which) for scope in range(2))
        return (self.now & _KEPT) | inside.where(self.now.has(_INSIDE), outside)

    def below(self, cut: Vector) -> Vector:
        """Flag the lanes that go on and whose word is below a threshold."""
        self.unsure |= ~self.word.differs(cut) & self.live
        return (self.word < cut) & self.live

    def above(self, cut: Vector) -> Vector:
        """Flag the lanes that go on and whose word is above a threshold."""
        self.unsure |= ~self.word.differs(cut) & self.live
        return (self.word > cut) & self.live

    def look(self, actor: int, keys: Any, i: Any, places: Any) -> None:
        """Write down where the thresholds of an actor's next move lie in the table of the round."""
        state = self.now & (LIVE - 1)
        for j in range(2):
            key = load(self.builder, keys, plus(self.builder, i, 16 * j), 32, 16)
            own = (key >> (SET[actor] - 6)) & (31 << 6)
            place = own | state.part(16 * j, 16).widened(32)
            store(self.builder, places, plus(self.builder, self.at, 16 * j), place)

    def note(self, unsure: Any, *, first: bool) -> None:
        """Write down which lanes a half cannot decide, beside those of the stages before."""
        pointer = flags_at(self.builder, unsure, self.at)
        word = self.builder.trunc(self.unsure.word(), ir.IntType(32))
        self.builder.store(word if first else self.builder.or_(self.builder.load(pointer), word), pointer)

    def part(self, unsure: Any, parts: Vector, rival: int, keys: Any, i: Any) -> None:
        """Mark the keys of lanes in which a rival chooses otherwise, and this is sure."""
        b = self.builder
        before = b.bitcast(b.load(flags_at(self.builder, unsure, self.at)), ir.VectorType(ir.IntType(1), 32))
        parts = parts & ~(self.unsure | Vector(b, before)) & self.live
        for j in range(2):
            place = plus(b, i, 16 * j)
            key = load(b, keys, place, 32, 16)
            marked = key | ((1 << rival) << PARTED)
            store(b, keys, place, marked.where(parts.part(16 * j, 16), key))


@intrinsic
def _draw(typingctx, i, at, base, address, keys, now, words, places):  # type: ignore[no-untyped-def]
    """Write the upper halves of the words of a round in 32 lanes, and where the first thresholds lie."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, at, base, address, keys, now, words, places = values_of(context, b, signature, values)
        found = []
        for j in range(2):
            key = load(b, keys, plus(b, i, 16 * j), 32, 16)
            found.append(philox_of(b, address, (key & OFFSET) + every(b, base, 16)))
        for row, (first, second) in enumerate(zip(*found, strict=True)):
            store(b, words, plus(b, at, row * TILE), _tops(first, second))
        _Lanes(b, at, load(b, now, i, 16, 32), words, None).look(0, keys, i, places)
        return context.get_dummy_value()

    return types.void(i, at, base, address, keys, now, words, places), emit


@intrinsic
def _fetch(typingctx, at, places, table, found):  # type: ignore[no-untyped-def]
    """Fetch 32 elements of a table, 32 or 64 bits each, from their places."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        at, places, table, found = values_of(context, b, signature, values)
        bits = signature.args[2].dtype.bitwidth
        kind = ir.IntType(bits)

        def element(base: Any, position: Any) -> Any:
            offset = b.mul(position, ir.Constant(_INT, bits // 8))
            return b.bitcast(b.gep(base, [offset]), kind.as_pointer())

        for j in range(0, 32, 2):
            offset = b.mul(plus(b, at, j), ir.Constant(_INT, 4))
            two = b.load(b.bitcast(b.gep(places, [offset]), _INT.as_pointer()), align=4)
            pair = b.and_(two, ir.Constant(_INT, HALF)), b.lshr(two, ir.Constant(_INT, 32))
            for k, place in enumerate(pair):
                b.store(b.load(element(table, place)), element(found, plus(b, at, j + k)))
        return context.get_dummy_value()

    return types.void(at, places, table, found), emit


def split(builder: Any, table: Any, at: Any) -> tuple[Vector, Vector]:
    """Return the lower and the upper halves of 16 numbers of 64 bits."""
    low, high = (load(builder, table, plus(builder, at, k), 64, 8).as_lanes(32) for k in (0, 8))
    return low.mixed(high, range(0, 32, 2)), low.mixed(high, range(1, 32, 2))


def _mover(stage: int, end: int, up: int, *, watched: bool = False) -> Any:
    """Return the code of the challenger's (stage 0) or the protégé's move (1), watched by a rival or not."""

    @intrinsic
    def move(typingctx, i, at, found, steps, keys, now, after, words, unsure, places):  # type: ignore[no-untyped-def]
        def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
            i, at, found, steps, keys, now, after, words, unsure, places = values_of(
                context, b, signature, values
            )
            x = load(b, now, i, 16, 32) if stage == 0 else load(b, after, at, 16, 32)
            here = _Lanes(b, at, x, words, steps)
            here.turn(stage)

            if watched:  # the rival's come with them, in the upper half
                pairs = [split(b, found, plus(b, at, j)) for j in (0, 16)]
            else:
                pairs = [2 * (load(b, found, plus(b, at, j), 32, 16),) for j in (0, 16)]
            (first, theirs), (second, others) = pairs

            def choice(first: Vector, second: Vector) -> tuple[Vector, Vector]:
                return here.below(_bottoms(first, second)), here.above(_tops(first, second))

            back, sharp = choice(first, second)
            if watched:
                their_back, their_sharp = choice(theirs, others)
                parts = back.differs(their_back) | sharp.differs(their_sharp)
                here.part(unsure, parts, stage - 1, keys, i)
            here.now = here.step(up).where(sharp, (x | (end << _END)).where(back, x))
            store(b, after, at, here.now)
            here.note(unsure, first=stage == 0)
            here.look(stage + 1, keys, i, places)
            return context.get_dummy_value()

        return types.void(i, at, found, steps, keys, now, after, words, unsure, places), emit

    return move


_challenge = _mover(0, WITHDRAWAL, _UP_CHALLENGER)
_provoke = _mover(1, CONCESSION, _UP_PROTEGE)
_provoke_watched = _mover(1, CONCESSION, _UP_PROTEGE, watched=True)


def _settler(*, watched: bool) -> Any:
    """Return the code of the defender's move, of the vote, and of nature, watched by a rival or not."""

    @intrinsic
    def settle(typingctx, i, at, found, theirs, nature, steps, keys, after, words, unsure):  # type: ignore[no-untyped-def]
        def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
            i, at, found, theirs, nature, steps, keys, after, words, unsure = values_of(
                context, b, signature, values
            )
            x = load(b, after, at, 16, 32)
            here = _Lanes(b, at, x, words, steps)
            here.turn(2)

            def choice(table: Any) -> tuple[Vector, Vector, Vector]:
                halves: list[Vector] = []
                for j in range(0, 32, 16):
                    halves += split(b, table, plus(b, at, j))
                back, sharp = _bottoms(halves[0], halves[2]), _tops(halves[0], halves[2])
                return here.below(back), here.above(sharp), here.above(_bottoms(halves[1], halves[3]))

            back, sharp, passes = own = choice(found)
            if watched:
                first, second, third = (a.differs(b) for a, b in zip(own, choice(theirs), strict=True))
                here.part(unsure, first | second | third, 1, keys, i)
            blocked = (x | (VOTE_BLOCKED << _MARK)).where(sharp, here.step(_DOWN).where(back, x))
            here.now = x = here.step(_UP_DEFENDER).where(passes, blocked)
            here.turn(3)
            cut = [here.table(nature, row) for row in range(4)]
            cool, won, bad, lost = (
                here.below(cut[0]),
                here.below(cut[1]),
                here.above(cut[2]),
                here.above(cut[3]),
            )
            mild = (x | (COMPROMISE << _END)).where(cool, (x | (VICTORY << _END)).where(won, x))
            worse = here.step(_ACCIDENT).where(bad, mild)
            store(b, after, at, (x | (DEFEAT << _END)).where(lost, worse))
            here.note(unsure, first=False)
            return context.get_dummy_value()

        return types.void(i, at, found, theirs, nature, steps, keys, after, words, unsure), emit

    return settle


_settle = _settler(watched=False)
_settle_watched = _settler(watched=True)


def _closer(*, noting: bool) -> Any:
    """Return the code that closes the ranks, and writes down who ended or only how."""

    @intrinsic
    def close(typingctx, i, n, at, last, keys, now, after, kept, over, over_keys, gone):  # type: ignore[no-untyped-def]
        """Close the ranks of 32 lanes; return how many go on so far, and how many ended."""
        result = _tuple(types.int64, 2)

        def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
            i, n, at, last, keys, now, after, kept, over, over_keys, gone = values_of(
                context, b, signature, values
            )
            x = load(b, after, at, 16, 32)
            x = x.where(x.has(_ENDED), x | every(b, last, 32))
            valid = first_lanes(b, b.sub(n, i), 32)
            ended = x.has(_ENDED) & valid
            goes_on = ~x.has(_ENDED) & valid
            place, end, marks = (x >> _PLACE) & 3, x >> _END, (x >> _MARK) & (MARKS - 1)
            cell = (place * ENDS + end) * (STATES * MARKS) + (x & STATE_MASK) * MARKS + marks
            key = [load(b, keys, plus(b, i, 16 * j), 32, 16) for j in range(2)]
            store(b, over, gone, cell.packed(ended))
            store(b, now, kept, x.packed(goes_on))
            place, left = kept, gone
            for j in range(2):
                if noting:
                    flags = ended.part(16 * j, 16)
                    store(b, over_keys, left, key[j].packed(flags))
                    left = b.add(left, flags.number())
                flags = goes_on.part(16 * j, 16)
                store(b, keys, place, key[j].packed(flags))
                place = b.add(place, flags.number())
            return context.make_tuple(b, signature.return_type, [place, b.add(gone, ended.number())])

        return result(i, n, at, last, keys, now, after, kept, over, over_keys, gone), emit

    return close


_close = _closer(noting=False)
_close_noting = _closer(noting=True)


class Forks(NamedTuple):
    """Where lanes are copied to in which a rival parts.

    Parameters
    ----------
    before
        Of a tile: where either rival had parted before the round, flags, shape (2 * TILE / 32,).
    keys0, now0, keys1, now1
        Lanes of the protégé's rival and of the defender's: crises as they were before the round in which it
        parted.
    """

    before: NDArray[np.uint32]
    keys0: NDArray[np.uint32]
    now0: NDArray[np.uint16]
    keys1: NDArray[np.uint32]
    now1: NDArray[np.uint16]


@intrinsic
def _remember(typingctx, i, at, keys, before):  # type: ignore[no-untyped-def]
    """Write down in which of 32 lanes either rival has chosen otherwise already."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, at, keys, before = values_of(context, b, signature, values)
        key = [load(b, keys, plus(b, i, 16 * j), 32, 16) for j in range(2)]
        for rival in range(2):
            first, second = (one.has(1 << (PARTED + rival)) for one in key)
            word = b.trunc(first.joined(second).word(), ir.IntType(32))
            b.store(word, flags_at(b, before, at, rival))
        return context.get_dummy_value()

    return types.void(i, at, keys, before), emit


def _forker(rival: int) -> Any:
    """Return the code that copies lanes for the rival of the protégé (0) or of the defender (1)."""

    @intrinsic
    def fork(typingctx, i, n, at, keys, now, before, forked_keys, forked_now, number):  # type: ignore[no-untyped-def]
        """Copy the lanes of 32 in which it chose otherwise in this round; return how many it has by now."""

        def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
            i, n, at, keys, now, before, forked_keys, forked_now, number = values_of(
                context, b, signature, values
            )
            key = [load(b, keys, plus(b, i, 16 * j), 32, 16) for j in range(2)]
            first, second = (one.has(1 << (PARTED + rival)) for one in key)
            known = b.bitcast(b.load(flags_at(b, before, at, rival)), ir.VectorType(ir.IntType(1), 32))
            parts = first.joined(second) & ~Vector(b, known) & first_lanes(b, b.sub(n, i), 32)
            store(b, forked_now, number, load(b, now, i, 16, 32).packed(parts))
            for j in range(2):
                flags = parts.part(16 * j, 16)
                store(b, forked_keys, number, key[j].packed(flags))
                number = b.add(number, flags.number())
            return number

        return types.int64(i, n, at, keys, now, before, forked_keys, forked_now, number), emit

    return fork


_fork_protege = _forker(0)
_fork_defender = _forker(1)


@jit
def play_round(tables, layout, watch, forks, t, n, base, year, seed, room, noting, one, other):  # type: ignore[no-untyped-def]
    """Play a round in the first `n` lanes; return how many go on, and how many ended.

    Unless `forks` is None, lanes in which a rival parts are copied to its own, of which it has `one` or
    `other` by now: that is returned too.
    """
    address, first, second, third = room.address[t], layout.moves[t, 0], layout.moves[t, 1], layout.votes[t]
    both_second, their_third = watch.moves[t], watch.votes[t]
    steps, nature = layout.steps, layout.nature
    keys, now, after, over, over_keys = room.keys, room.now, room.after, room.over, room.over_keys
    words, places, unsure = room.halves, room.places, room.unsure
    found, wide, wide_theirs = room.found, room.wide, room.wide_theirs
    low = np.uint32(base & np.uint64(HALF))
    last = np.uint16(STALEMATE << _END if t == tables.rounds - 1 else 0)
    kept = gone = np.int64(0)
    for start in range(0, n, TILE):
        size = min(TILE, n - start)
        if forks is not None:
            for at in range(0, size, 32):
                _remember(start + at, at, keys, forks.before)
        for at in range(0, size, 32):
            _draw(start + at, at, low, address, keys, now, words, places)
        for at in range(0, size, 32):
            _fetch(at, places, first, found)
        for at in range(0, size, 32):
            _challenge(start + at, at, found, steps, keys, now, after, words, unsure, places)
        if watch.on:
            for at in range(0, size, 32):
                _fetch(at, places, both_second, wide)
            for at in range(0, size, 32):
                _provoke_watched(start + at, at, wide, steps, keys, now, after, words, unsure, places)
        else:
            for at in range(0, size, 32):
                _fetch(at, places, second, found)
            for at in range(0, size, 32):
                _provoke(start + at, at, found, steps, keys, now, after, words, unsure, places)
        for at in range(0, size, 32):
            _fetch(at, places, third, wide)
        if watch.on:
            for at in range(0, size, 32):
                _fetch(at, places, their_third, wide_theirs)
            for at in range(0, size, 32):
                _settle_watched(start + at, at, wide, wide_theirs, nature, steps, keys, after, words, unsure)
        else:
            for at in range(0, size, 32):
                _settle(start + at, at, wide, wide, nature, steps, keys, after, words, unsure)
        for at in range(0, size, 32):
            if unsure[at >> 5] != 0:
                some = np.uint64(unsure[at >> 5])
                _exactly(tables, watch, t, start + at, n, at, some, base, year, seed, keys, now, after)
        if forks is not None:
            for at in range(0, size, 32):
                i = start + at
                one = _fork_protege(i, n, at, keys, now, forks.before, forks.keys0, forks.now0, one)
                other = _fork_defender(i, n, at, keys, now, forks.before, forks.keys1, forks.now1, other)
        if noting:
            for at in range(0, size, 32):
                kept, gone = _close_noting(
                    start + at, n, at, last, keys, now, after, kept, over, over_keys, gone
                )
        else:
            for at in range(0, size, 32):
                kept, gone = _close(start + at, n, at, last, keys, now, after, kept, over, over_keys, gone)
    return kept, gone, one, other


@jit
def _exactly(tables, watch, t, i, n, at, unsure, base, year, seed, keys, now, after):  # type: ignore[no-untyped-def]
    """Play a round again, with whole words, in the flagged ones of 32 lanes."""
    index = np.empty(1, np.uint64)
    words = np.empty((4, 1), np.uint32)
    for lane in range(min(32, n - i)):
        if (unsure >> np.uint64(lane)) & np.uint64(1) == 0:
            continue
        key, was = np.int64(keys[i + lane]), np.int64(now[i + lane])
        index[0] = base + np.uint64(key & OFFSET)
        philox(index, year, np.uint64(t), seed, words)
        scope = (key >> (15 + _OWN_SCOPE)) & 1
        for stage in range(4):
            if was & _ENDED:
                break
            word, state = words[stage, 0], was & STATE_MASK
            outcome = np.int64(0)
            if stage == 3:
                cut = tables.nature[state]
                outcome += np.int64(word >= cut[0]) + np.int64(word >= cut[1])
                outcome += np.int64(word > cut[2]) + np.int64(word > cut[3])
            else:
                own = (key >> (15 + 5 * stage)) & 31
                own = (own & 7) + ((own >> _OWN_ESTIMATE) & 1) * tables.types
                cut = tables.cut[scope, t, stage, state, own]
                outcome += np.int64(word >= cut[0]) + np.int64(word > cut[1])
                if stage == 2:
                    outcome += np.int64(word > cut[2])
                if watch.on and stage > 0:
                    cut = watch.protege[scope, t, 1, state, own]
                    if stage == 2:
                        cut = watch.defender[scope, t, 2, state, own]
                    theirs = np.int64(word >= cut[0]) + np.int64(word > cut[1])
                    if stage == 2:
                        theirs += np.int64(word > cut[2])
                    if theirs != outcome:
                        keys[i + lane] |= np.uint32(stage << PARTED)
            step = np.int64(tables.step[scope, stage, state, outcome])
            marks, end = step >> MARK_SHIFT, (step >> END_SHIFT) & (ENDS - 1)
            was = (was & _KEPT) | (step & STATE_MASK) | (marks << _MARK) | (end << _END)
        after[at + lane] = was


# -- a block ---------------------------------------------------------------------------------------


class Watch(NamedTuple):
    """What the rivals of protégé and defender would do, if anything is `on`.

    Parameters
    ----------
    moves
        As those of a :class:`Layout`, the protégé's alone, and in the upper half its rival's, shape (rounds,
        2 scopes, 2 estimates, 8 types, 64 states).
    votes
        As those of a layout, of the defender's rival.
    protege, defender
        `cut` of both rivals.
    """

    on: bool
    moves: NDArray[np.uint64]
    votes: NDArray[np.uint64]
    protege: NDArray[np.uint32]
    defender: NDArray[np.uint32]


def watch(
    tables: Tables, layout: Layout, rivals: tuple[Tables, Tables] | None
) -> tuple[Layout, Watch] | None:
    """Return the layout and what to watch; None if there is no layout of a rival."""
    if rivals is None:
        return layout, Watch(False, layout.votes, layout.votes, tables.cut, tables.cut)
    protege, defender = (laid_out(rival) for rival in rivals)
    if protege is None or defender is None:
        return None
    bounds = layout.bounds.copy()
    bounds[1] = np.minimum(bounds[1], protege.bounds[1])
    bounds[9:] = protege.bounds[6:8]
    both = aligned(layout.votes.shape, np.uint64)
    both[:] = layout.moves[:, 1] | protege.moves[:, 1].astype(np.uint64) << np.uint64(32)
    theirs = Watch(True, both, defender.votes, rivals[0].cut, rivals[1].cut)
    return layout._replace(bounds=bounds), theirs


_EVERY: Final = np.empty(0, np.uint32)
_NO_CELLS: Final = np.empty(0, np.uint16)
_NO_PARTS: Final = np.empty(0, np.uint8)


def simulate(
    tables: Tables,
    layout: Layout,
    *,
    seed: int,
    first: int,
    size: int,
    year: int,
    theirs: Watch | None = None,
    chosen: NDArray[np.uint32] = _EVERY,
    cells: NDArray[np.uint16] = _NO_CELLS,
    parted: NDArray[np.uint8] = _NO_PARTS,
    counts: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Return how many of the disputes ended in each way; as :func:`entangle_kernels.crisis.simulate`.

    Parameters
    ----------
    layout, theirs
        As :func:`watch` returns them, if rivals are watched.
    chosen
        Offsets from `first`, ascending: play these alone, and count nothing.
    cells, parted
        Where to write them down, if not empty, by offset from `first`.
    counts
        What to add to; zeros if not given.
    """
    if counts is None:
        counts = np.zeros(CELLS if chosen.size == 0 else (2, 2, 1, 1, 1), np.int64)
    where = np.uint64(seed), np.uint64(first), size, np.uint64(year)
    if theirs is None:
        theirs = Watch(False, layout.votes, layout.votes, tables.cut, tables.cut)
    _block(tables, layout, theirs, *where, chosen, room_for(tables.rounds), counts, cells, parted)
    return counts


@jit
def _block(tables, layout, watch, seed, first, size, year, chosen, room, counts, cells, parted):  # type: ignore[no-untyped-def]
    """Play `size` trajectories from `first` on, or those chosen; add to `counts` how they ended."""
    done = listed = np.int64(0)
    sums = room.sums
    noting = cells.size > 0
    few = room.few if chosen.size > 0 else room.few[:0]
    while done < size:
        base = first + np.uint64(done)
        n = min(BATCH, size - done)
        # the indices of a batch have their upper half in common
        left = np.uint64(1 << 32) - (base & np.uint64(HALF))
        if np.uint64(n) > left:
            n = np.int64(left)
        number = n
        if chosen.size > 0:
            number = np.int64(0)
            while listed < chosen.size and np.int64(chosen[listed]) < done + n:
                few[number] = np.int64(chosen[listed]) - done
                number += 1
                listed += 1
        _batch(tables, layout, watch, base, year, seed, number, few, room, counts, noting)
        if chosen.size > 0:
            for i in range(number):
                cells[done + few[i]] = room.cells[few[i]]
        elif noting:
            cells[done : done + n] = room.cells[:n]
        if watch.on:
            parted[done : done + n] = room.parted[:n]
        done += n
    if chosen.size == 0:
        add_up(sums, counts)


@jit
def add_up(sums, counts):  # type: ignore[no-untyped-def]
    """Add `sums` to `counts`, and set them to 0; most lines of them are empty."""
    tally, one, other = counts.ravel(), sums[0], sums[1]
    for start in range(0, _CELLS, _LINE):
        any_ = np.uint32(0)
        for cell in range(start, start + _LINE):
            any_ |= one[cell] | other[cell]
        if any_ != 0:
            for cell in range(start, start + _LINE):
                tally[cell] += np.int64(one[cell]) + np.int64(other[cell])
                one[cell] = 0
                other[cell] = 0


@jit
def _batch(tables, layout, watch, base, year, seed, n, few, room, counts, noting):  # type: ignore[no-untyped-def]
    """Play a batch of `n` disputes, one after another or the few that are listed."""
    addresses(room.address, base >> np.uint64(32), year, tables.rounds, seed)
    if watch.on:
        room.parted[:n] = 0
    on = _enter(tables, layout, watch, base, n, few, room, counts)
    for t in range(tables.rounds):
        if on == 0:
            break
        on, gone, _, _ = play_round(tables, layout, watch, None, t, on, base, year, seed, room, noting, 0, 0)
        if few.size == 0:
            for i in range(gone):
                room.sums[i & (SUMS - 1), room.over[i]] += 1
        if noting:
            for i in range(gone):
                room.cells[room.over_keys[i] & np.uint32(OFFSET)] = room.over[i]
        if watch.on:
            for i in range(gone):
                key = room.over_keys[i]
                room.parted[key & np.uint32(OFFSET)] = key >> np.uint32(PARTED)


@jit
def _enter(tables, layout, watch, base, n, few, room, counts):  # type: ignore[no-untyped-def]
    """Keep the disputes that become a crisis in the first lanes, and count the others."""
    low, listed = np.uint32(base & np.uint64(HALF)), few.size > 0
    keys, words, now, bounds, cells = room.keys, room.words, room.now, layout.bounds, room.cells
    address = room.address[tables.rounds]
    if listed:
        cells = room.over  # in the order of the list; put in its places below
    chosen = few if listed else keys
    maybe = theirs = inside = both = np.int64(0)
    for i in range(0, n, 32):
        maybe, a, b, c = _arise(i, n, low, chosen, listed, address, bounds, keys, words, cells, maybe)
        theirs += a
        inside += b
        both += c
    if listed:
        for i in range(n):
            room.cells[few[i]] = room.over[i]
    kept = parts = np.int64(0)
    number, address = np.int64(tables.types), room.address[tables.rounds + 1]
    for i in range(0, maybe, 32):
        kept, a, b, c, parts = _open(
            i, maybe, low, number, address, bounds, keys, words, now, kept, room.parting, parts
        )
        theirs -= a
        inside -= b
        both -= c
    for i in range(parts):
        room.parted[room.parting[i] & np.uint32(OFFSET)] = 1
    counts[1, 1, 0, 0, 0] += both
    counts[1, 0, 0, 0, 0] += theirs - both
    counts[0, 1, 0, 0, 0] += inside - both
    counts[0, 0, 0, 0, 0] += n - kept - theirs - inside + both
    return kept


def positions(parted: NDArray[np.uint8], bit: int, found: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the part of `found` that now tells where a bit is set, ascending."""
    return found[: _positions(parted, np.uint8(bit), found)]


@jit
def _positions(parted, bit, found):  # type: ignore[no-untyped-def]
    n = np.int64(0)
    whole = parted.size // 16 * 16
    for i in range(0, whole, 16):
        n = _flagged(parted, i, bit, found, n)
    for i in range(whole, parted.size):
        found[n] = i
        n += np.int64((parted[i] & bit) != 0)
    return n


@intrinsic
def _flagged(typingctx, parted, i, bit, found, n):  # type: ignore[no-untyped-def]
    """Write down which of 16 positions have a bit set; return how many there are so far."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        parted, i, bit, found, n = values_of(context, b, signature, values)
        flags = (load(b, parted, i, 8, 16) & every(b, bit, 16)).differs(0)
        place = every(b, b.trunc(i, ir.IntType(32)), 16) + lanes(b, range(16), 32)
        store(b, found, n, place.packed(flags))
        return b.add(n, flags.number())

    return types.int64(parted, i, bit, found, n), emit
