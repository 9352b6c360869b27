"""What of a run is still to be played: its share of the blocks, less what a journal holds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from entangle.dry_run.measuring import median, timed
from entangle.files import write_whole
from entangle.playing import spans_of_tasks

if TYPE_CHECKING:
    from entangle.shards import Shard
    from entangle.work import Outline, Work


class Ahead(NamedTuple):
    """What a run has before it.

    Parameters
    ----------
    block
        Units in a block.
    first, stop
        First unit of the share, and the one after its last.
    gaps
        What is not kept in a journal: first unit, and the one after the last, of each stretch.
    files
        Files in which the rest is kept.
    journal
        Whether what is done is kept in one.
    shard
        Whether this is a share that gives no result.
    """

    block: int
    first: int
    stop: int
    gaps: tuple[tuple[int, int], ...]
    files: int
    journal: bool
    shard: bool

    @property
    def number(self) -> int:
        """Units of the share."""
        return self.stop - self.first

    @property
    def missing(self) -> int:
        """Units that have to be played."""
        return sum(stop - first for first, stop in self.gaps)

    @property
    def blocks(self) -> int:
        """Blocks that have to be played."""
        return sum(-(-(stop - first) // self.block) for first, stop in self.gaps)

    def tasks(self, most: int, workers: int) -> int:
        """Return in how many tasks it is played, of at most so many blocks; see :mod:`entangle.playing`."""
        return sum(1 for _ in spans_of_tasks(self.gaps, self.block, most, workers))

    def until(self, stop: int) -> Ahead:
        """Return the same for a run that ends before unit `stop`."""
        if stop >= self.stop:
            return self
        gaps = tuple((first, min(end, stop)) for first, end in self.gaps if first < stop)
        return self._replace(stop=stop, gaps=gaps)

    @property
    def counts(self) -> dict[str, int]:
        """What the report says of it."""
        return {"kept": self.number - self.missing} if self.journal else {}


def ahead(outline: Outline, journal: str | Path | None, shard: Shard | None) -> Ahead:
    """Return what a run has before it; the journal is read and not touched.

    Raises
    ------
    StudyError
        If the run cannot be divided so.
    JournalError
        If there is a journal that is damaged or of another plan.
    """
    from entangle.shards import Shard, fits

    share = shard or Shard()
    fits(share, outline.number, outline.block)
    first, stop = share.share(outline.number, outline.block)
    if journal is None:
        return Ahead(outline.block, first, stop, ((first, stop),), 0, False, shard is not None)
    from entangle.journal.folder import Journal
    from entangle.journal.kept import gaps

    kept = Journal(journal, shard=shard).look(outline)
    return Ahead(
        outline.block, first, stop, tuple(gaps(kept, first, stop)), len(kept), True, shard is not None
    )


class Keeping(NamedTuple):
    """What a file of a journal takes: bytes, and time to write and to read it [s]."""

    size: int
    writing: float
    reading: float


def keeping(work: Work[Any, Any], first: int, size: int, part: Any) -> Keeping:
    """Return what it takes to keep what a task gave; the file is written for a moment and removed."""
    from entangle.journal import blockfile

    fields, none = work.told.fields(size), "0" * 64

    def write(path: Path) -> None:
        whole = blockfile.encode(none, first, size, fields, work.told.pack(part))
        write_whole(path, lambda partial: partial.write_bytes(whole))

    def read(path: Path) -> None:
        work.told.unpack(blockfile.decode(path, *blockfile.read(path), fields), size)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.block"
        writing = median(lambda: write(path))
        _, reading = timed(lambda: read(path))
        return Keeping(path.stat().st_size, writing, reading)
