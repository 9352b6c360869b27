"""From a point of the fit to the structural parameters of a study, and the posterior that is shipped.

What a study says itself is never drawn: the population's own parameters (rates, alignments, the spread of
resolve, who gets a pact) end with the fit, and a structural parameter that a study's file fixes stays fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from entangle.errors import StudyError
from entangle.parameters import Parameters

if TYPE_CHECKING:
    import xarray as xr

#: The shipped posterior, beside this module.
FILE: Final = "posterior.nc"
#: The draw whose values are the defaults of a study that draws nothing: the likeliest of those with a
#: precision of at most :data:`MOST_PRECISION`. Above that, games of the shipped studies, or of their contexts
#: over decades, take long to solve, or have no equilibrium that is found.
POINT: Final = 124
MOST_PRECISION: Final = 3.5

#: What factors multiply, by rung: costs of a round in stakes against an equal, and hazards of a round. Only
#: their shapes are assumptions that no figure moves.
WAR_COSTS: Final = (0.01, 0.02, 0.08, 0.20, 0.40, 1.50, 8.0)
SUPPORT_COSTS: Final = (0.005, 0.03)
COOLING: Final = (0.24, 0.22, 0.18, 0.10, 0.08, 0.06, 0.05)
DECISION: Final = (0.0, 0.0, 0.0, 0.12, 0.15, 0.20, 0.25)
ACCIDENT: Final = (0.002, 0.004, 0.010, 0.010, 0.008, 0.005, 0.020)
#: A round in which nothing can happen but what nature does leaves nobody a choice.
_MOST_HAZARD: Final = 0.95

#: Fitted parameters that are structural parameters as they are.
PLAIN: Final = (
    "precision", "decisiveness", "joint_share", "support_share", "compromise", "revision", "opening",
    "audience", "breach", "breach_per_round", "begun_rounds",
)  # fmt: skip


def structural(values: Mapping[str, float]) -> dict[str, Any]:
    """Return the fields of :class:`~entangle.parameters.Parameters` at given values of what is fitted."""
    factors = [values["standing_costs"]] * 2 + [values["force_costs"]] + [values["war_costs"]] * 4
    hazards = np.array([COOLING, DECISION, ACCIDENT])
    hazards *= np.array([[values["cooling"]], [values["decision"]], [values["accident"]]])
    hazards /= np.maximum(hazards.sum(axis=0) / _MOST_HAZARD, 1.0)
    cooling, decision, accident = (tuple(map(float, row)) for row in hazards)
    return {
        "war_costs": tuple(cost * factor for cost, factor in zip(WAR_COSTS, factors, strict=True)),
        "support_costs": tuple(cost * values["support_costs"] for cost in SUPPORT_COSTS),
        "cooling": cooling,
        "decision": decision,
        "accident": accident,
        **{name: float(values[name]) for name in PLAIN},
    }


def drawn(parameters: Parameters, values: Mapping[str, float]) -> Parameters:
    """Return structural parameters at given values of what is fitted; what was set by hand stays."""
    found = structural(values)
    own = parameters.model_fields_set
    if own & {"cooling", "decision", "accident"}:
        # hazards share a round: those of a draw were cut to leave room for each other alone
        found = {
            name: value for name, value in found.items() if name not in ("cooling", "decision", "accident")
        }
    return parameters.replace(**{name: value for name, value in found.items() if name not in own})


@lru_cache(maxsize=1)
def shipped() -> xr.DataTree:
    """Return the posterior that comes with the package; see :mod:`entangle.fit.posterior`."""
    from entangle.fit.posterior import load

    with as_file(files("entangle.fit") / FILE) as path:
        return load(path)


def draws(number: int, *, posterior: xr.DataTree | str | Path | None = None) -> list[dict[str, float]]:
    """Return draws of everything that was fitted: the first ones of a posterior, which are in random order.

    Parameters
    ----------
    number
        How many.
    posterior
        A fit or its file; the shipped one if not given.

    Raises
    ------
    StudyError
        If the posterior does not have as many draws.
    """
    if posterior is None:
        tree = shipped()
    elif isinstance(posterior, str | Path):
        from entangle.fit.posterior import load

        tree = load(posterior)
    else:
        tree = posterior
    data = tree["posterior"].to_dataset().isel(chain=0)
    most = data.sizes["draw"]
    if not 1 <= number <= most:
        raise StudyError.single(
            "draws",
            rule=f"must be from 1 to {most}, the draws that the posterior has",
            got=str(number),
            do="Take as many, or fit with more particles",
        )
    columns = {str(name): variable.values[:number].tolist() for name, variable in data.data_vars.items()}
    return [{name: column[i] for name, column in columns.items()} for i in range(number)]
