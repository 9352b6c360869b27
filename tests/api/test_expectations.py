"""What a dispute leads to on average, against payoffs, replays, and the exact pass by other ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from entangle.expectations import EVENTS, QUANTITIES, by_disposition, expectations, loudness, news
from entangle.outcomes import OUTCOMES, REACHED
from entangle_kernels import exact, ladder, worlds
from entangle_kernels.equilibrium import solve
from entangle_kernels.game import Game, allowed_moves
from entangle_kernels.quantise import Tables, tables
from entangle_kernels.replay import replay
from reference.games import crisis_game

SETTINGS: dict[str, dict[str, Any]] = {
    "one type": {"types": 1, "rounds": 4, "support": 1},
    "types and an estimate": {"types": 3, "estimates": 2, "rounds": 3, "trigger": 2},
    "votes": {"types": 2, "rounds": 4, "support": 2, "passes": 0.6, "trigger": 2, "nuclear": (True,) * 3},
}
named = pytest.mark.parametrize("name", SETTINGS)
DEFENDER = 2


def solved(name: str, **changes: Any) -> tuple[Game, Tables]:
    game = crisis_game(**SETTINGS[name] | changes)
    return game, tables([game], [solve(game)], in_scope=1.0)


def given_origin(cells: Any) -> Any:
    return cells / cells.sum(axis=(1, 2, 3, 4), keepdims=True)


@named
def test_events_are_those_of_the_exact_pass(name: str) -> None:
    game, made = solved(name)
    found = expectations(game, made)
    assert found.shape == (made.types, 2, len(QUANTITIES))
    for own in range(made.types):
        alone = np.zeros(made.types)
        alone[own] = 1.0
        cells = given_origin(exact.probabilities(made, defender=alone))
        for i, outcome in enumerate((*OUTCOMES, *REACHED)):
            assert QUANTITIES[i] == outcome.name
            expected = (cells * outcome.event).sum(axis=(1, 2, 3, 4))
            np.testing.assert_allclose(found[own, :, i], expected, atol=1e-12)
    for origin, quantity in enumerate(("dispute_challenger", "dispute_protege")):
        assert (found[:, origin, QUANTITIES.index(quantity)] == 1.0).all()
        assert (found[:, 1 - origin, QUANTITIES.index(quantity)] == 0.0).all()


@named
@pytest.mark.parametrize("origin", [(1.0, 0.0), (0.0, 1.0), (0.75, 0.25)])
def test_costs_are_what_is_missing_from_payoffs(name: str, origin: tuple[float, float]) -> None:
    """What the solver says the game is worth is what is won or lost of the stake, less the costs."""
    game, made = solved(name, origin=origin)
    value = solve(game).value
    found = expectations(game, made)
    cells, _ = exact.by_class(made)
    prior = game.prior[DEFENDER]
    for actor in range(3):
        if actor != DEFENDER and made.types > 1:
            continue  # the passes are by the defender's class; others' stakes are known with one type alone
        won = (cells[:, :, 1] * game.gain[actor, :, :, np.newaxis]).sum(axis=(2, 3, 4))  # (class, origin)
        cost = found[:, :, QUANTITIES.index("cost_challenger") + actor]
        worth = won * game.theta[actor][:, np.newaxis] - cost * np.array(origin)
        assert float(prior @ worth.sum(axis=1)) == pytest.approx(float(value[actor]), abs=2e-8)
        assert (cost[:, np.array(origin) > 0] > 0).all()


def decided(game: Game, made: Tables, instead: Tables, *, n: int) -> Any:
    """Return decisions faced and their distances in replays: by class, origin and dispute."""
    free = allowed_moves(game)[:, DEFENDER].sum(axis=-1) > 1
    found: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for trajectory in range(n):
        dispute = replay(made, trajectory, seed=7)
        own = dispute.estimate * made.types + dispute.types[DEFENDER]
        faced = distance = 0.0
        for step in dispute.steps:
            if step.stage != DEFENDER or not free[step.round, step.state]:
                continue
            faced += 1
            cuts = [t.cut[1, step.round, DEFENDER, step.state, own].astype(float) for t in (made, instead)]
            chances = [(c[0], c[1] + 1 - c[0], 2**32 - 1 - c[1]) for c in cuts]
            distance += sum(abs(a - b) for a, b in zip(*chances, strict=True)) / 2**33
        found.setdefault((dispute.types[DEFENDER], dispute.origin), []).append((faced, distance))
    return found


@named
def test_decisions_and_distances_are_those_of_replays(name: str) -> None:
    """Means of 3 000 disputes within 6.1 standard errors; a mutation twin two fifths off is seen."""
    eager = {"opening": np.full(2, -3.0)}  # so that nearly every dispute becomes a crisis
    game, bare = (crisis_game(**SETTINGS[name] | {"owed": owed})._replace(**eager) for owed in (2.0, 0.0))
    made = tables([game], [solve(game)], in_scope=1.0)
    pair = [worlds.Solved([one], [solve(one)], [worlds.everywhere(one, solve(one))]) for one in (game, bare)]
    unbound = worlds.world(*pair, worlds.FULL & ~worlds.OBLIGATION, in_scope=1.0)
    found = expectations(game, made, unbound)
    assert (expectations(game, made)[..., QUANTITIES.index("distance")] == 0).all()
    seen = 0
    for (own, origin), pairs in decided(game, made, unbound, n=3000).items():
        for i, quantity in enumerate(("decisions", "distance")):
            values = np.array([pair[i] for pair in pairs])
            error = 6.1 * values.std() / math.sqrt(len(values)) + 1e-9
            expected = found[own, origin, QUANTITIES.index(quantity)]
            assert abs(values.mean() - expected) <= error
            seen += abs(values.mean() - 1.4 * expected) > error
    assert seen >= 2


def test_dispositions_and_origins_are_weighed() -> None:
    game, made = solved("types and an estimate")
    found = expectations(game, made)
    weights = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    mixed = by_disposition(found, weights, for_challenger=0.75)
    for row, own in zip(weights, mixed, strict=True):
        cells = exact.probabilities(made._replace(origin=np.uint64(3 * 2**30)), defender=row)
        war = EVENTS.index("war")
        assert own[war] == pytest.approx(cells[OUTCOMES[war].event].sum(), rel=1e-9)
    help_, fail = news(found, weights, for_challenger=0.75)
    events = [EVENTS.index("reliability"), EVENTS.index("abandonment")]
    assert [help_, fail] == pytest.approx([math.log(mixed[1, e] / mixed[0, e]) for e in events])


@pytest.mark.parametrize(
    ("steadfast", "wavering", "expected"), [(0.0, 0.0, 0.0), (0.1, 0.0, 3.0), (0.2, 0.1, math.log(2))]
)
def test_news_is_never_louder_than_it_may_be(steadfast: float, wavering: float, expected: float) -> None:
    assert loudness(steadfast, wavering) == pytest.approx(expected)


def test_every_end_is_priced() -> None:
    """A game in which a defeat costs the defender most: its cost rises with how often that comes about."""
    game, made = solved("types and an estimate")
    dear = game._replace(breach=game.breach * 3.0)
    defeat = QUANTITIES.index("cost_defender")
    assert (expectations(dear, made)[..., defeat] > expectations(game, made)[..., defeat]).all()
    assert ladder.DEFEAT == 4
