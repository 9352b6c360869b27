"""From levers to the arrays of the compiled core: chances of nature, costs, stakes and beliefs."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from entangle.lowering.levers import START, Context, Levers, Setting
from entangle_kernels import ladder
from entangle_kernels.game import Game
from entangle_kernels.quantise import WORDS, quantise, type_weights

if TYPE_CHECKING:
    from entangle.actor import Resolve

Floats = NDArray[np.float64]

#: A stake that is none: nothing can be a share of it.
_NO_STAKE: Final = 1e-9


def games(levers: Levers, setting: Setting, *, context: Context = START) -> tuple[list[Game], float]:
    """Return the games of one pact and the probability that a dispute is in scope.

    Parameters
    ----------
    context
        Where years have led to when a crisis opens; the start if not given.

    Returns
    -------
    list of Game
        One game with two scopes if only the partners know whether a dispute is in scope; otherwise a
        game for disputes outside and one for disputes inside the treaty area, or a single one if all or
        none lie inside.
    float
        Share of disputes in scope, a multiple of 2^-32.
    """
    in_scope = float(quantise(levers.coverage))
    if in_scope in (0.0, 1.0):
        return [game(levers, setting, scopes=(in_scope,), context=context)], in_scope
    if levers.ambiguous:
        weights = 1 - in_scope, in_scope
        return [game(levers, setting, scopes=(0.0, 1.0), weights=weights, context=context)], in_scope
    return [game(levers, setting, scopes=(scope,), context=context) for scope in (0.0, 1.0)], in_scope


def game(
    levers: Levers,
    setting: Setting,
    *,
    scopes: tuple[float, ...],
    weights: tuple[float, ...] = (1.0,),
    context: Context = START,
) -> Game:
    """Return the arrays of one crisis game.

    Parameters
    ----------
    scopes
        For each scope, the share of the obligation that holds there: 0 outside, 1 inside.
    weights
        Probability of each scope.
    context
        Where years have led to when a crisis opens; the start if not given.
    """
    levers = _in_context(levers, context)
    settings = setting.parameters
    scenario = setting.scenario
    rung, support, provoked = (
        np.array([ladder.unpack(state)[i] for state in range(ladder.STATES)]) for i in range(3)
    )
    owed = np.where(provoked == 1, levers.owed[1], levers.owed[0]) * (rung >= levers.trigger)
    challenger, protege, defender = setting.seats
    nuclear = challenger.nuclear, protege.nuclear, defender.nuclear
    rules = [ladder.Rules(nuclear, owed * scope, levers.required) for scope in scopes]
    legal = ladder.legal(rules[0])
    total = scenario.challenger_rate + scenario.protege_rate
    arises = float(quantise(scenario.challenger_rate / total))
    first = levers.first_support + levers.collective_delay
    running = _running_costs(levers, setting, rung, support)
    cost, gain = _endings(setting, rung, provoked)
    # a round that was begun is paid for, also if the protégé gives in before it is over: otherwise a step up
    # to war that makes the other side yield at once costs nothing
    cost[:, ladder.CONCESSION] += settings.begun_rounds * running
    in_breach = owed * (support < levers.required)
    unanswered = levers.tripwire * (rung >= 4) * (support < 3)
    running_by_scope = np.stack([running] * len(scopes))
    cost_by_scope = np.stack([cost] * len(scopes))
    # the more resolute the defender, the more a breach costs it: that part is a share of its stake
    stake = defender.resolve.median * scenario.alignment
    moved = settings.breach_resolve if stake > _NO_STAKE else 0.0
    breach = np.zeros((len(scopes), 2, ladder.STATES))
    for z, scope in enumerate(scopes):
        fixed = in_breach * scope * (1.0 - moved)
        running_by_scope[z, 2] += settings.breach_per_round * fixed + unanswered
        cost_by_scope[z, 2, ladder.DEFEAT] += fixed
        if moved > 0.0:
            breach[z, 1] = in_breach * scope * moved / stake
            breach[z, 0] = settings.breach_per_round * breach[z, 1]
    return Game(
        precision=settings.precision,
        rounds=settings.rounds,
        first_support=first,
        first_fight=first + levers.vote_delay,
        theta=_stakes(levers, setting),
        prior=_prior(setting, context),
        estimate=_estimate(levers.accuracy, settings.types),
        scope=np.array(weights),
        origin=np.array([arises, 1.0 - arises]),
        start=np.array([ladder.pack(1, levers.initial_support, provoked) for provoked in (0, 1)]),
        opening=np.full(2, settings.opening),
        step=np.stack([ladder.steps(rule) for rule in rules]),
        legal=legal,
        passes=quantise(np.where(support == 2, levers.passes, 1.0) * levers.joins),
        nature=_nature(levers, setting, rung, support, legal[3, :, ladder.ESCALATE]),
        gain=gain,
        cost=cost_by_scope,
        running=running_by_scope,
        breach=breach,
        restrain=_audience(setting)[2] * _step_height(rung) * (support > 0),
    )


def faith(types: int, tilt: float) -> NDArray[np.uint64]:
    """Return the first word of each class of the defender's resolve, ascending from 0, shape (2, K).

    If it is steadfast (row 1) class k has a probability in proportion to ``1 + tilt * rank``, if it is
    wavering (row 0) to ``1 - tilt * rank``, with ranks equally spaced from -1 to 1. The edges between classes
    are rounded up to whole words, so that without a tilt both rows are the edges of
    :func:`~entangle_kernels.quantise.type_weights`.
    """
    share = Fraction(tilt)
    edges = []
    for sign in (-1, 1):
        # sum of the ranks below class k
        below = [
            Fraction(k * (k - 1), max(types - 1, 1)) - k if types > 1 else Fraction(0) for k in range(types)
        ]
        edges.append([math.ceil((k + sign * share * below[k]) * WORDS / types) for k in range(types)])
    return np.array(edges, np.uint64)


def dispositions(types: int, tilt: float) -> Floats:
    """Return the probability of each class if the defender is wavering, and if it is steadfast, shape (2, K).

    Multiples of 2^-32: those that :func:`faith` gives.
    """
    return _weights(faith(types, tilt).astype(np.float64))


def _weights(edges: Floats) -> Floats:
    """Return the probability of each class from the first word of each, along the last axis."""
    weights: Floats = np.diff(edges, append=np.full((*edges.shape[:-1], 1), float(WORDS))) / WORDS
    return weights


def _in_context(levers: Levers, context: Context) -> Levers:
    """Return the levers with the capabilities that the context has led to; only their ratios matter."""
    challenger, protege, defender = levers.capability
    return replace(
        levers,
        capability=(challenger, protege * math.exp(context.local), defender * math.exp(context.backing)),
    )


def _prior(setting: Setting, context: Context) -> Floats:
    """Return the probability of each type of each actor, shape (3, K), in multiples of 2^-32.

    The public belief mixes the defender's dispositions. At even odds no edge between classes lies further
    than a word from that of equal classes: the tilts cancel, and the rounding up of two edges is left.
    """
    types = setting.parameters.types
    prior = np.tile(type_weights(types), (3, 1))
    if context.odds is not None:
        wavering, steadfast = faith(types, setting.peacetime.tilt).astype(np.float64)
        belief = 1.0 / (1.0 + math.exp(-context.odds))
        prior[2] = _weights(np.rint(belief * steadfast + (1.0 - belief) * wavering))
    return prior


def _stakes(levers: Levers, setting: Setting) -> Floats:
    """Quantile points of each actor's lognormal resolve [stake units], shape (3, K)."""
    challenger, protege, defender = (
        _quantile_points(actor.resolve, setting.parameters.types) for actor in setting.seats
    )
    return np.stack(
        [
            challenger * (1.0 + levers.grievance),
            protege,
            defender * setting.scenario.alignment,
        ]
    )


def _quantile_points(resolve: Resolve, types: int) -> Floats:
    # scalar functions of the C library: NumPy's own depend on the processor in their last bit
    quantile = NormalDist().inv_cdf
    middle = [(k + 0.5) / types for k in range(types)]
    return np.array([resolve.median * math.exp(resolve.log_sd * quantile(p)) for p in middle])


def _estimate(accuracy: float, types: int) -> Floats:
    """Probability of "irresolute" and "resolute" given the challenger's type, shape (E, K).

    The estimate of the most resolute type is right with probability `accuracy`, of the least likewise, and
    of those between in proportion to their rank. Without information there is one estimate.
    """
    if accuracy == 0.5:
        return np.ones((1, types))
    rank = np.linspace(-1.0, 1.0, types) if types > 1 else np.zeros(1)
    resolute = quantise(0.5 + (accuracy - 0.5) * rank)
    return np.stack([1.0 - resolute, resolute])


def _strengths(levers: Levers, setting: Setting, support: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Capability in play on the challenger's and on the protégé's side, shape (states,)."""
    challenger, protege, defender = levers.capability
    engaged = np.array([0.0, 0.0, setting.parameters.support_share, 1.0])[support]
    allied = protege + levers.joint_share * engaged * defender
    return np.full(support.shape, challenger), allied


def _nature(
    levers: Levers,
    setting: Setting,
    rung: NDArray[np.int64],
    support: NDArray[np.int64],
    can_step: NDArray[np.bool_],
) -> Floats:
    """Probability of what nature does, shape (states, 5); zero rows where no round is played."""
    settings = setting.parameters
    enemy, allied = _strengths(levers, setting, support)
    # as a ratio, so that no power of the unit of capability is ever taken
    odds = [math.pow(ratio, settings.decisiveness) for ratio in allied / enemy]
    wins = 1.0 / (1.0 + np.array(odds))
    played = (rung >= 1) & (rung <= 7)
    at = np.clip(rung, 1, 7) - 1
    cooling = np.array(settings.cooling)[at] * played
    decision = np.array(settings.decision)[at] * played
    accident = np.array(settings.accident)[at] * levers.accident * played * can_step
    chances = np.zeros((ladder.STATES, ladder.OUTCOMES))
    chances[:, ladder.COOL] = cooling
    chances[:, ladder.WON] = decision * (1.0 - wins)
    chances[:, ladder.LOST] = decision * wins
    chances[:, ladder.ACCIDENT] = accident
    chances = quantise(chances)
    chances[:, ladder.NOTHING] = 1.0 - chances.sum(axis=1)
    return chances


def _running_costs(
    levers: Levers, setting: Setting, rung: NDArray[np.int64], support: NDArray[np.int64]
) -> Floats:
    """Cost of a round to each actor [stake units], shape (3, states), without breach."""
    settings = setting.parameters
    challenger, protege, defender = setting.seats
    enemy, allied = _strengths(levers, setting, support)
    share = enemy / (enemy + allied)  # of all the force in play, the challenger's
    height = np.zeros(ladder.STATES)
    played = (rung >= 1) & (rung <= 7)
    height[played] = np.array(settings.war_costs)[rung[played] - 1]
    standing = np.array([0.0, *settings.support_costs, settings.support_costs[1]])[support]
    fighting = height * 2.0 * share * (1.0 + levers.projection) * (support == 3)
    return np.stack(
        [
            challenger.war_cost * height * 2.0 * (1.0 - share),
            protege.war_cost * height * 2.0 * share * (1.0 + levers.exposure),
            defender.war_cost * (standing + fighting),
        ]
    )


def _endings(
    setting: Setting,
    rung: NDArray[np.int64],
    provoked: NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """What the endings cost [stake units] and which share of the stake they bring, each (3, ends, states)."""
    settings = setting.parameters
    # the share of the stake that the challenger gains; what it gains the protégé loses
    prize = np.zeros((ladder.ENDS, ladder.STATES))
    prize[ladder.CONCESSION] = 1.0
    prize[ladder.DEFEAT] = 1.0
    prize[ladder.COMPROMISE] = settings.compromise * (provoked == 0)
    prize[ladder.WITHDRAWAL] = -settings.revision * (provoked == 1)
    prize[ladder.VICTORY] = -settings.revision * (provoked == 1)
    gain = np.stack([prize, -prize, -prize])
    cost = np.zeros((3, ladder.ENDS, ladder.STATES))
    audience = _audience(setting)
    height = _step_height(rung)
    cost[0, ladder.WITHDRAWAL] = audience[0] * height
    cost[1, ladder.CONCESSION] = audience[1] * height
    cost[:, ladder.GENERAL_WAR] = settings.catastrophe
    return cost, gain


def _audience(setting: Setting) -> list[float]:
    """Audience cost of each actor at local war [stake units]; democracies pay more (Fearon 1994, APSR 88)."""
    return [setting.parameters.audience * (0.5 + actor.regime) for actor in setting.seats]


def _step_height(rung: NDArray[np.int64]) -> Floats:
    """How public a rung is, relative to local war."""
    return rung / 4.0
