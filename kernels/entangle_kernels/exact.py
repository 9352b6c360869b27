"""Exact probabilities from the thresholds: the simulator's oracle.

Given everyone's private information a crisis is a Markov chain on (marks, state), small enough to run
through for every combination. Forward it gives the distribution over endings; backward, for any set of
endings, the probability of that event from every state (the committor).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    END_SHIFT,
    ENDS,
    MARK_SHIFT,
    MARKS,
    NO_CRISIS,
    OUTCOMES,
    STALEMATE,
    STATE_MASK,
    STATES,
)
from entangle_kernels.quantise import Tables, type_weights

#: Shape of a table of endings: origin of the dispute (challenger, protégé), scope (outside, inside the treaty
#: area), how it ended, the state in which it ended, the marks it left.
CELLS = (2, 2, ENDS, STATES, MARKS)

_UNIT = 1.0 / 2**32


def probabilities(tables: Tables, *, defender: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the exact probability of every ending of a dispute, shape :data:`CELLS`.

    Parameters
    ----------
    defender
        Probability of each class of the defender's resolve, shape (K,); equal classes if not given. The
        probabilities of the endings sum to what it sums to.
    """
    cells = np.zeros(CELLS)
    equal = type_weights(tables.types)
    nowhere = np.empty((2, tables.estimates * tables.types, 0, 4, STATES))
    _forward(tables, equal, equal if defender is None else defender, cells, nowhere)
    return cells


def by_class(tables: Tables) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how disputes end and what they pass through, for each class of the defender's resolve.

    Returns
    -------
    cells
        Probability of every ending, shape (K, *CELLS); sums to 1 for each class.
    reach
        Probability that a dispute arises for an origin, passes through a public state before a stage of a
        round, and the defender then is at an information set: shape (2 origins, rounds, 4, states, H). The
        class is the last index of the set, and given: sums over the others are those of one class.
    """
    equal = type_weights(tables.types)
    cells = np.zeros((tables.types, *CELLS))
    sets = tables.estimates * tables.types
    reach = np.zeros((2, sets, tables.rounds, 4, STATES))
    for own in range(tables.types):
        one = np.zeros(tables.types)
        one[own] = 1.0
        _forward(tables, equal, one, cells[own], reach)
    return cells, np.ascontiguousarray(np.moveaxis(reach, 1, -1))


def committor(
    tables: Tables,
    event: NDArray[np.bool_],
    *,
    scope: int,
    estimate: int,
    types: tuple[int, int, int],
) -> NDArray[np.float64]:
    """Return the probability that a crisis will end in `event`, from every state.

    Parameters
    ----------
    event
        Endings that count, shape (ends, states, marks).
    scope, estimate, types
        Everyone's private information.

    Returns
    -------
    array of shape (rounds + 1, 4, marks, states)
        Before each stage of each round; the last round's first stage holds the stalemates.
    """
    values = np.zeros((tables.rounds + 1, 4, MARKS, STATES))
    sets = np.array([types[0], estimate * tables.types + types[1], estimate * tables.types + types[2]])
    _backward(tables, event, scope, sets, values)
    return values


@jit
def _chances(tables, scope, t, stage, state, sets, out):  # type: ignore[no-untyped-def]
    """Fill `out`, shape (5,), with the probability of each outcome of a stage."""
    out[:] = 0.0
    if stage == 3:
        cut = tables.nature[state]
        out[0] = cut[0] * _UNIT
        out[1] = (cut[1] - np.int64(cut[0])) * _UNIT
        out[4] = (4294967295 - np.int64(cut[3])) * _UNIT
        out[3] = (np.int64(cut[3]) - np.int64(cut[2])) * _UNIT
        out[2] = (np.int64(cut[2]) + 1 - np.int64(cut[1])) * _UNIT
    else:
        moves = tables.cut[scope, t, stage, state, sets[stage]]
        out[0] = moves[0] * _UNIT
        out[1] = (np.int64(moves[1]) + 1 - np.int64(moves[0])) * _UNIT
        out[2] = (np.int64(moves[2]) - np.int64(moves[1])) * _UNIT
        out[3] = (4294967295 - np.int64(moves[2])) * _UNIT
        if stage < 2:  # no vote: all of it is the escalation
            out[2] += out[3]
            out[3] = 0.0


@jit
def _forward(tables, weights, defender, cells, reach):  # type: ignore[no-untyped-def]
    types = tables.types
    sets = np.zeros(3, np.int64)
    now = np.zeros((STATES, MARKS))
    after = np.zeros((STATES, MARKS))
    pairs = np.zeros((4 * tables.rounds + 1, STATES * MARKS), np.int64)
    number = np.zeros(4 * tables.rounds + 1, np.int64)
    for scope in range(2):
        share = np.float64(tables.scope) * _UNIT
        if scope == 0:
            share = 1.0 - share
        if share == 0.0:
            continue
        for origin in range(2):
            arises = np.float64(tables.origin) * _UNIT
            if origin == 1:
                arises = 1.0 - arises
            if arises == 0.0:
                continue
            here = cells[origin, scope]
            start = tables.start[origin]
            _reachable(tables, scope, start, pairs, number)
            for estimate in range(tables.estimates):
                for a in range(types):
                    resolute = np.float64(tables.hit[a]) * _UNIT
                    if estimate == 0:
                        resolute = 1.0 - resolute
                    for b in range(types):
                        for c in range(types):
                            weight = share * resolute * weights[a] * weights[b] * defender[c]
                            if weight == 0.0:
                                continue
                            sets[0] = a
                            sets[1] = estimate * types + b
                            sets[2] = estimate * types + c
                            above = 4294967295 - np.int64(tables.enter[origin, scope, sets[origin]])
                            opens = weight * arises * (above * _UNIT)
                            here[NO_CRISIS, 0, 0] += weight * arises * (1.0 - above * _UNIT)
                            if opens > 0.0:
                                now[start, _opening(tables, scope, start)] = opens
                                passed = reach[origin, sets[2]]
                                _play(tables, scope, sets, pairs, number, now, after, here, passed)


@jit
def _opening(tables, scope, start):  # type: ignore[no-untyped-def]
    """Return the marks of the opening state: those that holding there leaves."""
    return np.int64(tables.step[scope, 0, start, 1]) >> MARK_SHIFT


@jit
def _reachable(tables, scope, start, pairs, number):  # type: ignore[no-untyped-def]
    """List the states and marks before each stage that somebody of some type can bring about, in order."""
    sets = np.zeros(3, np.int64)
    chances = np.zeros(OUTCOMES)
    open_ = np.zeros(OUTCOMES, np.bool_)
    found = np.zeros((STATES, MARKS), np.bool_)
    found[start, _opening(tables, scope, start)] = True
    for moment in range(4 * tables.rounds + 1):
        number[moment] = 0
        for state in range(STATES):
            for marks in range(MARKS):
                if found[state, marks]:
                    pairs[moment, number[moment]] = state * MARKS + marks
                    number[moment] += 1
        if moment == 4 * tables.rounds:
            return
        found[:] = False
        t, stage = moment // 4, moment % 4
        last = -1
        for i in range(number[moment]):
            state, marks = pairs[moment, i] // MARKS, pairs[moment, i] % MARKS
            if state != last:
                open_[:] = False
                for own in range(tables.cut.shape[4] if stage < 3 else 1):
                    if stage < 3:
                        sets[stage] = own
                    _chances(tables, scope, t, stage, state, sets, chances)
                    for outcome in range(OUTCOMES):
                        open_[outcome] |= chances[outcome] > 0.0
                last = state
            for outcome in range(OUTCOMES):
                step = np.int64(tables.step[scope, stage, state, outcome])
                if open_[outcome] and (step >> END_SHIFT) & 7 == 0:
                    found[step & STATE_MASK, marks | (step >> MARK_SHIFT)] = True


@jit
def _play(tables, scope, sets, pairs, number, now, after, cells, passed):  # type: ignore[no-untyped-def]
    """Add the endings to `cells`, and to `passed`, unless it has no rounds, the states before each stage.

    Both `now`, with the weight of the opening state, and `after` are left empty.
    """
    chances = np.zeros(OUTCOMES)
    for moment in range(4 * tables.rounds):
        t, stage = moment // 4, moment % 4
        last = -1
        for i in range(number[moment]):
            state, marks = pairs[moment, i] // MARKS, pairs[moment, i] % MARKS
            mass = now[state, marks]
            if mass == 0.0:
                continue
            now[state, marks] = 0.0
            if state != last:
                _chances(tables, scope, t, stage, state, sets, chances)
                last = state
            if passed.shape[0] > 0:
                passed[t, stage, state] += mass
            for outcome in range(OUTCOMES):
                if chances[outcome] == 0.0:
                    continue
                step = np.int64(tables.step[scope, stage, state, outcome])
                target = step & STATE_MASK
                left = marks | (step >> MARK_SHIFT)
                end = (step >> END_SHIFT) & 7
                if end != 0:
                    cells[end, target, left] += mass * chances[outcome]
                else:
                    after[target, left] += mass * chances[outcome]
        now, after = after, now
    # an even number of stages: what is left is in `now` again
    for i in range(number[4 * tables.rounds]):
        state, marks = pairs[4 * tables.rounds, i] // MARKS, pairs[4 * tables.rounds, i] % MARKS
        cells[STALEMATE, state, marks] += now[state, marks]
        now[state, marks] = 0.0


@jit
def _backward(tables, event, scope, sets, values):  # type: ignore[no-untyped-def]
    chances = np.zeros(OUTCOMES)
    for state in range(STATES):
        for marks in range(MARKS):
            values[tables.rounds, 0, marks, state] = event[STALEMATE, state, marks]
    for t in range(tables.rounds - 1, -1, -1):
        for stage in range(3, -1, -1):
            after = values[t, stage + 1] if stage < 3 else values[t + 1, 0]
            for state in range(STATES):
                _chances(tables, scope, t, stage, state, sets, chances)
                for marks in range(MARKS):
                    total = 0.0
                    for outcome in range(OUTCOMES):
                        if chances[outcome] == 0.0:
                            continue
                        step = np.int64(tables.step[scope, stage, state, outcome])
                        target = step & STATE_MASK
                        left = marks | (step >> MARK_SHIFT)
                        end = (step >> END_SHIFT) & 7
                        if end != 0:
                            total += chances[outcome] * event[end, target, left]
                        else:
                            total += chances[outcome] * after[left, target]
                    values[t, stage, marks, state] = total
