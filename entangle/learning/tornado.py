"""Each parameter at the ends of what is believed of it, all others at their medians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from entangle.errors import RunError
from entangle.learning.sweep import (
    QUANTITIES,
    Point,
    Progress,
    acting,
    attributes,
    column,
    labels,
    medians,
    named_outcomes,
    quantities,
    sweep,
)

if TYPE_CHECKING:
    import xarray as xr

    from entangle.study import Study

#: Quantiles at which a parameter is put.
ENDS: Final = (0.05, 0.95)


def tornado(
    study: Study,
    draws: Sequence[Point],
    *,
    pact: str | None = None,
    outcomes: Sequence[str] | None = None,
    entanglement: bool = False,
    coarse: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Return outcomes under a pact with each parameter at its 5 % and 95 % quantile, one at a time.

    Exact. It sees neither what parameters do together nor that they hang together in the posterior.

    Parameters
    ----------
    draws
        Of everything that was fitted, such as :func:`entangle.fit.draws.draws` returns.
    pact
        Which; the first that is not empty if not given.
    outcomes
        Names; the headlines if not given.
    entanglement
        Whether to have entanglement too; see :func:`~entangle.learning.sweep.sweep`.
    coarse
        Whether to solve on the fit's own grid of types and rounds.

    Returns
    -------
    xarray.Dataset
        ``base`` (quantity, outcome): all at their medians. ``at`` (parameter, end, quantity, outcome): not
        a number where it could not be solved. ``setting`` (parameter, end): the parameter there, and
        ``middle`` (parameter). ``swing``: the distance between both ends.

    Raises
    ------
    StudyError
        If an argument breaks a rule.
    RunError
        If there is no solution where all are at their medians.
    """
    import xarray as xr

    name = study.first_pact if pact is None else study.named([pact])[0]
    base, names = medians(draws), acting(study, draws)
    ends = np.array([np.quantile(column(draws, parameter), ENDS) for parameter in names])
    points: list[Point] = [base]
    points += [
        base | {parameter: float(ends[i, k])} for i, parameter in enumerate(names) for k in range(len(ENDS))
    ]
    data = sweep(
        study,
        points,
        pacts=[name],
        entanglement=entanglement,
        coarse=coarse,
        workers=workers,
        progress=progress,
    )
    if not data.solved.values[0]:
        raise RunError("There is no solution where all parameters are at their medians: nothing to vary.")
    chosen = named_outcomes(data, outcomes)
    table = data.probability.sel(outcome=chosen)
    values, rare = quantities(data.isel(point=slice(0, 1)), name, chosen)
    values = np.stack(
        [table.sel(pact=name).values, (table.sel(pact=name) - table.isel(pact=-1)).values], axis=1
    )
    values[..., [name in rare for name in chosen]] = np.nan
    at = values[1:].reshape(len(names), len(ENDS), len(QUANTITIES), len(chosen))
    four = ("parameter", "end", "quantity", "outcome")
    cells = data.sel(outcome=chosen)
    return xr.Dataset(
        {
            "base": (
                four[2:],
                values[0],
                {"long_name": "exact value with all parameters at their medians", "units": "1"},
            ),
            "at": (four, at, {"long_name": "exact value with one parameter at an end", "units": "1"}),
            "swing": (
                ("parameter", *four[2:]),
                np.abs(at[:, 1] - at[:, 0]),
                {"long_name": "distance between both ends", "units": "1"},
            ),
            "setting": (four[:2], ends, {"long_name": "the parameter at the end", "units": "1"}),
            "middle": (
                four[:1],
                np.array([base[parameter] for parameter in names]),
                {"long_name": "the parameter's median", "units": "1"},
            ),
        },
        {
            "parameter": labels(names, "parameter"),
            "end": ("end", np.array(ENDS), {"long_name": "quantile of the parameter", "units": "1"}),
            "quantity": labels(QUANTITIES, "quantity"),
            "outcome": labels(chosen, "outcome"),
            "meaning": labels([str(text) for text in cells.meaning.values], "outcome"),
            "given": labels([str(text) for text in cells.given.values], "outcome"),
        },
        attributes(study, coarse=coarse)
        | {
            "pact": name,
            "draws": len(draws),
            "points": len(points),
            "unsolved": data.attrs["unsolved"],
            "too_rare": ", ".join(rare),
        },
    )
