"""Stopping at a stated relative error, with a confidence that looking on the way cannot spoil.

Trials come in a fixed order and the run stops at the k-th success, at trial T. With R drawn from the gamma
law of shape T, k successes make p R a gamma variable of shape k, exactly and whatever the probability p: the
estimate (k - 1) / R has no bias and a relative error whose law is known before the first trial (the
Gamma-Bernoulli approximation scheme: Huber 2017, Random Struct. Alg. 50: 173-182). Stopping at the first look
at which an ordinary interval is narrow enough covers less than it says.

SciPy's incomplete gamma functions serve below the shape `_LARGE`. Beyond, they lose the lower tail below
-4.5 standard deviations (SciPy 1.17: the quantile of 1e-6 is off by 0.11 standard deviations at shape 1e8),
and two expansions that are good to the last digits there take their place.
"""

from __future__ import annotations

import math
import operator
from functools import lru_cache
from typing import NamedTuple

#: From this shape on the expansions are right to 4e-12 of a standard deviation, as far out as 8 of them.
_LARGE = 100_000
#: Counts above 2^53 are not all different as floating-point numbers.
_COUNTABLE = 2**53


class Stopped(NamedTuple):
    """What a run that stopped at its last needed success knows of the probability.

    Parameters
    ----------
    probability
        The estimate, free of bias. Its law is exact because it is not clipped: near 1 it can exceed 1.
    lower, upper
        Ends of the exact interval with equal tails, at most 1.
    successes, trials
        Successes that were needed, and the trial at which the last of them came, counted from 1.
    relative_error, confidence
        What was asked for: the relative error of `probability` stays within `relative_error` at least as
        often as `confidence`, and the interval contains the truth exactly as often (more often only if the
        truth is 1).
    """

    probability: float
    lower: float
    upper: float
    successes: int
    trials: int
    relative_error: float
    confidence: float


def successes_needed(relative_error: float, *, confidence: float = 0.95) -> int:
    """Return how many successes to wait for: the fewest that hold the relative error.

    Parameters
    ----------
    relative_error
        Largest relative error to be accepted, above 0 and below 1.
    confidence
        Share of runs that should keep to it, above 0 and below 1.

    Returns
    -------
        The smallest k at which the estimate is within `relative_error` of the probability with at least
        the chance `confidence`; about (z / relative_error)^2, with z the normal quantile. Exact to some 1e13
        successes, from where on neighbours are alike in double precision: then to about one part in 1e14.

    Raises
    ------
    ValueError
        If an argument is not between 0 and 1, or the answer is beyond 2^53.

    Notes
    -----
    The chance rises with k, so that bisection finds the smallest. With n = k - 1, the ratio p R / n has a
    density proportional to g^n, where g(y) = y exp(1 - y) is largest at 1, and is wanted in [a, b] =
    [1 / (1 + e), 1 / (1 - e)]. As n grows, the log-odds of that rise at the rate E[ln g | inside] -
    E[ln g | outside]. Outside, g stays below g(a), which is above g(b): it is enough that the integral of
    (ln g - ln g(a)) g^n over [a, b] is positive. Where it is so for one n, it is for all larger ones, and at
    n = 4 it is for every e; k from 2 to 5 are compared one by one (both on a grid of e, in the tests).
    """
    _check_between("relative_error", relative_error)
    _check_between("confidence", confidence)
    return _successes_needed(float(relative_error), float(confidence))


def estimate(trials: int, *, relative_error: float, confidence: float = 0.95, uniform: float) -> Stopped:
    """Return the estimate of a run that stopped at its last needed success.

    Parameters
    ----------
    trials
        Trial, counted from 1 in the fixed order, at which success number ``successes_needed(relative_error,
        confidence=confidence)`` came. Trials made beyond it must not count.
    relative_error, confidence
        As for :func:`successes_needed`.
    uniform
        A random number above 0 and below 1, independent of the trials and addressed like every other; the
        gamma variable is its quantile.

    Raises
    ------
    ValueError
        If there are fewer trials than successes, or another argument is not between 0 and 1.
    """
    successes = successes_needed(relative_error, confidence=confidence)
    _check_between("uniform", uniform)
    trials = operator.index(trials)
    if trials < successes:
        raise ValueError(f"trials must be at least the {successes} successes among them, got {trials}")
    waited = _gamma_quantile(float(trials), float(uniform))
    low, high = _ends(successes, float(confidence))
    return Stopped(
        probability=(successes - 1) / waited,
        lower=min(low / waited, 1.0),
        upper=min(high / waited, 1.0),
        successes=successes,
        trials=trials,
        relative_error=float(relative_error),
        confidence=float(confidence),
    )


def expected_trials(probability: float, successes: int) -> float:
    """Return how many trials it takes on average until success number `successes`.

    Parameters
    ----------
    probability
        Chance of a success, above 0 and at most 1.
    successes
        Successes to wait for, at least 1.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    if not 0.0 < probability <= 1.0:
        raise ValueError(f"probability must lie above 0 and be at most 1, got {probability}")
    if successes < 1:
        raise ValueError(f"successes must be at least 1, got {successes}")
    return successes / probability


def _check_between(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")


@lru_cache(maxsize=256)
def _successes_needed(relative_error: float, confidence: float) -> int:
    from scipy.special import ndtri

    allowed = 1.0 - confidence
    start = -float(ndtri(allowed / 2.0)) / relative_error
    low, high = 1, 2  # one success estimates 0, which is never near
    if start < math.sqrt(2.0 * _COUNTABLE):
        high = max(high, round(start * start))
        while _miss(high, relative_error) > allowed:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if _miss(middle, relative_error) > allowed:
                low = middle
            else:
                high = middle
        if high <= _COUNTABLE:
            return high
    raise ValueError(
        f"a relative error of {relative_error} at confidence {confidence} needs more than 2^53 successes"
    )


def _miss(successes: int, relative_error: float) -> float:
    """Return the chance that the estimate after so many successes is further off than `relative_error`."""
    from scipy.special import gammainc, gammaincc

    k = float(successes)
    if k < _LARGE:
        below, above = (k - 1.0) / (1.0 + relative_error), (k - 1.0) / (1.0 - relative_error)
        return float(gammainc(k, below) + gammaincc(k, above))
    # the same two ends, as parts of k by which they are off k: the difference would lose its digits
    below = -(relative_error + 1.0 / k) / (1.0 + relative_error)
    above = (relative_error - 1.0 / k) / (1.0 - relative_error)
    return _tail(k, below, side=-1.0) + _tail(k, above, side=1.0)


def _tail(shape: float, offset: float, *, side: float) -> float:
    """Return the chance that a gamma variable is below (`side` -1) or above (1) shape × (1 + offset).

    For large shapes and small offsets: Temme (1979, SIAM J. Math. Anal. 10: 757-766), DLMF 8.12.3 to 8.12.8.
    """
    from scipy.special import ndtr

    # eta^2 / 2 = offset - ln(1 + offset), whose first digits cancel
    half = math.fsum((-offset) ** power / power for power in range(2, 17))
    eta = math.copysign(math.sqrt(2.0 * half), offset)
    first = -1 / 3 + eta * (1 / 12 + eta * (-2 / 135 + eta / 864))
    second = -1 / 540 - eta / 288
    correction = math.exp(-shape * half) / math.sqrt(2.0 * math.pi * shape) * (first + second / shape)
    return float(ndtr(-side * eta * math.sqrt(shape))) + side * correction


def _gamma_quantile(shape: float, tail: float, *, upper: bool = False) -> float:
    """Return what a gamma variable is below (or above, if `upper`) with the chance `tail`.

    For large shapes: Fisher & Cornish (1960, Technometrics 2: 209-225), with cumulants shape × (n - 1)!.
    """
    from scipy.special import gammainccinv, gammaincinv, ndtri

    if shape < _LARGE:
        return float(gammainccinv(shape, tail) if upper else gammaincinv(shape, tail))
    z, root = float(ndtri(tail)), math.sqrt(shape)
    z = -z if upper else z
    return (
        shape
        + z * root
        + (z**2 - 1) / 3
        + (z**3 - 7 * z) / (36 * root)
        - (3 * z**4 + 7 * z**2 - 16) / (810 * shape)
        + (9 * z**5 + 256 * z**3 - 433 * z) / (38880 * shape * root)
    )


@lru_cache(maxsize=256)
def _ends(successes: int, confidence: float) -> tuple[float, float]:
    """Return the quantiles that leave half of ``1 - confidence`` on either side of a gamma variable."""
    tail = (1.0 - confidence) / 2.0
    return _gamma_quantile(successes, tail), _gamma_quantile(successes, tail, upper=True)
