"""Two kinds of not knowing, kept apart: what the parameters do to a number, and what counting it does.

A number that was found at every draw of the parameters varies between draws because the parameters do and,
where it was counted, because each count is one of many that could have been. The variance between draws is
the sum of both (law of total variance), and that of counting is known: what is left is the parameters'. Draws
are then pulled towards their mean until they vary by no more than that (Louis 1984, J. Am. Stat. Assoc. 79:
393-398), so that their quantiles are the parameters' alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Ends of the interval of the parameters: the central 90 % of draws.
RANGE: Final = (0.05, 0.95)


class Split(NamedTuple):
    """What draws say about numbers of any shape; not a number where no draw defines one.

    Parameters
    ----------
    mean
        Over draws.
    median, lower, upper
        Of the draws without the scatter of counting: the middle, and the ends of :data:`RANGE`.
    between_sd
        Standard deviation between draws as they are; not a number below two draws.
    parameter_sd
        Standard deviation that the parameters make: the variance between draws less the mean variance of
        counting, 0 where that is below 0.
    clipped
        Whether it was below 0 and is called 0: draws differ by no more than counting explains.
    monte_carlo_error
        Standard error of `mean` from counting; falls with trajectories and with draws.
    monte_carlo_share
        Share of the variance between draws that counting explains, at most 1.
    draws_error
        Standard error of `mean` from having so many draws and no more, if they are independent.
    defined
        Draws in which there is such a number.
    """

    mean: Floats
    median: Floats
    lower: Floats
    upper: Floats
    between_sd: Floats
    parameter_sd: Floats
    clipped: NDArray[np.bool_]
    monte_carlo_error: Floats
    monte_carlo_share: Floats
    draws_error: Floats
    defined: Counts


def split(values: Floats, noise: Floats) -> tuple[Split, Floats]:
    """Tell what the parameters do to numbers from what counting does.

    Parameters
    ----------
    values
        A number at each draw, shape (draws, ...); not a number where it is not defined.
    noise
        Variance of counting of one draw's number, on average over the draws, shape (...); 0 where nothing
        was counted. It must be unbiased, or the split is not.

    Returns
    -------
    Split
        Each part of shape (...).
    array of shape (draws, ...)
        The draws without the scatter of counting: `values` pulled towards their mean.
    """
    known = np.isfinite(values)
    defined = known.sum(axis=0)
    noise = np.asarray(noise, np.float64)
    some = np.maximum(defined, 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / some
    apart = np.where(known, values - mean, 0.0)
    between = np.where(defined > 1, (apart**2).sum(axis=0) / np.maximum(defined - 1, 1), np.nan)
    left = between - noise
    clipped = left < 0.0
    parameter = np.where(clipped, 0.0, left)
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.sqrt(parameter / between)
        share = np.minimum(noise / between, 1.0)
    # nothing to pull: nothing was counted, there is one draw alone, or all are the same
    kept = np.where((noise == 0.0) | ~np.isfinite(kept), 1.0, kept)
    share = np.where((noise == 0.0) & (defined > 1), 0.0, share)
    pulled = np.where(known, values if (noise == 0.0).all() else _pulled(values, mean, kept), np.nan)
    # numbers that no draw defines are kept out of the quantiles, which would warn of them
    none = defined == 0
    low, middle, high = np.nanquantile(np.where(none, 0.0, pulled), (RANGE[0], 0.5, RANGE[1]), axis=0)
    found = Split(
        mean=np.where(none, np.nan, mean),
        median=np.where(none, np.nan, middle),
        lower=np.where(none, np.nan, low),
        upper=np.where(none, np.nan, high),
        between_sd=np.sqrt(between),
        parameter_sd=np.sqrt(parameter),
        clipped=clipped,
        monte_carlo_error=np.where(none, np.nan, np.sqrt(noise / some)),
        monte_carlo_share=share,
        draws_error=np.sqrt(parameter / some),
        defined=defined,
    )
    return found, pulled


def _pulled(values: Floats, mean: Floats, kept: Floats) -> Floats:
    """Return draws nearer to their mean; those that keep all their distance, to the bit."""
    near: Floats = np.where(kept == 1.0, values, mean + (values - mean) * kept)
    return near


def variance(share: Floats, number: int) -> Floats:
    """Return the variance of a share of `number` trajectories, unbiased: p (1 - p) / (number - 1)."""
    spread: Floats = share * (1.0 - share) / (number - 1)
    return spread


def difference_variance(counts: Counts, sizes: Counts) -> Floats:
    """Return the variance of differences of shares that were counted on the same trajectories.

    Parameters
    ----------
    counts
        Successes in each batch of trajectories, shape (batches, kinds, ...); kinds are compared.
    sizes
        Trajectories of each batch, shape (batches,).

    Returns
    -------
    array of shape (kinds, kinds, ...)
        Of one kind's share of all trajectories less the other's. Unbiased.

    Notes
    -----
    With batches of n_b trajectories, N in all, and differences d_b whose mean over trajectories is d, it is
    sum n_b (d_b - d)^2 / ((batches - 1) N). Where one kind never happened the difference is the other's
    share, whose variance is known better.
    """
    batches = len(counts)
    number = int(sizes.sum())
    by_batch = sizes.reshape(-1, *(1,) * counts.ndim)
    apart = counts[:, :, np.newaxis] - counts[:, np.newaxis]
    each = apart / by_batch - apart.sum(axis=0) / number
    found: Floats = (by_batch * each**2).sum(axis=0) / ((batches - 1) * number)
    total = counts.sum(axis=0)
    alone = (total[:, np.newaxis] == 0) | (total[np.newaxis] == 0)
    difference = np.abs(total[:, np.newaxis] - total[np.newaxis]) / number
    return np.where(alone, variance(difference, number), found)
