"""One pact at one draw: what becomes of an occasion for a crisis with it and without, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from entangle.actor import Actor, Resolve, Scenario
from entangle.attribution import rivals
from entangle.coupling import EVENTS
from entangle.errors import ConvergenceError
from entangle.fit.draws import structural
from entangle.lowering import Setting, lower, no_pact
from entangle.outcomes import OUTCOMES
from entangle.pact import Pact
from entangle.parameters import Parameters
from entangle.solving import EMPTY, Prepared, solve
from entangle_kernels import coupled
from entangle_kernels.game import Floats

#: What is reported, each given its own condition.
REPORTED: Final = (
    "challenge",
    "provocation",
    "war",
    "defender_fights",
    "obligation_active",
    "abandonment",
    "nuclear_use",
)
_ALL: Final = {outcome.name: outcome for outcome in OUTCOMES}
OUTCOME: Final = {name: _ALL[name] for name in REPORTED}
#: How much harder distance makes it for a defender to fight: the population's middle (assumption).
PROJECTION: Final = 0.4

_PACT: Final = "pact"


class Seat(NamedTuple):
    """Who sits in a seat.

    Parameters
    ----------
    capability
        CINC.
    regime
        0 (autocracy) to 1 (democracy).
    nuclear
        Whether it has nuclear weapons.
    """

    capability: float
    regime: float
    nuclear: bool


class Case(NamedTuple):
    """A pact between two states, and who may challenge.

    Parameters
    ----------
    pact
        Its terms.
    names
        Keys of the two partners, by which the terms may say who owes.
    protege, defender
        The partners.
    challengers
        The same challenger at several strengths.
    weight
        Of each, adding up to 1.
    """

    pact: Pact
    names: tuple[str, str]
    protege: Seat
    defender: Seat
    challengers: tuple[Seat, ...]
    weight: tuple[float, ...]


class Found(NamedTuple):
    """What becomes of an occasion, averaged over the challengers.

    Parameters
    ----------
    happened
        Probability of each of :data:`REPORTED`, with the pact and without, shape (2, outcomes).
    held
        Probability of what it is conditional on, shape (2, outcomes).
    entanglement
        Probability that the defender fights and, on the same luck, would not with its own no-pact policy.
    """

    happened: Floats
    held: Floats
    entanglement: float


def at_draw(case: Case, values: Mapping[str, float], *, types: int, rounds: int) -> Found | None:
    """Return what becomes of an occasion at given values of what was fitted; None if it could not be solved.

    An occasion arises for the challenger, or for the protégé in the drawn proportion. What the defender has
    at stake, and how resolve is spread, is drawn too and the same for all pacts.

    Parameters
    ----------
    types, rounds
        Size of the crisis game.
    """
    parameters = Parameters(types=types, rounds=rounds, **structural(values))
    happened, held = np.zeros((2, len(REPORTED))), np.zeros((2, len(REPORTED)))
    entanglement = 0.0
    for challenger, weight in zip(case.challengers, case.weight, strict=True):
        setting = _setting(case, challenger, values, parameters)
        levers = {_PACT: lower(case.pact, setting), EMPTY: no_pact(setting)}
        try:
            solved = solve(levers, setting, workers=1)
        except ConvergenceError:
            return None
        for status, name in enumerate((_PACT, EMPTY)):
            cells = solved[name].exact
            happened[status] += [weight * float(cells[own.event].sum()) for own in OUTCOME.values()]
            held[status] += [weight * float(cells[own.condition].sum()) for own in OUTCOME.values()]
        entanglement += weight * _entanglement(solved[_PACT], solved[EMPTY])
    return Found(happened, held, entanglement)


def _setting(case: Case, challenger: Seat, values: Mapping[str, float], parameters: Parameters) -> Setting:
    resolve = Resolve(median=1.0, log_sd=values["log_sd"])
    names = "challenger", *case.names
    seats = zip(names, (challenger, case.protege, case.defender), strict=True)
    scenario = Scenario(
        challenger=names[0],
        protege=names[1],
        defender=names[2],
        alignment=values["alignment"],
        projection=PROJECTION,
        challenger_rate=1.0,
        protege_rate=values["protege_rate"],
    )
    return Setting(
        scenario, {name: Actor(**seat._asdict(), resolve=resolve) for name, seat in seats}, parameters
    )


def _entanglement(pact: Prepared, empty: Prepared) -> float:
    pair = rivals(pact, empty)
    if pair is None:
        return 0.0
    return float(coupled.joint(pact.tables, pair[1], EVENTS["defender_fights"])[1, 0])
