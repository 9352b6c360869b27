"""Opening a netCDF file that may have been made to do harm.

A result is some hundred plain arrays and some text. HDF5, in which netCDF is kept, can hold much more: links
to other files, arrays that other files hold, compressed blocks that unpack to terabytes, declared lengths
without data, a million references to one long text. None of it is ever written by this package, so each is
refused by what the file declares, before anything of that size is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from entangle.errors import ResultError
from entangle.refusal import refused

if TYPE_CHECKING:
    import h5py

#: Most bytes that a file's arrays may take in memory when it is read whole, and in its texts and attributes.
LARGEST: Final = 4 * 2**30
LARGEST_TEXT: Final = 2**26
#: Most texts of an array.
MOST_TEXTS: Final = 2**16
#: Most variables, and most attributes of one of them.
_MOST: Final = 4096

#: What netCDF itself writes about dimensions; references within the file.
_INTERNAL: Final = {
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "CLASS",
    "NAME",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
}
#: How netCDF marks a dimension that has a length and nothing else.
_LENGTH_ONLY: Final = b"This is a netCDF dimension but not a netCDF variable"
_FOREIGN: Final = "Only files that entangle wrote can be read; do not trust this one"


@contextmanager
def opened(path: str | Path) -> Iterator[h5py.File]:
    """Open a file whose structure is that of a result, and whose sizes are bounded.

    Raises
    ------
    ResultError
        If it is missing, is not netCDF 4, is cut short, or holds what no result does.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise ResultError(f"{path}: there is no such file.")
    try:
        file = h5py.File(path, "r")
    except Exception as error:
        raise unreadable(path, error) from None
    with file:
        try:
            _check(file, path)
        except ResultError:
            raise
        except Exception as error:  # the reader below raises errors of many kinds
            raise unreadable(path, error) from None
        yield file


def sizes(file: h5py.File) -> dict[str, int]:
    """Return the length of each dimension: of every array that is one, and of those that refer to them."""
    every: list[tuple[str, Any]] = [(str(name), file[name]) for name in file]
    return {name: int(one.shape[0]) for name, one in every if len(one.shape) == 1 and one.is_scale}


def unreadable(path: Path, error: Exception) -> ResultError:
    """Return the error by which a file is refused that its reader cannot read."""
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return ResultError(f"{path}: this file is not netCDF, or it is damaged or cut short ({reason}).")


def _check(file: Any, path: Path) -> None:
    import h5py

    _attributes(file, "the file's attributes", path)
    if len(file) > _MOST:
        raise refused(path, "", f"must hold at most {_MOST} variables", f"{len(file)}", _FOREIGN)
    total = 0
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise refused(path, name, "must be kept in this file", "a link elsewhere", _FOREIGN)
        if file.get(name, getclass=True) is not h5py.Dataset:
            raise refused(path, name, "must be an array", "a group of others", _FOREIGN)
        total += _array(file[name], name, path)
        if total > LARGEST:
            raise refused(
                path, name, f"all arrays together must take at most {LARGEST:,} bytes", f"{total:,}", _FOREIGN
            )


def _array(array: Any, name: str, path: Path) -> int:
    """Check one array; return how many bytes it takes in memory."""
    import h5py

    _attributes(array, name, path)
    made = array.id.get_create_plist()
    if made.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) or made.get_nfilters():
        raise refused(path, name, "must be stored plainly", "an array in chunks or compressed", _FOREIGN)
    if made.get_external_count():
        raise refused(path, name, "must be kept in this file", "numbers in another file", _FOREIGN)
    text = h5py.check_string_dtype(array.dtype)
    if array.shape is None or (text is None and array.dtype.kind not in "iuf"):
        kind = "nothing" if array.shape is None else str(array.dtype)
        raise refused(path, name, "must be numbers or text", kind, _FOREIGN)
    number = math.prod(array.shape)
    if _LENGTH_ONLY in bytes(array.attrs.get("NAME", b"")):
        return 0  # a length without data, which nobody reads
    stored = array.id.get_storage_size()
    # text of free length is kept elsewhere in the file: here its length, where it is, and its number there
    size = 16 if text is not None and text.length is None else array.id.get_type().get_size()
    if stored != number * size:
        raise refused(path, name, "must have all of its data", f"{stored:,} bytes for {number:,} entries")
    if text is None:
        return int(number * array.dtype.itemsize)
    return _text(array, number, name, path)


def _text(array: Any, number: int, name: str, path: Path) -> int:
    """Return how many bytes the text of an array takes: each entry may refer to the same long one."""
    import numpy as np

    if number > MOST_TEXTS:
        raise refused(path, name, f"must hold at most {MOST_TEXTS:,} texts", f"{number:,}", _FOREIGN)
    total = 0
    for place in np.ndindex(array.shape):
        total += 64 + len(array[place])
        if total > LARGEST_TEXT:
            raise refused(path, name, f"must hold at most {LARGEST_TEXT:,} bytes of text", None, _FOREIGN)
    return total


def _attributes(of: Any, name: str, path: Path) -> None:
    import h5py

    names = list(of.attrs)
    if len(names) > _MOST:
        raise refused(path, name, f"must have at most {_MOST} attributes", f"{len(names)}", _FOREIGN)
    for each in names:
        if each in _INTERNAL:
            continue
        declared = h5py.h5a.open(of.id, each.encode())
        if math.prod(declared.shape) * declared.dtype.itemsize > LARGEST_TEXT:
            raise refused(
                path, f"{name}: {each}", f"must take at most {LARGEST_TEXT:,} bytes", None, _FOREIGN
            )
        if h5py.check_string_dtype(declared.dtype) is None and declared.dtype.kind not in "iufS":
            raise refused(path, f"{name}: {each}", "must be numbers or text", str(declared.dtype), _FOREIGN)
