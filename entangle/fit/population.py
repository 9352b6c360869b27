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
    rivalry, stake
        Standard normals: how often there are disputes, and how much the defender has at stake.
    """

    local: float
    backing: float
    regimes: tuple[float, float, float]
    nuclear: tuple[bool, bool, bool]
    projection: float
    rivalry: float
    stake: float


@lru_cache(maxsize=4)
def population(size: int) -> tuple[Member, ...]:
    """Return `size` members, a power of two: a Sobol sequence through the spreads of their traits."""
    from scipy.special import ndtri
    from scipy.stats import beta, qmc

    points = qmc.Sobol(11, scramble=True, seed=20_240_229).random(size)
    first, second, rivalry, stake = ndtri(np.clip(points[:, :4], 1e-6, 1.0 - 1e-6)).T
    second = CORRELATION * first + math.sqrt(1.0 - CORRELATION**2) * second
    regimes = []
    for column, (mean, spread) in zip(points[:, 4:7].T, REGIMES, strict=True):
        total = mean * (1.0 - mean) / spread**2 - 1.0
        regimes.append(beta.ppf(column, mean * total, (1.0 - mean) * total))
    nuclear = points[:, 7:10] < np.array(NUCLEAR)
    return tuple(
        Member(
            local=float(LOCAL[0] + LOCAL[1] * first[i]),
            backing=float(BACKING[0] + BACKING[1] * second[i]),
            regimes=(float(regimes[0][i]), float(regimes[1][i]), float(regimes[2][i])),
            nuclear=(bool(nuclear[i, 0]), bool(nuclear[i, 1]), bool(nuclear[i, 2])),
            projection=float(0.8 * points[i, 10]),
            rivalry=float(rivalry[i]),
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
    standard = Parameters()
    costs = list(standard.war_costs)
    factors = [values["standing_costs"]] * 2 + [values["force_costs"]] + [values["war_costs"]] * 4
    war = [cost * factor for cost, factor in zip(costs, factors, strict=True)]
    hazards = np.array([standard.cooling, standard.decision, standard.accident])
    hazards *= np.array([[values["cooling"]], [values["decision"]], [values["accident"]]])
    hazards /= np.maximum(hazards.sum(axis=0) / 0.95, 1.0)  # together they leave something to happen
    cooling, decision, accident = (tuple(map(float, row)) for row in hazards)
    backing, military = standard.support_costs
    plain = (
        "precision", "decisiveness", "joint_share", "support_share", "compromise", "revision", "opening",
        "audience", "breach", "breach_per_round", "begun_rounds",
    )  # fmt: skip
    return standard.replace(
        types=TYPES,
        rounds=ROUNDS,
        war_costs=tuple(war),
        support_costs=(backing * values["support_costs"], military * values["support_costs"]),
        cooling=cooling,
        decision=decision,
        accident=accident,
        **{name: values[name] for name in plain},
    )


def rates(members: tuple[Member, ...], values: dict[str, float]) -> Floats:
    """Return the disputes a year that arise for each member's challenger, shape (members,)."""
    rivalry = np.array([member.rivalry for member in members])
    rate: Floats = values["rate"] * np.exp(values["rate_spread"] * rivalry)
    return rate


def covered(members: tuple[Member, ...], values: dict[str, float]) -> Floats:
    """Return each member's probability of having a pact; on average :data:`COVERED`."""
    from scipy.optimize import brentq

    slopes = values["selection_by_rate"], values["selection_by_stake"]
    lean = np.array([slopes[0] * member.rivalry + slopes[1] * member.stake for member in members])

    def share(level: float) -> Floats:
        return 1.0 / (1.0 + np.exp(-(level + lean)))

    level = brentq(lambda x: float(share(x).mean()) - COVERED, -30.0, 30.0)
    return share(float(level))
