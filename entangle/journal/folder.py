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
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self, TypeVar

from entangle.errors import JournalError, RunError
from entangle.files import write_whole
from entangle.journal import blockfile, planfile
from entangle.journal.lock import Lock
from entangle.journal.planfile import PlanFile
from entangle.shards import Shard, fits
from entangle.work import Outline, Work, fingerprint

S = TypeVar("S")
R = TypeVar("R")

BLOCKS: Final = "blocks"
_NAME: Final = re.compile(r"(\d{15})-(\d{15})\.block", re.ASCII)
#: What a killed process leaves of a file that it was writing.
_PARTIAL: Final = re.compile(r"\.(\d{15}-\d{15}\.block|plan\.json)\..{8}\.partial", re.ASCII)
_ANOTHER: Final = "Use another folder, or run what this one was begun with"


class Span(NamedTuple):
    """Neighbouring units that one file is of.

    Parameters
    ----------
    first, stop
        First unit, and the one after the last.
    path
        The file.
    """

    first: int
    stop: int
    path: Path

    @property
    def size(self) -> int:
        """Number of units."""
        return self.stop - self.first


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
            self._look(outline)
        except BaseException:
            self.close()
            raise

    def _look(self, outline: Outline) -> None:
        blocks = self.folder / BLOCKS
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
        else:
            # new, or of a run that ended before it had solved its games
            if blocks.is_symlink():
                raise _no_blocks(blocks)
            with _writing(self.folder):
                blocks.mkdir(exist_ok=True)
            if any(not _PARTIAL.fullmatch(path.name) for path in list(blocks.iterdir())):
                raise JournalError.at(
                    self.folder,
                    rule=f"must have a {planfile.NAME} beside its blocks",
                    got="blocks alone",
                    do="Bring it back, or use another folder",
                )
        with _writing(self.folder):
            for folder in (self.folder, blocks):
                for path in filter(_left, sorted(folder.iterdir())):
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


def spans(plan: PlanFile) -> list[Span]:
    """Return what is kept in the journal of a plan, in order, with the seal of every file checked.

    Raises
    ------
    JournalError
        If a file is damaged, foreign, of another plan, or counts what another one counts.
    """
    folder = plan.path.parent / BLOCKS
    if not folder.is_dir() or folder.is_symlink():
        raise _no_blocks(folder)
    found = sorted(_span(plan, path) for path in sorted(folder.iterdir()) if not _left(path))
    for one, other in pairwise(found):
        if other.first < one.stop:
            raise overlapping(one, other)
    for span in found:
        _check_file(plan, span)
    return found


def _left(path: Path) -> bool:
    """Whether it is what a killed process leaves of a file that it was writing."""
    return bool(_PARTIAL.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def _no_blocks(folder: Path) -> JournalError:
    got = "a link" if folder.is_symlink() else "a file" if folder.exists() else "nothing there"
    return JournalError.at(
        folder, rule="must be the folder of a journal's blocks", got=got, do="Bring it back"
    )


def overlapping(one: Span, other: Span) -> JournalError:
    """Return the error for two files that count the same units."""
    return JournalError.at(
        other.path,
        rule="must not count what another file counts",
        got=f"units {other.first:,} to {min(one.stop, other.stop) - 1:,}, which are also in {one.path}",
        do="Move one of them away, or name one of their journals alone",
    )


def within(found: list[Span], first: int, stop: int) -> list[Span]:
    """Return the spans between two units.

    Raises
    ------
    JournalError
        If one lies across an end: it was cut otherwise than this run cuts its work.
    """
    chosen = [span for span in found if span.first < stop and span.stop > first]
    for span in chosen:
        if span.first < first or span.stop > stop:
            raise JournalError.at(
                span.path,
                rule=f"must lie within units {first:,} to {stop - 1:,}",
                got=f"{span.first:,} to {span.stop - 1:,}",
                do="Move it away, and `entangle resume` computes it again",
            )
    return chosen


def gaps(found: list[Span], first: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where nothing is kept between two units: first unit, and the one after the last."""
    for span in within(found, first, stop):
        if span.first > first:
            yield first, span.first
        first = span.stop
    if first < stop:
        yield first, stop


def unpacked(span: Span, work: Work[Any, R], plan: str) -> R:
    """Return what a task gave, from its file.

    Parameters
    ----------
    plan
        Fingerprint of the plan.

    Raises
    ------
    JournalError
        If the file has changed since it was checked, or holds what the task cannot have given.
    """
    try:
        head, body = blockfile.read(span.path)
    except OSError as error:
        raise _unread(span.path, error) from None
    _match(span, head, plan)
    arrays = blockfile.decode(span.path, head, body, work.told.fields(span.size))
    try:
        return work.told.unpack(arrays, span.size)
    except ValueError as error:
        raise JournalError.at(
            span.path,
            rule="must hold what its units can have given",
            got=str(error),
            do="Move it away, and `entangle resume` computes it again",
        ) from None


def _span(plan: PlanFile, path: Path) -> Span:
    """Return what a file's name says."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise JournalError.at(
            path,
            rule="must be a block of the run, named after its units",
            got="a foreign file",
            do="Move it away",
        )
    blockfile.regular(path, 2**62)
    first, stop = int(named[1]), int(named[2])
    low, high = plan.share
    block = plan.plan["block"]
    if not low <= first < stop <= high or first % block or (stop % block and stop != plan.plan["number"]):
        raise JournalError.at(
            path,
            rule=f"must be of whole blocks of {block:,} within units {low:,} to {high - 1:,}",
            got=f"units {first:,} to {stop - 1:,}",
            do="Move it away",
        )
    return Span(first, stop, path)


def _check_file(plan: PlanFile, span: Span) -> None:
    try:
        head, _ = blockfile.read(span.path)
    except OSError as error:
        raise _unread(span.path, error) from None
    _match(span, head, plan.fingerprint)


def _match(span: Span, head: blockfile.Head, plan: str) -> None:
    """Refuse a file that belongs to another plan, or elsewhere."""
    if head.fingerprint != plan:
        raise JournalError.at(
            span.path,
            rule=f"must belong to the plan {plan[:12]}",
            got=f"one of the plan {head.fingerprint[:12]}",
            do="Move it away, and `entangle resume` computes it again",
        )
    if (head.first, head.size) != (span.first, span.size):
        raise JournalError.at(
            span.path,
            rule="must be named after its units",
            got=f"units {head.first:,} to {head.first + head.size - 1:,}",
            do=f"Call it {head.first:015d}-{head.first + head.size:015d}.block again, or move it away",
        )


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
        raise _unread(folder, error) from None
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
        foreign = sorted(name for name in names - known if not _PARTIAL.fullmatch(name))
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


def _unread(path: Path, error: OSError) -> JournalError:
    reason = (error.strerror or str(error)).lower()
    return JournalError.at(path, rule="must be readable", got=reason, do="See who may read it")


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
