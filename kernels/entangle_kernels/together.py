"""The crises of several worlds on the same random words, in the vector instructions of one world's.

What :mod:`entangle_kernels.wide` would draw again for one world after another is drawn once: how disputes
arise, and the private information of those that may become a crisis in any world. Each world then takes its
own thresholds to it, and plays its crises round by round.

**Rivals** play on from where they part. A crisis in which the rival of the protégé or of the defender would
choose otherwise is copied as it was before the round, and the copy takes this round and all others by the
rival's thresholds, beside the crisis itself. Wherever a crisis can be, its rival differs in nothing but what
its own actor does, so that until then both were the same.
:func:`entangle_kernels.crisis.replayed` plays them again from the start.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from entangle_kernels import wide
from entangle_kernels.jit import jit
from entangle_kernels.memory import aligned
from entangle_kernels.quantise import Tables
from entangle_kernels.tally import add_changes
from entangle_kernels.vectors import (
    BEYOND,
    Vector,
    every,
    first_lanes,
    intrinsic,
    lanes,
    load,
    load_every,
    store,
)
from entangle_kernels.wide import (
    BATCH,
    BY_PLACE,
    HALF,
    OFFSET,
    SCOPE,
    SET,
    SUMS,
    TILE,
    Forks,
    Layout,
    Room,
    Watch,
    add_up,
    flags_at,
    kind_of,
    opening,
    philox_of,
    play_round,
    plus,
    values_of,
)

#: Worlds that disputes arise for at a time: two bits of a word say where, for each.
MOST: Final = 16
#: Most disputes of a block.
LONGEST: Final = 1 << 16
#: Batches of a block, which may lie across a boundary of 2^32.
_BATCHES: Final = LONGEST // BATCH + 1

_INT: Final = ir.IntType(64)
_KIND: Final = 7
_OWN = threading.local()
_LAST: dict[str, tuple[Any, Any, Any]] = {}
_tuple: Any = types.UniTuple


class World(NamedTuple):
    """A world ready to be played with its rivals, or none.

    Parameters
    ----------
    tables, layout, watch
        As :func:`entangle_kernels.wide.watch` returns them.
    votes, moves
        `votes` of the protégé's rival, and `moves` of the protégé's and of the defender's.
    """

    tables: Tables
    layout: Layout
    watch: Watch
    votes: NDArray[np.uint64]
    moves: tuple[NDArray[np.uint32], NDArray[np.uint32]]


class Disputes(NamedTuple):
    """Disputes of a block that may become a crisis in some world, batch by batch.

    Parameters
    ----------
    base
        First trajectory of each batch, shape (batches,).
    number
        Where the batch begins in the block, and how many of its disputes may open, shape (batches, 2).
    keys
        Offset in the batch, and each actor's type, shape (batches, lanes).
    said, guess
        Words that decide whether a crisis opens, and what the partners' estimate is, of the same shape.
    sites
        Two bits for each area: whether it arose for the protégé, and inside the treaty area; the same shape.
    arose
        How many disputes arose: all, for the protégé, inside, and both, shape (areas, 4).
    words, places, may, ends
        Of a tile: words, `sites`, flags of those that may open, cells.
    """

    base: NDArray[np.uint64]
    number: NDArray[np.int64]
    keys: NDArray[np.uint32]
    said: NDArray[np.uint32]
    guess: NDArray[np.uint32]
    sites: NDArray[np.uint32]
    arose: NDArray[np.int64]
    words: NDArray[np.uint32]
    places: NDArray[np.uint32]
    may: NDArray[np.uint32]
    ends: NDArray[np.uint16]


class Replays(NamedTuple):
    """Where the rivals of a world part, and how crises end then.

    Parameters
    ----------
    chosen
        Trajectories in which either rival parts, by offset in the block, shape (2, lanes).
    number
        How many, shape (2,).
    cells
        How they ended, by offset in the block; anything elsewhere; shape (2, trajectories).
    """

    chosen: NDArray[np.uint32]
    number: NDArray[np.int64]
    cells: NDArray[np.uint16]


def _mine() -> tuple[Disputes, Replays, Forks]:
    """Return this thread's memory."""
    mine: tuple[Disputes, Replays, Forks] | None = getattr(_OWN, "mine", None)
    if mine is None:
        most = BATCH + BEYOND
        wide_, narrow = np.uint32, np.uint16
        keys, said, guess, sites = (aligned((_BATCHES, most), wide_) for _ in range(4))
        disputes = Disputes(
            base=np.zeros(_BATCHES, np.uint64),
            number=np.zeros((_BATCHES, 2), np.int64),
            keys=keys,
            said=said,
            guess=guess,
            sites=sites,
            arose=np.zeros((MOST, 4), np.int64),
            words=aligned((3 * TILE,), wide_),
            places=aligned((TILE,), wide_),
            may=aligned((TILE // 32,), wide_),
            ends=aligned((TILE,), narrow),
        )
        replays = Replays(aligned((2, LONGEST), wide_), np.zeros(2, np.int64), aligned((2, LONGEST), narrow))
        forks = Forks(
            before=aligned((2 * TILE // 32,), wide_),
            keys0=aligned((most,), wide_),
            now0=aligned((most,), narrow),
            keys1=aligned((most,), wide_),
            now1=aligned((most,), narrow),
        )
        mine = _OWN.mine = disputes, replays, forks
    return mine


def ready(worlds: Sequence[Tables], rivals: Sequence[tuple[Tables, Tables] | None]) -> list[World] | None:
    """Return worlds ready to be played together; None where vectors cannot.

    What was asked for last is kept, by the sequences themselves.
    """
    last = _LAST.get("ready")
    if last is not None and last[0] is worlds and last[1] is rivals:
        found: list[World] | None = last[2]
        return found
    found = _made_ready(worlds, rivals)
    _LAST["ready"] = worlds, rivals, found
    return found


def _made_ready(
    worlds: Sequence[Tables], rivals: Sequence[tuple[Tables, Tables] | None]
) -> list[World] | None:
    if len({(tables.types, tables.rounds) for tables in worlds}) > 1:
        return None
    found = []
    for tables, others in zip(worlds, rivals, strict=True):
        layout = wide.laid_out(tables)
        if layout is None:
            return None
        watched = wide.watch(tables, layout, others)
        if watched is None:
            return None
        protege, defender = (wide.laid_out(rival) for rival in others or (tables, tables))
        if protege is None or defender is None:
            return None
        found.append(World(tables, *watched, protege.votes, (protege.moves, defender.moves)))
    return found


def endings(
    worlds: list[World],
    *,
    seed: int,
    first: int,
    size: int,
    words: NDArray[np.uint64],
    counts: NDArray[np.int64],
    changed: NDArray[np.int64],
    cells: NDArray[np.uint16],
) -> Iterator[Replays]:
    """Play the disputes `first` ... `first + size - 1`, :data:`LONGEST` at most, in one world after another.

    Parameters
    ----------
    words
        What is asked of each cell; see :func:`entangle_kernels.tally.changes`.
    counts
        What to add to: how many ended in each cell, shape (worlds, *CELLS).
    changed
        What to add to: bits set with the world and not with its rival, and the other way round, shape
        (worlds, 2 rivals, 2, 64).
    cells
        Where to write down how each ended, shape (worlds, size).

    Yields
    ------
    Replays
        The rivals of the world that has been played; the next uses the same memory.
    """
    disputes, replays, forks = _mine()
    seed_, first_ = np.uint64(seed), np.uint64(first)
    room = wide.room_for(worlds[0].tables.rounds)
    for start in range(0, len(worlds), MOST):
        part = worlds[start : start + MOST]
        bounds, areas, leader = _areas(part)
        number, rounds = part[0].tables.types, part[0].tables.rounds
        here = cells[start : start + MOST]
        batches = _arise(seed_, first_, size, number, rounds, bounds, areas, leader, room, disputes, here)
        for i, world in enumerate(part):
            tables, layout, watch, votes, moves = world
            where = areas[i], batches, seed_
            _play(
                tables,
                layout,
                watch,
                votes,
                moves,
                *where,
                room,
                disputes,
                replays,
                forks,
                words,
                counts[start + i],
                changed[start + i],
                cells[start + i],
            )
            yield replays


def _areas(worlds: list[World]) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Return where disputes arise alike, and in which of these areas each world is.

    Returns
    -------
    bounds, areas, leader
        `bounds` of an area's worlds, with the least threshold of `enter` of any, shape (areas, 11, 16); the
        area of each world; the first world of each area.
    """
    known: dict[bytes, int] = {}
    areas: list[int] = []
    leader: list[int] = []
    bounds: list[NDArray[np.uint32]] = []
    for i, world in enumerate(worlds):
        own = world.layout.bounds
        area = known.setdefault(own[0].tobytes(), len(known))
        if area == len(leader):
            leader.append(i)
            bounds.append(own.copy())
        bounds[area][1] = np.minimum(bounds[area][1], own[1])
        areas.append(area)
    return np.stack(bounds), np.array(areas), np.array(leader)


# -- how disputes arise ------------------------------------------------------------------------------


@jit
def _arise(seed, first, size, number, rounds, bounds, areas, leader, room, disputes, cells):  # type: ignore[no-untyped-def]
    """Let the disputes of a block arise in all worlds; return how many batches they are."""
    done = batch = np.int64(0)
    words, places, may, ends = disputes.words, disputes.places, disputes.may, disputes.ends
    disputes.arose[:] = 0
    disputes.arose[:, 0] = size
    year = np.uint64(0)
    while done < size:
        base = first + np.uint64(done)
        n = min(BATCH, size - done)
        # the indices of a batch have their upper half in common
        left = np.uint64(1 << 32) - (base & np.uint64(HALF))
        if np.uint64(n) > left:
            n = np.int64(left)
        wide.addresses(room.address, base >> np.uint64(32), year, rounds, seed)
        low = np.uint32(base & np.uint64(HALF))
        keys, said, guess, sites = (
            disputes.keys[batch],
            disputes.said[batch],
            disputes.guess[batch],
            disputes.sites[batch],
        )
        some = np.int64(0)
        for start in range(0, n, TILE):
            here = min(TILE, n - start)
            whole = here // 32 * 32
            places[:] = 0
            may[:] = 0
            for at in range(0, here, 32):
                _words(start + at, at, low, room.address[rounds], words)
            for area in range(len(bounds)):
                own, arose, to = bounds[area], disputes.arose[area], cells[leader[area]]
                shift, theirs, inside, both = np.int64(2 * area), np.int64(0), np.int64(0), np.int64(0)
                for at in range(0, whole, 32):
                    a, b, c = _place(at, here, shift, own, words, places, may, to, done + start + at)
                    theirs += a
                    inside += b
                    both += c
                if whole < here:  # a whole register would reach into the next world's
                    a, b, c = _place(whole, here, shift, own, words, places, may, ends, np.int64(0))
                    theirs += a
                    inside += b
                    both += c
                    for at in range(whole, here):
                        to[done + start + at] = ends[at - whole]
                arose[1] += theirs
                arose[2] += inside
                arose[3] += both
            for at in range(0, here, 32):
                some = _keep(start + at, at, words, places, may, keys, said, sites, some)
        for i in range(0, some, 32):
            _inform(i, low, number, room.address[rounds + 1], keys, guess)
        disputes.base[batch] = base
        disputes.number[batch, 0] = done
        disputes.number[batch, 1] = some
        done += n
        batch += 1
    for world in range(len(areas)):
        first_ = leader[areas[world]]
        if first_ != world:
            cells[world] = cells[first_]
    return batch


@intrinsic
def _words(typingctx, i, at, base, address, words):  # type: ignore[no-untyped-def]
    """Draw how 32 disputes arise, one after another."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, at, base, address, words = values_of(context, b, signature, values)
        for j in range(2):
            offset = every(b, b.trunc(i, ir.IntType(32)), 16) + lanes(b, range(16 * j, 16 * j + 16), 32)
            drawn = philox_of(b, address, offset + every(b, base, 16))
            for row, word in enumerate(drawn[:3]):
                store(b, words, plus(b, at, row * TILE + 16 * j), word)
        return context.get_dummy_value()

    return types.void(i, at, base, address, words), emit


@intrinsic
def _place(typingctx, at, n, shift, bounds, words, places, may, ends, to):  # type: ignore[no-untyped-def]
    """Find origin and scope of 32 disputes in an area, and whether they may open; count by place."""
    result = _tuple(types.int64, 3)

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        at, n, shift, bounds, words, places, may, ends, to = values_of(context, b, signature, values)
        lowest = load(b, bounds, 16, 32, 16)
        some = [load_every(b, bounds, 2 + k, 32, 16).differs(0) for k in range(2)]
        last = [load_every(b, bounds, k, 32, 16) for k in range(2)]
        by = every(b, b.trunc(shift, ir.IntType(32)), 16)
        valid = first_lanes(b, b.sub(n, at), 32)
        found = []
        for j in range(2):
            w = [load(b, words, plus(b, at, row * TILE + 16 * j), 32, 16) for row in range(3)]
            here = valid.part(16 * j, 16)
            theirs = ~((w[0] <= last[0]) & some[0]) & here
            inside = (w[1] <= last[1]) & some[1] & here
            none = w[0] & 0
            place = (none | 2).where(theirs, none) | (none | 1).where(inside, none)
            so_far = load(b, places, plus(b, at, 16 * j), 32, 16)
            shifted = Vector(b, b.shl(place.value, by.value))
            store(b, places, plus(b, at, 16 * j), so_far | shifted)
            store(b, ends, plus(b, to, 16 * j), (place * BY_PLACE).narrowed(16))
            found.append((theirs, inside, theirs & inside, (w[2] > place.looked_up(lowest)) & here))
        *counted, opens = (first.joined(second) for first, second in zip(*found, strict=True))
        flags = flags_at(b, may, at)
        b.store(b.or_(b.load(flags), b.trunc(opens.word(), ir.IntType(32))), flags)
        return context.make_tuple(b, signature.return_type, [flag.number() for flag in counted])

    return result(at, n, shift, bounds, words, places, may, ends, to), emit


@intrinsic
def _keep(typingctx, i, at, words, places, may, keys, said, sites, kept):  # type: ignore[no-untyped-def]
    """Keep those of 32 disputes that may open in some world; return how many there are so far."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, at, words, places, may, keys, said, sites, kept = values_of(context, b, signature, values)
        flags = Vector(b, b.bitcast(b.load(flags_at(b, may, at)), ir.VectorType(ir.IntType(1), 32)))
        for j in range(2):
            offset = every(b, b.trunc(i, ir.IntType(32)), 16) + lanes(b, range(16 * j, 16 * j + 16), 32)
            some = flags.part(16 * j, 16)
            store(b, keys, kept, offset.packed(some))
            store(b, said, kept, load(b, words, plus(b, at, 2 * TILE + 16 * j), 32, 16).packed(some))
            store(b, sites, kept, load(b, places, plus(b, at, 16 * j), 32, 16).packed(some))
            kept = b.add(kept, some.number())
        return kept

    return types.int64(i, at, words, places, may, keys, said, sites, kept), emit


@intrinsic
def _inform(typingctx, i, base, number, address, keys, guess):  # type: ignore[no-untyped-def]
    """Draw the private information of 32 disputes: add types to their keys, keep the word of the estimate."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, base, number, address, keys, guess = values_of(context, b, signature, values)
        k = every(b, number, 8) & HALF
        for j in range(2):
            here = plus(b, i, 16 * j)
            key = load(b, keys, here, 32, 16)
            w = philox_of(b, address, (key & OFFSET) + every(b, base, 16))
            for word, bit in zip(w[:3], SET, strict=True):
                key = key | (kind_of(word, k) << bit)
            store(b, keys, here, key)
            store(b, guess, here, w[3])
        return context.get_dummy_value()

    return types.void(i, base, number, address, keys, guess), emit


# -- one world ---------------------------------------------------------------------------------------


@intrinsic
def _open(  # type: ignore[no-untyped-def]
    typingctx,
    i,
    n,
    shift,
    number,
    bounds,
    drawn,
    said,
    guess,
    sites,
    keys,
    now,
    kept,
    forked_keys,
    forked_now,
    forked,
    parting,
    parts,
):
    """Keep those of 32 disputes that open in a world; return how many so far, and count them by place.

    Keep apart those that open for the protégé's rival alone, and list those in which the two differ.
    """
    result = _tuple(types.int64, 6)
    first = i, n, shift, number, bounds, drawn, said, guess, sites, keys, now, kept
    second = forked_keys, forked_now, forked, parting, parts

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        i, n, shift, number, bounds, drawn, said, guess, sites, *others = values_of(
            context, b, signature, values
        )
        keys, now, kept, forked_keys, forked_now, forked, parting, parts = others
        rows = [load(b, bounds, 16 * row, 32, 16) for row in range(11)]
        by = every(b, b.trunc(shift, ir.IntType(32)), 16)
        types_ = every(b, b.trunc(number, ir.IntType(32)), 16)
        valid = first_lanes(b, b.sub(n, i), 32)
        found = []
        for j in range(2):
            key, said_, guess_, site = (
                load(b, array, plus(b, i, 16 * j), 32, 16) for array in (drawn, said, guess, sites)
            )
            place = Vector(b, b.lshr(site.value, by.value)) & 3
            theirs, inside = place.has(2), place.has(1)
            actors = (key >> SET[0]) & _KIND, (key >> SET[1]) & _KIND
            here = valid.part(16 * j, 16)
            own, opens, otherwise = opening(rows, types_, actors, (said_, guess_), (theirs, inside), here)
            begins = place.looked_up(rows[8]).narrowed(16)
            store(b, keys, kept, (key | own).packed(opens))
            store(b, now, kept, begins.packed(opens))
            kept = b.add(kept, opens.number())
            alone = otherwise & ~opens
            store(b, forked_keys, forked, (key | own).packed(alone))
            store(b, forked_now, forked, begins.packed(alone))
            forked = b.add(forked, alone.number())
            store(b, parting, parts, ((key & OFFSET) | (place << SCOPE)).packed(otherwise))
            parts = b.add(parts, otherwise.number())
            found.append((opens & theirs, opens & inside, opens & theirs & inside))
        counted = [first.joined(second).number() for first, second in zip(*found, strict=True)]
        return context.make_tuple(b, signature.return_type, [kept, forked, parts, *counted])

    return result(*first, *second), emit


@jit
def _play(  # type: ignore[no-untyped-def]
    tables,
    layout,
    watch,
    votes,
    moves,
    area,
    batches,
    seed,
    room,
    disputes,
    replays,
    forks,
    words,
    counts,
    changed,
    cells,
):
    """Play a block in a world, and its rivals if they are watched."""
    first = Layout(moves[0], votes, layout.nature, layout.steps, layout.bounds)
    second = Layout(moves[1], watch.votes, layout.nature, layout.steps, layout.bounds)
    protege, defender = _with(tables, watch.protege), _with(tables, watch.defender)
    year, unwatched = np.uint64(0), Watch(False, layout.votes, layout.votes, tables.cut, tables.cut)
    rooms = _beside(room, forks.keys0, forks.now0), _beside(room, forks.keys1, forks.now1)
    chosen, number, others = replays.chosen, replays.number, replays.cells
    number[:] = 0
    kinds, shift = np.int64(tables.types), np.int64(2 * area)
    quiet = disputes.arose[area].copy()
    for batch in range(batches):
        base, done, some = disputes.base[batch], disputes.number[batch, 0], disputes.number[batch, 1]
        wide.addresses(room.address, base >> np.uint64(32), year, tables.rounds, seed)
        drawn, said = disputes.keys[batch], disputes.said[batch]
        guess, sites = disputes.guess[batch], disputes.sites[batch]
        on = one = other = parts = np.int64(0)
        for i in range(0, some, 32):
            on, one, parts, a, b, c = _open(
                i,
                some,
                shift,
                kinds,
                layout.bounds,
                drawn,
                said,
                guess,
                sites,
                room.keys,
                room.now,
                on,
                forks.keys0,
                forks.now0,
                one,
                room.parting,
                parts,
            )
            quiet[1] -= a
            quiet[2] -= b
            quiet[3] -= c
        quiet[0] -= on
        for i in range(parts):
            place = done + np.int64(room.parting[i] & np.uint32(OFFSET))
            chosen[0, number[0]] = place
            number[0] += 1
            others[0, place] = (room.parting[i] >> np.uint32(SCOPE)) * np.uint32(BY_PLACE)
        for t in range(tables.rounds):
            if on + one + other == 0:
                break
            before = one, other
            if on > 0:
                if watch.on:
                    on, gone, one, other = play_round(
                        tables, layout, watch, forks, t, on, base, year, seed, room, True, one, other
                    )
                else:
                    on, gone, _, _ = play_round(
                        tables, layout, watch, None, t, on, base, year, seed, room, True, 0, 0
                    )
                for i in range(gone):
                    room.sums[i & (SUMS - 1), room.over[i]] += 1
                _write(cells, done, gone, room)
            if one > 0:
                number[0] = _list(chosen[0], number[0], done, before[0], one, forks.keys0)
                one, gone, _, _ = play_round(
                    protege, first, unwatched, None, t, one, base, year, seed, rooms[0], True, 0, 0
                )
                _write(others[0], done, gone, room)
            if other > 0:
                number[1] = _list(chosen[1], number[1], done, before[1], other, forks.keys1)
                other, gone, _, _ = play_round(
                    defender, second, unwatched, None, t, other, base, year, seed, rooms[1], True, 0, 0
                )
                _write(others[1], done, gone, room)
    add_up(room.sums, counts)
    if watch.on:
        for rival in range(2):
            add_changes(cells, others[rival], chosen[rival, : number[rival]], words, changed[rival])
    counts[1, 1, 0, 0, 0] += quiet[3]
    counts[1, 0, 0, 0, 0] += quiet[1] - quiet[3]
    counts[0, 1, 0, 0, 0] += quiet[2] - quiet[3]
    counts[0, 0, 0, 0, 0] += quiet[0] - quiet[1] - quiet[2] + quiet[3]


@jit
def _with(tables, cut):  # type: ignore[no-untyped-def]
    """Return tables with other moves."""
    return Tables(
        tables.types,
        tables.estimates,
        tables.rounds,
        tables.hit,
        tables.origin,
        tables.scope,
        tables.enter,
        tables.start,
        cut,
        tables.nature,
        tables.step,
    )


@jit
def _write(cells, done, gone, room):  # type: ignore[no-untyped-def]
    """Write down how those that a round ended have ended."""
    for i in range(gone):
        cells[done + np.int64(room.over_keys[i] & np.uint32(OFFSET))] = room.over[i]


@jit
def _list(chosen, number, done, known, n, keys):  # type: ignore[no-untyped-def]
    """Add the lanes that a rival has got in a round to those in which it parts; return how many it has."""
    for i in range(known, n):
        chosen[number] = done + np.int64(keys[i] & np.uint32(OFFSET))
        number += 1
    return number


@jit
def _beside(room, keys, now):  # type: ignore[no-untyped-def]
    """Return a room with other lanes; whatever is not kept from round to round is shared."""
    return Room(
        keys,
        now,
        room.words,
        room.over,
        room.over_keys,
        room.parting,
        room.few,
        room.cells,
        room.parted,
        room.address,
        room.halves,
        room.places,
        room.found,
        room.wide,
        room.wide_theirs,
        room.after,
        room.unsure,
        room.sums,
    )
