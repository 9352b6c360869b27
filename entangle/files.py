"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from entangle.errors import ResultError

if TYPE_CHECKING:
    import xarray as xr


def write_dataset(data: xr.Dataset, path: str | Path) -> None:
    """Write a dataset as netCDF, whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind.
    """
    # a coordinate is never missing; elsewhere what is not a number stands for itself
    encoding = {name: {"_FillValue": None} for name in data.coords if data[name].dtype.kind == "f"}
    write_whole(
        path,
        lambda partial: data.to_netcdf(partial, engine="h5netcdf", format="NETCDF4", encoding=encoding),
    )


def write_whole(path: str | Path, write_to: Callable[[Path], object]) -> None:
    """Let `write_to` fill a temporary file beside `path`, then rename it into place.

    A reader sees the old file or the new one, never half of one; on an error nothing is left behind.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        write_to(partial)
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def read_dataset(path: str | Path) -> xr.Dataset:
    """Return what :func:`write_dataset` wrote, once its checksum is seen to be right.

    Raises
    ------
    ResultError
        If the file is missing, damaged, foreign, or of a newer format.
    """
    import xarray as xr

    from entangle import provenance

    path = Path(path)
    if not path.is_file():
        raise ResultError(f"{path}: there is no such file.")
    try:
        data = xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # the readers below raise errors of many kinds
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ResultError(
            f"{path}: this file is not netCDF, or it is damaged or cut short ({reason})."
        ) from None
    data = _as_made(data)
    provenance.check(data, path)
    return data


def _as_made(data: xr.Dataset) -> xr.Dataset:
    """Return what was read in the form in which it was made: text as objects, nothing of the file."""
    words = {
        name: (variable.dims, variable.values.astype(object), variable.attrs)
        for name, variable in data.variables.items()
        if variable.dtype.kind in "UT"
    }
    return (
        data.assign_coords({k: v for k, v in words.items() if k in data.coords})
        .assign({k: v for k, v in words.items() if k not in data.coords})
        .drop_encoding()
    )
