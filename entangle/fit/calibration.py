"""Whether the fit would know what it claims to know: it is given figures whose makers are known.

Parameters are drawn from their priors, figures are made from them with the errors and the discrepancy of the
likelihood, and the fit is done on those. If sampler, likelihood and priors belong together, the rank of what
was true among the posterior's draws is uniform, for every parameter (Cook, Gelman & Rubin 2006, J. Comput.
Graph. Stat. 15: 675-692; Talts et al. 2018, arXiv 1804.06788), and so is that of the log likelihood, which
notices errors that single parameters hide (Modrák et al. 2025, Bayesian Anal. 20: 461-488).

To be affordable, only some parameters are drawn and fitted; the others stay at their priors' medians, or
where they are told to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, closing
from copy import copy
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from entangle.errors import RunError, StudyError, nearest
from entangle.executors import Task, completed, worker_count
from entangle.fit.likelihood import DISCREPANCY, FITTED, Likelihood, mixture
from entangle.fit.posterior import chosen
from entangle.fit.predict import predicted
from entangle.fit.smc import Floats, Settings, generator, sample

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from entangle.evidence.moments import Moments

#: What is drawn and fitted if nothing is said: payoffs, the population and the discrepancy, all of which the
#: figures say something about.
PARAMETERS: Final = ("precision", "war_costs", "alignment", "rate", "discrepancy")
#: Work of one fit. Its moves go on for long: draws that hang together have ranks too often at the ends.
WORK: Final = Settings(particles=64, keep=0.5, correlation=0.3, most_rounds=10, chunk=64)
#: Draws that a rank is taken among if nothing is said: fewer than there are particles, so that few share an
#: ancestor.
DRAWS: Final = 31

#: What random words are for here, as the last word of their address; those before are the sampler's.
_MAKING: Final = 6
#: Draws from the priors after which to give up finding one whose games have solutions.
_MOST_DRAWS: Final = 100


class Made(NamedTuple):
    """One fit of figures whose maker is known.

    Parameters
    ----------
    truth
        The parameters in the space of the priors, shape (d,).
    ranks
        Draws below the truth, for every parameter and the log likelihood, shape (d + 1,).
    refused
        Draws from the priors that came before and had no solution.
    evaluations
        Of the likelihood.
    """

    truth: Floats
    ranks: Floats
    refused: int
    evaluations: int


@dataclass(frozen=True)
class Few:
    """A likelihood of some parameters, the others held.

    Parameters
    ----------
    whole
        Of all parameters.
    held
        A point in the space of all priors, shape (all,).
    places
        Which of its coordinates are left free.
    """

    whole: Likelihood
    held: Floats
    places: tuple[int, ...]

    def points(self, few: Floats) -> Floats:
        """Return points in the space of all priors, shape (n, all), from those of some, shape (n, d)."""
        found = np.tile(self.held, (len(few), 1))
        found[:, self.places] = few
        return found

    def __call__(self, few: Floats) -> Floats:
        """Return the log likelihood at points, shape (n, d)."""
        return self.whole(self.points(few))


class _Shared(NamedTuple):
    """What all replications share."""

    few: Few
    work: Settings
    draws: int
    believed: float


def ranks(
    replications: int,
    *,
    moments: Moments | None = None,
    parameters: Sequence[str] = PARAMETERS,
    held: Mapping[str, float] | None = None,
    members: int = 4,
    work: Settings = WORK,
    draws: int = DRAWS,
    believed: float = 1.0,
    seed: int = 1,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> xr.Dataset:
    """Fit figures whose makers are known, and return the ranks of these among the draws.

    Parameters
    ----------
    replications
        How many times.
    moments
        Figures whose errors are taken; the project's own if not given.
    parameters
        Which are drawn and fitted, of :data:`~entangle.fit.likelihood.FITTED`.
    held
        Where other parameters are held, as standard normal numbers; at 0 if not named.
    members
        Size of the population, a power of two.
    work
        Of each fit.
    draws
        How many of each posterior a rank is taken among.
    believed
        Factor on the errors that the fit takes the figures to have. Anything but 1 is wrong, and should show.
    seed
        From 0 to 2^64 - 1.
    executor, workers
        Where whole replications are done: in that many processes if no executor is given. Moves no bit.
    progress
        Called with the replications done, and all of them.

    Returns
    -------
    Dataset
        ``rank`` by ``replication`` and ``quantity``, from 0 to the attribute ``draws``; ``truth`` in the
        space of the priors; ``refused`` and ``evaluations`` as :class:`Made` says.

    Raises
    ------
    StudyError
        If there is no such parameter, or an argument makes no sense.
    """
    import xarray as xr

    from entangle.evidence.moments import shipped

    names, held = [prior.name for prior in FITTED], held or {}
    for name in (*parameters, *held):
        if name not in names:
            raise StudyError.single(
                "calibration", rule="must be a fitted parameter", got=repr(name), do=nearest(name, names)
            )
    if not 0.0 < believed < math.inf:
        raise StudyError.single("calibration", "believed", rule="must be above 0", got=repr(believed))
    if replications < 1:
        raise StudyError.single(
            "calibration", "replications", rule="must be at least 1", got=repr(replications)
        )
    if not 1 <= draws <= work.particles:
        rule = f"must be from 1 to the number of particles, {work.particles}"
        raise StudyError.single("calibration", "draws", rule=rule, got=repr(draws))
    few = Few(
        Likelihood.of(moments or shipped(), members=members),
        np.array([held.get(name, 0.0) for name in names]),
        tuple(map(names.index, parameters)),
    )
    shared = _Shared(few, work, draws, believed)
    found: list[Made | None] = [None] * replications
    with ExitStack() as stack:
        if executor is None:
            pool = ProcessPoolExecutor(worker_count(None, workers), mp_context=get_context("spawn"))
            executor = stack.enter_context(pool)
        tasks = (Task(seed, first, 1) for first in range(replications))
        stream = completed(_replicated, shared, tasks, executor=executor, workers=workers)
        for done, (task, made) in enumerate(stack.enter_context(closing(stream)), 1):
            found[task.first] = made
            if progress is not None:
                progress(done, replications)
    all_made = [made for made in found if made is not None]
    return xr.Dataset(
        {
            "rank": (("replication", "quantity"), np.array([made.ranks for made in all_made])),
            "truth": (("replication", "parameter"), np.array([made.truth for made in all_made])),
            "refused": ("replication", np.array([made.refused for made in all_made])),
            "evaluations": ("replication", np.array([made.evaluations for made in all_made])),
        },
        {
            "quantity": np.array([*parameters, "log_likelihood"], object),
            "parameter": np.array(parameters, object),
        },
        {"draws": draws, "members": members, "believed": believed, "seed": str(seed)},
    )


def _replicated(shared: _Shared, seed: int, first: int, size: int) -> Made:
    """Return the replication of an index."""
    assert size == 1
    own, random = shared.few.whole, generator(seed, _MAKING, stage=first)
    few = replace(shared.few, whole=copy(own))
    truth, point, prediction, refused = _drawn(few, random)
    discrepancy = float(DISCREPANCY.value(point[-1]))
    few.whole.observed = own.on_scale(prediction) + noise(own.errors, discrepancy, random)
    few.whole.errors = shared.believed * own.errors
    fit_seed = int(random.integers(2**63))
    particles = sample(few, len(truth), seed=fit_seed, settings=shared.work, workers=1)
    draws = chosen(particles, draws=shared.draws)
    at_truth = float(few.whole.of_predictions(prediction, discrepancy))
    below = [*(draws.points < truth).sum(axis=0), (draws.log_likelihood < at_truth).sum()]
    return Made(truth, np.array(below, np.float64), refused, particles.evaluations)


def _drawn(few: Few, random: np.random.Generator) -> tuple[Floats, Floats, Floats, int]:
    """Return a draw from the priors that has a solution, and how many had none before.

    Returns
    -------
    truth : array of shape (d,)
    point : array of shape (all,)
    prediction : array of shape (figures,)
    refused : int

    Raises
    ------
    RunError
        If none is found.
    """
    for refused in range(_MOST_DRAWS):
        truth = random.standard_normal(len(few.places))
        (point,) = few.points(truth[np.newaxis])
        prediction = predicted(point[:-1], members=few.whole.members, workers=1)
        if not np.isnan(few.whole.on_scale(prediction)).any():
            return truth, point, prediction, refused
    raise RunError(f"None of {_MOST_DRAWS} draws from the priors has a solution.")


def noise(errors: Floats, discrepancy: float, random: np.random.Generator) -> Floats:
    """Return what the likelihood takes observed figures to be off by, on their scales, shape (figures,)."""
    spread, weight = mixture()
    variance = errors**2 + discrepancy**2 * random.choice(spread, size=len(errors), p=weight)
    found: Floats = np.sqrt(variance) * random.standard_normal(len(errors))
    return found


def uniformity(found: xr.Dataset) -> xr.Dataset:
    """Return how compatible ranks are with being uniform.

    Ranks are spread over their cells at random and turned into standard normal numbers. Their mean is off if
    posteriors are biased, and the sum of their squares if they are too narrow or too wide.

    Returns
    -------
    Dataset with dimension ``quantity``
        ``mean`` and ``spread`` (root mean square) of the normal numbers, 0 and 1 if all is well;
        ``mean_p`` and ``spread_p``, two-sided; ``p``, twice the smaller of the two. The smallest ``p`` of n
        quantities, times n, is below a level with at most that probability, however the quantities hang
        together (Bonferroni).
    """
    import xarray as xr
    from scipy.special import ndtri
    from scipy.stats import chi2, norm

    draws, n = int(found.attrs["draws"]), found.sizes["replication"]
    cells = found["rank"].values
    jitter = generator(int(found.attrs["seed"]), _MAKING, round_=1).random(cells.shape)
    normal = ndtri((cells + jitter) / (draws + 1))
    mean, square = normal.mean(axis=0), (normal**2).sum(axis=0)
    mean_p = 2.0 * norm.sf(np.abs(mean) * math.sqrt(n))
    spread_p = 2.0 * np.minimum(chi2.cdf(square, n), chi2.sf(square, n))
    columns = {
        "mean": mean,
        "spread": np.sqrt(square / n),
        "mean_p": mean_p,
        "spread_p": spread_p,
        "p": np.minimum(2.0 * np.minimum(mean_p, spread_p), 1.0),
    }
    return xr.Dataset(
        {name: ("quantity", values) for name, values in columns.items()},
        {"quantity": found["quantity"].values},
        {"replications": n},
    )
