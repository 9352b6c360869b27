"""Against whom: a typical challenger, a named state, or the rival that a protégé met most often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

from entangle import cow
from entangle.errors import DataError, nearest
from entangle.fit.population import BACKING, CORRELATION, LOCAL, REGIMES

if TYPE_CHECKING:
    from entangle.evidence.mid import Dispute
    from entangle.treaties.figures import Figures

#: The two words that name no state.
TYPICAL: Final = "typical"
RIVAL: Final = "rival"
#: Equally probable strengths of a typical challenger. What a pact changes rises and falls steeply along them,
#: so that a Gaussian quadrature of few nodes is worse.
NODES: Final = 9
#: A rival is who stood on the other side most often in the years up to the one that is asked about.
RIVAL_YEARS: Final = 30


class Challenger(NamedTuple):
    """Who may challenge a protégé.

    Parameters
    ----------
    name
        In print.
    ccode
        Its code; None for the typical challenger.
    capability
        CINC at each node.
    weight
        Of the nodes, adding up to 1.
    regime
        0 (autocracy) to 1 (democracy).
    nuclear
        Whether it has nuclear weapons.
    """

    name: str
    ccode: int | None
    capability: tuple[float, ...]
    weight: tuple[float, ...]
    regime: float
    nuclear: bool


def typical(protege: float, defender: float, strongest: float, *, nodes: int = NODES) -> Challenger:
    """Return those who challenge a state of a capability that has a partner of a capability.

    In the reference population log capability of target and partner over the initiator's are normal together
    (:data:`~entangle.fit.population.LOCAL`, :data:`~entangle.fit.population.BACKING`). Their difference, the
    partner over the target, is known here, and given it the initiator's strength is normal again. The middles
    of equally probable parts stand for it. Regime: the mean of initiators; nuclear weapons: none, like most.

    Parameters
    ----------
    protege, defender
        CINC of the two partners.
    strongest
        CINC that no challenger exceeds.
    nodes
        How many strengths.
    """
    covariance = CORRELATION * LOCAL[1] * BACKING[1]
    between = LOCAL[1] ** 2 + BACKING[1] ** 2 - 2.0 * covariance
    slope = (covariance - LOCAL[1] ** 2) / between
    mean = LOCAL[0] + slope * (math.log(defender / protege) - (BACKING[0] - LOCAL[0]))
    spread = math.sqrt(LOCAL[1] ** 2 - slope**2 * between)
    quantile = NormalDist().inv_cdf
    middles = [quantile((k + 0.5) / nodes) for k in range(nodes)]
    capability = [min(protege * math.exp(-(mean + spread * x)), strongest) for x in middles]
    return Challenger(
        "typical",
        None,
        tuple(capability),
        (1.0 / nodes,) * nodes,
        REGIMES[0][0],
        nuclear=False,
    )


def state(ccode: int, figures: Figures) -> Challenger:
    """Return a state as a challenger.

    Raises
    ------
    DataError
        If it has no capability in that year.
    """
    if figures.strength(ccode) == 0.0:
        raise DataError(
            f"{figures.cinc.path}: the CINC of {cow.title(ccode, figures.year)} ({ccode}) in {figures.year} "
            "is 0, and a challenger needs some capability."
        )
    return Challenger(
        cow.title(ccode, figures.year),
        ccode,
        (figures.strength(ccode),),
        (1.0,),
        figures.regime(ccode, "challenger")[0],
        nuclear=cow.is_nuclear(ccode, figures.year),
    )


def code_of(name: str, year: int) -> int:
    """Return the code of a state that was named, by its name in print, its key or its code.

    Raises
    ------
    DataError
        If there is no such state; names the nearest one.
    """
    asked = name.strip()
    if asked.isdecimal() and int(asked) in cow.NAMES:
        return int(asked)
    known = {}
    for code in cow.NAMES:
        for own in (cow.NAMES[code], cow.title(code, year), cow.key(code)):
            known[own.lower()] = code
    if asked.lower() not in known:
        names = list(dict.fromkeys(cow.title(code, year) for code in cow.NAMES))
        raise DataError(
            f"There is no state '{name}'. {nearest(name, names)} Or say '{TYPICAL}' or '{RIVAL}'."
        )
    return known[asked.lower()]


def rival(
    protege: int, defender: int, disputes: Iterable[Dispute], figures: Figures
) -> tuple[int | None, int]:
    """Return the state that was most often on the other side of a dispute, and how often; None if none was.

    Originators of both sides count, over the :data:`RIVAL_YEARS` years up to that of the figures. Of several
    the one met last counts. The defender itself is no rival, nor is a state without capability in that year.
    """
    met: Counter[int] = Counter()
    last: dict[int, tuple[int, int, int]] = {}
    for dispute in disputes:
        if not figures.year - RIVAL_YEARS < dispute.begin.year <= figures.year:
            continue
        sides = dispute.initiators, dispute.targets
        others = sides[1] if protege in sides[0] else sides[0] if protege in sides[1] else frozenset()
        for other in others - {defender}:
            if figures.cinc.get(other, figures.year):
                met[other] += 1
                day = dispute.begin
                last[other] = max(last.get(other, (0, 0, 0)), (day.year, day.month, day.day))
    if not met:
        return None, 0
    chosen = max(met, key=lambda other: (met[other], last[other], -other))
    return chosen, met[chosen]
