"""The reference population: pairs of states that could come to blows, and a third that might help.

Figures of the record come from many pairs of states, not from one. The engine's side of such a figure is an
average over members of this population, each with its own balance of forces, regimes, weapons, distance and
stakes. How these are spread is taken from the originators of Militarized Interstate Disputes after 1945 (MID
5.0, 1 725 disputes with figures for both sides), their material capabilities (NMC 7.0), regimes (V-Dem
polyarchy), and the strongest outside partner of the target in a defence pact (ATOP 4.01, 63 % have one); how
they hang together beyond the two balances is an assumption: not at all.

Who has a pact is not random. A member has one with a probability that rises or falls with how often it is
challenged and with the defender's stake in it; the two slopes are fitted with the rest.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from entangle.actor import Actor, Resolve, Scenario
from entangle.fit.draws import structural
from entangle.lowering import Setting
from entangle.pact import Pact
from entangle.parameters import Parameters
from entangle_kernels.game import Floats

#: Log capability of the target, and of its strongest outside partner, over the initiator's: mean and standard
#: deviation, and their correlation.
LOCAL: Final = (-0.44, 2.21)
BACKING: Final = (1.73, 2.44)
CORRELATION: Final = 0.51
#: Electoral democracy (0-1) of initiator, target and partner: mean and standard deviation.
REGIMES: Final = ((0.33, 0.27), (0.38, 0.28), (0.46, 0.35))
#: Share of disputes in which each has nuclear weapons.
NUCLEAR: Final = (0.23, 0.17, 0.49)
#: Share of directed dyad-years in which the target has an outside defence pact (94 624 of 129 724, 1946-2014,
#: politically relevant dyads without a pact of their own).
COVERED: Final = 0.73

#: Nodes of the quadrature over rivalry.
_NODES: Final = 9

#: Types of each actor and rounds of a crisis: coarse, so that a population is solved in a second.
TYPES: Final = 3
ROUNDS: Final = 6

#: The pact that members have: a promise of defence in writing, with what usually goes with one (assumption).
PACT: Final = Pact(commitment="defence", provoked_discount=0.5, consultation=0.25, integration=0.25)


class Member(NamedTuple):
    """One of the population.

    Parameters
    ----------
    local, backing
        Log capability of the protégé, and of the defender, over the challenger's.
    regimes
        Of challenger, protégé and defender, 0-1.
    nuclear
        Whether each has nuclear weapons.
    projection
        How much harder distance makes it for the defender to fight there, 0-1.
    stake
        Standard normal: how much the defender has at stake.
    """

    local: float
    backing: float
    regimes: tuple[float, float, float]
    nuclear: tuple[bool, bool, bool]
    projection: float
    stake: float


class Rivalry(NamedTuple):
    """How often there are disputes, as the nodes of a quadrature: no crisis depends on it.

    Parameters
    ----------
    normal
        Standard normal numbers, shape (nodes,).
    weight
        Add up to 1, shape (nodes,).
    """

    normal: Floats
    weight: Floats


@lru_cache(maxsize=1)
def rivalry() -> Rivalry:
    """Return the quadrature of Gauss and Hermite over a standard normal."""
    normal, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    return Rivalry(normal, weight / weight.sum())


@lru_cache(maxsize=4)
def population(size: int) -> tuple[Member, ...]:
    """Return `size` members, a power of two: a Sobol sequence through the spreads of their traits."""
    from scipy.special import ndtri
    from scipy.stats import beta, qmc

    points = qmc.Sobol(10, scramble=True, seed=20_240_229).random(size)
    first, second, stake = ndtri(np.clip(points[:, :3], 1e-6, 1.0 - 1e-6)).T
    second = CORRELATION * first + math.sqrt(1.0 - CORRELATION**2) * second
    regimes = []
    for column, (mean, spread) in zip(points[:, 3:6].T, REGIMES, strict=True):
        total = mean * (1.0 - mean) / spread**2 - 1.0
        regimes.append(beta.ppf(column, mean * total, (1.0 - mean) * total))
    nuclear = points[:, 6:9] < np.array(NUCLEAR)
    return tuple(
        Member(
            local=float(LOCAL[0] + LOCAL[1] * first[i]),
            backing=float(BACKING[0] + BACKING[1] * second[i]),
            regimes=(float(regimes[0][i]), float(regimes[1][i]), float(regimes[2][i])),
            nuclear=(bool(nuclear[i, 0]), bool(nuclear[i, 1]), bool(nuclear[i, 2])),
            projection=float(0.8 * points[i, 9]),
            stake=float(stake[i]),
        )
        for i in range(size)
    )


def setting(member: Member, values: dict[str, float]) -> Setting:
    """Return a member's setting under given parameters."""
    resolve = Resolve(median=1.0, log_sd=values["log_sd"])
    capability = 1.0, math.exp(member.local), math.exp(member.backing)
    names = "challenger", "protege", "defender"
    actors = {
        name: Actor(capability=own, regime=regime, nuclear=nuclear, resolve=resolve)
        for name, own, regime, nuclear in zip(names, capability, member.regimes, member.nuclear, strict=True)
    }
    odds = math.log(values["alignment"]) - math.log1p(-values["alignment"]) + 0.5 * member.stake
    scenario = Scenario(
        challenger="challenger",
        protege="protege",
        defender="defender",
        alignment=1.0 / (1.0 + math.exp(-odds)),
        projection=member.projection,
        challenger_rate=1.0,
        protege_rate=1.0,
    )
    return Setting(scenario, actors, parameters(values))


def parameters(values: dict[str, float]) -> Parameters:
    """Return the structural parameters of a crisis, coarse, at given values of what is fitted."""
    return Parameters(types=TYPES, rounds=ROUNDS, **structural(values))


def rates(values: dict[str, float]) -> Floats:
    """Return the disputes a year that arise for a challenger, by its rivalry, shape (nodes,)."""
    rate: Floats = values["rate"] * np.exp(values["rate_spread"] * rivalry().normal)
    return rate


def covered(members: tuple[Member, ...], values: dict[str, float]) -> Floats:
    """Return each member's probability of having a pact, by rivalry; on average :data:`COVERED`.

    Returns
    -------
    array of shape (members, nodes)
    """
    from scipy.optimize import brentq

    nodes = rivalry()
    stake = np.array([[member.stake] for member in members])
    lean = values["selection_by_rate"] * nodes.normal + values["selection_by_stake"] * stake

    def share(level: float) -> Floats:
        return 1.0 / (1.0 + np.exp(-(level + lean)))

    level = brentq(lambda x: float((share(x) * nodes.weight).sum(axis=1).mean()) - COVERED, -30.0, 30.0)
    return share(float(level))
