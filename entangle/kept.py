"""Selected histories kept whole: every year of them, labelled.

A simulation forgets its histories as soon as they are counted. Here some are played again on the same random
words, and what they were is kept: strengths, beliefs, disputes and how they ended, and the life of the pact.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import provenance
from entangle.context_grid import Grid
from entangle.contexts import Field, SolvedContexts, solve_contexts
from entangle.errors import ResultError
from entangle.outlook import outlook
from entangle.vocabulary import CAUSES, ENDS, RUNGS, SEATS, STATUS, SUPPORTS
from entangle_kernels import decades, ladder
from entangle_kernels.decades import Record
from entangle_kernels.exact import CELLS
from entangle_kernels.game import Floats
from entangle_kernels.peace import ENDED, IN_FORCE, LIFE, Contexts, Peace
from entangle_kernels.philox import philox
from entangle_kernels.quantise import WORDS

if TYPE_CHECKING:
    from entangle.study import Study

#: Who can bear a grudge, and who can leave the pact.
RIVALS: Final = SEATS[:2]
PARTNERS: Final = SEATS[1:]

_WAR, _FIGHTING = RUNGS.index("local_war"), SUPPORTS.index("fighting")

Bools = NDArray[np.bool_]
Whole = NDArray[np.int64]


class Events(NamedTuple):
    """The events of a record by name, each of shape (histories, years), whole numbers as in the kernel.

    Parameters
    ----------
    context
        Index of the year's context on the grid.
    bound
        Whether the pact binds in the year's dispute.
    cell
        The dispute's ending, -1 without one.
    grievance
        Of challenger and protégé at the end of the year, shape (histories, years, 2).
    status, cause, notice, pause
        What became of the pact by the end of the year.
    """

    context: Whole
    bound: Bools
    cell: Whole
    grievance: Whole
    status: Whole
    cause: Whole
    notice: Whole
    pause: Whole

    @classmethod
    def of(cls, record: Record) -> Events:
        """Return the events of a record."""
        events = record.events.astype(np.int64)
        context, bound, cell = np.moveaxis(events[:, :, :3], 2, 0)
        status, cause, notice, pause = np.moveaxis(events[:, :, 5:], 2, 0)
        return cls(context, bound == 1, cell, events[:, :, 3:5], status, cause, notice, pause)

    def status_before(self, peace: Peace) -> Whole:
        """Return the pact's status at the start of each year."""
        return before(self.status, IN_FORCE if peace.pact else ENDED)


def kept_histories(
    study: Study,
    pact: str,
    trajectories: Sequence[int],
    *,
    seed: int,
    solved: SolvedContexts,
    peace: Peace,
) -> xr.Dataset:
    """Return some histories under a pact whole, year by year.

    Parameters
    ----------
    pact
        Name of the pact.
    trajectories
        Indices of the histories, 0 to 2^64 - 1, in any order, each once.
    seed
        Key of the random numbers, 0 to 2^64 - 1.
    solved, peace
        The pact's crises, and what moves between them: what :func:`entangle.contexts.solve_contexts` and
        :func:`entangle.between.between` return.

    Returns
    -------
    xarray.Dataset
        Along `trajectory` and `year`, from 1. Levels are those at which the year's context was picked: after
        the year's arms, before its dispute. ``grievance``, ``pact_status``, ``pact_ended_by``,
        ``notice_years``, ``notice_by`` and ``pause_years`` are those at the end of the year. Without a
        dispute its labels are empty and what it may have led to is False.

    Raises
    ------
    ResultError
        If an index is no trajectory, or is given twice.
    """
    indices = [whole_index(index) for index in trajectories]
    twice = [index for index, later in pairwise(sorted(indices)) if index == later]
    if twice:
        raise ResultError(f"Each trajectory must be given once, got {twice[0]} twice.")
    record = recorded(indices, seed=seed, solved=solved, peace=peace, years=study.peacetime.years)
    return labelled(study, pact, indices, record, seed=seed, solved=solved, peace=peace)


def solved_alone(study: Study, pact: str) -> SolvedContexts:
    """Solve a pact's crises; the last answer is kept, so that histories can be asked for one by one.

    Raises
    ------
    ConvergenceError
        If an equilibrium could not be found.
    """
    return _solved_alone(json.dumps(study.to_dict(), sort_keys=True), pact)


@lru_cache(maxsize=1)
def _solved_alone(study: str, pact: str) -> SolvedContexts:
    from entangle.study import Study

    return solve_contexts(Study.from_dict(json.loads(study)), pact)


#: What a history reads, as long as somebody holds the answers that it was made from.
_CONTEXTS: Final[WeakKeyDictionary[Field, tuple[Grid, Contexts]]] = WeakKeyDictionary()


def contexts_of(solved: SolvedContexts) -> Contexts:
    """Return what a history under a pact reads."""
    grid, contexts = _CONTEXTS.get(solved.bound, (None, None))
    if contexts is None or grid != solved.grid:
        contexts = outlook(solved, rivals=False).contexts
        _CONTEXTS[solved.bound] = solved.grid, contexts
    return contexts


def whole_index(trajectory: object) -> int:
    """Return the index of a trajectory.

    Raises
    ------
    ResultError
        If it is not a whole number from 0 to 2^64 - 1.
    """
    try:
        index = operator.index(cast("Any", trajectory))
    except TypeError:
        index = -1
    if isinstance(trajectory, bool) or not 0 <= index < 2**64:
        raise ResultError(f"The trajectory must be a whole number from 0 to 2^64 - 1, got {trajectory!r}.")
    return index


def recorded(
    indices: Sequence[int], *, seed: int, solved: SolvedContexts, peace: Peace, years: int
) -> Record:
    """Return the record of histories that need not follow upon each other."""
    contexts = contexts_of(solved)
    parts = [
        decades.record(contexts, peace, seed=seed, first=first, size=size, years=years)
        for first, size in _runs(indices) or [(0, 0)]
    ]
    levels, events, steadfast = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Record(levels, events, steadfast)


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first index and the length of each run of consecutive ones, in the order given."""
    starts = [i for i, index in enumerate(indices) if i == 0 or index != indices[i - 1] + 1]
    return [(indices[start], stop - start) for start, stop in pairwise([*starts, len(indices)])]


# -- from a record to a table --------------------------------------------------------------------


def labelled(
    study: Study,
    pact: str,
    indices: Sequence[int],
    record: Record,
    *,
    seed: int,
    solved: SolvedContexts,
    peace: Peace,
) -> xr.Dataset:
    """Return a record as a labelled table; see :func:`kept_histories`."""
    scenario = study.scenario
    actors = [study.actors[key] for key in (scenario.challenger, scenario.protege, scenario.defender)]
    effort = np.array([actor.effort or 1.0 for actor in actors])
    year, by_actor = ("trajectory", "year"), ("trajectory", "year", "actor")
    events = Events.of(record)
    found: dict[str, tuple[tuple[str, ...], Any, str]] = {
        "capability": (by_actor, np.exp(record.levels[:, :, :3]), "capability relative to the start"),
        "effort": (
            by_actor,
            effort * np.exp(record.levels[:, :, 3:6]),
            "defence effort as a share of GDP; relative to the start of an actor that makes none",
        ),
        "belief": (
            year,
            1.0 / (1.0 + np.exp(-record.levels[:, :, 6])),
            "probability that the others give to a steadfast defender",
        ),
        "steadfast": (("trajectory",), record.steadfast == 1, "whether the defender is steadfast"),
    }
    for name, (values, text) in _disputes(events).items():
        found[name] = year, values, text
    found["grievance"] = (
        (*year, "rival"),
        events.grievance,
        "grievance at the end of the year, -2 (content) to 2 (aggrieved)",
    )
    found |= _life(events, _wishes(indices, events, seed=seed, solved=solved, peace=peace), peace)
    coords = {
        "trajectory": ("trajectory", np.array(indices, np.uint64), {"long_name": "index of the history"}),
        "year": (
            "year",
            np.arange(1, record.events.shape[1] + 1),
            {"units": "year", "long_name": "year of the history"},
        ),
        "actor": ("actor", np.array(SEATS, object)),
        "rival": ("rival", np.array(RIVALS, object)),
        "partner": ("partner", np.array(PARTNERS, object)),
    }
    variables = {
        name: (dims, values, {"long_name": text} | _units(name, values))
        for name, (dims, values, text) in found.items()
    }
    attrs = {
        "title": study.title or "Crisis risks of security pacts",
        "pact": pact,
        "seed": str(seed),  # as text: it may need all 64 bits
        "random_scheme": provenance.RANDOM_SCHEME,
    }
    return xr.Dataset(variables, coords, attrs)


def _units(name: str, values: NDArray[Any]) -> dict[str, str]:
    """Return the unit of a variable; labels and truth values have none."""
    if values.dtype.kind in "Ob":
        return {}
    return {"units": "year" if name.endswith("_years") else "1"}


def _disputes(events: Events) -> dict[str, tuple[NDArray[Any], str]]:
    """Return what is kept of disputes, each of shape (histories, years)."""
    arose = events.cell >= 0
    origin, _, end, state, marks = np.unravel_index(np.maximum(events.cell, 0), CELLS)
    rung, support = state >> 3, (state >> 1) & 3
    owed = arose & (marks & ladder.OBLIGATION_ACTIVE > 0)
    given = owed & (marks & ladder.SUPPORT_REACHED > 0)
    return {
        "dispute": (
            np.where(arose, np.array(RIVALS, object)[origin], "none"),
            "for whom a dispute arises in the year",
        ),
        "bound": (events.bound, "whether the pact binds in the dispute"),
        "ending": (_named(ENDS, end, arose), "how the dispute ends"),
        "rung": (_named(RUNGS, rung, arose), "highest rung that the dispute reaches"),
        "support": (_named(SUPPORTS, support, arose), "the defender's support at the end of the dispute"),
        "war": (arose & (rung >= _WAR), "whether the dispute reaches local war or more"),
        "defender_fights": (arose & (support == _FIGHTING), "whether the defender fights"),
        "owed": (owed, "whether help is owed at some time"),
        "help_given": (given, "whether help is owed, and support reaches what is required"),
        "blocked": (
            owed & ~given & (marks & ladder.VOTE_BLOCKED > 0),
            "whether help is owed, and a vote or a quorum stops it",
        ),
    }


class _Wishes(NamedTuple):
    """What the partners wish, each of shape (histories, years, 2): the chance to want out, and whether."""

    chance: Floats
    out: Bools


def _wishes(
    indices: Sequence[int], events: Events, *, seed: int, solved: SolvedContexts, peace: Peace
) -> _Wishes:
    """Return which partner does not wish to keep the pact, by the same words as in the record."""
    stay = contexts_of(solved).stay
    stay = stay[len(stay) // 2 :, :2]
    below = stay[events.context]
    index = np.array(indices, np.uint64)
    words = np.empty((4, index.size), np.uint32)
    lives = events.status_before(peace) != ENDED
    out = np.zeros(below.shape, np.bool_)
    for year in range(below.shape[1]):
        philox(index, np.uint64(year), LIFE, np.uint64(seed), words)
        out[:, year] = below[:, year] <= words[:2].T
    chance = 1.0 - below / WORDS
    return _Wishes(np.where(lives[:, :, np.newaxis], chance, np.nan), out & lives[:, :, np.newaxis])


def _life(
    events: Events, wishes: _Wishes, peace: Peace
) -> dict[str, tuple[tuple[str, ...], NDArray[Any], str]]:
    """Return what is kept of the life of the pact."""
    by_year = "trajectory", "year"
    ended = events.status == ENDED
    age = np.arange(1, ended.shape[1] + 1)
    asked = np.zeros(age.shape, np.bool_)
    for period in (peace.term, peace.review):
        if period > 0:
            asked |= age % period == 0
    renegotiated = ~ended & asked & wishes.out.any(axis=2)
    return {
        "wants_out": (
            (*by_year, "partner"),
            wishes.out,
            "whether the partner does not wish to keep the pact; only a pact that has not ended can be left",
        ),
        "wants_out_probability": (
            (*by_year, "partner"),
            wishes.chance,
            "probability of wants_out in the year's context; not a number once the pact has ended",
        ),
        "renegotiated": (
            by_year,
            renegotiated,
            "whether a partner wants out at a review or the end of a term, and terms are renegotiated",
        ),
        "pact_status": (by_year, _named(STATUS, events.status), "where the pact stands"),
        "pact_ended_by": (by_year, _named(CAUSES, events.cause), "why the pact has ended"),
        "notice_years": (
            by_year,
            np.where(ended, -1, events.notice),
            "years of notice left; -1 if none was given or the pact has ended",
        ),
        "notice_by": (by_year, _giver(events, wishes), "who has given notice"),
        "pause_years": (by_year, np.where(ended, 0, events.pause), "years of suspension left"),
    }


def _giver(events: Events, wishes: _Wishes) -> NDArray[Any]:
    """Return who has given notice, from the year in which it did to that in which the pact ends."""
    given = (events.notice >= 0) & (before(events.notice, -1) < 0)
    by_defender = wishes.out[:, :, PARTNERS.index("defender")]
    since = np.maximum.accumulate(np.where(given, np.arange(given.shape[1]), -1), axis=1)
    giver = np.where(np.take_along_axis(by_defender, np.maximum(since, 0), axis=1), 1, 0)
    over = before(events.status, IN_FORCE) == ENDED
    return _named(PARTNERS, giver, (since >= 0) & ~over)


def before(values: Whole, first: int) -> Whole:
    """Return what was so at the end of the year before."""
    start = np.full_like(values[:, :1], first)
    return np.concatenate([start, values[:, :-1]], axis=1)


def _named(labels: Sequence[str], numbers: NDArray[Any], where: Bools | None = None) -> NDArray[Any]:
    named = np.array(labels, object)[numbers]
    return named if where is None else np.where(where, named, "")
