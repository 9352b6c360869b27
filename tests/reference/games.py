"""Small crisis games in round figures, made without the lowering step.

The lowering of pacts may change its formulas; stored answers must not move with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from entangle_kernels import ladder
from entangle_kernels.equilibrium import solve
from entangle_kernels.game import Game
from entangle_kernels.quantise import Tables, tables
from reference.chances import type_weights

WORDS = 2**32


def crisis_game(
    *,
    types: int = 2,
    estimates: int = 1,
    scopes: int = 1,
    rounds: int = 1,
    precision: float = 2.0,
    origin: tuple[float, float] = (0.75, 0.25),
    support: int = 0,
    first_support: int = 0,
    first_fight: int = 0,
    passes: float = 1.0,
    owed: float = 1.0,
    by_resolve: float = 0.5,
    discount: float = 0.5,
    trigger: int = 3,
    required: int = 3,
    nuclear: tuple[bool, bool, bool] = (False, False, True),
) -> Game:
    """Return a game with every part of a crisis in it.

    Parameters
    ----------
    support
        The defender's support when a crisis opens.
    by_resolve
        Part of a breach's cost that is a share of the defender's stake.
    passes
        Probability that the vote on fighting passes.
    owed, discount, trigger, required
        Cost of a breach per round, the share of it that is owed to a protégé that used force first,
        the rung from which help is owed and the support that honours the promise. With two scopes
        nothing is owed in the first.
    """
    rung, backing, provoked = np.array([ladder.unpack(s) for s in range(ladder.STATES)]).T
    due = np.where(provoked == 1, discount, 1.0) * (rung >= trigger) * owed
    held = [float(scope) for scope in range(scopes)] if scopes == 2 else [1.0]
    rules = [ladder.Rules(nuclear, due * share, required) for share in held]
    legal = ladder.legal(rules[0])

    played = (rung >= 1) & (rung <= 7)
    nature = np.zeros((ladder.STATES, ladder.OUTCOMES))
    nature[:, ladder.COOL] = np.where(played, 0.25 - 0.03 * rung, 0.0)
    decision = np.where(played & (rung >= 4), 0.05 * (rung - 2), 0.0)
    nature[:, ladder.WON] = decision * (0.2 + 0.2 * backing)
    nature[:, ladder.LOST] = decision * (0.8 - 0.2 * backing)
    nature[:, ladder.ACCIDENT] = np.where(played & legal[3, :, 2], 0.01 * rung, 0.0)
    nature[:, ladder.NOTHING] = 1.0 - nature.sum(axis=1)

    prize = np.zeros((ladder.ENDS, ladder.STATES))
    prize[ladder.CONCESSION] = prize[ladder.DEFEAT] = 1.0
    prize[ladder.COMPROMISE] = 0.25 * (provoked == 0)
    prize[ladder.WITHDRAWAL] = prize[ladder.VICTORY] = -0.5 * (provoked == 1)
    cost = np.zeros((scopes, 3, ladder.ENDS, ladder.STATES))
    cost[:, 0, ladder.WITHDRAWAL] = 0.05 * rung
    cost[:, 1, ladder.CONCESSION] = 0.08 * rung
    cost[:, :, ladder.GENERAL_WAR] = 5.0
    running = np.zeros((scopes, 3, ladder.STATES))
    running[:, 0] = 0.01 * rung**2 * (1.0 + 0.2 * backing)
    running[:, 1] = 0.02 * rung**2 * (1.0 - 0.2 * backing)
    running[:, 2] = 0.02 * backing + 0.015 * rung**2 * (backing == 3)
    breach = np.zeros((scopes, 2, ladder.STATES))
    for scope, share in enumerate(held):
        failing = due * share * (backing < required)
        running[scope, 2] += 0.4 * (1.0 - by_resolve) * failing
        cost[scope, 2, ladder.DEFEAT] += (1.0 - by_resolve) * failing
        breach[scope] = 0.4 * by_resolve * failing, by_resolve * failing

    step_of_type = np.arange(types) / max(types - 1, 1)
    theta = np.array([[0.6], [0.7], [0.3]]) + np.outer([1.0, 0.8, 0.9], step_of_type)
    resolute = np.round((0.2 + 0.6 * step_of_type) * WORDS) / WORDS
    return Game(
        precision=precision,
        rounds=rounds,
        first_support=first_support,
        first_fight=first_fight,
        theta=theta,
        prior=np.tile(type_weights(types), (3, 1)),
        estimate=np.stack([1.0 - resolute, resolute]) if estimates == 2 else np.ones((1, types)),
        scope=np.array([0.375, 0.625]) if scopes == 2 else np.ones(1),
        origin=np.array(origin),
        start=np.array([ladder.pack(1, support, provoked) for provoked in (0, 1)]),
        opening=np.array([0.1, 0.15]),
        step=np.stack([ladder.steps(rule) for rule in rules]),
        legal=legal,
        passes=np.where(backing == 2, passes, 1.0),
        nature=nature,
        gain=np.stack([prize, -prize, -prize]),
        cost=cost,
        running=running,
        breach=breach,
        restrain=np.where(backing > 0, 0.04 * rung, 0.0),
    )


def crisis_tables(*, in_scope: float = 0.75, **settings: Any) -> Tables:
    """Return the tables of a solved crisis game, or of two where the scope is public knowledge.

    With one scope a dispute outside the treaty area is a game in which nothing is owed.
    """
    inside = crisis_game(**settings)
    if inside.scope.size == 2:
        games = [inside._replace(scope=np.array([1.0 - in_scope, in_scope]))]
    else:
        games = [crisis_game(**settings | {"owed": 0.0}), inside]
    return tables(games, [solve(game) for game in games], in_scope=in_scope)
