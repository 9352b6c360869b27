"""What CF and ACDD ask a result to say of itself beyond its numbers.

CF-1.11 (https://cfconventions.org) says how variables are told; ACDD-1.3 (the Attribute Convention for
Data Discovery) how a data set is found and credited. Nothing here depends on when or where a result was
made: equal runs give equal bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

CONVENTIONS: Final = "CF-1.11, ACDD-1.3"
#: How a digest is made, in a sentence.
DIGEST: Final = (
    "sum over the cells of 2 x 2 x 8 x 72 x 16 (origin, scope, end, state, marks; C order) of count times "
    "weight, modulo 2^64; weights of SplitMix64, made odd; the digests of a pact add up to that of its cells"
)

#: What coordinates are, where their maker did not say.
_COORDINATES: Final = {
    "pact": "pact",
    "versus": "pact that it is compared with",
    "outcome": "outcome of a dispute",
    "meaning": "what happened",
    "given": "what the outcome is conditional on",
    "rung": "highest rung of the ladder that the dispute reached, or more",
    "counterfactual": "what the other world is without",
    "instead": "what the other world has instead",
    "year": "year of the history",
    "draw": "draw's number",
    "parameter": "what was fitted",
    "status": "where a pact stands",
    "cause": "why a pact has ended",
    "actor": "who",
    "level": "strength, effort or belief that moves over the years",
    "quantile": "share of histories below",
}


def described(data: xr.Dataset) -> xr.Dataset:
    """Return a table whose variables say what they are in the terms of CF and ACDD."""
    data = data.copy(deep=False)
    for name, variable in data.variables.items():
        if name in data.coords:
            variable.attrs.setdefault("long_name", _COORDINATES.get(str(name), str(name)))
            variable.attrs.setdefault("coverage_content_type", "coordinate")
        else:
            variable.attrs.setdefault("coverage_content_type", "modelResult")
        if variable.dtype.kind in "fiu" and "flag_meanings" not in variable.attrs:
            variable.attrs.setdefault("units", "1")
    return data


def first_of(data: xr.Dataset, what: str, size: int) -> xr.Variable:
    """Return the first trajectory of every stretch of `size`, for the dimension ``stretch``."""
    numbers = np.arange(data.sizes["stretch"], dtype=np.int64) * size
    return xr.Variable(
        "stretch", numbers, {"long_name": f"first of the {what} of the stretch", "units": "1", "size": size}
    )


def discovery(*, package: str, identity: str) -> dict[str, str]:
    """Return the attributes by which ACDD has a data set found and credited.

    Parameters
    ----------
    package
        Version of this package.
    identity
        What tells this result from others, the same for equal runs.
    """
    return {
        "keywords": "alliances, deterrence, escalation, game theory, Monte Carlo, risk",
        "id": identity,
        "naming_authority": "entangle",
        "product_version": package,
        "processing_level": "sums over simulated trajectories and exact probabilities",
        "creator_name": f"entangle {package}, a program",
        "institution": "not stated",
        "project": "entangle",
        "license": "the numbers belong to whoever made them; the program is under BSD-3-Clause",
        "comment": "Probabilities of a model, not forecasts: see the pages on the model and on the fit.",
        "references": "docs/model.md, docs/results.md",
    }
