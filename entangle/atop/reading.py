"""Reading ATOP: from its two csv files to treaties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from entangle import cow
from entangle.atop.mapping import MEMBER_COLUMNS, TREATY_COLUMNS
from entangle.atop.treaty import COVERAGE, Day, Spell, Treaty
from entangle.errors import DataError

_DATES = ("begyr", "begmo", "begday", "endyr", "endmo", "endday")
_SPELL_DATES = ("yrent", "moent", "dayent", "yrexit", "moexit", "dayexit")
_MEMBER_SLOTS: Final = 59


@dataclass(frozen=True)
class Treaties:
    """The alliances of an ATOP file, in its order.

    Examples
    --------
    >>> treaties = Treaties.read("atop-alliance-level.csv")  # doctest: +SKIP
    >>> len(treaties.defence_pacts())  # doctest: +SKIP
    275
    """

    by_id: Mapping[int, Treaty] = field(repr=False)

    @classmethod
    def read(cls, alliances: str | Path, members: str | Path | None = None) -> Treaties:
        """Read the alliance-level file and, for who owes what on which conditions, the member file.

        Raises
        ------
        DataError
            If a file is missing, is not ATOP's, or holds what is no number; names file, line,
            column.
        """
        spells: dict[int, list[Spell]] = {}
        if members is not None:
            columns = ("atopid", "member", "phase", *_SPELL_DATES, *MEMBER_COLUMNS)
            for row in cow.rows(members, columns, what="an ATOP member-level file"):
                spells.setdefault(row.required("atopid"), []).append(_spell(row))
        columns = ("atopid", *_DATES, "mem1", "mem2", "maxphase", *TREATY_COLUMNS)
        treaties: dict[int, Treaty] = {}
        for row in cow.rows(alliances, columns, what="an ATOP alliance-level file"):
            atopid = row.required("atopid")
            if atopid in treaties:
                raise row.error("atopid", "must stand once, and this is its second row")
            treaties[atopid] = _treaty(row, tuple(spells.pop(atopid, ())))
            if members is not None and not treaties[atopid].spells:
                raise DataError(
                    f"{members}: ATOP treaty {atopid} of {alliances} has no row here: the two "
                    "files belong to different versions."
                )
        if spells:
            raise DataError(
                f"{members}: ATOP treaty {min(spells)} is not in {alliances}: the two files "
                "belong to different versions."
            )
        return cls(treaties)

    def __iter__(self) -> Iterator[Treaty]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def find(self, atopid: int) -> Treaty:
        """Return the treaty with ATOP's number `atopid`.

        Raises
        ------
        DataError
            If there is none.
        """
        try:
            return self.by_id[atopid]
        except KeyError:
            close = sorted(self.by_id, key=lambda known: (abs(known - atopid), known))[:3]
            near = ", ".join(str(number) for number in sorted(close))
            raise DataError(f"There is no ATOP treaty {atopid}; the nearest are {near}.") from None

    def defence_pacts(self) -> tuple[Treaty, ...]:
        """Return the treaties under which anyone ever owed defence."""
        return tuple(treaty for treaty in self if treaty.defence)

    def in_force(self, year: int, ccode: int | None = None) -> tuple[Treaty, ...]:
        """Return the treaties that bound anyone, or the state `ccode`, on any day of `year`.

        Raises
        ------
        DataError
            If the data do not cover that year.
        """
        if not COVERAGE[0] <= year <= COVERAGE[1]:
            raise DataError(f"ATOP 4.01 covers {COVERAGE[0]} to {COVERAGE[1]}, not {year}.")
        return tuple(treaty for treaty in self if treaty.in_force(year, ccode))


def _treaty(row: cow.Row, spells: tuple[Spell, ...]) -> Treaty:
    slots = [f"mem{number}" for number in range(1, _MEMBER_SLOTS + 1)]
    found = (row.whole(slot) for slot in slots if slot in row.cells)
    members = tuple(dict.fromkeys(member for member in found if member is not None))
    if len(members) < 2:
        raise row.error("mem2", "must name a second member")
    begin, end = _span(row, _DATES)
    codes = _codes(row, leave=slots)
    return Treaty(row.required("atopid"), begin, end, members, codes, spells)


def _spell(row: cow.Row) -> Spell:
    begin, end = _span(row, _SPELL_DATES)
    return Spell(row.required("member"), row.whole("phase") or 0, begin, end, _codes(row))


def _span(row: cow.Row, columns: tuple[str, ...]) -> tuple[Day, Day | None]:
    """Return the days that six columns hold; an end in year 0 means that there is none."""
    month, day = row.whole(columns[1]) or None, row.whole(columns[2]) or None
    begin = Day(row.required(columns[0]), month, day)
    last = row.required(columns[3])
    if last == 0:
        return begin, None
    if last < begin.year:
        raise row.error(columns[3], f"must not lie before the first year, {begin.year}")
    return begin, Day(last, row.whole(columns[4]) or None, row.whole(columns[5]) or None)


def _codes(row: cow.Row, leave: Iterable[str] = ()) -> dict[str, int | None]:
    # the version of the data is a decimal and the only column that is no code
    left = {"version", *leave}
    return {column: row.whole(column) for column in row.cells if column not in left}
