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
    _forward(tables, equal, equal if defender is None else defender, cells)
    return cells


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
def _forward(tables, weights, defender, cells):  # type: ignore[no-untyped-def]
    types = tables.types
    sets = np.zeros(3, np.int64)
    for scope in range(2):
        share = np.float64(tables.scope) * _UNIT
        if scope == 0:
            share = 1.0 - share
        if share == 0.0:
            continue
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
                        for origin in range(2):
                            arises = np.float64(tables.origin) * _UNIT
                            if origin == 1:
                                arises = 1.0 - arises
                            if arises == 0.0:
                                continue
                            above = 4294967295 - np.int64(tables.enter[origin, scope, sets[origin]])
                            opens = weight * arises * (above * _UNIT)
                            here = cells[origin, scope]
                            here[NO_CRISIS, 0, 0] += weight * arises * (1.0 - above * _UNIT)
                            if opens > 0.0:
                                _play(tables, scope, sets, tables.start[origin], opens, here)


@jit
def _play(tables, scope, sets, start, weight, cells):  # type: ignore[no-untyped-def]
    now = np.zeros((MARKS, STATES))
    after = np.zeros((MARKS, STATES))
    chances = np.zeros(OUTCOMES)
    # marks of the opening state: those that holding there leaves
    opening = np.int64(tables.step[scope, 0, start, 1]) >> MARK_SHIFT
    now[opening, start] = weight
    for t in range(tables.rounds):
        for stage in range(4):
            after[:] = 0.0
            for state in range(STATES):
                ready = False
                for marks in range(MARKS):
                    mass = now[marks, state]
                    if mass == 0.0:
                        continue
                    if not ready:
                        _chances(tables, scope, t, stage, state, sets, chances)
                        ready = True
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
                            after[left, target] += mass * chances[outcome]
            now, after = after, now
    for state in range(STATES):
        for marks in range(MARKS):
            cells[STALEMATE, state, marks] += now[marks, state]


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
