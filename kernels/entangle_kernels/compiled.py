"""Machine code kept on disk: where it may lie, and when it is believed.

Numba's own store has an index for each function and numbers its files. Two processes that compile two
signatures of one function at the same time can leave an index that names the other one's code, and a file
that is cut short ends the program. Here each signature has a file of its own, named after the hash of all
that numba tells signatures apart by. It holds a seal, the SHA-256 of its name and the rest, and then what
numba pickled, with the key in full. It is written under another name and renamed: a reader sees all of it or
nothing. What is damaged, cut short, misplaced or made by another version is compiled and written anew.

Files are pickles, and to read one is to run it. A folder is therefore used only if it belongs to this user
or to the administrator and nobody else may write to it, and a file only under the same terms.
"""

from __future__ import annotations

import atexit
import hashlib
import itertools
import os
import pickle
import shutil
import stat
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from numba.core import compiler, serialize
from numba.core.runtime.nrt import rtsys

SUFFIX: Final = ".code"
ABOUT: Final = "about.json"
_SEAL: Final = hashlib.sha256().digest_size
_PARTIAL: Final = itertools.count()

_rebuild: Any = compiler.CompileResult._rebuild  # untyped
_dumps: Any = serialize.dumps


class CacheWarning(UserWarning):
    """Compiled code is not kept where it should be, because that place cannot be trusted."""


def objection(path: Path | int) -> str:
    """Return why a folder or file (or an open one) could hold what somebody else wrote; empty if it cannot.

    Raises
    ------
    OSError
        If it cannot be looked at.
    """
    found = os.fstat(path) if isinstance(path, int) else path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if not hasattr(os, "geteuid"):
        return ""  # Windows: a user's folders are closed to others by their access lists
    if found.st_uid not in (os.geteuid(), 0):
        return f"it belongs to another user (number {found.st_uid})"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write to it (mode {stat.S_IMODE(found.st_mode):03o})"
    return ""


def folder(root: Path, name: str) -> Path:
    """Return the folder `name` in `root`, made if need be; another one if that cannot be had or trusted.

    Without a home that can be written to, it is one in the temporary folder, the same for every process of
    this user. A place that somebody else could have written to is not used: then the folder is a new one, for
    this process only.

    Warns
    -----
    CacheWarning
        If a place cannot be trusted.
    """
    for base in (root, temporary()):
        place = base / name
        try:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700, exist_ok=True)
            # where others can guess the name of the base, they may have made it
            reason = objection(place) or (objection(base) if base == temporary() else "")
            if not reason and not _of_use(place):
                continue
        except FileExistsError:
            reason = "there is something else of that name"
        except OSError:
            continue
        if not reason:
            return place
        warnings.warn(
            f"{place}: not used for compiled code, because {reason}. This run compiles into a temporary "
            "folder, which takes a minute or two. Remove that folder, or set NUMBA_CACHE_DIR to one of your "
            "own.",
            CacheWarning,
            stacklevel=2,
        )
        break
    return _passing() / name


def temporary() -> Path:
    """Return the user's folder in the temporary one, which may not exist, or not be the user's at all."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"entangle-cache-{user}"


def _of_use(place: Path) -> bool:
    """Return whether code can be kept in a folder, or can at least be read from it (as in an image)."""
    if os.access(place, os.W_OK | os.X_OK):
        return True
    return os.access(place, os.R_OK | os.X_OK) and next(place.glob(f"*{SUFFIX}"), None) is not None


def _passing() -> Path:
    """Return a new folder that goes with this process."""
    passing = Path(tempfile.mkdtemp(prefix="entangle-"))  # mode 0700, a name that nobody can foresee
    atexit.register(_remove, passing, os.getpid())
    return passing


def _remove(passing: Path, made_by: int) -> None:
    if os.getpid() == made_by:  # and not a fork of it
        shutil.rmtree(passing, ignore_errors=True)


def sealed(name: str, body: bytes) -> bytes:
    """Return what a file of that name holds."""
    return hashlib.sha256(name.encode() + b"\0" + body).digest() + body


def read(path: Path) -> bytes | None:
    """Return the body of a sealed file; None if it is not there, damaged, or not to be trusted."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as stream:
            if objection(stream.fileno()):
                return None
            whole = stream.read()
    except OSError:
        return None
    body = whole[_SEAL:]
    return body if whole == sealed(path.name, body) else None


def write(path: Path, body: bytes) -> bool:
    """Write a sealed file, whole or not at all; return whether that could be done."""
    return put(path, sealed(path.name, body))


def put(path: Path, whole: bytes) -> bool:
    """Write a file whole or not at all; return whether that could be done."""
    partial = path.with_name(f".{os.getpid()}-{next(_PARTIAL)}-{os.urandom(4).hex()}.partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have cleaned up
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as stream:
            stream.write(whole)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        return False  # a full or read-only disk: the code is there all the same, only not kept
    return True


class Store:
    """The folder of one version's code, and what this process took from it or put into it.

    Parameters
    ----------
    folder
        A folder that :func:`folder` returned.
    about
        What the code is made from, by and for, as text that is kept beside it, in :data:`ABOUT`.
    """

    def __init__(self, folder: Path, about: str) -> None:
        self.folder = folder
        self._about = about
        #: Names of the files that this process read or wrote.
        self.used: set[str] = set()
        #: Functions that were compiled in this process, each as often as it was.
        self.compiled: list[str] = []
        #: Called after every function that was read or compiled.
        self.watch: Callable[[], object] | None = None

    def read(self, name: str) -> bytes | None:
        """Return what is kept under a name, if it is to be believed."""
        return read(self.folder / name)

    def write(self, name: str, body: bytes) -> bool:
        """Keep something under a name; return whether that could be done."""
        done = write(self.folder / name, body)
        if done and not (self.folder / ABOUT).exists():
            put(self.folder / ABOUT, self._about.encode())
        return done

    def done(self, name: str) -> None:
        """Note that a file is in use."""
        self.used.add(name)
        if self.watch is not None:
            self.watch()


class Kept:
    """What numba asks for and hands over the machine code of one function: the place of its own cache.

    Parameters
    ----------
    function
        The Python function.
    store
        Where its code is kept.
    """

    def __init__(self, function: Callable[..., object], store: Store) -> None:
        code = function.__code__
        self.name = f"{Path(code.co_filename).stem}.{function.__qualname__}"
        self._code = hashlib.sha256(code.co_code).hexdigest(), code.co_firstlineno
        self._store = store

    @property
    def cache_path(self) -> str:
        """Return the folder, for numba's statistics."""
        return str(self._store.folder)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the machine code for a signature, or None if it must be compiled."""
        rtsys.initialize(target)  # what code asks for when it allocates; compiling does it itself
        key = self._key(signature, target.codegen())
        name = self._file(key)
        body = self._store.read(name)
        if body is None:
            return None
        try:
            kept, parts = pickle.loads(body)  # whole, and of this user's own making
            if kept != key:
                return None
            found = _rebuild(target, *parts)
        except Exception:  # whatever is wrong with it, the source is here
            return None
        self._store.done(name)
        return found

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep what was compiled for a signature."""
        self._store.compiled.append(self.name)
        if result.library.has_dynamic_globals or any(not part.can_cache for part in result.lifted):
            return  # an address in memory, which means nothing to another process
        key = self._key(signature, result.library.codegen)
        name = self._file(key)
        if self._store.write(name, _dumps((key, result._reduce()))):
            self._store.done(name)

    def flush(self) -> None:
        """Forget every signature of the function."""
        for path in self._store.folder.glob(f"{self.name}-*{SUFFIX}"):
            path.unlink(missing_ok=True)

    def enable(self) -> None:
        """Do nothing: it always is."""

    def _key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return signature, codegen.magic_tuple(), self._code

    def _file(self, key: tuple[Any, ...]) -> str:
        digest = hashlib.sha256(repr((str(key[0]), *key[1:])).encode()).hexdigest()[:20]
        return f"{self.name}-{digest}{SUFFIX}"
