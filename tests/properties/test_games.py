"""What must hold for every valid pact between any states."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from entangle.lowering import Setting, games, lower
from entangle.pact import Pact
from entangle.study import Study
from entangle_kernels import ladder
from entangle_kernels.crisis import simulate
from entangle_kernels.equilibrium import Solution, solve
from entangle_kernels.exact import probabilities
from entangle_kernels.quantise import Tables, digest, tables
from properties.drawn import EXIT, MATERIAL_TERMS, TERMS, situations, study

examples = settings(max_examples=60, derandomize=True, deadline=None)


def solved(made: Study, pact: str) -> tuple[list[Solution], Tables]:
    setting = Setting.of(made)
    found, in_scope = games(lower(made.pacts[pact], setting), setting)
    solutions = [solve(game) for game in found]
    return solutions, tables(found, solutions, in_scope=in_scope)


def crises(table: Tables, size: int) -> list[tuple[int, ...]]:
    """Return (origin, end, state, marks of what was done) of the first trajectories."""
    done = ladder.FORCE_BY_CHALLENGER | ladder.VOTE_BLOCKED
    found = []
    for trajectory in range(size):
        ((origin, _, end, state, marks),) = np.argwhere(simulate(table, seed=7, first=trajectory, size=1))
        found.append((origin, end, state, marks & done))
    return found


@examples
@given(situations(), TERMS)
def test_probabilities_sum_to_one(situation: dict[str, Any], terms: dict[str, Any]) -> None:
    solutions, table = solved(study(situation, pact=terms), "pact")
    for solution in solutions:
        for chances in (solution.policy.sum(axis=-1), solution.reached):
            assert (chances >= 0.0).all()
        total = solution.policy.sum(axis=-1)
        assert np.abs(total[total > 0] - 1.0).max() < 1e-13
        assert (solution.enter >= 0.0).all()
        assert (solution.enter <= 1.0).all()
    cells = probabilities(table)
    assert (cells >= 0.0).all()
    assert abs(cells.sum() - 1.0) < 1e-12


#: Clauses that are written out and say nothing.
SAYS_NOTHING = st.sampled_from(
    [
        {"commitment": "none"},
        {"commitment": "defence", "strength": 0.0},
        {"commitment": "automatic", "coverage": 0.0},
        {"commitment": "consult", "strength": 0.0, "required": "diplomatic", "trigger": "threat"},
        {"commitment": "defence", "coverage": 0.0, "ambiguous": True, "provoked_discount": 0.2},
        {"commitment": "defence", "reciprocal": False, "guarantor": "ward"},
        {"consultation": 0.0, "hotline": False, "integration": 0.0, "intelligence": 0.0},
        {"access": "none", "forces": 0.0, "assistance": 0.0, "protege_floor": 0.0},
        {"legislature": True, "approval": 1.0, "delay": 0},
        {"legislature": False},
        {"title": "Nothing", "assumptions": ["Nothing is promised."]},
    ]
)


@examples
@given(situations(), SAYS_NOTHING)
def test_empty_pact_is_no_pact_bit_for_bit(situation: dict[str, Any], terms: dict[str, Any]) -> None:
    made = study(situation, no_pact={}, empty=terms)
    assert made.pacts["no_pact"] == Pact()
    (solution,), table = solved(made, "no_pact")
    (other,), empty = solved(made, "empty")
    assert digest(table) == digest(empty)
    assert solution.policy.tobytes() == other.policy.tobytes()


@examples
@given(situations(), TERMS, st.integers(-30, 30))
def test_a_power_of_two_in_the_unit_of_capability_changes_no_bit(
    situation: dict[str, Any], terms: dict[str, Any], power: int
) -> None:
    _, table = solved(study(situation, pact=terms), "pact")
    _, scaled = solved(study(in_unit(situation, 2.0**power), pact=terms), "pact")
    assert digest(table) == digest(scaled)


@examples
@given(situations(), TERMS, st.floats(1e-6, 1e6))
def test_the_unit_of_capability_does_not_matter(
    situation: dict[str, Any], terms: dict[str, Any], unit: float
) -> None:
    first, _ = solved(study(situation, pact=terms), "pact")
    second, _ = solved(study(in_unit(situation, unit), pact=terms), "pact")
    for one, other in zip(first, second, strict=True):
        assert np.abs(one.policy - other.policy).max() < 1e-9
        assert np.abs(one.enter - other.enter).max() < 1e-9


def in_unit(situation: dict[str, Any], unit: float) -> dict[str, Any]:
    actors = {
        name: actor | {"capability": actor["capability"] * unit}
        for name, actor in situation["actors"].items()
    }
    return situation | {"actors": actors}


NEVER_BINDS = st.one_of(
    st.just({"commitment": "defence", "coverage": 0.0}),
    st.just({"commitment": "defence", "trigger": "general_nuclear_war"}),
    st.just({"commitment": "automatic", "trigger": "general_nuclear_war", "coverage": 0.5}),
    EXIT,
)


@examples
@given(situations(), MATERIAL_TERMS, NEVER_BINDS)
def test_a_clause_that_never_binds_changes_no_trajectory(
    situation: dict[str, Any], terms: dict[str, Any], clause: dict[str, Any]
) -> None:
    made = study(situation, without=terms, with_it=terms | clause)
    _, plain = solved(made, "without")
    _, bound = solved(made, "with_it")
    assert crises(plain, 300) == crises(bound, 300)
    # what is exact agrees too, whichever scope a dispute is counted under
    ended = (1, 4)
    difference = probabilities(plain).sum(axis=ended) - probabilities(bound).sum(axis=ended)
    assert np.abs(difference).max() < 1e-15


@examples
@given(situations(), MATERIAL_TERMS)
def test_an_obligation_that_covers_nothing_is_never_active(
    situation: dict[str, Any], terms: dict[str, Any]
) -> None:
    pact = terms | {"commitment": "automatic", "coverage": 0.0, "trigger": "threat"}
    _, table = solved(study(situation, pact=pact), "pact")
    active = (np.arange(ladder.MARKS) & ladder.OBLIGATION_ACTIVE) > 0
    assert not (table.step & (ladder.OBLIGATION_ACTIVE << ladder.MARK_SHIFT)).any()
    assert probabilities(table)[..., active].sum() == 0.0


@examples
@given(situations(), TERMS, st.integers(0, 2**64 - 1), st.integers(1, 3000))
def test_first_n_of_twice_as_many_are_the_run_of_n(
    situation: dict[str, Any], terms: dict[str, Any], seed: int, size: int
) -> None:
    _, table = solved(study(situation, pact=terms), "pact")
    whole = simulate(table, seed=seed, first=0, size=2 * size)
    first = simulate(table, seed=seed, first=0, size=size)
    second = simulate(table, seed=seed, first=size, size=size)
    assert (whole == first + second).all()
    assert (first <= whole).all()
    assert first.sum() == size
