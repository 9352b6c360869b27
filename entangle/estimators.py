"""Intervals for a share that was counted: `count` successes among `trials` independent ones.

The Wilson interval (Wilson 1927, J. Am. Stat. Assoc. 22: 209-212) is what results report: short, and right
on average (Brown, Cai & DasGupta 2001, Stat. Sci. 16: 101-133). The Clopper-Pearson interval (Clopper &
Pearson 1934, Biometrika 26: 404-413) never covers less than it says, however rare the event: checks
that must not cry wolf use it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """The ends of an interval for a probability, each of the shape of the counts."""

    lower: Floats
    upper: Floats


def wilson(count: ArrayLike, trials: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Return the two-sided Wilson score interval, with an honest bound where nothing or everything happened.

    At ``count = 0`` and ``count = trials`` there is one open end only, and the whole of ``1 - confidence`` is
    spent on it: the exact bound ``1 - (1 - confidence)^(1 / trials)``, about 3 / trials at 95 %.

    Parameters
    ----------
    count
        Successes, of any shape.
    trials
        Trials, broadcast against `count`. Without trials the interval is [0, 1].
    confidence
        Share of such intervals that should contain the truth, between 0 and 1.

    Raises
    ------
    ValueError
        If a count is below 0 or above its trials, or the confidence is not between 0 and 1.
    """
    from scipy.special import ndtri

    k, n = _checked(count, trials, confidence)
    squared = ndtri(0.5 + confidence / 2.0) ** 2
    some = np.maximum(n, 1.0)
    share = k / some
    spread = np.sqrt(squared * (share * (1.0 - share) / some + squared / (4.0 * some * some)))
    upper = (share + squared / (2.0 * some) + spread) / (1.0 + squared / some)
    # the product of the ends is known; the difference that is the lower one would lose its digits
    lower = share * share / ((1.0 + squared / some) * upper)
    miss = np.log1p(-confidence) / some
    lower = np.where(k == n, np.exp(miss), np.where(k == 0, 0.0, lower))
    upper = np.where(k == 0, -np.expm1(miss), np.where(k == n, 1.0, upper))
    return _open_if_untried(lower, upper, n)


def clopper_pearson(count: ArrayLike, trials: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Return the two-sided Clopper-Pearson interval, which contains the truth at least as often as it says.

    Parameters
    ----------
    count, trials, confidence
        As for :func:`wilson`.
    """
    from scipy.special import betainccinv, betaincinv

    k, n = _checked(count, trials, confidence)
    tail = (1.0 - confidence) / 2.0
    # at the ends, where the answer is 0 or 1, any valid arguments will do
    lower = betaincinv(np.maximum(k, 1.0), np.maximum(n - k, 0.0) + 1.0, tail)
    upper = betainccinv(k + 1.0, np.maximum(n - k, 1.0), tail)
    lower = np.where(k == 0, 0.0, lower)
    upper = np.where(k == n, 1.0, upper)
    return _open_if_untried(lower, upper, n)


def _checked(count: ArrayLike, trials: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    k, n = np.broadcast_arrays(np.asarray(count, np.float64), np.asarray(trials, np.float64))
    if np.any(k < 0) or np.any(k > n):
        raise ValueError("count must lie between 0 and trials")
    return k, n


def _open_if_untried(lower: ArrayLike, upper: ArrayLike, trials: Floats) -> Interval:
    return Interval(np.where(trials == 0, 0.0, lower), np.where(trials == 0, 1.0, upper))
