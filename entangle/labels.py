"""Labels that people ask for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entangle.errors import ResultError, nearest

if TYPE_CHECKING:
    import xarray as xr


def pick(data: xr.Dataset, dimension: str, name: str) -> str:
    """Return `name` if it is one along `dimension`.

    Raises
    ------
    ResultError
        If there is none of that name; names the nearest one.
    """
    valid = [str(label) for label in data[dimension].values]
    if name not in valid:
        raise ResultError(f"There is no {dimension} '{name}'. {nearest(name, valid)}")
    return name
