"""The sixteen worlds of a pact: each of four channels at its value under the pact or without it.

A world takes the challenger's, the protégé's and the defender's policy, and the material terms, each from the
game with the pact or from the game without it. Players of one game then meet states that only the other
can reach (bases put the defender's support in place from the start; a delay keeps it from moving). What they
do there follows from the same rule as everywhere: the logit of what each move is worth, judged by the prior
where a set is never reached, and in proportion among the moves that the terms allow.

A pact that promises nothing cannot bind its defender: its policy then goes with the material terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.equilibrium import Solution
from entangle_kernels.game import (
    Floats,
    Game,
    allowed_moves,
    combinations,
    layout_of,
    live_states,
    packed,
    unpacked,
)
from entangle_kernels.ladder import BACK_DOWN, MARK_SHIFT, OBLIGATION_ACTIVE, STATES
from entangle_kernels.quantise import Tables, assemble, move_cuts
from entangle_kernels.sweep import ROWS, backward, forward

#: Channels, as bits of a world's number: whose policy, or the material terms, are as under the pact.
DETERRENCE, EMBOLDENMENT, OBLIGATION, CAPABILITY = 1, 2, 4, 8
WORLDS = 16
FULL, EMPTY = 15, 0


class Everywhere(NamedTuple):
    """What the players of a game do in every state, whether their game can reach it or not.

    Parameters
    ----------
    policy
        Probability of backing down, holding, escalating under the game's own delays, shape
        (3, rounds, states, H, 3); where the game can be, that of its equilibrium to the last bit.
    wish
        The defender's, if no delay held it back, shape (rounds, states, H, 3).
    """

    policy: Floats
    wish: Floats


def everywhere(game: Game, solution: Solution) -> Everywhere:
    """Return the players' choices in every state, given those that they make where they can be."""
    combos = combinations(game)
    allowed = allowed_moves(game)
    live = live_states(game, allowed)
    layout = layout_of(game, allowed, live)
    reach = np.zeros((game.rounds + 1, 3, STATES, combos.weight.size))
    forward(game, combos, live, layout, packed(layout, solution.policy, solution.enter), reach)
    playable = np.broadcast_to(game.legal[0, :, BACK_DOWN], live.shape).copy()

    def answer(game: Game, policy: Floats, damping: float) -> Floats:
        """Return what the moves of later choices by `policy`, or a share of it, are answered with."""
        layout = layout_of(game, allowed_moves(game), playable)
        point = packed(layout, policy, solution.enter)
        found, values = np.zeros_like(point), np.zeros((3, 2))
        worth = np.zeros((ROWS, 3, combos.weight.size))
        backward(game, combos, playable, layout, reach, point, damping, found, values, worth)
        return unpacked(game, combos, playable, layout, found)[0]

    policy = answer(game, np.zeros_like(solution.policy), 0.0)
    solved = np.moveaxis(live[:, :3], 1, 0)
    policy[solved] = solution.policy[solved]

    unhindered = game._replace(first_support=0, first_fight=0)
    # damping 1: what each move is worth if everybody goes on as they do, delays included
    wish = answer(unhindered, policy, 1.0)
    held = (allowed_moves(unhindered) != allowed)[:, 2].any(axis=-1)
    found = policy[2].copy()
    found[held] = wish[2][held]
    return Everywhere(policy, found)


class Solved(NamedTuple):
    """A solved pact, ready to be mixed with another.

    Parameters
    ----------
    games, solutions, choices
        One game of two scopes; two games of one scope, outside and inside; or one that serves both.
    """

    games: Sequence[Game]
    solutions: Sequence[Solution]
    choices: Sequence[Everywhere]

    @property
    def owes(self) -> bool:
        """Whether an obligation can ever be active."""
        active = OBLIGATION_ACTIVE << MARK_SHIFT
        return any(bool((game.step & active).any()) for game in self.games)

    def at(self, scope: int) -> tuple[int, int]:
        """Return the game that is played in a scope (0 outside, 1 inside), and which scope that is to it."""
        if self.games[0].scope.size == 2:
            return 0, scope
        return scope % len(self.games), 0


def world(pact: Solved, empty: Solved, channels: int, *, in_scope: float) -> Tables:
    """Return the thresholds of a world.

    Parameters
    ----------
    pact, empty
        The solved games with and without the pact, of equally many types and rounds.
    channels
        Sum of the channels that are as under the pact, 0-15. :data:`FULL` is the pact, :data:`EMPTY` is none.
    in_scope
        Probability that a dispute is in scope under the pact, a multiple of 2^-32.
    """
    estimates = pact.games[0].estimate.shape[0]
    material = pact if channels & CAPABILITY else empty
    owing = pact if channels & OBLIGATION else empty
    # where nothing is ever owed, what the defender does otherwise it does for the material terms
    promise = OBLIGATION if pact.owes else CAPABILITY
    movers = [pact if channels & bit else empty for bit in (DETERRENCE, EMBOLDENMENT, promise)]
    cut, enter, step = [], [], []
    for scope in range(2):
        at, _ = material.at(scope)
        terms = material.games[at]
        allowed = allowed_moves(terms)
        cuts, opens = [], []
        for actor, side in enumerate(movers):
            at, z = side.at(scope)
            own = _own_sets(side.games[at], actor, z, estimates)
            policy = side.choices[at].policy[actor]
            if actor == 2:
                # where its own game allows just the same moves, what it does there is meant, to the last bit
                same = (allowed_moves(side.games[at]) == allowed)[:, 2].all(axis=-1)
                within = _within(side.choices[at].wish, allowed[:, 2])
                policy = np.where(same[:, :, np.newaxis, np.newaxis], policy, within)
            cuts.append(move_cuts(policy[:, :, own, :], terms.passes if actor == 2 else None))
            if actor < 2:
                opens.append(side.solutions[at].enter[actor, own])
        cut.append(cuts)
        enter.append(opens)
        at, z = owing.at(scope)
        step.append(owing.games[at].step[z])
    at, _ = material.at(1)
    return assemble(pact.games[0], material.games[at], cut=cut, enter=enter, step=step, in_scope=in_scope)


def _own_sets(game: Game, actor: int, z: int, estimates: int) -> NDArray[np.int64]:
    """Return which of the actor's information sets stands for each (estimate, type), shape (E * K,)."""
    types = np.arange(game.theta.shape[1])
    if actor == 0:  # its sets are its types alone
        return np.tile(types, estimates)
    if game.estimate.shape[0] < estimates:  # partners who get no estimate cannot heed it
        return np.tile(z * types.size + types, estimates)
    return z * estimates * types.size + np.arange(estimates * types.size)


def _within(wish: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """Return a policy in which only allowed moves are made, in proportion to the wish."""
    permitted = allowed[:, :, np.newaxis, :]
    kept: Floats = wish * permitted
    total = kept.sum(axis=-1, keepdims=True)
    held = ~permitted.all(axis=-1, keepdims=True) & (total > 0)
    np.divide(kept, total, out=kept, where=held)
    return kept
