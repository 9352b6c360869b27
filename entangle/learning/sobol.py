"""Which parameters move an outcome: Sobol indices, of independent parameters and of the posterior's draws.

Two questions. How much of an outcome's variance would go if a parameter were known (first order), and how
much would stay if all others were (total), *if parameters were independent*: each is drawn from its own
marginal by Saltelli's design, and SALib (Herman & Usher 2017, J. Open Source Softw. 2: 97) makes the indices.
In a posterior they are not independent. So :func:`explained_by_draws` gives the first-order share of the
joint draws themselves, in which a parameter also speaks for those that go with it.

All outcomes are exact probabilities, entanglement too: there is no noise of a simulator to be taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle.errors import RunError, StudyError
from entangle.learning.smooth import LEAST, Smoother, explained
from entangle.learning.spread import Spread
from entangle.learning.sweep import (
    QUANTITIES,
    Floats,
    Point,
    Progress,
    acting,
    attributes,
    column,
    labels,
    named_outcomes,
    quantities,
    sweep,
)

if TYPE_CHECKING:
    import xarray as xr

    from entangle.study import Study

#: Resamples behind an index's interval, and its confidence.
_RESAMPLES: Final = 200
CONFIDENCE: Final = 0.9
#: Triplets of points below which no index is given.
_FEWEST: Final = 16


class Indices(NamedTuple):
    """Sobol indices of one thing.

    Parameters
    ----------
    first, total
        Shape (parameters,).
    first_reach, total_reach
        Half lengths of their intervals by the bootstrap, shape (parameters,).
    lost
        Share of triplets that could not be used, shape (parameters,).
    """

    first: Floats
    first_reach: Floats
    total: Floats
    total_reach: Floats
    lost: Floats


def design(parameters: int, samples: int, *, seed: int) -> Floats:
    """Return Saltelli's design on the unit cube, shape (samples, parameters + 2, parameters).

    Row 0 of each sample is A, the last is B, and row i + 1 is A with parameter i as in B.

    Raises
    ------
    StudyError
        If `samples` is no power of two: the sequence is only then balanced.
    """
    from SALib.sample import sobol

    if samples < _FEWEST or samples & (samples - 1):
        raise StudyError.single(
            "samples", rule=f"must be a power of two and at least {_FEWEST}", got=str(samples)
        )
    problem = {
        "num_vars": parameters,
        "names": [str(i) for i in range(parameters)],
        "bounds": [[0.0, 1.0]] * parameters,
    }
    flat = sobol.sample(problem, samples, calc_second_order=False, seed=seed)
    found: Floats = np.asarray(flat).reshape(samples, parameters + 2, parameters)
    return found


def analysed(values: Floats, *, seed: int, confidence: float = CONFIDENCE) -> Indices:
    """Return the indices of values at the points of a design.

    Where a value is not a number, the triplets (A, B, and A with one parameter as in B) that it belongs to
    are left out, of that parameter or, with A or B, of all; a whole sample is not lost for one point.

    Parameters
    ----------
    values
        Shape (samples, parameters + 2).
    seed
        Of the bootstrap, above 0.
    """
    from SALib.analyze import sobol

    number = values.shape[1] - 2
    found = np.full((4, number), np.nan)
    lost = np.empty(number)
    for i in range(number):
        triplets = values[:, [0, i + 1, -1]]
        whole = np.isfinite(triplets).all(axis=1)
        lost[i] = 1.0 - whole.mean()
        own = triplets[whole]
        if len(own) < _FEWEST:
            continue
        if np.ptp(own[:, [0, 2]]) <= 1e-13 * np.abs(own).max():
            found[:, i] = 0.0  # nothing varies, so nothing moves it
            continue
        problem = {"num_vars": 1, "names": ["x"], "bounds": [[0.0, 1.0]]}
        made = sobol.analyze(
            problem,
            own.ravel(),
            calc_second_order=False,
            num_resamples=_RESAMPLES,
            conf_level=confidence,
            seed=seed,
        )
        found[:, i] = [made[name][0] for name in ("S1", "S1_conf", "ST", "ST_conf")]
    first, first_reach, total, total_reach = found
    return Indices(first, first_reach, total, total_reach, lost)


def sobol_indices(
    study: Study,
    spread: Spread,
    *,
    pact: str | None = None,
    outcomes: Sequence[str] | None = None,
    samples: int = 128,
    seed: int = 1,
    entanglement: bool = False,
    coarse: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Return Sobol indices of outcomes under a pact, and of what it changes, for independent parameters.

    Parameters
    ----------
    spread
        The parameters' laws, of :mod:`entangle.learning.spread`. Those of a posterior are its marginals: that
        they are independent is an **assumption**.
    pact
        Which; the first that is not empty if not given.
    outcomes
        Names; the headlines if not given.
    samples
        A power of two; as many times the number of parameters and two are solved.
    seed
        Of the design and the bootstrap, above 0.
    entanglement
        Whether to have entanglement too; see :func:`~entangle.learning.sweep.sweep`.
    coarse
        Whether to solve on the fit's own grid of types and rounds; the study's takes about ten times as long.

    Returns
    -------
    xarray.Dataset
        ``first`` and ``total`` (quantity, outcome, parameter) with ``_lower`` and ``_upper``; quantity is
        "with_pact", the probability, or "difference", that to no pact. ``lost``: share of the design's
        triplets without a solution; indices are those of the rest. ``median``, ``lower`` and ``upper``
        (quantity, outcome): the central 90 % of the outcome itself. Not a number for outcomes too rare.

    Raises
    ------
    StudyError
        If an argument breaks a rule.
    RunError
        If no point could be solved.
    """
    import xarray as xr

    if seed < 1:
        raise StudyError.single("seed", rule="must be at least 1", got=str(seed))
    name = study.first_pact if pact is None else study.named([pact])[0]
    unit = design(len(spread.names), samples, seed=seed)
    points = spread.points(unit.reshape(-1, len(spread.names)))
    data = sweep(
        study,
        points,
        pacts=[name],
        entanglement=entanglement,
        coarse=coarse,
        workers=workers,
        progress=progress,
    )
    chosen = named_outcomes(data, outcomes)
    values, rare = quantities(data, name, chosen)
    shape = (len(QUANTITIES), len(chosen))
    made = [
        [analysed(values[:, i, j].reshape(samples, -1), seed=seed) for j in range(len(chosen))]
        for i in range(shape[0])
    ]
    stacked = [np.array([[getattr(one, field) for one in row] for row in made]) for field in Indices._fields]
    first, first_reach, total, total_reach, lost = stacked
    # what is too rare was not lost
    lost[:, [name in rare for name in chosen]] = np.nan
    dims = ("quantity", "outcome", "parameter")
    words = "variance that goes when the parameter is known", "variance that stays when all others are"
    variables = {}
    for label, index, reach, text in (
        ("first", first, first_reach, words[0]),
        ("total", total, total_reach, words[1]),
    ):
        variables[label] = (dims, index, {"long_name": f"share of {text}", "units": "1"})
        for end, sign in (("lower", -1.0), ("upper", 1.0)):
            variables[f"{label}_{end}"] = (
                dims,
                index + sign * reach,
                {"long_name": f"{end} end of the interval of {label}", "units": "1"},
            )
    variables["lost"] = (dims, lost, {"long_name": "share of triplets without a solution", "units": "1"})
    return xr.Dataset(
        variables | spread_of(values),
        _coordinates(data, chosen, spread.names),
        attributes(study, coarse=coarse)
        | {
            "pact": name,
            "samples": samples,
            "seed": str(seed),
            "confidence": CONFIDENCE,
            "points": data.attrs["points"],
            "unsolved": data.attrs["unsolved"],
            "too_rare": ", ".join(rare),
            "spread": "prior" if spread.draws is None else "posterior marginals",
            "assumption": "parameters are independent of each other",
        },
    )


def explained_by_draws(
    data: xr.Dataset,
    points: Sequence[Point],
    study: Study,
    *,
    pact: str | None = None,
    outcomes: Sequence[str] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> xr.Dataset:
    """Return the share of each outcome's variance over joint draws that one parameter foretells.

    The variance of the expected outcome given the parameter, over the outcome's: the first-order index
    without the assumption of independence (Kucherenko, Tarantola & Annoni 2012, Comput. Phys. Commun. 183:
    937-946).
    Shares of parameters that go together overlap and may add up to more than 1.

    Parameters
    ----------
    data
        What :func:`~entangle.learning.sweep.sweep` returned for the points.
    groups
        Draws that may be alike, such as ``family`` of a fit; they are never used to foretell each other.

    Returns
    -------
    xarray.Dataset
        ``first`` and its standard error ``first_error`` (quantity, outcome, parameter); ``median``, ``lower``
        and ``upper`` (quantity, outcome). Points without a solution are left out.
    """
    import xarray as xr

    name = study.first_pact if pact is None else study.named([pact])[0]
    chosen = named_outcomes(data, outcomes)
    names = acting(study, points)
    values, rare = quantities(data, name, chosen)
    flat = values.reshape(len(points), -1)
    first, error = np.full((2, flat.shape[1], len(names)), np.nan)
    solved = data.solved.values
    # what a condition that never holds leaves without a number is smoothed over the rest
    for known, places in _patterns(flat, solved):
        if known.sum() < LEAST:
            continue
        own = None if groups is None else groups[known]
        for k, parameter in enumerate(names):
            fit = Smoother(column(points, parameter)[known], own)(flat[known][:, places])
            first[places, k], error[places, k] = explained(flat[known][:, places], fit)
    if solved.sum() < LEAST:
        raise RunError(f"{int(solved.sum())} points were solved, and {LEAST} are needed to foretell from.")
    shape = (len(QUANTITIES), len(chosen), len(names))
    dims = ("quantity", "outcome", "parameter")
    text = "share of variance over joint draws that the parameter foretells"
    return xr.Dataset(
        {
            "first": (dims, first.reshape(shape), {"long_name": text, "units": "1"}),
            "first_error": (dims, error.reshape(shape), {"long_name": "standard error", "units": "1"}),
            **spread_of(values),
        },
        _coordinates(data, chosen, names),
        dict(data.attrs) | {"pact": name, "too_rare": ", ".join(rare), "spread": "posterior draws"},
    )


def _patterns(flat: Floats, solved: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
    """Return the sets of points at which columns have numbers, each with its columns."""
    found: dict[bytes, list[int]] = {}
    known = np.isfinite(flat) & solved[:, np.newaxis]
    for place in range(flat.shape[1]):
        found.setdefault(known[:, place].tobytes(), []).append(place)
    return [(known[:, places[0]], np.array(places)) for places in found.values()]


def spread_of(values: Floats) -> dict[str, tuple[tuple[str, ...], Floats, dict[str, str]]]:
    """Return median and central 90 % of values of shape (points, quantities, outcomes)."""
    found: dict[str, tuple[tuple[str, ...], Floats, dict[str, str]]] = {}
    for label, level in (("median", 0.5), ("lower", 0.05), ("upper", 0.95)):
        ends = np.full(values.shape[1:], np.nan)
        for place in np.ndindex(ends.shape):
            own = values[(slice(None), *place)]
            if np.isfinite(own).any():
                ends[place] = np.quantile(own[np.isfinite(own)], level)
        found[label] = (
            ("quantity", "outcome"),
            ends,
            {"long_name": f"quantile of {level:g} of the outcome", "units": "1"},
        )
    return found


def _coordinates(
    data: xr.Dataset, outcomes: Sequence[str], parameters: Sequence[str]
) -> dict[str, tuple[str, NDArray[np.object_]]]:
    table = data.sel(outcome=list(outcomes))
    return {
        "quantity": labels(QUANTITIES, "quantity"),
        "outcome": labels(outcomes, "outcome"),
        "parameter": labels(parameters, "parameter"),
        "meaning": labels([str(text) for text in table.meaning.values], "outcome"),
        "given": labels([str(text) for text in table.given.values], "outcome"),
    }
