"""Figures from International Crisis Behavior: how violent crises are, how they end, who helps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from entangle import cow
from entangle.evidence.atop_records import Promises, partners
from entangle.evidence.computed import Computed, clustered_share, day, share

PERIOD: Final = (1946, 2019)
#: The superpowers by their codes, with the columns that say what each did and how that was seen.
SUPERPOWERS: Final = {2: ("usinv", "usfavr"), 365: ("suinv", "sufavr")}

# Codes of violence (1 none, 2 minor clashes, 3 serious clashes, 4 full-scale war), of what a superpower did
# in a crisis (3 covert or semi-military, 4 direct military) and for an actor (8 direct military), of how an
# actor saw that (1 favourably), and of outcomes (1 victory, 2 compromise, 3 stalemate, 4 defeat).
_SERIOUS, _WAR = 3, 4
_ACTIVE = (3, 4)
_DIRECT, _FAVOURABLE = 8, 1
_OUTCOMES: Final = (1, 2, 3, 4)

# The data write Germany as 260 throughout, Correlates of War as 255 again once it was one state.
_WEST_GERMANY, _GERMANY, _UNITED = 260, 255, 1991


@dataclass(frozen=True)
class Crisis:
    """A crisis.

    Parameters
    ----------
    number, year
        Its number in the data, and the year in which it broke out.
    violence
        The worst in it, 1 (none) to 4 (full-scale war); None if not known.
    superpower_active
        Whether either superpower was active covertly, semi-militarily or directly.
    """

    number: int
    year: int
    violence: int | None
    superpower_active: bool


@dataclass(frozen=True)
class Actor:
    """A state in a crisis.

    Parameters
    ----------
    crisis, state
        Number of the crisis, Correlates of War code of the state.
    begin
        The day on which the crisis broke out for it.
    violence, outcome
        As coded for it; None if not known.
    helped_by
        Superpowers whose direct military activity it viewed favourably.
    """

    crisis: int
    state: int
    begin: date
    violence: int | None
    outcome: int | None
    helped_by: frozenset[int]


Adversaries = frozenset[tuple[int, int, int]]


def read_crises(path: str | Path) -> tuple[Crisis, ...]:
    """Read the file of crises.

    Raises
    ------
    DataError
        If the file is missing, is another one, or holds what is no number.
    """
    columns = ("crisno", "yrtrig", "viol", "usinv", "suinv")
    return tuple(
        Crisis(
            row.required("crisno"),
            row.required("yrtrig"),
            row.whole("viol"),
            any(row.whole(does) in _ACTIVE for does, _ in SUPERPOWERS.values()),
        )
        for row in cow.rows(path, columns, what="an ICB file of crises")
    )


def read_actors(path: str | Path) -> tuple[Actor, ...]:
    """Read the file of states in crises, in its order.

    Raises
    ------
    DataError
        If the file is missing, is another one, or holds what is no number.
    """
    columns = ("crisno", "cracid", "yrtrig", "motrig", "datrig", "viol", "outcom")
    seen = tuple(column for pair in SUPERPOWERS.values() for column in pair)
    found = []
    for row in cow.rows(path, (*columns, *seen), what="an ICB file of crisis actors"):
        year = row.required("yrtrig")
        found.append(
            Actor(
                row.required("crisno"),
                _state(row.required("cracid"), year),
                day(year, row.whole("motrig"), row.whole("datrig")),
                row.whole("viol"),
                row.whole("outcom"),
                frozenset(
                    power
                    for power, (does, favour) in SUPERPOWERS.items()
                    if row.whole(does) == _DIRECT and row.whole(favour) == _FAVOURABLE
                ),
            )
        )
    return tuple(found)


def read_adversaries(path: str | Path) -> Adversaries:
    """Read the file of crisis dyads: (crisis, state, adversary), both ways round.

    Raises
    ------
    DataError
        If the file is missing, is another one, or holds what is no number.
    """
    found = set()
    for row in cow.rows(path, ("crisno", "year", "statea", "stateb"), what="an ICB file of crisis dyads"):
        crisis, year = row.required("crisno"), row.required("year")
        one, other = (_state(row.required(column), year) for column in ("statea", "stateb"))
        found |= {(crisis, one, other), (crisis, other, one)}
    return frozenset(found)


def _state(code: int, year: int) -> int:
    return _GERMANY if code == _WEST_GERMANY and year >= _UNITED else code


# -- figures ---------------------------------------------------------------------------------------


def crisis_figures(crises: Iterable[Crisis]) -> dict[str, Computed]:
    """Return the figures of crises, by code."""
    cases = [crisis for crisis in crises if PERIOD[0] <= crisis.year <= PERIOD[1]]
    known = [crisis for crisis in cases if crisis.violence is not None]
    return {
        "F.gpmil": share(crisis.superpower_active for crisis in cases),
        **{f"F.viol{level}.post45": share(c.violence == level for c in known) for level in range(1, 5)},
    }


def outcome_figures(actors: Iterable[Actor]) -> dict[str, Computed]:
    """Return how crises end for the states in them, by code."""
    cases = [actor for actor in _period(actors) if actor.outcome in _OUTCOMES]
    return {
        f"F.outcom{code}.post45": clustered_share((a.crisis, a.outcome == code) for a in cases)
        for code in _OUTCOMES
    }


def patron_figures(actors: Iterable[Actor], adversaries: Adversaries, owed: Promises) -> dict[str, Computed]:
    """Return what a pact with a superpower goes with, for other states in crises; by code.

    A superpower that is a state's adversary in the crisis is no patron of it.
    """
    pairs: list[tuple[int, bool, bool]] = []  # crisis, whether defence is owed, whether it helped
    entered: dict[tuple[int, int], tuple[bool, int | None]] = {}  # whether owed, violence
    for actor in _period(actors):
        if actor.state in SUPERPOWERS:
            continue
        bound = partners(owed, (actor.state,), actor.begin)
        patrons = [p for p in SUPERPOWERS if (actor.crisis, actor.state, p) not in adversaries]
        pairs += [(actor.crisis, p in bound, p in actor.helped_by) for p in patrons]
        if patrons:
            key = actor.crisis, actor.state
            before, violence = entered.get(key, (False, actor.violence))
            entered[key] = before or not bound.isdisjoint(patrons), violence
    found = {
        f"F.pat.gp.mild.p{has:d}": clustered_share((c, helped) for c, own, helped in pairs if own == has)
        for has in (False, True)
    }
    for level in (_SERIOUS, _WAR):
        for has in (False, True):
            found[f"F.act.w{level}.p{has:d}"] = clustered_share(
                (crisis, violence >= level)
                for (crisis, _), (own, violence) in entered.items()
                if own == has and violence is not None
            )
    return found


def _period(actors: Iterable[Actor]) -> list[Actor]:
    return [actor for actor in actors if PERIOD[0] <= actor.begin.year <= PERIOD[1]]
