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
    """Return what :func:`write_dataset` wrote, once it is seen to be whole and possible.

    Checked are the structure of the file (:mod:`entangle.strict`), its shapes against its study, its
    checksum, and what must hold of the counts of any result (:mod:`entangle.checked`).

    Raises
    ------
    ResultError
        If the file is missing, damaged, foreign, of a newer format, or cannot be what it says.
    """
    from entangle import checked, provenance, strict

    path = Path(path)
    with open_dataset(path) as opened:
        try:
            data = opened.load()
        except Exception as error:  # the readers below raise errors of many kinds
            raise strict.unreadable(path, error) from None
    provenance.check(data, path)
    checked.content(data, path)
    return data


def open_dataset(path: str | Path) -> xr.Dataset:
    """Return what :func:`write_dataset` wrote, read when it is asked for; to be closed.

    The structure and the shapes are checked, and nothing that would need all to be read.

    Raises
    ------
    ResultError
        If the file is missing, cut short, foreign, of a newer format, or has shapes that do not go with its
        study.
    """
    import xarray as xr

    from entangle import checked, provenance, strict

    path = Path(path)
    with strict.opened(path) as file:
        attrs = {name: value for name, value in file.attrs.items() if name != "_NCProperties"}
        provenance.recognise(attrs, path)
        checked.shapes(attrs, strict.sizes(file), path)
    try:
        opened = xr.open_dataset(path, engine="h5netcdf", decode_times=False)
    except Exception as error:  # the readers below raise errors of many kinds
        raise strict.unreadable(path, error) from None
    try:
        data = _as_made(opened)
    except Exception as error:
        opened.close()
        raise strict.unreadable(path, error) from None
    data.set_close(opened.close)
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
