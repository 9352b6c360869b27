"""Lowering: each clause moves its own levers, in the stated direction, and can be left out alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from clause_fields import PRESENT
from entangle.lowering import CLAUSE_FUNCTIONS, Levers, Setting, game, games, lower, no_pact
from entangle.pact import CLAUSES, Clause, Pact
from entangle.study import Study
from entangle_kernels import ladder

SETTING = Setting.of(
    Study.from_dict(
        {
            "scenario": {"challenger": "red", "protege": "blue", "defender": "green"},
            "actors": {
                "red": {"capability": 1.0, "regime": 0.2},
                "blue": {"capability": 0.5},
                "green": {"capability": 3.0, "nuclear": True},
                "grey": {"capability": 0.25},
            },
            "pacts": {"no_pact": {}},
        }
    )
)

#: What each clause, at the strength given here, may touch; nothing else may move.
MOVES: dict[Clause, tuple[dict[str, Any], set[str]]] = {
    "obligation": (
        {
            "commitment": "defence",
            "coverage": 0.5,
            "ambiguous": True,
            "trigger": "threat",
            "required": "military",
        },
        {"owed", "coverage", "ambiguous", "trigger", "required"},
    ),
    "consultation": (
        {"consultation": 0.6, "hotline": True},
        {"accident", "first_support", "initial_support"},
    ),
    "integration": ({"integration": 0.5}, {"joint_share"}),
    "intelligence": ({"intelligence": 0.5}, {"accuracy"}),
    "basing": (
        {"access": "permanent", "forces": 0.5},
        {"projection", "first_support", "initial_support", "tripwire", "exposure", "grievance"},
    ),
    "assistance": ({"assistance": 0.2}, {"capability"}),
    "authorisation": ({"legislature": True, "approval": 0.5, "delay": 2}, {"passes", "vote_delay"}),
    "exit": ({"term_years": 5.0, "review_years": 1.0, "renegotiation": True}, set()),
    "coalition": (
        {"coalition": {"members": ["green", "grey"], "agreement": 0.5, "quorum": 1.0}},
        {"capability", "collective_delay", "joins"},
    ),
}


def moved(before: Levers, after: Levers) -> set[str]:
    return {
        field.name for field in fields(Levers) if getattr(before, field.name) != getattr(after, field.name)
    }


def test_there_is_one_function_for_every_clause() -> None:
    assert set(CLAUSE_FUNCTIONS) == set(CLAUSES) == set(MOVES)
    for function in CLAUSE_FUNCTIONS.values():
        assert len(function.__doc__ or "") > 60


@pytest.mark.parametrize("clause", MOVES)
def test_a_clause_moves_its_own_levers_only(clause: Clause) -> None:
    terms, levers = MOVES[clause]
    pact = Pact(**terms)
    assert moved(no_pact(SETTING), lower(pact, SETTING)) == levers
    assert lower(pact, SETTING, without=(clause,)) == no_pact(SETTING)


@pytest.mark.parametrize("clause", MOVES)
def test_a_clause_can_be_left_out_of_a_full_pact_alone(clause: Clause) -> None:
    everything = Pact(**{key: value for terms, _ in MOVES.values() for key, value in terms.items()})
    without = lower(everything, SETTING, without=(clause,))
    assert without == lower(everything.without(clause), SETTING)
    assert bool(moved(lower(everything, SETTING), without)) == bool(MOVES[clause][1])


@pytest.mark.parametrize("field", PRESENT)
def test_a_pact_with_one_field_lowers(field: str) -> None:
    made, in_scope = games(lower(Pact(**PRESENT[field]), SETTING), SETTING)
    assert 0.0 <= in_scope <= 1.0
    for one in made:
        np.testing.assert_allclose(one.nature.sum(axis=1), 1.0, atol=1e-15)
        assert one.nature.min() >= 0.0
        assert np.all(one.running >= 0.0)
        np.testing.assert_allclose(one.prior.sum(axis=1), 1.0, atol=1e-15)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"commitment": "defence", "coverage": 0.0},
        {"commitment": "defence", "strength": 0.0},
        {"commitment": "defence", "reciprocal": False, "guarantor": "blue"},
        {"integration": 0.0, "intelligence": 0.0, "consultation": 0.0},
        {"legislature": True, "approval": 1.0},
        {"term_years": 3.0, "notice_months": 6.0, "suspension": True},
        {"protege_floor": 0.03},
    ],
)
def test_what_nobody_can_invoke_is_no_pact_to_the_bit(terms: dict[str, Any]) -> None:
    (bound,), share = games(lower(Pact(**terms), SETTING), SETTING)
    (free,), free_share = games(no_pact(SETTING), SETTING)
    assert share == free_share
    for name, ours, theirs in zip(bound._fields, bound, free, strict=True):
        assert np.array_equal(ours, theirs), name


def owed_in(pact: Pact, setting: Setting, rung: int, provoked: int) -> tuple[float, float]:
    """Breach cost of a round in a state, in scope, at no support; and of a defeat: of a median defender."""
    made, _ = games(lower(pact, setting), setting)
    state = ladder.pack(rung, 0, provoked)
    bare, _ = games(no_pact(setting), setting)
    stake = setting.seats[2].resolve.median * setting.scenario.alignment
    running = made[-1].running[-1, 2, state] - bare[0].running[0, 2, state]
    defeat = (made[-1].cost[-1] - bare[0].cost[0])[2, ladder.DEFEAT, state]
    by_round, at_defeat = made[-1].breach[-1, :, state] * stake
    return float(running + by_round), float(defeat + at_defeat)


@pytest.mark.parametrize("moved", [0.0, 0.25, 1.0])
def test_breach_starts_at_the_trigger_and_is_discounted_when_provoked(moved: float) -> None:
    pact = Pact(commitment="defence", strength=0.5, trigger="local_war", provoked_discount=0.4)
    parameters = SETTING.parameters.replace(breach_resolve=moved)
    setting = Setting(SETTING.scenario, SETTING.actors, parameters)
    full = 0.5 * parameters.breach
    by_round = full * parameters.breach_per_round
    assert owed_in(pact, setting, 3, 0) == (0.0, 0.0)
    assert owed_in(pact, setting, 4, 0) == pytest.approx((by_round, full))
    assert owed_in(pact, setting, 4, 1) == pytest.approx((0.4 * by_round, 0.4 * full))


def test_a_breach_costs_the_more_the_more_resolute_a_defender_is() -> None:
    """In proportion to its stake, wholly or in part; one without a stake pays the same whatever its type."""
    pact = Pact(commitment="defence")
    for moved, alignment in ((0.0, 0.3), (0.5, 0.3), (1.0, 0.3), (1.0, 0.0)):
        setting = Setting(
            SETTING.scenario.replace(alignment=alignment),
            SETTING.actors,
            SETTING.parameters.replace(breach_resolve=moved),
        )
        one, _ = games(lower(pact, setting), setting)
        state = ladder.pack(5, 0, 0)
        stakes = one[0].theta[2]
        costs = one[0].cost[0, 2, ladder.DEFEAT, state] + one[0].breach[0, 1, state] * stakes
        resolve = setting.seats[2].resolve
        levels = stakes / (resolve.median * alignment) if alignment else np.ones(stakes.size)
        expected = setting.parameters.breach * (1 - moved + moved * levels)
        np.testing.assert_allclose(costs, expected if alignment else setting.parameters.breach)


def test_commitments_are_ordered() -> None:
    costs = [
        max(lower(Pact(commitment=name), SETTING).owed)
        for name in ("consult", "conditional", "defence", "automatic")
    ]
    assert costs == sorted(costs)
    assert costs[0] > 0


def test_scope_makes_one_game_or_two() -> None:
    clear, share = games(lower(Pact(commitment="defence", coverage=0.25), SETTING), SETTING)
    assert share == 0.25
    assert [one.scope.size for one in clear] == [1, 1]
    veiled, _ = games(lower(Pact(commitment="defence", coverage=0.25, ambiguous=True), SETTING), SETTING)
    assert [one.scope.size for one in veiled] == [2]
    np.testing.assert_array_equal(veiled[0].scope, [0.75, 0.25])
    whole, share = games(lower(Pact(commitment="defence", ambiguous=True), SETTING), SETTING)
    assert share == 1.0
    assert len(whole) == 1


def test_a_quorum_is_a_binomial_tail() -> None:
    terms = {"members": ["green", "grey", "blue"], "agreement": 0.25, "quorum": 1.0}
    levers = lower(Pact(commitment="defence", coalition=terms), SETTING)
    # blue is the protégé, so two defenders decide: the leader and one who goes along with 1 in 4
    assert levers.joins == pytest.approx(0.25)
    assert levers.capability[2] == pytest.approx(3.25)
    assert max(levers.owed) == pytest.approx(SETTING.parameters.breach / 2)


@pytest.mark.parametrize("factor", [0.5, 2.0**-20, 1e6, 7.0])
def test_the_unit_of_capability_does_not_matter(factor: float) -> None:
    scaled = Setting(
        SETTING.scenario,
        {name: actor.replace(capability=actor.capability * factor) for name, actor in SETTING.actors.items()},
        SETTING.parameters,
    )
    pact = Pact(commitment="defence", integration=0.5, assistance=0.1)
    ours = game(lower(pact, SETTING), SETTING, scopes=(1.0,))
    theirs = game(lower(pact, scaled), scaled, scopes=(1.0,))
    for name, a, b in zip(ours._fields, ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15, err_msg=name)
