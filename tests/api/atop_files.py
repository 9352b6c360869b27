"""Small ATOP, capability and regime files for tests: made up, in the layout of the real ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from entangle.atop.mapping import MEMBER_COLUMNS, TREATY_COLUMNS
from entangle.atop.reading import Treaties
from entangle.atop.treaty import Treaty

#: The real files, where they lie beside the repository.
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ALLIANCES = DATA / "atop" / "atop-alliance-level.csv"
MEMBERS = DATA / "atop" / "atop-member-level.csv"
CAPABILITIES = DATA / "nmc" / "nmc7.csv"
REGIMES = DATA / "regime" / "democracy.csv"
HAVE_DATA = all(path.is_file() for path in (ALLIANCES, MEMBERS, CAPABILITIES, REGIMES))
NO_DATA = "the public conflict data do not lie beside the repository"

Cells = Mapping[str, object]


def write(path: Path, rows: Iterable[Cells]) -> Path:
    """Write rows as csv, their keys as the header."""
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def alliance(
    atopid: int = 1,
    members: tuple[int, ...] = (2, 732),
    begin: int = 1950,
    end: int = 0,
    **codes: object,
) -> dict[str, object]:
    """Return an alliance-level row in which only a duty of defence is coded."""
    row: dict[str, object] = {
        "atopid": atopid, "begyr": begin, "begmo": 3, "begday": 4,
        "endyr": end, "endmo": 5 if end else 0, "endday": 6 if end else 0,
        "maxphase": 0, "version": "4.0100002",
    }  # fmt: skip
    row |= dict.fromkeys(TREATY_COLUMNS, 0)
    row |= {f"mem{n}": members[n - 1] if n <= len(members) else "" for n in range(1, 8)}
    return row | {"defense": 1, **codes}


def spell(
    member: int, atopid: int = 1, begin: int = 1950, end: int = 0, phase: int = 0, **codes: object
) -> dict[str, object]:
    """Return a member-level row in which only a duty of defence is coded."""
    row: dict[str, object] = {
        "atopid": atopid, "member": member, "phase": phase, "yrent": begin, "moent": 3, "dayent": 4,
        "yrexit": end, "moexit": 5 if end else 0, "dayexit": 6 if end else 0, "version": "4.01",
    }  # fmt: skip
    return row | dict.fromkeys(MEMBER_COLUMNS, 0) | {"defense": 1, **codes}


def read(folder: Path, alliances: Iterable[Cells], spells: Iterable[Cells] = ()) -> Treaties:
    """Write the rows to files in `folder` and read them back."""
    members = list(spells)
    return Treaties.read(
        write(folder / "alliances.csv", alliances),
        write(folder / "members.csv", members) if members else None,
    )


def two_states(folder: Path, **codes: object) -> Treaty:
    """Return a treaty of the United States (2) and South Korea (732) with those codes."""
    spells = [spell(2, **codes), spell(732, **codes)]
    known = {column: code for column, code in codes.items() if column in TREATY_COLUMNS}
    return read(folder, [alliance(**known)], spells).find(1)


def write_cinc(path: Path, figures: Mapping[tuple[int, int], object]) -> Path:
    """Write CINC by state and year."""
    return write(
        path,
        [{"ccode": f"{c}.0", "year": f"{y}.0", "cinc": value} for (c, y), value in figures.items()],
    )


def write_regimes(path: Path, figures: Mapping[tuple[int, int], tuple[object, object]]) -> Path:
    """Write V-Dem polyarchy and Polity by state and year."""
    return write(
        path,
        [
            {"ccode": c, "year": y, "polity2": polity, "v2x_polyarchy": polyarchy}
            for (c, y), (polyarchy, polity) in figures.items()
        ],
    )
