"""Stopping at a relative error: the law of the error is the promised one, however rare the event.

Seeds are fixed, so that nothing here can flicker. A statistical comparison takes the exact law (binomial,
with the chance read off a gamma law; or Kolmogorov-Smirnov) and has a false alarm of 1e-9, two-sided, each.
The mutation twins must fail the same comparison; their own laws are exact too, and so far from the true ones
that `REPEATS` runs tell the two apart but for 1e-9.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import gammaincinv, ndtri
from scipy.stats import gamma, kstest, nbinom

from entangle.estimators import wilson
from entangle.stopping import Stopped, _gamma_quantile, _tail, estimate, expected_trials, successes_needed
from reference import stopping as plain
from statistical.counts import FALSE_ALARM, is_compatible

Floats = NDArray[np.float64]

# -- how many successes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("relative_error", "successes"), [(0.2, 97), (0.1, 385), (0.05, 1537), (0.01, 38_415), (0.001, 3_841_460)]
)
def test_known_numbers_of_successes(relative_error: float, successes: int) -> None:
    # mpmath at 60 digits: the integral of the gamma density
    assert successes_needed(relative_error) == successes


@pytest.mark.parametrize("confidence", [0.001, 0.3, 0.5, 0.9, 0.95, 0.9999, 1 - 1e-9])
@pytest.mark.parametrize("relative_error", [0.999, 0.9, 0.7, 0.5, 0.25])
def test_successes_are_those_of_the_slow_twin(relative_error: float, confidence: float) -> None:
    expected = plain.successes_needed(relative_error, confidence)
    assert successes_needed(relative_error, confidence=confidence) == expected


@pytest.mark.parametrize(
    ("relative_error", "confidence"),
    [(0.006, 0.95), (1e-6, 0.001), (0.003, 1 - 1e-4), (0.001, 1 - 1e-9), (0.0001, 0.95)],
)
def test_one_success_fewer_is_too_few_where_many_are_needed(relative_error: float, confidence: float) -> None:
    successes = successes_needed(relative_error, confidence=confidence)
    assert plain.miss(successes, relative_error) <= 1 - confidence
    assert plain.miss(successes - 1, relative_error) > 1 - confidence


def test_the_smallest_errors_need_what_the_normal_law_says() -> None:
    # to first order the next term is relative_error^2 times a number near 1
    for relative_error in (1e-4, 1e-5, 1e-6, 1e-7):
        normal = (ndtri(0.975) / relative_error) ** 2
        assert successes_needed(relative_error) == pytest.approx(normal, rel=1e-13, abs=3)


def test_the_chance_of_keeping_the_error_rises_with_the_successes() -> None:
    """The inequality in the notes of `successes_needed`, at n = 4; below it, one by one."""
    for error in np.linspace(0.001, 0.999, 500):
        low, high = 1 / (1 + error), 1 / (1 - error)

        def log_g(y: float) -> float:
            return np.log(y) + 1 - y

        def excess(y: float, low: float = low) -> float:
            return (log_g(y) - log_g(low)) * np.exp(4 * log_g(y))

        assert log_g(low) > log_g(high)
        assert quad(excess, low, min(high, 40.0))[0] > 0
        misses = [plain.miss(successes, error) for successes in (2, 3, 4, 5, 6)]
        assert all(np.diff(misses) < 0)


errors = st.floats(1e-6, 0.999)
confidences = st.floats(1e-3, 1 - 1e-12)


@given(errors, errors, confidences)
def test_a_smaller_error_never_needs_fewer_successes(one: float, other: float, confidence: float) -> None:
    fewer = successes_needed(max(one, other), confidence=confidence)
    assert 2 <= fewer <= successes_needed(min(one, other), confidence=confidence)


@given(errors, confidences, confidences)
def test_more_confidence_never_needs_fewer_successes(error: float, one: float, other: float) -> None:
    fewer = successes_needed(error, confidence=min(one, other))
    assert fewer <= successes_needed(error, confidence=max(one, other))


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, 5.0, float("nan")])
def test_impossible_targets_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="relative_error must lie between 0 and 1"):
        successes_needed(wrong)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        successes_needed(0.1, confidence=wrong)
    with pytest.raises(ValueError, match="uniform must lie between 0 and 1"):
        estimate(1000, relative_error=0.1, uniform=wrong)


@pytest.mark.parametrize("error", [1e-9, 1e-200, 5e-324])
def test_more_successes_than_can_be_counted_are_refused(error: float) -> None:
    with pytest.raises(ValueError, match=r"needs more than 2\^53 successes"):
        successes_needed(error)


# -- the gamma variable ------------------------------------------------------------------------------

ERROR, SUCCESSES = 0.5, 17
UNIFORMS = [1e-12, 1e-6, 0.001, 0.025, 0.5, 0.975, 0.999, 1 - 1e-6]


def waited(trials: int, uniform: float) -> float:
    """Return the gamma variable behind an estimate."""
    return (SUCCESSES - 1) / estimate(trials, relative_error=ERROR, uniform=uniform).probability


@pytest.mark.parametrize("uniform", UNIFORMS)
@pytest.mark.parametrize("trials", [17, 97, 5000, 99_999, 100_000, 10**6, 10**7, 10**8])
def test_gamma_variable_is_the_quantile(trials: int, uniform: float) -> None:
    # SciPy's own quantile fails this: at 1e8 trials it is 0.1 standard deviations off at 1e-6
    below, above = plain.gamma_tails(trials, waited(trials, uniform))
    # the rounding of the variable itself, in standard deviations, is 2e-16 times the root of the trials
    assert below == pytest.approx(uniform, rel=1e-10, abs=0)
    assert above == pytest.approx(1 - uniform, rel=1e-10, abs=0)


@pytest.mark.parametrize("score", [-8.0, -5.0, -1.0, -0.1, 0.1, 1.0, 5.0, 8.0])
@pytest.mark.parametrize("shape", [100_000, 10**6, 10**7])
def test_expansions_are_right_to_the_last_digits(shape: int, score: float) -> None:
    # the worst is 4e-12, 8 standard deviations out at the smallest shape; a term left out gives more
    value = shape + score * shape**0.5
    exact = plain.gamma_tails(shape, value)[score > 0]
    side = 1.0 if score > 0 else -1.0
    assert _tail(shape, (value - shape) / shape, side=side) == pytest.approx(exact, rel=1e-11, abs=0)
    quantile = _gamma_quantile(shape, exact, upper=score > 0)
    assert (quantile - value) / shape**0.5 == pytest.approx(0, abs=1e-11)


@pytest.mark.parametrize("uniform", UNIFORMS)
@pytest.mark.parametrize("trials", [10**10, 10**11, 10**12, 10**13, 10**15])
def test_gamma_variable_of_very_many_trials(trials: int, uniform: float) -> None:
    # Wilson & Hilferty (1931): the cube root is near normal, here to 3e-11 of a standard deviation
    cubed = trials * (1 - 1 / (9 * trials) + ndtri(uniform) / (3 * trials**0.5)) ** 3
    assert (waited(trials, uniform) - cubed) / trials**0.5 == pytest.approx(0, abs=1e-9 + trials**0.5 * 1e-15)


@given(st.integers(17, 10**13), st.floats(1e-9, 1 - 1e-9), st.floats(1e-9, 1 - 1e-9))
def test_a_larger_random_number_never_gives_a_larger_estimate(trials: int, one: float, other: float) -> None:
    larger = estimate(trials, relative_error=ERROR, uniform=min(one, other)).probability
    assert estimate(trials, relative_error=ERROR, uniform=max(one, other)).probability <= larger


@given(st.integers(17, 10**13), st.floats(1e-9, 1 - 1e-9))
def test_interval_contains_the_estimate_and_no_more_than_certainty(trials: int, uniform: float) -> None:
    stopped = estimate(trials, relative_error=ERROR, uniform=uniform)
    assert 0 < stopped.lower <= min(stopped.probability, 1) <= stopped.upper <= 1


def test_interval_is_that_of_the_gamma_law() -> None:
    stopped = estimate(10**6, relative_error=ERROR, confidence=0.9, uniform=0.3)
    scale = stopped.probability / (stopped.successes - 1)
    assert stopped.lower == pytest.approx(gamma.ppf(0.05, stopped.successes) * scale, rel=1e-12)
    assert stopped.upper == pytest.approx(gamma.isf(0.05, stopped.successes) * scale, rel=1e-12)
    assert stopped[3:] == (successes_needed(ERROR, confidence=0.9), 10**6, ERROR, 0.9)


def test_trials_are_whole_and_at_least_the_successes() -> None:
    assert estimate(SUCCESSES, relative_error=ERROR, uniform=0.5).upper == 1.0
    assert type(estimate(int(np.int64(40)), relative_error=ERROR, uniform=0.5).trials) is int
    with pytest.raises(ValueError, match="trials must be at least the 17 successes among them, got 16"):
        estimate(16, relative_error=ERROR, uniform=0.5)
    with pytest.raises(TypeError):
        estimate(17.5, relative_error=ERROR, uniform=0.5)  # type: ignore[arg-type]


def test_expected_trials() -> None:
    assert expected_trials(1e-9, 385) == pytest.approx(3.85e11, rel=1e-15)
    assert expected_trials(1.0, 385) == 385
    for wrong in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="probability must lie above 0"):
            expected_trials(wrong, 385)
    with pytest.raises(ValueError, match="successes must be at least 1"):
        expected_trials(0.5, 0)


# -- the law of the error, over many runs ------------------------------------------------------------

REPEATS = 60_000
LAW = gamma(SUCCESSES)
Z = -float(ndtri(FALSE_ALARM / 2))
TRUTHS = [0.3, 1e-3, 1e-6, 1e-9]
for_every_truth = pytest.mark.parametrize("truth", TRUTHS)


def coverage(numerator: float = SUCCESSES - 1) -> float:
    """Return the exact chance that ``numerator / G``, G of the gamma law, is as near 1 as was asked for."""
    return float(LAW.cdf(numerator / (1 - ERROR)) - LAW.cdf(numerator / (1 + ERROR)))


def told_apart(right: float, wrong: float, *, repeats: int = REPEATS) -> bool:
    """Return whether a count at the one chance fails the check at the other, but for 1e-9."""
    spread = (right * (1 - right)) ** 0.5 + (wrong * (1 - wrong)) ** 0.5
    return abs(right - wrong) > Z * spread / repeats**0.5


@cache
def waits(truth: float) -> tuple[NDArray[np.int64], Floats]:
    """Return the trial of the last success, a sum of geometric waits, and a random number, for every run."""
    rng = np.random.default_rng([20_260_101, TRUTHS.index(truth)])
    return rng.geometric(truth, (REPEATS, SUCCESSES)).sum(axis=1), rng.random(REPEATS)


@cache
def runs(truth: float) -> Stopped:
    """Return the columns of what every run reports."""
    reports = [
        estimate(trials, relative_error=ERROR, uniform=uniform)
        for trials, uniform in zip(*(column.tolist() for column in waits(truth)), strict=True)
    ]
    return Stopped(*(np.array(column) for column in zip(*reports, strict=True)))  # type: ignore[arg-type]


def near(estimates: Floats | float, truth: float) -> int:
    return int((np.abs(estimates / truth - 1) <= ERROR).sum())


@for_every_truth
def test_relative_error_is_kept_as_often_as_computed(truth: float) -> None:
    assert runs(truth).successes[0] == SUCCESSES  # type: ignore[index]
    assert coverage() == pytest.approx(0.954002, abs=1e-6)
    assert is_compatible(near(runs(truth).probability, truth), REPEATS, coverage())


@for_every_truth
def test_check_of_the_error_notices_k_in_place_of_k_less_one(truth: float) -> None:
    assert told_apart(coverage(), coverage(SUCCESSES))  # 0.954 and 0.930
    wrong = runs(truth).probability * SUCCESSES / (SUCCESSES - 1)
    assert is_compatible(near(wrong, truth), REPEATS, coverage(SUCCESSES))
    assert not is_compatible(near(wrong, truth), REPEATS, coverage())


def test_check_of_the_error_notices_a_random_number_that_is_left_out() -> None:
    # the trials themselves in place of the gamma variable, which matters where successes are common
    law = nbinom(SUCCESSES, 0.3)
    trials = SUCCESSES + np.arange(1000)
    chance = law.pmf(trials - SUCCESSES)[np.abs((SUCCESSES - 1) / trials / 0.3 - 1) <= ERROR].sum()
    assert told_apart(coverage(), float(chance))  # 0.954 and 0.984
    wrong = (SUCCESSES - 1) / waits(0.3)[0]
    assert is_compatible(near(wrong, 0.3), REPEATS, float(chance))
    assert not is_compatible(near(wrong, 0.3), REPEATS, coverage())


@for_every_truth
def test_whole_law_of_the_error(truth: float) -> None:
    # Kolmogorov-Smirnov: over REPEATS values 1e-9 is a distance of 0.0134
    found = (SUCCESSES - 1) * truth / np.asarray(runs(truth).probability)
    assert kstest(found, LAW.cdf).pvalue >= FALSE_ALARM
    # twins: k for k - 1 (a distance of 0.099), and, where trials are few, one too many of them (0.030)
    assert kstest(found * (SUCCESSES - 1) / SUCCESSES, LAW.cdf).pvalue < FALSE_ALARM
    if truth == 0.3:
        trials, uniform = waits(truth)
        assert kstest(truth * gammaincinv(trials + 1, uniform), LAW.cdf).pvalue < FALSE_ALARM


@for_every_truth
def test_interval_misses_equally_often_on_either_side(truth: float) -> None:
    stopped = runs(truth)
    for missed in (stopped.lower > truth, stopped.upper < truth):
        assert is_compatible(int(np.sum(missed)), REPEATS, 0.025)
    inside = (stopped.lower <= truth) & (truth <= stopped.upper)
    assert is_compatible(int(np.sum(inside)), REPEATS, 0.95)


@for_every_truth
def test_check_of_the_interval_notices_a_success_too_many(truth: float) -> None:
    variable = (SUCCESSES - 1) / runs(truth).probability
    for tail, side in ((0.025, 1), (0.975, -1)):
        end = gammaincinv(SUCCESSES + 1, tail)
        chance = float(LAW.cdf(end) if side == 1 else LAW.sf(end))
        assert told_apart(0.025, chance)
        missed = int((side * (end / variable - truth) > 0).sum())
        assert is_compatible(missed, REPEATS, chance)
        assert not is_compatible(missed, REPEATS, 0.025)


# -- what it is for: looking on the way --------------------------------------------------------------


def narrow(count: NDArray[np.int64], trials: int) -> NDArray[np.bool_]:
    """Return whether the half width of the Wilson interval is within the error of the share."""
    lower, upper = wilson(count, trials)
    return (upper - lower) / 2 <= ERROR * count / trials


@pytest.mark.parametrize(
    ("truth", "block", "kept"),
    [(0.3, 3, 0.79507), (1e-3, 100, 0.93054), (1e-6, 10**5, 0.93043), (1e-9, 10**8, 0.93043)],
)
def test_stopping_at_the_first_narrow_interval_breaks_the_promise(
    truth: float, block: int, kept: float
) -> None:
    """Twin: a look after every block, ten blocks a success where these are rare."""

    @cache
    def stops(trials: int) -> list[bool]:
        return narrow(np.arange(min(trials + 1, 60)), trials).tolist()

    exact, mean = plain.peeking(truth, block, ERROR, lambda count, trials: stops(trials)[count])
    assert exact == pytest.approx(kept, abs=1e-5)
    assert told_apart(0.95, exact)

    rng = np.random.default_rng([20_260_102, TRUTHS.index(truth)])
    count, trials, kept_by = np.zeros(REPEATS, np.int64), 0, 0
    while count.size:
        trials += block
        count += rng.binomial(block, truth, count.size)
        done = narrow(count, trials)
        kept_by += near(count[done] / trials, truth)
        count = count[~done]

    assert is_compatible(kept_by, REPEATS, exact)
    # less than 95 %, and that is no accident; with as many trials, waiting for the successes keeps it
    assert kept_by < 0.95 * REPEATS
    assert not is_compatible(kept_by, REPEATS, 0.95)
    assert not is_compatible(kept_by, REPEATS, coverage())
    assert truth == 0.3 or mean == pytest.approx(expected_trials(truth, SUCCESSES), rel=0.01)
