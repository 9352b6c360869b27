"""The engine's side of the figures about pacts' lives, and their fit.

A fit of its own: no figure of pacts' lives says anything about crises here, and what a pact's life depends on
is, before the record is looked at, independent of what crises depend on. So the posterior of both is the
product of two, and any draw of one can go with any draw of the other.

The yearly step knows four ways out: a term, a review, notice, and abrogation where there is none of these.
What each form is worth can be asked by leaving parameters out: see :data:`WITHOUT_ABROGATION`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from entangle.errors import StudyError
from entangle.evidence.moments import Moments, Target, shipped
from entangle.fit import pact_lives
from entangle.fit.likelihood import DISCREPANCY, Likelihood
from entangle.fit.pact_lives import TERMS, Keeping, Lives, hazard, lives, median, share_early
from entangle.fit.posterior import Parameter, chosen, tree
from entangle.fit.priors import Prior
from entangle.fit.smc import Progress, Settings, sample
from entangle_kernels.game import Floats

if TYPE_CHECKING:
    import xarray as xr

#: What pacts' lives depend on. Every median and spread is an assumption.
PRIORS: Final = (
    Prior("attachment", "plain", 4.5, 1.2,
          "log odds; a partner wishes to leave the median pact once in 30 to 300 years"),
    Prior("attachment_spread", "log", 1.0, 0.6,
          "log odds; some pacts outlive every government that signed them, others the first crisis"),
    Prior("clause", "plain", 1.0, 1.0,
          "log odds; pacts that provide for leaving live longer, which is who wrote them: bounds the size"),
    Prior("replaced", "log", 0.02, 0.8,
          "a year; partners replace a treaty, or declare its purpose fulfilled, in decades, not in years"),
    Prior("abrogation", "log", 1.0, 0.8,
          "log odds; to break one's word takes more than to take a way out that was agreed"),
)  # fmt: skip
#: Parameters without leaving that is not provided for, and with it.
WITHOUT_ABROGATION: Final = ("attachment", "attachment_spread", "clause", "replaced")
WITH_ABROGATION: Final = (*WITHOUT_ABROGATION, "abrogation")
#: Where a parameter is left out, what it leaves out does not happen.
_NEUTRAL: Final = {
    "attachment": 5.0, "attachment_spread": 0.0, "clause": 0.0, "replaced": 0.0, "abrogation": math.inf,
}  # fmt: skip

#: Particles and moves of a fit: seconds.
SETTINGS: Final = Settings(particles=512, keep=0.7, correlation=0.3, most_rounds=30, chunk=64)


def keeping(values: Mapping[str, Floats | float]) -> Keeping:
    """Return what decides how long pacts live at values of some parameters; the others leave out theirs."""
    unknown = sorted(set(values) - set(_NEUTRAL))
    if unknown:
        raise ValueError(f"no parameters of pacts' lives: {', '.join(unknown)}")
    size = max((np.size(value) for value in values.values()), default=1)
    every = {
        name: np.broadcast_to(np.asarray(values.get(name, neutral), np.float64), (size,))
        for name, neutral in _NEUTRAL.items()
    }
    return Keeping(
        every["attachment"],
        every["attachment_spread"],
        every["clause"],
        every["abrogation"],
        every["replaced"],
    )


# -- the engine's side -----------------------------------------------------------------------------

Side = Callable[[Lives], Floats]

_KINDS: Final = tuple(TERMS)
_COUNT: Final = np.array(list(TERMS.values()), np.float64)
_PROVIDED: Final = np.array([terms.notice >= 0 for terms in TERMS])
_LENGTH: Final = np.array([terms.term for terms in TERMS])
#: Shares of treaties without a term that provide for leaving: of those that are said to be unlimited, and of
#: those that say nothing (16 of 21, and 18 of 92 defence pacts of ATOP 4.01).
_LEAVING: Final = {"unlimited": 16 / 21, "unspecified": 18 / 92}


def _open_ended(leaving: float) -> Floats:
    """Return the shares of terms among pacts without term, of which a share provides for leaving."""
    own = np.where(_LENGTH == 0, _COUNT, 0.0)
    provided = np.where(_PROVIDED, own, 0.0)
    found: Floats = (
        leaving * provided / provided.sum() + (1.0 - leaving) * (own - provided) / (own - provided).sum()
    )
    return found


_LONG: Final = np.where((_LENGTH > 10) & (_LENGTH <= 20), _COUNT, 0.0)

#: The engine's side of each figure that has one; those without an estimand in the project's table are for the
#: report, since they compare treaties that different states wrote.
PREDICTED_LIVES: Final[dict[str, Side]] = {
    "H.age.0-5": lambda own: hazard(own, _COUNT, first=0, last=5),
    "H.age.10-20": lambda own: hazard(own, _COUNT, first=10, last=20),
    "H.km.defbil": lambda own: median(own, _COUNT),
    "H.share.abr.defbil": lambda own: share_early(own, _COUNT),
    "H.len.10to20y.abr": lambda own: hazard(own, _LONG, early=True),
    "H.len.unlimited.abr": lambda own: hazard(own, _open_ended(_LEAVING["unlimited"]), early=True),
    "H.len.unspecified.abr": lambda own: hazard(own, _open_ended(_LEAVING["unspecified"]), early=True),
    "H.ren0.end": lambda own: hazard(own, np.where(_PROVIDED, 0.0, _COUNT)),
    "H.ren1.end": lambda own: hazard(own, np.where(_PROVIDED, _COUNT, 0.0)),
}
_AGED: Final = re.compile(r"H\.age\.(\d+)-(\d+)")


def side(code: str) -> Side | None:
    """Return what computes a figure of pacts' lives from its code: any of those, and hazards at any ages."""
    if code in PREDICTED_LIVES:
        return PREDICTED_LIVES[code]
    ages = _AGED.fullmatch(code)
    if ages is None or not int(ages[1]) < int(ages[2]) <= pact_lives.AGES:
        return None
    first, last = int(ages[1]), int(ages[2])
    return lambda own: hazard(own, _COUNT, first=first, last=last)


def values(normals: Floats, names: Sequence[str] = WITH_ABROGATION) -> dict[str, Floats]:
    """Return every parameter's values at points of standard normals, shape (n, parameters)."""
    own = [prior for prior in PRIORS if prior.name in names]
    return {prior.name: prior.value(normals[:, i]) for i, prior in enumerate(own)}


def predicted_lives(normals: Floats, names: Sequence[str] = WITH_ABROGATION) -> Floats:
    """Return the engine's side of every figure of :data:`PREDICTED_LIVES` at points.

    Parameters
    ----------
    normals
        Points in the space of the priors, shape (n, parameters).
    names
        Of the parameters that there are.

    Returns
    -------
    array of shape (n, figures)
    """
    own = lives(keeping(values(normals, names)))
    return np.stack([figure(own) for figure in PREDICTED_LIVES.values()], axis=-1)


def given(fit: xr.DataTree, codes: Sequence[str], draws: int) -> dict[str, Floats]:
    """Return the engine's side of figures at the first draws of a fit, by code, each of shape (draws,).

    Figures that are not of pacts' lives are left out. This is what :func:`entangle.evidence.report.compare`
    takes.

    Raises
    ------
    StudyError
        If the fit does not have as many draws.
    """
    data = fit["posterior"].to_dataset().isel(chain=0)
    if not 1 <= draws <= data.sizes["draw"]:
        raise StudyError.single(
            "draws",
            rule=f"must be from 1 to {data.sizes['draw']}, the draws that the fit of pacts' lives has",
            got=str(draws),
            do="Take as many, or fit with more particles",
        )
    own = lives(keeping({name: data[name].values[:draws] for name in _NEUTRAL if name in data}))
    sides = {code: side(code) for code in codes}
    return {code: figure(own) for code, figure in sides.items() if figure is not None}


# -- the fit ---------------------------------------------------------------------------------------


class LivesLikelihood(Likelihood):
    """The log likelihood of the figures of pacts' lives, with the same conventions as that of crises.

    Parameters
    ----------
    figures
        By code.
    names
        Of the parameters that there are.

    Raises
    ------
    ValueError
        If a figure is not predicted, or its interval does not contain it.
    """

    def __init__(self, figures: Mapping[str, Target], *, names: Sequence[str] = WITH_ABROGATION) -> None:
        unknown = sorted(set(figures) - set(PREDICTED_LIVES))
        if unknown:
            raise ValueError(f"the yearly step does not predict {', '.join(unknown)}")
        self.names = tuple(prior.name for prior in PRIORS if prior.name in names)
        self.codes = [code for code in PREDICTED_LIVES if code in figures]
        self.members = len(TERMS)
        self.places = [list(PREDICTED_LIVES).index(code) for code in self.codes]
        self._share = np.array([figures[code].is_share for code in self.codes])
        self.observed = np.array([self.scaled(figures[code].value, code, figures) for code in self.codes])
        self.errors = np.array([self._error(code, figures[code]) for code in self.codes])

    @property
    def priors(self) -> tuple[Prior, ...]:
        """What is fitted, the discrepancy last."""
        return (*(prior for prior in PRIORS if prior.name in self.names), DISCREPANCY)

    def __call__(self, points: Floats) -> Floats:
        """Return the log likelihood at points, shape (n, d)."""
        found = predicted_lives(points[:, :-1], self.names)
        return self.of_predictions(found, DISCREPANCY.value(points[:, -1]))


def fit_lives(
    moments: Moments | None = None,
    *,
    names: Sequence[str] = WITH_ABROGATION,
    seed: int = 1,
    settings: Settings = SETTINGS,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Fit what pacts' lives depend on and return what is believed after it.

    Parameters
    ----------
    moments
        The figures; the project's own if not given. Those that are not targets, or not of pacts' lives, are
        left out.
    names
        Of the parameters that there are, those of :data:`WITH_ABROGATION`, or some of them.
    seed
        From 0 to 2^64 - 1. The same seed gives the same bits, whoever computes.
    settings
        Of the sampler.
    checkpoint, executor, workers, progress
        As for :func:`entangle.fit.smc.sample`; a point costs less than a millisecond, so that more than one
        thread gains little.

    Returns
    -------
    DataTree
        With the groups of :func:`entangle.fit.fitting.fit`: ``posterior``, ``prior``,
        ``posterior_predictive``, ``prior_predictive``, ``observed_data``, ``sample_stats``. The predictions
        are of all figures of :data:`PREDICTED_LIVES`; ``fitted`` in ``observed_data`` says which were fitted.
    """
    moments = shipped() if moments is None else moments
    targets = {target.code: target for target in moments.targets()}
    likelihood = LivesLikelihood(
        {code: target for code, target in targets.items() if code in PREDICTED_LIVES}, names=names
    )
    particles = sample(
        likelihood,
        len(likelihood.priors),
        seed=seed,
        settings=settings,
        problem=_problem(likelihood),
        checkpoint=checkpoint,
        executor=executor,
        workers=workers,
        progress=progress,
    )
    own = chosen(particles)
    return tree(
        particles,
        [Parameter(prior.name, prior.value, long_name=prior.why) for prior in likelihood.priors],
        posterior_predictive=_predictions(own.points, likelihood),
        prior_predictive=_predictions(own.prior_points, likelihood),
        observed_data=_observed(moments, likelihood.codes),
        attributes={
            "title": "Posterior of what pacts' lives depend on, given the record of defence pacts",
            "parameters": ", ".join(likelihood.names),
        },
    )


def _problem(likelihood: LivesLikelihood) -> str:
    """Return a hash of all that the likelihood rests on, the engine's own code aside."""
    said = {
        "figures": [
            (code, float(likelihood.observed[i]), float(likelihood.errors[i]))
            for i, code in enumerate(likelihood.codes)
        ],
        "priors": [(prior.name, prior.scale, prior.median, prior.spread) for prior in likelihood.priors],
        "terms": [(*terms, count) for terms, count in TERMS.items()],
        "in_view": pact_lives.in_view().tolist(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _predictions(points: Floats, likelihood: LivesLikelihood) -> xr.Dataset:
    import xarray as xr

    found = predicted_lives(points[:, :-1], likelihood.names)
    said = {"long_name": "the engine's side of a figure", "units": "1"}
    codes = np.array(list(PREDICTED_LIVES), object)
    return xr.Dataset({"prediction": (("draw", "figure"), found, said)}, {"figure": codes})


def _observed(moments: Moments, fitted: Sequence[str]) -> xr.Dataset:
    import xarray as xr

    by_code: dict[str, Any] = {moment.code: moment for moment in moments.moments.values()}
    own = [by_code.get(code) for code in PREDICTED_LIVES]
    columns = {
        "prediction": ("value", "the figure; not a number if it is not in the table"),
        "lower": ("lower", "lower end of its 95 % interval"),
        "upper": ("upper", "upper end of its 95 % interval"),
    }
    found: dict[str, Any] = {
        name: (
            "figure",
            np.array([math.nan if one is None else getattr(one, field) for one in own]),
            {"long_name": text, "units": "1"},
        )
        for name, (field, text) in columns.items()
    }
    found["fitted"] = (
        "figure",
        np.array([code in fitted for code in PREDICTED_LIVES]),
        {"long_name": "whether the figure was fitted", "units": "1"},
    )
    return xr.Dataset(found, {"figure": np.array(list(PREDICTED_LIVES), object)})
