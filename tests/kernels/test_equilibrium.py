"""The fast solver against its twin, against closed forms, and against its own word."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference
from entangle.fit import population, priors
from entangle.lowering import Setting, games, lower
from entangle.lowering import game as lowered
from entangle.lowering.levers import Context
from entangle.study import Study
from entangle_kernels import ladder
from entangle_kernels.equilibrium import ConvergenceError, Solution, solve, trace
from entangle_kernels.game import (
    Game,
    allowed_moves,
    combinations,
    layout_of,
    live_states,
    packed,
    unpacked,
)
from entangle_kernels.memory import SPARE
from entangle_kernels.sweep import ROWS, _exponential, backward, forward
from reference.games import crisis_game

CONFIGS = Path(__file__).parents[2] / "configs"

#: What is in every game that is left to its defaults: private resolve, a promise, an accident.
GAMES: dict[str, dict[str, Any]] = {
    "one type": {"types": 1, "rounds": 3},
    "two types": {"rounds": 3},
    "three types": {"types": 3, "rounds": 2, "precision": 3.0},
    "an estimate": {"estimates": 2, "rounds": 3},
    "private scope": {"scopes": 2, "rounds": 2, "trigger": 1, "required": 2},
    "an estimate and private scope": {"estimates": 2, "scopes": 2, "rounds": 2},
    "a vote": {"support": 2, "passes": 0.6, "rounds": 2, "precision": 3.0},
    "delays": {"support": 1, "first_support": 1, "first_fight": 2, "rounds": 4, "precision": 1.0},
    "disputes of the protege only": {"origin": (0.0, 1.0), "rounds": 2},
    "everyone is nuclear": {"nuclear": (True, True, True), "rounds": 3, "precision": 1.0},
}
#: Too large for the twin to solve: it only says what everybody answers to the solution.
LARGER: dict[str, dict[str, Any]] = {
    "many rounds": {"rounds": 8},
    "all at once": {
        "types": 3,
        "estimates": 2,
        "scopes": 2,
        "rounds": 3,
        "support": 2,
        "passes": 0.7,
        "first_fight": 1,
        "precision": 3.0,
    },
}


def own(game: Game, actor: int, knows: tuple[int, ...]) -> int:
    """Return the engine's index of what an actor knows."""
    if actor == 0:
        return knows[0]
    scope, estimate, type_ = knows
    estimates, types = game.estimate.shape
    return (scope * estimates + estimate) * types + type_


def worst_difference(game: Game, solution: Solution, twin: reference.Equilibrium) -> float:
    """Return the largest difference of a choice probability at any information set."""
    worst = 0.0
    for ((t, stage, state), knows), chances in twin.policy.items():
        found = solution.policy[stage, t, state, own(game, stage, knows)]
        for move in range(3):
            worst = max(worst, abs(found[move] - chances.get(move, 0.0)))
    for (origin, knows), chance in twin.enter.items():
        worst = max(worst, abs(solution.enter[origin, own(game, origin, knows)] - chance))
    return worst


def as_twin(game: Game, solution: Solution) -> reference.Equilibrium:
    """Return the engine's solution in the twin's form."""
    start = reference.equilibrium.uniform(game)
    policy = {
        (node, knows): {
            move: float(solution.policy[node[1], node[0], node[2], own(game, node[1], knows), move])
            for move in chances
        }
        for (node, knows), chances in start.policy.items()
    }
    enter = {
        (origin, knows): float(solution.enter[origin, own(game, origin, knows)])
        for origin, knows in start.enter
    }
    return start._replace(policy=policy, enter=enter)


@pytest.mark.parametrize("name", GAMES)
def test_twin_agrees_at_every_information_set(name: str) -> None:
    game = crisis_game(**GAMES[name])
    solution, twin = solve(game, tolerance=1e-12), reference.solve(game)
    assert worst_difference(game, solution, twin) < 1e-9
    # and neither knows of an information set that the other does not
    assert np.count_nonzero(solution.policy.sum(axis=-1)) == len(twin.policy)
    assert np.count_nonzero(solution.enter) == len(twin.enter)
    assert solution.value == pytest.approx(twin.value, abs=1e-9)
    for ((t, stage, state), knows), chance in twin.reach.items():
        found = solution.reached[stage, t, state, own(game, stage, knows)]
        assert found == pytest.approx(chance, abs=1e-12)


@pytest.mark.parametrize("name", LARGER)
def test_twin_would_not_answer_otherwise(name: str) -> None:
    game = crisis_game(**LARGER[name])
    solution = solve(game, tolerance=1e-12)
    twin = reference.answer(game, as_twin(game, solution))
    assert twin.residual < 1e-9
    assert solution.value == pytest.approx(twin.value, abs=1e-9)


def test_comparison_with_the_twin_notices_a_thousandth() -> None:
    game = crisis_game(**GAMES["two types"])
    other = game._replace(precision=game.precision * 1.001)
    assert worst_difference(game, solve(other, tolerance=1e-12), reference.solve(game)) > 1e-5


@pytest.mark.parametrize("name", [*GAMES, *LARGER])
def test_probabilities_sum_to_one(name: str) -> None:
    game = crisis_game(**GAMES.get(name, LARGER.get(name, {})))
    policy = solve(game).policy
    total = policy.sum(axis=-1)
    assert (policy >= 0.0).all()
    assert np.abs(total[total > 0] - 1.0).max() < 1e-14


@pytest.mark.parametrize("name", ["two types", "an estimate and private scope", "delays"])
def test_without_precision_every_move_is_equally_likely(name: str) -> None:
    solution = solve(crisis_game(**GAMES[name] | {"precision": 0.0}))
    total = solution.policy.sum(axis=-1, keepdims=True)
    moves = np.count_nonzero(solution.policy, axis=-1, keepdims=True)
    expected = np.where(solution.policy > 0, total / np.maximum(moves, 1), 0.0)
    assert np.abs(solution.policy - expected).max() < 1e-15
    assert set(np.unique(solution.enter)) <= {0.0, 0.5}


def test_small_precision_departs_from_uniform_in_proportion() -> None:
    # to first order in the precision a choice moves by precision x (worth - mean worth) / moves
    distance = []
    for precision in (1e-4, 2e-4):
        policy = solve(crisis_game(rounds=2, precision=precision), tolerance=1e-14).policy
        moves = np.maximum(np.count_nonzero(policy, axis=-1, keepdims=True), 1)
        distance.append(np.abs(np.where(policy > 0, policy - 1.0 / moves, 0.0)).max())
    assert distance[1] / distance[0] == pytest.approx(2.0, rel=1e-3)


def test_two_players_and_one_round_have_a_closed_form() -> None:
    precision = 2.5
    game = crisis_game(types=1, rounds=1, precision=precision, first_support=1, origin=(1.0, 0.0))
    solution = solve(game, tolerance=1e-14)
    thetas = [float(theta) for theta in game.theta[:2, 0]]

    def ending(actor: int, end: int, state: int) -> float:
        return float(game.gain[actor, end, state]) * thetas[actor] - float(game.cost[0, actor, end, state])

    def after_nature(actor: int, rung: int, provoked: int) -> float:
        state = ladder.pack(rung, 0, provoked)
        cool, _, nothing, accident, _ = (float(chance) for chance in game.nature[state])
        up = ladder.pack(rung + 1, 0, provoked)
        return (
            cool * ending(actor, ladder.COMPROMISE, state)
            + nothing * ending(actor, ladder.STALEMATE, state)
            + accident * ending(actor, ladder.STALEMATE, up)
            - float(game.running[0, actor, state])
        )

    def logit(worth: list[float]) -> list[float]:
        odds = [math.exp(precision * w) for w in worth]
        return [odd / sum(odds) for odd in odds]

    def mean(chances: list[float], worth: list[float]) -> float:
        return sum(chance * w for chance, w in zip(chances, worth, strict=True))

    # the protégé after the challenger held (rung 1) or escalated (rung 2)
    expected = []
    for rung in (1, 2):
        state = ladder.pack(rung, 0, 0)
        places = [(rung, 0), (rung + 1, 1 if rung + 1 == 3 else 0)]
        worth = [
            [ending(actor, ladder.CONCESSION, state)] + [after_nature(actor, *to) for to in places]
            for actor in (0, 1)
        ]
        answer = logit(worth[1])
        assert solution.policy[1, 0, state, 0] == pytest.approx(answer, abs=1e-13)
        expected.append(mean(answer, worth[0]))
    opening = ladder.pack(1, 0, 0)
    worth_of_move = [ending(0, ladder.WITHDRAWAL, opening), *expected]
    first = logit(worth_of_move)
    assert solution.policy[0, 0, opening, 0] == pytest.approx(first, abs=1e-13)
    challenge = mean(first, worth_of_move) - float(game.opening[0])
    assert solution.enter[0, 0] == pytest.approx(logit([0.0, challenge])[1], abs=1e-13)
    assert solution.value[0] == pytest.approx(solution.enter[0, 0] * challenge, abs=1e-13)


@pytest.mark.parametrize("name", GAMES)
def test_residual_is_honest(name: str) -> None:
    game = crisis_game(**GAMES[name])
    for tolerance in (1e-4, 1e-8, 1e-12):
        solution = solve(game, tolerance=tolerance)
        assert solution.residual <= tolerance
        # one more answer moves no choice by much more than the solution says
        assert reference.answer(game, as_twin(game, solution)).residual < 10 * tolerance


@pytest.mark.parametrize("name", [*GAMES, *LARGER])
def test_fast_solution_is_on_the_principal_branch(name: str) -> None:
    game = crisis_game(**GAMES.get(name, LARGER.get(name, {})))
    fast, traced = solve(game, tolerance=1e-11), trace(game, tolerance=1e-11)
    assert np.abs(fast.policy - traced.policy).max() < 1e-9
    assert np.abs(fast.enter - traced.enter).max() < 1e-9


def test_a_good_start_saves_sweeps_and_changes_nothing() -> None:
    game = crisis_game(rounds=4)
    near = solve(game._replace(precision=game.precision * 1.01))
    cold, warm = solve(game, tolerance=1e-12), solve(game, start=near, tolerance=1e-12)
    assert warm.sweeps < cold.sweeps
    assert np.abs(warm.policy - cold.policy).max() < 1e-10


@pytest.mark.parametrize("pact", ["no_pact", "treaty"])
def test_solutions_from_neighbours_are_those_from_nowhere(pact: str) -> None:
    study = Study.load(CONFIGS / "baseline.toml")
    setting = Setting.of(study)
    levers = lower(study.pacts[pact], setting)
    before = solve(games(levers, setting)[0][0], tolerance=1e-11)
    for local in (-0.1, 0.0, 0.1):
        for backing in (-0.1, 0.0, 0.1):
            game = games(levers, setting, context=Context(local=local, backing=backing))[0][0]
            cold, warm = solve(game, tolerance=1e-11), solve(game, start=before, tolerance=1e-11)
            assert np.abs(warm.policy - cold.policy).max() < 1e-9
            assert np.abs(warm.enter - cold.enter).max() < 1e-9
            assert warm.sweeps < cold.sweeps
            before = warm


def test_a_start_that_is_far_off_does_no_harm() -> None:
    game = crisis_game(rounds=4, precision=3.0)
    cold = solve(game, tolerance=1e-12)
    # everybody does what is worst for them
    far = solve(game._replace(precision=-30.0 * game.precision, rounds=4), tolerance=1.0)
    assert np.abs(far.policy - cold.policy).max() > 0.9
    warm = solve(game, start=far, tolerance=1e-12)
    assert np.abs(warm.policy - cold.policy).max() < 1e-10


def test_idle_combinations_change_nothing() -> None:
    game = crisis_game(types=3, estimates=2, scopes=2, rounds=2)
    allowed = allowed_moves(game)
    live = live_states(game, allowed)
    layout = layout_of(game, allowed, live)
    solution = solve(game)
    point = packed(layout, solution.policy, solution.enter)
    answers = []
    for multiple in (2, 8, 64):
        chosen = combinations(game, multiple=multiple)
        assert chosen.lanes % multiple == 0
        reach = np.zeros((game.rounds + 1, 3, ladder.STATES, chosen.weight.size))
        worth = np.zeros((ROWS, 3, chosen.weight.size))
        answer, values = np.zeros_like(point), np.zeros((3, 2))
        forward(game, chosen, live, layout, point, reach)
        backward(game, chosen, live, layout, reach, point, 0.5, answer, values, worth)
        runs = reach.reshape(*reach.shape[:3], -1, chosen.lanes)
        assert (runs[..., chosen.used :] == 0.0).all()
        answers.append((runs[..., : chosen.used], answer, values))
    for other in answers[1:]:
        for plain, wide in zip(answers[0], other, strict=True):
            assert np.array_equal(plain, wide)


@pytest.mark.parametrize("name", [*GAMES, *LARGER])
def test_packing_choices_and_unpacking_them_changes_nothing(name: str) -> None:
    game = crisis_game(**GAMES.get(name, LARGER.get(name, {})))
    allowed = allowed_moves(game)
    live = live_states(game, allowed)
    layout = layout_of(game, allowed, live)
    solution = solve(game)
    point = packed(layout, solution.policy, solution.enter)
    policy, enter = unpacked(game, combinations(game), live, layout, point)
    assert np.array_equal(policy, solution.policy)
    assert np.array_equal(enter, solution.enter)
    assert point.size == layout.opens[2]


@pytest.mark.parametrize("size", [1, 7, 8, 64, 129])
def test_exponentials_are_right_to_two_units(size: int) -> None:
    numbers = -np.concatenate([[0.0], np.logspace(-18, np.log10(708.0), 4 * size - 1)])[::4]
    bits = np.zeros(size, np.int64)
    rows = np.stack([numbers, numbers])
    _exponential(rows, 1, size, bits, bits.view(np.float64))
    assert np.array_equal(rows[0], numbers)
    exact = np.array([math.exp(number) for number in numbers])
    assert (np.abs(rows[1] - exact) <= 2 * np.spacing(exact)).all()


def test_exponentials_of_what_is_out_of_range() -> None:
    rows = np.array([[-np.inf, -1e300, -709.0, np.nan, 0.0]])
    bits = np.zeros(5, np.int64)
    _exponential(rows, 0, 5, bits, bits.view(np.float64))
    assert np.array_equal(rows[0], [0.0, 0.0, 0.0, np.nan, 1.0], equal_nan=True)


@pytest.mark.parametrize("find", [solve, trace])
def test_no_convergence_is_an_error_that_says_the_residual(find: Any) -> None:
    game = crisis_game(rounds=3, precision=3.0)
    with pytest.raises(ConvergenceError, match="precision 3") as caught:
        find(game, tolerance=-1.0)  # nothing is that still
    assert 0.0 <= caught.value.residual < 1e-9
    assert caught.value.sweeps > 0
    assert f"{caught.value.residual:.2e}" in str(caught.value)


@pytest.mark.parametrize(("seed", "member"), [(0, 4), (6, 4), (9, 7)])
def test_where_the_branch_turns_back_another_equilibrium_is_found(seed: int, member: int) -> None:
    """A point of the fit's prior at twice the usual precision."""
    values = priors.values(np.random.default_rng(seed).standard_normal(len(priors.NAMES)))
    setting = population.setting(population.population(8)[member], values | {"precision": 6.0})
    game = lowered(lower(population.PACT, setting), setting, scopes=(1.0,))
    with pytest.raises(ConvergenceError):
        trace(game)
    for homotopy in (True, False):
        found = solve(game, homotopy=homotopy)
        assert found.residual <= 1e-10
        again = solve(game, start=found)
        assert np.abs(again.policy - found.policy).max() < 1e-9


def test_states_that_are_hardly_ever_reached_are_no_trouble() -> None:
    # so rarely that one over the chance of getting there is more than a float can hold
    game = crisis_game(rounds=3, support=2, passes=2e-311)
    solution = solve(game, tolerance=1e-12)
    assert np.isfinite(solution.policy).all()
    assert solution.residual <= 1e-12
    never = solve(game._replace(passes=np.where(game.passes < 0.5, 0.0, 1.0)), tolerance=1e-12)
    assert solution.value == pytest.approx(never.value, abs=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("find", [solve, trace])
def test_nonsense_is_never_a_solution(find: Any) -> None:
    game = crisis_game(rounds=1)
    with pytest.raises(ConvergenceError):
        find(game._replace(opening=np.full(2, np.nan)))


@pytest.mark.parametrize("name", [*GAMES, *LARGER])
def test_nothing_is_read_of_what_an_earlier_search_left_in_memory(name: str) -> None:
    game = crisis_game(**GAMES.get(name, LARGER.get(name, {})))
    first = solve(game)
    assert SPARE.arrays
    for array in SPARE.arrays:
        array[...] = np.nan
    again = solve(game)
    assert SPARE.arrays  # the same ones
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one, other)
