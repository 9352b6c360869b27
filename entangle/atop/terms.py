"""From the codes of a treaty, in one year and from one pair of seats, to the terms of a pact.

The clauses themselves are read in :mod:`entangle.atop.clauses`, by the choices of
:mod:`entangle.atop.mapping`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from entangle import cow
from entangle.atop.mapping import MAPPING, Mapped
from entangle.errors import DataError
from entangle.pact import Pact

if TYPE_CHECKING:
    from entangle.atop.treaty import Terms, Treaty

_BY_COLUMN: Final[Mapping[str, Mapped]] = {row.column: row for row in MAPPING}
#: Codes that hold for the member that owes help, not for the treaty.
_OF_THE_OWING: Final = frozenset(
    {"offense", "defcon", "consul", *(row.column for row in MAPPING if row.member)}
)


@dataclass(frozen=True)
class Coded:
    """What one column of a treaty became.

    Parameters
    ----------
    column
        ATOP's column.
    code
        What it held; None if blank.
    became
        The pact fields that it set or moved, with their values.
    """

    column: str
    code: int | None
    became: Mapping[str, Any]


@dataclass
class Reading:
    """One treaty, in one year, from one pair of seats: what its codes became so far."""

    treaty: Treaty
    terms: Terms
    protege: int | None
    defender: int | None
    challenger: int | None
    host: int | None
    fields: dict[str, Any] = field(default_factory=dict)
    used: dict[str, list[str]] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    # -- what the clause functions use ------------------------------------------------------------

    def raw(self, column: str) -> int | None:
        """Return a code as the file has it, of the one who owes where that makes a difference."""
        own = self.terms.own
        if column in _OF_THE_OWING and own:
            codes = [own[member].get(column) for member in self.bound]
            return max((code for code in codes if code is not None), default=None)
        if column == "terrres" and own and self.protege is not None:
            return own[self.protege].get(column)
        return self.terms.codes.get(column)

    def code(self, column: str) -> int:
        """Return a code to act on: 0 if it is blank or has no clear meaning, which is noted."""
        code = self.raw(column)
        known = _BY_COLUMN[column].codes
        if code is None:
            if not _BY_COLUMN[column].member or self.terms.own:
                _once(self.blank, column)
            return 0
        if code < 0 or (known and code not in known):
            _once(self.odd, f"{column} = {code}")
            return 0
        return code

    def set(self, name: str, value: Any, *columns: str, say: str = "") -> None:
        """Give a pact field its value, coded from `columns`, with the assumption that it took."""
        self.fields[name] = value
        self.used.setdefault(name, []).extend(columns)
        if say:
            self.say(say)

    def say(self, sentence: str) -> None:
        """Add an assumption."""
        _once(self.sentences, sentence)

    def name(self, ccode: int) -> str:
        """Return a state's name in print in the year of the terms."""
        return cow.title(ccode, self.terms.year)

    @property
    def pair(self) -> tuple[int, ...]:
        """The two partners, where it is settled who they are; else nobody."""
        if len(self.terms.members) == 2:
            return self.terms.members
        if self.protege is None or self.defender is None:
            return ()
        return (self.protege, self.defender)

    @property
    def owing(self) -> tuple[int, ...]:
        """Who owes defence: of the pair if it is settled, else of all the members."""
        asked = self.pair or self.terms.members
        return tuple(member for member in self.terms.owing if member in asked)

    @property
    def bound(self) -> tuple[int, ...]:
        """Whose own codes count: the defender's if it owes, else those of whoever does."""
        owing = self.owing
        if self.defender is not None and (self.defender in owing or not owing):
            return (self.defender,)
        return owing or self.pair or self.terms.members

    # -- the results -----------------------------------------------------------------------------

    def to_pact(self) -> Pact:
        """Return the pact."""
        from entangle.atop.treaty import treaty_title

        terms, treaty = self.terms, self.treaty
        phase = f", phase {terms.phase} of {treaty.phases}" if terms.phase else ""
        return Pact(
            title=treaty_title(terms.members, treaty.begin.year),
            source=f"ATOP 4.01 (Leeds, Ritter, Mitchell & Long 2002), alliance {treaty.atopid}, "
            f"terms of {terms.year}{phase}",
            articles={
                name: "ATOP " + ", ".join(f"{column} = {_shown(self.raw(column))}" for column in used)
                for name, used in self.used.items()
            },
            assumptions=tuple(self.sentences),
            **self.fields,
        )

    def coding(self) -> tuple[Coded, ...]:
        """Return what each mapped column held and became."""
        return tuple(
            Coded(
                row.column,
                self.raw(row.column),
                {name: self.fields[name] for name, used in self.used.items() if row.column in used},
            )
            for row in MAPPING
        )


def read_terms(
    treaty: Treaty,
    protege: int | None = None,
    defender: int | None = None,
    *,
    year: int | None = None,
    challenger: int | None = None,
    host: int | None = None,
) -> Reading:
    """Read a treaty's terms; arguments as :meth:`entangle.atop.Treaty.to_pact`."""
    from entangle.atop.clauses import CLAUSE_READERS

    terms = treaty.terms(year)
    protege, defender = seated(treaty, terms, protege, defender)
    if host is not None and host not in terms.members:
        raise _no_member(treaty, terms, "host", host)
    if challenger is not None and challenger in (protege, defender):
        raise DataError(
            f"{cow.title(challenger, terms.year)} ({challenger}) cannot challenge the pact that it "
            "is seated in."
        )
    reading = Reading(treaty, terms, protege, defender, challenger, host)
    for clause in CLAUSE_READERS:
        clause(reading)
    return reading


def seated(
    treaty: Treaty, terms: Terms, protege: int | None, defender: int | None
) -> tuple[int | None, int | None]:
    """Return protégé and defender, each implied by the other where there are only two members.

    Raises
    ------
    DataError
        If one is not a member in that year, or both are the same.
    """
    for seat, member in (("protégé", protege), ("defender", defender)):
        if member is not None and member not in terms.members:
            raise _no_member(treaty, terms, seat, member)
    if protege is not None and protege == defender:
        raise DataError(f"{cow.title(protege, terms.year)} ({protege}) cannot take both seats.")
    if len(terms.members) == 2:
        # of two members, one seat implies the other
        one, two = terms.members
        other = {one: two, two: one}
        if protege is None and defender is not None:
            protege = other[defender]
        elif defender is None and protege is not None:
            defender = other[protege]
    return protege, defender


def _no_member(treaty: Treaty, terms: Terms, seat: str, member: int) -> DataError:
    known = ", ".join(f"{cow.title(m, terms.year)} ({m})" for m in terms.members)
    return DataError(
        f"The {seat}, {cow.title(member, terms.year)} ({member}), is not a member of ATOP treaty "
        f"{treaty.atopid} in {terms.year}. Its members then: {known}."
    )


def _once(into: list[str], item: str) -> None:
    if item not in into:
        into.append(item)


def _shown(code: int | None) -> str:
    return "blank" if code is None else str(code)
