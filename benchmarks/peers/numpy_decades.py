"""Years between crises in NumPy: the same histories and the same random words, vectorised over histories.

All histories of a batch take each year together, and the crises of a year each stage of a round, as in
:mod:`benchmarks.peers.numpy_crisis`; only what a history needs is drawn for it. ``docs/decades.md`` defines
the step, and every sum is taken in its order, so that the records are those of the engine to the last bit.

It shares no code with the engine, only what both are given: the thresholds of the contexts, what moves
between crises, and the two tables that stand for functions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.numpy_crisis import ENDED as OVER
from benchmarks.peers.numpy_crisis import ENTRY, OUTCOMES, SHAPE, STALEMATE, STATES, TYPES, Lanes

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ARMS, PLACE, LIFE = 0x80000002, 0x80000003, 0x80000004
ENDED, IN_FORCE, SUSPENDED = 0, 1, 2
BY_PROTEGE, BY_DEFENDER, BREACH, LAPSE, REVIEW = 1, 2, 3, 4, 5
ABROGATED_BY_PROTEGE, ABROGATED_BY_DEFENDER = 6, 7
BLOCKED, OWED, GIVEN = 2, 4, 8
FIGHTING = 3

#: What a record holds of a year; the order is that of :class:`entangle_kernels.decades.Record`.
LEVELS, EVENTS = 7, 9
#: Histories at a time. Measured from 2^11 to 2^17: below 2^16 it takes longer (2^15 by 8 %, 2^14 by 27 %).
BATCH = 2**16

_MARKS = SHAPE[4]
_BY_CORNER = SHAPE[2] * STATES * _MARKS
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
#: Pairs of grievances, from (-2, -2) to (2, 2): each of the two, and the pair a year without a crisis later.
_GRIEVANCES = np.array([[a, b] for a in range(-2, 3) for b in range(-2, 3)])
_FADED = ((_GRIEVANCES - np.sign(_GRIEVANCES)) + 2) @ np.array([5, 1])
_CALM = 12


class Record(NamedTuple):
    """Histories, year by year, with the axes and the meaning of :class:`entangle_kernels.decades.Record`."""

    levels: Floats
    events: NDArray[np.int32]
    steadfast: NDArray[np.uint8]


def record(
    contexts: Any, peace: Any, *, seed: int, first: int, size: int, years: int, batch: int = BATCH
) -> Record:
    """Return the histories `first` ... `first + size - 1` whole."""
    return Reader(contexts, peace).record(seed=seed, first=first, size=size, years=years, batch=batch)


class Years:
    """The histories of a batch, an array for each thing to know about them; see section 1 of the page."""

    def __init__(self, low: Words, high: Any, seed: int, peace: Any) -> None:
        size = low.size
        self.low, self.high, self.seed = low, high, seed
        self.k, self.u, self.trend = (np.zeros((3, size)) for _ in range(3))
        self.odds = np.full(size, peace.odds)
        self.steadfast = np.zeros(size, np.int64)
        self.grievance = np.full(size, _CALM)
        self.status = np.full(size, IN_FORCE if peace.pact else ENDED, np.int8)
        self.cause, self.giver = np.zeros(size, np.int8), np.zeros(size, np.int8)
        self.notice, self.pause = np.full(size, -1, np.int32), np.zeros(size, np.int32)
        self.place = np.zeros(size, np.int64)
        self.bound = np.zeros(size, np.bool_)
        self.cell = np.zeros(size, np.int64)

    def words(self, year: int, purpose: int, which: Ints | None = None) -> list[Ints]:
        """Return the four words of all histories, or of the histories `which`."""
        low, high = self.low, self.high
        if which is not None:
            low = low[which]
            high = high[which] if np.ndim(high) else high
        return philox(low, high, year, purpose, self.seed)


class Crises(Lanes):
    """The crises of a year that go on; beside what a lane has, the history and nature's thresholds."""

    def __init__(self, *, history: Ints, nature: Ints, **lanes: Any) -> None:
        super().__init__(**lanes)
        self.history, self.nature = history, nature

    def keep(self, which: Ints) -> None:
        """Drop all lanes but `which`."""
        super().keep(which)
        self.history, self.nature = self.history[which], self.nature[which]


class Reader:
    """What the histories under one pact are played with, laid out for NumPy."""

    def __init__(self, contexts: Any, peace: Any) -> None:
        from entangle_kernels.peace import normal_table, soft_table

        self.contexts, self.peace = contexts, peace
        self.half = contexts.enter.shape[0] // 2
        self.sets = contexts.enter.shape[2]
        self.step = contexts.step.astype(np.int64).ravel()
        self.cut, self.nature = contexts.cut.ravel(), contexts.nature.ravel()
        self.enter = contexts.enter.ravel()
        self.start = contexts.start.ravel()
        # what holding in the opening state leaves
        held = contexts.step[:, 0, :, 1].astype(np.int64) & ~0x3FF
        bound = np.arange(2 * self.half) >= self.half
        self.opening = held[bound.astype(np.int64)[:, np.newaxis], contexts.start].ravel()
        self.hit = contexts.hit.astype(np.int64)
        self.faith = contexts.faith.astype(np.int64)
        self.stay = np.ascontiguousarray(contexts.stay[self.half :].T.astype(np.int64))
        self.scope = int(contexts.scope)
        self.arises, self.origin = (
            peace.arises.astype(np.int64).ravel(),
            peace.origin.astype(np.int64).ravel(),
        )
        # the pair of grievances that an ending makes of another, by ending
        moved = np.clip(_GRIEVANCES + peace.grievance.T[:, np.newaxis], -2, 2) + 2
        self.aggrieved = (moved @ np.array([5, 1])).ravel()
        self.soft, self.normal = Interpolated(soft_table()), Interpolated(normal_table())

    def record(self, *, seed: int, first: int, size: int, years: int, batch: int = BATCH) -> Record:
        """Return the histories `first` ... `first + size - 1` whole."""
        # histories side by side in memory: the axes of a record are turned views
        levels = np.empty((years, LEVELS, size))
        events = np.empty((years, EVENTS, size), np.int32)
        steadfast = np.empty(size, np.uint8)
        for start in range(0, size, batch):
            part = slice(start, min(start + batch, size))
            index = np.arange(part.start, part.stop, dtype=np.uint64) + np.uint64(first)
            self.play(index, seed, levels[..., part], events[..., part], steadfast[part])
        return Record(levels.transpose(2, 0, 1), events.transpose(2, 0, 1), steadfast)

    def play(
        self, index: Words, seed: int, levels: Floats, events: NDArray[np.int32], steadfast: NDArray[np.uint8]
    ) -> None:
        """Play the histories `index`; write them down, shapes (years, levels or events, histories)."""
        high = index >> _HALF
        # the upper half is nearly always the same for a whole batch: then a number will do
        now = Years(index & _LOW, high if high[0] != high[-1] else high[0], seed, self.peace)
        for year in range(len(levels)):
            words = now.words(year, ARMS)
            if year == 0:
                now.steadfast[:] = words[3] < int(self.peace.steadfast)
                steadfast[:] = now.steadfast
            self._arm(now, words)
            self._find_place(now, now.words(year, PLACE))
            levels[year, :3], levels[year, 3:6], levels[year, 6] = now.k, now.u, now.odds
            fought = self._dispute(now, year)
            self._follow(now, fought)
            if self.peace.pact:
                self._live(now, fought, year)
            events[year, 0], events[year, 1], events[year, 2] = now.place, now.bound, now.cell
            events[year, 3:5] = _GRIEVANCES.T.take(now.grievance, axis=1)
            events[year, 5], events[year, 6] = now.status, now.cause
            events[year, 7], events[year, 8] = now.notice, now.pause

    # -- 2 arms ------------------------------------------------------------------------------------

    def _arm(self, now: Years, words: list[Ints]) -> None:
        """Let efforts answer, and capabilities drift towards what their trends and efforts sustain."""
        peace, (ka, kb, kc) = self.peace, now.k
        in_force = now.status == IN_FORCE
        reliance: Any = 0.0
        if in_force.any():
            belief = -self._soft(-now.odds)
            reliance = self._soft(peace.ln_share + belief + (kc - kb) + peace.ln_ratio)
            reliance *= in_force
        targets = (
            peace.react[0] * (kb + reliance),
            peace.react[1] * ka - peace.free_riding * reliance,
            peace.react[2] * ka,
        )
        rest = 1.0 - peace.inertia
        for actor, (effort, target) in enumerate(zip(now.u, targets, strict=True)):
            effort *= peace.inertia
            target *= rest
            effort += target
            shock = self.normal.at(words[actor] * (4096 / 2.0**32))
            shock *= peace.shock
            effort += shock
        if peace.ln_floor > -np.inf:
            np.maximum(now.u[1], peace.ln_floor, out=now.u[1], where=in_force)
        for k, u, trend, growth in zip(now.k, now.u, now.trend, peace.growth, strict=True):
            drift = k - trend
            np.subtract(u, drift, out=drift)
            drift *= peace.build
            k += growth
            k += drift
            trend += growth

    def _soft(self, x: Floats) -> Floats:
        """Return ln(1 + e^x) from its table."""
        p: Any = (x + 16.0) * 64.0
        np.clip(p, 0.0, 2048.0, out=p)
        found = self.soft.at(p)
        if np.abs(x).max() >= 16.0:
            found = np.where(x <= -16.0, 0.0, np.where(x >= 16.0, x, found))
        return found

    # -- 3 a dispute, and where it stands ------------------------------------------------------------

    def _find_place(self, now: Years, words: list[Ints]) -> None:
        """Pick a neighbouring point of the grid at random, with linear weights on each axis."""
        contexts, found = self.contexts, now.place
        found[:] = 0
        for axis, points in enumerate(contexts.points.tolist()):
            if points == 1:
                continue
            p = now.odds - contexts.lowest[2] if axis == 2 else now.k[axis + 1] - now.k[0]
            if axis < 2:
                p -= contexts.lowest[axis]
            p *= contexts.inverse[axis]
            np.clip(p, 0.0, points - 1.0, out=p)
            at = p.astype(np.int64)
            p -= at
            p *= 2.0**32
            found *= points
            found += at
            found += words[axis] < p.astype(np.int64)

    def _dispute(self, now: Years, year: int) -> Ints:
        """Let disputes arise, and play those that become a crisis; return whose did."""
        contexts = self.contexts
        words = now.words(year, ENTRY)
        which = np.flatnonzero(words[3] < self.arises.take(now.grievance))
        now.bound[:], now.cell[:] = False, -1
        for_origin, for_scope, for_entry = (word.take(which) for word in words[:3])
        origin = (for_origin >= self.origin.take(now.grievance.take(which))).astype(np.int64)
        bound = ((for_scope < self.scope) & (now.status.take(which) == IN_FORCE)).astype(np.int64)
        now.bound[which] = bound
        cell = (origin * 2 + bound) * _BY_CORNER
        now.cell[which] = cell

        words = now.words(year, TYPES, which)
        challenger, protege = ((word * contexts.types) >> 32 for word in words[:2])
        defender = np.zeros_like(challenger)
        for wavering, steadfast in self.faith.T[1:]:
            defender += words[2] >= np.where(now.steadfast.take(which), steadfast, wavering)
        if contexts.estimates == 2:
            shift = (words[3] < self.hit[bound, challenger]) * contexts.types
            protege += shift
            defender += shift
        context = now.place.take(which) + bound * self.half
        corner = context * 2 + origin
        opener = np.where(origin == 0, challenger, protege)
        live = np.flatnonzero(for_entry > self.enter.take(corner * self.sets + opener))
        history, context, corner = which[live], context[live], corner[live]
        by_actor = STATES * self.sets
        row = context * (contexts.rounds * 3 * by_actor)
        lanes = Crises(
            history=history,
            nature=context * (STATES * 4),
            low=now.low[history],
            high=now.high if np.ndim(now.high) == 0 else now.high[history],
            cell=cell[live],
            step=bound[live] * (4 * STATES * OUTCOMES),
            own=[row + i * by_actor + own[live] for i, own in enumerate((challenger, protege, defender))],
            state=self.start[corner],
            seen=self.opening[corner],
        )
        self._play(now, lanes, year)
        return history

    def _play(self, now: Years, lanes: Crises, year: int) -> None:
        """Play crises to their end, and write down the cells in which they ended."""
        for t in range(self.contexts.rounds):
            if lanes.low.size == 0:
                return
            words = philox(lanes.low, lanes.high, year, t, now.seed)
            lanes.words = [word.astype(np.uint32) for word in words]
            for stage in range(4):
                outcome = self._outcome(lanes, t, stage)
                at = lanes.step + lanes.state * OUTCOMES + outcome + stage * STATES * OUTCOMES
                step = self.step.take(at)
                lanes.state = step & 0x7F
                lanes.seen |= step
                if stage == 2:
                    continue  # the defender's move ends nothing
                over = step & OVER
                gone = np.flatnonzero(over)
                if gone.size:
                    now.cell[lanes.history[gone]] = lanes.ended(gone, over[gone] >> 7)
                    lanes.keep(np.flatnonzero(over == 0))
        every = np.arange(lanes.low.size)
        now.cell[lanes.history] = lanes.ended(every, np.int64(STALEMATE))

    def _outcome(self, lanes: Crises, t: int, stage: int) -> Ints:
        """Return which outcome each lane's word picks."""
        outcome: Ints
        word = lanes.words[stage]
        if stage == 3:
            at = lanes.nature + lanes.state * 4
            cool, won, accident, lost = (self.nature.take(at + i) for i in range(4))
            outcome = (word >= cool).astype(np.int64)
            outcome += word >= won
            outcome += word > accident
            outcome += word > lost
            return outcome
        at = lanes.own[stage] + lanes.state * self.sets
        at += t * (3 * STATES * self.sets)
        at *= 3
        outcome = (word >= self.cut.take(at)).astype(np.int64)
        at += 1
        outcome += word > self.cut.take(at)
        if stage == 2:
            at += 1
            outcome += word > self.cut.take(at)
        return outcome

    # -- 4 what follows ------------------------------------------------------------------------------

    def _follow(self, now: Years, fought: Ints) -> None:
        """Let crises leave their marks on strengths, grievances and belief."""
        peace = self.peace
        before = now.grievance[fought]
        np.take(_FADED, now.grievance, out=now.grievance)
        if fought.size == 0:
            return
        code = now.cell[fought]
        marks, state = code % _MARKS, code // _MARKS % STATES
        end = code // (_MARKS * STATES) % SHAPE[2]
        rung, fights = state >> 3, (state >> 1) & 3 == FIGHTING
        now.grievance[fought] = self.aggrieved.take(end * len(_GRIEVANCES) + before)
        for actor in range(2):
            prize = peace.prize[actor].take(end)
            now.k[actor, fought] = (now.k[actor, fought] - peace.loss[actor].take(rung)) + prize
            now.trend[actor, fought] += prize
        now.k[2, fought] -= np.where(fights, peace.loss[2].take(rung), 0.0)
        owed = np.flatnonzero(marks & OWED)
        whose, context = fought[owed], now.place[fought[owed]] + now.bound[fought[owed]] * self.half
        given, blocked = (marks[owed] & GIVEN) != 0, (marks[owed] & BLOCKED) != 0
        told = self.contexts.news[context, 1 - given]
        now.odds[whose] += np.where(blocked & ~given, 0.0, told)

    # -- 5 the life of the pact ----------------------------------------------------------------------

    def _live(self, now: Years, fought: Ints, year: int) -> None:
        """Let pacts go on, be suspended, or end."""
        peace, age = self.peace, year + 1
        alive = now.status != ENDED
        which = np.flatnonzero(alive)
        if which.size == 0:
            return
        protege, defender = np.zeros(alive.size, np.bool_), np.zeros(alive.size, np.bool_)
        words = now.words(year, LIFE, None if which.size == alive.size else which)
        place = now.place[which]
        protege[which], defender[which] = (words[i] < self.stay[i].take(place) for i in range(2))
        both = protege & defender

        suspended = np.flatnonzero(now.status == SUSPENDED)
        if suspended.size:
            now.pause[suspended] -= 1
            now.status[suspended[now.pause[suspended] == 0]] = IN_FORCE
        noticed = np.flatnonzero(alive & (now.notice > 0))
        if noticed.size:
            now.notice[noticed] -= 1
            over = noticed[now.notice[noticed] == 0]
            now.cause[over] = now.giver[over]
            now.status[over], alive[over] = ENDED, False

        def end(over: Ints, cause: int) -> None:
            now.status[over], now.cause[over], alive[over] = ENDED, cause, False

        marks = now.cell[fought] % _MARKS & (OWED | GIVEN | BLOCKED)
        breached = fought[marks == OWED]
        breached = breached[alive[breached]]
        if peace.suspension > 0:
            now.status[breached], now.pause[breached] = SUSPENDED, peace.suspension
        else:
            end(breached[~protege[breached]], BREACH)

        parting = np.flatnonzero(alive & ~both)
        at_term, at_review = (period > 0 and age % period == 0 for period in (peace.term, peace.review))
        if at_term or at_review:
            fails = np.zeros(alive.size, np.bool_)
            fails[which] = words[2] >= int(peace.renegotiation)
            end(parting[fails[parting]], LAPSE if at_term else REVIEW)
        elif peace.notice < 0:
            for own, cause in ((1, ABROGATED_BY_DEFENDER), (0, ABROGATED_BY_PROTEGE)):
                breaks = np.zeros(alive.size, np.bool_)
                breaks[which] = words[own] >= self.stay[2 + own].take(place)
                end(np.flatnonzero(alive & breaks), cause)
        else:
            giving = parting[now.notice[parting] < 0]
            now.giver[giving] = np.where(defender[giving], BY_PROTEGE, BY_DEFENDER)
            now.notice[giving] = peace.notice
            if peace.notice == 0:
                now.cause[giving] = now.giver[giving]
                now.status[giving] = ENDED


class Interpolated:
    """A table with linear interpolation between its entries."""

    def __init__(self, table: Floats) -> None:
        self.table = table[:-1].copy()
        self.rise = np.diff(table)

    def at(self, p: Any) -> Floats:
        """Return the values at positions from 0 to the number of steps; `p` is overwritten."""
        i: Ints = p.astype(np.int64)
        np.minimum(i, self.rise.size - 1, out=i)
        p -= i
        p *= self.rise.take(i)
        p += self.table.take(i)
        found: Floats = p
        return found


def philox(low: Words, high: Any, year: int, purpose: int, seed: int) -> list[Ints]:
    """Return four random words for each history: Philox4x32-10 of (low, high, year, purpose)."""
    c0: Any
    c1: Any
    c2: Any
    c3: Any
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    # in the first two rounds some of the four are still the same for all
    left, right = low * _M0, _M1 * np.uint64(year)
    c0, c1 = (right >> _HALF) ^ high ^ k0, right & _LOW
    c2, c3 = (left >> _HALF) ^ np.uint64(purpose) ^ k1, left & _LOW
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0 *= _M0
    c2 *= _M1
    c3 ^= (c0 >> _HALF) ^ k1
    c0, c1, c2, c3 = (c2 >> _HALF) ^ (c1 ^ k0), c2, c3, np.array(np.broadcast_to(c0, low.shape))
    for _ in range(8):
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        # c1 and c3 are still the whole products, whose upper halves go here
        c1 ^= k0
        c1 &= _LOW
        c3 ^= k1
        c3 &= _LOW
        c0 *= _M0
        c2 *= _M1
        c1 ^= c2 >> _HALF
        c3 ^= c0 >> _HALF
        c0, c1, c2, c3 = c1, c2, c3, c0
    c1 &= _LOW
    c3 &= _LOW
    return [c.view(np.int64) for c in (c0, c1, c2, c3)]
