"""One history under a pact, every year of it and every dispute in it move by move; and how to find one.

A history is played again on the words that it had in the simulation. Its disputes are those of the record,
each with the policies of its year's context; and beside each stands what the same luck would have led to in
it without the pact or one of its channels, with the years before as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle.between import between
from entangle.contexts import SolvedContexts
from entangle.errors import ResultError, nearest
from entangle.kept import Events, before, contexts_of, labelled, recorded, solved_alone, whole_index
from entangle.outcomes import OUTCOMES, REACHED
from entangle.replay import Replay, Unbound, replay_year, war
from entangle.solving import Prepared
from entangle.vocabulary import CAUSES
from entangle_kernels import decades
from entangle_kernels.peace import ENDED, GRIEVANCES, IN_FORCE, SUSPENDED

if TYPE_CHECKING:
    from entangle.study import Study

#: What can be asked for beside outcomes, rungs and causes: that the pact ended, whatever the cause.
PACT_ENDED: Final = "pact_ended"
#: Histories that are looked through at a time.
BLOCK: Final = 16_384

#: In a few words, where the first of a cause's name is none.
_HOW: Final = {"abrogated_by_protege": "abrogation", "abrogated_by_defender": "abrogation"}
_EVENTS: Final = {outcome.name: outcome.event.ravel() for outcome in (*OUTCOMES, *REACHED)}
#: Why a pact does not bind in a dispute, by how it stands when the year begins.
_UNBOUND: Final[Mapping[int, Unbound]] = MappingProxyType(
    {ENDED: "ended", IN_FORCE: "outside", SUSPENDED: "suspended"}
)


@dataclass(frozen=True, eq=False)
class History:
    """A history under a pact, year by year, and its disputes move by move.

    Parameters
    ----------
    study
        The study, with at least this pact.
    pact
        The pact's name.
    trajectory, seed
        Index of the history, and key of its random numbers.
    data
        Every year, along `year` from 1; see :func:`entangle.kept.kept_histories`.
    disputes
        The replay of each dispute by its year. Its counterfactuals change the rules of that crisis alone,
        with all that went before.
    """

    study: Study
    pact: str
    trajectory: int
    seed: int
    data: xr.Dataset
    disputes: Mapping[int, Replay]

    @property
    def years(self) -> int:
        """Length of the history in years."""
        return int(self.data.sizes["year"])

    @property
    def ended(self) -> tuple[int, str] | None:
        """The year in which the pact ended, and why, in terms of :data:`entangle.vocabulary.CAUSES`."""
        causes = self.data.pact_ended_by.values
        years = np.flatnonzero(causes != CAUSES[0])
        return (int(years[0]) + 1, str(causes[years[0]])) if years.size else None

    def story(self, year: int | None = None) -> str:
        """Return the history in plain English of at most 80 columns.

        Parameters
        ----------
        year
            Tell the dispute of this year alone, move by move.

        Raises
        ------
        ResultError
            If no dispute arose in that year; says in which years one did.
        """
        if year is not None:
            return self.dispute(year).story()
        from entangle.history_story import tell

        return tell(self)

    def dispute(self, year: int) -> Replay:
        """Return the dispute of a year.

        Raises
        ------
        ResultError
            If none arose in that year; says in which years one did.
        """
        if year in self.disputes:
            return self.disputes[year]
        known = ", ".join(map(str, self.disputes))
        where = f"Years with a dispute: {known}." if known else f"None arises in its {self.years} years."
        raise ResultError(f"There is no dispute in year {year} of this history. {where}")

    def __repr__(self) -> str:
        """Return what this is, in a line."""
        wars = sum(war(found.dispute) for found in self.disputes.values())
        parts = [_many(self.years, "year"), _many(len(self.disputes), "dispute"), _many(wars, "war")]
        if self.ended is not None:
            year, cause = self.ended
            parts.append(f"the pact ended in year {year} by {_HOW.get(cause, cause.split('_')[0])}")
        which = f"history {self.trajectory:,} under '{self.pact}'"
        return f"<entangle.History: {which}, {', '.join(parts)}; .story() tells it>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.story())}</pre>"


def replay_history(
    study: Study,
    pact: str,
    trajectory: int,
    *,
    seed: int,
    solved: SolvedContexts | None = None,
) -> History:
    """Play one history again, and each of its disputes in the worlds beside it.

    Parameters
    ----------
    pact
        Name of a pact of the study.
    trajectory
        Index of the history, 0 to 2^64 - 1.
    seed
        Key of the random numbers, 0 to 2^64 - 1.
    solved
        The pact's crises, as :func:`entangle.contexts.solve_contexts` returns them; solved if not given.

    Raises
    ------
    ResultError
        If `trajectory` is no index.
    StudyError
        If the study has no such pact.
    ConvergenceError
        If an equilibrium could not be found.
    """
    index = whole_index(trajectory)
    (name,) = study.named([pact])
    solved = solved_alone(study, name) if solved is None else solved
    peace = between(study, name)
    record = recorded([index], seed=seed, solved=solved, peace=peace, years=study.peacetime.years)
    data = labelled(study, name, [index], record, seed=seed, solved=solved, peace=peace).isel(trajectory=0)
    events = Events.of(record)
    status = events.status_before(peace)[0]
    grievance = before(events.grievance, 0)[0]
    disputes: dict[int, Replay] = {}
    for at in np.flatnonzero(events.cell[0] >= 0).tolist():
        a, b = grievance[at] + GRIEVANCES
        disputes[at + 1] = replay_year(
            study,
            name,
            index,
            seed=seed,
            year=at + 1,
            crises=_crises(solved, int(events.context[0, at])),
            origin=int(peace.origin[a, b]),
            faith=contexts_of(solved).faith[int(record.steadfast[0])],
            unbound=None if events.bound[0, at] else _UNBOUND[status[at]] if peace.pact else "no pact",
        )
    return History(study, name, index, seed, data, MappingProxyType(disputes))


def first_histories(
    study: Study,
    outcome: str,
    *,
    n: int = 1,
    pact: str,
    seed: int,
    histories: int,
    solved: SolvedContexts | None = None,
) -> list[int]:
    """Return the first `n` histories in which something happened in any year; fewer if there are no more.

    Parameters
    ----------
    outcome
        Name of an outcome, of a rung (which a dispute reached at least), of a cause of the pact's end, or
        ``"pact_ended"`` for any cause.
    n
        How many to find.
    pact, seed
        Under which pact, and with which random numbers.
    histories
        How many histories to look through.
    solved
        The pact's crises; solved if not given.

    Raises
    ------
    ResultError
        If there is no such outcome, or `n` is less than 1.
    StudyError
        If the study has no such pact.
    """
    happened = _asked_for(outcome)
    if n < 1:
        raise ResultError(f"The number of histories to find must be at least 1, got {n}.")
    (name,) = study.named([pact])
    solved = solved_alone(study, name) if solved is None else solved
    contexts, peace, years = contexts_of(solved), between(study, name), study.peacetime.years
    found: list[int] = []
    for first in range(0, histories, BLOCK):
        size = min(BLOCK, histories - first)
        record = decades.record(contexts, peace, seed=seed, first=first, size=size, years=years)
        found += (first + np.flatnonzero(happened(Events.of(record)).any(axis=1))).tolist()
        if len(found) >= n:
            break
    return found[:n]


def _asked_for(outcome: str) -> Callable[[Events], NDArray[np.bool_]]:
    """Return what tells in which years of some events an outcome happened."""
    valid = [*_EVENTS, PACT_ENDED, *CAUSES[1:]]
    if outcome not in valid:
        raise ResultError(f"There is no outcome '{outcome}'. {nearest(str(outcome), valid)}")
    if outcome == PACT_ENDED:
        return lambda events: events.cause > 0
    if outcome in CAUSES:
        return lambda events: events.cause == CAUSES.index(outcome)
    event = _EVENTS[outcome]
    return lambda events: (events.cell >= 0) & event[events.cell]


def _crises(solved: SolvedContexts, context: int) -> tuple[Prepared, Prepared]:
    """Return the crisis in a context with the pact, in scope, and without."""
    point = solved.grid.points[context]
    bound, free = solved.bound[point], solved.free[point]
    return Prepared([bound.game], [bound.solution], 1.0), Prepared([free.game], [free.solution], 0.0)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
