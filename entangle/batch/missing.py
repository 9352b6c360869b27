"""Which shards of a batch are still to be played."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from entangle.errors import JournalError
from entangle.journal import planfile
from entangle.journal.shares import journals_in
from entangle.journal.status import status
from entangle.shards import Shard


def missing(journal: str | Path, of: int) -> list[int]:
    """Return the numbers of the shards that were not played, or not to their end.

    Parameters
    ----------
    journal
        Folder of all shards. It need not be there yet.
    of
        How many shards there are.

    Raises
    ------
    JournalError
        If a journal in it is damaged, or of another number of shards.
    """
    folder = Path(journal)
    if not folder.exists():
        return list(range(of))
    if folder.is_dir() and not any(folder.iterdir()):
        return list(range(of))
    wanted = {Shard(i, of).name: i for i in range(of)}
    whole = set()
    for own in journals_in(folder):
        if own.name not in wanted:
            raise JournalError.at(
                own,
                rule=f"must be one of {of} shards",
                got="a journal of something else",
                do="Give each batch a folder of its own",
            )
        if not any(own.iterdir()) or not (own / planfile.NAME).exists():
            continue  # ended before its plan was written
        whole |= {wanted[own.name] for found in status(own) if found.whole}
    return [i for i in range(of) if i not in whole]


def as_ranges(numbers: list[int]) -> str:
    """Return numbers as SLURM writes those of an array.

    Examples
    --------
    >>> as_ranges([0, 2, 3, 4, 7])
    '0,2-4,7'
    """
    stretches = []
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        stretches.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    return ",".join(stretches)
