"""How time grows with each thing that there can be more of: medians over turns in which all take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from benchmarks.common import PACTS, lowered, study

SEED: Final = 7
#: Trajectories in a measurement of how simulating grows with something else.
SIZE: Final = 2**19
#: Histories, likewise.
LIVES: Final = 2**13

Clock = Callable[[], float]


class Point(NamedTuple):
    """Something to be measured.

    Parameters
    ----------
    series, amount
        What grows, and how much of it there is.
    work
        What is timed.
    clock
        Processor time of this process, or the clock on the wall.
    """

    series: str
    amount: float
    work: Callable[[], object]
    clock: Clock = time.process_time


def measured(repeats: int, *, quick: bool = False) -> dict[str, Any]:
    """Return how long everything takes [s]: for each series what there is of it, with median, least and most.

    Parameters
    ----------
    repeats
        Turns.
    quick
        Only the smaller amounts.
    """
    points = [
        *_crises(quick),
        *_games(quick),
        *_pacts(),
        *_draws(quick),
        *_years(quick),
        *_contexts(quick),
    ]
    spent: list[list[float]] = [[] for _ in points]
    for turn in range(repeats + 1):
        for point, times in zip(points, spent, strict=True):
            if turn == 0 and point.series in _SLOW:  # nothing that has to warm up
                continue
            start = point.clock()
            point.work()
            if turn:
                times.append(point.clock() - start)
    found: dict[str, Any] = {}
    for point, times in zip(points, spent, strict=True):
        entry = {
            "amount": point.amount,
            "median": statistics.median(times),
            "least": min(times),
            "most": max(times),
        }
        found.setdefault(point.series, []).append(entry)
    return {"repeats": repeats, "series": found, "facts": _facts()}


_SLOW: Final = ("contexts",)


def _crises(quick: bool) -> list[Point]:
    from entangle import engine

    plan = engine.prepared(study(*PACTS))[1]
    most = 7 if quick else 8
    amounts = [10**power for power in range(4, most)] + ([] if quick else [3 * 10**7])

    def play(number: int) -> Callable[[], object]:
        return lambda: engine.simulate(plan, seed=SEED, trajectories=number, workers=1)

    return [Point("trajectories", number, play(number)) for number in amounts]


def _games(quick: bool) -> list[Point]:
    """Return solving and playing a treaty by the size of its game."""
    from entangle_kernels import equilibrium, quantise
    from entangle_kernels.crisis import simulate

    points = []
    sizes = [("types", n) for n in ((2, 3, 4, 5) if quick else (2, 3, 4, 5, 6, 7, 8))]
    sizes += [("rounds", n) for n in ((4, 8, 12) if quick else (4, 8, 12, 16, 20, 24))]
    for name, size in sizes:
        games, in_scope = lowered(PACTS[0], **{name: size})
        solutions = [equilibrium.solve(game) for game in games]
        table = quantise.tables(games, solutions, in_scope=in_scope)

        def solve(games: Any = games) -> None:
            for game in games:
                equilibrium.solve(game)

        def play(table: Any = table) -> None:
            simulate(table, seed=SEED, first=0, size=SIZE)

        points += [Point(f"solving by {name}", size, solve), Point(f"playing by {name}", size, play)]
    return points


def _pacts() -> list[Point]:
    """Return the simulation of the first pacts of a study, compared with each other or alone."""
    from entangle import engine

    whole = study()
    points = []
    for attribution, series in ((True, "pacts"), (False, "pacts, each alone")):
        for number in range(1, len(whole.pacts) + 1):
            asked = whole.replace(
                pacts={name: whole.pacts[name] for name in list(whole.pacts)[:number]},
                simulation=whole.simulation.replace(attribution=attribution),
            )
            plan = engine.prepared(asked)[1]

            def play(plan: Any = plan) -> None:
                engine.simulate(plan, seed=SEED, trajectories=SIZE, workers=1)

            points.append(Point(series, number, play))
    return points


def _draws(quick: bool) -> list[Point]:
    asked = study(PACTS[0])

    def run(number: int) -> Callable[[], object]:
        return lambda: asked.run(draws=number, trajectories=10_000, seed=SEED, workers=1)

    return [Point("draws", number, run(number)) for number in ((1, 2, 4) if quick else (1, 2, 4, 8, 16))]


def _years(quick: bool) -> list[Point]:
    """Return histories played and counted in one thread, by their number and their years."""
    from entangle import decades

    plan = decades.prepared(study(*PACTS), None, None)[2]

    def play(number: int, years: int) -> Callable[[], None]:
        own = plan._replace(years=years)

        def lives() -> None:
            for first in range(0, number, decades.BLOCK):
                decades.play(own, SEED, first, min(decades.BLOCK, number - first))

        return lives

    amounts = (10**3, 10**4) if quick else (10**3, 10**4, 10**5)
    years = (5, 10, 20, 40) if quick else (5, 10, 20, 40, 80)
    return [
        *(Point("histories", number, play(number, plan.years)) for number in amounts),
        *(Point("years", number, play(LIVES, number)) for number in years),
    ]


def _contexts(quick: bool) -> list[Point]:
    """Return contexts solved with nothing on disk, by how many it takes at different errors."""
    from benchmarks.decades import small_study
    from entangle.contexts import solve_contexts
    from entangle.solve_cache import SolveCache

    whole = small_study(PACTS[0])
    points = []
    for error in (0.05, 0.02) if quick else (0.05, 0.02, 0.01, 0.005):
        asked = whole.replace(peacetime=whole.peacetime.replace(context_error=error))

        def solve(asked: Any = asked) -> Any:
            return solve_contexts(asked, PACTS[0], workers=1, cache=SolveCache(None))

        once = solve()
        number = len(once.bound._answers) + len(once.free._answers)
        del once  # somebody who holds it would keep the answers without a pact
        points.append(Point("contexts", number, solve))
    by_number = {point.amount: point for point in points}
    return list(by_number.values())


def _facts() -> dict[str, Any]:
    """Return what else the page needs: how much there is to do for a trajectory, and what sets its limits."""
    from benchmarks.common import tables
    from benchmarks.peers import limits
    from benchmarks.peers.native import Unavailable
    from entangle import decades
    from entangle.dry_run.crises import WORDS, expected_rounds
    from entangle.dry_run.measuring import array_bytes
    from entangle_kernels.decades import BATCH, record

    table = tables(PACTS[0])
    plan = decades.prepared(study(*PACTS), None, None)[2]
    own = plan.pacts[0]
    kept = record(own.contexts, own.peace, seed=SEED, first=0, size=BATCH, years=plan.years)
    try:
        found = {limit.name: limit.median for limit in limits.measure(table, 9)}
    except Unavailable as reason:
        found, why = {}, str(reason)
    else:
        why = ""
    return {
        "rounds": [expected_rounds(tables(pact)) for pact in PACTS],
        "words": [WORDS * (2.0 + expected_rounds(tables(pact))) for pact in PACTS],
        "years": plan.years,
        "record_bytes": array_bytes(tuple(kept)) / BATCH,
        "limits": found,
        "no_limits": why,
        "bandwidth": _bandwidth(),
    }


def _bandwidth() -> float:
    """Return how many bytes one thread reads and writes in a second, in arrays that no cache holds."""
    import numpy as np

    one, other = np.ones(2**24), np.zeros(2**24)
    times = []
    for _ in range(9):
        start = time.process_time()
        np.copyto(other, one)
        times.append(time.process_time() - start)
    return (one.nbytes + other.nbytes) / statistics.median(times[1:])
