"""One process at a time writes to a journal.

The lock is the operating system's, on an open file: whatever ends the process, also ``kill -9``, frees it,
so that there is no stale lock to be removed by hand. It is a record lock, which children do not inherit, and
which network file systems know. Such locks do not hold back threads of one process; a list of what this
process has open does.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import IO, Final

from entangle.errors import JournalError, RunError

NAME: Final = "lock"
_OPEN: Final[set[str]] = set()
_GUARD: Final = threading.Lock()


class Lock:
    """Holds a folder, from :meth:`take` to :meth:`free`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ""
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Hold the folder.

        Raises
        ------
        RunError
            If another process or another run of this one holds it, or the file system has no locks.
        OSError
            If the folder cannot be written to.
        """
        path = self.folder / NAME
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise JournalError.at(
                path, rule="must be a plain file", got="a link or a folder", do="Move it away"
            )
        key = os.path.realpath(path)
        with _GUARD:
            # before the file is opened: to close it would free the lock of the run that has it
            if key in _OPEN:
                raise self._taken("another run of this process")
            _OPEN.add(key)
        try:
            file = path.open("a+", encoding="utf-8")
            try:
                self._hold(file)
                file.seek(0)
                file.truncate()
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
                file.flush()
            except BaseException:
                file.close()
                raise
        except BaseException:
            with _GUARD:
                _OPEN.discard(key)
            raise
        self._key, self._file = key, file

    def free(self) -> None:
        """Let others have the folder."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        with _GUARD:
            _OPEN.discard(self._key)

    def _hold(self, file: IO[str]) -> None:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
            except OSError:
                raise self._taken("another process") from None
            return
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            raise self._taken(file.read(200).strip() or "another process") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunError(
                f"{self.folder}: the file system of a journal must have locks, and this one refuses them "
                f"({reason}). Keep the journal on another one."
            ) from None

    def _taken(self, who: str) -> RunError:
        return RunError(
            f"{self.folder}: only one process at a time may write to a journal, and {who} is doing so. "
            "Wait until it is done, or give this one a journal of its own."
        )
