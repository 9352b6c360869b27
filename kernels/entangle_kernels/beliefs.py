"""What everybody believes: the type of each other actor, by Bayes' rule from the equilibrium itself."""

from __future__ import annotations

import numpy as np

from entangle_kernels.equilibrium import Solution
from entangle_kernels.game import (
    Combinations,
    Floats,
    Game,
    allowed_moves,
    combinations,
    information_sets,
    layout_of,
    live_states,
    packed,
)
from entangle_kernels.ladder import STATES
from entangle_kernels.sweep import UNREACHED, forward


def beliefs(game: Game, solution: Solution) -> Floats:
    """Return what the mover believes at every information set.

    Returns
    -------
    array of shape (rounds, 3, states, H, 3, K)
        By round, mover, public state and what the mover knows: the probability of each type of each actor.
        Its own type is certain. Where a set is never reached, the prior given what the mover knows; not a
        number at indices that the mover never has.
    """
    combos = combinations(game)
    allowed = allowed_moves(game)
    live = live_states(game, allowed)
    reach = np.zeros((game.rounds + 1, 3, STATES, combos.weight.size))
    layout = layout_of(game, allowed, live)
    forward(game, combos, live, layout, packed(layout, solution.policy, solution.enter), reach)

    before = priors(game)
    found = np.broadcast_to(before[:, np.newaxis], (game.rounds, 3, STATES, *before.shape[1:])).copy()
    for t in range(game.rounds):
        for mover in range(3):
            mass = _by_set(game, combos, mover, reach[t, mover])
            total = mass[..., mover, :].sum(axis=-1)
            arrived = total > UNREACHED
            found[t, mover, arrived] = mass[arrived] / total[arrived][:, np.newaxis, np.newaxis]
    return found


def priors(game: Game) -> Floats:
    """Return what each actor believes before anybody has moved.

    Returns
    -------
    array of shape (3, H, 3, K)
        By actor and what it knows: the probability of each type of each actor; not a number at indices that
        the actor never has.
    """
    combos = combinations(game)
    mass = np.stack([_by_set(game, combos, mover, combos.weight[np.newaxis])[0] for mover in range(3)])
    total = np.stack([mass[mover, :, mover].sum(axis=-1) for mover in range(3)])
    with np.errstate(invalid="ignore"):  # 0 / 0, at an index that an actor never has
        shares: Floats = mass / total[:, :, np.newaxis, np.newaxis]
    return shares


def _by_set(game: Game, combos: Combinations, mover: int, reach: Floats) -> Floats:
    """Return the probability of each set of the mover with each type of each actor.

    Parameters
    ----------
    reach
        Probability of each combination, shape (n, Q).

    Returns
    -------
    array of shape (n, H, 3, K)
    """
    sets, types = information_sets(game), game.theta.shape[1]
    found = np.zeros((sets * 3 * types, reach.shape[0]))
    for actor in range(3):
        np.add.at(found, (combos.info[mover] * 3 + actor) * types + combos.types[actor], reach.T)
    return found.T.reshape(-1, sets, 3, types)
