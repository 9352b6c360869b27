"""Where a user's copies of the data files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from entangle.errors import DataError

#: Folder of the usual layout and names under which each file is looked for.
_NAMES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "disputes": ("mid", ("MIDA*.csv",)),
    "participants": ("mid", ("MIDB*.csv",)),
    "crises": ("icb", ("icb1*.csv",)),
    "crisis_actors": ("icb", ("icb2*.csv",)),
    "crisis_dyads": ("icb", ("icbdy*.csv",)),
    "alliances": ("atop", ("atop-alliance-level.csv", "atop4_01a.csv")),
    "members": ("atop", ("atop-member-level.csv", "atop4_01m.csv")),
    "capabilities": ("nmc", ("nmc*.csv", "NMC*.csv")),
}


@dataclass(frozen=True)
class Files:
    """Paths of the data files; None for a file that is not there.

    Parameters
    ----------
    disputes, participants
        MID 5.0: one row a dispute (A), one row a participant (B).
    crises, crisis_actors, crisis_dyads
        ICB 15: one row a crisis (1), one row a state in a crisis (2), one row a pair of adversaries.
    alliances, members
        ATOP 4.01: one row an alliance, one row a spell of membership.
    capabilities
        NMC 7: of which only the states and years are used, as the members of the state system.
    """

    disputes: Path | None = None
    participants: Path | None = None
    crises: Path | None = None
    crisis_actors: Path | None = None
    crisis_dyads: Path | None = None
    alliances: Path | None = None
    members: Path | None = None
    capabilities: Path | None = None

    @classmethod
    def find(cls, folder: str | Path) -> Self:
        """Look for the files in a folder, or in `mid`, `icb`, `atop` and `nmc` below it.

        Raises
        ------
        DataError
            If there is no such folder, or several files may be the right one.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise DataError(f"{folder}: there is no such folder of data files.")
        return cls(**{kind: _look(folder, *names) for kind, names in _NAMES.items()})

    def missing(self, *kinds: str) -> str | None:
        """Return which of some files are not there, in words; None if all are."""
        lacking = [kind for kind in kinds if getattr(self, kind) is None]
        if not lacking:
            return None
        names = (f"{kind.replace('_', ' ')} ({' or '.join(_NAMES[kind][1])})" for kind in lacking)
        return f"not found: {', '.join(names)}"

    def require(self, kind: str) -> Path:
        """Return the path of a file.

        Raises
        ------
        DataError
            If it is not there.
        """
        path: Path | None = getattr(self, kind)
        if path is None:
            raise DataError(f"The data file is {self.missing(kind)}.")
        return path


def _look(folder: Path, sub: str, patterns: tuple[str, ...]) -> Path | None:
    for place in (folder / sub, folder):
        # a set, since one file may fit two patterns where names ignore case
        found = sorted({path for pattern in patterns for path in place.glob(pattern)})
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise DataError(f"{place}: several files may be the right one ({names}). Keep one of them there.")
        if found:
            return found[0]
    return None
