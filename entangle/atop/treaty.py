"""A treaty as ATOP codes it: typed codes, members and years, nothing interpreted yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entangle import cow
from entangle.errors import DataError

if TYPE_CHECKING:
    from entangle.atop.terms import Coded
    from entangle.pact import Pact
    from entangle.study import Study

#: The years that ATOP 4.01 covers: a treaty "in effect" was so at the end of the last.
COVERAGE: Final = (1815, 2016)

Codes = Mapping[str, int | None]


@dataclass(frozen=True)
class Day:
    """A date of which the day, or the month too, may not be known."""

    year: int
    month: int | None = None
    day: int | None = None

    def __str__(self) -> str:
        parts = [f"{self.year}"]
        if self.month is not None:
            parts.append(f"{self.month:02d}")
            if self.day is not None:
                parts.append(f"{self.day:02d}")
        return "-".join(parts)


@dataclass(frozen=True)
class Spell:
    """One state's membership under one phase of a treaty: a row of the member-level file.

    Parameters
    ----------
    member
        Correlates of War code of the state.
    phase
        Which version of the treaty's terms, counted from 1; 0 if the terms never changed.
    begin, end
        First and last day; no end if in effect when the data end.
    codes
        The coded row, by column; None where the file is blank.
    """

    member: int
    phase: int
    begin: Day
    end: Day | None
    codes: Codes = field(repr=False)

    def in_force(self, year: int) -> bool:
        """Return whether the spell covers any day of `year`."""
        return self.begin.year <= year and (self.end is None or year <= self.end.year)


@dataclass(frozen=True)
class Terms:
    """What a treaty provided in one year, for whom.

    Parameters
    ----------
    year
        Calendar year.
    phase
        Which version of the terms, counted from 1; 0 if they never changed, or the phases are
        not known.
    members
        Codes of the states bound in that year, in the order of the file.
    codes
        Treaty-level codes: the highest that any of those members has in that phase.
    own
        Each member's own codes; empty without the member-level file.
    """

    year: int
    phase: int
    members: tuple[int, ...]
    codes: Codes = field(repr=False)
    own: Mapping[int, Codes] = field(repr=False)

    @property
    def owing(self) -> tuple[int, ...]:
        """The members that owe defence; without the member file all of them, if any does."""
        if not self.own:
            return self.members if self.codes["defense"] == 1 else ()
        return tuple(m for m in self.members if self.own[m]["defense"] == 1)


@dataclass(frozen=True)
class Treaty:
    """One alliance as ATOP codes it.

    Parameters
    ----------
    atopid
        ATOP's number of the alliance.
    begin, end
        First and last day; no end if in effect when the data end.
    members
        Codes of every state that was ever a member, in the order of the file.
    codes
        The coded alliance-level row, by column; None where the file is blank. Where terms changed,
        ATOP's row has the highest code that any phase and member ever had.
    spells
        The rows of the member-level file; empty without it.
    """

    atopid: int
    begin: Day
    end: Day | None
    members: tuple[int, ...]
    codes: Codes = field(repr=False)
    spells: tuple[Spell, ...] = field(default=(), repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names in print, as they were when the treaty began."""
        return tuple(cow.title(member, self.begin.year) for member in self.members)

    @property
    def title(self) -> str:
        """The treaty's name in print: its members and its first year."""
        return treaty_title(self.members, self.begin.year)

    @property
    def bilateral(self) -> bool:
        """Whether it never had more than two members (ATOP's own `bilat` has a few slips)."""
        return len(self.members) == 2

    @property
    def phases(self) -> int:
        """How many versions of the terms there were."""
        return max(1, self.codes["maxphase"] or 0)

    @property
    def defence(self) -> bool:
        """Whether any member ever owed defence."""
        return self.codes["defense"] == 1

    @property
    def years(self) -> range:
        """The calendar years of the treaty, up to the end of the data."""
        last = COVERAGE[1] if self.end is None else self.end.year
        return range(self.begin.year, last + 1)

    @property
    def default_year(self) -> int:
        """The year whose terms are meant when none is named.

        The first year for a treaty that ended (its last is often the year of the war or the quarrel
        that ended it), the last year of the data for one still in effect; in either case the
        nearest to it in which defence was owed, if it ever was.
        """
        return next(iter(self.years_to_try))

    @cached_property
    def years_to_try(self) -> tuple[int, ...]:
        """The years of the treaty in the order in which one is chosen, see :attr:`default_year`."""
        ordered = tuple(self.years if self.end is not None else reversed(self.years))
        if not self.spells:
            return ordered
        bound = tuple(year for year in ordered if self._bound(year))
        owing = tuple(year for year in bound if any(s.codes["defense"] == 1 for s in self._spells(year)))
        return owing or bound or ordered

    def in_force(self, year: int, ccode: int | None = None) -> bool:
        """Return whether the treaty bound anyone, or the state `ccode`, on any day of `year`."""
        if year not in self.years:
            return False
        if ccode is None:
            return True
        if not self.spells:
            return ccode in self.members
        return any(spell.member == ccode and spell.in_force(year) for spell in self.spells)

    def terms(self, year: int | None = None) -> Terms:
        """Return the terms in `year` (:attr:`default_year` if not given).

        In a year of change the newer phase counts. For a treaty still in effect when the data end,
        a later year has the terms of the last coded one.

        Raises
        ------
        DataError
            If the treaty was not in force then.
        """
        year = self.default_year if year is None else year
        coded = min(year, COVERAGE[1]) if self.end is None else year
        if coded not in self.years:
            raise DataError(
                f"ATOP treaty {self.atopid} ({self.title}) was not in force in {year}: it lasted "
                f"from {self.begin} to {self.end or f'beyond {COVERAGE[1]}'}."
            )
        if not self.spells:
            return Terms(year, 0, self.members, self.codes, {})
        if not self._bound(coded):
            raise DataError(
                f"ATOP treaty {self.atopid} ({self.title}) bound fewer than two states in {year}."
            )
        spells = self._spells(coded)
        own = {spell.member: spell.codes for spell in spells}
        columns = spells[0].codes
        highest = {column: _highest(row[column] for row in own.values()) for column in columns}
        return Terms(year, spells[0].phase, tuple(own), highest, own)

    def _spells(self, year: int) -> list[Spell]:
        there = [spell for spell in self.spells if spell.in_force(year)]
        newest = max((spell.phase for spell in there), default=0)
        return [spell for spell in there if spell.phase == newest]

    def _bound(self, year: int) -> bool:
        return not self.spells or len({spell.member for spell in self._spells(year)}) >= 2

    def to_pact(
        self,
        protege: int | None = None,
        defender: int | None = None,
        *,
        year: int | None = None,
        challenger: int | None = None,
        host: int | None = None,
    ) -> Pact:
        """Return the treaty's terms as a pact; see :data:`entangle.atop.MAPPING` for every choice.

        Parameters
        ----------
        protege, defender
            Codes of the members in the two seats. With two members one implies the other; without
            either the pact has what holds whoever sits where.
        year
            Whose terms; :attr:`default_year` if not given.
        challenger
            Code of the state it is to hold against, where the duty is limited to named adversaries.
        host
            Code of the member on whose soil one-sided bases lie; the protégé if not given.

        Raises
        ------
        DataError
            If a seat is not a member then, or the treaty was not in force.
        """
        from entangle.atop.terms import read_terms

        return read_terms(self, protege, defender, year=year, challenger=challenger, host=host).to_pact()

    def coding(
        self,
        protege: int | None = None,
        defender: int | None = None,
        *,
        year: int | None = None,
        challenger: int | None = None,
        host: int | None = None,
    ) -> tuple[Coded, ...]:
        """Return what each mapped column held and what it became; arguments as :meth:`to_pact`."""
        from entangle.atop.terms import read_terms

        return read_terms(self, protege, defender, year=year, challenger=challenger, host=host).coding()

    def to_study(
        self,
        protege: int | None = None,
        challenger: int | None = None,
        year: int | None = None,
        *,
        capabilities: str | Path,
        regimes: str | Path | None = None,
        defender: int | None = None,
    ) -> Study:
        """Return a study of the treaty beside no pact and beside the same promise made automatic.

        Parameters
        ----------
        protege
            Code of the member under threat. If not given: the one that owes no defence itself,
            if there is such a one, else any; of several, the weakest by CINC.
        challenger
            Code of the state that may challenge it. If not given: the adversary that the treaty
            names, if that state has figures in that year; else a hypothetical one without nuclear
            weapons, as strong as the geometric mean of the two partners, its regime 0.5.
        year
            Whose terms and figures. If not given: the first year with all figures for a treaty that
            ended, the last such year for one still in effect.
        capabilities, regimes
            Data files, see :func:`entangle.cow.actor_from_cow`.
        defender
            Code of the member asked to help; the strongest of the others that owe it if not given.

        Raises
        ------
        DataError
            If a state has no figures; the message names the state and the years that there are.
        """
        from entangle.atop.study import draft

        return draft(
            self,
            protege=protege,
            challenger=challenger,
            defender=defender,
            year=year,
            capabilities=capabilities,
            regimes=regimes,
        )


def treaty_title(members: tuple[int, ...], year: int) -> str:
    """Return a name in print for a treaty of `members` that began in `year`."""
    names = [cow.title(member, year) for member in members]
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} others"]
    return f"{' – '.join(names)} {year}"


def _highest(codes: Iterable[int | None]) -> int | None:
    known = [code for code in codes if code is not None]
    return max(known) if known else None
