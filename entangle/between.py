"""From a study to the numbers of the years between crises: rates, arms, losses, the terms of a pact.

What each number does is in ``docs/decades.md``; sizes come from :class:`~entangle.peacetime.Peacetime`, all
of them assumptions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from entangle.horizon import losses, prizes
from entangle.lowering import Setting, lower
from entangle.pact import Pact
from entangle.solving import EMPTY
from entangle_kernels import ladder
from entangle_kernels.peace import GRIEVANCES, Peace
from entangle_kernels.quantise import WORDS

if TYPE_CHECKING:
    from entangle.study import Study

#: Change of grievance by how a crisis ends, challenger and protégé (assumptions of sign): who had to back
#: down bears a grudge, who got what it wanted is content, and a lost war leaves neither eager.
_GRIEVANCE = {
    ladder.WITHDRAWAL: (1, 0),
    ladder.CONCESSION: (-1, 1),
    ladder.DEFEAT: (-1, 1),
    ladder.VICTORY: (-1, -1),
}


def between(study: Study, pact: str) -> Peace:
    """Return what moves between the crises of a pact; of none if its name is EMPTY."""
    setting = Setting.of(study)
    terms, years = Pact() if pact == EMPTY else study.pacts[pact], study.peacetime
    levers = lower(terms, setting)
    challenger, protege, defender = setting.seats
    rates = [
        (
            study.scenario.challenger_rate * math.exp(years.grievance_step * a),
            study.scenario.protege_rate * math.exp(years.grievance_step * b),
        )
        for a in range(-GRIEVANCES, GRIEVANCES + 1)
        for b in range(-GRIEVANCES, GRIEVANCES + 1)
    ]
    shape = (2 * GRIEVANCES + 1,) * 2
    moved = np.zeros((2, ladder.ENDS), np.int64)
    for end, change in _GRIEVANCE.items():
        moved[:, end] = change
    _, held, helping = levers.capability
    floor = -math.inf
    if terms.protege_floor > 0:
        floor = math.log(terms.protege_floor / protege.effort) if protege.effort > 0 else 0.0
    return Peace(
        odds=math.log(years.belief) - math.log1p(-years.belief),
        steadfast=_word(years.belief),
        arises=np.array([_word(-math.expm1(-(a + b))) for a, b in rates]).reshape(shape),
        origin=np.array([_word(a / (a + b)) for a, b in rates]).reshape(shape),
        ln_share=math.log(levers.joint_share) if levers.joint_share > 0 else -math.inf,
        ln_ratio=math.log(helping / held),
        ln_floor=floor,
        react=np.array(years.react),
        free_riding=years.free_riding,
        inertia=years.inertia,
        shock=years.shock,
        build=years.build,
        growth=np.array([math.log1p(actor.growth) for actor in (challenger, protege, defender)]),
        loss=losses(years),
        prize=prizes(years),
        grievance=moved,
        pact=not terms.is_empty,
        term=_years(terms.term_years),
        review=_years(terms.review_years),
        notice=-1 if terms.notice_months is None else math.ceil(terms.notice_months / 12.0),
        suspension=years.suspension_years if terms.suspension else 0,
        renegotiation=_word(years.renegotiation if terms.renegotiation else 0.0),
    )


def _word(probability: float) -> np.uint64:
    """Return the threshold of an event that happens if a word is below it."""
    return np.uint64(round(probability * WORDS))


def _years(period: float | None) -> int:
    return 0 if period is None else max(1, math.ceil(period))
