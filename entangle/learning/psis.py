"""Importance weights with a tamed tail: Pareto-smoothed importance sampling.

The largest ratios are replaced by what a generalised Pareto law, fitted to them, expects in their place; its
shape says whether there is anything to be had from the weights at all (Vehtari, Simpson, Gelman, Yao & Gabry
2024, J. Mach. Learn. Res. 25 (72): 1-58).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Ratios in the tail below which it is not smoothed.
_FEWEST: Final = 5
#: Weight of the prior belief that the shape is 1/2, in ratios.
_PRIOR: Final = 10.0


class Weights(NamedTuple):
    """Smoothed importance weights.

    Parameters
    ----------
    weights
        They add up to 1, shape (n,).
    shape
        Of the tail, k-hat: above :func:`most_shape`, what they give is not to be relied on. Not a number
        where there is no tail to fit, minus infinity where all ratios are the same.
    effective
        Draws that would say as much with equal weights.
    """

    weights: Floats
    shape: float
    effective: float


def most_shape(number: int) -> float:
    """Return the largest shape at which so many draws still give a mean (section 3.2 of the paper)."""
    return min(1.0 - 1.0 / math.log10(number), 0.7)


def smoothed(log_ratios: Floats) -> Weights:
    """Return importance weights from the logs of ratios, shape (n,), none of them above all numbers."""
    n = len(log_ratios)
    logs = log_ratios - log_ratios.max()
    size = math.ceil(min(0.2 * n, 3.0 * math.sqrt(n)))
    shape = math.nan
    if np.ptp(logs) == 0.0:
        shape = -math.inf
    elif size >= _FEWEST:
        order = np.argsort(logs, kind="stable")
        tail = order[-size:]
        # ratios too small to be written are not to make the cutoff zero
        cutoff = max(float(logs[order[-size - 1]]), math.log(np.finfo(float).tiny))
        above = np.exp(logs[tail]) - math.exp(cutoff)
        tail, above = tail[above > 0.0], above[above > 0.0]
        if len(above) >= _FEWEST:
            shape, scale = pareto(above)
            if math.isfinite(shape):
                expected = math.exp(cutoff) + quantiles(
                    (np.arange(len(above)) + 0.5) / len(above), shape, scale
                )
                # none above the largest ratio that was seen
                logs[tail] = np.minimum(np.log(expected), 0.0)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    return Weights(weights, shape, float(1.0 / (weights**2).sum()))


def pareto(above: Floats) -> tuple[float, float]:
    """Return shape and scale of a generalised Pareto law, from what lies above its start, in order.

    Zhang & Stephens 2009, Technometrics 51: 316-325, with the shape drawn a little towards 1/2.
    """
    n = len(above)
    tries = 30 + math.isqrt(n)
    quartile = above[int(n / 4.0 + 0.5) - 1]
    theta = 1.0 / above[-1] + (1.0 - np.sqrt(tries / (np.arange(1, tries + 1) - 0.5))) / (3.0 * quartile)
    shapes = np.log1p(-theta[:, np.newaxis] * above).mean(axis=1)
    likelihood = n * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(likelihood - likelihood.max())
    mean = float((weights * theta).sum() / weights.sum())
    shape = float(np.log1p(-mean * above).mean())
    scale = -shape / mean
    return (n * shape + 0.5 * _PRIOR) / (n + _PRIOR), scale


def quantiles(levels: Floats, shape: float, scale: float) -> Floats:
    """Return quantiles of a generalised Pareto law that starts at 0."""
    if abs(shape) < 1e-12:
        found: Floats = -scale * np.log1p(-levels)
    else:
        found = scale * np.expm1(-shape * np.log1p(-levels)) / shape
    return found
