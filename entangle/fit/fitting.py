"""The fit as one step: coarse first, then led on to a larger population, then predicted from.

A likelihood of eight members costs a quarter of one of thirty-two and is hardly farther off than the
figures' own errors, so that most of the space is searched with it; its draws then cross a bridge to the
likelihood that counts (see :mod:`entangle.fit.smc`). A quick fit ends before the bridge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from entangle.errors import StudyError
from entangle.evidence.moments import Moments, Target, shipped
from entangle.executors import worker_count
from entangle.fit import draws, population
from entangle.fit.likelihood import FITTED, Likelihood
from entangle.fit.posterior import Parameter, chosen, tree
from entangle.fit.predict import predicted
from entangle.fit.smc import Bridge, Floats, Particles, Settings, sample

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

#: Called with what is being done, the temperature reached and the evaluations done.
Progress = Callable[[str, float, int], object]


class Part(NamedTuple):
    """A part of a fit: how much work goes into it.

    Parameters
    ----------
    members
        Size of the population, a power of two.
    settings
        Of the sampler; every part has as many particles.
    """

    members: int
    settings: Settings


#: Most of the work is done with few members; the likelihood that counts has the last part's.
FULL: Final = (
    Part(8, Settings(particles=256, keep=0.6, correlation=0.6, most_rounds=4, chunk=4)),
    Part(32, Settings(particles=256, keep=0.5, correlation=0.6, most_rounds=3, chunk=4)),
)
QUICK: Final = (Part(8, Settings(particles=192, keep=0.5, correlation=0.8, most_rounds=2, chunk=4)),)


def fit(
    moments: Moments | None = None,
    *,
    quick: bool = False,
    parts: Sequence[Part] | None = None,
    seed: int = 1,
    checkpoint: str | Path | None = None,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    max_evaluations: int | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Fit the engine to the record and return what is believed after it.

    Parameters
    ----------
    moments
        The figures; the project's own if not given. Those that the engine does not predict are left out.
    quick
        Whether a few minutes must do.
    parts
        How much work to do, if neither :data:`QUICK` nor :data:`FULL` fits.
    seed
        From 0 to 2^64 - 1. The same seed gives the same bits, whoever computes and however often it was
        stopped.
    checkpoint
        A folder, made if it is missing, to keep the state in after every round; a fit that finds it goes
        on.
    executor, workers
        Where the likelihood is evaluated: in that many processes of this machine if no executor is given.
        Threads are of little use, since a game is solved in many small steps.
    max_evaluations
        Evaluations of the likelihood after which to stop.
    progress
        Called with what is being done, the temperature reached and the evaluations done.

    Returns
    -------
    DataTree
        Groups ``posterior``, ``prior``, ``posterior_predictive``, ``prior_predictive``, ``observed_data``,
        ``sample_stats``; see :mod:`entangle.fit.posterior`. ``prediction`` is the engine's side of every
        ``figure`` without discrepancy or error of the figure; not a number where a game had no solution.

    Raises
    ------
    StudyError, RunError, ResultError
        As :func:`entangle.fit.smc.sample` says.
    """
    figures = {target.code: target for target in (moments or shipped()).targets()}
    parts = (QUICK if quick else FULL) if parts is None else parts
    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if executor is None:
            pool = ProcessPoolExecutor(worker_count(None, workers), mp_context=get_context("spawn"))
            executor = stack.enter_context(pool)
        found: tuple[Likelihood, Particles] | None = None
        for members, settings in parts:
            likelihood = Likelihood.of(moments or shipped(), members=members)
            what = f"{members} members"
            particles = sample(
                likelihood,
                len(FITTED),
                seed=seed,
                settings=settings,
                problem=problem(likelihood, figures),
                bridge=None if found is None else Bridge(*found),
                checkpoint=None if folder is None else folder / f"members_{members}.npz",
                executor=executor,
                workers=workers,
                max_evaluations=max_evaluations,
                progress=None if progress is None else partial(progress, what),
            )
            found = likelihood, particles
        if found is None:
            raise StudyError.single("fit", "parts", rule="must be one at least", got="none")
        likelihood, particles = found
        own = chosen(particles)
        after, before = (
            _predictions(points, likelihood, executor, progress, particles.evaluations)
            for points in (own.points, own.prior_points)
        )
    return tree(
        particles,
        [Parameter(prior.name, prior.value, long_name=prior.why) for prior in FITTED],
        posterior_predictive=after,
        prior_predictive=before,
        observed_data=_observed(likelihood.codes, figures),
        attributes=_said(particles, likelihood),
    )


def problem(likelihood: Likelihood, figures: dict[str, Target]) -> str:
    """Return a hash of all that a likelihood rests on, the engine's own code aside."""
    said: dict[str, Any] = {
        "figures": [(code, *map(float, figures[code][2:5]), figures[code].kind) for code in likelihood.codes],
        "priors": [(prior.name, prior.scale, prior.median, prior.spread) for prior in FITTED],
        "members": likelihood.members,
        "population": {
            name: getattr(population, name)
            for name in (
                "LOCAL",
                "BACKING",
                "CORRELATION",
                "REGIMES",
                "NUCLEAR",
                "COVERED",
                "TYPES",
                "ROUNDS",
            )
        },
        "pact": population.PACT.model_dump(mode="json"),
        "shapes": {
            name: getattr(draws, name)
            for name in ("WAR_COSTS", "SUPPORT_COSTS", "COOLING", "DECISION", "ACCIDENT")
        },
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _one(point: Floats, members: int) -> Floats:
    return predicted(point[:-1], members=members, workers=1)


def _predictions(
    points: Floats, likelihood: Likelihood, executor: Executor | Client, progress: Progress | None, done: int
) -> xr.Dataset:
    """Return the engine's side of every figure at points."""
    import xarray as xr

    futures = [executor.submit(_one, point, likelihood.members) for point in points]
    found = []
    for future in futures:
        found.append(future.result()[likelihood.places])
        if progress is not None:
            progress("predictions", 1.0, done + len(found))
    return xr.Dataset(
        {
            "prediction": (
                ("draw", "figure"),
                np.array(found),
                {"long_name": "the engine's side of a figure", "units": "1"},
            )
        },
        {"figure": np.array(likelihood.codes, object)},
    )


def _observed(codes: list[str], figures: dict[str, Target]) -> xr.Dataset:
    import xarray as xr

    own = [figures[code] for code in codes]
    columns = {
        "prediction": ([figure.value for figure in own], "the figure"),
        "lower": ([figure.lower for figure in own], "lower end of its 95 % interval"),
        "upper": ([figure.upper for figure in own], "upper end of its 95 % interval"),
    }
    return xr.Dataset(
        {
            name: ("figure", np.array(values), {"long_name": text, "units": "1"})
            for name, (values, text) in columns.items()
        },
        {"figure": np.array(codes, object)},
    )


def _said(particles: Particles, likelihood: Likelihood) -> dict[str, Any]:
    return {
        "title": "Posterior of the engine's parameters, given the record of disputes and crises",
        "members": likelihood.members,
        "types": population.TYPES,
        "rounds": population.ROUNDS,
        "unsolved": float(np.isneginf(particles.prior_log_likelihood).mean()),
    }
