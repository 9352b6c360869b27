"""From a treaty to a study: who sits where, with which figures, beside which other pacts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entangle import cow
from entangle.actor import Actor, Scenario
from entangle.atop.terms import seated
from entangle.atop.treaty import COVERAGE, Terms, Treaty
from entangle.errors import DataError
from entangle.pact import Pact
from entangle.study import Study
from entangle.vocabulary import Commitment

#: The promise that an analyst would ask about beside the coded one: the next stronger.
STRONGER: Final[dict[Commitment, Commitment]] = {
    "none": "defence",
    "consult": "defence",
    "defence": "automatic",
}
#: Titles of these variants.
_VARIANTS: Final = {
    "defence": "The same, with a duty of defence",
    "automatic": "The same, as automatic help",
}
#: Name of the hypothetical challenger.
HYPOTHETICAL: Final = "challenger"


@dataclass(frozen=True)
class _Figures:
    """The two data files, and what they have."""

    cinc: cow.Series
    regimes: cow.Series | None

    @classmethod
    def read(cls, capabilities: str | Path, regimes: str | Path | None) -> _Figures:
        return cls(
            cow.read_capabilities(capabilities),
            None if regimes is None else cow.read_regimes(regimes),
        )

    def has(self, ccode: int, year: int) -> bool:
        return bool(self.cinc.get(ccode, year))

    def has_regime(self, ccode: int, year: int) -> bool:
        return self.regimes is None or self.regimes.get(ccode, year) is not None

    def strength(self, ccode: int, year: int) -> float:
        return self.cinc.require(ccode, year)

    def actor(self, ccode: int, year: int) -> Actor:
        """Return an actor; its regime stays at the default where the file has none."""
        known = self.regimes is not None and self.has_regime(ccode, year)
        return cow.actor_from_cow(
            ccode,
            year,
            capabilities=self.cinc.path,
            regimes=self.regimes.path if self.regimes is not None and known else None,
        )


@dataclass(frozen=True)
class _Seats:
    """Who is whom in one year."""

    terms: Terms
    protege: int
    defender: int
    #: The named challenger; None for the hypothetical one.
    challenger: int | None


def draft(
    treaty: Treaty,
    *,
    protege: int | None,
    challenger: int | None,
    defender: int | None,
    year: int | None,
    capabilities: str | Path,
    regimes: str | Path | None,
) -> Study:
    """Draft the study of a treaty; arguments as :meth:`entangle.atop.Treaty.to_study`."""
    figures = _Figures.read(capabilities, regimes)
    said: list[str] = []
    seated_members = [code for code in (protege, defender) if code is not None]
    outside = [] if challenger is None else [challenger]
    chosen = _year(treaty, seated_members, outside, figures, said) if year is None else year
    terms = treaty.terms(chosen)
    seats = _seat(treaty, terms, protege, challenger, defender, figures, said)
    weaker = min((seats.protege, seats.defender), key=lambda m: figures.strength(m, chosen))
    pact = treaty.to_pact(
        seats.protege, seats.defender, year=chosen, challenger=seats.challenger, host=weaker
    )
    if terms.codes.get("base") == 3:
        said.append(f"Of the partners {cow.title(weaker, chosen)}, the weaker, hosts the bases.")
    actors = _actors(seats, pact, figures, said)
    said.append("Dispute rates, alignment, distance and every actor's resolve are the defaults.")
    variant = STRONGER.get(pact.commitment, "automatic")
    return Study(
        title=f"{pact.title}, in {chosen}",
        description=_question(seats, chosen),
        assumptions=tuple(said),
        scenario=Scenario(
            challenger=HYPOTHETICAL if seats.challenger is None else cow.key(seats.challenger),
            protege=cow.key(seats.protege),
            defender=cow.key(seats.defender),
        ),
        actors=actors,
        pacts={
            "treaty": pact,
            "no_pact": Pact(),
            variant: pact.replace(
                title=_VARIANTS[variant],
                articles=None,
                assumptions=(f"`commitment` is '{variant}' here; every other term is that of the treaty.",),
                commitment=variant,
            ),
        },
    )


# -- the year --------------------------------------------------------------------------------------


def _year(
    treaty: Treaty,
    inside: list[int],
    outside: list[int],
    figures: _Figures,
    said: list[str],
) -> int:
    """Return the first year to try in which every state concerned has figures.

    Parameters
    ----------
    inside, outside
        States that were asked for: members then, and others.
    """
    years = [y for y in treaty.years_to_try if {*inside} <= {*treaty.terms(y).members}]
    if not years:
        return treaty.default_year  # seating them says what is wrong
    complete = []
    for year in years:
        members = treaty.terms(year).members
        if not all(figures.has(state, year) for state in (*members, *outside)):
            continue
        complete.append(year)
        # of many members only those in the seats need a regime figure, and few have none
        judged = members if len(members) == 2 else inside
        if all(figures.has_regime(state, year) for state in (*judged, *outside)):
            said.append(_why_year(treaty, year))
            return year
    if not complete:
        raise _no_year(treaty, years, outside, figures)
    said.append(_why_year(treaty, complete[0]))
    return complete[0]


def _why_year(treaty: Treaty, year: int) -> str:
    if treaty.end is None:
        return f"Terms and figures are those of {year}, the last year of the data with all of them."
    return (
        f"Terms and figures are those of {year}, the first year of the treaty with all of them (it "
        f"ended in {treaty.end.year})."
    )


def _no_year(treaty: Treaty, years: list[int], outside: list[int], figures: _Figures) -> DataError:
    states = dict.fromkeys([*treaty.terms(years[0]).members, *outside])
    lacking = [s for s in states if not any(figures.has(s, year) for year in years)] or list(states)
    parts = [
        f"for {cow.title(state, years[0])} ({state}) {figures.cinc.available(state)}" for state in lacking
    ]
    return DataError(
        f"{figures.cinc.path}: no year of ATOP treaty {treaty.atopid} "
        f"({min(years)}–{max(years)}) has CINC for every state concerned: {'; '.join(parts)}."
    )


# -- the seats -------------------------------------------------------------------------------------


def _seat(
    treaty: Treaty,
    terms: Terms,
    protege: int | None,
    challenger: int | None,
    defender: int | None,
    figures: _Figures,
    said: list[str],
) -> _Seats:
    protege, defender = seated(treaty, terms, protege, defender)
    year = terms.year

    def strength(member: int) -> float:
        return figures.strength(member, year)

    candidates = [m for m in terms.members if m not in (defender, challenger)]
    if protege is None:
        free = [m for m in candidates if m not in terms.owing]
        if free and terms.owing:
            protege = min(free, key=strength)
            why = "owes no defence itself"
        else:
            protege = min(candidates, key=strength)
            why = "has the least CINC"
        said.append(f"{cow.title(protege, year)} is taken for the protégé: it {why}.")
    if defender is None:
        others = [m for m in terms.members if m not in (protege, challenger)]
        owing = [m for m in others if m in terms.owing]
        if not others:
            raise DataError(
                f"ATOP treaty {treaty.atopid} has no defender left in {year}: name another challenger."
            )
        defender = max(owing or others, key=strength)
        if len(others) > 1:
            said.append(
                f"{cow.title(defender, year)}, the strongest other member that owes help, leads as "
                "the defender."
            )
    if challenger is None:
        challenger = _named_adversary(terms, figures)
        if challenger is not None:
            said.append(
                f"{cow.title(challenger, year)} is the challenger: the treaty names it as the threat."
            )
    return _Seats(terms, protege, defender, challenger)


def _named_adversary(terms: Terms, figures: _Figures) -> int | None:
    for code in _threats(terms):
        if code not in terms.members and figures.has(code, terms.year):
            return code
    return None


def _threats(terms: Terms) -> list[int]:
    """Return the codes of the states that the treaty names as threats."""
    if not terms.codes.get("specthrt"):
        return []
    coded = (terms.codes.get(column) for column in ("statthr1", "statthr2"))
    return [code for code in coded if code]


# -- the actors ------------------------------------------------------------------------------------


def _actors(seats: _Seats, pact: Pact, figures: _Figures, said: list[str]) -> dict[str, Actor]:
    year = seats.terms.year
    states = [seats.protege, seats.defender]
    if seats.challenger is not None:
        states.insert(0, seats.challenger)
    if pact.coalition is not None:
        members = set(pact.coalition.members)
        states += [m for m in seats.terms.members if m not in states and cow.key(m) in members]
    actors = {cow.key(state): figures.actor(state, year) for state in states}
    if seats.challenger is None:
        actors = {HYPOTHETICAL: _hypothetical(seats, figures, said), **actors}
    unknown = [s for s in states if figures.regimes is None or not figures.has_regime(s, year)]
    if unknown:
        names = ", ".join(cow.title(state, year) for state in unknown)
        said.append(f"No regime figure for {names}: the regime is taken as 0.5.")
    return actors


def _hypothetical(seats: _Seats, figures: _Figures, said: list[str]) -> Actor:
    year = seats.terms.year
    partners = (seats.protege, seats.defender)
    mean = math.sqrt(math.prod(figures.strength(partner, year) for partner in partners))
    names = " and ".join(cow.title(partner, year) for partner in partners)
    threats = [cow.title(code, year) for code in _threats(seats.terms)]
    why = (
        f"{' and '.join(threats)}, named as the threat, cannot be seated for want of figures or as a member"
        if threats
        else "The treaty names no threat"
    )
    said.append(
        f"{why}: the challenger is a hypothetical state without nuclear weapons, as strong as the "
        f"geometric mean of {names} (CINC {mean:.4g}), its regime 0.5."
    )
    return Actor(
        title="Hypothetical challenger",
        source=f"assumed: geometric mean of the CINC of {names} in {year}, not nuclear, regime 0.5",
        capability=mean,
        regime=0.5,
    )


def _question(seats: _Seats, year: int) -> str:
    threat = "a hypothetical challenger" if seats.challenger is None else cow.title(seats.challenger, year)
    extrapolated = f" (the treaty data end in {COVERAGE[1]})" if year > COVERAGE[1] else ""
    return (
        f"What the treaty does when {threat} and {cow.title(seats.protege, year)} fall out and "
        f"{cow.title(seats.defender, year)} is asked for help, in {year}{extrapolated}."
    )
