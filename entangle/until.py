"""Running until what was asked for is known well enough, by a rule that looking cannot spoil.

How many successes each outcome needs is fixed before the first trajectory (:mod:`entangle.stopping`). The
run goes on in stretches of whole blocks, sized by the exact probabilities, until every outcome has had
them; which trial brought the last one is then found by playing one block again. Neither the stretches nor the
order in which blocks are done can move it: trials are counted in the order of the trajectories.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from entangle.blocks import BLOCK, Counts, Plan
from entangle.outcomes import OUTCOMES
from entangle.stopping import Stopped, estimate, expected_trials, successes_needed
from entangle_kernels import crisis
from entangle_kernels.philox import philox

if TYPE_CHECKING:
    from entangle.engine import Tally
    from entangle.solving import Prepared
    from entangle.study import Study

#: Purpose of the random word behind an estimate (fourth word of the counter): this plus the outcome's index.
_STOP: Final = 0xA0000000


class Target(NamedTuple):
    """An outcome under a pact that is to be known well enough.

    Parameters
    ----------
    world, outcome
        Index of the pact in the plan, and of the outcome in OUTCOMES.
    relative_error
        Relative error that was asked for.
    successes
        Successes to wait for.
    disputes
        Disputes that this takes on average, by the exact probability.
    """

    world: int
    outcome: int
    relative_error: float
    successes: int
    disputes: float


class Stop(NamedTuple):
    """A target, and the estimate where it had its successes; None where the run ended before."""

    target: Target
    stopped: Stopped | None


def run(
    study: Study,
    plan: Plan,
    pacts: Sequence[Prepared],
    simulate: Callable[[Plan, int, int], Tally],
) -> tuple[Tally, list[Stop]]:
    """Simulate until every outcome is known as well as the study wants, or its trajectories are used up.

    Parameters
    ----------
    plan, pacts
        What to play; the pacts in the order of the plan's first worlds.
    simulate
        Called with (plan, first trajectory, number of trajectories); returns their counts.
    """
    settings = study.simulation
    if not settings.until:  # an empty table asks for nothing
        return simulate(plan, 0, settings.trajectories), []
    asked = targets(settings.until, pacts, confidence=settings.confidence)
    watching = _watching(plan, asked)
    counted = simulate(watching, 0, min(expected(asked), settings.trajectories))
    while asked and counted.trajectories < settings.trajectories:
        stretch = _stretch(asked, counted.watch()[:, :, 0].sum(axis=0).tolist())
        if stretch == 0:
            break
        done = counted.trajectories
        counted = counted.merged(simulate(watching, done, min(stretch, settings.trajectories - done)))
    stops = []
    for i, target in enumerate(asked):
        trials = last_trial(plan, target, counted.watch()[:, i], seed=settings.seed)
        stopped = None
        if trials is not None:
            stopped = estimate(
                trials,
                relative_error=target.relative_error,
                confidence=settings.confidence,
                uniform=_uniform(settings.seed, target.outcome),
            )
        stops.append(Stop(target, stopped))
    return counted, stops


def watching(study: Study, plan: Plan, pacts: Sequence[Prepared]) -> Plan:
    """Return the plan that :func:`run` plays: it watches, block by block, what is asked for."""
    settings = study.simulation
    if not settings.until:
        return plan
    return _watching(plan, targets(settings.until, pacts, confidence=settings.confidence))


def _watching(plan: Plan, asked: Sequence[Target]) -> Plan:
    return plan._replace(watched=tuple((target.world, target.outcome) for target in asked))


def targets(
    wanted: Mapping[str, float], pacts: Sequence[Prepared], *, confidence: float
) -> tuple[Target, ...]:
    """Return what has to be reached: every wanted outcome under every pact that allows it."""
    names = [outcome.name for outcome in OUTCOMES]
    found = []
    for name, error in wanted.items():
        index = names.index(name)
        needed = successes_needed(error, confidence=confidence)
        for world, pact in enumerate(pacts):
            chance = float(pact.exact[OUTCOMES[index].event].sum())
            if chance > 0:
                found.append(Target(world, index, error, needed, expected_trials(chance, needed)))
    return tuple(found)


def last_trial(plan: Plan, target: Target, watched: Counts, *, seed: int) -> int | None:
    """Return the trial, counted from 1, that brought the target its last success; None if none did yet.

    Parameters
    ----------
    watched
        For each block in order, how often the outcome and its condition occurred, shape (blocks, 2).
    """
    so_far = np.cumsum(watched[:, 0])
    block = int(np.searchsorted(so_far, target.successes))
    if block == len(so_far):
        return None
    before = watched[:block].sum(axis=0)
    ended = crisis.endings(plan.worlds[target.world], seed=seed, first=block * BLOCK, size=BLOCK).cells
    outcome = OUTCOMES[target.outcome]
    happened = np.flatnonzero(outcome.event.ravel()[ended])
    place = happened[target.successes - int(before[0]) - 1]
    return int(before[1]) + int(outcome.condition.ravel()[ended][: place + 1].sum())


def expected(asked: Sequence[Target]) -> int:
    """Return how many trajectories it takes on average to reach every target, in whole blocks."""
    return _stretch(asked, [0] * len(asked))


def _stretch(asked: Sequence[Target], had: Sequence[int]) -> int:
    """Return how many trajectories to add, in whole blocks: 0 if every target has had its successes."""
    left = [
        target.disputes * (1.0 - count / target.successes)
        for target, count in zip(asked, had, strict=True)
        if count < target.successes
    ]
    if not asked:
        return BLOCK
    return BLOCK * max(1, math.ceil(max(left) / BLOCK)) if left else 0


def _uniform(seed: int, outcome: int) -> float:
    """Return the random number between 0 and 1 that belongs to an outcome, of 53 bits."""
    words = np.empty((4, 1), np.uint32)
    philox(np.zeros(1, np.uint64), np.uint64(0), np.uint64(_STOP + outcome), np.uint64(seed), words)
    high, low = int(words[0, 0]), int(words[1, 0])
    return ((high << 21) + (low >> 11) + 0.5) / 2.0**53


def variables(stops: Sequence[Stop], wanted: Mapping[str, float], pacts: int) -> dict[str, xr.Variable]:
    """Return the variables of a result that say what the run stopped on, each of shape (pacts, targets)."""
    shape = pacts, len(wanted)
    found = {name: np.full(shape, np.nan) for name in ("probability", "lower", "upper", "disputes")}
    counted = {name: np.zeros(shape, np.int64) for name in ("successes", "trials")}
    column = {name: i for i, name in enumerate(wanted)}
    for target, stopped in stops:
        place = target.world, column[OUTCOMES[target.outcome].name]
        counted["successes"][place] = target.successes
        found["disputes"][place] = target.disputes
        if stopped is not None:
            for name in ("probability", "lower", "upper"):
                found[name][place] = getattr(stopped, name)
            counted["trials"][place] = stopped.trials
    texts = {
        "probability": "estimate at the last needed success, of known relative error",
        "lower": "lower end of its exact interval",
        "upper": "upper end of its exact interval",
        "disputes": "disputes that this takes on average, by the exact probability",
        "successes": "successes to wait for; 0 where the outcome cannot happen",
        "trials": "trial that brought the last of them; 0 if the run ended before",
    }
    made = {
        f"stopped_{name}": xr.Variable(("pact", "target"), values, {"long_name": texts[name], "units": "1"})
        for name, values in (found | counted).items()
    }
    errors = np.array(list(wanted.values()))
    made["stopped_relative_error"] = xr.Variable(
        "target", errors, {"long_name": "relative error that was asked for", "units": "1"}
    )
    return made


def sentences(data: xr.Dataset) -> Iterator[str]:
    """Yield what was reached and what was not, in words, from the data of a result that was to stop."""
    percent = 100.0 * float(data.attrs["confidence"])
    for name in map(str, data.target.values):
        cell = data.sel(target=name, outcome=name)
        error = 100.0 * cell.stopped_relative_error.item()
        for pact in map(str, data.pact.values):
            here = cell.sel(pact=pact)
            needed, trials = here.stopped_successes.item(), here.stopped_trials.item()
            if trials:
                parts = ("probability", "lower", "upper")
                value, low, high = (100.0 * here[f"stopped_{part}"].item() for part in parts)
                yield (
                    f"{name} under {pact}: {value:.4g} %, within {error:.3g} % of itself at {percent:.6g} % "
                    f"confidence ({low:.4g} to {high:.4g} %; {needed:,} successes in {trials:,} trials)."
                )
            elif needed:
                yield (
                    f"{name} under {pact}: NOT known within {error:.3g} %: {here['count'].item():,} of the "
                    f"{needed:,} successes needed. By its exact probability that takes about "
                    f"{here.stopped_disputes.item():.3g} disputes."
                )
            else:
                yield f"{name} under {pact}: cannot happen."
