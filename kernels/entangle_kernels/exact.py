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
#: Lanes of the widest vectors [64-bit numbers]: loops over whole vectors leave no rest.
_WIDEST = 8


def probabilities(tables: Tables, *, defender: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the exact probability of every ending of a dispute, shape :data:`CELLS`.

    Parameters
    ----------
    defender
        Probability of each class of the defender's resolve, shape (K,); equal classes if not given. The
        probabilities of the endings sum to what it sums to.
    """
    equal = type_weights(tables.types)
    found = np.zeros((tables.types, *CELLS))
    _forward(tables, equal, found, np.empty((2, 0, 4, STATES, tables.estimates * tables.types)))
    cells = np.zeros(CELLS)
    for chance, of_class in zip(equal if defender is None else defender, found, strict=True):
        cells += chance * of_class
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
    cells = np.zeros((tables.types, *CELLS))
    reach = np.zeros((2, tables.rounds, 4, STATES, tables.estimates * tables.types))
    _forward(tables, type_weights(tables.types), cells, reach)
    return cells, reach


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
def _forward(tables, weights, cells, reach):  # type: ignore[no-untyped-def]
    """Fill what :func:`by_class` returns; `reach` only if it has rounds.

    All combinations of private information go side by side: a lane is ((A, B), the defender's set).
    """
    types, sets = tables.types, tables.estimates * tables.types
    used = types * types * sets
    lanes = -(-used // _WIDEST) * _WIDEST
    info = np.zeros((3, lanes), np.int64)
    private = np.zeros(lanes)  # probability of a lane, given the defender's class
    for q in range(used):
        a, b, own = q // (sets * types), q // sets % types, q % sets
        resolute = np.float64(tables.hit[a]) * _UNIT
        info[0, q], info[1, q], info[2, q] = a, own // types * types + b, own
        private[q] = (resolute if own >= types else 1.0 - resolute) * weights[a] * weights[b]
    pairs = np.zeros((4 * tables.rounds + 1, STATES * MARKS), np.int64)
    number = np.zeros(4 * tables.rounds + 1, np.int64)
    possible = np.zeros((4 * tables.rounds, STATES, OUTCOMES), np.bool_)
    # much larger than what is used of them: memory that nothing touches costs nothing
    now, after = np.empty((STATES * MARKS, lanes)), np.empty((STATES * MARKS, lanes))
    ended = np.empty((ENDS * STATES * MARKS, lanes))
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
            for q in range(lanes):
                above = (4294967295 - np.int64(tables.enter[origin, scope, info[origin, q]])) * _UNIT
                now[0, q] = share * arises * private[q] * above
                cells[info[2, q] % types, origin, scope, NO_CRISIS, 0, 0] += (
                    share * arises * private[q] * (1.0 - above)
                )
            _reachable(tables, scope, tables.start[origin], pairs, number, possible)
            passed = reach[origin]
            _play(
                tables,
                scope,
                info,
                pairs,
                number,
                possible,
                now,
                after,
                ended,
                passed,
                sets,
                cells[:, origin, scope],
            )


@jit
def _opening(tables, scope, start):  # type: ignore[no-untyped-def]
    """Return the marks of the opening state: those that holding there leaves."""
    return np.int64(tables.step[scope, 0, start, 1]) >> MARK_SHIFT


@jit
def _reachable(tables, scope, start, pairs, number, possible):  # type: ignore[no-untyped-def]
    """List the states and marks before each stage that somebody of some type can bring about, in order.

    `possible` says which outcomes a state before a stage can have.
    """
    sets = np.zeros(3, np.int64)
    chances = np.zeros(OUTCOMES)
    found = np.zeros((STATES, MARKS), np.bool_)
    found[start, _opening(tables, scope, start)] = True
    possible[:] = False
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
            open_ = possible[moment, state]
            if state != last:
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
def _play(  # type: ignore[no-untyped-def]
    tables, scope, info, pairs, number, possible, now, after, ended, passed, sets, cells
):
    """Add the endings to `cells`, by class, and to `passed` the states before each stage.

    `passed` is left out if it has no rounds. `now` has the weights of the opening state in its first row.
    """
    lanes = info.shape[1]
    own = np.zeros(3, np.int64)
    one = np.zeros(OUTCOMES)
    by_set = np.zeros((sets, OUTCOMES))
    chances = np.zeros((OUTCOMES, lanes))
    here = np.zeros(lanes)
    row_of = np.zeros(STATES * MARKS, np.int64)  # of a state with marks, in the next stage
    ending = np.full(ENDS * STATES * MARKS, -1)  # row of `ended`
    endings = 0
    for moment in range(4 * tables.rounds):
        t, stage = moment // 4, moment % 4
        for i in range(number[moment + 1]):
            row_of[pairs[moment + 1, i]] = i
        arrived = np.zeros(number[moment + 1], np.bool_)
        last = -1
        for i in range(number[moment]):
            state, marks = pairs[moment, i] // MARKS, pairs[moment, i] % MARKS
            if state != last:
                last = state
                for h in range(sets if stage < 3 else 1):
                    if stage < 3:
                        own[stage] = h
                    _chances(tables, scope, t, stage, state, own, one)
                    for outcome in range(OUTCOMES):
                        by_set[h, outcome] = one[outcome]
                for outcome in range(OUTCOMES):
                    if possible[moment, state, outcome]:
                        for q in range(lanes):
                            chances[outcome, q] = by_set[info[stage, q] if stage < 3 else 0, outcome]
            if passed.shape[0] > 0:
                first = i == 0 or pairs[moment, i - 1] // MARKS != state
                for q in range(lanes):
                    here[q] = now[i, q] + (0.0 if first else here[q])
                if i + 1 == number[moment] or pairs[moment, i + 1] // MARKS != state:
                    for q in range(lanes):
                        passed[t, stage, state, np.uint64(info[2, q])] += here[q]
            for outcome in range(OUTCOMES):
                if not possible[moment, state, outcome]:
                    continue
                step = np.int64(tables.step[scope, stage, state, outcome])
                target = (step & STATE_MASK) * MARKS + (marks | (step >> MARK_SHIFT))
                end = (step >> END_SHIFT) & 7
                if end == 0:
                    j = row_of[target]
                    _flow(now, i, chances, outcome, after, j, arrived[j])
                    arrived[j] = True
                else:
                    place = end * STATES * MARKS + target
                    more = ending[place] >= 0
                    if not more:
                        ending[place] = endings
                        endings += 1
                    _flow(now, i, chances, outcome, ended, ending[place], more)
        now, after = after, now
    for place in range(ENDS * STATES * MARKS):
        if ending[place] >= 0:
            _add(ended, ending[place], info, cells, place)
    for i in range(number[4 * tables.rounds]):
        _add(now, i, info, cells, STALEMATE * STATES * MARKS + pairs[4 * tables.rounds, i])


@jit
def _flow(now, i, chances, outcome, after, j, more):  # type: ignore[no-untyped-def]
    """Let what is in a row, by the chances of an outcome, arrive in another."""
    if more:
        for q in range(now.shape[1]):
            after[j, np.uint64(q)] += now[i, np.uint64(q)] * chances[outcome, np.uint64(q)]
    else:
        for q in range(now.shape[1]):
            after[j, np.uint64(q)] = now[i, np.uint64(q)] * chances[outcome, np.uint64(q)]


@jit
def _add(rows, i, info, cells, place):  # type: ignore[no-untyped-def]
    """Add a row to the cells of one ending, by the defender's class."""
    types = cells.shape[0]
    end, state, marks = place // (STATES * MARKS), place // MARKS % STATES, place % MARKS
    for q in range(rows.shape[1]):
        cells[info[2, q] % types, end, state, marks] += rows[i, q]


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
