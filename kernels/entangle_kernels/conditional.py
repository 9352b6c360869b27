"""Disputes drawn on condition of how they end, however rarely they end so, and none thrown away.

Given everyone's private information a crisis is a Markov chain. On condition of an event it is one again, in
which each step's chance is multiplied by the committor after the step and divided by the committor before it
(Doob's h-transform: Doob 1957, Bulletin de la Société Mathématique de France 85: 431-458). What nobody plays,
the private information and the opening, is first drawn from its finitely many combinations in the same way.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.exact import CELLS, _chances, committor
from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    END_SHIFT,
    ENDS,
    HOLD,
    MARK_SHIFT,
    MARKS,
    NO_CRISIS,
    OUTCOMES,
    STALEMATE,
    STATE_MASK,
    STATES,
)
from entangle_kernels.philox import philox
from entangle_kernels.quantise import Tables, type_weights

#: Fourth word of the counter: this for the combination, the next two for the stages of round 0, ...
#: A decision takes two words, since on condition of an event chances are no longer multiples of 2^-32.
GIVEN: Final = 0x90000000

#: Below this, products of chances near the bottom of the floating-point range would lose their digits.
RAREST: Final = 1e-290

_UNIT = 1.0 / 2**32


class Sample(NamedTuple):
    """Disputes that ended in an event.

    Parameters
    ----------
    probability
        Exact probability of the event, for a dispute.
    origin, scope, estimate
        Of each dispute, shape (n,); see :class:`entangle_kernels.quantise.Tables`.
    types
        Of the challenger, the protégé and the defender, shape (n, 3).
    opened
        Whether the dispute became a crisis, shape (n,).
    outcome
        Outcome of each stage, numbered as in `Tables.step`, shape (n, rounds, stages); -1 where not reached.
    state
        Public state before each stage, shape (n, rounds, stages); -1 where not reached.
    cell
        Where the ending stands in a flattened array of shape :data:`exact.CELLS`, shape (n,).
    log_probability
        Logarithm of the probability, not on condition of anything, that a dispute has this private
        information, this opening and this path, shape (n,).
    """

    probability: float
    origin: NDArray[np.int8]
    scope: NDArray[np.int8]
    estimate: NDArray[np.int8]
    types: NDArray[np.int8]
    opened: NDArray[np.bool_]
    outcome: NDArray[np.int8]
    state: NDArray[np.int8]
    cell: NDArray[np.int64]
    log_probability: NDArray[np.float64]


def sample(tables: Tables, event: NDArray[np.bool_], *, n: int, seed: int) -> Sample:
    """Return `n` independent disputes with the law of those that end in `event`.

    Parameters
    ----------
    event
        Endings that count, shape :data:`entangle_kernels.exact.CELLS`.
    n
        Number of disputes; the first of them are the same for every `n`.
    seed
        Key of the random numbers, 0 to 2^64 - 1.

    Raises
    ------
    ValueError
        If no dispute is asked for, or the event is impossible or has a probability below :data:`RAREST`.
    """
    if n < 1:
        raise ValueError(f"n: must be at least 1, not {n}; ask for a dispute or more")
    if event.shape != CELLS:
        raise ValueError(f"event: must have shape {CELLS}, not {event.shape}; give it a flag for every cell")
    # mostly the event is the same for both origins, and neighbouring combinations share a committor
    of = [[0, 0], [int((event[0, scope] != event[1, scope]).any()) for scope in range(2)]]

    @lru_cache(maxsize=1)
    def ahead(origin: int, scope: int, estimate: int, a: int, b: int, c: int) -> NDArray[np.float64]:
        return committor(tables, event[origin, scope], scope=scope, estimate=estimate, types=(a, b, c))

    prior = _prior(tables)
    weight = np.zeros_like(prior)
    for scope, *private, origin, opened in np.argwhere(prior).tolist():
        chance = 0.0
        if not opened:
            chance = float(event[origin, scope, NO_CRISIS, 0, 0])
        elif event[origin, scope, NO_CRISIS + 1 :].any():
            start, marks = _opening(tables, origin, scope)
            chance = float(ahead(of[origin][scope], scope, *private)[0, 0, marks, start])
        weight[scope, *private, origin, opened] = prior[scope, *private, origin, opened] * chance
    up_to = np.cumsum(weight)
    probability = float(up_to[-1])
    if probability < RAREST:
        rule = f"its probability must be at least {RAREST}, not {probability:.3g}"
        raise ValueError(f"event: {rule}; let endings count that can occur")

    index = np.arange(n, dtype=np.uint64)
    words = np.empty((4, n), np.uint32)
    philox(index, np.uint64(0), np.uint64(GIVEN), np.uint64(seed), words)
    # a uniform times the total rounds to less than the total, so that there is a first sum above it; as it is
    # also above the sum before it, its combination has a chance
    drawn = np.searchsorted(up_to, _uniform(words[0], words[1]) * probability, side="right")
    places = np.stack(np.unravel_index(drawn, prior.shape)).astype(np.int8)
    found = Sample(
        probability,
        origin=places[5],
        scope=places[0],
        estimate=places[1],
        types=places[2:5].T.copy(),  # in one layout for every n, or the walk is compiled once more for n = 1
        opened=places[6] == 1,
        outcome=np.full((n, tables.rounds, 4), -1, np.int8),
        state=np.full((n, tables.rounds, 4), -1, np.int8),
        cell=np.zeros(n, np.int64),
        log_probability=np.empty(n),
    )
    order = np.argsort(drawn, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(drawn[order])) + 1):
        scope, estimate, a, b, c, origin, opened = places[:, group[0]].tolist()
        found.log_probability[group] = math.log(prior.flat[drawn[group[0]]])
        if opened:
            values = ahead(of[origin][scope], scope, estimate, a, b, c)
            sets = np.array([a, estimate * tables.types + b, estimate * tables.types + c])
            start, marks = _opening(tables, origin, scope)
            ends = event[origin, scope]
            _walk(tables, ends, values, scope, sets, start, marks, index[group], np.uint64(seed), found)
        found.cell[group] += (2 * origin + scope) * ENDS * STATES * MARKS
    return found


def _prior(tables: Tables) -> NDArray[np.float64]:
    """Return the probability of every combination.

    Returns
    -------
    array of shape (2 scopes, estimates, K, K, K, 2 origins, 2)
        By the types of challenger, protégé and defender; at the end whether the crisis opens.
    """
    types = type_weights(tables.types)
    hit = tables.hit * _UNIT
    in_scope, by_challenger = float(tables.scope) * _UNIT, float(tables.origin) * _UNIT
    challenger = np.stack([1.0 - hit, hit])[: tables.estimates] * types
    private = np.multiply.outer([1.0 - in_scope, in_scope], challenger)
    private = np.multiply.outer(private, np.multiply.outer(types, types))
    above = (2**32 - 1 - tables.enter.astype(np.int64)) * _UNIT
    opens = above.reshape(2, 2, tables.estimates, tables.types)
    # the challenger's sets are its types alone, whatever the partners' estimate
    by_origin = opens[0, :, :1, :, np.newaxis, np.newaxis], opens[1, :, :, np.newaxis, :, np.newaxis]
    prior = np.empty((*private.shape, 2, 2))
    for origin, arises in enumerate([by_challenger, 1.0 - by_challenger]):
        prior[..., origin, 0] = private * arises * (1.0 - by_origin[origin])
        prior[..., origin, 1] = private * arises * by_origin[origin]
    return prior


def _opening(tables: Tables, origin: int, scope: int) -> tuple[int, int]:
    """Return the state in which a crisis opens, and its marks: those that holding there leaves."""
    start = int(tables.start[origin])
    return start, int(tables.step[scope, 0, start, HOLD]) >> MARK_SHIFT


@jit
def _uniform(high, low):  # type: ignore[no-untyped-def]
    """Return numbers from 0 up to 1, multiples of 2^-53, of two words each."""
    return ((high >> np.uint32(5)) * 67108864.0 + (low >> np.uint32(6))) / 9007199254740992.0


@jit
def _walk(tables, event, ahead, scope, sets, start, opening, index, seed, found):  # type: ignore[no-untyped-def]
    """Fill in the paths of the disputes `index`, which share their private information and opening."""
    chances = np.zeros(OUTCOMES)
    weights = np.zeros(OUTCOMES)
    words = np.empty((4, 1), np.uint32)
    for j in range(index.size):
        i = np.int64(index[j])
        state, marks, end = np.int64(start), np.int64(opening), np.int64(0)
        for t in range(tables.rounds):
            for stage in range(4):
                half = 2 * (stage & 1)
                if half == 0:
                    purpose = np.uint64(GIVEN + 1 + 2 * t + (stage >> 1))
                    philox(index[j : j + 1], np.uint64(0), purpose, seed, words)
                after = ahead[t, stage + 1] if stage < 3 else ahead[t + 1, 0]
                _chances(tables, scope, t, stage, state, sets, chances)
                total = 0.0
                for outcome in range(OUTCOMES):
                    weights[outcome] = 0.0
                    if chances[outcome] > 0.0:
                        step = np.int64(tables.step[scope, stage, state, outcome])
                        target, left = step & STATE_MASK, marks | (step >> MARK_SHIFT)
                        ends = (step >> END_SHIFT) & 7
                        hope = after[left, target] if ends == 0 else np.float64(event[ends, target, left])
                        weights[outcome] = chances[outcome] * hope
                        total += weights[outcome]
                bar = _uniform(words[half, 0], words[half + 1, 0]) * total
                below, chosen = 0.0, 0
                for outcome in range(OUTCOMES):
                    if weights[outcome] > 0.0:  # were the bar rounded up to the total, the last would stay
                        chosen = outcome
                        below += weights[outcome]
                        if bar < below:
                            break
                found.outcome[i, t, stage] = chosen
                found.state[i, t, stage] = state
                found.log_probability[i] += math.log(chances[chosen])
                step = np.int64(tables.step[scope, stage, state, chosen])
                state, marks = step & STATE_MASK, marks | (step >> MARK_SHIFT)
                end = (step >> END_SHIFT) & 7
                if end != 0:
                    break
            if end != 0:
                break
        ended = STALEMATE if end == 0 else end
        found.cell[i] = (ended * STATES + state) * MARKS + marks
