"""How far strengths can drift apart within a history: the range that solved contexts have to cover.

What moves them is the yearly step of ``docs/decades.md``: growth and reaction as they would go without
chance, the spread of the shocks of effort, and what crises take (for a time) and give (for good). Three
standard deviations to either side are covered; a history that goes further is played in the outermost
context.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from entangle.lowering.levers import Levers, Setting
from entangle.pact import Pact
from entangle.peacetime import Peacetime
from entangle_kernels import ladder
from entangle_kernels.exact import CELLS
from entangle_kernels.game import Floats

#: Standard deviations that are covered to either side.
REACH: Final = 3.0

#: From the log capabilities of challenger, protégé and defender to the two axes.
_AXES: Final = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])


def losses(peacetime: Peacetime) -> Floats:
    """Return the log capability lost by rung reached, shape (3, rungs); the lowest rung is no crisis."""
    by_actor = peacetime.challenger_losses, peacetime.protege_losses, peacetime.defender_losses
    return np.array([(0.0, *lost) for lost in by_actor])


def prizes(peacetime: Peacetime) -> Floats:
    """Return the log capability that challenger and protégé gain by how a crisis ends, shape (2, ends)."""
    gained = np.zeros((2, ladder.ENDS))
    gained[0, [ladder.CONCESSION, ladder.DEFEAT]] = peacetime.prize
    return np.stack([gained[0], -gained[0]])


def strength_range(
    levers: Levers, pact: Pact, setting: Setting, *, bound: Floats, free: Floats
) -> list[tuple[float, float]]:
    """Return how low and how high the axes "local" and "backing" can come, 0 among them.

    Parameters
    ----------
    levers, pact
        What the pact sets, and its terms.
    bound, free
        Exact probability of every ending of a dispute at the start, with the pact and without, shape
        :data:`~entangle_kernels.exact.CELLS`.
    """
    peacetime, scenario = setting.peacetime, setting.scenario
    paths = [(_path(setting, levers, pact, relied_on=share), bound) for share in (0.0, 1.0)]
    paths.append((_path(setting, None, pact, relied_on=0.0), free))
    spread = _spread(setting)
    rate = scenario.challenger_rate + scenario.protege_rate
    low, high = np.zeros(2), np.zeros(2)
    for path, cells in paths:
        middle, width = path, np.sqrt(spread)
        for jumps, left in zip(_jumps(peacetime), (1.0, 1.0 - peacetime.build), strict=True):
            mean, square = (np.tensordot(jumps**power, cells, axes=cells.ndim) for power in (1, 2))
            # disputes come at random: what they add up to is a compound Poisson variable
            middle = middle + np.outer(rate * _summed(left, peacetime.years), mean)
            width = width + np.sqrt(np.outer(rate * _summed(left**2, peacetime.years), square))
        low = np.minimum(low, (middle - REACH * width).min(axis=0))
        high = np.maximum(high, (middle + REACH * width).max(axis=0))
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _summed(left: float, years: int) -> Floats:
    """Return what yearly additions of 1 come to if this share of them is left a year later, year by year."""
    return np.concatenate([[0.0], np.cumsum(left ** np.arange(years))])


def _jumps(peacetime: Peacetime) -> tuple[Floats, Floats]:
    """Return by how much an ending moves each axis for good and for a time, shapes (2, *CELLS)."""
    _, _, end, state, _ = np.indices(CELLS)
    rung, support = state >> 3, (state >> 1) & 3
    lost, gained = losses(peacetime), prizes(peacetime)
    moved = np.stack([gained[0, end], gained[1, end], np.zeros(CELLS)])
    worn = np.stack([-lost[0, rung], -lost[1, rung], -lost[2, rung] * (support == 3)])
    lasting, passing = (
        np.tensordot(_AXES, change * (end != ladder.NO_CRISIS), axes=1) for change in (moved, worn)
    )
    return lasting, passing


def _path(setting: Setting, levers: Levers | None, pact: Pact, *, relied_on: float) -> Floats:
    """Return where the axes go without chance, year by year, shape (years + 1, 2).

    Parameters
    ----------
    levers
        What the pact sets; None without one.
    relied_on
        The belief that the defender is steadfast: 0 or 1, the ends.
    """
    peacetime = setting.peacetime
    growth = np.array([math.log1p(actor.growth) for actor in setting.seats])
    floor = -math.inf
    if levers is not None and pact.protege_floor > 0:
        effort = setting.seats[1].effort
        floor = math.log(pact.protege_floor / effort) if effort > 0 else 0.0
    log, effort_log, trend = np.zeros(3), np.zeros(3), np.zeros(3)
    found = [np.zeros(3)]
    for _ in range(peacetime.years):
        reliance = 0.0
        if levers is not None and relied_on > 0 and levers.joint_share > 0:
            _, protege, defender = levers.capability
            helped = levers.joint_share * defender / protege * math.exp(log[2] - log[1])
            reliance = math.log1p(relied_on * helped)
        target = np.array(
            [
                peacetime.react[0] * (log[1] + reliance),
                peacetime.react[1] * log[0] - peacetime.free_riding * reliance,
                peacetime.react[2] * log[0],
            ]
        )
        effort_log = peacetime.inertia * effort_log + (1.0 - peacetime.inertia) * target
        effort_log[1] = max(effort_log[1], floor)
        log = log + growth + peacetime.build * (effort_log - (log - trend))
        trend = trend + growth
        found.append(log)
    path: Floats = np.array(found) @ _AXES.T
    return path


def _spread(setting: Setting) -> Floats:
    """Return the variance that shocks of effort give each axis, year by year, shape (years + 1, 2).

    That of the linear part of the step: no reliance, no floor.
    """
    return np.array(list(_variances(setting.peacetime)))


def _variances(peacetime: Peacetime) -> Iterator[Floats]:
    answer = np.zeros((3, 3))
    answer[0, 1], answer[1, 0], answer[2, 0] = peacetime.react
    effort_step = np.hstack([(1.0 - peacetime.inertia) * answer, peacetime.inertia * np.eye(3)])
    kept = np.hstack([(1.0 - peacetime.build) * np.eye(3), np.zeros((3, 3))])
    step = np.vstack([kept + peacetime.build * effort_step, effort_step])
    entry = np.vstack([peacetime.build * np.eye(3), np.eye(3)]) * peacetime.shock
    covariance = np.zeros((6, 6))
    for _ in range(peacetime.years + 1):
        yield np.diag(_AXES @ covariance[:3, :3] @ _AXES.T)
        covariance = step @ covariance @ step.T + entry @ entry.T
