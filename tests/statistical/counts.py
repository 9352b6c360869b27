"""Counts against exact probabilities, so strict that a true engine never fails."""

from __future__ import annotations

from scipy.stats import binom

#: Two-sided probability of a false alarm; 6.109 standard errors where the count is large.
FALSE_ALARM = 1e-9


def is_compatible(count: int, size: int, probability: float) -> bool:
    """Return whether `count` of `size` is in the central 1 - 1e-9 of the binomial."""
    if probability <= 0.0 or size == 0:
        return count == 0
    if probability >= 1.0:
        return count == size
    below = float(binom.cdf(count, size, probability))
    above = float(binom.sf(count - 1, size, probability))
    return min(below, above) >= FALSE_ALARM / 2
