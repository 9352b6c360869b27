"""Shares, rates and medians with their intervals, as the figures of the record have them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle.estimators import wilson

Floats = NDArray[np.float64]

#: Resamples of a bootstrap, and the key of its random numbers. Bounds move by about a hundredth of the
#: interval's length between keys.
RESAMPLES: Final = 4000
SEED: Final = 20_240_501


class Computed(NamedTuple):
    """A figure that was computed.

    Parameters
    ----------
    value, lower, upper
        The figure and its 95 % interval.
    n, events, clusters
        Units at risk, those in which it happened, and clusters of them; None where there are none.
    """

    value: float
    lower: float
    upper: float
    n: int
    events: int | None
    clusters: int | None


def day(year: int, month: int | None, number: int | None, *, unknown: int = 15) -> date:
    """Return a date as the figures were dated: every month has 28 days, and later ones count as the 28th.

    An unknown day (one that no month has: 0, −9, 66, 77, 88 in these files) is `unknown`, an unknown month
    is June.
    """
    if month is None or not 1 <= month <= 12:
        month = 6
    if number is None or not 1 <= number <= 31:
        number = unknown
    return date(year, month, min(number, 28))


def share(happened: Iterable[bool]) -> Computed:
    """Return a share of independent cases, with the Wilson interval."""
    cases = list(happened)
    k, n = sum(cases), len(cases)
    lower, upper = wilson(k, n)
    value = k / n if n else float("nan")
    return Computed(value, float(lower), float(upper), n, k, None)


def clustered_share(cases: Iterable[tuple[Hashable, bool]]) -> Computed:
    """Return a share of cases that come in clusters; its interval is a bootstrap of the clusters."""
    clusters, sums = _by_cluster((cluster, (1.0, float(happened))) for cluster, happened in cases)
    n, k = (int(total) for total in sums.sum(axis=0))
    value, lower, upper = _ratio_of_sums(sums)
    return Computed(value, lower, upper, n, k, clusters)


def clustered_ratio(cases: Iterable[tuple[Hashable, bool, bool]]) -> Computed:
    """Return the ratio of the shares of two groups, of cases (cluster, in the first group, happened)."""
    rows = (
        (cluster, (float(first), float(first and happened), float(not first), float(not first and happened)))
        for cluster, first, happened in cases
    )
    clusters, sums = _by_cluster(rows)

    def ratio(s: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (s[..., 1] / s[..., 0]) / (s[..., 3] / s[..., 2])

    total = sums.sum(axis=0)
    lower, upper = _bootstrap(sums, ratio)
    n, k = int(total[0] + total[2]), int(total[1] + total[3])
    return Computed(float(ratio(total)), lower, upper, n, k, clusters)


def rate(cases: Sequence[tuple[float, bool]]) -> Computed:
    """Return events per year lived, of cases (years lived, ended); a bootstrap of the cases."""
    sums = np.array(cases, np.float64).reshape(-1, 2)
    value, lower, upper = _ratio_of_sums(sums)
    return Computed(value, lower, upper, len(sums), int(sums[:, 1].sum()), len(sums))


def median_life(cases: Sequence[tuple[float, bool]]) -> Computed:
    """Return the Kaplan-Meier median of (years lived, ended); a bootstrap of the cases.

    The first time at which the curve is at or below one half (Kaplan & Meier 1958, J. Am. Stat. Assoc. 53:
    457–481).
    """
    lives = np.array(cases, np.float64).reshape(-1, 2)
    draws = _generator().integers(0, len(lives), (RESAMPLES, len(lives)))
    medians = np.array([_median(lives[draw]) for draw in draws])
    lower, upper = np.quantile(medians, (0.025, 0.975), method="nearest")
    events = int(lives[:, 1].sum())
    return Computed(_median(lives), float(lower), float(upper), len(lives), events, None)


def _median(lives: Floats) -> float:
    order = np.argsort(lives[:, 0], kind="stable")
    time, ended = lives[order].T
    # who ends at a time is at risk with everybody who lives at least as long
    first = np.searchsorted(time, time, side="left")
    at_risk = len(time) - first
    times, starts = np.unique(time, return_index=True)
    deaths = np.add.reduceat(ended, starts)
    curve = np.cumprod(1.0 - deaths / at_risk[starts])
    gone = np.flatnonzero(curve <= 0.5)
    return float(times[gone[0]]) if len(gone) else float("inf")


# -- bootstrap -------------------------------------------------------------------------------------


def _by_cluster(rows: Iterable[tuple[Hashable, tuple[float, ...]]]) -> tuple[int, Floats]:
    """Return the number of clusters and their sums, in the order in which clusters first come."""
    sums: dict[Hashable, Floats] = {}
    for cluster, numbers in rows:
        sums[cluster] = sums.get(cluster, 0.0) + np.array(numbers)
    return len(sums), np.array(list(sums.values()))


def _ratio_of_sums(sums: Floats) -> tuple[float, float, float]:
    """Return the second column's sum over the first's, and its interval."""

    def ratio(s: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return s[..., 1] / s[..., 0]

    return float(ratio(sums.sum(axis=0))), *_bootstrap(sums, ratio)


def _bootstrap(sums: Floats, figure: Callable[[Floats], Floats]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a figure of sums over clusters, which are drawn anew."""
    draws = _generator().integers(0, len(sums), (RESAMPLES, len(sums)))
    found = figure(np.array([sums[draw].sum(axis=0) for draw in draws]))
    # a resample without a case has no figure
    known = found[np.isfinite(found)]
    if not len(known):
        return float("nan"), float("nan")
    lower, upper = np.quantile(known, (0.025, 0.975))
    return float(lower), float(upper)


def _generator() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=SEED))
