"""The folder in which a run keeps what is done.

::

    plan.json       what is run, from which the run can be made again
    lock            held by the process that writes
    blocks/         a file for each task that is done, named after its first unit and the one after its last

A file is written under another name, brought to the disk and then renamed, so that it is whole or not there,
whatever happens to the process or the machine. What stands there is never written over, and all of it is
checked before any work begins.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

from entangle.errors import JournalError, RunError
from entangle.files import write_whole
from entangle.journal import blockfile, planfile
from entangle.journal.kept import BLOCKS, PARTIAL, Span, is_left, no_blocks, spans, unpacked, unread, within
from entangle.journal.lock import Lock
from entangle.journal.planfile import PlanFile
from entangle.shards import Shard, fits
from entangle.work import Outline, Work, fingerprint

S = TypeVar("S")
R = TypeVar("R")

_ANOTHER: Final = "Use another folder, or run what this one was begun with"


class Keeper(Protocol):
    """Where a run keeps what is done and finds what was: a journal, or several that are merged."""

    #: Which share of the blocks it is for.
    shard: Shard

    def open(self, outline: Outline) -> None:
        """Check, before any work, that it is one for this run."""
        ...

    def begin(self, work: Work[Any, Any]) -> None:
        """Check that the solved games are the same; write down a plan that is new."""
        ...

    def spans(self, first: int, stop: int) -> list[Span]:
        """Return what is kept of the units from `first` to before `stop`, in order."""
        ...

    def read(self, span: Span, work: Work[Any, R]) -> R:
        """Return what a task gave."""
        ...

    def keep(self, first: int, size: int, part: R, work: Work[Any, R]) -> None:
        """Keep what a task gave."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...

    @property
    def told(self) -> str:
        """What to do when a run has ended before its time."""
        ...


class Journal:
    """A journal that is written to.

    Parameters
    ----------
    path
        Its folder, which is made if it is not there; the folder that it stands in has to be.
    shard
        Which share of the blocks it is for. If one is named, its own folder is one in `path`.
    within
        Whether `path` is that folder already.
    """

    def __init__(self, path: str | Path, *, shard: Shard | None = None, within: bool = False) -> None:
        self.shard = shard or Shard()
        self.base = Path(path)
        self.folder = self.base if shard is None or within else self.base / shard.name
        self._lock = Lock(self.folder)
        self._plan: PlanFile | None = None
        self._spans: list[Span] = []
        self._fingerprint = ""

    def open(self, outline: Outline) -> None:
        """Hold the folder and check what is there, before any work.

        Raises
        ------
        JournalError
            If it is of another plan, damaged or no journal.
        RunError
            If it cannot be written to, or another process is doing so.
        """
        fits(self.shard, outline.number, outline.block)
        _check_folder(self.base, shards=self.folder != self.base)
        with _writing(self.folder):
            if self.folder != self.base:
                self.base.mkdir(exist_ok=True)
                _check_folder(self.folder, shards=False)
            self.folder.mkdir(exist_ok=True)
            self._lock.take()
        try:
            self._find(outline)
            self._clear()
        except BaseException:
            self.close()
            raise

    def look(self, outline: Outline) -> list[Span]:
        """Return what is kept, in order, without holding the folder or writing to it.

        Raises
        ------
        JournalError
            If it is of another plan, damaged or no journal.
        """
        fits(self.shard, outline.number, outline.block)
        _check_folder(self.base, shards=self.folder != self.base)
        if os.path.lexists(self.folder):
            if self.folder != self.base:
                _check_folder(self.folder, shards=False)
            self._find(outline)
        return list(self._spans)

    def _find(self, outline: Outline) -> None:
        """Check the plan and the files that are there, if any are."""
        if os.path.lexists(self.folder / planfile.NAME):
            self._plan = planfile.read(self.folder)
            planfile.must_agree(self.folder, self._plan.plan, outline.plan, do=_ANOTHER)
            if self._plan.shard != self.shard:
                one, other = (
                    f"shard {shard.which} of {shard.of}" for shard in (self._plan.shard, self.shard)
                )
                got = f"{one} there and {other} here"
                raise JournalError.at(
                    self.folder, rule="must be a journal of the same shard", got=got, do=_ANOTHER
                )
            self._spans = spans(self._plan)
            return
        # new, or of a run that ended before it had solved its games
        blocks = self.folder / BLOCKS
        if blocks.is_symlink():
            raise no_blocks(blocks)
        if blocks.exists() and any(not PARTIAL.fullmatch(path.name) for path in list(blocks.iterdir())):
            raise JournalError.at(
                self.folder,
                rule=f"must have a {planfile.NAME} beside its blocks",
                got="blocks alone",
                do="Bring it back, or use another folder",
            )

    def _clear(self) -> None:
        """Remove what a killed process has left."""
        blocks = self.folder / BLOCKS
        with _writing(self.folder):
            if self._plan is None:
                blocks.mkdir(exist_ok=True)
            for folder in (self.folder, blocks):
                for path in filter(is_left, sorted(folder.iterdir())):
                    path.unlink()

    def begin(self, work: Work[Any, Any]) -> None:
        """Compare the solved games with those of the plan, or write down a plan that is new.

        Raises
        ------
        JournalError
            If the games are solved otherwise than when the journal was begun.
        """
        self._fingerprint = fingerprint(work.plan)
        if self._plan is None:
            with _writing(self.folder):
                planfile.write(self.folder, work.plan, self.shard)
                _to_disk(self.folder)
                if self.folder != self.base:
                    _to_disk(self.base)
                _to_disk(self.base.absolute().parent)
            self._plan = planfile.read(self.folder)
        planfile.must_agree(
            self.folder,
            self._plan.plan,
            work.plan,
            do="With the same versions, the games came out otherwise on this machine: go on on one like that "
            "which began the journal, or begin a new one",
        )

    def spans(self, first: int, stop: int) -> list[Span]:
        """Return what is kept of the units from `first` to before `stop`, in order."""
        return within(self._spans, first, stop)

    def read(self, span: Span, work: Work[Any, R]) -> R:
        """Return what a task gave; see :func:`unpacked`."""
        return unpacked(span, work, self._fingerprint)

    def keep(self, first: int, size: int, part: R, work: Work[Any, R]) -> None:
        """Keep what a task gave: whole, on the disk, or not at all.

        Raises
        ------
        RunError
            If it cannot be written.
        JournalError
            If there is such a file already: something else writes to the journal.
        """
        path = self.folder / BLOCKS / f"{first:015d}-{first + size:015d}.block"
        whole = blockfile.encode(self._fingerprint, first, size, work.told.fields(size), work.told.pack(part))
        if os.path.lexists(path):
            raise JournalError.at(
                path,
                rule="must not be there before it is written",
                got="a file",
                do="Something else writes to this journal; end it, then `entangle resume`",
            )
        with _writing(self.folder):
            write_whole(path, lambda partial: partial.write_bytes(whole))
            _to_disk(path.parent)

    def close(self) -> None:
        """Let others write to it."""
        self._lock.free()

    @property
    def told(self) -> str:
        """What to do when a run has ended before its time."""
        return f"What was done before is kept: `entangle resume {self.folder}` goes on."

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others write to it."""
        self.close()


def _check_folder(folder: Path, *, shards: bool) -> None:
    """Refuse a folder that is something else than a journal, before anything is written into it."""
    if not os.path.lexists(folder):
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise JournalError.at(folder, rule="must stand in a folder that is there", got=f"no {parent}")
        return
    if not folder.is_dir():
        raise JournalError.at(folder, rule="must be a folder", got="a file", do="Use another name")
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise unread(folder, error) from None
    if shards:
        if planfile.NAME in names or BLOCKS in names:
            raise JournalError.at(
                folder,
                rule="must be a folder of shards",
                got="the journal of a whole run",
                do="Use another folder",
            )
        return
    if any(name.startswith("shard-") for name in names):
        raise JournalError.at(
            folder,
            rule="must be the journal of a whole run",
            got="a folder of shards",
            do="Use another folder",
        )
    known = {planfile.NAME, "lock", BLOCKS}
    if names and planfile.NAME not in names:
        foreign = sorted(name for name in names - known if not PARTIAL.fullmatch(name))
        if foreign:
            raise JournalError.at(
                folder,
                rule="must be a journal, empty or not there yet",
                got=f"a folder with {', '.join(foreign[:3])}",
                do="Use another folder",
            )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Tell plainly why the folder cannot be written to."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG):
            do = f"What was done before is kept: make room, then `entangle resume {folder}`."
        else:
            do = "A journal needs a folder that can be written to; what was done before is kept."
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{where}: cannot be written ({reason}). {do}") from None


def _to_disk(folder: Path) -> None:
    """Bring a folder's names to the disk; where the system cannot (Windows), it does so by itself."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(opened)
    except OSError as error:
        # file systems that cannot do so to folders say one of these
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(opened)
