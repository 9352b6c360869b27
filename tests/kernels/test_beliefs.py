"""Beliefs about the others' resolve, against Bayes' rule done by hand on the twin's play."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import numpy as np
import pytest

import reference
from entangle_kernels.beliefs import beliefs, priors
from entangle_kernels.equilibrium import Solution, solve
from entangle_kernels.game import Game, information_sets
from reference import equilibrium as twin
from reference.games import crisis_game

SETTINGS: dict[str, dict[str, Any]] = {
    "three types": {"types": 3, "rounds": 2, "precision": 3.0},
    "an estimate": {"estimates": 2, "rounds": 3},
    "an estimate and private scope": {"estimates": 2, "scopes": 2, "rounds": 2},
    "a vote and delays": {"support": 2, "passes": 0.6, "first_support": 1, "first_fight": 2, "rounds": 3},
    "disputes of the protege only": {"origin": (0.0, 1.0), "rounds": 2},
}
named = pytest.mark.parametrize("name", SETTINGS)


def own(game: Game, actor: int, knows: tuple[int, ...]) -> int:
    """Return the engine's index of what an actor knows."""
    if actor == 0:
        return knows[0]
    scope, estimate, type_ = knows
    estimates, types = game.estimate.shape
    return (scope * estimates + estimate) * types + type_


@cache
def solved(name: str) -> tuple[Game, Solution]:
    game = crisis_game(**SETTINGS[name])
    return game, solve(game, tolerance=1e-12)


@cache
def by_hand(name: str) -> tuple[dict[Any, list[list[float]]], dict[Any, list[list[float]]]]:
    """Return beliefs at every (node, knowledge), and before anybody moves at every (actor, knowledge)."""
    game, _ = solved(name)
    point, types = reference.solve(game), game.theta.shape[1]
    tree = twin._public_tree(game)
    mass: dict[Any, Any] = defaultdict(lambda: [[0.0] * types for _ in range(3)])
    prior: dict[Any, Any] = defaultdict(lambda: [[0.0] * types for _ in range(3)])
    for combination, weight in twin._combinations(game).items():
        reach = twin._play_forward(game, tree, combination, weight, point)
        for actor in range(3):
            for other in range(3):
                prior[actor, twin._knows(actor, combination)][other][combination[2 + other]] += weight
        for node in tree:
            if node[1] == twin.NATURE:
                continue
            for other in range(3):
                key = node, twin._knows(node[1], combination)
                mass[key][other][combination[2 + other]] += reach[node]
    shares = [
        {key: [[p / sum(row) for p in row] for row in rows] for key, rows in table.items()}
        for table in (mass, prior)
    ]
    return shares[0], shares[1]


@named
def test_twin_believes_the_same(name: str) -> None:
    game, solution = solved(name)
    found = beliefs(game, solution)
    expected, _ = by_hand(name)
    for ((t, stage, state), knows), rows in expected.items():
        assert found[t, stage, state, own(game, stage, knows)] == pytest.approx(np.array(rows), abs=1e-9)
    moved = [np.ptp([rows[0] for (n, _), rows in expected.items() if n[1] == 1], axis=0).max()]
    assert max(moved) > 0.01, "the comparison should see beliefs that have moved"


@named
def test_before_the_first_move_and_where_nobody_gets_the_prior_holds(name: str) -> None:
    game, solution = solved(name)
    before, found = priors(game), beliefs(game, solution)
    _, expected = by_hand(name)
    for (actor, knows), rows in expected.items():
        assert before[actor, own(game, actor, knows)] == pytest.approx(np.array(rows), abs=1e-12)
    never = solution.reached == 0.0  # actor, round, state, knowledge
    assert never.any()
    for actor, t, state, knows in np.argwhere(never)[::97]:
        np.testing.assert_array_equal(found[t, actor, state, knows], before[actor, knows])


@named
def test_beliefs_are_distributions_and_one_knows_oneself(name: str) -> None:
    game, solution = solved(name)
    found = beliefs(game, solution)
    types = game.theta.shape[1]
    assert found.shape == (game.rounds, 3, 72, information_sets(game), 3, types)
    for actor in range(3):
        sets = types if actor == 0 else information_sets(game)
        held = found[:, actor, :, :sets]
        assert held.sum(axis=-1) == pytest.approx(np.ones(held.shape[:-1]), abs=1e-12)
        assert (held >= 0.0).all()
        for knows in range(sets):
            assert (held[:, :, knows, actor, knows % types] > 1 - 1e-12).all()
        assert np.isnan(found[:, actor, :, sets:]).all()
