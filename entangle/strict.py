"""Opening a netCDF file that may have been made to do harm.

A result is some hundred plain arrays and some text. HDF5, in which netCDF is kept, can hold much more: links
to other files, arrays that other files hold, compressed blocks that unpack to terabytes, declared lengths
without data, a million references to one long text, text that a terminal obeys. None of it is ever written by
this package, so each is refused by what the file declares, before anything of that size is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from entangle.errors import CONTROL, ResultError
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
#: Attributes by which a reader of netCDF turns numbers into others, which may be eight times as large.
_TURNED: Final = ("scale_factor", "add_offset", "missing_value", "_Unsigned", "_FillValue")
_FOREIGN: Final = "Only files that entangle wrote can be read; do not trust this one"


@contextmanager
def opened(path: str | Path, *, groups: bool = False) -> Iterator[h5py.File]:
    """Open a file whose structure is that of a result, and whose sizes are bounded.

    Parameters
    ----------
    groups
        Whether arrays may stand in groups, one deep.

    Raises
    ------
    ResultError
        If it is missing, is not netCDF 4, is cut short, or holds what no result does.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise ResultError(f"{path}: there is no such file.")
    # whatever it holds is read by its reader: a file with holes takes no room on disk, but it does in memory
    if path.stat().st_size > LARGEST + LARGEST_TEXT:
        most = f"must have at most {LARGEST + LARGEST_TEXT:,} bytes"
        raise refused(path, "", most, f"{path.stat().st_size:,}", _FOREIGN)
    try:
        file = h5py.File(path, "r")
    except Exception as error:
        raise unreadable(path, error) from None
    with file:
        try:
            _Walk(path).group(file, "", depth=int(groups))
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


class _Walk:
    """Looks at all that a file declares, and adds up what it would take in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.variables = 0
        self.bytes = 0
        self.text = 0

    def group(self, group: Any, place: str, *, depth: int) -> None:
        """Check a group of arrays; `depth` is how deep further ones may stand in it."""
        import h5py

        self.attributes(group, place.rstrip("/") or "the file's attributes")
        self.variables += len(group)
        if self.variables > _MOST:
            most = f"must hold at most {_MOST} variables"
            raise refused(self.path, "", most, f"{self.variables}", _FOREIGN)
        for own in group:
            name = place + own
            if not isinstance(group.get(own, getlink=True), h5py.HardLink):
                raise refused(self.path, name, "must be kept in this file", "a link elsewhere", _FOREIGN)
            kind = group.get(own, getclass=True)
            if kind is h5py.Group and depth:
                self.group(group[own], f"{name}/", depth=depth - 1)
                continue
            if kind is not h5py.Dataset:
                raise refused(self.path, name, "must be an array", "a group of others", _FOREIGN)
            self.array(group[own], name)
            if self.bytes > LARGEST:
                most = f"all arrays together must take at most {LARGEST:,} bytes"
                raise refused(self.path, name, most, f"{self.bytes:,}", _FOREIGN)

    def array(self, array: Any, name: str) -> None:
        """Check one array, and count what it takes."""
        import h5py

        path = self.path
        self.attributes(array, name)
        made = array.id.get_create_plist()
        if made.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) or made.get_nfilters():
            raise refused(path, name, "must be stored plainly", "an array in chunks or compressed", _FOREIGN)
        if made.get_external_count():
            raise refused(path, name, "must be kept in this file", "numbers in another file", _FOREIGN)
        text = h5py.check_string_dtype(array.dtype)
        if array.shape is None or (text is None and array.dtype.kind not in "iuf"):
            kind = "nothing" if array.shape is None else str(array.dtype)
            raise refused(path, name, "must be numbers or text", kind, _FOREIGN)
        for turned in _TURNED:
            if turned in array.attrs and not (turned == "_FillValue" and array.dtype.kind == "f"):
                raise refused(
                    path, f"{name}: {turned}", "must not stand with numbers as they are", do=_FOREIGN
                )
        number = math.prod(array.shape)
        if _LENGTH_ONLY in bytes(array.attrs.get("NAME", b"")):
            return  # a length without data, which nobody reads
        stored = array.id.get_storage_size()
        # text of free length is kept elsewhere in the file: here its length, its place, and its number there
        size = 16 if text is not None and text.length is None else array.id.get_type().get_size()
        if stored != number * size:
            raise refused(path, name, "must have all of its data", f"{stored:,} bytes for {number:,} entries")
        if text is None:
            self.bytes += number * array.dtype.itemsize
            return
        if number > MOST_TEXTS:
            raise refused(path, name, f"must hold at most {MOST_TEXTS:,} texts", f"{number:,}", _FOREIGN)
        if text.length is not None:
            self.count(number * text.length, name)  # however much of it is padding
        self.texts((array[place] for place in np.ndindex(array.shape)), name)

    def attributes(self, of: Any, name: str) -> None:
        """Check the attributes of a file, a group or an array."""
        import h5py

        path, names = self.path, list(of.attrs)
        if len(names) > _MOST:
            raise refused(path, name, f"must have at most {_MOST} attributes", f"{len(names)}", _FOREIGN)
        for each in names:
            if each in _INTERNAL:
                continue
            place = f"{name}: {each}"
            declared = h5py.h5a.open(of.id, each.encode())
            number = math.prod(declared.shape)
            text = h5py.check_string_dtype(declared.dtype)
            if text is None and declared.dtype.kind not in "iufS":
                raise refused(path, place, "must be numbers or text", str(declared.dtype), _FOREIGN)
            # as it is declared, before it is read
            self.count(number * declared.dtype.itemsize, place)
            if text is None and declared.dtype.kind != "S":
                continue
            if text is not None and number > 1:
                raise refused(path, place, "must be one text", f"{number:,}", _FOREIGN)
            self.texts(np.ravel(of.attrs[each]) if number else (), place)

    def texts(self, values: Iterable[Any], name: str) -> None:
        """Count texts, each of which may refer to the same long one, and refuse any that acts."""
        for value in values:
            self.count(64 + len(value), name)
            told = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
            found = CONTROL.search(told)
            if found:
                rule = "must be text without control characters"
                raise refused(self.path, name, rule, repr(found.group()), _FOREIGN)

    def count(self, size: int, name: str) -> None:
        """Count bytes of text or of an attribute."""
        self.text += size
        if self.text > LARGEST_TEXT:
            rule = f"must hold at most {LARGEST_TEXT:,} bytes of text"
            raise refused(self.path, name, rule, do=_FOREIGN)
