"""The numbers behind the years between crises, and tables in place of functions whose last bit may differ.

What they mean, and the order in which they are used, is in ``docs/decades.md``.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.game import Floats

#: Purposes of random words, the fourth word of the counter; see :mod:`entangle_kernels.philox`.
ARMS, PLACE, LIFE = (np.uint64(0x80000002 + i) for i in range(3))

#: Grievances run from -GRIEVANCES to GRIEVANCES.
GRIEVANCES: Final = 2
#: What a pact's status can be.
ENDED, IN_FORCE, SUSPENDED = 0, 1, 2
#: Why a pact ended; 0 while it has not.
NOTICE_BY_PROTEGE, NOTICE_BY_DEFENDER, BREACH, LAPSE, REVIEW = 1, 2, 3, 4, 5
ABROGATED_BY_PROTEGE, ABROGATED_BY_DEFENDER = 6, 7
CAUSES: Final = 8

_SOFT_STEPS: Final = 64  # to one
_SOFT_REACH: Final = 16
_NORMAL_STEPS: Final = 4096


class Contexts(NamedTuple):
    """Solved crises on a grid of contexts, and what follows from each.

    A context is a point of the grid with the pact's game or the game without: index ``((bound * n0 + i0) * n1
    + i1) * n2 + i2``, bound 1 with the pact; N = 2 * n0 * n1 * n2.

    Parameters
    ----------
    types, estimates, rounds
        K, E and the rounds of a crisis; H = E * K.
    lowest, inverse, points
        The grid's axes: lowest value, inverse of the spacing (0 for an axis of one point), number of points;
        each of shape (3,). The axes are the log of the protégé's over the challenger's capability, that of
        the defender's over the challenger's, both relative to the start, and the log odds that the defender
        is steadfast.
    hit
        The partners' estimate is "resolute" if the word is below this, without and with the pact, shape
        (2, K).
    scope
        A dispute is in scope if the word is below this.
    faith
        First word of each class of the defender's resolve, if it is wavering and if it is steadfast, shape
        (2, K), ascending from 0.
    enter
        A crisis opens if the word is above this, shape (N, 2 origins, H).
    start
        State in which a crisis of each origin opens, shape (N, 2).
    cut, nature
        Thresholds as in :class:`~entangle_kernels.quantise.Tables`, shapes (N, rounds, 3, states, H, 3) and
        (N, states, 4).
    step
        Packed steps, without and with the pact, shape (2, 4, states, 5).
    stay
        The protégé, and the defender, wishes to keep the pact if its word is below this; and keeps to it
        against its wish, where leaving is not provided for, if it is below the third and the fourth, shape
        (N, 4).
    news
        Added to the log odds if help was owed and given, and if it was owed and not given, shape (N, 2).
    """

    types: int
    estimates: int
    rounds: int
    lowest: Floats
    inverse: Floats
    points: NDArray[np.int64]
    hit: NDArray[np.uint64]
    scope: np.uint64
    faith: NDArray[np.uint64]
    enter: NDArray[np.uint32]
    start: NDArray[np.int64]
    cut: NDArray[np.uint32]
    nature: NDArray[np.uint32]
    step: NDArray[np.uint16]
    stay: NDArray[np.uint64]
    news: Floats


class Peace(NamedTuple):
    """What moves between crises; shapes over actors are in the order challenger, protégé, defender.

    Parameters
    ----------
    odds
        Log odds of the public belief at the start.
    steadfast
        The defender is steadfast if its word is below this.
    arises
        A dispute arises if the word is below this, by grievance of challenger and protégé from the lowest,
        shape (5, 5).
    origin
        It arises for the challenger if the word is below this, shape (5, 5).
    ln_share, ln_ratio, ln_floor
        Log of the share of the defender's capability that counts under the pact; of the defender's over the
        protégé's capability at the start; of the promised floor over the protégé's effort at the start, minus
        infinity without one.
    react
        Answer of effort to capability, shape (3,).
    free_riding, inertia, shock, build
        See ``docs/decades.md``.
    growth
        Growth of log capability in a year, shape (3,).
    loss
        Log capability lost by rung reached, shape (3, 9).
    prize
        Log capability gained by how it ended, challenger and protégé, shape (2, ends).
    grievance
        Change of grievance by how it ended, challenger and protégé, shape (2, ends).
    pact
        Whether there is a pact at the start.
    term, review, notice
        Years of the term, between reviews, and of notice; 0 for no term, 0 for no reviews, -1 where leaving
        is not provided for.
    suspension
        Years of a suspension; 0 if there is no such clause.
    renegotiation
        A review that one partner wants to end it at goes on if the word is below this.
    """

    odds: float
    steadfast: np.uint64
    arises: NDArray[np.uint64]
    origin: NDArray[np.uint64]
    ln_share: float
    ln_ratio: float
    ln_floor: float
    react: Floats
    free_riding: float
    inertia: float
    shock: float
    build: float
    growth: Floats
    loss: Floats
    prize: Floats
    grievance: NDArray[np.int64]
    pact: bool
    term: int
    review: int
    notice: int
    suspension: int
    renegotiation: np.uint64


def soft_table() -> Floats:
    """Return ln(1 + e^x) at steps of 1/64 from -16 to 16, shape (2049,)."""
    points = range(-_SOFT_REACH * _SOFT_STEPS, _SOFT_REACH * _SOFT_STEPS + 1)
    return np.array([math.log1p(math.exp(i / _SOFT_STEPS)) for i in points])


def normal_table() -> Floats:
    """Return standard normal quantiles at 4097 equally spaced probabilities, shape (4097,).

    The first and the last stand for half a step from the end.
    """
    inverse = NormalDist().inv_cdf
    ends = 0.5 / _NORMAL_STEPS
    return np.array(
        [inverse(min(max(i / _NORMAL_STEPS, ends), 1.0 - ends)) for i in range(_NORMAL_STEPS + 1)]
    )
