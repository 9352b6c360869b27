"""One function per clause: how the terms of a pact move the levers.

Each cites what its direction rests on; the sizes are assumptions, kept in
:class:`~entangle.parameters.Parameters`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from entangle.lowering.levers import Levers, Setting, no_pact
from entangle.pact import Clause, Pact
from entangle.vocabulary import RUNGS, SUPPORTS, Commitment

#: Share of the full breach cost that each commitment puts at stake at full strength (an assumption: the order
#: is that of the promises, the sizes are not measured).
WEIGHT: Final[dict[Commitment, float]] = {
    "none": 0.0,
    "consult": 0.15,
    "conditional": 0.5,
    "defence": 1.0,
    "automatic": 1.5,
}


_MILITARY: Final = SUPPORTS.index("military")


def obligation(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """A promise puts a cost on failing it.

    Hands-tying through audience and reputation costs: Fearon 1997 (JCR 41), Morrow 2000 (Annual Review of
    Political Science 3); treaties work by what breaking them costs, Leeds 2003 (IO 57). The discount for
    a provoked conflict and the conditions on scope follow Benson 2011 (JOP 73) and Kim 2011 (Security
    Studies 20).
    """
    owes = pact.reciprocal or pact.guarantor == setting.scenario.defender
    if not owes or pact.commitment == "none":
        return levers
    full = setting.parameters.breach * pact.strength * WEIGHT[pact.commitment]
    return replace(
        levers,
        owed=(full, full * pact.provoked_discount),
        coverage=pact.coverage,
        ambiguous=pact.ambiguous,
        trigger=RUNGS.index(pact.trigger_rung),
        required=SUPPORTS.index(pact.required_support),
    )


def consultation(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """Standing procedures put the defender at its partner's side sooner, and prevent accidents.

    From a depth of one half a crisis opens with diplomatic backing and the defender can act a round
    sooner. Crisis communication against inadvertent escalation: Schelling & Halperin 1961, "Strategy and
    Arms Control". That consultation speeds a joint answer is an assumption.
    """
    effects = setting.parameters
    factor = 1.0 - effects.consultation_effect * pact.consultation
    if pact.hotline:
        factor *= 1.0 - effects.hotline_effect
    sooner = 1 if pact.consultation >= 0.5 else 0
    return replace(
        levers,
        accident=levers.accident * factor,
        first_support=max(0, levers.first_support - sooner),
        initial_support=max(levers.initial_support, sooner),
    )


def integration(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """Joint training, logistics and command raise the share of the defender's forces that count.

    Peacetime military coordination makes alliances more effective and more credible: Morrow 1994 (JCR 38);
    Poast 2019, "Arguing about Alliances"; Bernhardt & Sukin 2021 (JCR 65) on joint exercises.
    """
    del setting
    gain = (1.0 - levers.joint_share) * pact.integration
    return replace(levers, joint_share=levers.joint_share + gain)


def intelligence(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """Shared intelligence gives the partners a common estimate of the challenger's resolve.

    Private information about resolve as a cause of war: Fearon 1995 (IO 49). How good sharing makes the
    estimate is coded in no data set: the field itself is the assumption.
    """
    del setting
    return replace(levers, accuracy=0.5 + 0.5 * pact.intelligence)


def basing(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """Bases bring the defender closer and put it at stake; they also provoke.

    Forces that are stationed there for good are military support in place when a crisis opens. Access
    shortens the way and cheapens projection. Stationed forces are a tripwire (Schelling 1966), though
    small ones deter little by themselves (Reiter & Poast 2021, TNSR 4; Musgrave & Ward 2023, FPA 19),
    they expose the host, and they raise the challenger's stake (security dilemma, Jervis 1978, World
    Politics 30).
    """
    if pact.access == "none":
        return levers
    effects = setting.parameters
    near = {"contingency": 0.25, "permanent": 0.5}[pact.access]
    in_place = pact.access == "permanent" and pact.forces > 0
    return replace(
        levers,
        projection=levers.projection * (1.0 - near - 0.5 * pact.forces * near),
        first_support=max(0, levers.first_support - in_place),
        initial_support=_MILITARY if in_place else levers.initial_support,
        tripwire=effects.tripwire * pact.forces,
        exposure=effects.exposure * pact.forces,
        grievance=effects.grievance * pact.forces,
    )


def assistance(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """Military aid adds to the protégé's capability.

    Arms as an alternative signal to alliances: Yarhi-Milo, Lanoszka & Cooper 2016 (IS 41). The spending
    floor and host support act on peacetime budgets, not on a crisis under way.
    """
    del setting
    challenger, protege, defender = levers.capability
    return replace(levers, capability=(challenger, protege * (1.0 + pact.assistance), defender))


def authorisation(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """A vote stands between the defender's will to fight and fighting, and takes time.

    Legislative constraints on the use of force: Howell & Pevehouse 2007; on alliances Leeds 2003, Tago 2009.
    """
    del setting
    if not pact.legislature:
        return levers
    return replace(levers, passes=pact.approval, vote_delay=pact.delay)


def exit_terms(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """Exit and review act on the life of the pact over years, not on a crisis under way."""
    del pact, setting
    return levers


def coalition(levers: Levers, pact: Pact, setting: Setting) -> Levers:
    """Several defenders pool their strength, decide by quorum, later, and share the blame.

    Collective action and diluted responsibility: Olson & Zeckhauser 1966 (REStat 48); on decision rules
    in coalitions at war, Weitsman 2014, "Waging War". The leading defender is one vote; the others each
    go along with probability `agreement`, independently (an assumption).
    """
    if pact.coalition is None:
        return levers
    terms = pact.coalition
    seated = (setting.scenario.challenger, setting.scenario.protege)
    defenders = [name for name in terms.members if name not in seated]
    number = len(defenders)
    challenger, protege, _ = levers.capability
    pooled = math.fsum(setting.actors[name].capability for name in defenders)
    needed = math.ceil(terms.quorum * number - 1e-9)
    return replace(
        levers,
        capability=(challenger, protege, pooled),
        collective_delay=terms.consensus_rounds,
        joins=_at_least(needed - 1, number - 1, terms.agreement),
        owed=(levers.owed[0] / number, levers.owed[1] / number),
    )


ClauseFunction = Callable[[Levers, Pact, Setting], Levers]

#: The functions in the order in which they act. The coalition comes last: it pools and dilutes what the
#: others have set.
CLAUSE_FUNCTIONS: Final[dict[Clause, ClauseFunction]] = {
    "obligation": obligation,
    "consultation": consultation,
    "integration": integration,
    "intelligence": intelligence,
    "basing": basing,
    "assistance": assistance,
    "authorisation": authorisation,
    "exit": exit_terms,
    "coalition": coalition,
}


def lower(pact: Pact, setting: Setting, *, without: Collection[Clause] = ()) -> Levers:
    """Return the levers under `pact`, leaving out the clauses named in `without`."""
    levers = no_pact(setting)
    for clause, act in CLAUSE_FUNCTIONS.items():
        if clause not in without:
            levers = act(levers, pact, setting)
    if levers.coverage == 0.0 or max(levers.owed) == 0.0:
        # an obligation that nobody can invoke is none, whatever else was written about it
        levers = replace(levers, owed=(0.0, 0.0), coverage=1.0, ambiguous=False, trigger=8, required=3)
    return levers


def _at_least(needed: int, others: int, chance: float) -> float:
    """Probability that at least `needed` of `others` independent members go along."""
    return math.fsum(
        math.comb(others, k) * chance**k * (1.0 - chance) ** (others - k)
        for k in range(max(needed, 0), others + 1)
    )
