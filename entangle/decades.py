"""Decades: many histories of years and crises under every pact, counted in constant memory.

Each pact's crises are solved on a grid of contexts; then histories are played block by block, every pact on
the same random words. All counts are whole numbers, so that neither the order nor the size of the blocks
moves a bit. Beside the counts stand *conditional* estimates (Rao & Blackwell): in every dispute that arose,
the exact probability of an outcome in its context and for the defender's true disposition, instead of what
happened. They have the same mean, less variance, and a rare outcome is as well known as a common one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from entangle import provenance
from entangle.between import between
from entangle.contexts import SolvedContexts, solve_contexts
from entangle.estimators import wilson
from entangle.executors import Task, completed, worker_count
from entangle.lowering.arrays import dispositions
from entangle.outcomes import OUTCOMES
from entangle.questions import HAPPENED
from entangle_kernels import exact, quantise, tally
from entangle_kernels.census import BINS, REACH, UNIT, Census, census
from entangle_kernels.game import Floats
from entangle_kernels.peace import Contexts, Peace

if TYPE_CHECKING:
    from distributed import Client

    from entangle.study import Study

#: Histories in a task.
BLOCK: Final = 16_384

LEVELS: Final = (
    *(f"capability_{actor}" for actor in ("challenger", "protege", "defender")),
    *(f"effort_{actor}" for actor in ("challenger", "protege", "defender")),
    "belief",
)
STATUS: Final = ("ended", "in_force", "suspended")
CAUSES: Final = ("none", "notice_by_protege", "notice_by_defender", "breach", "lapse", "review")
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)

_SUMMED: Final = ("cells", "visits", "firsts", "status", "causes", "bins", "sums")


class Plan(NamedTuple):
    """What every history is played with: for each pact its contexts, and what moves between crises."""

    pacts: tuple[tuple[Contexts, Peace], ...]
    years: int


class Part(NamedTuple):
    """Counts of a task: of each pact, and how often two pacts had an outcome in the same history."""

    counts: tuple[Census, ...]
    shared: np.ndarray[Any, np.dtype[np.int64]]


def decades(
    study: Study,
    *,
    histories: int,
    seed: int,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Play histories under every pact of a study; see :meth:`entangle.Study.decades`."""
    worker_count(executor, workers)
    solved = {name: solve_contexts(study, name, workers=workers) for name in study.pacts}
    plan = Plan(
        tuple((own.contexts, between(study, name)) for name, own in solved.items()), study.peacetime.years
    )
    counted: Part | None = None
    blocks, done = -(-histories // BLOCK), 0
    stream = completed(play, plan, _tasks(seed, histories), executor=executor, workers=workers)
    with closing(stream):
        for task, part in stream:
            counted = part if counted is None else _merged(counted, part)
            done += -(-task.size // BLOCK)
            if progress is not None:
                progress(done, blocks)
    assert counted is not None
    return _tabulated(study, list(solved.values()), counted, histories, seed)


def play(plan: Plan, seed: int, first: int, size: int) -> Part:
    """Return the counts of histories `first` ... `first + size - 1` under every pact."""
    counts = [
        census(contexts, peace, HAPPENED, seed=seed, first=first, size=size, years=plan.years)
        for contexts, peace in plan.pacts
    ]
    shared = tally.common_bits(np.stack([count.ever for count in counts]))
    nothing = np.empty(0, np.uint64)
    return Part(tuple(count._replace(ever=nothing) for count in counts), shared)


def _tasks(seed: int, histories: int) -> Iterator[Task]:
    for first in range(0, histories, BLOCK):
        yield Task(seed, first, min(BLOCK, histories - first))


def _merged(one: Part, other: Part) -> Part:
    counts = [
        mine._replace(**{name: getattr(mine, name) + getattr(theirs, name) for name in _SUMMED})
        for mine, theirs in zip(one.counts, other.counts, strict=True)
    ]
    return Part(tuple(counts), one.shared + other.shared)


# -- from counts to a table ----------------------------------------------------------------------


def _tabulated(
    study: Study, solved: list[SolvedContexts], part: Part, histories: int, seed: int
) -> xr.Dataset:
    confidence = study.simulation.confidence
    number = len(OUTCOMES)
    yearly = np.array([_yearly(count) for count in part.counts])
    ever = np.array([count.firsts[:, :number].cumsum(axis=0) for count in part.counts])
    expected = np.array([_conditional(own, count) for own, count in zip(solved, part.counts, strict=True)])
    by_outcome, by_year = ("pact", "year", "outcome"), ("pact", "year")
    found: dict[str, tuple[tuple[str, ...], Any, str]] = {}
    for name, count, text in (
        ("yearly", yearly, "the outcome happens in the year"),
        ("ever", ever, "the outcome has happened by the end of the year"),
    ):
        lower, upper = wilson(count, histories, confidence=confidence)
        found[f"{name}_count"] = (by_outcome, count, f"histories in which {text}")
        found[f"{name}_probability"] = (by_outcome, count / histories, f"share of histories in which {text}")
        found[f"{name}_lower"] = (by_outcome, lower, f"lower end of the interval of {name}_probability")
        found[f"{name}_upper"] = (by_outcome, upper, f"upper end of the interval of {name}_probability")
    found["yearly_conditional"] = (
        by_outcome,
        expected / histories,
        "conditional estimate of yearly_probability: exact probabilities summed over the disputes that arose",
    )
    found["disputes"] = (
        by_year,
        np.array([count.visits.sum(axis=(1, 2, 3)) for count in part.counts]) / histories,
        "disputes in the year",
    )
    found["pact_status"] = (
        (*by_year, "status"),
        np.array([count.status for count in part.counts]) / histories,
        "share of histories in which the pact stands so at the end of the year",
    )
    found["pact_ended_by"] = (
        (*by_year, "cause"),
        np.array([count.causes for count in part.counts]) / histories,
        "share of histories in which the pact has ended for this cause by the end of the year",
    )
    mean, spread, quantiles = zip(*(_levels(count, histories) for count in part.counts), strict=True)
    found["level_mean"] = (
        (*by_year, "level"),
        np.array(mean),
        "mean of the log relative to the start, or log odds",
    )
    found["level_sd"] = (
        (*by_year, "level"),
        np.array(spread),
        "standard deviation of the level over histories",
    )
    found["level_quantile"] = ((*by_year, "level", "quantile"), np.array(quantiles), "quantile of the level")
    both = part.shared[:, :, :number]
    diagonal = np.einsum("iio->io", both)
    both = both + both.swapaxes(0, 1)
    both[np.arange(len(both)), np.arange(len(both))] = diagonal
    found["ever_joint"] = (
        ("pact", "versus", "outcome"),
        both,
        "histories in which the outcome happens within the horizon under both pacts, with the same luck",
    )
    found["context_error"] = (
        ("pact",),
        np.array([own.error for own in solved]),
        "largest error of an outcome's probability between the contexts that were solved",
    )
    found["contexts"] = (
        ("pact",),
        np.array([own.contexts.enter.shape[0] for own in solved]),
        "contexts solved",
    )
    return _labelled(study, found, histories, seed)


def _labelled(
    study: Study, found: dict[str, tuple[tuple[str, ...], Any, str]], histories: int, seed: int
) -> xr.Dataset:
    def words(names: Any) -> Any:
        return np.array(list(names), dtype=object)

    coords = {
        "pact": ("pact", words(study.pacts)),
        "versus": ("versus", words(study.pacts)),
        "year": ("year", np.arange(1, study.peacetime.years + 1), {"units": "year", "long_name": "year"}),
        "outcome": ("outcome", words(outcome.name for outcome in OUTCOMES)),
        "meaning": ("outcome", words(outcome.meaning for outcome in OUTCOMES)),
        "status": ("status", words(STATUS)),
        "cause": ("cause", words(CAUSES)),
        "level": ("level", words(LEVELS)),
        "quantile": ("quantile", np.array(QUANTILES)),
    }
    data = xr.Dataset(
        {
            name: (dims, values, {"long_name": text, "units": "1"})
            for name, (dims, values, text) in found.items()
        },
        coords,
    )
    made = provenance.attributes(study, data, trajectories=histories)
    kept = (
        "Conventions",
        "title",
        "source",
        "date_created",
        "study",
        "fingerprint",
        "versions",
        "confidence",
    )
    data.attrs = {name: made[name] for name in kept} | {
        "histories": histories,
        "seed": str(seed),
        "random_scheme": made["random_scheme"],
    }
    return data


def _yearly(count: Census) -> Any:
    """Return how often each outcome happened in each year, shape (years, outcomes); at most once a year."""
    return np.array([[row[outcome.event.ravel()].sum() for outcome in OUTCOMES] for row in count.cells])


def _conditional(solved: SolvedContexts, count: Census) -> Floats:
    """Return the sum of exact probabilities over the disputes that arose, shape (years, outcomes)."""
    setting = solved.free.setting
    weights_of = dispositions(setting.parameters.types, setting.peacetime.tilt)
    chances = np.array(
        [
            [_by_origin(field[point].tables, weights) for point in solved.grid.points]
            for field in (solved.free, solved.bound)
            for weights in weights_of
        ]
    )
    half = len(solved.grid.points)
    # (bound, disposition, point, origin, outcome) to (origin, disposition, context, outcome)
    table = chances.reshape(2, 2, half, 2, -1).transpose(3, 1, 0, 2, 4).reshape(2, 2, 2 * half, -1)
    total: Floats = np.tensordot(count.visits, table, axes=3)
    return total


def _by_origin(tables: quantise.Tables, weights: Floats) -> Floats:
    """Return the exact probability of each outcome given the dispute's origin, shape (2, outcomes)."""
    cells = exact.probabilities(tables, defender=weights)
    total = cells.sum(axis=(1, 2, 3, 4))
    found = np.zeros((2, len(OUTCOMES)))
    for i, outcome in enumerate(OUTCOMES):
        happened = np.where(outcome.event, cells, 0.0).sum(axis=(1, 2, 3, 4))
        np.divide(happened, total, out=found[:, i], where=total > 0)
    return found


def _levels(count: Census, histories: int) -> tuple[Floats, Floats, Floats]:
    """Return mean, standard deviation and quantiles of the levels, shapes (years, levels[, quantiles])."""
    mean = count.sums[:, :, 0] / UNIT / histories
    square = count.sums[:, :, 1] / UNIT / histories
    width = 2.0 * REACH / BINS
    below = np.cumsum(count.bins, axis=2)
    quantiles = np.empty((*mean.shape, len(QUANTILES)))
    for at in np.ndindex(*mean.shape):
        for i, share in enumerate(QUANTILES):
            place = int(np.searchsorted(below[at], share * histories))
            before = below[at][place - 1] if place else 0
            inside = (share * histories - before) / max(int(count.bins[at][place]), 1)
            quantiles[(*at, i)] = -REACH + width * (place + inside)
    return mean.T, np.sqrt(np.maximum(square - mean**2, 0.0)).T, quantiles.swapaxes(0, 1)
