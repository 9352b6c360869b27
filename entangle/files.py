"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def write_dataset(data: xr.Dataset, path: str | Path) -> None:
    """Write a dataset as netCDF, whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind.
    """
    write_whole(path, lambda partial: data.to_netcdf(partial, engine="h5netcdf", format="NETCDF4"))


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
