"""The arrays that a crisis game is made of, and the index sets that the solver and exact pass share."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    BACK_DOWN,
    END_SHIFT,
    ESCALATE,
    HOLD,
    OUTCOMES,
    PASSED,
    STATE_MASK,
    STATES,
)

Floats = NDArray[np.float64]


class Game(NamedTuple):
    """A crisis game.

    Sizes: K types of each actor, E values of the partners' estimate, Z scopes (1, or 2 where only the
    partners know whether the dispute is in scope). Payoffs are in units of the stake.

    Parameters
    ----------
    precision
        Lambda of the logit [1 / stake unit].
    rounds
        Rounds after which the crisis is a stalemate.
    first_support, first_fight
        First round in which the defender may move at all, and may move to fighting.
    theta
        Value of the stake to each actor by type, shape (3, K).
    prior
        Probability of each type, shape (3, K).
    estimate
        Probability of each estimate given the challenger's type, shape (E, K).
    scope
        Probability of each scope, shape (Z,).
    origin
        Probability that a dispute arises for the challenger and for the protégé, shape (2,).
    start
        State in which a crisis of each origin opens, shape (2,).
    opening
        Cost of opening a crisis to the challenger and to the protégé, shape (2,).
    step
        Packed steps, shape (Z, 4, states, 5); see :mod:`entangle_kernels.ladder`.
    legal
        Moves that exist, shape (4, states, 3).
    passes
        Probability that the defender's commitment passes the vote, shape (states,).
    nature
        Probability of cooling, victory, nothing, accident, defeat, shape (states, 5).
    gain, cost
        What an ending pays: ``gain * theta - cost``; shapes (3, ends, states) and (Z, 3, ends, states).
    running
        Cost of a round, charged after the defender's move, shape (Z, 3, states).
    breach
        Cost to the defender of owing help and not giving it, as a share of its stake: of a round, charged
        like a running cost, and of a defeat, shape (Z, 2, states).
    restrain
        Cost to the defender of lowering its support, shape (states,).
    """

    precision: float
    rounds: int
    first_support: int
    first_fight: int
    theta: Floats
    prior: Floats
    estimate: Floats
    scope: Floats
    origin: Floats
    start: NDArray[np.int64]
    opening: Floats
    step: NDArray[np.uint16]
    legal: NDArray[np.bool_]
    passes: Floats
    nature: Floats
    gain: Floats
    cost: Floats
    running: Floats
    breach: Floats
    restrain: Floats


class Combinations(NamedTuple):
    """Every combination of private information: index q = (A, lane), lane = ((scope, estimate, B), C).

    The challenger's type comes first because partners' sets never depend on it: what they do, and what they
    know, is the same run of lanes over and over. There are idle lanes of no weight at the end of each run, up
    to whole vectors.

    Parameters
    ----------
    weight
        Prior probability, shape (Q,).
    theta
        Value of the stake to each actor, shape (3, Q).
    info
        What each actor can tell apart, as an index below H, shape (3, Q): its own type; for the partners
        also their estimate and the scope.
    types
        Index of the type of each actor, shape (3, Q).
    lanes, used
        Lanes with and without the idle ones.
    """

    weight: Floats
    theta: Floats
    info: NDArray[np.int64]
    types: NDArray[np.int64]
    lanes: int
    used: int


class Layout(NamedTuple):
    """Where the choices are in one vector: for each place and move a run over the mover's sets.

    The challenger's runs have K entries, those of partners H; entries of sets that the mover never has are 0.
    Where there is nothing but to hold, nothing is kept.

    Parameters
    ----------
    moves
        First entry of a run, shape (rounds, 3, states, 3); -1 where there is no such move, or no other.
    single
        Whether there is nothing but to hold, shape (rounds, 3, states).
    opens
        First entry of the challenger's openings, of the protege's, and the length of the vector.
    """

    moves: NDArray[np.int64]
    single: NDArray[np.bool_]
    opens: NDArray[np.int64]


#: Numbers that the widest vectors hold.
LANES = 8


def combinations(game: Game, *, multiple: int = LANES) -> Combinations:
    """Return the combinations of private information of a game, in runs of whole multiples of some lanes.

    `multiple` is even: sums take two lanes at a time.
    """
    types = game.theta.shape[1]
    shape = (types, game.scope.size, game.estimate.shape[0], types, types)
    a, z, e, b, c = np.indices(shape)
    weight = game.scope[z] * game.estimate[e, a] * game.prior[0, a] * game.prior[1, b] * game.prior[2, c]
    private = z * shape[2] + e
    info = np.stack([a, private * types + b, private * types + c])
    theta = np.stack([game.theta[0, a], game.theta[1, b], game.theta[2, c]])
    used = weight[0].size
    idle = -used % multiple

    def flat(values: NDArray[Any]) -> NDArray[Any]:
        """Join the lanes of a run, and the runs, the idle lanes with them."""
        runs = values.reshape(-1, types, used)
        return np.pad(runs, ((0, 0), (0, 0), (0, idle))).reshape(len(runs), -1)

    kinds = np.stack([a, b, c])
    return Combinations(flat(weight)[0], flat(theta), flat(info), flat(kinds), used + idle, used)


def information_sets(game: Game) -> int:
    """Return H, the number of information sets that an actor can be in at one state, at most."""
    return int(game.scope.size * game.estimate.shape[0] * game.theta.shape[1])


def allowed_moves(game: Game) -> NDArray[np.bool_]:
    """Return which moves exist in each round, shape (rounds, 3, states, 3)."""
    allowed = np.repeat(game.legal[np.newaxis, :3], game.rounds, axis=0)
    support = (np.arange(STATES) >> 1) & 3
    early = np.arange(game.rounds) < game.first_support
    allowed[early, 2, :, BACK_DOWN] = False
    allowed[early, 2, :, ESCALATE] = False
    before_fight = np.arange(game.rounds) < game.first_fight
    fight_now = before_fight[:, np.newaxis] & (support == 2)
    allowed[:, 2, :, ESCALATE] &= ~fight_now
    return allowed


def live_states(game: Game, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which states can be reached at each stage of each round, shape (rounds, 4, states)."""
    live = np.zeros((game.rounds, 4, STATES), np.bool_)
    live[0, 0, game.start[game.origin > 0]] = True
    _follow(game.step, game.nature, game.passes, allowed, live)
    return live


def layout_of(game: Game, allowed: NDArray[np.bool_], live: NDArray[np.bool_]) -> Layout:
    """Return where the choices in live states are in one vector."""
    moves = np.full(allowed.shape, -1, np.int64)
    single = np.zeros(allowed.shape[:-1], np.bool_)
    sets = np.array([game.theta.shape[1], information_sets(game), information_sets(game)])
    return Layout(moves, single, _lay_out(allowed, live, sets, moves, single))


@jit
def _lay_out(allowed, live, sets, moves, single):  # type: ignore[no-untyped-def]
    """Fill `moves` and `single`; return the first entries of openings, and the length."""
    opens = np.zeros(3, np.int64)
    for t in range(moves.shape[0]):
        for stage in range(3):
            for state in range(STATES):
                here = allowed[t, stage, state]
                single[t, stage, state] = not (here[BACK_DOWN] or here[ESCALATE])
                for move in range(3):
                    if live[t, stage, state] and here[move] and not single[t, stage, state]:
                        moves[t, stage, state, move] = opens[0]
                        opens[0] += sets[stage]
    opens[1] = opens[0] + sets[0]
    opens[2] = opens[1] + sets[1]
    return opens


def packed(layout: Layout, policy: Floats, enter: Floats) -> Floats:
    """Return the vector of choices, given by (actor, round, state, set, move) and by (origin, set)."""
    point = np.zeros(layout.opens[2])
    _pack(layout.moves, layout.opens, policy, enter, point)
    return point


def unpacked(
    game: Game, combos: Combinations, live: NDArray[np.bool_], layout: Layout, point: Floats
) -> tuple[Floats, Floats]:
    """Return a vector of choices as (policy, enter), as :func:`packed` got them; 0 where nobody chooses."""
    sets = information_sets(game)
    policy, enter = np.zeros((3, game.rounds, STATES, sets, 3)), np.zeros((2, sets))
    _unpack(layout, live, combos.info, combos.weight, point, policy, enter)
    return policy, enter


@jit
def _pack(moves, opens, policy, enter, point):  # type: ignore[no-untyped-def]
    for t in range(moves.shape[0]):
        for stage in range(3):
            sets = opens[min(stage, 1) + 1] - opens[min(stage, 1)]
            for state in range(STATES):
                for move in range(3):
                    at = moves[t, stage, state, move]
                    if at >= 0:
                        for h in range(sets):
                            point[at + h] = policy[stage, t, state, h, move]
    for origin in range(2):
        for h in range(opens[origin + 1] - opens[origin]):
            point[opens[origin] + h] = enter[origin, h]


@jit
def _unpack(layout, live, info, weight, point, policy, enter):  # type: ignore[no-untyped-def]
    moves, opens = layout.moves, layout.opens
    exists = np.zeros((3, enter.shape[1]), np.bool_)
    for actor in range(3):
        for q in range(weight.size):
            if weight[q] > 0.0:
                exists[actor, info[actor, q]] = True
    for t in range(moves.shape[0]):
        for stage in range(3):
            sets = opens[min(stage, 1) + 1] - opens[min(stage, 1)]
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                for h in range(sets):
                    if layout.single[t, stage, state] and exists[stage, h]:
                        policy[stage, t, state, h, HOLD] = 1.0
                for move in range(3):
                    at = moves[t, stage, state, move]
                    if at >= 0:
                        for h in range(sets):
                            policy[stage, t, state, h, move] = point[at + h]
    for origin in range(2):
        for h in range(opens[origin + 1] - opens[origin]):
            enter[origin, h] = point[opens[origin] + h]


@jit
def normalise(layout, point):  # type: ignore[no-untyped-def]
    """Make the chances of all moves at a place sum to one, except where all are 0."""
    moves, opens = layout.moves, layout.opens
    for t in range(moves.shape[0]):
        for stage in range(3):
            sets = opens[min(stage, 1) + 1] - opens[min(stage, 1)]
            for state in range(STATES):
                hold = moves[t, stage, state, HOLD]
                if hold < 0:
                    continue
                for h in range(sets):
                    total = point[hold + h]
                    for move in (BACK_DOWN, ESCALATE):
                        at = moves[t, stage, state, move]
                        if at >= 0:
                            total += point[at + h]
                    if abs(total - 1.0) < 1e-15:
                        continue  # as near as it gets: to do it twice changes no bit
                    for move in range(3):
                        at = moves[t, stage, state, move]
                        if at >= 0:
                            point[at + h] /= max(total, 1e-300)


@jit
def _follow(step, nature, passes, allowed, live):  # type: ignore[no-untyped-def]
    """Mark whatever can follow on what is marked; as plain Python it took as long as two sweeps."""
    for t in range(live.shape[0]):
        for stage in range(4):
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                for outcome in range(OUTCOMES):
                    packed = step[0, stage, state, outcome]
                    if (packed >> END_SHIFT) & 7 or not _possible(
                        nature, passes, allowed, t, stage, state, outcome
                    ):
                        continue
                    if stage < 3:
                        live[t, stage + 1, packed & STATE_MASK] = True
                    elif t + 1 < live.shape[0]:
                        live[t + 1, 0, packed & STATE_MASK] = True


@jit
def _possible(nature, passes, allowed, t, stage, state, outcome):  # type: ignore[no-untyped-def]
    if stage == 3:
        return nature[state, outcome] > 0
    if stage < 2:
        return outcome <= ESCALATE and allowed[t, stage, state, outcome]
    if outcome <= HOLD:
        return allowed[t, 2, state, outcome]
    if not allowed[t, 2, state, ESCALATE]:
        return False
    return passes[state] > 0 if outcome == PASSED else passes[state] < 1 and outcome < PASSED
