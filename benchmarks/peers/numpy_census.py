"""What many histories add up to, in NumPy: the counts and sums of :mod:`entangle_kernels.census`.

Where the engine goes from history to history, this counts how often each ending, and each state at the start
of a year, came about, and asks only then what they mean: a table is multiplied by counts, once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.numpy_decades import IN_FORCE, LEVELS, Record

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

BITS, BINS, CAUSES = 64, 512, 8
REACH, UNIT = 4.0, 2.0**30
#: Histories at a time whose first passages are followed, so that they stay in the processor's cache.
BLOCK = 2048

_BYTES = np.uint64(0x0101010101010101)
_BYTE = 8  # bits in a byte, and bytes in a word
_CHUNK = 255  # words whose bits can be added up before a count of eight bits overflows


class Census:
    """Counts and sums over histories, batch by batch.

    Parameters
    ----------
    questions, peace
        What the engine's census is given.
    events
        Bits of a word that are events.
    """

    def __init__(self, questions: Any, peace: Any, *, events: int, years: int) -> None:
        self.years, self.events, self.pact = years, events, bool(peace.pact)
        self.asked = questions
        # a year without a dispute has the ending -1: no bits
        self.happened = np.append(questions.happened, np.uint64(0))
        self.fields = [
            np.append(_fields(words, questions.given), np.uint64(0))
            for words in (questions.happened, questions.held)
        ]
        self.table = _chances(questions, peace)
        self.passing = np.ascontiguousarray(self.table[:, :events])
        self.not_yet = 1 - _bits(self.happened, events)
        self.cells = np.zeros((years, questions.happened.size), np.int64)
        self.visits = np.zeros((years, len(self.table)), np.int64)
        self.firsts = np.zeros((years, BITS), np.int64)
        self.pooled = np.zeros((questions.given.size, 5), np.int64)
        self.status, self.causes = np.zeros((years, 3), np.int64), np.zeros((years, CAUSES), np.int64)
        self.bins = np.zeros((LEVELS, years, BINS), np.int64)
        self.sums = np.zeros((LEVELS, years, 2), np.int64)
        self.passage = np.zeros((2, years, events))
        self.ever: list[NDArray[np.uint64]] = []

    def add(self, kept: Record) -> None:
        """Add histories."""
        levels, events = kept.levels.transpose(1, 2, 0), kept.events.transpose(1, 2, 0)
        states = self._states(events, kept.steadfast)
        self._endings(events)
        for year in range(self.years):
            self.visits[year] += np.bincount(states[year], minlength=len(self.table))
            self.status[year] += np.bincount(events[year, 5], minlength=3)
            self.causes[year] += np.bincount(events[year, 6], minlength=CAUSES)
        self._levels(levels)
        for start in range(0, kept.steadfast.size, BLOCK):
            part = slice(start, start + BLOCK)
            self._first_passages(states[:, part], events[:, 2, part])

    def result(self) -> dict[str, Any]:
        """Return the fields of the engine's census by name; the sums of chances are floats."""
        # sums of whole numbers below 2^53 are exact in floats, whose products are quick
        cells = self.cells.astype(np.float64)
        asked = self.asked
        visits = self.visits.astype(np.float64)
        points = asked.strength.shape[1]
        by_state = visits.reshape(self.years, 2, 2, points, -1).sum(axis=4)[:, 1]
        strength = np.stack([(by_state * asked.strength).sum(axis=(1, 2)), by_state.sum(axis=(1, 2))])
        return {
            "happened": (cells @ _bits(asked.happened, BITS).astype(np.float64)).astype(np.int64),
            "held": (cells @ _bits(asked.held, BITS).astype(np.float64)).astype(np.int64),
            "firsts": self.firsts,
            "pooled": self.pooled,
            "status": self.status,
            "causes": self.causes,
            "bins": self.bins,
            "sums": self.sums,
            "ever": np.concatenate(self.ever),
            "yearly": np.stack([visits @ self.table, visits @ self.table**2]),
            "passage": self.passage,
            "strength": strength,
        }

    def _states(self, events: NDArray[np.int32], steadfast: NDArray[np.uint8]) -> Counts:
        """Return where each history stands at the start of each year, as a row of the table of chances."""
        years, _, size = events.shape
        points = self.asked.strength.shape[1]
        found = np.empty((years, size), np.int64)
        in_force: Any = int(self.pact)
        grievances: Any = 12
        for year in range(years):
            kind = in_force * 2 + steadfast.astype(np.int64)
            found[year] = (kind * points + events[year, 0]) * 25 + grievances
            in_force = (events[year, 5] == IN_FORCE).astype(np.int64)
            grievances = events[year, 3] * 5 + (events[year, 4] + 12)
        return found

    def _endings(self, events: NDArray[np.int32]) -> None:
        """Count how disputes ended, what happened for the first time, and conditional outcomes."""
        size = events.shape[2]
        ever = np.zeros(size, np.uint64)
        counted = [np.zeros(size, np.uint64) for _ in self.fields]
        for year in range(self.years):
            cell = events[year, 2].astype(np.intp)
            self.cells[year] += np.bincount(cell + 1, minlength=self.happened.size)[1:]
            word = self.happened.take(cell)
            new = word & ~ever
            self.firsts[year] += _bit_counts(new[new != 0])
            ever |= word
            for total, fields in zip(counted, self.fields, strict=True):
                total += fields.take(cell)
        self.ever.append(ever)
        times, trials = (total.view(np.uint8).reshape(size, 8).T.astype(np.int64) for total in counted)
        for g, sums in enumerate(self.pooled):
            n, m = times[g], trials[g]
            sums += [n.sum(), m.sum(), n @ n, n @ m, m @ m]

    def _levels(self, levels: Floats) -> None:
        """Add levels up, and sort them into bins."""
        scale = BINS / (2.0 * REACH)
        for year in range(self.years):
            for level, value in enumerate(levels[year]):
                at = value + REACH
                at *= scale
                np.clip(at, 0.0, BINS - 1.0, out=at)
                self.bins[level, year] += np.bincount(at.astype(np.intp), minlength=BINS)
                total, square = value * UNIT, value * value
                square *= UNIT
                for i, term in enumerate((total, square)):
                    self.sums[level, year, i] += np.rint(term, out=term).astype(np.int64).sum()

    def _first_passages(self, states: Counts, cells: NDArray[np.int32]) -> None:
        """Add up chances of the years in which an event had not happened yet."""
        size = states.shape[1]
        still = np.ones((size, self.events))
        so_far = np.zeros((size, self.events))
        for year in range(self.years):
            chance = self.passing.take(states[year], axis=0)
            chance *= still
            self.passage[0, year] += chance.sum(axis=0)
            so_far *= 2.0
            so_far += chance
            self.passage[1, year] += np.einsum("ij,ij->j", so_far, chance)
            so_far += chance
            so_far *= 0.5
            still *= self.not_yet.take(cells[year], axis=0)


def _chances(questions: Any, peace: Any) -> Floats:
    """Return the expectation of each quantity in a year, by where a history stands, shape (states, Q)."""
    arises = peace.arises.astype(np.float64).ravel() / 2.0**32
    share = peace.origin.astype(np.float64).ravel() / 2.0**32
    by_origin = np.stack([arises * share, arises * (1.0 - share)], axis=-1)  # (grievances, origin)
    found: Floats = np.einsum("go,sdpoq->sdpgq", by_origin, questions.expected)
    return found.reshape(-1, found.shape[-1])


def _bits(words: NDArray[np.uint64], number: int) -> NDArray[np.uint8]:
    """Return the lowest bits of each word, shape (words, number)."""
    return (words[:, np.newaxis] >> np.arange(number, dtype=np.uint64) & np.uint64(1)).astype(np.uint8)


def _fields(words: NDArray[np.uint64], bits: Counts) -> NDArray[np.uint64]:
    """Return words with one bit of each in a byte of its own: 255 years add up side by side."""
    if bits.size > _BYTE:
        raise ValueError(f"room for {_BYTE} conditional outcomes, got {bits.size}")
    found = np.zeros(words.size, np.uint64)
    for i, bit in enumerate(bits.tolist()):
        found |= (words >> np.uint64(bit) & np.uint64(1)) << np.uint64(_BYTE * i)
    return found


def _bit_counts(words: NDArray[np.uint64]) -> Counts:
    """Return how many words have each bit, shape (64,)."""
    whole = np.zeros(-(-words.size // _CHUNK) * _CHUNK, np.uint64)
    whole[: words.size] = words
    found = np.empty((_BYTE, 8), np.int64)
    for shift in range(8):
        spread = (whole >> np.uint64(shift)) & _BYTES
        bytes_ = spread.reshape(-1, _CHUNK).sum(axis=1, dtype=np.uint64).view(np.uint8)
        found[:, shift] = bytes_.reshape(-1, 8).sum(axis=0, dtype=np.int64)
    return found.ravel()
