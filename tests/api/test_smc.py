"""The sampler against posteriors that are known exactly, and its promises: same bits, resumable, refusing.

Tests of random output compare with the exact law or moment, so strictly that a true sampler fails with the
probability FALSE_ALARM each; seeds are fixed, so that none of them ever changes its mind. Mutation twins must
fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import chi2, f, kstest, multivariate_normal, multivariate_t, norm
from scipy.stats import t as student

from entangle.errors import EntangleError, ResultError, RunError, StudyError
from entangle.fit import posterior, smc
from entangle.fit.posterior import Parameter
from entangle.fit.smc import Particles, Reference, Settings

#: Two-sided probability with which a true sampler fails a comparison.
FALSE_ALARM = 1e-9

LOG_2PI = math.log(2.0 * math.pi)


class Linear:
    """A linear model with normal errors: 12 figures, 15 parameters, everything about it known."""

    def __init__(self, *, dimension: int = 15, figures: int = 12, seed: int = 5) -> None:
        rng = np.random.default_rng(seed)
        self.slopes = rng.standard_normal((figures, dimension)) / math.sqrt(3)
        self.sd = rng.uniform(0.2, 1.0, figures)
        truth = rng.standard_normal(dimension)
        self.observed = self.slopes @ truth + self.sd * rng.standard_normal(figures)

    def __call__(self, points: Any) -> Any:
        off = (points @ self.slopes.T - self.observed) / self.sd
        return -0.5 * ((off**2).sum(axis=1) + len(self.sd) * LOG_2PI) - np.log(self.sd).sum()

    @property
    def covariance(self) -> Any:
        dimension = self.slopes.shape[1]
        return np.linalg.inv(np.eye(dimension) + self.slopes.T / self.sd**2 @ self.slopes)

    @property
    def mean(self) -> Any:
        return self.covariance @ self.slopes.T @ (self.observed / self.sd**2)

    @property
    def log_evidence(self) -> float:
        spread = self.slopes @ self.slopes.T + np.diag(self.sd**2)
        return float(multivariate_normal(cov=spread).logpdf(self.observed))


LINEAR = Linear()
SEEDS = range(24)


def drawn(likelihood: Any, dimension: int, seed: int, **changed: Any) -> Particles:
    """Return a sample, evaluated in one piece."""
    own = Settings(**{"chunk": 100_000, **changed})
    return smc.sample(likelihood, dimension, seed=seed, settings=own, workers=1)


@cache
def of_linear() -> list[Particles]:
    return [drawn(LINEAR, 15, seed) for seed in SEEDS]


def in_units(samples: list[Particles]) -> list[Any]:
    """Return draws for which the exact posterior is standard normal."""
    factor = np.linalg.cholesky(LINEAR.covariance)
    return [np.linalg.solve(factor, (own.points - LINEAR.mean).T).T for own in samples]


def is_within(statistic: float, degrees: int) -> bool:
    """Return whether a chi-square statistic is in the central 1 - 1e-9 of its law."""
    low, high = chi2.isf([1 - FALSE_ALARM / 2, FALSE_ALARM / 2], degrees)
    return bool(low <= statistic <= high)


# -- the known answer --------------------------------------------------------------------------------


def off_means(samples: list[Particles], *, effective: float = 0.9) -> float:
    """Return the chi-square statistic of all posterior means, at a share of independent draws."""
    means = np.array([draws.mean(axis=0) for draws in in_units(samples)])
    return float((means**2).sum()) * effective * len(samples[0].points)


def mean_covariance(samples: list[Particles]) -> Any:
    """Return the covariance of the draws in units of the exact one, averaged over the seeds."""
    return np.mean([np.cov(draws.T) for draws in in_units(samples)], axis=0)


def off_covariance(samples: list[Particles]) -> float:
    """Return how far the worst entry is off, in standard errors of independent draws."""
    n = len(samples) * len(samples[0].points)
    errors = np.sqrt((1.0 + np.eye(15)) / n)
    return float((np.abs(mean_covariance(samples) - np.eye(15)) / errors).max())


def sd_ratio(samples: list[Particles]) -> float:
    return math.sqrt(np.trace(mean_covariance(samples)) / 15)


REACH = float(norm.isf(FALSE_ALARM / 2))
#: 24 seeds, 512 draws, 15 directions: the error of a standard deviation's ratio to the exact one.
RATIO_ERROR = 1.0 / math.sqrt(2 * 24 * 512 * 15)


def test_posterior_means_are_exact() -> None:
    assert is_within(off_means(of_linear()), 15 * len(SEEDS))


def test_posterior_covariances_are_exact() -> None:
    # 120 entries
    assert off_covariance(of_linear()) < float(norm.isf(FALSE_ALARM / 240))


def test_draws_are_not_too_narrow() -> None:
    """Within 1.1 % of the exact spread; moves by differential evolution gave 0.91 to 0.93 of it."""
    assert REACH * RATIO_ERROR < 0.011
    assert sd_ratio(of_linear()) == pytest.approx(1.0, abs=REACH * RATIO_ERROR)


def test_the_evidence_is_exact_and_its_error_honest() -> None:
    off = np.array([own.log_evidence - LINEAR.log_evidence for own in of_linear()])
    errors = np.array([own.log_evidence_error for own in of_linear()])
    assert errors.max() < 0.25
    assert is_within(float(((off / errors) ** 2).sum()), len(SEEDS))
    assert abs(off.mean()) < REACH * math.sqrt((errors**2).sum()) / len(SEEDS)


def test_the_effective_sample_size_is_that_of_the_means() -> None:
    """The variance of a posterior mean over seeds is what one run says that it is."""
    tree = posterior.tree(of_linear()[0], PARAMETERS)
    said = posterior.summary(tree)["effective"].values
    assert said.min() > 0.5 * 512
    assert said.max() <= 512
    assert is_within(off_means(of_linear(), effective=float(said.mean()) / 512), 15 * len(SEEDS))


def forgetful(*args: Any, **kwargs: Any) -> Any:
    """Return proposals without the ratio of the reference's densities."""
    points, gain = smc_proposed(*args, **kwargs)
    return points, np.zeros_like(gain)


smc_proposed = smc.proposed


def test_a_wrong_acceptance_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smc, "proposed", forgetful)
    wrong = [drawn(LINEAR, 15, seed, particles=256) for seed in range(4)]
    assert abs(sd_ratio(wrong) - 1.0) > 6.0 * RATIO_ERROR * REACH


def stuck(points: Any, *_: Any, normals: Any, **__: Any) -> Any:
    """Return proposals that are hardly elsewhere."""
    return points + 1e-6 * normals, np.zeros(len(points))


def test_particles_that_do_not_move_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smc, "proposed", stuck)
    wrong = [drawn(LINEAR, 15, seed, most_rounds=1) for seed in range(2)]
    assert not is_within(off_means(wrong), 30)
    assert max(stage.correlation for stage in wrong[0].stages) > 0.99


# -- other shapes ------------------------------------------------------------------------------------


def agrees(found: Any, exact: float) -> bool:
    """Return whether independent values may have this mean: Student's test at FALSE_ALARM."""
    found = np.asarray(found)
    error = float(found.std(ddof=1)) / math.sqrt(len(found))
    return bool(abs(found.mean() - exact) < error * student.isf(FALSE_ALARM / 2, len(found) - 1))


class Peaks(NamedTuple):
    """Two narrow normal peaks of unequal mass, in three dimensions."""

    places: Any = np.array([[1.2, 1.2, 0.0], [-1.5, -1.0, 0.0]])
    sd: float = 0.25
    mass: tuple[float, float] = (0.3, 0.7)

    def __call__(self, points: Any) -> Any:
        square = ((points[:, None] - self.places) ** 2).sum(axis=2)
        scale = 3 * (math.log(self.sd) + 0.5 * LOG_2PI)
        return logsumexp(-0.5 * square / self.sd**2, b=self.mass, axis=1) - scale

    def log_masses(self) -> Any:
        """Return the log evidence of either peak alone."""
        wide = 1.0 + self.sd**2
        square = (self.places**2).sum(axis=1) / wide
        return np.log(self.mass) - 0.5 * (square + 3 * (LOG_2PI + math.log(wide)))


def test_two_peaks_keep_their_masses_places_and_widths() -> None:
    peaks = Peaks()
    logs = peaks.log_masses()
    exact = np.exp(logs - logsumexp(logs))
    samples = [drawn(peaks, 3, seed, most_rounds=6) for seed in range(32)]
    right = [own.points[:, 0] > 0 for own in samples]
    assert agrees([side.mean() for side in right], exact[0])
    assert agrees([own.log_evidence for own in samples], float(logsumexp(logs)))
    shrink = 1.0 / (1.0 + peaks.sd**2)
    width = peaks.sd * math.sqrt(shrink)
    for place, sides in zip(peaks.places, (right, [~side for side in right]), strict=True):
        for i in range(3):
            draws = [own.points[side, i] for own, side in zip(samples, sides, strict=True)]
            assert agrees([x.mean() for x in draws], shrink * place[i])
            assert agrees([x.var(ddof=1) for x in draws], width**2)
    assert not agrees([side.mean() for side in right], exact[0] * 1.3)


BEND = 0.2


def banana(points: Any) -> Any:
    """Return a ridge along a parabola."""
    return -0.5 * ((points[:, 1] - points[:, 0] ** 2 + 1.0) / BEND) ** 2


def test_a_banana_has_its_moments() -> None:
    """The second coordinate integrates out; the first is left to quadrature."""
    wide = 1.0 + BEND**2

    def density(x: float) -> float:
        return math.exp(-0.5 * x**2 - 0.5 * (x**2 - 1.0) ** 2 / wide)

    def integral(of: Any) -> float:
        return 2.0 * quad(lambda x: of(x) * density(x), 0.0, 10.0)[0]

    total = integral(lambda _: 1.0)
    second = integral(lambda x: x**2) / total
    height = integral(lambda x: (x**2 - 1.0) / wide) / total
    square = integral(lambda x: ((x**2 - 1.0) / wide) ** 2 + BEND**2 / wide) / total
    log_evidence = math.log(total * BEND / math.sqrt(2.0 * math.pi * wide))
    samples = [drawn(banana, 2, seed, particles=400) for seed in range(24)]
    x, y = (np.array([own.points[:, i] for own in samples]) for i in range(2))
    assert agrees(x.mean(axis=1), 0.0)
    assert agrees((x**2).mean(axis=1), second)
    assert agrees(y.mean(axis=1), height)
    assert agrees((y**2).mean(axis=1), square)
    assert agrees([own.log_evidence for own in samples], log_evidence)
    assert not agrees((y**2).mean(axis=1), square * 1.3)


def half(points: Any) -> Any:
    """Return a likelihood that one half of the space makes impossible."""
    return np.where(points[:, 0] > 0.0, 0.0, -np.inf)


def test_what_is_impossible_is_left_out_and_counted() -> None:
    samples = [drawn(half, 2, seed, particles=128) for seed in range(24)]
    assert all((own.points[:, 0] > 0).all() for own in samples)
    assert all(len(own.stages) == 1 for own in samples)
    assert agrees([own.points[:, 0].mean() for own in samples], math.sqrt(2.0 / math.pi))
    shares = np.array([np.isfinite(own.prior_log_likelihood).mean() for own in samples])
    assert [own.log_evidence for own in samples] == pytest.approx(np.log(shares))
    assert agrees(shares, 0.5)


# -- calibration -------------------------------------------------------------------------------------

SPREAD = 0.15


class Curved(NamedTuple):
    """Two figures that depend on two parameters by curves, observed with normal errors."""

    observed: Any
    sd: float

    @staticmethod
    def figures(points: Any) -> Any:
        a, b = points.T
        return np.stack([a + 0.5 * b**2, np.sin(a) + b], axis=1)

    def __call__(self, points: Any) -> Any:
        return -0.5 * (((self.figures(points) - self.observed) / self.sd) ** 2).sum(axis=1)


def unevenness(worlds: int, *, factor: float) -> list[float]:
    """Return the p-value of the ranks of parameters and log likelihood among posterior draws.

    Truths from the prior, data from the truths, a fit to each: a truth's rank among 19 draws is uniform
    (Talts et al. 2018, arXiv:1804.06788). The fit takes the errors to be `factor` times what they are.
    """
    rng = np.random.default_rng(3)
    ranks = []
    for world in range(worlds):
        truth = rng.standard_normal((1, 2))
        observed = Curved.figures(truth)[0] + SPREAD * rng.standard_normal(2)
        likelihood = Curved(observed, SPREAD * factor)
        draws = posterior.chosen(drawn(likelihood, 2, world, particles=96), draws=19)
        below = draws.log_likelihood < likelihood(truth)
        ranks.append([*(draws.points < truth).sum(axis=0), below.sum()])
    expected = worlds / 10
    counts = (np.bincount(np.array(own) // 2, minlength=10) for own in np.array(ranks).T)
    return [float(chi2.sf(((own - expected) ** 2 / expected).sum(), 9)) for own in counts]


#: What a true sampler's p-values may be, of three that are looked at together.
LEAST = 1e-6 / 3


def test_fits_are_calibrated() -> None:
    assert min(unevenness(300, factor=1.0)) > LEAST


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_errors_that_are_off_by_a_third_are_noticed(factor: float) -> None:
    assert min(unevenness(300, factor=factor)) < LEAST


# -- the parts ---------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=40),
    st.floats(0.0, 0.99),
    st.floats(0.05, 0.95),
)
@settings(max_examples=200, deadline=None)
def test_a_step_in_temperature_keeps_its_promise(values: list[float], start: float, keep: float) -> None:
    found = np.array(values)
    try:
        reached, weights, ratio = smc.tempered(found, temperature=start, keep=keep)
    except RunError:
        assert np.ptp(found) > 1e3  # no step in sight only where a few outweigh all others
        return
    assert start < reached <= 1.0
    assert weights.sum() == pytest.approx(1.0)
    assert 1.0 / (weights**2).sum() >= keep * len(found) * (1 - 1e-6)
    assert ratio == pytest.approx(
        float(logsumexp((reached - start) * found)) - math.log(len(found)), rel=1e-9, abs=1e-9
    )
    if reached < 1.0:
        # it is the longest such step
        more = np.exp((reached - start) * 1.001 * (found - found.max()))
        assert more.sum() ** 2 / (more**2).sum() < keep * len(found)


@given(
    st.lists(st.sampled_from([0.0, 1e-12, 0.1, 1.0, 7.0]), min_size=1, max_size=30).filter(any),
    st.floats(0.0, 1.0, exclude_max=True),
)
@settings(max_examples=200, deadline=None)
def test_resampling_gives_each_its_share(raw: list[float], shift: float) -> None:
    weights = np.array(raw) / sum(raw)
    n = len(weights)
    chosen = smc.systematic(weights, shift)
    assert (np.diff(chosen) >= 0).all()
    counts = np.bincount(chosen, minlength=n)
    assert len(counts) == n
    assert (np.abs(counts - n * weights) < 1.0 + 1e-9).all()
    assert (counts[weights == 0.0] == 0).all()


def test_resampling_is_fair_over_its_shifts() -> None:
    weights = np.array([0.05, 0.45, 0.2, 0.3])
    shifts = (np.arange(1000) + 0.5) / 1000
    counts = np.mean([np.bincount(smc.systematic(weights, s), minlength=4) for s in shifts], axis=0)
    assert counts == pytest.approx(4 * weights, abs=2e-3)


def test_weights_add_up_and_the_temperature_rises_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    step = smc.tempered

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(step(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(smc, "tempered", watched)
    own = drawn(LINEAR, 15, 3)
    assert len(seen) == len(own.stages) > 5
    temperatures = [stage.temperature for stage in own.stages]
    assert temperatures == [reached for reached, _, _ in seen]
    assert (np.diff([0.0, *temperatures]) > 0).all()
    assert temperatures[-1] == 1.0
    assert [weights.sum() for _, weights, _ in seen] == pytest.approx([1.0] * len(seen), abs=1e-12)
    assert [stage.effective for stage in own.stages[:-1]] == pytest.approx([0.7 * 512] * (len(seen) - 1))
    assert own.evaluations == 512 * (1 + sum(stage.rounds for stage in own.stages))


def student_draws(tails: float, shape: float) -> tuple[Any, Any]:
    """Return squared distances of draws before and after a step whose gamma words have a shape."""
    rng = np.random.default_rng(1)
    size, dimension = 20_000, 3
    factor = np.linalg.cholesky(np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.7]]))
    own = Reference(np.array([1.0, -2.0, 0.5]), factor, tails)
    law = multivariate_t(own.center, factor @ factor.T, df=tails)
    before = law.rvs(size, random_state=rng)
    normals, gammas = rng.standard_normal((size, dimension)), rng.standard_gamma(shape, size)
    after, gain = smc.proposed(before, own, scale=0.6, normals=normals, gammas=gammas)
    assert gain == pytest.approx(law.logpdf(before) - law.logpdf(after), abs=1e-9)
    squares = [(smc.whitened(x - own.center, factor) ** 2).sum(axis=1) for x in (before, after)]
    return squares[0] / dimension, squares[1] / dimension


@pytest.mark.parametrize("tails", [4.0, 32.0])
def test_a_step_leaves_its_reference_as_it_is(tails: float) -> None:
    """Squared distances from Student's law in three dimensions follow an F law."""
    before, after = student_draws(tails, 0.5 * (3 + tails))
    assert kstest(before, f(3, tails).cdf).pvalue > FALSE_ALARM
    assert kstest(after, f(3, tails).cdf).pvalue > FALSE_ALARM
    assert abs(np.corrcoef(before, after)[0, 1]) > 0.1


def test_a_step_with_another_spread_does_not() -> None:
    _, after = student_draws(4.0, 0.5 * 4.0)
    assert kstest(after, f(3, 4.0).cdf).pvalue < FALSE_ALARM


def test_a_reference_resembles_its_particles() -> None:
    rng = np.random.default_rng(2)
    for tails in (4.0, 16.0):
        points = multivariate_t([1.0, 2.0], [[1.0, 0.6], [0.6, 2.0]], df=tails).rvs(4000, random_state=rng)
        own = smc.reference(points)
        assert own.tails == tails
        assert own.center == pytest.approx(points.mean(axis=0))
        spread = own.factor @ own.factor.T * tails / (tails - 2.0)
        assert spread == pytest.approx(smc._WIDER * np.cov(points.T), rel=1e-6)
    assert smc.reference(rng.standard_normal((4000, 2))).tails >= 64.0


def test_no_particle_has_a_hand_in_its_own_reference() -> None:
    parts = smc.folds(97)
    assert np.concatenate([np.arange(97)[part] for part in parts]).tolist() == list(range(97))
    sizes = {part.stop - part.start for part in parts}
    assert max(sizes) - min(sizes) <= 1


def test_the_variance_of_a_mean_knows_of_copies() -> None:
    values = np.random.default_rng(3).standard_normal(60)
    alone = smc.family_variance(values, np.arange(60))
    assert alone == pytest.approx(values.var() / 60)
    tripled = smc.family_variance(np.repeat(values, 3), np.repeat(np.arange(60), 3))
    assert tripled == pytest.approx(alone)


def test_a_family_shares_its_ancestor_two_stages_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Particles that hardly move stay beside it."""
    monkeypatch.setattr(smc, "proposed", stuck)
    own = drawn(banana, 2, 1, most_rounds=1)
    assert len(own.stages) > 3
    _, places = np.unique(own.points.round(3), axis=0, return_inverse=True)
    for family in np.unique(own.family):
        assert np.ptp(own.points[own.family == family], axis=0).max() < 1e-4
    # two stages and no more: before, families were larger
    assert len(np.unique(own.family)) > len(np.unique(places)) > 30


def test_the_error_of_the_evidence_carries_over() -> None:
    """Three stages of standard errors 1, 2 and 3 whose moves left correlations of 0.5 and 0.2."""
    stages = (
        smc.Stage(0.1, 1.0, 0.0, variance, 1, 0.5, 1.0, left)
        for variance, left in ((1.0, 0.5), (4.0, 0.2), (9.0, -0.1))
    )
    own = replace(of_linear()[0], stages=tuple(stages))
    between = 1 * 0.5 * 2 + 2 * 0.2 * 3 + 1 * 0.5 * 0.2 * 3
    assert own.log_evidence_error == pytest.approx(math.sqrt(14.0 + 2.0 * between))


# -- the same bits -----------------------------------------------------------------------------------

SMALL = Settings(particles=48, correlation=0.05, chunk=7)


class Bent(NamedTuple):
    """A thin, bent ridge; of a module, so that other processes find it."""

    sharpness: float = 60.0

    def __call__(self, points: Any) -> Any:
        return -self.sharpness * (points[:, 1] - np.sin(3.0 * points[:, 0])) ** 2 - np.exp(points[:, 0])


def bits(own: Particles) -> list[Any]:
    arrays = own.points, own.log_likelihood, own.family, own.prior_points, np.array(own.stages)
    return [*(array.tobytes() for array in arrays), own.evaluations, own.fingerprint]


@cache
def alone() -> Particles:
    return smc.sample(Bent(), 2, seed=9, settings=SMALL, workers=1)


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_move_no_bit(workers: int) -> None:
    own = smc.sample(Bent(), 2, seed=9, settings=SMALL, workers=workers)
    assert bits(own) == bits(alone())


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_executors_move_no_bit(kind: str) -> None:
    make: dict[str, Any] = {
        "threads": partial(ThreadPoolExecutor, 3),
        "processes": partial(ProcessPoolExecutor, 2, mp_context=get_context("spawn")),
    }
    executor: Executor
    with make[kind]() as executor:
        own = smc.sample(Bent(), 2, seed=9, settings=SMALL, executor=executor)
    assert bits(own) == bits(alone())


def test_another_seed_is_another_sample() -> None:
    other = smc.sample(Bent(), 2, seed=10, settings=SMALL, workers=1)
    assert not set(other.points.ravel().tolist()) & set(alone().points.ravel().tolist())
    assert other.fingerprint != alone().fingerprint


def test_random_words_differ_by_every_part_of_their_address() -> None:
    places = [(s, p, g, r) for s in (0, 2**64 - 1) for p in (0, 1) for g in (0, 1) for r in (0, 1)]
    first = {smc.generator(s, p, stage=g, round_=r).random() for s, p, g, r in places}
    assert len(first) == len(places)


def test_no_random_word_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[Any, ...]] = []
    make = smc.generator

    def watched(seed: int, purpose: int, *, stage: int = 0, round_: int = 0) -> np.random.Generator:
        read.append((seed, purpose, stage, round_))
        return make(seed, purpose, stage=stage, round_=round_)

    monkeypatch.setattr(smc, "generator", watched)
    monkeypatch.setattr(posterior, "generator", watched)
    own = smc.sample(Bent(), 2, seed=9, settings=SMALL, workers=1)
    posterior.chosen(own)
    rounds = sum(stage.rounds for stage in own.stages)
    assert len(read) == 1 + len(own.stages) + 3 * rounds + 1
    assert len(set(read)) == len(read)


def test_a_likelihood_may_write_to_its_points() -> None:
    def careless(points: Any) -> Any:
        found = Bent()(points)
        points[:] = 7.0
        return found

    assert bits(smc.sample(careless, 2, seed=9, settings=SMALL, workers=2)) == bits(alone())


def test_a_stop_after_any_round_moves_no_bit(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    rounds = alone().evaluations // SMALL.particles
    assert len(alone().stages) > 3
    assert rounds > 2 * len(alone().stages)
    assert min(stage.scale for stage in alone().stages) < 0.9
    for done in range(1, rounds):
        with pytest.raises(RunError, match=f"^{done * 48} evaluations are done"):
            smc.sample(
                Bent(), 2, seed=9, settings=SMALL, workers=1, checkpoint=path, max_evaluations=done * 48 + 47
            )
    own = smc.sample(Bent(), 2, seed=9, settings=SMALL, workers=1, checkpoint=path)
    assert bits(own) == bits(alone())
    assert [entry.name for entry in tmp_path.iterdir()] == ["fit.npz"]


def test_a_crash_amid_a_round_moves_no_bit(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    left = 400

    def mortal(points: Any) -> Any:
        nonlocal left
        left -= len(points)
        if left < 0:
            raise KeyboardInterrupt
        return Bent()(points)

    with pytest.raises(KeyboardInterrupt):
        smc.sample(mortal, 2, seed=9, settings=SMALL, workers=1, checkpoint=path)
    own = smc.sample(Bent(), 2, seed=9, settings=SMALL, workers=2, checkpoint=path)
    assert bits(own) == bits(alone())


def test_a_fit_that_had_ended_is_handed_back(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    smc.sample(Bent(), 2, seed=9, settings=SMALL, checkpoint=path)
    evaluated = 0

    def counting(points: Any) -> Any:
        nonlocal evaluated
        evaluated += len(points)
        return Bent()(points)

    own = smc.sample(counting, 2, seed=9, settings=SMALL, checkpoint=path, max_evaluations=1)
    assert bits(own) == bits(alone())
    assert evaluated == 1  # to see that it is the same likelihood


def test_progress_counts_up_to_all_evaluations() -> None:
    told: list[tuple[float, int]] = []
    own = smc.sample(Bent(), 2, seed=9, settings=SMALL, workers=2, progress=lambda *said: told.append(said))
    temperatures, counts = zip(*told, strict=True)
    assert (np.diff(counts) > 0).all()
    assert max(np.diff([0, *counts])) == SMALL.chunk
    assert counts[-1] == own.evaluations
    assert sorted(temperatures) == list(temperatures)
    assert set(temperatures) == {0.0, *(stage.temperature for stage in own.stages)}


# -- what is refused ---------------------------------------------------------------------------------


def half_way(path: Path) -> None:
    with pytest.raises(RunError):
        smc.sample(Bent(), 2, seed=9, settings=SMALL, problem="a", checkpoint=path, max_evaluations=200)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 10}, "seed is 9, here 10"),
        ({"problem": "b"}, "problem is 'a', here 'b'"),
        ({"settings": replace(SMALL, chunk=8)}, "chunk is 7, here 8"),
        ({"settings": replace(SMALL, particles=49, keep=0.6)}, "particles is 48, here 49; keep is 0.7"),
        ({"dimension": 3}, "dimension is 2, here 3"),
        ({"log_likelihood": Bent(24.0)}, "another likelihood: at the same point it kept -"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_foreign_checkpoint_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    path = tmp_path / "fit.npz"
    half_way(path)
    kept = path.read_bytes()
    own = {"log_likelihood": Bent(), "dimension": 2, "seed": 9, "settings": SMALL, "problem": "a"} | changed
    with pytest.raises(ResultError, match=message):
        smc.sample(**own, checkpoint=path)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("content", [b"", b"no archive at all", None], ids=["empty", "text", "cut short"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "fit.npz"
    half_way(path)
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    with pytest.raises(ResultError, match="no checkpoint of a fit, or it is damaged or cut short"):
        smc.sample(Bent(), 2, seed=9, settings=SMALL, problem="a", checkpoint=path)


def test_a_checkpoint_that_unpacks_to_any_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    half_way(path)
    with np.load(path) as arrays:
        kept = dict(arrays)
    with path.open("wb") as stream:
        np.savez_compressed(stream, **kept)
    with pytest.raises(ResultError, match=r"no checkpoint of a fit.*it is compressed"):
        smc.sample(Bent(), 2, seed=9, settings=SMALL, problem="a", checkpoint=path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    half_way(path)
    whole = bytearray(path.read_bytes())
    with np.load(path) as arrays:
        place = whole.find(arrays["points"].tobytes())
    assert place > 0
    whole[place + 11] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ResultError, match="damaged"):
        smc.sample(Bent(), 2, seed=9, settings=SMALL, problem="a", checkpoint=path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fit.npz"
    with monkeypatch.context() as newer:
        newer.setattr(smc, "_FORMAT", 2)
        half_way(path)
    with pytest.raises(ResultError, match="has format 2, and this version reads 1"):
        smc.sample(Bent(), 2, seed=9, settings=SMALL, problem="a", checkpoint=path)


def test_there_must_be_a_folder_for_the_checkpoint(tmp_path: Path) -> None:
    def never(points: Any) -> Any:
        raise AssertionError("nothing is evaluated in vain")

    with pytest.raises(RunError, match="there is no folder"):
        smc.sample(never, 2, seed=9, checkpoint=tmp_path / "missing" / "fit.npz")


def test_the_cap_says_what_was_reached(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    with pytest.raises(RunError) as stopped:
        smc.sample(Bent(), 2, seed=9, settings=SMALL, checkpoint=path, max_evaluations=200)
    said = str(stopped.value)
    assert said.startswith("192 evaluations are done, and 48 more would exceed the cap of 200")
    reached = [f"temperature {s.temperature:.3g} in stage {i}" for i, s in enumerate(alone().stages, 1)]
    assert any(place in said for place in reached)
    assert str(path) in said
    with pytest.raises(RunError, match="No checkpoint was kept"):
        smc.sample(Bent(), 2, seed=9, settings=SMALL, max_evaluations=200)
    with pytest.raises(RunError, match=r"^0 evaluations are done.*Nothing was evaluated"):
        smc.sample(Bent(), 2, seed=9, settings=SMALL, max_evaluations=47)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"particles": 7}, r"particles: must be at least 8, got 7"),
        ({"particles": 64.0}, r"particles: must be a whole number, got 64\.0"),
        ({"keep": 1.0}, r"keep: must be above 0 and below 1, got 1\.0"),
        ({"correlation": 0}, r"correlation: must be above 0 and below 1, got 0"),
        ({"most_rounds": 0}, "most_rounds: must be at least 1"),
        ({"chunk": True}, "chunk: must be a whole number, got true"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Settings(**changed)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"dimension": 0}, StudyError, "dimension: must be at least 1, got 0"),
        ({"dimension": 200}, StudyError, r"particles: must be at least 858 .*, got 512"),
        ({"seed": -1}, StudyError, "seed: must be at least 0, got -1"),
        ({"seed": 2**64}, StudyError, r"seed: must be below 2\^64"),
        ({"max_evaluations": 0}, StudyError, "max_evaluations: must be at least 1"),
        ({"workers": 0}, ValueError, "workers must be at least 1"),
        ({"executor": "threads"}, TypeError, r"executor must be a concurrent\.futures\.Executor"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    own: dict[str, Any] = {"dimension": 2, "seed": 1} | changed
    with pytest.raises(error, match=message):
        smc.sample(Bent(), **own)


@pytest.mark.parametrize(
    ("likelihood", "message"),
    [
        (lambda x: np.full(len(x), np.nan), r"must be a number below infinity, .*, got nan at \["),
        (lambda x: np.where(x[:, 0] > 1, np.inf, 0.0), "got inf at"),
        (lambda x: x, r"must give an array of shape \(512,\) for points of shape \(512, 2\), got shape"),
        (lambda _: 1.0, r"got shape \(\)"),
        (lambda x: np.full(len(x), -np.inf), "Only 0 of 512 draws from the prior have a likelihood above"),
        (lambda x: -1e9 * np.random.default_rng(int(abs(x[0, 0]) * 1e9)).random(len(x)), "hardly a move"),
        (lambda x: np.where(x[:, 0] > 2.0, 0.0, -1e300), "The temperature cannot be raised above 0.0"),
    ],
)
def test_what_is_no_likelihood_is_refused(likelihood: Any, message: str) -> None:
    with pytest.raises(EntangleError, match=message):
        drawn(likelihood, 2, 1, most_rounds=2)


def test_an_error_of_the_likelihood_comes_through() -> None:
    def broken(points: Any) -> Any:
        raise ZeroDivisionError("as it was raised")

    with pytest.raises(ZeroDivisionError, match="as it was raised"):
        smc.sample(broken, 2, seed=1, settings=SMALL, workers=2)


# -- the labelled tree -------------------------------------------------------------------------------

PARAMETERS = [Parameter(f"p{i}", lambda x: 2.0 + 3.0 * x, "km", f"the {i}th") for i in range(15)]


def whole(draws: int | None = None) -> xr.DataTree:
    """Return a tree with every group."""
    own = of_linear()[0]
    points = posterior.chosen(own, draws=draws)
    codes = {"figure": [f"figure {i}" for i in range(12)]}
    predicted = {
        f"{name}_predictive": xr.Dataset({"figures": (("draw", "figure"), at @ LINEAR.slopes.T)}, codes)
        for name, at in (("posterior", points.points), ("prior", points.prior_points))
    }
    observed = xr.Dataset({"figures": ("figure", LINEAR.observed)}, codes)
    return posterior.tree(
        own, PARAMETERS, draws=draws, observed_data=observed, attributes={"title": "é"}, **predicted
    )


def test_a_tree_has_the_groups_and_draws() -> None:
    fit, own = whole(), of_linear()[0]
    assert set(fit.children) == {
        "prior",
        "posterior",
        "prior_predictive",
        "posterior_predictive",
        "observed_data",
        "sample_stats",
    }
    for name in ("prior", "posterior"):
        data = fit[name].to_dataset()
        assert list(data.data_vars) == [f"p{i}" for i in range(15)]
        assert dict(data.sizes) == {"chain": 1, "draw": 512}
        assert data["p3"].dims == ("chain", "draw")
        assert data["p3"].attrs == {"units": "km", "long_name": "the 3th"}
    # all particles, in another order; transformed
    found = np.stack([fit["posterior"].to_dataset()[f"p{i}"].values[0] for i in range(15)], axis=1)
    stats = fit["sample_stats"].to_dataset()
    normal = stats["normal"].values[0]
    assert found == pytest.approx(2.0 + 3.0 * normal)
    assert sorted(map(tuple, normal.tolist())) == sorted(map(tuple, own.points.tolist()))
    assert normal.tolist() != own.points.tolist()
    pairs = [
        sorted(zip(x.tolist(), y.tolist(), strict=True))
        for x, y in ((own.points, own.family), (normal, stats["family"].values[0]))
    ]
    assert pairs[0] == pairs[1]
    assert len(set(own.family.tolist())) < 450
    assert stats["log_likelihood"].values[0] == pytest.approx(LINEAR(normal))
    prior = multivariate_normal(mean=np.zeros(15)).logpdf(normal)
    assert stats["lp"].values[0] == pytest.approx(prior + LINEAR(normal))
    predicted = fit["posterior_predictive"].to_dataset()["figures"]
    assert predicted.dims == ("chain", "draw", "figure")
    assert predicted.values[0] == pytest.approx(normal @ LINEAR.slopes.T)
    assert stats["stage_temperature"].values[-1] == 1.0


def test_a_tree_says_what_made_it() -> None:
    attrs, own = whole().attrs, of_linear()[0]
    assert attrs["seed"] == "0"
    assert attrs["log_evidence"] == own.log_evidence
    assert attrs["log_evidence_error"] == own.log_evidence_error
    assert attrs["evaluations"] == own.evaluations
    assert attrs["fingerprint"] == own.fingerprint
    assert '"numpy"' in attrs["versions"]
    assert '"particles": 512' in attrs["settings"]
    assert attrs["title"] == "é"


def test_fewer_draws_are_the_first_of_all() -> None:
    few, all_ = whole(100), whole()
    for name in ("posterior", "prior", "posterior_predictive"):
        xr.testing.assert_identical(few[name].to_dataset(), all_[name].to_dataset().isel(draw=slice(0, 100)))


def test_a_summary_says_what_was_learned() -> None:
    fit = whole()
    table = posterior.summary(fit)
    draws = fit["posterior"].to_dataset()["p4"].values.ravel()
    row = table.sel(parameter="p4")
    assert float(row["mean"]) == pytest.approx(draws.mean())
    assert float(row["sd"]) == pytest.approx(draws.std(ddof=1))
    assert float(row["median"]) == pytest.approx(np.median(draws))
    ends = [float(row["lower"]), float(row["upper"])]
    assert ends == pytest.approx(np.quantile(draws, [0.05, 0.95]))
    # the prior is that of 2 + 3 x; a median of 512 draws
    assert table["prior_median"].values == pytest.approx(2.0, abs=3.0 * 1.2533 / math.sqrt(512) * REACH)
    # the exact posterior spreads: a standard deviation of 512 draws is known to 3 %
    exact = 1.0 / np.sqrt(np.diag(LINEAR.covariance))
    assert table["learned"].values == pytest.approx(exact, rel=REACH / math.sqrt(2 * 512 * 0.9))
    assert np.ptp(exact) > 0.5
    assert all(variable.attrs["long_name"] for variable in table.data_vars.values())


def test_a_tree_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    fit = whole(64)
    posterior.save(fit, path)
    back = posterior.load(path)
    assert back.attrs.pop("sha256")
    for node in fit.subtree:
        xr.testing.assert_identical(node.to_dataset(), back[node.path].to_dataset())
    xr.testing.assert_identical(posterior.summary(fit), posterior.summary(back))
    assert [entry.name for entry in tmp_path.iterdir()] == ["fit.nc"]
    posterior.save(back, path)  # what was read can be written again
    assert posterior.load(path).attrs["fingerprint"] == fit.attrs["fingerprint"]


def tampered(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["posterior/p2"][0, 3] += 1e-9


def newer(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = np.int64(posterior.FORMAT_VERSION + 1)


def renamed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.move("prior/p2", "prior/p99")


def bomb(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["posterior/p2"]
        file["posterior"].create_dataset("p2", (2**40,), "f8", chunks=(2**20,), compression="gzip")


def linked(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["posterior"]
        file["posterior"] = h5py.ExternalLink("/etc/passwd", "/")


def within_itself(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["posterior/again"] = file["posterior"]


def in_words(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = "one"


def resealed(change: Callable[[xr.DataTree], object]) -> Callable[[Path], None]:
    def do(path: Path) -> None:
        fit = posterior.load(path)
        change(fit)
        posterior.save(fit, path)

    return do


def no_number(fit: xr.DataTree) -> None:
    fit["posterior"]["p2"][0, 3] = np.nan


def two_chains(fit: xr.DataTree) -> None:
    fit["posterior"] = xr.DataTree(xr.concat([fit["posterior"].to_dataset()] * 2, "chain"))


def transposed(fit: xr.DataTree) -> None:
    fit["posterior"]["p2"] = fit["posterior"]["p2"].T


def foreign(path: Path) -> None:
    xr.Dataset({"x": 1.0}).to_netcdf(path, engine="h5netcdf")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (tampered, "damaged or was changed"),
        (renamed, "damaged or was changed"),
        (newer, "has format 2, and this version reads up to 1"),
        (foreign, "not a fit by entangle"),
        (cut, "not netCDF, or it is damaged or cut short"),
        (Path.unlink, "there is no such file"),
        (bomb, "posterior/p2: must be stored plainly"),
        (linked, "posterior: must be kept in this file, got a link elsewhere"),
        (within_itself, "posterior/again: must be an array, got a group of others"),
        (in_words, "format_version: must be a whole number"),
        (resealed(lambda fit: fit.__delitem__("posterior")), "posterior: is missing"),
        (resealed(no_number), "posterior/p2: must be a finite number for each draw"),
        (resealed(two_chains), "posterior: must hold one chain of draws"),
        (resealed(transposed), "posterior/p2: must be a finite number for each draw of one chain"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, harm: Any, message: str) -> None:
    path = tmp_path / "fit.nc"
    posterior.save(whole(32), path)
    harm(path)
    with pytest.raises(ResultError, match=message):
        posterior.load(path)


def test_trees_that_make_no_sense_are_refused() -> None:
    own = of_linear()[0]
    with pytest.raises(StudyError, match="parameters: must be 15 with different names"):
        posterior.tree(own, PARAMETERS[:14])
    with pytest.raises(StudyError, match="parameters: must be 15 with different names"):
        posterior.tree(own, [PARAMETERS[0]] * 15)
    with pytest.raises(
        StudyError, match=r"draws: must be from 1 to the number of particles \(512\), got 513"
    ):
        posterior.tree(own, PARAMETERS, draws=513)
    for wrong in (xr.Dataset({"x": ("draw", np.zeros(31))}), xr.Dataset({"x": 1.0})):
        with pytest.raises(StudyError, match="posterior_predictive: must have a dimension 'draw' of size 32"):
            posterior.tree(own, PARAMETERS, draws=32, posterior_predictive=wrong)
