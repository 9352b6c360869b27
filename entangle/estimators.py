"""Intervals for a share that was counted: `count` successes among `trials` independent ones.

The Wilson interval (Wilson 1927, J. Am. Stat. Assoc. 22: 209-212) is what results report: short, and right
on average (Brown, Cai & DasGupta 2001, Stat. Sci. 16: 101-133). The Clopper-Pearson interval (Clopper &
Pearson 1934, Biometrika 26: 404-413) never covers less than it says, however rare the event: checks
that must not cry wolf use it.

Two shares that were counted on the same random words are compared by way of their own intervals and their
correlation (Zou & Donner 2008, Stat. Med. 27: 1693-1702; for proportions Newcombe 1998, Stat. Med. 17:
2635-2650, method 10; for ratios Donner & Zou 2012, Stat. Methods Med. Res. 21: 347-359).
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


def clustered(
    times: ArrayLike,
    trials: ArrayLike,
    squares: ArrayLike,
    products: ArrayLike,
    trial_squares: ArrayLike,
    *,
    confidence: float = 0.95,
) -> tuple[Floats, Interval]:
    """Return a share whose trials come in clusters, such as the years of a history, and its interval.

    The Wilson interval of as many independent trials as would have the same variance, which is that of a
    ratio of sums over clusters (Dean & Pagano 2015, J. Surv. Stat. Methodol. 3: 484-503).

    Parameters
    ----------
    times, trials
        Sums over clusters of n, the successes of a cluster, and of m, its trials; of any shape.
    squares, products, trial_squares
        Sums over clusters of n^2, n m and m^2.
    """
    n, m, nn, nm, mm = (np.asarray(a, np.float64) for a in (times, trials, squares, products, trial_squares))
    some = np.maximum(m, 1.0)
    share = n / some
    variance = np.maximum(nn - 2.0 * share * nm + share * share * mm, 0.0) / (some * some)
    # where all clusters agree, or there is one trial in each, trials are as good as independent
    alone = np.where(variance > 0, share * (1.0 - share) / np.where(variance > 0, variance, 1.0), m)
    effective = np.minimum(alone, m)
    interval = wilson(share * effective, effective, confidence=confidence)
    return np.where(m > 0, share, np.nan), interval


def normal(
    mean: Floats, error: Floats, *, confidence: float = 0.95, least: float = -np.inf, most: float = np.inf
) -> Interval:
    """Return the interval of a mean of many, given its standard error, cut off where no mean can be."""
    from scipy.special import ndtri

    reach = float(ndtri(0.5 + confidence / 2.0)) * error
    return Interval(np.maximum(mean - reach, least), np.minimum(mean + reach, most))


class Joint(NamedTuple):
    """Counts of two shares on the same trajectories, each of the same shape.

    Parameters
    ----------
    first, second
        Trajectories in which each happened.
    first_trials, second_trials
        Trajectories in which the condition of each held.
    both
        In which both happened.
    first_in_second, second_in_first
        In which one happened and the condition of the other held.
    both_trials
        In which both conditions held.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_trials: NDArray[np.int64]
    second_trials: NDArray[np.int64]
    both: NDArray[np.int64]
    first_in_second: NDArray[np.int64]
    second_in_first: NDArray[np.int64]
    both_trials: NDArray[np.int64]


class Paired(NamedTuple):
    """Two shares compared.

    Parameters
    ----------
    difference
        First less second, and the interval for it.
    ratio
        First over second, and the interval for it; open above where the second may be zero.
    saved
        Share of the difference's variance that the common random words save against independent runs; below
        0 where they cost.
    """

    difference: Floats
    difference_interval: Interval
    ratio: Floats
    ratio_interval: Interval
    saved: Floats


def paired(counts: Joint, *, confidence: float = 0.95) -> Paired:
    """Compare two shares that were counted on the same trajectories.

    Without trials on either side nothing is known: the values are not numbers, and the intervals open.
    """
    n1, n2 = (np.asarray(n, np.float64) for n in (counts.first_trials, counts.second_trials))
    l1, u1 = wilson(counts.first, counts.first_trials, confidence=confidence)
    l2, u2 = wilson(counts.second, counts.second_trials, confidence=confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p2 = counts.first / n1, counts.second / n2
        cross = (
            counts.both
            - p2 * counts.first_in_second
            - p1 * counts.second_in_first
            + p1 * p2 * counts.both_trials
        ) / (n1 * n2)
        v1, v2 = p1 * (1.0 - p1) / n1, p2 * (1.0 - p2) / n2
        correlation = np.where(v1 * v2 > 0, np.clip(cross / np.sqrt(v1 * v2), -1.0, 1.0), 0.0)
        # bounds that hold but for rounding, which shows where the two shares are all but the same
        saved = np.minimum(2.0 * cross / (v1 + v2), 1.0)
        ratio = p1 / p2
        below, above = p1 - l1, u1 - p1
        down = below**2 + (u2 - p2) ** 2 - 2.0 * correlation * below * (u2 - p2)
        up = above**2 + (p2 - l2) ** 2 - 2.0 * correlation * above * (p2 - l2)
        down, up = (np.sqrt(np.maximum(squared, 0.0)) for squared in (down, up))
        least = _ratio_end(p1, p2, l1, u2, correlation * below * (u2 - p2), lower=True)
        most = _ratio_end(p1, p2, u1, l2, correlation * above * (p2 - l2), lower=False)
        least, most = np.fmin(least, ratio), np.fmax(most, ratio)
    untried = (n1 == 0) | (n2 == 0)
    return Paired(
        difference=p1 - p2,
        difference_interval=Interval(
            np.where(untried, -1.0, np.maximum(p1 - p2 - down, -1.0)),
            np.where(untried, 1.0, np.minimum(p1 - p2 + up, 1.0)),
        ),
        ratio=ratio,
        ratio_interval=Interval(np.where(untried, 0.0, least), np.where(untried, np.inf, most)),
        saved=saved,
    )


def _ratio_end(p1: Floats, p2: Floats, e1: Floats, e2: Floats, shared: Floats, *, lower: bool) -> Floats:
    """Return one end of the interval of p1 / p2 from the ends e1, e2 of theirs that make it so."""
    middle = p1 * p2 - shared
    top, bottom = e1 * (2.0 * p1 - e1), e2 * (2.0 * p2 - e2)
    root = np.sqrt(np.maximum(middle**2 - top * bottom, 0.0))
    if lower:  # rationalised, so that a bottom of 0 does no harm
        return np.where(middle + root > 0, top / (middle + root), 0.0)
    return np.where(bottom > 0, (middle + root) / bottom, np.inf)


def _checked(count: ArrayLike, trials: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    k, n = np.broadcast_arrays(np.asarray(count, np.float64), np.asarray(trials, np.float64))
    if np.any(k < 0) or np.any(k > n):
        raise ValueError("count must lie between 0 and trials")
    return k, n


def _open_if_untried(lower: ArrayLike, upper: ArrayLike, trials: Floats) -> Interval:
    return Interval(np.where(trials == 0, 0.0, lower), np.where(trials == 0, 1.0, upper))
