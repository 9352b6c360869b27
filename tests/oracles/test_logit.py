"""Logit equilibria with printed answers: on paper through the fixed-point routines, and as games.

The printed digits were computed outside this project with 25-digit arithmetic and with Gambit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from entangle_kernels import ladder
from entangle_kernels.equilibrium import Solution, solve
from entangle_kernels.fixed_point import accelerate, newton
from entangle_kernels.game import Game

Floats = NDArray[np.float64]
A, B, C, NATURE = range(4)


def sigma(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


# -- the games on paper: each player's chance, given everybody's -----------------------------------


def constant_sum(precision: float, chances: Floats) -> list[float]:
    """Rows U, D; columns L, R; payoffs UL (1, 1), DL (0, 2), UR (1, 1), DR (1, 1)."""
    up, left = chances
    return [sigma(precision * (1 - (1 - left))), sigma(precision * (2 - up - 1))]


CENTIPEDE = [(0.40, 0.10), (0.20, 0.80), (1.60, 0.40), (0.80, 3.20), (6.40, 1.60)]


def centipede(precision: float, chances: Floats) -> list[float]:
    """Take or pass at four nodes in turn; the answer is the chance of taking."""
    pass_on: tuple[float, ...] = CENTIPEDE[4]
    answer = [0.0] * 4
    for node in (3, 2, 1, 0):
        mover = node % 2
        answer[node] = sigma(precision * (CENTIPEDE[node][mover] - pass_on[mover]))
        take = chances[node]
        pass_on = tuple(take * CENTIPEDE[node][i] + (1 - take) * pass_on[i] for i in (0, 1))
    return answer


def poker(precision: float, chances: Floats) -> list[float]:
    """A king or a queen is dealt, its holder bets 2 or folds 1, the other calls or folds 1."""
    king, queen, call = chances
    holds_king = king / (king + queen)  # Bayes' rule
    return [
        sigma(precision * (2 * call + 1 * (1 - call) - -1)),
        sigma(precision * (-2 * call + 1 * (1 - call) - -1)),
        sigma(precision * (-2 * holds_king + 2 * (1 - holds_king) - -1)),
    ]


def extended_deterrence(precision: float, chances: Floats) -> list[float]:
    """Challenge or not; concede or resist; abandon or fight."""
    _, resist, fight = chances
    war = (-1.0, -0.7, -0.4)
    left_alone = (0.8, -1.5, -0.8)
    resisted = [fight * war[i] + (1 - fight) * left_alone[i] for i in range(3)]
    challenged = resist * resisted[0] + (1 - resist) * 1.0
    return [
        sigma(precision * (challenged - 0.0)),
        sigma(precision * (resisted[1] - -1.0)),
        sigma(precision * (war[2] - left_alone[2])),
    ]


class OnPaper:
    """A response map as the fixed-point routines want it."""

    def __init__(self, respond: Callable[[float, Floats], list[float]], precision: float) -> None:
        self.respond, self.precision = respond, precision

    def __call__(self, point: Floats) -> Floats:
        return np.array(self.respond(self.precision, point))

    def feasible(self, point: Floats) -> Floats:
        return np.clip(point, 0.0, 1.0)


PRINTED = [
    (constant_sum, 1, (0.642979358960143, 0.588319024424678)),
    (constant_sum, 2, (0.772676607121798, 0.61174347919958)),
    (constant_sum, 3, (0.859536709588591, 0.60381578596217)),
    (centipede, 1, (0.296256574927317, 0.277980285573591, 0.464883649356266, 0.832018385133924)),
    (centipede, 2, (0.236192965529519, 0.376298744171306, 0.761576823557971, 0.960834277203236)),
    (poker, 1, (0.931785430088436, 0.539086796141372, 0.614444385853085)),
    (poker, 2, (0.99517781360875, 0.502729476651434, 0.664846997490082)),
    (extended_deterrence, 1, (0.590952507224154, 0.494737726329242, 0.598687660112452)),
    (extended_deterrence, 2, (0.61849406565544, 0.525966410644339, 0.689974481127612)),
    (extended_deterrence, 4, (0.382139202128894, 0.659812514561405, 0.832018385133924)),
]
named = pytest.mark.parametrize(
    ("respond", "precision", "printed"), PRINTED, ids=[f"{f.__name__}-{p}" for f, p, _ in PRINTED]
)


@named
def test_accelerated_sweeps_find_the_printed_equilibrium(
    respond: Callable[[float, Floats], list[float]], precision: float, printed: tuple[float, ...]
) -> None:
    sweep = OnPaper(respond, precision)

    def half_way(point: Floats) -> Floats:
        return 0.5 * (point + sweep(point))

    found, error = accelerate(half_way, np.full(len(printed), 0.5), tolerance=1e-15, most=200)
    assert np.max(np.abs(error)) <= 1e-15
    assert found == pytest.approx(printed, abs=3e-15)


@named
def test_newton_steps_find_the_printed_equilibrium(
    respond: Callable[[float, Floats], list[float]], precision: float, printed: tuple[float, ...]
) -> None:
    sweep = OnPaper(respond, precision)
    found, error = newton(sweep, np.full(len(printed), 0.5), tolerance=1e-14, most=50)
    assert np.max(np.abs(error)) <= 1e-14
    assert found == pytest.approx(printed, abs=1e-13)


# -- the same games as crises ----------------------------------------------------------------------


def bare_game(*, rounds: int, precision: float, scopes: int = 1) -> Game:
    """Return a game in which everybody can only hold, nature does nothing and nothing is paid."""
    hold = np.arange(ladder.STATES, dtype=np.uint16)
    legal = np.zeros((4, ladder.STATES, 3), np.bool_)
    legal[:, :, ladder.HOLD] = True
    nature = np.zeros((ladder.STATES, ladder.OUTCOMES))
    nature[:, ladder.NOTHING] = 1.0
    step = np.tile(hold[:, np.newaxis], (scopes, 4, 1, ladder.OUTCOMES))
    return Game(
        precision=float(precision),  # compiled code knows one kind of number here
        rounds=rounds,
        first_support=0,
        first_fight=0,
        theta=np.ones((3, 1)),
        prior=np.ones((3, 1)),
        estimate=np.ones((1, 1)),
        scope=np.full(scopes, 1.0 / scopes),
        origin=np.array([1.0, 0.0]),
        start=np.array([rung(1), rung(1) + 1]),
        opening=np.zeros(2),
        step=step,
        legal=legal,
        passes=np.ones(ladder.STATES),
        nature=nature,
        gain=np.zeros((3, ladder.ENDS, ladder.STATES)),
        cost=np.zeros((scopes, 3, ladder.ENDS, ladder.STATES)),
        running=np.zeros((scopes, 3, ladder.STATES)),
        breach=np.zeros((scopes, 2, ladder.STATES)),
        restrain=np.zeros(ladder.STATES),
    )


def rung(number: int) -> int:
    return ladder.pack(number, 0, 0)


def offer(game: Game, actor: int, state: int, move: int, leads_to: int, *, end: int = 0) -> None:
    game.legal[actor, state, move] = True
    outcome = ladder.PASSED if actor == C and move == ladder.ESCALATE else move
    game.step[:, actor, state, outcome] = leads_to | end << ladder.END_SHIFT


def pays(
    game: Game, end: int, state: int, payoffs: tuple[float, ...], *, scope: int | slice = slice(None)
) -> None:
    for actor, payoff in enumerate(payoffs):
        game.cost[scope, actor, end, state] = -payoff


def play(game: Game) -> Solution:
    return solve(game, tolerance=1e-14)


@pytest.mark.parametrize("precision", [1, 2])
def test_centipede_as_a_crisis(precision: int) -> None:
    game = bare_game(rounds=2, precision=precision)
    for t in (0, 1):
        here = rung(t + 1)
        offer(game, A, here, ladder.BACK_DOWN, here, end=ladder.WITHDRAWAL)
        pays(game, ladder.WITHDRAWAL, here, CENTIPEDE[2 * t])
        offer(game, B, here, ladder.BACK_DOWN, here, end=ladder.CONCESSION)
        offer(game, B, here, ladder.HOLD, rung(t + 2))
        pays(game, ladder.CONCESSION, here, CENTIPEDE[2 * t + 1])
    pays(game, ladder.STALEMATE, rung(3), CENTIPEDE[4])
    policy = play(game).policy
    take = [policy[i, t, rung(t + 1), 0, ladder.BACK_DOWN] for t in (0, 1) for i in (A, B)]
    printed = next(p for f, at, p in PRINTED if f is centipede and at == precision)
    assert take == pytest.approx(printed, abs=1e-13)


@pytest.mark.parametrize("precision", [1, 2])
def test_poker_as_a_crisis_needs_bayes_rule(precision: int) -> None:
    # the partners alone know the scope: the protégé holds the card, the challenger must guess it
    queen, king = 0, 1
    game = bare_game(rounds=2, precision=precision, scopes=2)
    dealt, bet = rung(1), rung(2)
    offer(game, B, dealt, ladder.BACK_DOWN, dealt, end=ladder.CONCESSION)
    offer(game, B, dealt, ladder.HOLD, bet)
    pays(game, ladder.CONCESSION, dealt, (1, -1, 0))
    offer(game, A, bet, ladder.BACK_DOWN, bet, end=ladder.WITHDRAWAL)
    pays(game, ladder.WITHDRAWAL, bet, (-1, 1, 0))
    pays(game, ladder.STALEMATE, bet, (-2, 2, 0), scope=king)
    pays(game, ladder.STALEMATE, bet, (2, -2, 0), scope=queen)
    policy = play(game).policy
    found = [
        policy[B, 0, dealt, king, ladder.HOLD],
        policy[B, 0, dealt, queen, ladder.HOLD],
        policy[A, 1, bet, 0, ladder.HOLD],
    ]
    printed = next(p for f, at, p in PRINTED if f is poker and at == precision)
    assert found == pytest.approx(printed, abs=1e-13)


@pytest.mark.parametrize(
    ("precision", "war"), [(1, 0.175036215656125), (2, 0.224453600094689), (4, 0.209785305218994)]
)
def test_extended_deterrence_as_a_crisis(precision: int, war: float) -> None:
    game = bare_game(rounds=1, precision=precision)
    here, fought = rung(1), rung(2)
    offer(game, B, here, ladder.BACK_DOWN, here, end=ladder.CONCESSION)
    pays(game, ladder.CONCESSION, here, (1.0, -1.0, -0.5))
    offer(game, C, here, ladder.ESCALATE, fought)
    pays(game, ladder.STALEMATE, here, (0.8, -1.5, -0.8))
    pays(game, ladder.STALEMATE, fought, (-1.0, -0.7, -0.4))
    solution = play(game)
    challenge = solution.enter[0, 0]
    resist = solution.policy[B, 0, here, 0, ladder.HOLD]
    fight = solution.policy[C, 0, here, 0, ladder.ESCALATE]
    printed = next(p for f, at, p in PRINTED if f is extended_deterrence and at == precision)
    assert (challenge, resist, fight) == pytest.approx(printed, abs=1e-13)
    assert challenge * resist * fight == pytest.approx(war, abs=1e-13)


def test_ladder_of_extended_deterrence_as_a_crisis() -> None:
    top = 4
    game = bare_game(rounds=top - 1, precision=1.0)
    for k in range(1, top):
        worn = 0.1 * sum(range(1, k))
        offer(game, A, rung(k), ladder.BACK_DOWN, rung(k), end=ladder.WITHDRAWAL)
        pays(game, ladder.WITHDRAWAL, rung(k), (-worn, -worn, -worn))
        offer(game, B, rung(k), ladder.BACK_DOWN, rung(k), end=ladder.CONCESSION)
        pays(game, ladder.CONCESSION, rung(k), (1 - worn, -1 - worn, -0.5 - worn))
        offer(game, C, rung(k), ladder.HOLD, rung(k), end=ladder.DEFEAT)
        pays(game, ladder.DEFEAT, rung(k), (0.8 - worn, -1.5 - worn, -0.8 - worn))
        offer(game, C, rung(k), ladder.ESCALATE, rung(k + 1))
    worn = 0.1 * sum(range(1, top))
    pays(game, ladder.STALEMATE, rung(top), (-5 - worn, -6 - worn, -6 - worn))
    solution = play(game)
    arrive, conceded, abandoned = 1.0, 0.0, 0.0
    for k in range(1, top):
        press, resist, commit = (
            solution.policy[A, k - 1, rung(k), 0, ladder.HOLD],
            solution.policy[B, k - 1, rung(k), 0, ladder.HOLD],
            solution.policy[C, k - 1, rung(k), 0, ladder.ESCALATE],
        )
        conceded += arrive * press * (1 - resist)
        abandoned += arrive * press * resist * (1 - commit)
        arrive *= press * resist * commit
    assert arrive == pytest.approx(3.268123137050514e-5, rel=1e-12)
    assert conceded == pytest.approx(0.4580965960161707, abs=1e-13)
    assert abandoned == pytest.approx(0.1720913630311065, abs=1e-13)
    # a dispute is worth what the crisis is worth once it is open
    values = solution.value / solution.enter[0, 0]
    assert values == pytest.approx([0.57114969882542, -0.74088630940984, -0.39137405727998], abs=1e-13)
