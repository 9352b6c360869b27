"""Which pacts: those that bound two states in a year, and to whom help was owed under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from entangle import cow
from entangle.atop.treaty import COVERAGE, Terms, Treaty
from entangle.errors import DataError
from entangle.treaties.abbreviations import abbreviation
from entangle.treaties.figures import Figures

#: Which of two partners is the protégé, by CINC of the year.
DIRECTIONS: Final = ("weaker", "stronger")


@dataclass(frozen=True)
class Pair:
    """A pact between two states in a year.

    Parameters
    ----------
    treaty, terms
        The treaty and what it provided in that year.
    label
        Its short name: the partners' abbreviations and its first year.
    partners
        Codes of the weaker and of the stronger partner.
    """

    treaty: Treaty
    terms: Terms
    label: str
    partners: tuple[int, int]


class Duty(NamedTuple):
    """Help that one partner of a pact owes the other.

    Parameters
    ----------
    pair
        Place of the pact among those that are looked at.
    direction
        Place in :data:`DIRECTIONS`.
    protege, defender
        Codes of who is owed, and who owes.
    """

    pair: int
    direction: int
    protege: int
    defender: int


def pairs(treaties: Iterable[Treaty], figures: Figures) -> tuple[list[Pair], list[str]]:
    """Return the defence pacts that bound exactly two states in the year of some figures.

    A treaty counts if it was in force on any day of the year. One of more members of which two were left is
    among them. In years after the last of the data the treaties still in effect then are taken to stand.

    Returns
    -------
    list of Pair
        In the order of the data.
    list of str
        Pacts that had to be left out, each with the reason.

    Raises
    ------
    DataError
        If the data do not reach back to that year, or have no row of a treaty's members.
    """
    if figures.year < COVERAGE[0]:
        raise DataError(f"ATOP 4.01 begins in {COVERAGE[0]}: it knows no treaty of {figures.year}.")
    found, left_out = [], []
    bound = [(treaty, _terms(treaty, figures.year)) for treaty in treaties]
    owed = [(treaty, terms) for treaty, terms in bound if terms is not None and terms.owing]
    labels = [_label(treaty, terms) for treaty, terms in owed]
    several = Counter(labels)
    for (treaty, terms), label in zip(owed, labels, strict=True):
        own = label if several[label] == 1 else f"{label} ({treaty.atopid})"
        lacking = [member for member in terms.members if not figures.cinc.get(member, figures.year)]
        if lacking:
            names = " and ".join(cow.title(member, figures.year) for member in lacking)
            left_out.append(f"{own}: no CINC above 0 for {names} in {figures.year}")
            continue
        weaker, stronger = sorted(terms.members, key=lambda m: (figures.strength(m), m))
        found.append(Pair(treaty, terms, own, (weaker, stronger)))
    return found, left_out


def duties(found: Iterable[Pair]) -> list[Duty]:
    """Return who owes help to whom, pact by pact; the weaker partner as the protégé first."""
    return [
        Duty(i, k, protege, defender)
        for i, pair in enumerate(found)
        for k, (protege, defender) in enumerate((pair.partners, pair.partners[::-1]))
        if defender in pair.terms.owing
    ]


def _terms(treaty: Treaty, year: int) -> Terms | None:
    """Return the terms if two states were bound that year, else None."""
    if not treaty.spells:
        raise DataError(
            f"ATOP treaty {treaty.atopid} was read without its members' spells, which say who owes what; "
            "read the member-level file as well."
        )
    try:
        terms = treaty.terms(year)
    except DataError:  # not in force, or its newest phase bound fewer than two
        return None
    return terms if len(terms.members) == 2 else None


def _label(treaty: Treaty, terms: Terms) -> str:
    return f"{'-'.join(sorted(map(abbreviation, terms.members)))} {treaty.begin.year}"
