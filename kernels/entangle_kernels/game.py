"""The arrays that a crisis game is made of, and the index sets that the solver and exact pass share."""

from __future__ import annotations

from typing import NamedTuple

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
    """Every combination of private information, flattened: index q = ((scope, estimate, A, B), C).

    Parameters
    ----------
    weight
        Prior probability, shape (Q,).
    scope
        Index of the scope, shape (Q,).
    theta
        Value of the stake to each actor, shape (3, Q).
    info
        What each actor can tell apart, as an index below H, shape (3, Q): its own type; for the partners
        also their estimate and the scope.
    """

    weight: Floats
    scope: NDArray[np.int64]
    theta: Floats
    info: NDArray[np.int64]


def combinations(game: Game) -> Combinations:
    """Return the combinations of private information of a game."""
    types = game.theta.shape[1]
    shape = (game.scope.size, game.estimate.shape[0], types, types, types)
    z, e, a, b, c = (index.ravel() for index in np.indices(shape))
    weight = game.scope[z] * game.estimate[e, a] * game.prior[0, a] * game.prior[1, b] * game.prior[2, c]
    private = z * shape[1] + e
    info = np.stack([a, private * types + b, private * types + c]).astype(np.int64)
    theta = np.stack([game.theta[0, a], game.theta[1, b], game.theta[2, c]])
    return Combinations(weight, z.astype(np.int64), theta, info)


def padded(combos: Combinations, multiple: int) -> Combinations:
    """Return the combinations, with idle ones of no weight up to the next multiple of a number."""
    idle = -combos.weight.size % multiple
    tail = ((0, 0), (0, idle))
    return Combinations(
        np.pad(combos.weight, (0, idle)),
        np.pad(combos.scope, (0, idle)),
        np.pad(combos.theta, tail),
        np.pad(combos.info, tail),
    )


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
