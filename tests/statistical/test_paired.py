"""Paired intervals: how often they contain the truth, over many runs of two worlds that share their luck.

The intervals for a difference and for a ratio of two shares (Newcombe's method 10, and Donner and Zou for the
ratio) are approximations, as Wilson's own is: no exact law says how often they hold. Each law below
therefore states between which bounds its coverage is allowed to lie. Over `RUNS` runs the number of intervals
that hold is binomial; a coverage within the bounds fails a check with a chance of 1e-9 at most. Seeds are
fixed. The mutation twins must fail the same check.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from entangle.estimators import Interval, Joint, Paired, paired, wilson
from statistical.counts import FALSE_ALARM

Floats = NDArray[np.float64]

RUNS: Final = 40_000
NEITHER, CONDITION, EVENT = range(3)


class Law(NamedTuple):
    """Two worlds in one of which an outcome has one probability, and in the other another.

    Parameters
    ----------
    size
        Trajectories in a run.
    first, second
        Probability of the outcome in each world, given its condition.
    share
        Share of the trajectories in which the worlds have the same luck; below 0, the opposite luck.
    condition
        Probability of the condition in each world.
    least, most
        Between which bounds the coverage may lie.
    """

    size: int
    first: float
    second: float
    share: float
    condition: tuple[float, float] = (1.0, 1.0)
    least: float = 0.94
    most: float = 0.96


#: Where successes are few, the intervals cover more than they say, as Wilson's does near 0; and where all of
#: one world's few are among the other's, the one for the ratio covers a little less.
LAWS: Final = {
    "common, together": Law(2000, 0.3, 0.2, 0.8),
    "common, nearly the same": Law(2000, 0.3, 0.3, 0.97),
    "common, unrelated": Law(2000, 0.3, 0.2, 0.0),
    "common, against each other": Law(2000, 0.3, 0.25, -0.9),
    "rare, together": Law(20_000, 0.002, 0.0015, 0.6, least=0.935, most=0.97),
    "rare, one within the other": Law(20_000, 0.003, 0.0012, 1.0, least=0.925, most=0.975),
    "rare, nearly the same": Law(20_000, 0.002, 0.002, 0.9, most=0.985),
    "rare, unrelated": Law(20_000, 0.002, 0.001, 0.0, most=0.965),
    "rare, against each other": Law(20_000, 0.002, 0.002, -1.0, most=0.965),
    "rare and common": Law(20_000, 0.002, 0.3, 0.7, most=0.965),
    "conditional, together": Law(4000, 0.3, 0.2, 0.8, (0.5, 0.4)),
    "conditional, against each other": Law(4000, 0.3, 0.25, -0.9, (0.5, 0.6)),
    "conditional and rare": Law(60_000, 0.02, 0.015, 0.7, (0.1, 0.12), most=0.97),
    "on a condition in one world only": Law(6000, 0.3, 0.2, 0.8, (0.3, 1.0)),
}
in_every_law = pytest.mark.parametrize("name", LAWS)


def chances(law: Law) -> Floats:
    """Return the probability of (neither, condition alone, event) in the first and in the second world."""
    marginals = [
        np.array([1 - condition, condition * (1 - share), condition * share])
        for share, condition in zip((law.first, law.second), law.condition, strict=True)
    ]
    related = _coupled(marginals[0], marginals[1] if law.share > 0 else marginals[1][::-1])
    related = related if law.share > 0 else related[:, ::-1]
    independent = np.outer(*marginals)
    return abs(law.share) * related + (1 - abs(law.share)) * independent


def _coupled(one: Floats, other: Floats) -> Floats:
    """Return the joint law in which one uniform number decides both, from the first to the last."""
    ends = [np.append(0.0, np.cumsum(law)) for law in (one, other)]
    found = np.zeros((3, 3))
    for i, j in np.ndindex(3, 3):
        shared = min(ends[0][i + 1], ends[1][j + 1]) - max(ends[0][i], ends[1][j])
        found[i, j] = max(shared, 0.0)
    return found


@cache
def runs(name: str) -> Joint:
    law = LAWS[name]
    chance = chances(law)
    rng = np.random.default_rng([20_260_101, list(LAWS).index(name)])
    drawn = rng.multinomial(law.size, chance.ravel() / chance.sum(), RUNS).reshape(RUNS, 3, 3)

    def number(first: int, second: int) -> NDArray[np.int64]:
        return drawn[:, first:, second:].sum(axis=(1, 2), dtype=np.int64)

    return Joint(
        first=number(EVENT, NEITHER),
        second=number(NEITHER, EVENT),
        first_trials=number(CONDITION, NEITHER),
        second_trials=number(NEITHER, CONDITION),
        both=number(EVENT, EVENT),
        first_in_second=number(EVENT, CONDITION),
        second_in_first=number(CONDITION, EVENT),
        both_trials=number(CONDITION, CONDITION),
    )


def covered(name: str, found: Paired) -> dict[str, int]:
    """Return how many intervals contain the truth."""
    law = LAWS[name]
    truths = {"difference": law.first - law.second, "ratio": law.first / law.second}
    intervals = {"difference": found.difference_interval, "ratio": found.ratio_interval}
    return {
        name: int(((lower <= truths[name]) & (truths[name] <= upper)).sum())
        for name, (lower, upper) in intervals.items()
    }


def is_between(count: int, least: float, most: float) -> bool:
    """Whether a count of `RUNS` goes with a coverage between the bounds; wrong with a chance of 1e-9."""
    too_few = float(binom.cdf(count, RUNS, least))
    too_many = float(binom.sf(count - 1, RUNS, most))
    return min(too_few, too_many) >= FALSE_ALARM


def holds(name: str, found: Paired) -> dict[str, bool]:
    law = LAWS[name]
    return {of: is_between(count, law.least, law.most) for of, count in covered(name, found).items()}


# -- coverage --------------------------------------------------------------------------------------


@in_every_law
def test_intervals_contain_the_truth_as_often_as_they_say(name: str) -> None:
    found = paired(runs(name))
    assert holds(name, found) == {"difference": True, "ratio": True}, covered(name, found)


def without_pairs(counts: Joint) -> Joint:
    """Return the counts as if the worlds had nothing in common: their covariance is 0."""
    p1, p2 = counts.first / counts.first_trials, counts.second / counts.second_trials
    both = p2 * counts.first_in_second + p1 * counts.second_in_first - p1 * p2 * counts.both_trials
    return counts._replace(both=both)


@pytest.mark.parametrize(
    "name", ["common, together", "common, nearly the same", "rare, nearly the same", "conditional, together"]
)
def test_intervals_of_independent_runs_are_far_too_wide(name: str) -> None:
    """Mutation twin: the same counts, the pairing forgotten."""
    wide = paired(without_pairs(runs(name)))
    assert holds(name, wide) == {"difference": False, "ratio": False}
    assert min(covered(name, wide).values()) > LAWS[name].most * RUNS
    ends = [np.subtract(*found.difference_interval[::-1]).mean() for found in (wide, paired(runs(name)))]
    assert ends[0] > 1.3 * ends[1]
    if name == "common, nearly the same":
        assert covered(name, wide) == {"difference": RUNS, "ratio": RUNS}


def test_pairs_of_the_wrong_sign_cover_too_little() -> None:
    """Mutation twin: opposite luck taken for common luck."""
    name = "common, against each other"
    counts = runs(name)
    wrong = paired(counts._replace(both=2 * without_pairs(counts).both - counts.both))
    assert holds(name, wrong) == {"difference": False, "ratio": False}
    assert max(covered(name, wrong).values()) < 0.85 * RUNS
    # and without any pairs, still too little
    assert max(covered(name, paired(without_pairs(counts))).values()) < 0.92 * RUNS


def test_conditions_left_out_of_the_pairs_cover_too_little() -> None:
    """Mutation twin: that a condition's trials are random in both worlds is forgotten."""
    name = "on a condition in one world only"
    counts = runs(name)
    p1, p2 = counts.first / counts.first_trials, counts.second / counts.second_trials
    forgot = counts._replace(first_in_second=p1 * counts.both_trials, second_in_first=p2 * counts.both_trials)
    assert holds(name, paired(forgot)) == {"difference": False, "ratio": False}
    assert max(covered(name, paired(forgot)).values()) < 0.9 * RUNS


@in_every_law
def test_the_variance_that_pairs_save_is_saved(name: str) -> None:
    """The share of the variance over all runs.

    A variance over 40 000 nearly normal values has a relative standard error of 0.7 %; the share, as the
    ratio of two of them, 1.4 % at most here (where luck is opposed). 6.1 of these are let pass.
    """

    def saved(counts: Joint) -> float:
        shares = counts.first / counts.first_trials, counts.second / counts.second_trials
        independent = sum(float(share.var()) for share in shares)
        return 1.0 - float((shares[0] - shares[1]).var()) / independent

    truth = saved(runs(name))
    assert float(paired(runs(name)).saved.mean()) == pytest.approx(truth, abs=0.085)
    if truth > 0.2 or truth < -0.2:  # twin: no pairs, nothing saved
        assert float(paired(without_pairs(runs(name))).saved.mean()) != pytest.approx(truth, abs=0.085)


@pytest.mark.parametrize("chance", [0.925, 0.94, 0.96, 0.985])
def test_check_of_the_coverage_is_as_sharp_as_it_says(chance: float) -> None:
    spread = (RUNS * chance * (1 - chance)) ** 0.5
    for sign, bounds in ((-1, (chance, 1.0)), (1, (0.0, chance))):
        assert is_between(round(RUNS * chance + sign * 5.5 * spread), *bounds)
        assert not is_between(round(RUNS * chance + sign * 6.6 * spread), *bounds)


# -- what the ends are -----------------------------------------------------------------------------


def of_cells(cells: object) -> Joint:
    """Return the counts of trajectories by (neither, condition, event) in each world, shape (..., 3, 3)."""
    table = np.asarray(cells, np.int64)
    return Joint(
        first=table[..., 2, :].sum(-1),
        second=table[..., 2].sum(-1),
        first_trials=table[..., 1:, :].sum((-2, -1)),
        second_trials=table[..., 1:].sum((-2, -1)),
        both=table[..., 2, 2],
        first_in_second=table[..., 2, 1:].sum(-1),
        second_in_first=table[..., 1:, 2].sum(-1),
        both_trials=table[..., 1:, 1:].sum((-2, -1)),
    )


def swapped(counts: Joint) -> Joint:
    return Joint(*(counts[i] for i in (1, 0, 3, 2, 4, 6, 5, 7)))


def correlation(counts: Joint) -> float:
    """Return the correlation of the two estimates, from the sum over trajectories that it stands for."""
    k1, k2, n1, n2 = (float(count) for count in counts[:4])
    p1, p2 = k1 / n1, k2 / n2
    own = [k1 * (1 - p1) ** 2 + (n1 - k1) * p1**2, k2 * (1 - p2) ** 2 + (n2 - k2) * p2**2]
    both, one, other, trials = (float(count) for count in counts[4:])
    shared = (
        both * (1 - p1) * (1 - p2)
        + (one - both) * (1 - p1) * (0 - p2)
        + (other - both) * (0 - p1) * (1 - p2)
        + (trials - one - other + both) * p1 * p2
    )
    return shared / (own[0] * own[1]) ** 0.5 if own[0] * own[1] > 0 else 0.0


def towards(first: float, second: float, rho: float) -> float:
    return max(first**2 + second**2 - 2 * rho * first * second, 0.0) ** 0.5


counts_of_cells = st.lists(st.integers(0, 3000) | st.integers(0, 3), min_size=9, max_size=9).map(
    lambda cells: np.array(cells).reshape(3, 3)
)
confidences = st.sampled_from([0.8, 0.95, 0.9999])


@given(counts_of_cells, confidences)
def test_ends_are_those_of_the_formula(cells: NDArray[np.int64], confidence: float) -> None:
    """The difference's as printed; a ratio's end is where the same interval for p1 - end × p2 ends at 0."""
    counts = of_cells(cells)
    found = paired(counts, confidence=confidence)
    if not counts.first_trials * counts.second_trials:
        return
    p1, p2 = counts.first / counts.first_trials, counts.second / counts.second_trials
    (l1, u1), (l2, u2) = (wilson(counts[i], counts[i + 2], confidence=confidence) for i in range(2))
    rho = correlation(counts)
    lower = max(p1 - p2 - towards(p1 - l1, u2 - p2, rho), -1.0)
    upper = min(p1 - p2 + towards(u1 - p1, p2 - l2, rho), 1.0)
    # where the two terms cancel, a rounding of 1e-16 in their squares is one of 1e-8 in the root
    assert found.difference_interval == pytest.approx((lower, upper), rel=1e-6, abs=1e-6)
    assert found.difference == p1 - p2
    least, most = (float(end) for end in found.ratio_interval)
    if least > 0:
        end = p1 - least * p2 - towards(p1 - l1, least * (u2 - p2), rho)
        assert end == pytest.approx(0.0, abs=1e-6 * (p1 + least * p2))
    if most < np.inf:
        end = p1 - most * p2 + towards(u1 - p1, most * (p2 - l2), rho)
        assert end == pytest.approx(0.0, abs=1e-6 * (p1 + most * p2))
    else:
        assert l2 == 0.0


@given(counts_of_cells, confidences)
def test_an_interval_contains_its_estimate_whatever_was_counted(
    cells: NDArray[np.int64], confidence: float
) -> None:
    counts = of_cells(cells)
    found = paired(counts, confidence=confidence)
    (lower, upper), (least, most) = found.difference_interval, found.ratio_interval
    assert -1 <= lower <= upper <= 1
    assert 0 <= least <= most
    if not counts.first_trials * counts.second_trials:
        assert (lower, upper, least, most) == (-1.0, 1.0, 0.0, np.inf)
        assert np.isnan([found.difference, found.ratio, found.saved]).all()
        return
    assert lower <= found.difference <= upper
    assert np.isnan(found.ratio) == (counts.first == counts.second == 0)
    if not np.isnan(found.ratio):
        assert least <= found.ratio <= most
    assert np.isnan(found.saved) or -1 - 1e-9 <= found.saved <= 1


@given(counts_of_cells)
def test_the_second_against_the_first_is_the_mirror_image(cells: NDArray[np.int64]) -> None:
    there, back = paired(of_cells(cells)), paired(swapped(of_cells(cells)))
    assert np.array_equal(there.difference, -back.difference, equal_nan=True)
    mirrored = Interval(-back.difference_interval.upper, -back.difference_interval.lower)
    assert there.difference_interval == pytest.approx(mirrored, rel=1e-6, abs=1e-6)
    with np.errstate(divide="ignore"):
        inverse = Interval(1 / back.ratio_interval.upper, 1 / back.ratio_interval.lower)
        assert there.ratio == pytest.approx(1 / back.ratio, rel=1e-12, nan_ok=True)
    assert there.ratio_interval == pytest.approx(inverse, rel=1e-6)
    assert there.saved == pytest.approx(back.saved, rel=1e-9, abs=1e-12, nan_ok=True)


def test_arrays_give_what_single_numbers_give() -> None:
    cells = np.random.default_rng(20_260_101).integers(0, 40, (5, 2, 3, 3))
    whole = paired(of_cells(cells))
    for place in np.ndindex(5, 2):
        single = paired(of_cells(cells[place]))
        for name in ("difference", "ratio", "saved"):
            assert getattr(whole, name)[place] == getattr(single, name)
        for name in ("difference_interval", "ratio_interval"):
            assert [end[place] for end in getattr(whole, name)] == list(getattr(single, name))


# -- where nothing, or everything, happened --------------------------------------------------------


def plain(n: int, *, both: int = 0, first: int = 0, second: int = 0) -> Joint:
    """Return counts without conditions: in both, in the first alone, in the second alone."""
    neither = n - both - first - second
    return of_cells([[0, 0, 0], [0, neither, second], [0, first, both]])


N = 10**6
#: Never in a million: 1 - 0.05^(1 / million), with the whole of 5 % on the one open side.
NEVER = 2.9957278e-6


def test_never_in_either_world_is_open_on_both_sides_by_the_one_sided_bound() -> None:
    found = paired(plain(N))
    assert found.difference == 0.0
    assert found.difference_interval == pytest.approx((-NEVER, NEVER), rel=1e-7)
    assert found.ratio_interval == (0.0, np.inf)
    assert np.isnan(found.ratio)
    assert np.isnan(found.saved), "there is no variance of which to save a share"


def test_never_in_the_second_world_leaves_the_ratio_open_above() -> None:
    found = paired(plain(N, first=400))
    assert found.ratio == np.inf
    assert found.ratio_interval.upper == np.inf
    lower, upper = wilson(400, N)
    # nothing is known of the correlation, and none is assumed
    expected = (4e-4 - towards(4e-4 - float(lower), NEVER, 0.0), float(upper))
    assert found.difference_interval == pytest.approx(expected, rel=1e-7)
    # at the least this, by the two ends with which the interval for the difference begins
    assert 70 < found.ratio_interval.lower < 400 / (NEVER * N)


def test_never_in_the_first_world_bounds_the_ratio_from_above() -> None:
    found = paired(plain(N, second=400))
    assert (found.ratio, found.ratio_interval.lower) == (0.0, 0.0)
    assert found.ratio_interval.upper == pytest.approx(1 / paired(plain(N, first=400)).ratio_interval.lower)
    lower, upper = found.difference_interval
    assert -float(wilson(400, N).upper) == lower < -4e-4 < upper < 0


def test_always_is_as_honest_as_never() -> None:
    found = paired(plain(N, both=N))
    assert found.difference_interval == pytest.approx((-NEVER, NEVER), rel=1e-6)
    assert found.ratio_interval == pytest.approx((1 - NEVER, 1 + NEVER), rel=1e-9)
    assert np.isnan(found.saved)


@pytest.mark.parametrize("size", [100, 2000])
def test_bounds_for_what_is_hardly_ever_seen_hold_at_least_as_often_as_they_say(size: int) -> None:
    """Summed over the multinomial law, for events whose count is mostly 0: no seed, no tolerance."""
    few = np.arange(9)
    for first, second, both in ((0.3, 0.3, 0.0), (0.3, 0.0, 0.3), (0.0, 0.1, 0.2), (0.01, 0.01, 0.01)):
        rates = [rate / size for rate in (first, second, both)]
        total = 0.0
        inside = {"difference": 0.0, "ratio": 0.0}
        for a, b, c in np.ndindex(few.size, few.size, few.size):
            chance = float(
                binom.pmf(a, size, rates[0])
                * binom.pmf(b, size - a, rates[1] / (1 - rates[0]))
                * binom.pmf(c, size - a - b, rates[2] / (1 - rates[0] - rates[1]))
            )
            if chance < 1e-9:
                continue
            total += chance
            found = paired(plain(size, first=a, second=b, both=c))
            lower, upper = found.difference_interval
            inside["difference"] += chance * bool(lower <= rates[0] - rates[1] <= upper)
            least, most = found.ratio_interval
            truth = (rates[0] + rates[2]) / (rates[1] + rates[2])
            inside["ratio"] += chance * bool(least <= truth <= most)
        assert total > 1 - 1e-6
        assert inside["difference"] > 0.95
        assert inside["ratio"] > 0.95


# -- all but the same ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 10, 10**4, 10**6, 10**8, 10**10, 2**48])
def test_a_world_against_itself_differs_by_nothing(n: int) -> None:
    """Where the two terms under a root cancel, rounding must not leave less than nothing there."""
    middle = n // 2 + np.arange(-3000, 3000)
    spread = np.linspace(0, n, 3000).astype(np.int64)
    k = np.unique(np.clip(np.concatenate([np.arange(60), middle, n - np.arange(60), spread]), 0, n))
    trials = np.full_like(k, n)
    found = paired(Joint(k, k, trials, trials, k, k, k, trials))
    assert (found.difference == 0).all()
    assert (found.ratio[k > 0] == 1).all()
    lower, upper = found.difference_interval
    assert ((lower <= 0) & (upper >= 0)).all()
    # what is left is how far the two sides of a Wilson interval differ, far below their width
    assert (upper - lower <= 8 / n).all()
    least, most = found.ratio_interval
    assert ((least <= 1) & (most >= 1)).all()
    some = (k > 0) & (k < n)
    assert np.isnan(found.saved[~some]).all()
    assert found.saved[some] == pytest.approx(np.ones(some.sum()), abs=1e-3)
    assert (found.saved[some] <= 1).all()
