"""Solutions kept on disk, under the hash of everything that they depend on.

A solution is a pure function of its game, of the solutions that the search started from, and of the machine
code that searched. Its key is the SHA-256 of the game's bytes, the keys of those starts, and the name of the
folder of compiled code, which carries a hash of every kernel source, the versions and the processor. A key
can therefore never lead to a stale solution, and with the cache or without it the bits are the same.

A file holds a seal, the SHA-256 of its key and of the rest, and then the arrays as NumPy keeps them. It is
written whole, by as many processes as there are: all of them write the same. What is damaged, cut short or
belongs to another key breaks the seal, and is solved and written anew. Nothing is ever deleted, and nothing
bounds the size: a game of five types and twelve rounds takes 0.2 to 0.4 MB. To remove the folder is always
safe.

The folder stands beside that of the compiled code. The environment variable ``ENTANGLE_CACHE`` names another
one, or is ``off``.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numba.core.config
import numpy as np

from entangle.files import write_whole
from entangle_kernels import equilibrium
from entangle_kernels.equilibrium import Solution
from entangle_kernels.game import Game
from entangle_kernels.jit import cache_folder

#: Read once, when the kernels are: what is on disk later may be another version.
_COMPILED: Final = cache_folder()
_FORMAT: Final = 1
_VARIABLE: Final = "ENTANGLE_CACHE"
_NUMBA: Any = numba.core.config
_ARRAYS: Final = ("policy", "enter", "reached", "value")
_SEAL: Final = hashlib.sha256().digest_size


@contextmanager
def off() -> Iterator[None]:
    """Within, keep no solutions and take none from disk: as on a machine on which nothing was solved."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "off"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


class SolveCache:
    """Solves games, each once for as long as its folder lives.

    Parameters
    ----------
    folder
        Where solutions are kept; None keeps none.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def default(cls) -> SolveCache:
        """Return the user's cache, as the environment variable ``ENTANGLE_CACHE`` has it."""
        told = os.environ.get(_VARIABLE, "")
        if told.strip().lower() == "off":
            return cls(None)
        return cls(Path(told).expanduser() if told else _COMPILED.parent / "solutions")

    def solution(self, key: str, find: Callable[[], Solution]) -> Solution:
        """Return the solution of a key, as it was kept or as it is found now.

        Parameters
        ----------
        key
            What :func:`key_of` returns for the game and the start of the search.
        find
            Searches; what it raises is passed on, and nothing is kept.
        """
        kept = self._read(key)
        if kept is None:
            kept = find()
            self._write(key, kept)
        return kept

    def has(self, key: str) -> bool:
        """Whether the solution of a key is on disk; it is not read."""
        return self.folder is not None and self.path(key).exists()

    def path(self, key: str) -> Path:
        """Return where the solution of a key is kept."""
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}.solution"

    def _read(self, key: str) -> Solution | None:
        if self.folder is None:
            return None
        try:
            whole = self.path(key).read_bytes()
        except OSError:
            return None
        seal, body = whole[:_SEAL], whole[_SEAL:]
        if seal != _sealed(key, body):
            return None
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            policy, enter, reached, value = (arrays[name] for name in _ARRAYS)
            return Solution(policy, enter, reached, value, float(arrays["residual"]), int(arrays["sweeps"]))

    def _write(self, key: str, solution: Solution) -> None:
        if self.folder is None:
            return
        stream = io.BytesIO()
        arrays: dict[str, Any] = solution._asdict()
        np.savez_compressed(stream, **arrays)
        body = stream.getvalue()
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda partial: partial.write_bytes(_sealed(key, body) + body))
        except OSError:
            return  # a full or read-only disk: the solution is there all the same, only not kept


def key_of(game: Game, *, start: str = "") -> str:
    """Return the key of a solution, as hexadecimal text.

    Parameters
    ----------
    start
        Keys of the solutions that the search may start from; empty if it starts from uniform play.
    """
    # interpreted kernels, and another C library's exp, may differ from compiled ones in the last bit
    interpreted = bool(_NUMBA.DISABLE_JIT)
    made = _FORMAT, _COMPILED.name, interpreted, platform.libc_ver(), equilibrium.TOLERANCE, start
    digest = hashlib.sha256(repr(made).encode())
    for name, value in zip(game._fields, game, strict=True):
        array = np.ascontiguousarray(value)
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _sealed(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + body).digest()
