"""The rules of the ladder, as one would tell them to a player."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

THREAT, SHOW_OF_FORCE, LIMITED_FORCE, LOCAL_WAR = 1, 2, 3, 4
STRATEGIC_STRIKES, NUCLEAR_USE, GENERAL_WAR = 6, 7, 8
ALOOF, MILITARY, FIGHTING = 0, 2, 3


class Outcome(NamedTuple):
    """Where a move or an act of nature leads."""

    rung: int
    support: int
    provoked: int
    end: str | None
    marks: frozenset[str]


def outcomes(
    stage: str,
    rung: int,
    support: int,
    provoked: int,
    *,
    nuclear: tuple[bool, bool, bool],
    owed: Callable[[int, int], float],
    required: int,
) -> dict[str, Outcome]:
    """Return everything that can happen at `stage` in a public state, by name.

    Parameters
    ----------
    stage
        "challenger", "protege", "defender" or "nature".
    nuclear
        Whether the challenger, the protégé and the defender have nuclear weapons.
    owed
        What the defender owes at a rung, given whether the protégé used force first.
    required
        Support that honours the obligation.
    """

    def to(
        rung: int, support: int, provoked: int, *, end: str | None = None, mark: str | None = None
    ) -> Outcome:
        marks = set() if mark is None else {mark}
        if owed(rung, provoked) > 0:
            marks.add("obligation active")
        if support >= required:
            marks.add("support reached")
        return Outcome(rung, support, provoked, end, frozenset(marks))

    def a_rung_up(*, by: str) -> Outcome:
        force_begins = rung == SHOW_OF_FORCE
        first = 1 if force_begins and by == "protege" else provoked
        mark = "force by challenger" if force_begins and by == "challenger" else None
        end = "general war" if rung + 1 == GENERAL_WAR else None
        return to(rung + 1, support, first, end=end, mark=mark)

    stay = to(rung, support, provoked)
    never_played = rung < THREAT or rung >= GENERAL_WAR
    fighting_without_war = support == FIGHTING and rung < LOCAL_WAR
    if never_played or fighting_without_war:
        return {"nothing": stay} if stage == "nature" else {"hold": stay}

    # from strategic strikes on, a step up takes nuclear weapons in the hands of a side that fights
    conventional = rung < STRATEGIC_STRIKES
    challenger_can = conventional or nuclear[0]
    protege_can = conventional or nuclear[1] or (nuclear[2] and support == FIGHTING)

    if stage == "challenger":
        found = {"withdraw": to(rung, support, provoked, end="withdrawal"), "hold": stay}
        if challenger_can:
            found["escalate"] = a_rung_up(by="challenger")
        return found

    if stage == "protege":
        found = {"concede": to(rung, support, provoked, end="concession"), "hold": stay}
        if protege_can:
            found["escalate"] = a_rung_up(by="protege")
        return found

    if stage == "defender":
        found = {"hold": stay}
        if ALOOF < support < FIGHTING:
            found["restrain"] = to(rung, support - 1, provoked)
        if support < MILITARY:
            found["passed"] = to(rung, support + 1, provoked)
        if support == MILITARY and rung >= LIMITED_FORCE:
            found["passed"] = to(max(rung, LOCAL_WAR), FIGHTING, provoked)
        if "passed" in found:
            found["blocked"] = to(rung, support, provoked, mark="vote blocked")
        return found

    found = {
        "cool": to(rung, support, provoked, end="compromise"),
        "won": to(rung, support, provoked, end="victory"),
        "nothing": stay,
        "lost": to(rung, support, provoked, end="defeat"),
    }
    if challenger_can or protege_can:
        found["accident"] = a_rung_up(by="nature")
    return found
