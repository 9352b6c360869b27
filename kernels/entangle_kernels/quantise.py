"""Policies and chances as 32-bit thresholds.

A simulated decision compares a random 32-bit word with an integer, never a float with a float. Every
probability is rounded to a multiple of 2^-32 *here*, before the exact pass reads it, so that the simulator
and its oracle share the same numbers and no tolerance hides between them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.equilibrium import Solution
from entangle_kernels.game import Floats, Game
from entangle_kernels.ladder import ACCIDENT, BACK_DOWN, COOL, ESCALATE, LOST, WON

WORDS: Final = 2**32
_TOP: Final = WORDS - 1


class Tables(NamedTuple):
    """Everything that a simulated crisis reads. Scope 0 is outside the treaty area, scope 1 inside.

    Parameters
    ----------
    types, estimates
        K and E; H = E * K information sets for each state and scope.
    rounds
        Rounds after which a crisis is a stalemate.
    hit
        The partners' estimate is "resolute" if the word is below this, by the challenger's type, shape (K,).
    origin
        The dispute arises for the challenger if the word is below this.
    scope
        The dispute is in scope if the word is below this.
    enter
        A crisis opens if the word is above this, shape (2 origins, 2 scopes, H).
    start
        State in which a crisis of each origin opens, shape (2,).
    cut
        Moves, shape (2 scopes, rounds, 3 actors, states, H, 3). Below the first: back down. Above the second:
        escalate, or for the defender a commitment that the vote blocks or passes. Above the third: it passes.
    nature
        Shape (states, 4): below the first cooling, below the second victory, above the third an accident,
        above the fourth defeat.
    step
        Packed steps, shape (2 scopes, 4, states, 5).
    """

    types: int
    estimates: int
    rounds: int
    hit: NDArray[np.uint64]
    origin: np.uint64
    scope: np.uint64
    enter: NDArray[np.uint32]
    start: NDArray[np.int64]
    cut: NDArray[np.uint32]
    nature: NDArray[np.uint32]
    step: NDArray[np.uint16]


def quantise(probability: Floats | float) -> Floats:
    """Return probabilities rounded to the nearest multiple of 2^-32."""
    rounded: Floats = np.rint(np.asarray(probability, np.float64) * WORDS) / WORDS
    return rounded


def type_weights(types: int) -> Floats:
    """Return the exact probability of each of `types` equal classes under ``(word * types) >> 32``."""
    edges = [-(-k * WORDS // types) for k in range(types + 1)]  # ceilings
    return np.diff(np.array(edges, np.float64)) / WORDS


def tables(games: Sequence[Game], solutions: Sequence[Solution], *, in_scope: float) -> Tables:
    """Return the thresholds of the solved games of one pact.

    Parameters
    ----------
    games, solutions
        Either one game of two scopes (whether a dispute is in scope is the partners' private knowledge), or
        two games of one scope each, outside and inside, or one such game that serves both.
    in_scope
        Probability that a dispute is in scope, a multiple of 2^-32.
    """
    first = games[0]
    types = first.theta.shape[1]
    estimates = first.estimate.shape[0]
    sets = types * estimates
    if first.scope.size == 2:
        parts = [(first, solutions[0], scope) for scope in range(2)]
    else:
        parts = [(games[i % len(games)], solutions[i % len(games)], 0) for i in range(2)]
    cut, enter, step = [], [], []
    for game, solution, z in parts:
        # the challenger's sets are its types alone; the partners' carry the scope and the estimate
        own = [np.tile(np.arange(types), estimates)] + [np.arange(z * sets, (z + 1) * sets)] * 2
        passes = [None, None, game.passes]
        cut.append(
            [move_cuts(solution.policy[actor][:, :, own[actor], :], passes[actor]) for actor in range(3)]
        )
        enter.append([solution.enter[actor, own[actor]] for actor in range(2)])
        step.append(game.step[z])
    return assemble(first, first, cut=cut, enter=enter, step=step, in_scope=in_scope)


def assemble(
    dispute: Game,
    material: Game,
    *,
    cut: Sequence[Sequence[NDArray[np.uint32]]],
    enter: Sequence[Sequence[Floats]],
    step: Sequence[NDArray[np.uint16]],
    in_scope: float,
) -> Tables:
    """Return tables from their parts.

    Parameters
    ----------
    dispute
        A game with the private information and the origins of the disputes.
    material
        A game with the chances of nature and the states in which crises open.
    cut
        For each scope and actor, what :func:`move_cuts` returns.
    enter
        For each scope, the challenger's and the protégé's probability of opening a crisis, shape (H,).
    step
        For each scope, packed steps, shape (4, states, 5).
    in_scope
        Probability that a dispute is in scope, a multiple of 2^-32.
    """
    types = dispute.theta.shape[1]
    estimates = dispute.estimate.shape[0]
    return Tables(
        types=types,
        estimates=estimates,
        rounds=dispute.rounds,
        hit=_units(dispute.estimate[-1] if estimates == 2 else np.zeros(types)).astype(np.uint64),
        origin=np.uint64(_units(dispute.origin[0])),
        scope=np.uint64(_units(in_scope)),
        enter=_above(_units(np.array(enter).swapaxes(0, 1).copy())),
        start=material.start,
        cut=np.array(cut).swapaxes(1, 2).copy(),
        nature=_nature_cuts(material.nature),
        step=np.array(step),
    )


def move_cuts(policy: Floats, passes: Floats | None) -> NDArray[np.uint32]:
    """Return the thresholds of an actor's moves.

    Parameters
    ----------
    policy
        Probability of backing down, holding, escalating, shape (rounds, states, H, 3).
    passes
        For the defender, the probability that its commitment passes the vote, shape (states,).

    Returns
    -------
    array of shape (rounds, states, H, 3)
        See :class:`Tables`.
    """
    back = np.minimum(_units(policy[..., BACK_DOWN]), _TOP)
    sharp = np.minimum(_units(policy[..., ESCALATE]), WORDS - back)
    voted = sharp if passes is None else _units(policy[..., ESCALATE] * passes[:, np.newaxis])
    passed = np.minimum(voted, sharp)
    return np.stack([back.astype(np.uint32), _above(sharp), _above(passed)], axis=-1)


def digest(table: Tables) -> str:
    """Return the SHA-256 of every number in `table`, as hexadecimal text."""
    sha = hashlib.sha256()
    for name, value in zip(table._fields, table, strict=True):
        array = np.ascontiguousarray(value)
        little = array.astype(array.dtype.newbyteorder("<"))
        sha.update(f"{name}{little.dtype.str}{little.shape}".encode())
        sha.update(little.tobytes())
    return sha.hexdigest()


def _units(probability: Floats | float) -> NDArray[np.int64]:
    units: NDArray[np.int64] = np.rint(np.asarray(probability) * WORDS).astype(np.int64)
    return units


def _above(units: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the word above which lie `units` words; an event of all 2^32 words loses one."""
    return (_TOP - np.minimum(units, _TOP)).astype(np.uint32)


def _nature_cuts(nature: Floats) -> NDArray[np.uint32]:
    cool, won = _units(nature[:, COOL]), _units(nature[:, WON])
    accident, lost = _units(nature[:, ACCIDENT]), _units(nature[:, LOST])
    mild = np.minimum(cool + won, _TOP)
    sharp = np.minimum(accident + lost, WORDS - mild)
    return np.stack(
        [
            np.minimum(cool, mild).astype(np.uint32),
            mild.astype(np.uint32),
            _above(sharp),
            _above(np.minimum(lost, sharp)),
        ],
        axis=-1,
    )
