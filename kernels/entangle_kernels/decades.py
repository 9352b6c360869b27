"""Years between crises, for many histories at once: arms, disputes, what follows, and the life of the pact.

``docs/decades.md`` defines the step; ``tests/reference/decades.py`` is its slow twin. A block is a pure
function of (seed, first trajectory, size, tables). A batch of histories takes each year together, and the
crises of that year are played in the lanes of :mod:`entangle_kernels.crisis`, each with the thresholds of its
own context.

Nothing that decides anything is an exponential or a logarithm, whose last bit may differ between processors:
see :mod:`entangle_kernels.peace`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels import crisis
from entangle_kernels.exact import CELLS
from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    END_SHIFT,
    MARK_SHIFT,
    MARKS,
    NO_CRISIS,
    OBLIGATION_ACTIVE,
    STALEMATE,
    STATES,
    SUPPORT_REACHED,
    VOTE_BLOCKED,
)
from entangle_kernels.peace import (
    ABROGATED_BY_DEFENDER,
    ABROGATED_BY_PROTEGE,
    ARMS,
    BREACH,
    ENDED,
    GRIEVANCES,
    IN_FORCE,
    LAPSE,
    LIFE,
    NOTICE_BY_DEFENDER,
    NOTICE_BY_PROTEGE,
    PLACE,
    REVIEW,
    SUSPENDED,
    Contexts,
    Peace,
    normal_table,
    soft_table,
)
from entangle_kernels.philox import ENTRY, TYPES, philox

#: In place of a cell: no dispute arose.
QUIET: Final = 0xFFFF
#: What a record holds of a year: see :class:`Record`.
LEVELS: Final = 7
EVENTS: Final = 9
#: Histories whose years are taken together, so that what is kept of them stays near. Four times as many take
#: 10 % longer, a quarter as many 20 %.
BATCH: Final = 1024
#: The same where nothing is kept: as many as there are lanes.
_UNKEPT: Final = 4096

_HALF = np.uint64(32)
_NO_WORDS: Final = np.empty(0, np.uint64)
_BY_CORNER: Final = CELLS[2] * CELLS[3] * CELLS[4]
_SOFT: Final = soft_table()
_NORMAL: Final = normal_table()
_NORMAL_SCALE: Final = (_NORMAL.size - 1) / 2.0**32


class Record(NamedTuple):
    """Histories, year by year.

    Parameters
    ----------
    levels
        Shape (histories, years, 7): log capability of challenger, protégé and defender after the year's arms,
        log effort of each, and the log odds that the defender is steadfast when the context was picked.
    events
        Shape (histories, years, 9), int32: the context with which a dispute would be played if bound, whether
        it was (1) or not (0), the cell of its ending or -1 if none arose, the grievances of challenger and
        protégé, the pact's status, why it ended, years of notice left or -1, years of suspension left; those
        from the grievances on at the end of the year.
    steadfast
        Whether the defender is, shape (histories,).
    """

    levels: NDArray[np.float64]
    events: NDArray[np.int32]
    steadfast: NDArray[np.uint8]


def empty(size: int, years: int) -> Record:
    """Return memory for a number of histories, all 0."""
    return Record(
        np.zeros((size, years, LEVELS)), np.zeros((size, years, EVENTS), np.int32), np.zeros(size, np.uint8)
    )


def record(
    contexts: Contexts,
    peace: Peace,
    *,
    seed: int,
    first: int,
    size: int,
    years: int,
    into: Record | None = None,
) -> Record:
    """Return the histories `first` ... `first + size - 1` whole.

    Parameters
    ----------
    seed
        Key of the random numbers, 0 to 2^64 - 1.
    first
        Index of the first trajectory, 0 to 2^64 - 1.
    size
        Number of histories.
    years
        Length of each.
    into
        Memory for what is returned; fresh if not given.
    """
    kept = empty(size, years) if into is None else into
    lanes = crisis.new_lanes()
    for start in range(0, size, BATCH):
        stop = min(start + BATCH, size)
        part = Record(kept.levels[start:stop], kept.events[start:stop], kept.steadfast[start:stop])
        _histories(
            contexts,
            peace,
            np.uint64(seed),
            np.uint64(first + start),
            years,
            lanes,
            part,
            _NO_WORDS,
            _NO_WORDS,
        )
    return kept


def ever(
    contexts: Contexts,
    peace: Peace,
    happened: NDArray[np.uint64],
    *,
    seed: int,
    first: int,
    size: int,
    years: int,
) -> NDArray[np.uint64]:
    """Return for each history the events of any of its years, shape (histories,).

    Nothing else is kept of them, which takes two thirds of the time.

    Parameters
    ----------
    happened
        The word of each cell, one bit for each event, shape (cells,).
    seed, first, size, years
        As for :func:`record`.
    """
    found = np.zeros(size, np.uint64)
    lanes = crisis.new_lanes()
    for start in range(0, size, _UNKEPT):
        own = found[start : start + _UNKEPT]
        unkept = Record(
            np.empty((own.size, 0, LEVELS)),
            np.empty((own.size, 0, EVENTS), np.int32),
            np.empty(own.size, np.uint8),
        )
        _histories(
            contexts, peace, np.uint64(seed), np.uint64(first + start), years, lanes, unkept, happened, own
        )
    return found


def again(contexts: Contexts, kept: Record, *, seed: int, first: int) -> NDArray[np.uint16]:
    """Play the disputes that a pact bound again, one by one, by other rules and with the same words.

    Parameters
    ----------
    contexts
        The other rules: as those of the record, but with bound contexts alone, so that there are half as
        many.
    kept
        What happened: it decides which disputes arise, when, and in which context.
    seed, first
        As for :func:`record`; at most :data:`BATCH` histories.

    Returns
    -------
    array of shape (histories, years)
        The cell of each ending; :data:`QUIET` where no dispute was bound.
    """
    found = np.full(kept.events.shape[:2], QUIET, np.uint16)
    _again(contexts, np.uint64(seed), np.uint64(first), crisis.new_lanes(), kept, found)
    return found


@jit
def _again(contexts, seed, first, lanes, kept, found):  # type: ignore[no-untyped-def]
    n, years = found.shape
    types = np.empty((4, n), np.uint32)
    tally = np.zeros(4 * _BY_CORNER, np.int64)
    words = np.empty((4, n), np.uint32)
    place = np.zeros(n, np.int64)
    ends = np.full(n, QUIET, np.uint16)
    bound = np.ones(n, np.int64)
    for year in range(years):
        chosen = np.int64(0)
        for i in range(n):
            lanes.trajectory[chosen] = first + np.uint64(i)
            if kept.events[i, year, 1]:
                place[i] = kept.events[i, year, 0]
                ends[i] = kept.events[i, year, 2] // _BY_CORNER * _BY_CORNER
                chosen += 1
        if chosen == 0:
            continue
        now = np.uint64(year)
        philox(lanes.trajectory[:chosen], now, TYPES, seed, types)
        philox(lanes.trajectory[:chosen], now, ENTRY, seed, words)
        open_ = _open(contexts, types, words, first, chosen, 0, kept.steadfast, place, bound, lanes, ends)
        _play(contexts, now, seed, first, open_, lanes, types, words, tally, ends)
        for i in range(n):
            if kept.events[i, year, 1]:
                found[i, year] = ends[i]


@jit
def _histories(contexts, peace, seed, first, years, lanes, kept, happened, ever):  # type: ignore[no-untyped-def]
    """Play a batch; keep the years if there is room for them, and what ever happened if there is for that."""
    n = kept.steadfast.size
    half = contexts.enter.shape[0] // 2
    index = np.empty(n, np.uint64)
    for i in range(n):
        index[i] = first + np.uint64(i)
    words = np.empty((4, n), np.uint32)
    types = np.empty((4, n), np.uint32)
    tally = np.zeros(4 * _BY_CORNER, np.int64)
    entry = np.empty((4, n), np.uint32)
    levels = np.zeros((LEVELS, n))
    trend = np.zeros((3, n))
    known = np.empty((4, n))
    grievance = np.zeros((2, n), np.int64)
    status = np.full(n, IN_FORCE if peace.pact else ENDED, np.int64)
    cause = np.zeros(n, np.int64)
    notice = np.full(n, -1, np.int64)
    giver = np.zeros(n, np.int64)
    pause = np.zeros(n, np.int64)
    place = np.zeros(n, np.int64)
    bound = np.zeros(n, np.int64)
    ends = np.empty(n, np.uint16)
    levels[6, :] = peace.odds
    keeping = kept.events.shape[1] > 0
    for year in range(years):
        now = np.uint64(year)
        philox(index, now, ARMS, seed, words)
        if year == 0:
            for i in range(n):
                kept.steadfast[i] = np.uint64(words[3, i]) < peace.steadfast
        _arm(peace, words, status, levels, trend, known)
        philox(index, now, PLACE, seed, words)
        _find_place(contexts, words, levels, place)
        philox(index, now, TYPES, seed, types)
        philox(index, now, ENTRY, seed, entry)
        _arise(contexts, peace, entry, status, grievance, bound, ends)
        lanes.trajectory[:n] = index
        open_ = _open(contexts, types, entry, first, n, half, kept.steadfast, place, bound, lanes, ends)
        _play(contexts, now, seed, first, open_, lanes, types, entry, tally, ends)
        if keeping:
            _note(year, levels, place, bound, ends, kept)
        for i in range(ever.size):
            if ends[i] != QUIET:
                ever[i] |= happened[ends[i]]
        philox(index, now, LIFE, seed, words)
        _follow(contexts, peace, place, bound, ends, levels, trend, grievance)
        _live(contexts, peace, year + 1, ends, words, place, status, cause, notice, giver, pause)
        for i in range(n if keeping else 0):
            kept.events[i, year, 3] = grievance[0, i]
            kept.events[i, year, 4] = grievance[1, i]
            kept.events[i, year, 5] = status[i]
            kept.events[i, year, 6] = cause[i]
            kept.events[i, year, 7] = notice[i]
            kept.events[i, year, 8] = pause[i]


@jit
def _note(year, levels, place, bound, ends, kept):  # type: ignore[no-untyped-def]
    for i in range(place.size):
        for j in range(LEVELS):
            kept.levels[i, year, j] = levels[j, i]
        kept.events[i, year, 0] = place[i]
        kept.events[i, year, 1] = bound[i]
        kept.events[i, year, 2] = -1 if ends[i] == QUIET else np.int32(ends[i])


@jit
def _soft(x):  # type: ignore[no-untyped-def]
    """Return ln(1 + e^x) by linear interpolation in a table."""
    if x <= -16.0:
        return 0.0
    if x >= 16.0:
        return x
    p = (x + 16.0) * 64.0
    i = min(np.int64(p), np.int64(_SOFT.size - 2))  # just below 16 the sum is rounded up
    f = p - i
    return _SOFT[i] + f * (_SOFT[i + 1] - _SOFT[i])


@jit
def _normal(word):  # type: ignore[no-untyped-def]
    """Return the standard normal quantile of a word by linear interpolation in a table."""
    p = np.float64(word) * _NORMAL_SCALE
    i = np.int64(p)
    f = p - i
    return _NORMAL[i] + f * (_NORMAL[i + 1] - _NORMAL[i])


@jit
def _arm(peace, words, status, levels, trend, known):  # type: ignore[no-untyped-def]
    """Let efforts answer, and capabilities drift towards what their trends and efforts sustain.

    Look-ups first, into `known`, shape (4, histories): what is left is a loop that compilers vectorise.
    """
    rest = 1.0 - peace.inertia
    ka, kb, kc, ea, eb, ec = levels[0], levels[1], levels[2], levels[3], levels[4], levels[5]
    ta, tb, tc = trend[0], trend[1], trend[2]
    reliance, za, zb, zc = known[0], known[1], known[2], known[3]
    odds = levels[6]
    for i in range(status.size):
        reliance[i] = 0.0
        if status[i] == IN_FORCE:
            belief = -_soft(-odds[i])
            reliance[i] = _soft(peace.ln_share + belief + (kc[i] - kb[i]) + peace.ln_ratio)
    for actor in range(3):
        word, shock = words[actor], known[1 + actor]
        for i in range(status.size):
            shock[i] = _normal(word[i])
    for i in range(status.size):
        a, b, c = ka[i], kb[i], kc[i]
        target_a = peace.react[0] * (b + reliance[i])
        target_b = peace.react[1] * a - peace.free_riding * reliance[i]
        target_c = peace.react[2] * a
        ua = peace.inertia * ea[i] + rest * target_a + peace.shock * za[i]
        ub = peace.inertia * eb[i] + rest * target_b + peace.shock * zb[i]
        uc = peace.inertia * ec[i] + rest * target_c + peace.shock * zc[i]
        if status[i] == IN_FORCE:
            ub = max(ub, peace.ln_floor)
        ka[i] = (a + peace.growth[0]) + peace.build * (ua - (a - ta[i]))
        kb[i] = (b + peace.growth[1]) + peace.build * (ub - (b - tb[i]))
        kc[i] = (c + peace.growth[2]) + peace.build * (uc - (c - tc[i]))
        ta[i] = ta[i] + peace.growth[0]
        tb[i] = tb[i] + peace.growth[1]
        tc[i] = tc[i] + peace.growth[2]
        ea[i], eb[i], ec[i] = ua, ub, uc


@jit
def _find_place(contexts, words, levels, place):  # type: ignore[no-untyped-def]
    """Pick a neighbouring point of the grid at random, with linear weights on each axis."""
    for i in range(place.size):
        found = np.int64(0)
        for axis in range(3):
            x = levels[6, i] if axis == 2 else levels[axis + 1, i] - levels[0, i]
            p = (x - contexts.lowest[axis]) * contexts.inverse[axis]
            points = contexts.points[axis]
            p = min(max(p, 0.0), np.float64(points - 1))
            at = np.int64(p)
            share = np.uint64((p - at) * 4294967296.0)
            at += np.int64((at + 1 < points) and (np.uint64(words[axis, i]) < share))
            found = found * points + at
        place[i] = found


@jit
def _arise(contexts, peace, entry, status, grievance, bound, ends):  # type: ignore[no-untyped-def]
    """Let disputes arise: leave in `ends` the first cell of their origin and scope, or :data:`QUIET`."""
    for i in range(ends.size):  # without branches, which would go the wrong way for every other one
        ga, gb = grievance[0, i] + GRIEVANCES, grievance[1, i] + GRIEVANCES
        arises = np.int64(np.uint64(entry[3, i]) < peace.arises[ga, gb])
        in_scope = np.int64(np.uint64(entry[1, i]) < contexts.scope)
        bound[i] = arises & in_scope & np.int64(status[i] == IN_FORCE)
        origin = np.int64(np.uint64(entry[0, i]) >= peace.origin[ga, gb])
        ends[i] = (origin * 2 + bound[i]) * _BY_CORNER | (arises - 1) & QUIET


@jit
def _open(contexts, types, entry, first, n, half, steadfast, place, bound, lanes, ends):  # type: ignore[no-untyped-def]
    """Keep the disputes of the first `n` lanes that become a crisis in the first lanes; return how many.

    Parameters
    ----------
    half
        Contexts without the pact, before those with it.
    """
    kinds = np.uint64(contexts.types)
    sets = contexts.enter.shape[2]
    by_actor = 3 * STATES * sets
    by_context = contexts.rounds * 3 * by_actor
    # those that arose, and of them those that open: branches would go the wrong way too often
    arose = np.empty(n, np.int64)
    number = np.int64(0)
    for i in range(n):
        arose[number] = i
        number += np.int64(ends[np.int64(lanes.trajectory[i] - first)] != QUIET)
    kept = np.int64(0)
    for lane in range(number):
        i = arose[lane]
        at = np.int64(lanes.trajectory[i] - first)
        corner = np.int64(ends[at]) // _BY_CORNER
        origin = corner >> 1
        context = place[at] + bound[at] * half
        challenger = np.int64((np.uint64(types[0, i]) * kinds) >> _HALF)
        guess = np.int64(np.uint64(types[3, i]) < contexts.hit[bound[at], challenger])
        estimate = guess * contexts.types
        protege = estimate + np.int64((np.uint64(types[1, i]) * kinds) >> _HALF)
        defender = estimate - 1
        for k in range(contexts.types):
            defender += np.int64(np.uint64(types[2, i]) >= contexts.faith[steadfast[at], k])
        opener = protege if origin else challenger
        row = context * by_context
        state = contexts.start[context, origin]
        marks = np.int64(contexts.step[bound[at], 0, state, 1] >> MARK_SHIFT)
        lanes.trajectory[kept] = lanes.trajectory[i]
        lanes.rows[0, kept] = row + 3 * challenger
        lanes.rows[1, kept] = row + by_actor + 3 * protege
        lanes.rows[2, kept] = row + 2 * by_actor + 3 * defender
        lanes.rows[3, kept] = context * STATES * 4
        lanes.packed[kept] = np.uint32((corner << 14) | (marks << MARK_SHIFT) | state)
        kept += np.int64(entry[2, i] > contexts.enter[context, origin, opener])
    return kept


@jit
def _play(contexts, now, seed, first, n, lanes, spare, words, tally, ends):  # type: ignore[no-untyped-def]
    """Play the crises of the first `n` lanes to their end, and add to `tally`, which nobody asks for."""
    unwatched = np.empty(0, np.uint8)
    for t in range(contexts.rounds):
        if n == 0:
            break
        philox(lanes.trajectory[:n], now, np.uint64(t), seed, words)
        n = crisis.play_round(
            contexts, contexts, contexts, t, words, n, lanes, spare, tally, first, ends, unwatched
        )
    for i in range(n):
        over = lanes.packed[i] | np.uint32(STALEMATE << END_SHIFT)
        crisis.end(over, lanes.trajectory[i] - first, tally, ends, unwatched)


@jit
def _follow(contexts, peace, place, bound, ends, levels, trend, grievance):  # type: ignore[no-untyped-def]
    """Let crises leave their marks on strengths, grievances and belief."""
    half = contexts.enter.shape[0] // 2
    crises = np.empty(ends.size, np.int64)
    number = np.int64(0)
    ga, gb = grievance[0], grievance[1]
    for i in range(ends.size):
        end = np.int64(ends[i]) // (STATES * MARKS) % CELLS[2]
        crises[number] = i
        over = np.int64((ends[i] != QUIET) & (end != NO_CRISIS))
        number += over
        a, b = ga[i], gb[i]  # without a crisis they fade
        ga[i] = a + (1 - over) * (np.int64(a < 0) - np.int64(a > 0))
        gb[i] = b + (1 - over) * (np.int64(b < 0) - np.int64(b > 0))
    for crisis_ in range(number):
        i = crises[crisis_]
        code = np.int64(ends[i])
        end = code // (STATES * MARKS) % CELLS[2]
        state = code // MARKS % STATES
        rung = state >> 3
        levels[0, i] = levels[0, i] - peace.loss[0, rung]
        levels[1, i] = levels[1, i] - peace.loss[1, rung]
        if (state >> 1) & 3 == 3:
            levels[2, i] = levels[2, i] - peace.loss[2, rung]
        for actor in range(2):
            levels[actor, i] = levels[actor, i] + peace.prize[actor, end]
            trend[actor, i] = trend[actor, i] + peace.prize[actor, end]
            moved = grievance[actor, i] + peace.grievance[actor, end]
            grievance[actor, i] = min(max(moved, -GRIEVANCES), GRIEVANCES)
        marks = code % MARKS
        if marks & OBLIGATION_ACTIVE:
            context = place[i] + bound[i] * half
            if marks & SUPPORT_REACHED:
                levels[6, i] = levels[6, i] + contexts.news[context, 0]
            elif not marks & VOTE_BLOCKED:
                levels[6, i] = levels[6, i] + contexts.news[context, 1]


@jit
def _live(contexts, peace, age, ends, words, place, status, cause, notice, giver, pause):  # type: ignore[no-untyped-def]
    """Let pacts go on, be suspended, or end."""
    half = contexts.enter.shape[0] // 2
    at_term = peace.term > 0 and age % peace.term == 0
    at_review = peace.review > 0 and age % peace.review == 0
    for i in range(ends.size):
        if status[i] == ENDED:
            continue
        if status[i] == SUSPENDED:
            pause[i] -= 1
            if pause[i] == 0:
                status[i] = IN_FORCE
        if notice[i] > 0:
            notice[i] -= 1
            if notice[i] == 0:
                status[i], cause[i] = ENDED, giver[i]
                continue
        protege = np.uint64(words[0, i]) < contexts.stay[place[i] + half, 0]
        defender = np.uint64(words[1, i]) < contexts.stay[place[i] + half, 1]
        both = protege and defender
        marks = np.int64(ends[i]) % MARKS if ends[i] != QUIET else 0
        if marks & (OBLIGATION_ACTIVE | SUPPORT_REACHED | VOTE_BLOCKED) == OBLIGATION_ACTIVE:
            if peace.suspension > 0:
                status[i], pause[i] = SUSPENDED, peace.suspension
            elif not protege:
                status[i], cause[i] = ENDED, BREACH
                continue
        if at_term or at_review:
            if not both and np.uint64(words[2, i]) >= peace.renegotiation:
                status[i], cause[i] = ENDED, LAPSE if at_term else REVIEW
        elif peace.notice < 0:
            if np.uint64(words[1, i]) >= contexts.stay[place[i] + half, 3]:
                status[i], cause[i] = ENDED, ABROGATED_BY_DEFENDER
            elif np.uint64(words[0, i]) >= contexts.stay[place[i] + half, 2]:
                status[i], cause[i] = ENDED, ABROGATED_BY_PROTEGE
        elif notice[i] < 0 and not both:
            giver[i] = NOTICE_BY_PROTEGE if defender else NOTICE_BY_DEFENDER
            notice[i] = peace.notice
            if peace.notice == 0:
                status[i], cause[i] = ENDED, giver[i]
