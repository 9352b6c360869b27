"""Draws from a posterior by tempered sequential Monte Carlo, and the evidence.

Particles begin as draws from the prior, a standard normal in `d` dimensions, and the likelihood is let in by
degrees: at temperature t they stand for prior x likelihood^t, and t goes from 0 to 1 (Neal 2001, Stat.
Comput. 11: 125-139; Del Moral, Doucet & Jasra 2006, J. R. Stat. Soc. B 68: 411-436). A *stage* raises the
temperature as far as the effective sample size of the weights allows (Jasra et al. 2011, Scand. J. Stat. 38:
1-22), resamples, and moves the particles in *rounds*, one proposal each, until they have forgotten where the
stage began. Every round costs as many evaluations as there are particles.

Moves are made to fit the particles, and what is fitted to a particle holds on to it: a reference that a
particle had a hand in lets it go too rarely or too often, and the posterior comes out too narrow. So the
particles are divided into folds, and each moves by a reference made of the others.

A round is a pure function of the state before it: its random words come from Philox generators that are
addressed by seed, stage, round and purpose. Neither the number of workers nor a stop in between moves a bit.

Where a likelihood is dear and a cheaper one resembles it, the cheap one is fitted first and its particles are
led across a *bridge*: at temperature t they stand for prior x cheap^(1 - t) x dear^t.
Sums over particles leave out BLAS, whose threads would.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from entangle.errors import ResultError, RunError, StudyError, show
from entangle.executors import Task, completed, worker_count
from entangle.files import write_whole

if TYPE_CHECKING:
    from distributed import Client

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

#: Log likelihood at points of shape (n, d), as an array of shape (n,); minus infinity where it is zero.
LogLikelihood: TypeAlias = Callable[[Floats], Floats]
#: Called with the temperature reached and the evaluations done.
Progress: TypeAlias = Callable[[float, int], object]

#: How random words are used. Another number, other draws from the same seed.
SCHEME: Final = 1
#: Layout of checkpoints.
_FORMAT: Final = 1
#: What random words are for: the last word of their address.
_PRIOR, _RESAMPLE, _STEP, _SPREAD, _ACCEPT, CHOICE = range(6)

#: Generations over which ancestors are remembered: particles with a common one count as one family.
_GENERATIONS: Final = 2
#: Degrees of freedom that the reference may have; the last is as good as normal.
_TAILS: Final = (4.0, 8.0, 16.0, 32.0, 64.0, 1e6)
#: Mean probability of acceptance that the scale is steered to, how hard, and where it starts.
_ACCEPTANCE: Final = 0.3
_STEERING: Final = 2.0
_SMALLEST_SCALE: Final = 1e-3
#: Folds, each of which moves by what the others say.
_FOLDS: Final = 8
#: The reference's covariance is the particles' times this: too narrow a reference holds on to the outermost.
_WIDER: Final = 1.2
#: Particles for each dimension that must keep a weight for the others to span the space.
_SPAN: Final = 3
#: Added to the reference's covariance, relative to its diagonal's mean: keeps a factor where digits end.
_RIDGE: Final = 1e-10


@dataclass(frozen=True)
class Settings:
    """How much work is put in; every number moves the draws.

    Parameters
    ----------
    particles
        How many; the posterior has as many draws.
    keep
        Share of the particles that the effective sample size keeps when the temperature is raised. More makes
        more stages.
    correlation
        A stage's moves end when in no direction the correlation between where the particles began and where
        they are is larger by more than its standard error.
    most_rounds
        They end after so many rounds in any case.
    chunk
        Points that are evaluated in one call. No number of workers changes it, so that a likelihood that
        rounds by the shape of its input gives the same bits.
    """

    particles: int = 512
    keep: float = 0.7
    correlation: float = 0.3
    most_rounds: int = 50
    chunk: int = 8

    def __post_init__(self) -> None:
        for name, least in (("particles", 8), ("most_rounds", 1), ("chunk", 1)):
            _at_least(name, getattr(self, name), least)
        for name in ("keep", "correlation"):
            value = getattr(self, name)
            if not (isinstance(value, float) and 0.0 < value < 1.0):
                raise StudyError.single("fit", name, rule="must be above 0 and below 1", got=show(value))


class Stage(NamedTuple):
    """What happened at one temperature.

    Parameters
    ----------
    temperature
        That was reached.
    effective
        Effective sample size of the weights before resampling.
    log_ratio
        Log of the mean weight: the stage's share of the log evidence.
    variance
        Of `log_ratio`.
    rounds
        How often every particle was moved.
    acceptance
        Share of accepted moves.
    scale
        Size of the last moves: 1 proposes independently of where a particle is.
    correlation
        Largest correlation, over directions, between the particles before and after all rounds.
    """

    temperature: float
    effective: float
    log_ratio: float
    variance: float
    rounds: int
    acceptance: float
    scale: float
    correlation: float


@dataclass(frozen=True, eq=False)
class Particles:
    """Draws from the posterior, all of the same weight, and how they came about.

    Parameters
    ----------
    points
        Draws in the space of the prior, shape (n, d).
    log_likelihood
        At the points, shape (n,).
    family
        Which particles share an ancestor a few stages back, shape (n,): those may not be independent.
    prior_points, prior_log_likelihood
        The particles at temperature 0.
    stages
        In order.
    evaluations
        Of the likelihood.
    seed, settings, problem
        As given.
    fingerprint
        Hash of seed, settings and problem.
    """

    points: Floats
    log_likelihood: Floats
    family: Indices
    prior_points: Floats
    prior_log_likelihood: Floats
    stages: tuple[Stage, ...]
    evaluations: int
    seed: int
    settings: Settings
    problem: str
    fingerprint: str

    @property
    def log_evidence(self) -> float:
        """Log of the likelihood's mean over the prior."""
        return math.fsum(stage.log_ratio for stage in self.stages)

    @property
    def log_evidence_error(self) -> float:
        """Standard error of the log evidence.

        A stage's error is taken to carry over into the next by the correlation that its moves left.
        """
        total = carried = 0.0
        for stage in self.stages:
            own = math.sqrt(stage.variance)
            total += stage.variance + 2.0 * own * carried
            carried = max(stage.correlation, 0.0) * (carried + own)
        return math.sqrt(total)


class Bridge(NamedTuple):
    """A finished run from which another goes on.

    Parameters
    ----------
    log_likelihood
        The cheaper likelihood.
    particles
        Draws from its posterior, as many as the run is to have.
    """

    log_likelihood: LogLikelihood
    particles: Particles


class _State(NamedTuple):
    """All that the next round depends on."""

    evaluations: int
    temperature: float
    prior_points: Floats
    prior_log_likelihood: Floats
    points: Floats
    # what the temperature is a power of: the log likelihood, less that of a bridge
    log_likelihood: Floats
    # that of a bridge, or 0
    base: Floats
    # of every particle, the index of its ancestor 1, 2, ... stages back: shape (generations, n)
    ancestors: Indices
    # finished stages, shape (stages, fields of Stage)
    stages: Floats
    # the stage under way, if any: rounds done and what Stage says of them
    under_way: bool
    rounds: int
    effective: float
    log_ratio: float
    variance: float
    accepted: float
    scale: float
    start: Floats
    # of every fold, its reference: shapes (folds, d), (folds, d, d), (folds,)
    center: Floats
    factor: Floats
    tails: Floats

    @property
    def is_done(self) -> bool:
        return self.temperature == 1.0 and not self.under_way


def sample(
    log_likelihood: LogLikelihood,
    dimension: int,
    *,
    seed: int,
    settings: Settings | None = None,
    problem: str = "",
    bridge: Bridge | None = None,
    checkpoint: str | Path | None = None,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    max_evaluations: int | None = None,
    progress: Progress | None = None,
) -> Particles:
    """Draw from the posterior of a likelihood under a standard normal prior.

    Parameters
    ----------
    log_likelihood
        Called with points of shape (n, dimension), n at most ``settings.chunk``; returns shape (n,). A pure
        function; on processes and clusters, one that can be pickled.
    dimension
        Of the space.
    seed
        From 0 to 2^64 - 1.
    problem
        What tells this likelihood from others, say a hash of its data: a checkpoint of another problem is
        refused.
    bridge
        Where to begin, if not at draws from the prior. Stages and evaluations go on from its own.
    checkpoint
        File to keep the state in after every round. If it is there, the run goes on from it; one that had
        ended is handed back at once.
    executor, workers
        Where chunks are evaluated: threads of this process if nothing is given. Moves no bit.
    max_evaluations
        Evaluations of the likelihood after which to give up, those before the checkpoint included.
    progress
        Called after every chunk with the temperature reached and the evaluations done.

    Raises
    ------
    StudyError
        If an argument makes no sense.
    RunError
        If the cap is reached, the likelihood gives what is none, or the checkpoint cannot be written. What
        was done until the last round is kept.
    ResultError
        If the checkpoint is damaged or belongs to another problem.
    """
    settings = settings or Settings()
    _check(dimension, seed, settings, max_evaluations)
    if bridge is not None and bridge.particles.points.shape != (settings.particles, dimension):
        raise StudyError.single(
            "fit",
            "bridge",
            rule=f"must have {settings.particles} particles in {dimension} dimensions, as the settings say",
            got=f"shape {bridge.particles.points.shape}",
        )
    worker_count(executor, workers)
    identity = {
        "scheme": SCHEME,
        "dimension": dimension,
        "seed": seed,
        "problem": problem,
        **asdict(settings),
        **({} if bridge is None else {"bridge": bridge.particles.fingerprint}),
    }
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and not path.parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent} to keep the checkpoint in.")
    with ExitStack() as stack:
        if executor is None:
            executor = stack.enter_context(ThreadPoolExecutor(worker_count(None, workers)))
        evaluate = _Evaluate(log_likelihood, settings.chunk, executor, workers, progress)
        cheap = None if bridge is None else replace(evaluate, log_likelihood=bridge.log_likelihood)
        if path is not None and path.exists():
            state = _load(path, identity)
            _check_same(evaluate, state, path)
        else:
            done = 0 if bridge is None else bridge.particles.evaluations
            _check_cap(max_evaluations, done, settings.particles, 0.0, 0, path)
            if bridge is None:
                state = _begin(evaluate, dimension, seed, settings)
            else:
                state = _crossed(evaluate, bridge.particles, settings)
            _save(state, identity, path)
        while not state.is_done:
            reached = state.temperature, len(state.stages) + state.under_way
            _check_cap(max_evaluations, state.evaluations, settings.particles, *reached, path)
            if not state.under_way:
                state = _warmed(state, seed, settings)
            state = _moved(state, evaluate, cheap, seed, settings)
            _save(state, identity, path)
    return Particles(
        points=state.points,
        log_likelihood=state.log_likelihood + state.base,
        family=state.ancestors[-1],
        prior_points=state.prior_points,
        prior_log_likelihood=state.prior_log_likelihood,
        stages=tuple(Stage(*row)._replace(rounds=int(row[4])) for row in state.stages.tolist()),
        evaluations=state.evaluations,
        seed=seed,
        settings=settings,
        problem=problem,
        fingerprint=_fingerprint(identity),
    )


# -- the steps ---------------------------------------------------------------------------------------


def _begin(evaluate: _Evaluate, dimension: int, seed: int, settings: Settings) -> _State:
    """Return the state at temperature 0: draws from the prior."""
    n = settings.particles
    points = generator(seed, _PRIOR).standard_normal((n, dimension))
    found = evaluate(points, temperature=0.0, before=0)
    possible = int(np.isfinite(found).sum())
    if settings.keep * possible < _SPAN * dimension:
        raise RunError(
            f"Only {possible} of {n} draws from the prior have a likelihood above zero, too few to go on "
            f"from in {dimension} dimensions. Narrow the priors to what is possible, or take more particles."
        )
    return _State(
        evaluations=n,
        temperature=0.0,
        prior_points=points,
        prior_log_likelihood=found,
        points=points,
        log_likelihood=found,
        base=np.zeros(n),
        ancestors=np.tile(np.arange(n), (_GENERATIONS, 1)),
        stages=np.empty((0, len(Stage._fields))),
        under_way=False,
        rounds=0,
        effective=float(n),
        log_ratio=0.0,
        variance=0.0,
        accepted=0.0,
        scale=1.0,
        start=points,
        center=np.empty((_FOLDS, dimension)),
        factor=np.empty((_FOLDS, dimension, dimension)),
        tails=np.empty(_FOLDS),
    )


def _crossed(evaluate: _Evaluate, particles: Particles, settings: Settings) -> _State:
    """Return the state at the near end of a bridge."""
    n, dimension = particles.points.shape
    found = evaluate(particles.points, temperature=0.0, before=particles.evaluations)
    possible = int(np.isfinite(found).sum())
    if settings.keep * possible < _SPAN * dimension:
        raise RunError(
            f"Only {possible} of {n} draws of the cheaper fit have a likelihood above zero, too few to go on "
            f"from in {dimension} dimensions. Take more particles, or a likelihood nearer to the dear one."
        )
    return _State(
        evaluations=particles.evaluations + n,
        temperature=0.0,
        prior_points=particles.prior_points,
        prior_log_likelihood=particles.prior_log_likelihood,
        points=particles.points,
        log_likelihood=found - particles.log_likelihood,
        base=particles.log_likelihood,
        ancestors=np.tile(particles.family, (_GENERATIONS, 1)),
        # those before, so that no random word is read twice
        stages=np.array(particles.stages, np.float64),
        under_way=False,
        rounds=0,
        effective=float(n),
        log_ratio=0.0,
        variance=0.0,
        accepted=0.0,
        scale=particles.stages[-1].scale,
        start=particles.points,
        center=np.empty((_FOLDS, dimension)),
        factor=np.empty((_FOLDS, dimension, dimension)),
        tails=np.empty(_FOLDS),
    )


def _warmed(state: _State, seed: int, settings: Settings) -> _State:
    """Return the state at the next temperature: resampled, not yet moved."""
    temperature, weights, log_ratio = tempered(
        state.log_likelihood, temperature=state.temperature, keep=settings.keep
    )
    shift = float(generator(seed, _RESAMPLE, stage=len(state.stages) + 1).random())
    chosen = systematic(weights, shift)
    points = state.points[chosen]
    different = len(np.unique(points, axis=0))
    if different < 2 * points.shape[1]:
        raise RunError(
            f"Only {different} different particles are left at temperature {temperature:.3g}: hardly a move "
            "is accepted. The likelihood may jump, or carry noise of its own; if not, take more particles."
        )
    # chosen in order, so that the copies of a particle share a fold
    others = [reference(np.delete(points, fold, axis=0)) for fold in folds(len(points))]
    return state._replace(
        temperature=temperature,
        points=points,
        log_likelihood=state.log_likelihood[chosen],
        base=state.base[chosen],
        ancestors=np.array([chosen, *(row[chosen] for row in state.ancestors[:-1])]),
        under_way=True,
        rounds=0,
        effective=float(1.0 / (weights**2).sum()),
        log_ratio=log_ratio,
        variance=family_variance(len(weights) * weights, state.ancestors[-1]),
        accepted=0.0,
        start=points,
        center=np.array([other.center for other in others]),
        factor=np.array([other.factor for other in others]),
        tails=np.array([other.tails for other in others]),
    )


def _moved(
    state: _State, evaluate: _Evaluate, cheap: _Evaluate | None, seed: int, settings: Settings
) -> _State:
    """Return the state after one more round of moves; ends the stage if its particles have moved enough.

    A step leaves its fold's reference as it is (see :func:`proposed`), and is accepted or not by how the
    target differs from it: where the reference is right, no step is too large.
    """
    n, dimension = state.points.shape
    words = partial(generator, seed, stage=len(state.stages) + 1, round_=state.rounds)
    normals = words(_STEP).standard_normal((n, dimension))
    points = np.empty_like(normals)
    gain = np.empty(n)
    shares = folds(n)
    shapes = np.repeat(0.5 * (dimension + state.tails), [share.stop - share.start for share in shares])
    gammas = words(_SPREAD).standard_gamma(shapes)
    for k, share in enumerate(shares):
        own = Reference(state.center[k], state.factor[k], float(state.tails[k]))
        points[share], gain[share] = proposed(
            state.points[share], own, scale=state.scale, normals=normals[share], gammas=gammas[share]
        )
    found = evaluate(points, temperature=state.temperature, before=state.evaluations)
    base = np.zeros(n)
    if cheap is not None:
        base = replace(cheap, progress=None)(points, temperature=state.temperature, before=0)
        with np.errstate(invalid="ignore"):
            found = np.where(np.isfinite(base), found - base, -np.inf)
    gain += base - state.base + state.temperature * (found - state.log_likelihood)
    gain -= 0.5 * ((points**2).sum(axis=1) - (state.points**2).sum(axis=1))
    chance = np.exp(np.minimum(gain, 0.0))
    accepted = words(_ACCEPT).random(n) < chance
    moved = state._replace(
        evaluations=state.evaluations + n,
        points=np.where(accepted[:, np.newaxis], points, state.points),
        log_likelihood=np.where(accepted, found, state.log_likelihood),
        base=np.where(accepted, base, state.base),
        rounds=state.rounds + 1,
        accepted=state.accepted + float(accepted.mean()),
    )
    left = largest_correlation(state.start, moved.points)
    scale = state.scale * math.exp(_STEERING * (float(chance.mean()) - _ACCEPTANCE))
    scale = min(max(scale, _SMALLEST_SCALE), 1.0)
    if left > settings.correlation + 1.0 / math.sqrt(n) and moved.rounds < settings.most_rounds:
        return moved._replace(scale=scale)
    stage = Stage(
        temperature=state.temperature,
        effective=state.effective,
        log_ratio=state.log_ratio,
        variance=state.variance,
        rounds=moved.rounds,
        acceptance=moved.accepted / moved.rounds,
        scale=state.scale,
        correlation=left,
    )
    return moved._replace(under_way=False, scale=scale, stages=np.vstack([state.stages, stage]))


# -- their parts -------------------------------------------------------------------------------------


def generator(seed: int, purpose: int, *, stage: int = 0, round_: int = 0) -> np.random.Generator:
    """Return the random words of an address; the lowest word of the counter runs on from 0."""
    counter = np.array([0, round_, stage, purpose], np.uint64)
    return np.random.Generator(np.random.Philox(key=np.array([seed, SCHEME], np.uint64), counter=counter))


def tempered(log_likelihood: Floats, *, temperature: float, keep: float) -> tuple[float, Floats, float]:
    """Return the next temperature, the particles' weights there, and the log of their mean before scaling.

    The temperature is 1 or the highest at which the weights' effective sample size keeps the share `keep` of
    the particles that are possible at all.

    Parameters
    ----------
    log_likelihood
        Shape (n,); minus infinity only at temperature 0.

    Returns
    -------
    temperature : float
    weights : array of shape (n,)
        They add up to 1.
    log_ratio : float
        Estimates the log of the evidence's growth.

    Raises
    ------
    RunError
        If no step is small enough.
    """
    top = float(log_likelihood.max())
    wanted = keep * np.isfinite(log_likelihood).sum()

    def raw(step: float) -> Floats:
        weights: Floats = np.exp(step * (log_likelihood - top))
        return weights

    def is_enough(step: float) -> bool:
        weights = raw(step)
        return bool(weights.sum() ** 2 / (weights**2).sum() >= wanted)

    step = 1.0 - temperature
    if is_enough(step):
        reached = 1.0
    else:
        # the effective sample size falls as the step grows
        low, high = step * 1e-30, step
        while high > low * (1.0 + 1e-9):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if is_enough(middle) else (low, middle)
        reached = temperature + low
        if reached == temperature or not is_enough(low):
            raise RunError(
                f"The temperature cannot be raised above {temperature!r}: log likelihoods differ by up to "
                f"{top - float(log_likelihood.min()):.3g}, and a few particles outweigh all others."
            )
    step = reached - temperature
    weights = raw(step)
    mean = float(weights.mean())
    return reached, weights / weights.sum(), step * top + math.log(mean)


def systematic(weights: Floats, shift: float) -> Indices:
    """Return indices drawn by weight, n of them in order, by equally spaced points with one random shift."""
    n = len(weights)
    total = np.cumsum(weights)
    total /= total[-1]
    chosen = np.searchsorted(total, (shift + np.arange(n)) / n, side="right")
    # a point that is rounded up to 1 belongs to the last particle that has a weight
    return np.minimum(chosen, np.searchsorted(total, 1.0))


def family_variance(values: Floats, family: Indices) -> float:
    """Return the variance of the mean of values whose families are independent of each other.

    The sum over families of the square of their part in the mean's error, as from particles' ancestors in
    Chan & Lai 2013, Ann. Stat. 41: 2877-2904; only the last generations are looked at, which is enough where
    moves forget and does not run out of families (Olsson & Douc 2019, Bernoulli 25: 1504-1535).
    """
    sums = np.bincount(family, weights=values - values.mean())
    return float((sums**2).sum()) / len(values) ** 2


def folds(n: int) -> list[slice]:
    """Return the folds of n particles: neighbours together, all of about the same size."""
    return [slice(n * k // _FOLDS, n * (k + 1) // _FOLDS) for k in range(_FOLDS)]


class Reference(NamedTuple):
    """Student's law, made to resemble particles.

    Parameters
    ----------
    center
        Shape (d,).
    factor
        Lower triangular, shape (d, d): its product with its transpose is the scale matrix.
    tails
        Degrees of freedom.
    """

    center: Floats
    factor: Floats
    tails: float


def reference(points: Floats) -> Reference:
    """Return the reference of particles: their mean, a little more than their covariance, and their tails.

    The degrees of freedom are the likeliest of a few.
    """
    dimension = points.shape[1]
    center = points.mean(axis=0)
    off = points - center
    factor = _factor(off)
    square = (whitened(off, factor) ** 2).sum(axis=1)
    tails = max(_TAILS, key=lambda tails: _log_student(square, dimension, tails))
    return Reference(center, factor * math.sqrt(_WIDER * (tails - 2.0) / tails), tails)


def _factor(off: Floats) -> Floats:
    """Return the triangular factor of the covariance of deviations from a mean, shape (n, d)."""
    n, dimension = off.shape
    covariance = np.einsum("ni,nj->ij", off, off) / (n - 1)
    covariance += _RIDGE * np.trace(covariance) / dimension * np.eye(dimension)
    factor: Floats = np.linalg.cholesky(covariance)
    return factor


def _log_student(square: Floats, dimension: int, tails: float) -> float:
    """Return the mean log density of Student's law of unit covariance at squared distances."""
    shape = 0.5 * (tails + dimension)
    constant = math.lgamma(shape) - math.lgamma(0.5 * tails) - 0.5 * dimension * math.log(tails - 2.0)
    return constant - shape * float(np.log1p(square / (tails - 2.0)).mean())


def whitened(off: Floats, factor: Floats) -> Floats:
    """Return differences in units of a triangular factor, shape (n, d)."""
    whole: Floats = np.einsum("ij,nj->ni", np.linalg.inv(factor), off)
    return whole


def proposed(
    points: Floats, own: Reference, *, scale: float, normals: Floats, gammas: Floats
) -> tuple[Floats, Floats]:
    """Return proposals from a step that leaves a reference as it is, and the log of its densities' ratio.

    Student's law is a normal one with a random variance. Given where a particle is, the step draws the
    variance, and then moves as a Crank-Nicolson step does (Cotter et al. 2013, Stat. Sci. 28: 424-446; with a
    random variance: Kamatani 2018, Bernoulli 24: 3711-3750).

    Parameters
    ----------
    points
        Shape (n, d).
    scale
        Above 0 and at most 1, which forgets the direction in which a particle lies.
    normals, gammas
        Standard normal words, shape (n, d); gamma words of shape (d + tails) / 2, shape (n,).

    Returns
    -------
    proposals : array of shape (n, d)
    gain : array of shape (n,)
        Log density of the reference at the points less that at the proposals.
    """
    off = whitened(points - own.center, own.factor)
    square = (off**2).sum(axis=1)
    spread = np.sqrt(0.5 * (own.tails + square) / gammas)
    goal = math.sqrt(1.0 - scale**2) * off + scale * spread[:, np.newaxis] * normals
    proposals: Floats = own.center + np.einsum("ij,nj->ni", own.factor, goal)
    shape = 0.5 * (points.shape[1] + own.tails)
    gain: Floats = shape * (np.log1p((goal**2).sum(axis=1) / own.tails) - np.log1p(square / own.tails))
    return proposals, gain


def largest_correlation(before: Floats, after: Floats) -> float:
    """Return the largest correlation of a coordinate before and after, shapes (n, d).

    Coordinates are those in which the particles before are uncorrelated, so that directions that the
    likelihood holds tightly count as much as others.
    """
    off = before - before.mean(axis=0)
    factor = _factor(off)
    a, b = whitened(off, factor), whitened(after - after.mean(axis=0), factor)
    return float(((a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))).max())


# -- evaluation --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Evaluate:
    """Evaluates the likelihood in chunks, wherever they are computed."""

    log_likelihood: LogLikelihood
    chunk: int
    executor: Executor | Client
    workers: int | None
    progress: Progress | None

    def __call__(self, points: Floats, *, temperature: float, before: int) -> Floats:
        """Return the log likelihood at points, shape (n, d).

        Parameters
        ----------
        before
            Evaluations done before these, for the progress.
        """
        n = len(points)
        tasks = (Task(0, first, min(self.chunk, n - first)) for first in range(0, n, self.chunk))
        values = np.empty(n)
        shared = self.log_likelihood, points
        with closing(completed(_piece, shared, tasks, executor=self.executor, workers=self.workers)) as done:
            for task, found in done:
                part = slice(task.first, task.first + task.size)
                values[part] = _checked(found, points[part])
                before += task.size
                if self.progress is not None:
                    self.progress(temperature, before)
        return values


def _piece(shared: tuple[LogLikelihood, Floats], seed: int, first: int, size: int) -> Any:
    """Return the log likelihood at some of the points."""
    log_likelihood, points = shared
    # a copy: what came from another process may be read-only, and nobody's points are to be written to
    return log_likelihood(points[first : first + size].copy())


def _checked(found: Any, points: Floats) -> Floats:
    """Return what the likelihood gave at points, if it is a log likelihood."""
    values = np.asarray(found, np.float64)
    if values.shape != (len(points),):
        raise RunError(
            f"The log likelihood must give an array of shape ({len(points)},) for points of shape "
            f"{points.shape}, got shape {values.shape}."
        )
    wrong = np.flatnonzero(np.isnan(values) | (values == np.inf))
    if len(wrong):
        raise RunError(
            "The log likelihood must be a number below infinity, or minus infinity where a point is "
            f"impossible, got {values[wrong[0]]} at {points[wrong[0]].tolist()}."
        )
    return values


# -- checkpoints -------------------------------------------------------------------------------------


def _fingerprint(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _save(state: _State, identity: dict[str, Any], path: Path | None) -> None:
    """Keep a state, whole or not at all."""
    if path is None:
        return
    header = json.dumps({"format": _FORMAT, "identity": identity})
    arrays: dict[str, Any] = state._asdict()
    try:
        write_whole(path, partial(_write, header=header, arrays=arrays))
    except OSError as error:
        raise RunError(f"{path}: the checkpoint cannot be written ({error}).") from error


def _write(place: Path, *, header: str, arrays: dict[str, Any]) -> None:
    with place.open("wb") as stream:
        np.savez(stream, header=header, **arrays)


def _load(path: Path, identity: dict[str, Any]) -> _State:
    """Return the state of a checkpoint.

    Raises
    ------
    ResultError
        If it is damaged, foreign, or of another problem.
    """
    try:
        # opened here: NumPy leaves the file open if what it holds is no archive
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            if any(part.file_size != part.compress_size for part in arrays.zip.infolist()):
                raise ValueError("it is compressed, and may unpack to any size")
            header = json.loads(str(arrays["header"]))
            kind, kept = header["format"], header["identity"]
            found = {name: arrays[name] for name in _State._fields} if kind == _FORMAT else {}
    except Exception as error:  # NumPy's reader and zip raise errors of many kinds
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ResultError(
            f"{path}: this file is no checkpoint of a fit, or it is damaged or cut short ({reason}). Remove "
            "it to begin anew, or name another."
        ) from None
    if kind != _FORMAT:
        raise ResultError(f"{path}: the checkpoint has format {kind}, and this version reads {_FORMAT}.")
    if kept != identity:
        names = [name for name in identity if kept.get(name) != identity[name]]
        said = "; ".join(f"{name} is {show(kept.get(name))}, here {show(identity[name])}" for name in names)
        raise ResultError(
            f"{path}: the checkpoint is that of another fit: there {said}. Remove it to begin anew, or name "
            "another."
        )
    return _State(**{name: array.item() if array.ndim == 0 else array for name, array in found.items()})


def _check_same(evaluate: _Evaluate, state: _State, path: Path) -> None:
    """Refuse a checkpoint whose first particle has another likelihood here.

    Raises
    ------
    ResultError
        If it has.
    """
    place = int(np.flatnonzero(np.isfinite(state.log_likelihood))[0])
    kept = float(state.log_likelihood[place] + state.base[place])
    alone = replace(evaluate, progress=None)
    here = float(alone(state.points[place : place + 1], temperature=state.temperature, before=0)[0])
    if not math.isclose(here, kept, rel_tol=1e-6, abs_tol=1e-6):
        raise ResultError(
            f"{path}: the checkpoint is that of another likelihood: at the same point it kept {kept:.10g}, "
            f"and here it is {here:.10g}. Remove it to begin anew, or name another."
        )


# -- what is refused ---------------------------------------------------------------------------------


def _at_least(name: str, value: object, least: int) -> None:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise StudyError.single("fit", name, rule="must be a whole number", got=show(value))
    if number < least:
        raise StudyError.single("fit", name, rule=f"must be at least {least}", got=show(value))


def _check(dimension: int, seed: int, settings: Settings, max_evaluations: int | None) -> None:
    """Refuse arguments that make no sense.

    Raises
    ------
    StudyError
        If one does not.
    """
    _at_least("dimension", dimension, 1)
    _at_least("seed", seed, 0)
    if seed >= 2**64:
        raise StudyError.single("fit", "seed", rule="must be below 2^64", got=show(seed))
    if max_evaluations is not None:
        _at_least("max_evaluations", max_evaluations, 1)
    needed = math.ceil(_SPAN * dimension / settings.keep)
    if settings.particles < needed:
        raise StudyError.single(
            "fit",
            "particles",
            rule=f"must be at least {needed} (three times the dimension over `keep`)",
            got=show(settings.particles),
            do="With fewer, those that keep a weight cannot span the space.",
        )


def _check_cap(
    cap: int | None, done: int, needed: int, temperature: float, stage: int, path: Path | None
) -> None:
    """Stop before a round that would exceed the cap on evaluations.

    Raises
    ------
    RunError
        If it would.
    """
    if cap is None or done + needed <= cap:
        return
    if not done:
        kept = "Nothing was evaluated."
    elif path is None:
        kept = "No checkpoint was kept."
    else:
        kept = f"The checkpoint {path} goes on from here under a higher cap."
    raise RunError(
        f"{done} evaluations are done, and {needed} more would exceed the cap of {cap}: the fit has reached "
        f"temperature {temperature:.3g} in stage {stage}. {kept}"
    )
