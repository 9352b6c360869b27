"""The crisis simulator in NumPy: the same disputes and the same random words, vectorised over lanes.

A lane is a trajectory that has not ended. All lanes of a batch take the same stage of the same round at once;
after each stage the lanes that ended are counted and the rest moved together. A batch is small enough for its
arrays to stay in the processor's cache, large enough to spread the cost of a call over many lanes.

It shares no code with the engine, only the thresholds that both are given and the rules for reading them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]

#: Origin, scope, how it ended, the state in which it ended, the marks it left.
SHAPE = (2, 2, 8, 72, 16)
STATES, OUTCOMES, STALEMATE = 72, 5, 6
TYPES, ENTRY = 0x80000000, 0x80000001
ENDED = 0b111 << 7

#: Trajectories at a time. Measured from 2^13 to 2^17: 2^16 is fastest, its neighbours take 15 % more.
BATCH = 2**16

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def simulate(tables: Any, *, seed: int, first: int, size: int, batch: int = BATCH) -> Ints:
    """Return how many of the disputes `first` ... `first + size - 1` ended in each way, of shape `SHAPE`."""
    reader = Reader(tables)
    counts = np.zeros(np.prod(SHAPE), np.int64)
    ended: list[Ints] = []
    for start in range(0, size, batch):
        index = np.arange(min(batch, size - start), dtype=np.uint64) + np.uint64(first + start)
        ended += reader.play(index, seed)
        if start // batch % 8 == 7:  # counting touches all cells: not for every batch
            counts += np.bincount(np.concatenate(ended), minlength=counts.size)
            ended = []
    if ended:
        counts += np.bincount(np.concatenate(ended), minlength=counts.size)
    return counts.reshape(SHAPE)


class Reader:
    """The thresholds of one pact, laid out so that one index finds all that a decision needs."""

    def __init__(self, tables: Any) -> None:
        self.tables = tables
        self.sets = tables.cut.shape[4]
        self.step = tables.step.astype(np.int64).ravel()
        # one contiguous array for each threshold
        self.cut = [np.ascontiguousarray(tables.cut[..., i]).ravel() for i in range(3)]
        self.nature = [np.ascontiguousarray(tables.nature[:, i]) for i in range(4)]
        self.enter = tables.enter.ravel()
        self.start = np.asarray(tables.start, np.int64)
        # what holding in the opening state leaves, by scope and origin
        self.opening = np.asarray(tables.step[:, 0, tables.start, 1], np.int64).ravel() & ~0x3FF

    def play(self, index: Words, seed: int) -> list[Ints]:
        """Play the disputes `index`; return the cells in which they ended, in no particular order."""
        low, high = index & _LOW, index >> _HALF
        # the upper half is nearly always the same for a whole batch: then a number will do
        upper: Any = high if high[0] != high[-1] else high[0]
        keys = _keys(seed)
        types = np.uint64(self.tables.types)

        words = philox(low, upper, TYPES, keys)
        challenger, protege, defender = (((word * types) >> _HALF).astype(np.int64) for word in words[:3])
        if self.tables.estimates == 2:
            looks_resolute = words[3] < self.tables.hit[challenger]
            shift = np.where(looks_resolute, np.int64(self.tables.types), np.int64(0))
            protege += shift
            defender += shift

        words = philox(low, upper, ENTRY, keys)
        origin = (words[0] >= self.tables.origin).astype(np.int64)
        scope = (words[1] < self.tables.scope).astype(np.int64)
        opener = np.where(origin == 0, challenger, protege)
        opens = words[2] > self.enter[(origin * 2 + scope) * self.sets + opener]
        ended = [_cell(origin, scope)[~opens]]

        live = np.flatnonzero(opens)
        origin, scope = origin[live], scope[live]
        rounds = self.tables.rounds
        lanes = Lanes(
            low=low[live],
            high=upper if np.ndim(upper) == 0 else upper[live],
            cell=_cell(origin, scope),
            step=scope * (4 * STATES * OUTCOMES),
            own=[
                scope * (rounds * 3 * STATES * self.sets) + set_[live]
                for set_ in (challenger, protege, defender)
            ],
            state=self.start[origin],
            seen=self.opening[scope * 2 + origin],
        )
        for t in range(rounds):
            if lanes.low.size == 0:
                return ended
            lanes.words = philox(lanes.low, lanes.high, t, keys)
            for stage in range(4):
                outcome = self._outcome(lanes, t, stage)
                step = self.step.take(
                    lanes.step + lanes.state * OUTCOMES + outcome + stage * STATES * OUTCOMES
                )
                lanes.state = step & 0x7F
                lanes.seen |= step
                if stage == 2:
                    continue  # the defender's move ends nothing
                over = step & ENDED
                gone = np.flatnonzero(over)
                if gone.size:
                    ended.append(lanes.ended(gone, over[gone] >> 7))
                    lanes.keep(np.flatnonzero(over == 0))
        every = np.arange(lanes.low.size)
        return [*ended, lanes.ended(every, np.int64(STALEMATE))]

    def _outcome(self, lanes: Lanes, t: int, stage: int) -> Ints:
        """Return which outcome each lane's word picks."""
        word = lanes.words[stage]
        if stage == 3:
            cool, won, accident, lost = (cut.take(lanes.state) for cut in self.nature)
            outcome = (word >= cool).astype(np.int64)
            outcome += word >= won
            outcome += word > accident
            outcome += word > lost
            return outcome
        at = lanes.own[stage] + lanes.state * self.sets
        at += (t * 3 + stage) * STATES * self.sets
        outcome = (word >= self.cut[0].take(at)).astype(np.int64)
        outcome += word > self.cut[1].take(at)
        if stage == 2:
            outcome += word > self.cut[2].take(at)
        return outcome


class Lanes:
    """The disputes of a batch that have not ended, an array for each thing to know about them."""

    def __init__(
        self, low: Words, high: Any, cell: Ints, step: Ints, own: list[Ints], state: Ints, seen: Ints
    ):
        self.low, self.high, self.cell, self.step, self.own = low, high, cell, step, own
        self.state, self.seen = state, seen
        self.words: list[NDArray[np.uint32]] = []

    def ended(self, which: Ints, end: Any) -> Ints:
        """Return the cells of the lanes `which`, that ended as `end` says."""
        return self.cell[which] + (end * STATES + self.state[which]) * 16 + (self.seen[which] >> 10)

    def keep(self, which: Ints) -> None:
        """Drop all lanes but `which`."""
        self.low, self.cell, self.step = self.low[which], self.cell[which], self.step[which]
        self.state, self.seen = self.state[which], self.seen[which]
        self.own = [own[which] for own in self.own]
        self.words = [word[which] for word in self.words]
        if np.ndim(self.high):
            self.high = self.high[which]


def philox(low: Words, high: Any, purpose: int, keys: list[tuple[np.uint64, np.uint64]]) -> list[Any]:
    """Return four random words for each trajectory, as uint32: Philox4x32-10 of (low, high, 0, purpose)."""
    # the first two rounds still have numbers among the four, so that they cost less
    c0: Any = low
    c1, c2, c3 = high, np.uint64(0), np.uint64(purpose)
    spare = [np.empty_like(low) for _ in range(2)]
    for number, (k0, k1) in enumerate(keys):
        if number < 2:
            left, right = _M0 * c0, _M1 * c2
            c0, c1, c2, c3 = (
                (right >> _HALF) ^ (c1 ^ k0),
                right & _LOW,
                (left >> _HALF) ^ (c3 ^ k1),
                left & _LOW,
            )
            continue
        if number == 2:
            c0, c1, c2, c3 = (np.array(np.broadcast_to(c, low.shape)) for c in (c0, c1, c2, c3))
        left, right = spare
        np.multiply(c0, _M0, out=left)
        np.multiply(c2, _M1, out=right)
        np.right_shift(right, _HALF, out=c0)
        c0 ^= c1
        c0 ^= k0
        np.right_shift(left, _HALF, out=c2)
        c2 ^= c3
        c2 ^= k1
        np.bitwise_and(right, _LOW, out=c1)
        np.bitwise_and(left, _LOW, out=c3)
    return [c.astype(np.uint32) for c in (c0, c1, c2, c3)]


_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)


def _keys(seed: int) -> list[tuple[np.uint64, np.uint64]]:
    """Return the ten round keys."""
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    return [
        (np.uint64((k0 + i * 0x9E3779B9) & 0xFFFFFFFF), np.uint64((k1 + i * 0xBB67AE85) & 0xFFFFFFFF))
        for i in range(10)
    ]


def _cell(origin: Ints, scope: Ints) -> Ints:
    """Return the index of the first cell of an origin and a scope; the one of "no crisis"."""
    return (origin * 2 + scope) * (8 * STATES * 16)
