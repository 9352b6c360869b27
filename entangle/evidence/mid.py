"""Figures from Militarized Interstate Disputes: who is a target, what escalates, who joins.

A dispute's two sides are those of its first day: the *originators* on side A start it, those on side B are
its targets. States that enter later are *joiners*. The hostility of a dispute is the highest of any
participant, 2 (threat) to 5 (war).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from entangle import cow
from entangle.errors import DataError
from entangle.evidence.atop_records import Promises, partners
from entangle.evidence.computed import Computed, clustered_ratio, clustered_share, day, share

FORCE: Final = 4
WAR: Final = 5
POST: Final = (1946, 2014)
ALL: Final = (1816, 2014)

#: Years in which a state counts as a major power, by code (Correlates of War Project 2017, version 2016).
MAJOR_POWERS: Final[Mapping[int, tuple[tuple[int, int], ...]]] = {
    2: ((1898, 2016),),
    200: ((1816, 2016),),
    220: ((1816, 1940), (1945, 2016)),
    255: ((1816, 1918), (1925, 1945), (1991, 2016)),
    300: ((1816, 1918),),
    325: ((1860, 1943),),
    365: ((1816, 1917), (1922, 2016)),
    710: ((1950, 2016),),
    740: ((1895, 1945), (1991, 2016)),
}


@dataclass(frozen=True)
class Dispute:
    """A dispute.

    Parameters
    ----------
    number
        Its number in the data.
    begin
        Its first day.
    hostility
        Highest level of hostility, 1 to 5.
    initiators, targets
        Codes of the originators of side A and of side B.
    joined_initiators, joined_targets
        Codes of the states that joined either side later.
    """

    number: int
    begin: date
    hostility: int
    initiators: frozenset[int]
    targets: frozenset[int]
    joined_initiators: frozenset[int]
    joined_targets: frozenset[int]

    @property
    def originators(self) -> frozenset[int]:
        """The states that were in it from the first day."""
        return self.initiators | self.targets


def read_disputes(disputes: str | Path, participants: str | Path) -> tuple[Dispute, ...]:
    """Read the two files of the data, one row a dispute (A) and one row a participant (B).

    Raises
    ------
    DataError
        If a file is missing, is another one, holds what is no number, or the two do not belong together.
    """
    sides: dict[int, dict[tuple[int, int], set[int]]] = {}
    for row in cow.rows(participants, ("dispnum", "ccode", "sidea", "orig"), what="a MID participant file"):
        key = _flag(row, "sidea"), _flag(row, "orig")
        own = sides.setdefault(row.required("dispnum"), {})
        own.setdefault(key, set()).add(row.required("ccode"))
    found = []
    columns = ("dispnum", "stday", "stmon", "styear", "hostlev")
    for row in cow.rows(disputes, columns, what="a MID dispute file"):
        number = row.required("dispnum")
        if number not in sides:
            raise DataError(
                f"{participants}: dispute {number} of {disputes} has no participant: the two files belong "
                "to different versions."
            )
        states = {key: frozenset(codes) for key, codes in sides.pop(number).items()}
        found.append(
            Dispute(
                number,
                day(row.required("styear"), row.whole("stmon"), row.whole("stday")),
                row.required("hostlev"),
                initiators=states.get((1, 1), frozenset()),
                targets=states.get((0, 1), frozenset()),
                joined_initiators=states.get((1, 0), frozenset()),
                joined_targets=states.get((0, 0), frozenset()),
            )
        )
    if sides:
        raise DataError(
            f"{participants}: dispute {min(sides)} is not in {disputes}: the two files belong to different "
            "versions."
        )
    return tuple(found)


def _flag(row: cow.Row, column: str) -> int:
    value = row.required(column)
    if value not in (0, 1):
        raise row.error(column, "must be 0 or 1")
    return value


# -- figures ---------------------------------------------------------------------------------------


def escalation(disputes: Iterable[Dispute], owed: Promises) -> dict[str, Computed]:
    """Return how often disputes escalate, by whether a state outside owes a target defence; by code."""
    cases = [(d, bool(partners(owed, d.targets, d.begin) - d.originators)) for d in disputes]
    return {
        f"C.esc{level}.cov{covered:d}.{label}": share(
            d.hostility >= level for d, own in cases if own == covered and _within(d, years)
        )
        for level, label, years in ((FORCE, "post45", POST), (WAR, "all", ALL))
        for covered in (False, True)
    }


def joining(disputes: Iterable[Dispute], owed: Promises) -> dict[str, Computed]:
    """Return how often a partner joins the side that it owes defence, or the other one; by code."""
    supported, entangled, betrayed = [], [], []
    for d in disputes:
        outside = partners(owed, d.targets, d.begin) - d.originators
        if outside:
            supported.append((d, bool(outside & d.joined_targets)))
            betrayed.append((d, bool(outside & d.joined_initiators)))
        outside = partners(owed, d.initiators, d.begin) - d.originators
        if outside:
            entangled.append((d, bool(outside & d.joined_initiators)))

    def among(cases: list[tuple[Dispute, bool]], level: int, years: tuple[int, int]) -> Computed:
        return share(joins for d, joins in cases if d.hostility >= level and _within(d, years))

    return {
        "D.supp.ally.h4.post45": among(supported, FORCE, POST),
        "D.supp.ally.h5.all": among(supported, WAR, ALL),
        "D.entang.ally.h4.post45": among(entangled, FORCE, POST),
        "D.entang.ally.h5.all": among(entangled, WAR, ALL),
        "D.betray.h4.all": among(betrayed, FORCE, ALL),
    }


def targets(
    disputes: Iterable[Dispute], owed: Promises, states: Iterable[tuple[int, int]]
) -> dict[str, Computed]:
    """Return how often states are targets in a year, by whether they have a defence pact; by code.

    Parameters
    ----------
    states
        Code and year of every member of the state system.
    """
    worst: dict[tuple[int, int], int] = {}
    for d in disputes:
        for target in d.targets:
            key = target, d.begin.year
            worst[key] = max(worst.get(key, 0), d.hostility)
    found = {}
    years = sorted(key for key in states if ALL[0] <= key[1] <= ALL[1])
    covered = {
        (state, year): [p for p in owed.get(state, ()) if p.in_force(date(year, 1, 1))]
        for state, year in years
    }
    for level, name, label, (first, last) in (
        (1, "tgt", "post45", POST), (FORCE, "tgt4", "post45", POST), (WAR, "tgt5", "all", ALL)
    ):  # fmt: skip
        for has in (False, True):
            found[f"A.{name}.pact{has:d}.{label}"] = clustered_share(
                (key[0], worst.get(key, 0) >= level)
                for key in years
                if first <= key[1] <= last and bool(covered[key]) == has
            )
    found["A.tgt4.uncond.RR"] = clustered_ratio(
        (key[0], any(p.unconditional for p in covered[key]), worst.get(key, 0) >= FORCE)
        for key in years
        if POST[0] <= key[1] <= POST[1] and covered[key] and not _major(*key)
    )
    return found


def read_states(capabilities: str | Path) -> tuple[tuple[int, int], ...]:
    """Return code and year of every member of the state system: the rows of the capability file."""
    columns, what = ("ccode", "year"), "a National Material Capabilities file"
    return tuple(
        (row.required("ccode"), row.required("year")) for row in cow.rows(capabilities, columns, what=what)
    )


def _within(dispute: Dispute, years: tuple[int, int]) -> bool:
    return years[0] <= dispute.begin.year <= years[1]


def _major(state: int, year: int) -> bool:
    return any(first <= year <= last for first, last in MAJOR_POWERS.get(state, ()))
