"""Whether two counted shares can be of the same probability: p-values for every number of trials.

If both were counted on trials of their own, the count of one, given how often it happened in both
together, is hypergeometric whatever the probability is (Fisher 1935, J. R. Stat. Soc. 98: 39-82). Twice
the smaller tail is then a p-value whose chance to be below any level is at most that level. Where the two
may depend on each other in any way, as on the same random words, the two exact intervals of Clopper and
Pearson are asked instead: they miss together at most as often as each by itself, added up.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: From this variance on a hypergeometric count is taken as normal: tails down to 1e-9 are then right to some
#: two parts in a hundred.
_NORMAL: Final = 1e6
#: Standard deviations from the most likely count beyond which nothing is added up.
_REACH: Final = 40.0


def independent(first: ArrayLike, trials: ArrayLike, second: ArrayLike, others: ArrayLike) -> Floats:
    """Return two-sided p-values that two shares of separate trials have the same probability.

    Parameters
    ----------
    first, trials
        Successes of one, of any shape, and its trials.
    second, others
        Those of the other.
    """
    arrays = np.broadcast_arrays(*(np.asarray(a, np.int64) for a in (first, trials, second, others)))
    found = [_hypergeometric(*map(int, each)) for each in zip(*(a.ravel() for a in arrays), strict=True)]
    return np.array(found, np.float64).reshape(arrays[0].shape)


def dependent(first: ArrayLike, trials: ArrayLike, second: ArrayLike, others: ArrayLike) -> Floats:
    """Return two-sided p-values that hold however the two depend on each other; as :func:`independent`.

    The least of four times the larger tail, over all probabilities: below a level a where the intervals of
    Clopper and Pearson at 1 - a / 2 do not overlap.
    """
    from scipy.special import betainc, betaincc

    x, n, y, m = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (first, trials, second, others)))
    with np.errstate(invalid="ignore", divide="ignore"):
        swapped = x / n > y / m
    x, n, y, m = np.where(swapped, (y, m, x, n), (x, n, y, m))  # the first share is the smaller one
    low, high = np.zeros(x.shape), np.ones(x.shape)
    below = above = high
    for _ in range(80):
        middle = (low + high) / 2
        # at most x of n falls with the probability, at least y of m rises
        below = np.where(x >= n, 1.0, betaincc(x + 1, np.maximum(n - x, 1), middle))
        above = np.where(y <= 0, 1.0, betainc(np.maximum(y, 1), m - y + 1, middle))
        falls = below > above
        low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    return np.where((n == 0) | (m == 0), 1.0, np.minimum(1.0, 4.0 * np.maximum(below, above)))


def known(count: ArrayLike, trials: ArrayLike, probability: ArrayLike) -> Floats:
    """Return two-sided p-values that a share was counted at a probability that is known."""
    from scipy.special import betainc, betaincc

    x, n, p = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (count, trials, probability)))
    below = np.where(x >= n, 1.0, betaincc(x + 1, np.maximum(n - x, 1), p))
    above = np.where(x <= 0, 1.0, betainc(np.maximum(x, 1), n - x + 1, p))
    return np.minimum(1.0, 2.0 * np.minimum(below, above))


def _hypergeometric(x: int, n: int, y: int, m: int) -> float:
    """Return twice the smaller tail of x successes among the x + y of n + m trials that fell on n of them."""
    total, together = n + m, x + y
    if n == 0 or m == 0 or together in (0, total):
        return 1.0
    least, most = max(0, together - m), min(n, together)
    share = together / total
    mean = n * share
    variance = mean * (1.0 - share) * (m / max(total - 1, 1))
    if variance > _NORMAL:
        from scipy.special import ndtr

        away = max(abs(x - mean) - 0.5, 0.0) / math.sqrt(variance)
        return min(1.0, 2.0 * float(ndtr(-away)))
    reach = int(_REACH * math.sqrt(variance)) + 200
    low, high = max(least, int(mean) - reach), min(most, int(mean) + reach)
    if not low <= x <= high:
        return 0.0
    # each count's chance over that of the one before; numbers beyond 2^53 lose nothing that matters
    counts = np.arange(low, high, dtype=np.float64)
    ratio = (n - counts) * (together - counts) / ((counts + 1.0) * (m - together + counts + 1.0))
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratio))])
    chances = np.exp(logs - logs.max())
    place, whole = x - low, float(chances.sum())
    tail = min(float(chances[: place + 1].sum()), float(chances[place:].sum()))
    return min(1.0, 2.0 * tail / whole)
