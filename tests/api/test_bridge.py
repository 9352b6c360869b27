"""A cheaper likelihood first: the bridge of entangle.fit.smc, against the known answer of a linear model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from entangle.errors import ResultError, RunError, StudyError
from entangle.fit import smc
from entangle.fit.smc import Bridge, Particles, Settings

#: Two-sided probability with which a true sampler fails a comparison.
FALSE_ALARM = 1e-6
DIMENSION = 4
SETTINGS = Settings(particles=160, correlation=0.1, chunk=1000)
SEEDS = range(24)


class Linear(NamedTuple):
    """Three figures of four parameters, observed with normal errors."""

    slopes: Any
    observed: Any
    sd: float

    def __call__(self, points: Any) -> Any:
        off = (points @ self.slopes.T - self.observed) / self.sd
        return -0.5 * (off**2).sum(axis=1) - len(self.observed) * np.log(self.sd * np.sqrt(2.0 * np.pi))

    @property
    def covariance(self) -> Any:
        return np.linalg.inv(np.eye(DIMENSION) + self.slopes.T @ self.slopes / self.sd**2)

    @property
    def mean(self) -> Any:
        return self.covariance @ self.slopes.T @ self.observed / self.sd**2

    @property
    def log_evidence(self) -> float:
        spread = self.slopes @ self.slopes.T + self.sd**2 * np.eye(len(self.observed))
        return float(multivariate_normal(cov=spread).logpdf(self.observed))


def pair() -> tuple[Linear, Linear]:
    rng = np.random.default_rng(8)
    slopes = rng.standard_normal((3, DIMENSION))
    off = slopes + 0.3 * rng.standard_normal((3, DIMENSION))
    observed = np.array([0.5, -1.0, 1.5])
    return Linear(off, observed + 1.0, 0.5), Linear(slopes, observed, 0.4)


CHEAP, DEAR = pair()


def cheap(seed: int) -> Particles:
    return smc.sample(CHEAP, DIMENSION, seed=seed, settings=SETTINGS, workers=1)


@cache
def crossed() -> list[Particles]:
    return [across(cheap(seed), seed) for seed in SEEDS]


def across(particles: Particles, seed: int, **more: Any) -> Particles:
    return smc.sample(
        DEAR,
        DIMENSION,
        seed=seed,
        settings=SETTINGS,
        bridge=Bridge(CHEAP, particles),
        **{"workers": 1, **more},
    )


def worst(samples: list[Particles]) -> float:
    """Return how far the means of the draws and of their squares are off, in standard errors over seeds."""
    factor = np.linalg.cholesky(DEAR.covariance)
    units = [np.linalg.solve(factor, (own.points - DEAR.mean).T).T for own in samples]
    found = np.array([[*own.mean(axis=0), *(own**2).mean(axis=0)] for own in units])
    exact = np.repeat([0.0, 1.0], DIMENSION)
    errors = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    return float((np.abs(found.mean(axis=0) - exact) / errors).max())


#: Student's law with 23 degrees of freedom, for eight means together.
LIMIT = 1.35 * float(norm.isf(FALSE_ALARM / 16))


def test_the_far_end_is_the_posterior_of_the_dear_likelihood() -> None:
    assert worst(crossed()) < LIMIT
    # and is not where the cheap one ends
    assert worst([cheap(seed) for seed in SEEDS]) > 2 * LIMIT


def test_the_evidence_adds_up_over_both_parts() -> None:
    off = np.array([own.log_evidence - DEAR.log_evidence for own in crossed()])
    assert abs(off.mean()) < LIMIT * off.std(ddof=1) / np.sqrt(len(off))
    assert (np.abs(off) < 6.0 * np.array([own.log_evidence_error for own in crossed()])).all()


def test_forgetting_the_cheap_likelihood_in_a_move_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = smc._moved

    def forgetful(state: Any, evaluate: Any, other: Any, seed: int, settings: Settings) -> Any:
        flat = smc.replace(evaluate, log_likelihood=lambda points: np.zeros(len(points)))
        own = state._replace(log_likelihood=state.log_likelihood + state.base, base=0.0 * state.base)
        after = moved(own, evaluate, flat, seed, settings)
        base = CHEAP(after.points)
        return after._replace(log_likelihood=after.log_likelihood - base, base=base)

    near = [cheap(seed) for seed in SEEDS]
    monkeypatch.setattr(smc, "_moved", forgetful)
    forgot = [across(own, seed) for own, seed in zip(near, SEEDS, strict=True)]
    off = np.array([own.log_evidence - DEAR.log_evidence for own in forgot])
    assert abs(off.mean()) > LIMIT * off.std(ddof=1) / np.sqrt(len(off))


def test_log_likelihoods_at_the_end_are_those_of_the_dear() -> None:
    own = crossed()[0]
    assert own.log_likelihood == pytest.approx(DEAR(own.points), rel=1e-12)
    assert own.prior_points.tolist() == cheap(0).prior_points.tolist()


def bits(own: Particles) -> list[Any]:
    return [own.points.tobytes(), own.log_likelihood.tobytes(), own.stages, own.evaluations, own.fingerprint]


def test_a_stop_on_the_bridge_moves_no_bit(tmp_path: Path) -> None:
    whole, near, path = crossed()[1], cheap(1), tmp_path / "bridge.npz"
    assert whole.evaluations > near.evaluations + 4 * SETTINGS.particles
    for more in range(1, 4):
        cap = near.evaluations + more * SETTINGS.particles
        with pytest.raises(RunError, match=f"^{cap} evaluations are done"):
            across(near, 1, checkpoint=path, max_evaluations=cap)
    assert bits(across(near, 1, checkpoint=path, workers=2)) == bits(whole)


def test_no_word_of_the_near_end_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[Any, ...]] = []
    make = smc.generator

    def watched(seed: int, purpose: int, *, stage: int = 0, round_: int = 0) -> np.random.Generator:
        read.append((seed, purpose, stage, round_))
        return make(seed, purpose, stage=stage, round_=round_)

    monkeypatch.setattr(smc, "generator", watched)
    across(cheap(2), 2)
    assert len(set(read)) == len(read)


def test_a_bridge_from_another_run_is_another_fit(tmp_path: Path) -> None:
    path = tmp_path / "bridge.npz"
    across(cheap(1), 1, checkpoint=path)
    with pytest.raises(ResultError, match="another fit"):
        across(cheap(2), 1, checkpoint=path)


def test_a_bridge_of_another_size_is_refused() -> None:
    few = smc.sample(CHEAP, DIMENSION, seed=1, settings=Settings(particles=80, chunk=1000), workers=1)
    with pytest.raises(StudyError, match="160 particles in 4 dimensions"):
        across(few, 1)


class Half(NamedTuple):
    """A likelihood of zero on one side."""

    side: float

    def __call__(self, points: Any) -> Any:
        return np.where(self.side * points[:, 0] > 0.0, 0.0, -np.inf)


def test_what_either_makes_impossible_stays_out() -> None:
    near = smc.sample(Half(1.0), 2, seed=3, settings=SETTINGS, workers=1)

    def dear(points: Any) -> Any:
        return np.where(points[:, 1] > 0.0, 0.0, -np.inf)

    own = smc.sample(dear, 2, seed=3, settings=SETTINGS, workers=1, bridge=Bridge(Half(1.0), near))
    assert (own.points > 0.0).all()
    with pytest.raises(RunError, match="Only 0 of 160 draws of the cheaper fit"):
        smc.sample(Half(-1.0), 2, seed=3, settings=SETTINGS, workers=1, bridge=Bridge(Half(1.0), near))
