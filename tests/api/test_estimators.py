"""Intervals: known answers, and the share of the time that they contain the truth, summed exactly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from entangle.estimators import clopper_pearson, wilson

MILLION = 10**6


# -- known answers (mpmath at 30 digits) -----------------------------------------------------------


def test_clopper_pearson_81_of_263():
    assert clopper_pearson(81, 263) == pytest.approx((0.2527367456, 0.3676219226), abs=1e-10)


def test_wilson_81_of_263():
    assert wilson(81, 263) == pytest.approx((0.2552885199, 0.366209577), abs=1e-10)


def test_never_seen_in_a_million_has_the_one_sided_bound():
    assert wilson(0, MILLION).lower == 0.0
    assert wilson(0, MILLION).upper == pytest.approx(2.9957278e-6, rel=1e-7)


def test_always_seen_mirrors_never_seen():
    assert wilson(MILLION, MILLION).upper == 1.0
    assert 1 - wilson(MILLION, MILLION).lower == pytest.approx(2.9957278e-6, rel=1e-7)


# -- edges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_without_trials_nothing_is_known(interval):
    assert interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize(("count", "trials"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(interval, count, trials):
    with pytest.raises(ValueError, match="count must lie between 0 and trials"):
        interval(count, trials)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_impossible_confidence_is_refused(interval, confidence):
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        interval(1, 2, confidence=confidence)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_arrays_give_what_single_numbers_give(interval):
    count = np.array([[0, 1, 7], [0, 50, 100]])
    trials = np.array([[0], [100]]) + np.array([[10], [0]])
    lower, upper = interval(count, trials)
    for place in np.ndindex(2, 3):
        single = interval(int(count[place]), int(trials[place[0], 0]))
        assert (lower[place], upper[place]) == single


def test_rare_successes_keep_their_digits():
    # to first order a Poisson count: the ends scale with 1 / trials
    small, large = wilson(1, 10**9), wilson(1, 10**14)
    assert large.lower * 10**5 == pytest.approx(float(small.lower), rel=1e-6)
    few, many = clopper_pearson(1, 10**9), clopper_pearson(1, 10**14)
    assert many.lower * 10**5 == pytest.approx(float(few.lower), rel=1e-6)
    # no success in n at confidence c: 1 - (1 - c) / 2 = 1 - (1 - upper)^n
    exact = -np.expm1(np.log(0.025) / 10**9)
    assert clopper_pearson(0, 10**9).upper == pytest.approx(exact, rel=1e-9)


# -- coverage, summed over the binomial law ----------------------------------------------------------

TRUTHS = np.linspace(0.0005, 0.9995, 1000)


def coverage(interval, trials, confidence, *, law=binom.pmf):
    counts = np.arange(trials + 1)
    lower, upper = interval(counts, trials, confidence=confidence)
    chance = law(counts[:, np.newaxis], trials, TRUTHS)
    inside = (lower[:, np.newaxis] <= TRUTHS) & (upper[:, np.newaxis] >= TRUTHS)
    return (chance * inside).sum(axis=0)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.9999])
@pytest.mark.parametrize("trials", [1, 2, 5, 12, 40, 150])
def test_clopper_pearson_never_covers_less_than_it_says(trials, confidence):
    assert coverage(clopper_pearson, trials, confidence).min() >= confidence - 1e-12


@pytest.mark.parametrize("trials", [40, 150, 600])
def test_wilson_covers_what_it_says_on_average(trials):
    covered = coverage(wilson, trials, 0.95)
    assert covered.mean() == pytest.approx(0.95, abs=0.006)
    assert covered.min() > 0.83  # its known weakness, near 0 and 1 (Brown, Cai & DasGupta 2001)


def test_the_check_of_coverage_notices_an_interval_with_a_mistake():
    """Mutation twin: the counts moved by one, and the plain normal interval in Wilson's place."""

    def off_by_one(count, trials, *, confidence):
        return clopper_pearson(np.minimum(count + 1, trials), trials, confidence=confidence)

    def normal(count, trials, *, confidence):
        share = count / trials
        half = 1.96 * np.sqrt(share * (1 - share) / trials)
        return share - half, share + half

    assert coverage(off_by_one, 40, 0.95).min() < 0.95 - 1e-12
    assert abs(coverage(normal, 40, 0.95).mean() - 0.95) > 0.006
