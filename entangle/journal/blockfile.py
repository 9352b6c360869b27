"""A file of a journal: what one task gave, as plain arrays under a seal.

::

    14 bytes   "entangle block"
    2 bytes    format, little-endian
    4 bytes    length of the head, little-endian
    head       JSON: fingerprint of the plan, first unit, number of units, arrays (name, type, shape)
    body       the arrays one after the other, little-endian, in C order, deflated (zlib)
    32 bytes   SHA-256 of everything before

A reader knows from the plan which arrays there must be, and takes no more memory than they need, whatever
the file says.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from entangle.errors import JournalError
from entangle.work import Arrays, Field

FORMAT: Final = 1
_MAGIC: Final = b"entangle block"
_FIXED: Final = len(_MAGIC) + 2 + 4
_SEAL: Final = hashlib.sha256().digest_size
#: A head of more bytes is none of ours.
_LONGEST_HEAD: Final = 65_536
#: Most bytes of a file whose arrays are not known yet.
_LARGEST: Final = 2**28
_AGAIN: Final = "Move it away, and `entangle resume` computes it again"


class Head(NamedTuple):
    """What a file says of itself.

    Parameters
    ----------
    fingerprint
        That of the plan.
    first, size
        First unit, and number of units.
    arrays
        Name, type and shape of each array.
    """

    fingerprint: str
    first: int
    size: int
    arrays: tuple[tuple[str, str, tuple[int, ...]], ...]


def encode(fingerprint: str, first: int, size: int, fields: Sequence[Field], arrays: Arrays) -> bytes:
    """Return the bytes of a file."""
    packer = zlib.compressobj(1)  # level 1: most of it is zeros, and more effort gains little
    body, listed = [], []
    for field in fields:
        array = np.ascontiguousarray(arrays[field.name]).astype(field.dtype, copy=False)
        listed.append([field.name, field.dtype, list(array.shape)])
        body.append(packer.compress(array.tobytes()))
    body.append(packer.flush())
    head = json.dumps(
        {"fingerprint": fingerprint, "first": first, "size": size, "arrays": listed}, separators=(",", ":")
    ).encode()
    whole = b"".join([_MAGIC, FORMAT.to_bytes(2, "little"), len(head).to_bytes(4, "little"), head, *body])
    return whole + hashlib.sha256(whole).digest()


def read(path: Path) -> tuple[Head, bytes]:
    """Return the head and the body of a file, once its seal is seen to be whole.

    Raises
    ------
    JournalError
        If it is no such file, of a newer format, damaged or cut short.
    """
    whole = _bytes(path)
    if not whole.startswith(_MAGIC):
        raise JournalError.at(path, rule="must be a block of a run", got=_shown(whole), do=_AGAIN)
    if len(whole) < _FIXED + _SEAL:
        raise JournalError.at(
            path, rule="must be whole", got=f"the first {len(whole)} bytes of one", do=_AGAIN
        )
    # the seal first: what is damaged says nothing of itself that could be believed
    body = memoryview(whole)[:-_SEAL]
    sealed = hashlib.sha256(body).digest() == whole[-_SEAL:]
    number = int.from_bytes(whole[len(_MAGIC) : len(_MAGIC) + 2], "little")
    if sealed and number > FORMAT:
        raise JournalError.at(
            path, rule=f"must have format {FORMAT} at most", got=f"format {number}", do="Update entangle"
        )
    if not sealed:
        raise JournalError.at(
            path,
            rule="must match its checksum",
            got="a file that is damaged, changed or cut short",
            do=_AGAIN,
        )
    length = int.from_bytes(whole[len(_MAGIC) + 2 : _FIXED], "little")
    if number != FORMAT or length > min(_LONGEST_HEAD, len(body) - _FIXED):
        raise _broken(path, f"format {number} with a head of {length} bytes")
    return _head(path, whole[_FIXED : _FIXED + length]), bytes(body[_FIXED + length :])


def decode(path: Path, head: Head, body: bytes, fields: Sequence[Field]) -> Arrays:
    """Return the arrays of a file; they must be those of `fields`, and take no more room.

    Raises
    ------
    JournalError
        If they are others.
    """
    listed = [(field.name, field.dtype) for field in fields]
    if listed != [(name, kind) for name, kind, _ in head.arrays]:
        found = ", ".join(f"{name} {kind}" for name, kind, _ in head.arrays)
        raise _broken(path, f"the arrays {found}"[:200])
    for field, (name, _, shape) in zip(fields, head.arrays, strict=True):
        fits = shape == field.shape
        if field.most is not None:
            fits = len(shape) == len(field.shape) and shape[1:] == field.shape[1:] and shape[0] <= field.most
        if not fits:
            raise _broken(path, f"{name} of shape {shape}")
    wanted = sum(np.dtype(kind).itemsize * math.prod(shape) for _, kind, shape in head.arrays)
    unpacker = zlib.decompressobj()
    try:
        # a byte more than wanted shows that there is too much, without unpacking all of it
        raw = unpacker.decompress(body, wanted + 1)
    except zlib.error as error:
        raise _broken(path, f"a body that cannot be unpacked ({error})") from None
    if len(raw) != wanted or not unpacker.eof or unpacker.unused_data:
        raise _broken(path, f"a body of other than {wanted} bytes")
    arrays, start = {}, 0
    for name, kind, shape in head.arrays:
        count = math.prod(shape)
        array = np.frombuffer(raw, np.dtype(kind), count, start).reshape(shape)
        arrays[name] = array.astype(array.dtype.newbyteorder("="))  # a copy: whoever adds to it may
        start += array.nbytes
    return arrays


def regular(path: Path, most: int) -> os.stat_result:
    """Return what the system says of a file: it must be a plain one, of `most` bytes at most.

    Raises
    ------
    JournalError
        If it is a link, a pipe, a folder or anything else that reading could follow or wait on, or too large.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
        got = kinds.get(stat.S_IFMT(found.st_mode), "a device or socket")
        raise JournalError.at(path, rule="must be a plain file", got=got, do="Move it away")
    if found.st_size > most:
        raise JournalError.at(
            path,
            rule=f"must have at most {most:,} bytes",
            got=f"{found.st_size:,} bytes",
            do="It is none of entangle's; move it away",
        )
    return found


def _bytes(path: Path) -> bytes:
    regular(path, _LARGEST)
    return path.read_bytes()


def _head(path: Path, text: bytes) -> Head:
    try:
        told: Any = json.loads(text)
        head = Head(
            told["fingerprint"],
            told["first"],
            told["size"],
            tuple((name, kind, tuple(shape)) for name, kind, shape in told["arrays"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _broken(path, f"a head that cannot be read ({type(error).__name__})") from None
    texts = [head.fingerprint, *(text for name, kind, _ in head.arrays for text in (name, kind))]
    numbers = [head.first, head.size, *(length for _, _, shape in head.arrays for length in shape)]
    if not all(type(text) is str for text in texts) or not all(type(n) is int and n >= 0 for n in numbers):
        raise _broken(path, "a head with values of other types")
    return head


def _broken(path: Path, got: str) -> JournalError:
    """Return the error for a file that is sealed, and yet nothing that entangle would have written."""
    return JournalError.at(path, rule="must hold what its plan asks for", got=got, do=_AGAIN)


def _shown(whole: bytes) -> str:
    return f"a file that begins with {whole[:16]!r}" if whole else "an empty file"
