"""What many histories add up to: how often, when first, how high, what was to be expected.

Counts are whole numbers, sums of levels included (in fixed point), so that merging them is exact in any
order. Sums of expectations are floating and run history by history: they are those of one block, and whoever
merges blocks has to do so exactly. A history is never held longer than its batch: memory does not grow with
their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.decades import LEVELS, QUIET, Record
from entangle_kernels.game import Floats
from entangle_kernels.jit import jit
from entangle_kernels.peace import CAUSES, GRIEVANCES, IN_FORCE, Peace
from entangle_kernels.tally import BITS, add_bits

Counts = NDArray[np.int64]
Words = NDArray[np.uint64]

#: Histograms of the levels: bins of equal width from -REACH to REACH, what lies beyond in the outermost.
BINS: Final = 512
REACH: Final = 4.0
#: Fixed point: a level of 1 counts as this many in a sum, and in a sum of squares or products.
UNIT: Final = 2.0**30

_CHUNK: Final = 255  # words whose bits can be added up before a count of eight bits overflows
_WORD: Final = 1.0 / 2**32


class Questions(NamedTuple):
    """What is asked of histories; E events, each a bit of a cell's word, and Q quantities.

    Parameters
    ----------
    happened
        The word of each cell, one bit for each event, shape (cells,).
    held
        The same bits where the event's condition held, shape (cells,).
    given
        Events that are also counted dispute by dispute where their condition held, shape (C,).
    expected
        Expectation of each quantity in a dispute, by whether the pact is in force, whether the defender is
        steadfast, point of the grid and origin, shape (2, 2, points, 2, Q). The first E quantities are the
        chances of the events, Q at least E.
    strength
        Probability that the defender gives what it owes if it comes to owe something, by whether it is
        steadfast and point of the grid, shape (2, points).
    """

    happened: Words
    held: Words
    given: Counts
    expected: Floats
    strength: Floats


class Census(NamedTuple):
    """Counts and sums over histories; Y years, R other rules.

    Parameters
    ----------
    happened, held
        Disputes in which an event happened, and in which its condition held, by year, shape (Y, 64).
    firsts
        Histories in which an event happened for the first time, by year, shape (Y, 64).
    changed
        Disputes in which an event happened and by other rules would not have, and the other way round, shape
        (Y, R, 2, 64).
    changed_firsts
        Histories in which that was so for the first time, shape (Y, R, 2, 64).
    pooled
        Sums over histories of n, m, n^2, n m and m^2, where m is in how many disputes of a history the
        condition held and n in how many of these the event happened, shape (C, 5).
    status, causes
        Histories by the pact's status, and by why it ended if it has, at the end of each year, shapes (Y, 3)
        and (Y, 8).
    bins
        Histories by level, year and value, shape (7, Y, 512).
    sums
        Sum and sum of squares of each level [2^-30], shape (7, Y, 2).
    yearly
        Sum and sum of squares, over histories, of what is to be expected of each quantity in a year, given
        where years have led to, shape (2, Y, Q).
    passage
        The same for the first passage of each event: what a year adds to the sum over histories of the
        chances of the years in which it had not happened yet, and to the sum of that sum's squares, shape
        (2, Y, E).
    strength
        Sum over histories in which the pact is in force at the start of the year of the strength of its
        promise, and their number, shape (2, Y).
    ever
        For each history the events of any of its years, shape (histories,).
    """

    happened: Counts
    held: Counts
    firsts: Counts
    changed: Counts
    changed_firsts: Counts
    pooled: Counts
    status: Counts
    causes: Counts
    bins: Counts
    sums: Counts
    yearly: Floats
    passage: Floats
    strength: Floats
    ever: Words


def nothing(questions: Questions, *, events: int, size: int, years: int, others: int = 0) -> Census:
    """Return a census of no histories yet, with room for `size` of them."""
    quantities = questions.expected.shape[4]
    return Census(
        happened=np.zeros((years, BITS), np.int64),
        held=np.zeros((years, BITS), np.int64),
        firsts=np.zeros((years, BITS), np.int64),
        changed=np.zeros((years, others, 2, BITS), np.int64),
        changed_firsts=np.zeros((years, others, 2, BITS), np.int64),
        pooled=np.zeros((questions.given.size, 5), np.int64),
        status=np.zeros((years, 3), np.int64),
        causes=np.zeros((years, CAUSES), np.int64),
        bins=np.zeros((LEVELS, years, BINS), np.int64),
        sums=np.zeros((LEVELS, years, 2), np.int64),
        yearly=np.zeros((2, years, quantities)),
        passage=np.zeros((2, years, events)),
        strength=np.zeros((2, years)),
        ever=np.zeros(size, np.uint64),
    )


def count(
    census: Census,
    questions: Questions,
    peace: Peace,
    kept: Record,
    others: Sequence[NDArray[np.uint16]] = (),
    *,
    start: int = 0,
) -> None:
    """Add histories to a census.

    Parameters
    ----------
    kept
        The histories.
    others
        For each of the other rules what :func:`entangle_kernels.decades.again` returns.
    start
        Histories that the census has already.
    """
    ever = census.ever[start : start + kept.steadfast.size]
    _expect(questions, peace, kept, census.yearly, census.passage, census.strength)
    _count(questions, kept, census, ever)
    for rule, ends in enumerate(others):
        _compare(questions.happened, kept, ends, census.changed[:, rule], census.changed_firsts[:, rule])


def products(one: Record, other: Record) -> Counts:
    """Return the sum over histories of the product of each level in two worlds [2^-30], shape (7, Y)."""
    found = np.zeros((LEVELS, one.levels.shape[1]), np.int64)
    _products(one.levels, other.levels, found)
    return found


@jit
def _expect(questions, peace, kept, yearly, passage, strength):  # type: ignore[no-untyped-def]
    """Add what was to be expected of each year, before its dispute was known."""
    n, years, _ = kept.levels.shape
    expected = questions.expected
    quantities, events = yearly.shape[2], passage.shape[2]
    value = np.empty(quantities)
    so_far = np.empty(events)
    for i in range(n):
        ever = np.uint64(0)
        so_far[:] = 0.0
        ga = gb = GRIEVANCES
        in_force = np.int64(peace.pact)
        steadfast = np.int64(kept.steadfast[i])
        for year in range(years):
            arises = np.float64(peace.arises[ga, gb]) * _WORD
            share = np.float64(peace.origin[ga, gb]) * _WORD
            for_challenger, for_protege = arises * share, arises * (1.0 - share)
            at = expected[in_force, steadfast, kept.events[i, year, 0]]
            if in_force:
                strength[0, year] += questions.strength[steadfast, kept.events[i, year, 0]]
                strength[1, year] += 1.0
            sums, squares = yearly[0, year], yearly[1, year]
            for q in range(quantities):
                chance = for_challenger * at[0, q] + for_protege * at[1, q]
                value[q] = chance
                sums[q] += chance
                squares[q] += chance * chance
            sums, squares = passage[0, year], passage[1, year]
            for e in range(events):
                chance = value[e] * np.float64(np.uint64(1) - ((ever >> np.uint64(e)) & np.uint64(1)))
                sums[e] += chance
                squares[e] += (2.0 * so_far[e] + chance) * chance
                so_far[e] += chance
            cell = kept.events[i, year, 2]
            if cell >= 0:
                ever |= questions.happened[cell]
            ga, gb = kept.events[i, year, 3] + GRIEVANCES, kept.events[i, year, 4] + GRIEVANCES
            in_force = np.int64(kept.events[i, year, 5] == IN_FORCE)


@jit
def _count(questions, kept, census, ever):  # type: ignore[no-untyped-def]
    n, years, _ = kept.levels.shape
    happened = questions.happened
    scale = census.bins.shape[2] / (2.0 * REACH)
    fact = np.empty(_CHUNK, np.uint64)
    held = np.empty(_CHUNK, np.uint64)
    new = np.empty(_CHUNK, np.uint64)
    for year in range(years):
        for start in range(0, n, _CHUNK):
            size = min(_CHUNK, n - start)
            for j in range(size):
                i = start + j
                cell = kept.events[i, year, 2]
                if cell < 0:
                    fact[j] = held[j] = new[j] = 0
                    continue
                fact[j] = happened[cell]
                held[j] = questions.held[cell]
                new[j] = happened[cell] & ~ever[i]
                ever[i] |= happened[cell]
            add_bits(fact[:size], census.happened[year])
            add_bits(held[:size], census.held[year])
            add_bits(new[:size], census.firsts[year])
        for i in range(n):
            census.status[year, kept.events[i, year, 5]] += 1
            census.causes[year, kept.events[i, year, 6]] += 1
        for level in range(kept.levels.shape[2]):
            total = square = np.int64(0)
            bins = census.bins[level, year]
            for i in range(n):
                value = kept.levels[i, year, level]
                total += np.int64(np.rint(value * UNIT))
                square += np.int64(np.rint(value * value * UNIT))
                bins[np.int64(min(max((value + REACH) * scale, 0.0), bins.size - 1.0))] += 1
            census.sums[level, year, 0] += total
            census.sums[level, year, 1] += square
    for g in range(questions.given.size):
        bit = np.uint64(questions.given[g])
        sums = census.pooled[g]
        for i in range(n):
            times = trials = np.int64(0)
            for year in range(years):
                cell = kept.events[i, year, 2]
                if cell >= 0:
                    times += np.int64((happened[cell] >> bit) & np.uint64(1))
                    trials += np.int64((questions.held[cell] >> bit) & np.uint64(1))
            sums[0] += times
            sums[1] += trials
            sums[2] += times * times
            sums[3] += times * trials
            sums[4] += trials * trials


@jit
def _compare(happened, kept, ends, changed, firsts):  # type: ignore[no-untyped-def]
    """Count what happened and would not have by other rules (0), and the other way round (1)."""
    n, years = ends.shape
    ever = np.zeros((2, n), np.uint64)
    here = np.empty((2, _CHUNK), np.uint64)
    new = np.empty((2, _CHUNK), np.uint64)
    for year in range(years):
        for start in range(0, n, _CHUNK):
            size = min(_CHUNK, n - start)
            for j in range(size):
                i = start + j
                here[:, j] = 0
                new[:, j] = 0
                if ends[i, year] == QUIET:
                    continue
                fact, other = happened[kept.events[i, year, 2]], happened[ends[i, year]]
                here[0, j] = fact & ~other
                here[1, j] = other & ~fact
                for side in range(2):
                    new[side, j] = here[side, j] & ~ever[side, i]
                    ever[side, i] |= here[side, j]
            for side in range(2):
                add_bits(here[side, :size], changed[year, side])
                add_bits(new[side, :size], firsts[year, side])


@jit
def _products(one, other, found):  # type: ignore[no-untyped-def]
    n, years, levels = one.shape
    for i in range(n):
        for year in range(years):
            for level in range(levels):
                product = one[i, year, level] * other[i, year, level]
                found[level, year] += np.int64(np.rint(product * UNIT))
