"""What is kept in a journal: its files, each checked, and what they leave out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from entangle.errors import JournalError
from entangle.journal import blockfile
from entangle.journal.planfile import PlanFile
from entangle.work import Work

R = TypeVar("R")

BLOCKS: Final = "blocks"
_NAME: Final = re.compile(r"(\d{15})-(\d{15})\.block", re.ASCII)
#: What a killed process leaves of a file that it was writing.
PARTIAL: Final = re.compile(r"\.(\d{15}-\d{15}\.block|plan\.json)\..{8}\.partial", re.ASCII)


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


def spans(plan: PlanFile) -> list[Span]:
    """Return what is kept in the journal of a plan, in order, with the seal of every file checked.

    Raises
    ------
    JournalError
        If a file is damaged, foreign, of another plan, or counts what another one counts.
    """
    folder = plan.path.parent / BLOCKS
    if not folder.is_dir() or folder.is_symlink():
        raise no_blocks(folder)
    found = sorted(_span(plan, path) for path in sorted(folder.iterdir()) if not is_left(path))
    for one, other in pairwise(found):
        if other.first < one.stop:
            raise overlapping(one, other)
    for span in found:
        _check_file(plan, span)
    return found


def is_left(path: Path) -> bool:
    """Whether it is what a killed process leaves of a file that it was writing."""
    return bool(PARTIAL.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def no_blocks(folder: Path) -> JournalError:
    """Return the error for something else in the place of the folder of blocks."""
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
        raise unread(span.path, error) from None
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
        raise unread(span.path, error) from None
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


def unread(path: Path, error: OSError) -> JournalError:
    """Return the error for a file that the system does not let us read."""
    reason = (error.strerror or str(error)).lower()
    return JournalError.at(path, rule="must be readable", got=reason, do="See who may read it")
