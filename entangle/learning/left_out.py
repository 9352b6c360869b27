"""What the fit foretells of each figure of the record without having seen it.

Given the parameters and the size of the discrepancy, figures are independent in the likelihood. So the
posterior without one figure is the posterior itself, reweighted by one over that figure's likelihood
(Gelfand, Dey & Chang 1992), with weights smoothed by :mod:`entangle.learning.psis`: nothing is fitted again.
To the engine's predictions are added the discrepancy and the figure's own sampling error, as the likelihood
has them, for it is the figure of the record that is foretold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, ndtr

from entangle.errors import ResultError
from entangle.learning.psis import most_shape, smoothed

if TYPE_CHECKING:
    import xarray as xr

    from entangle.evidence.moments import Moments
    from entangle.fit.likelihood import Likelihood

Floats = NDArray[np.float64]

#: Quantiles of what is foretold.
ENDS: Final = (0.05, 0.95)


class Law(NamedTuple):
    """What is foretold of a figure, on the scale of its likelihood.

    Parameters
    ----------
    lower, median, upper
        Quantiles.
    below
        Probability of a lower figure than was observed.
    shape
        k-hat of the weights.
    effective
        Draws that would say as much with equal weights.
    log_density
        Of what was observed.
    """

    lower: float
    median: float
    upper: float
    below: float
    shape: float
    effective: float
    log_density: float


def law(
    log_likelihood: Floats,
    centres: Floats,
    spreads: Floats,
    shares: Floats,
    observed: float,
    *,
    is_left_out: bool = True,
) -> Law:
    """Return the law of a figure from draws, without it or with it.

    Parameters
    ----------
    log_likelihood
        Of the figure alone at each draw, shape (n,).
    centres
        What each draw predicts, shape (n,).
    spreads, shares
        Given a draw, the figure is normal around its centre, with one of several standard deviations, shape
        (n, k), that have shares, shape (k,).
    observed
        The figure.
    is_left_out
        Whether the draws are to be reweighted as if the figure had not been seen.
    """
    n = len(centres)
    if is_left_out:
        made = smoothed(-log_likelihood)
        weights, shape, effective = made
    else:
        weights, shape, effective = np.full(n, 1.0 / n), math.nan, float(n)
    both = weights[:, np.newaxis] * shares

    def below(value: float) -> float:
        return float((both * ndtr((value - centres[:, np.newaxis]) / spreads)).sum())

    reach = 40.0 * float(spreads.max())
    low, high = float(centres.min()) - reach, float(centres.max()) + reach
    ends = [_root(below, level, low, high) for level in (ENDS[0], 0.5, ENDS[1])]
    with np.errstate(divide="ignore"):
        density = float(logsumexp(np.log(weights) + log_likelihood))
    return Law(ends[0], ends[1], ends[2], below(observed), shape, effective, density)


def _root(rising: Callable[[float], float], level: float, low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda value: rising(value) - level, low, high, xtol=1e-10))


def left_out(
    fit: xr.DataTree,
    *,
    moments: Moments | None = None,
    members: int = 32,
    progress: Callable[[int, int], object] | None = None,
) -> xr.Dataset:
    """Return what the fit foretells of each of its figures without having seen it.

    Parameters
    ----------
    fit
        A posterior, such as :func:`entangle.fit.draws.shipped` returns.
    moments
        The figures that it was fitted to; the project's own if not given.
    members
        Size of the population at which predictions are made again, where the fit keeps none.
    progress
        Called with (draws done, draws in all) while they are.

    Returns
    -------
    xarray.Dataset with dimension ``figure``
        observed, observed_lower, observed_upper
            The figure and its 95 % interval.
        median, lower, upper
            Of what is foretold without it, the ends being those of the central 90 %.
        inside
            Whether the figure lies between them.
        below
            Probability foretold of a lower figure: near 0 or 1 for a surprise.
        with_median, with_lower, with_upper
            The same from all figures, itself among them.
        shape, usable
            k-hat of the weights, and whether it is low enough for so many draws. Where it is not, the
            figure moves the posterior by more than reweighting can undo.
        effective
            Draws that would say as much with equal weights.
        log_density
            Of the figure, foretold, on the scale of the likelihood; the sum judges the fit.

    Raises
    ------
    ResultError
        If the fit's parameters are not those of this version, or it lacks a figure's predictions.
    """
    import xarray as xr

    from entangle.evidence.moments import shipped
    from entangle.fit.likelihood import DISCREPANCY, Likelihood, mixture
    from entangle.fit.predict import PREDICTED

    table = shipped() if moments is None else moments
    targets = {target.code: target for target in table.targets()}
    likelihood = Likelihood.of(table, members=members)
    predictions = _predictions(fit, likelihood, progress)
    solved = np.isfinite(predictions).all(axis=1)
    if not solved.any():
        raise ResultError("No draw of this fit has a prediction of every figure.")
    sizes = fit["posterior"].to_dataset()[DISCREPANCY.name].values.ravel()[solved]
    full = np.full((int(solved.sum()), len(PREDICTED)), np.nan)
    full[:, [list(PREDICTED).index(code) for code in likelihood.codes]] = predictions[solved]
    parts, centres = likelihood.by_figure(full, sizes), likelihood.on_scale(full)
    variances, shares = mixture()
    columns: dict[str, list[float]] = {}
    for j, code in enumerate(likelihood.codes):
        spreads = np.sqrt(likelihood.errors[j] ** 2 + np.outer(sizes**2, variances))
        back = expit if targets[code].is_share else np.exp
        given = (parts[:, j], centres[:, j], spreads, shares, float(likelihood.observed[j]))
        without, having = law(*given), law(*given, is_left_out=False)
        row = {
            "observed": targets[code].value,
            "observed_lower": targets[code].lower,
            "observed_upper": targets[code].upper,
            **{name: float(back(getattr(without, name))) for name in ("median", "lower", "upper")},
            "below": without.below,
            **{f"with_{name}": float(back(getattr(having, name))) for name in ("median", "lower", "upper")},
            "shape": without.shape,
            "effective": without.effective,
            "log_density": without.log_density,
        }
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    found = xr.Dataset(
        {
            name: ("figure", np.array(values), {"long_name": _TEXTS[name], "units": "1"})
            for name, values in columns.items()
        },
        {
            "figure": (
                "figure",
                np.array(likelihood.codes, dtype=object),
                {"long_name": "code of the figure"},
            ),
            "kind": ("figure", np.array([targets[code].kind for code in likelihood.codes], dtype=object)),
        },
        {
            "title": "What the fit foretells of each figure without it",
            "draws": int(solved.sum()),
            "unsolved": int((~solved).sum()),
            "most_shape": most_shape(int(solved.sum())),
            "confidence": round(ENDS[1] - ENDS[0], 9),
            "fingerprint": fit.attrs.get("fingerprint", ""),
        },
    )
    found["inside"] = (found.lower <= found.observed) & (found.observed <= found.upper)
    found["usable"] = ~(found["shape"] > most_shape(int(solved.sum())))
    found["inside"].attrs = {"long_name": "whether the figure lies in the interval foretold without it"}
    found["usable"].attrs = {"long_name": "whether the weights can be relied on"}
    return found


_TEXTS: Final = {
    "observed": "figure of the record",
    "observed_lower": "lower end of its 95 % interval",
    "observed_upper": "upper end of its 95 % interval",
    "median": "median foretold without the figure",
    "lower": "lower end of the 90 % foretold without the figure",
    "upper": "upper end of the 90 % foretold without the figure",
    "below": "probability of a lower figure, foretold without it",
    "with_median": "median from all figures",
    "with_lower": "lower end of the 90 % from all figures",
    "with_upper": "upper end of the 90 % from all figures",
    "shape": "k-hat, the shape of the tail of the importance weights",
    "effective": "draws that would say as much with equal weights",
    "log_density": "log density of the figure, foretold without it, on the scale of its likelihood",
}


def _predictions(
    fit: xr.DataTree, likelihood: Likelihood, progress: Callable[[int, int], object] | None
) -> Floats:
    """Return the engine's side of every figure at each draw, shape (draws, figures): kept, or made again."""
    if "posterior_predictive" in fit.children:
        kept = fit["posterior_predictive"].to_dataset()["prediction"]
        there = set(map(str, kept.figure.values))
        missing = [code for code in likelihood.codes if code not in there]
        if missing:
            raise ResultError(f"The fit keeps no predictions of {', '.join(missing)}. Fit again.")
        values: Floats = kept.sel(figure=likelihood.codes).values
        return values.reshape(-1, len(likelihood.codes))
    from entangle.fit.likelihood import FITTED
    from entangle.fit.predict import PREDICTED, predicted

    normal = fit["sample_stats"].to_dataset()["normal"]
    names_there = [str(name) for name in normal["parameter"].values]
    if names_there != [prior.name for prior in FITTED]:
        raise ResultError("The fit has other parameters than this version. Fit again.")
    points = normal.values.reshape(-1, len(names_there))
    places = [list(PREDICTED).index(code) for code in likelihood.codes]
    found = np.empty((len(points), len(places)))
    for i, point in enumerate(points):
        found[i] = predicted(point[:-1], members=likelihood.members)[places]
        if progress is not None:
            progress(i + 1, len(points))
    return found
