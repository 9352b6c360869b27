"""What treaties promised to whom and for how long: from ATOP to promises, lives of pacts, and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from typing import Final

from entangle.atop import Day, Treaties, Treaty
from entangle.atop.treaty import COVERAGE
from entangle.errors import DataError
from entangle.evidence.computed import Computed, day, median_life, rate, share

#: The last day of the data: a treaty in effect then is not known to have ended.
LAST: Final = day(COVERAGE[1], 12, 31)
#: How ATOP codes the end of a treaty.
_ONGOING, _VIOLATED = 0, 2
#: Whether a length is stated: not, yes, until some event, without limit.
_UNSTATED, _STATED, _UNLIMITED = 0, 1, 3
_YEAR: Final = 365.25


@dataclass(frozen=True)
class Promise:
    """A duty of one state to defend another, under one treaty and one version of its terms.

    Parameters
    ----------
    partner
        Correlates of War code of the state that owes defence.
    begin, end
        First and last day.
    unconditional
        Whether the partner's duty holds without conditions.
    """

    partner: int
    begin: date
    end: date
    unconditional: bool

    def in_force(self, on: date) -> bool:
        """Return whether the promise was given before a day and stands on it."""
        return self.begin < on <= self.end


Promises = Mapping[int, tuple[Promise, ...]]


def promises(treaties: Treaties) -> Promises:
    """Return every promise of defence, by the state to which it is owed.

    A state owes another defence while both are members of a treaty and the first one's own terms contain the
    duty. The member-level file is needed for that.

    Raises
    ------
    DataError
        If a treaty was read without the spells of its members.
    """
    found: dict[int, list[Promise]] = {}
    for treaty in treaties:
        if not treaty.spells:
            raise DataError(
                f"ATOP treaty {treaty.atopid} was read without its members' spells; read the member-level "
                "file as well."
            )
        for own, partner in permutations(treaty.spells, 2):
            if own.member == partner.member or partner.codes["defense"] != 1:
                continue
            begin = max(_day(own.begin), _day(partner.begin))
            end = min(_end(own.end), _end(partner.end))
            if begin <= end:
                free = partner.codes["defcon"] == 0
                found.setdefault(own.member, []).append(Promise(partner.member, begin, end, free))
    return {state: tuple(owed) for state, owed in found.items()}


def partners(owed: Promises, states: Iterable[int], on: date) -> set[int]:
    """Return who owes any of some states defence on a day."""
    return {promise.partner for state in states for promise in owed.get(state, ()) if promise.in_force(on)}


# -- lives of pacts --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """How long a defence pact lived, and what became of it.

    Parameters
    ----------
    years
        Years from its first to its last known day.
    ended
        Whether it ended; not if it was in effect at the end of the data, or a member ceased to exist.
    early
        Whether it was violated or abrogated early.
    """

    years: float
    ended: bool
    early: bool


def life(treaty: Treaty) -> Life:
    """Return the life of a treaty."""
    term = _code(treaty, "term")
    last = LAST if treaty.end is None else _end(treaty.end)
    years = (last - _day(treaty.begin)).days / _YEAR
    ended = treaty.end is not None and term != _ONGOING
    return Life(years, ended, ended and term == _VIOLATED)


def lifetimes(treaties: Treaties) -> dict[str, Computed]:
    """Return the figures of lives of defence pacts, by code."""
    pacts = treaties.defence_pacts()
    bilateral = [life(treaty) for treaty in pacts if _code(treaty, "bilat") == 1]
    early = [own.early for own in bilateral if own.ended]
    found = {
        "H.age.0-5": _between(bilateral, 0, 5),
        "H.age.10-20": _between(bilateral, 10, 20),
        "H.km.defbil": median_life([(own.years, own.ended) for own in bilateral]),
        "H.share.abr.defbil": share(early),
    }
    lengths = {
        "H.len.10to20y.abr": [t for t in pacts if _stated(t) and 120 < (t.codes["length"] or 0) <= 240],
        "H.len.unlimited.abr": [t for t in pacts if t.codes["speclgth"] == _UNLIMITED],
        "H.len.unspecified.abr": [t for t in pacts if t.codes["speclgth"] == _UNSTATED],
    }
    for code, own in lengths.items():
        found[code] = rate([(one.years, one.early) for one in map(life, own)])
    for code, has in (("H.ren0.end", False), ("H.ren1.end", True)):
        own = [t for t in pacts if ((t.codes["renounce"] or 0) > 0) == has]
        found[code] = rate([(one.years, one.ended) for one in map(life, own)])
    return found


def _between(lives: list[Life], first: int, last: int) -> Computed:
    """Return the hazard of an end between two ages, of pacts that reached the first."""
    return rate(
        [
            (min(own.years, last) - first, own.ended and own.years <= last)
            for own in lives
            if own.years > first
        ]
    )


def _stated(treaty: Treaty) -> bool:
    return treaty.codes["speclgth"] == _STATED


def _code(treaty: Treaty, column: str) -> int | None:
    if column not in treaty.codes:
        raise DataError(
            f"The ATOP alliance-level file has no column '{column}', which says how treaties end."
        )
    return treaty.codes[column]


def _day(known: Day) -> date:
    return day(known.year, known.month, known.day)


def _end(known: Day | None) -> date:
    # a month without a day is taken to its end
    return date.max if known is None else day(known.year, known.month, known.day, unknown=28)
