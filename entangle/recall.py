"""What a result needs to look at its own trajectories again: the solved pact that made them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from entangle import provenance
from entangle.errors import ReproducibilityWarning, ResultError
from entangle.labels import pick
from entangle.solving import alone
from entangle_kernels.quantise import digest

if TYPE_CHECKING:
    from entangle.result import Result
    from entangle.solving import Prepared


def chosen_pact(result: Result, pact: str | None) -> str:
    """Return the name of a pact of a result: the one that is asked for, or the first that is not empty.

    Raises
    ------
    ResultError
        If nothing was simulated, or there is no such pact; names the nearest one.
    """
    if not result.simulated:
        raise ResultError("Nothing was simulated, so there is no dispute to look at: use Study.run().")
    if pact is None:
        return result.study.first_pact
    return pick(result.data, "pact", pact)


def recalled(result: Result, pact: str) -> dict[str, Prepared]:
    """Return a pact of a result and, under :data:`~entangle.solving.EMPTY`, no pact, both solved again.

    Warns
    -----
    ReproducibilityWarning
        If the solved pact or the use of random numbers differs from that which made the result, so that its
        trajectories may be others than those that were counted.
    """
    solved = alone(result.study, pact)
    changed = str(result.data.table_hash.sel(pact=pact).item()) != digest(solved[pact].tables)
    if changed or int(result.data.attrs["random_scheme"]) != provenance.RANDOM_SCHEME:
        what = f"the solved pact {pact}" if changed else "the use of random numbers"
        warnings.warn(
            f"These may not be the disputes that were counted: {what} differs from what made the result. "
            f"It was made with {result.data.attrs['versions']}, and now by entangle "
            f"{provenance.package_version()}.",
            ReproducibilityWarning,
            stacklevel=4,
        )
    return solved
